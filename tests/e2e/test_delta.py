"""Deltas: the System Log names, single reads decide, and nothing costs more than what changed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.engine.cycles.delta import Delta, LogDenied, delta, follow
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import apply_approved, sync
from syncd.engine.facts import CURSOR
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.errors import TemporaryError
from syncd.redact import Redactor
from syncd.simulators.world import OktaWorld
from syncd.wiring import open_job
from tests.chaos.arena import Arena, arena
from tests.chaos.oracle import holdings, wishes
from tests.observing import Unheard


@contextmanager
def opened(made: Arena) -> Iterator[Job]:
    with open_job(
        made.settings, writing=True, observer=made.notes, redactor=Redactor(), clock=made.clock
    ) as job:
        yield job


def one_delta(made: Arena, seen: Seen) -> Delta:
    """As the daemon does it: new adapters, the same memory."""
    with opened(made) as job:
        return delta(job, seen)


def exact(made: Arena) -> bool:
    wanted, have = wishes(made.okta.world), holdings(made.split.world)
    people = {owner: one.person for owner, one in have.people.items() if one.active}
    return (
        people == wanted.people
        and {key: group.members for key, group in have.groups.items()} == wanted.members
    )


def okta_reads(made: Arena) -> Counter[str]:
    """By the kind of resource that was read."""
    found: Counter[str] = Counter()
    for request in made.okta.requests:
        path = request.path.partition("?")[0].removeprefix("/api/v1/")
        parts = path.split("/")
        found["/".join(part if number % 2 == 0 else "*" for number, part in enumerate(parts))] += 1
    return found


def forget(made: Arena) -> None:
    made.okta.reset_requests()
    made.split.reset_requests()


def begin(job: Job) -> None:
    """From here on the log is followed; everything is read and written once."""
    follow(job)
    assert sync(job, Selection()).exit_code == 0


@contextmanager
def quiet(folder: Path, okta: OktaWorld, **more: Any) -> Iterator[Arena]:
    """Followed and synced, and nothing is new; no request is counted yet."""
    with arena(folder, okta, **more) as found:
        with opened(found) as job:
            begin(job)
        one_delta(found, Seen())
        forget(found)
        yield found


def crew(folder: Path) -> AbstractContextManager[Arena]:
    """Thirty people, twenty in one pushed group; followed, synced and quiet."""
    okta = OktaWorld()
    people = [okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(30)]
    okta.create_group("push-crew", members=people[:20])
    okta.create_group("other", members=people[:3])
    tables = {
        "safety": 'max_deactivations = "50%"\nmax_member_removals = "50%"\nmax_group_deletions = 5',
        "rule": 'on_removal = "delete"',
    }
    return quiet(folder, okta, tables=tables)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Arena]:
    with crew(tmp_path) as found:
        yield found


def test_a_quiet_delta_is_one_request_and_writes_no_run(made: Arena) -> None:
    seen = Seen()
    one_delta(made, seen)
    forget(made)
    with opened(made) as job:
        before = job.store.runs(limit=50)

        found = delta(job, seen)

        assert found == Delta()
        assert job.store.runs(limit=50) == before
    assert okta_reads(made) == {"logs": 1}
    assert not made.split.requests


def hire(okta: OktaWorld) -> None:
    okta.add_user("new@example.com", "New", "Hire", assign=True, groups=["push-crew"])


def leave(okta: OktaWorld) -> None:
    okta.unassign("p29@example.com")


def leave_with_groups(okta: OktaWorld) -> None:
    okta.unassign("p01@example.com")


def deactivate(okta: OktaWorld) -> None:
    okta.set_user_status("p28@example.com", "DEPROVISIONED")


def marry(okta: OktaWorld) -> None:
    okta.update_profile("p27@example.com", lastName="Married", email="married@example.com")


def join(okta: OktaWorld) -> None:
    okta.add_member("push-crew", "p25@example.com")


def part(okta: OktaWorld) -> None:
    okta.remove_member("push-crew", "p05@example.com")


def found_a_group(okta: OktaWorld) -> None:
    okta.create_group("push-new", members=["p00@example.com", "p29@example.com"])


def delete_a_group(okta: OktaWorld) -> None:
    okta.delete_group("push-crew")


@pytest.mark.parametrize(
    "change",
    [hire, leave, leave_with_groups, deactivate, marry, join, part, found_a_group, delete_a_group],
    ids=lambda change: change.__name__,
)
def test_one_delta_makes_split_agree(made: Arena, change: Callable[[OktaWorld], None]) -> None:
    change(made.okta.world)
    assert not exact(made)
    seen = Seen()

    first = one_delta(made, seen)

    assert first.everything == ""
    assert first.result is not None
    assert first.result.exit_code == 0, first.result.document()
    assert exact(made)
    reads = okta_reads(made)
    assert not {"apps/*/users", "groups"} & set(reads), "a delta reads no list of everything"
    forget(made)
    assert one_delta(made, seen) == Delta()
    assert okta_reads(made) == {"logs": 1}
    assert made.cycle(full=True).result is not None
    assert exact(made)


def test_one_member_of_a_group_of_5000_costs_what_one_member_costs(tmp_path: Path) -> None:
    okta = OktaWorld()
    now = okta.clock
    okta.clock = lambda: now() - timedelta(hours=1)  # the making of the org is no news
    people = [okta.add_user(f"p{n:04}@example.com", "P", f"{n:04}", assign=True) for n in range(5001)]
    okta.create_group("push-all", members=people[:-1])
    okta.clock = now
    with arena(tmp_path, okta, tables={"split": "concurrency = 8\nmember_batch = 1000"}) as found:
        with opened(found) as job:
            begin(job)
            delta(job, Seen())
        forget(found)
        okta.add_member("push-all", people[-1])
        okta.remove_member("push-all", people[0])
        seen = Seen()

        assert one_delta(found, seen).everything == ""

        assert exact(found)
        assert okta_reads(found) == {
            "logs": 1, "apps/*": 1, "apps/*/users/*": 2, "users/*/groups": 2, "groups/*": 1,
        }  # fmt: skip
        assert Counter(request.method for request in found.split.requests)["PATCH"] == 2


def test_events_that_come_twice_and_late_cost_nothing_twice(made: Arena) -> None:
    seen = Seen()
    made.okta.world.update_profile("p02@example.com", lastName="Once")
    one_delta(made, seen)
    forget(made)
    made.okta.world.repeat_event()
    assert one_delta(made, seen) == Delta()
    assert okta_reads(made) == {"logs": 1}

    made.okta.world.late_event(
        "user.account.update_profile", published="2026-01-01T00:00:00.000Z", user="p03@example.com"
    )
    found = one_delta(made, seen)
    assert found == Delta(), "a look that changes nothing is quiet"
    assert okta_reads(made)["apps/*/users/*"] == 1


def test_a_lost_place_in_the_log_asks_for_a_full_cycle_and_follows_anew(made: Arena) -> None:
    with opened(made) as job:
        stored = job.store.recall(CURSOR.key)
        assert stored is not None
        job.store.remember(CURSOR.key, stored.partition("?")[0] + "?after=garbage&limit=1000")
    seen = Seen()

    assert one_delta(made, seen).everything == "the place in the System Log was lost"

    hire(made.okta.world)
    assert one_delta(made, seen).result is not None
    assert exact(made)


def test_without_the_right_to_read_the_log_deltas_say_so_and_nobody_is_quarantined(made: Arena) -> None:
    made.okta.faults.add("status", path="/api/v1/logs", count=-1, status=403)
    with pytest.raises(LogDenied):
        one_delta(made, Seen())
    assert not made.quarantined()


def test_a_revoked_token_quarantines_from_a_delta_too(made: Arena) -> None:
    made.okta.faults.add("status", count=-1, status=401)
    with pytest.raises(Exception, match="401"):
        one_delta(made, Seen())
    assert made.quarantined()


def test_a_burst_is_one_cycle_and_a_storm_becomes_a_full_read(made: Arena) -> None:
    for number in range(20):
        for _ in range(60):
            made.okta.world.update_profile(f"p{number:02}@example.com", lastName=f"N{number}")
    seen = Seen()
    found = one_delta(made, seen)
    assert found.result is not None
    assert exact(made)

    for number in range(60):
        made.okta.world.add_user(f"n{number:02}@example.com", "N", f"{number}", assign=True)
    assert "full read" in one_delta(made, seen).everything


def test_who_cannot_be_read_is_named_again_by_the_next_delta(made: Arena) -> None:
    hire(made.okta.world)
    made.okta.faults.add("status", path=r"/apps/[^/]+/users/", count=-1, status=503)
    seen = Seen()
    first = one_delta(made, seen)
    assert first.result is not None
    assert first.result.exit_code == 1
    made.heal()

    assert one_delta(made, seen).result is not None

    assert exact(made)
    assert not seen.pending


def test_what_failed_is_tried_again_when_its_time_has_come(made: Arena) -> None:
    marry(made.okta.world)
    made.split.faults.add("status", method="PATCH", path="/Users/", count=-1, status=403)
    seen = Seen()
    one_delta(made, seen)
    made.heal()
    forget(made)
    assert one_delta(made, seen) == Delta()
    assert not made.split.requests

    made.later(timedelta(minutes=2))

    assert one_delta(made, seen).result is not None
    assert exact(made)


def test_small_portions_meet_the_limit_and_what_is_approved_is_applied_by_the_next_delta(made: Arena) -> None:
    seen, codes = Seen(), []
    for number in range(29, 9, -1):
        made.okta.world.unassign(f"p{number:02}@example.com")
        found = one_delta(made, seen)
        assert found.result is not None
        codes.append(found.result.exit_code)
    assert codes == [0] * 15 + [3] * 5
    forget(made)
    assert one_delta(made, seen) == Delta(), "what is held is not looked at again and again"

    made.decide("approve")
    assert one_delta(made, seen).result is not None

    assert exact(made)


def test_grace_that_is_over_is_noticed_without_an_event(tmp_path: Path) -> None:
    okta = OktaWorld()
    for number in range(20):
        okta.add_user(f"p{number:02}@example.com", "P", "X", assign=True)
    with arena(tmp_path, okta, tables={"provisioning": 'deactivation_grace = "2h"'}) as found:
        seen = Seen()
        with opened(found) as job:
            follow(job)
            assert sync(job, Selection()).exit_code == 0
        okta.unassign("p19@example.com")
        one_delta(found, seen)
        assert found.split.world.user("p19@example.com").active
        found.later(timedelta(hours=3))

        one_delta(found, seen)

        assert not found.split.world.user("p19@example.com").active


def test_a_delta_in_the_middle_of_a_full_read_wins(made: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """The full cycle has read the assignments; then somebody leaves and somebody joins, and a delta sees it."""
    del monkeypatch
    seen, turn = Seen(), threading.Lock()
    done: list[Any] = []
    with opened(made) as first, opened_beside(first, made) as second:
        full = replace(first, turn=turn, observer=_At(made, "reading groups", lambda: happen()))

        def happen() -> None:
            leave(made.okta.world)
            hire(made.okta.world)
            done.append(delta(replace(second, turn=turn), seen))

        result = sync(full, Selection())

    assert done[0].result.exit_code == 0
    assert result.exit_code == 0, result.document()
    assert result.applied == {}
    assert exact(made)


@contextmanager
def opened_beside(job: Job, made: Arena) -> Iterator[Job]:
    """A second set of adapters on the same store, as in the daemon."""
    from syncd.wiring import open_source, open_target  # noqa: PLC0415

    redactor = Redactor()
    with (
        open_source(made.settings, made.notes, redactor) as source,
        open_target(made.settings, made.notes, redactor) as target,
    ):
        yield replace(job, source=source, target=target)


class _At(Unheard):
    """An observer that lets something happen when a phase begins, once."""

    def __init__(self, made: Arena, phase: str, happen: Callable[[], None]) -> None:
        self._notes, self._phase, self._happen = made.notes, phase, [happen]

    def phase(self, name: str, total: int | None = None) -> None:
        self._notes.phase(name, total)
        if name == self._phase and self._happen:
            self._happen.pop()()

    def event(self, level: str, event: str, **fields: object) -> None:
        self._notes.event(level, event, **fields)


def test_a_stop_during_a_long_read_concludes_nothing(made: Arena) -> None:
    with opened(made) as job:
        stopped = replace(job, cancelled=lambda: True)
        result = sync(stopped, Selection())
    assert isinstance(result.problems[0], TemporaryError)
    assert not made.split.requests


def test_one_wrong_list_of_a_persons_groups_takes_nobody_out_of_a_group(made: Arena) -> None:
    """The log announced something else: the list that nominated the removal may not be its only witness."""
    made.okta.faults.add("empty_page", path=r"/users/[^/]+/groups", count=1)
    made.okta.world.update_profile("p02@example.com", nickName="Pat")

    one_delta(made, Seen())

    assert exact(made)
    assert okta_reads(made)["users/*/groups"] == 2
    assert made.cycle(full=True).result is not None
    assert exact(made)


def test_an_assignment_that_names_nobody_asks_for_a_full_cycle(made: Arena) -> None:
    world = made.okta.world
    world.log("application.user_membership.add", [world.app_target()])
    assert one_delta(made, Seen()).everything == "application.user_membership.add"


def test_the_last_person_of_the_app_is_held_in_a_delta_too(tmp_path: Path) -> None:
    okta = OktaWorld()
    okta.add_user("only@example.com", "On", "Ly", assign=True)
    with arena(tmp_path, okta) as found:
        with opened(found) as job:
            follow(job)
            assert sync(job, Selection()).exit_code == 0
        okta.unassign("only@example.com")

        result = one_delta(found, Seen()).result

        assert result is not None
        assert {hold.check for hold in found.holds()} == {"empty_app"}
        assert found.split.world.user("only@example.com").active


@pytest.mark.parametrize("now", [False, True])
def test_an_approval_ends_when_everybody_is_back_and_is_none_for_the_next_time(
    made: Arena, *, now: bool
) -> None:
    world, seen = made.okta.world, Seen()
    people = [f"p{number:02}@example.com" for number in range(4, 24)]

    def all_leave() -> None:
        for each in people:
            world.unassign(each, everywhere=True)
        result = one_delta(made, seen).result
        assert result is not None
        assert result.exit_code == 3

    all_leave()
    changes = made.decide("approve")
    for each in people:
        world.assign(each)
    if now:
        with opened(made) as job:
            assert apply_approved(job, changes).applied == {}
    one_delta(made, seen)
    forget(made)
    assert one_delta(made, seen) == Delta(), "nobody is looked at for a decision that is over"
    assert okta_reads(made) == {"logs": 1}

    all_leave()

    assert all(made.split.world.user(each).active for each in people)


def test_what_is_held_is_not_nibbled_away_by_the_deltas_that_follow(made: Arena) -> None:
    """Neither by news of one of them, nor by an approval of something else about them, nor by who leaves next."""
    world, seen = made.okta.world, Seen()
    people = [f"p{number:02}@example.com" for number in range(4, 24)]
    for each in people:
        world.unassign(each, everywhere=True)
    one_delta(made, seen)
    before = {hold.id: len(hold.changes) for hold in made.holds()}

    world.update_profile(people[0], nickName="Pat")
    result = one_delta(made, seen).result

    assert result is not None
    assert result.exit_code == 3
    assert {hold.id: len(hold.changes) for hold in made.holds()} == before, "they wait where they waited"

    membership = next(
        each
        for hold in made.holds()
        for each in hold.changes
        if each.name == people[0] and each.kind == "remove_member"
    )
    with opened(made) as job:
        job.store.decide([membership.id], "approve", "somebody")
    result = one_delta(made, seen).result
    assert result is not None
    assert {kind.value: count for kind, count in result.applied.items()} == {"remove_member": 1}

    world.unassign("p29@example.com")
    one_delta(made, seen)

    assert all(made.split.world.user(each).active for each in [*people, "p29@example.com"])
    for each in people:
        world.assign(each)
    world.assign("p29@example.com")
    one_delta(made, seen)
    assert made.cycle(full=True).result is not None
    assert not made.holds()


@pytest.mark.parametrize(
    "kind", ["app.user_management", "app.user_management.app_group_member_import.delete_success"]
)
def test_members_of_a_directorys_group_are_seen_by_deltas(made: Arena, kind: str) -> None:
    """Okta writes their coming and going under names of their own."""
    part(made.okta.world)
    join(made.okta.world)
    for event in made.okta.world.events:
        if event.body["eventType"].startswith("group.user_membership."):
            event.body["eventType"] = kind

    assert one_delta(made, Seen()).result is not None

    assert exact(made)


def test_the_end_of_an_import_brings_a_full_cycle_before_long_and_holds_up_no_delta(made: Arena) -> None:
    leave(made.okta.world)
    made.okta.world.log("system.import.complete", [])

    found = one_delta(made, Seen())

    assert (found.everything, found.before_long) == ("", "system.import.complete")
    assert found.result is not None
    assert exact(made)
