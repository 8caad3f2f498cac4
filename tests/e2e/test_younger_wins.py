"""What is read is as old as the moment its page was asked for: what was learned since then, or by id within the time by
which Okta's lists lag, is never overruled by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import Any

import pytest

from syncd.core.change import ChangeKind
from syncd.core.drift import DriftKind
from syncd.engine.cycles.delta import Delta, delta, follow
from syncd.engine.cycles.drift import find_drift, repair
from syncd.engine.cycles.drift_report import DriftReport, drift_report
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import plan, sync
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.model import GroupState
from syncd.ports import Source
from syncd.simulators.world import OktaWorld, default_split
from tests.chaos.arena import Arena, arena
from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.old_lists import OldLists
from tests.e2e.test_delta import (
    deactivate,
    delete_a_group,
    exact,
    found_a_group,
    hire,
    join,
    leave_with_groups,
    marry,
    okta_reads,
    opened,
    part,
)

LIMITS = {
    "safety": 'max_deactivations = "100%"\nmax_member_removals = "100%"\n'
    f'max_member_removals_per_group = "100%"\nmax_group_deletions = 5\n{FREE_TO_CHANGE}',
    "rule": 'on_removal = "delete"\nrename = true',
    "split": "concurrency = 2",
}


@dataclass
class Daemon:
    """One store, open throughout, and the memory of its deltas."""

    made: Arena
    job: Job
    seen: Seen = field(default_factory=Seen)

    @property
    def world(self) -> OktaWorld:
        return self.made.okta.world

    def delta(self) -> Delta:
        found = delta(self.job, self.seen)
        assert not found.everything
        assert found.result is None or found.result.exit_code == 0, found.result.document()
        return found

    def old_lists(self, meanwhile: Callable[[], object] = lambda: None) -> OldLists:
        pushed = [group.id for group in self.world.groups.values() if group.name.startswith("push-")]
        return OldLists(self.job.source, pushed, meanwhile)

    def full(self, source: OldLists | None = None, *, every: bool = False) -> RunResult:
        """The writes of the target are counted anew, and so is what is said."""
        self.made.split.reset_requests()
        self.made.notes.lines.clear()
        job = self.job if source is None else replace(self.job, source=source)
        result = sync(job, Selection(full=every))
        assert result.exit_code == 0, result.document()
        return result

    def writes(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.made.split.requests if one.method != "GET"]

    def contradicted(self, result: RunResult) -> list[str]:
        """Names of what a list was contradicted about; each cycle that has some says so in the log."""
        found = [skip.name for skip in result.skipped if skip.kind == "contradicted"]
        said = [line for line in self.made.notes.lines if line.startswith("warning") and "contradict" in line]
        assert bool(found) is bool(said)
        return found


@contextmanager
def daemon(made: Arena) -> Iterator[Daemon]:
    with opened(made) as job:
        follow(job)
        assert sync(job, Selection()).exit_code == 0
        found = Daemon(made, job)
        found.delta()
        made.later(timedelta(hours=1))
        made.okta.reset_requests()
        made.notes.lines.clear()
        yield found


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Daemon]:
    """Thirty people, twenty in one pushed group; followed, synced and quiet for an hour."""
    okta = OktaWorld()
    people = [okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(30)]
    okta.create_group("push-crew", members=people[:20])
    with (
        arena(tmp_path, okta, tables=LIMITS, split=default_split(flavor="scim")) as made,
        daemon(made) as found,
    ):
        yield found


def group_leaves_its_rule(okta: OktaWorld) -> None:
    okta.rename_group("push-crew", "crew")


def group_is_renamed(okta: OktaWorld) -> None:
    okta.rename_group("push-crew", "push-staff")


CHANGES = (
    leave_with_groups,
    deactivate,
    part,
    join,
    hire,
    marry,
    group_leaves_its_rule,
    group_is_renamed,
    delete_a_group,
    found_a_group,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_page_answered_before_and_arriving_after_a_delta_undoes_nothing(
    running: Daemon, change: Callable[[OktaWorld], None]
) -> None:
    def meanwhile() -> None:
        change(running.world)
        running.delta()
        assert exact(running.made)
        running.made.split.reset_requests()

    running.full(running.old_lists(meanwhile), every=True)

    assert running.writes() == []
    assert exact(running.made)
    running.full(every=True)
    assert running.writes() == []


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_list_that_lags_behind_a_delta_undoes_nothing_and_is_contradicted_aloud(
    running: Daemon, change: Callable[[OktaWorld], None]
) -> None:
    lists = running.old_lists()
    change(running.world)
    running.delta()
    assert exact(running.made)
    running.made.later(timedelta(minutes=9))

    result = running.full(lists, every=True)

    assert running.writes() == []
    assert running.contradicted(result)
    running.made.later(timedelta(minutes=11))
    assert running.contradicted(running.full(every=True)) == []
    assert running.writes() == []
    assert exact(running.made)


def lists_beside_a_delta(running: Daemon, change: Callable[[OktaWorld], None]) -> Source:
    """Lists as they were before a change that a delta learns of while they are read."""

    def meanwhile() -> None:
        change(running.world)
        running.delta()

    return running.old_lists(meanwhile)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_plan_made_beside_a_delta_undoes_nothing(
    running: Daemon, change: Callable[[OktaWorld], None]
) -> None:
    lists = lists_beside_a_delta(running, change)
    with plan(replace(running.job, source=lists), Selection(full=True)) as planned:
        assert not planned.has_changes


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_comparison_beside_a_delta_finds_no_drift(
    running: Daemon, change: Callable[[OktaWorld], None]
) -> None:
    lists = lists_beside_a_delta(running, change)
    report = find_drift(replace(running.job, source=lists), Selection(full=True))
    assert [item for item in report.items if item.okta_id is not None] == []


def test_an_answer_by_id_that_changes_nothing_is_younger_than_an_old_page_too(running: Daemon) -> None:
    running.world.update_profile("p07@example.com", lastName="Mistyped")
    mistyped = running.old_lists()
    running.world.update_profile("p07@example.com", lastName="07")

    assert running.delta() == Delta(), "the store was right already"

    running.full(mistyped)
    assert running.writes() == []
    assert exact(running.made)


def test_who_came_and_went_before_a_full_cycle_is_not_made_from_an_old_list(running: Daemon) -> None:
    running.world.add_user("guest@example.com", "A", "Guest", assign=True, groups=["push-crew"])
    running.world.create_group("push-brief", members=["p00@example.com"])
    lists = running.old_lists()
    running.world.unassign("guest@example.com")
    running.world.delete_group("push-brief")
    running.delta()

    running.full(lists, every=True)

    assert running.writes() == []
    assert exact(running.made)


def test_one_pair_learned_meanwhile_leaves_the_rest_of_the_list_in_force(running: Daemon) -> None:
    """Nothing tells the delta of p26: the log may be late."""
    running.world.group("push-crew").members.add(running.world.user("p26@example.com").id)

    def meanwhile() -> None:
        part(running.world)
        running.delta()

    running.full(running.old_lists(meanwhile), every=True)

    assert exact(running.made)
    group = running.world.group("push-crew")
    stored = running.job.store.group(group.id)
    assert stored is not None
    assert stored.members_stamp is None, "part of the list was not believed: it is read again"


def test_when_the_lag_is_over_a_list_decides_alone(running: Daemon) -> None:
    marry(running.world)
    running.delta()
    assignment = running.world.app_users[running.world.user("p27@example.com").id]
    assignment.profile["familyName"] = "Again"  # and no event tells of it
    running.made.later(timedelta(minutes=11))
    running.made.okta.reset_requests()

    result = running.full()

    assert exact(running.made)
    assert running.contradicted(result) == []
    assert okta_reads(running.made)["apps/*/users/*"] == 0


def test_a_name_that_changed_hands_by_deltas_is_not_fought_over_by_an_old_list(running: Daemon) -> None:
    lists = running.old_lists()
    running.world.rename_group("push-crew", "push-staff")
    running.delta()
    running.world.create_group("push-crew", members=["p00@example.com", "p29@example.com"])
    running.delta()
    assert exact(running.made)

    running.full(lists, every=True)

    assert running.writes() == []
    running.full(every=True)
    assert running.writes() == []
    assert exact(running.made)


@pytest.mark.parametrize("number", [50, 60])
def test_new_people_whom_a_lagging_list_misses_are_neither_nominated_nor_confirmed_by_reading_it_twice(
    running: Daemon, number: int
) -> None:
    lists = running.old_lists()
    for each in range(number):
        running.world.add_user(f"n{each:02}@example.com", "New", f"{each:02}", assign=True)
        if each % 20 == 9:
            running.delta()
    running.delta()
    assert exact(running.made)
    running.made.okta.reset_requests()

    result = running.full(lists)

    assert running.writes() == []
    assert okta_reads(running.made)["apps/*/users/*"] == 50
    assert len(running.contradicted(result)) == 50
    left = [skip.reason for skip in result.skipped if skip.kind == "unconfirmed"]
    assert [reason.partition(":")[0] for reason in left] == (
        [f"{number - 50} more people"] if number > 50 else []
    )
    running.made.okta.reset_requests()
    assert running.delta() == Delta()
    assert okta_reads(running.made)["apps/*/users/*"] == number - 50, "deltas ask for those who were left"
    running.made.okta.reset_requests()
    running.delta()
    assert okta_reads(running.made) == {"logs": 1}


def test_leavers_whom_a_lagging_list_still_shows_stay_away_however_many_they_are(running: Daemon) -> None:
    people = [running.world.add_user(f"n{n:02}@example.com", "N", f"{n}", assign=True) for n in range(60)]
    running.full()
    running.made.later(timedelta(hours=1))
    running.seen = Seen()
    with suppress(AssertionError):  # so many events ask for a full cycle
        running.delta()
    lists = running.old_lists()
    for start in range(0, 60, 20):
        for person in people[start : start + 20]:
            running.world.unassign(person)
        running.delta()
    assert exact(running.made)

    running.full(lists)

    assert running.writes() == []
    assert exact(running.made)


def test_somebody_whom_a_list_misses_and_okta_knows_by_id_is_said_aloud(running: Daemon) -> None:
    """An ordinary run, nothing learned lately: the list is simply wrong."""
    running.made.okta.faults.add("omit_record", path=r"/apps/[^/]+/users\?", index=3)

    result = running.full()

    assert running.writes() == []
    assert len(running.contradicted(result)) == 1
    assert result.document()["summary"]["skipped"] == {"contradicted": 1}


def test_a_member_whom_a_list_misses_and_who_names_the_group_is_said_aloud(running: Daemon) -> None:
    running.made.okta.faults.add("omit_record", path=r"/groups/[^/]+/users\?", index=3)

    result = running.full(every=True)

    assert running.writes() == []
    assert len(running.contradicted(result)) == 1


def test_who_cannot_be_asked_for_stays_as_stored(running: Daemon) -> None:
    lists = running.old_lists()
    leave_with_groups(running.world)
    running.delta()
    running.made.okta.faults.add("status", path=r"/apps/[^/]+/users/", count=-1, status=500)
    running.made.split.reset_requests()

    result = sync(replace(running.job, source=lists), Selection())

    assert running.writes() == []
    assert result.exit_code == 1


def test_a_repair_takes_over_nothing_that_a_delta_has_written_since_it_looked(
    running: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that is gone is made anew by the delta; what the look found says nothing about the new one."""
    person = running.world.user("p03@example.com")
    [account] = [user for user in running.made.split.world.users.values() if user.external_id == person.id]
    running.made.split.world.delete_user(account.id)

    def look(job: Job, *args: Any, **options: Any) -> DriftReport:
        report = drift_report(job, *args, **options)
        running.world.update_profile("p03@example.com", lastName="Renamed")
        running.delta()
        return report

    monkeypatch.setattr("syncd.engine.cycles.drift.drift_report", look)
    report, result = repair(running.job, Selection(full=True))

    assert report is not None
    assert [item.kind for item in report.items if item.okta_id] == [
        DriftKind.MISSING_MEMBER,
        DriftKind.MISSING_USER,
    ]
    assert result.exit_code == 0
    assert set(result.applied) == {ChangeKind.ADD_MEMBER}, "which the delta had left to the next cycle"
    assert exact(running.made)


def test_a_repair_takes_no_new_name_back_whose_writing_was_not_answered(running: Daemon) -> None:
    def rename_unheard() -> None:
        running.world.rename_group("push-crew", "push-staff")
        for method in ("PATCH", "PUT", "GET"):
            running.made.split.faults.add("drop", method=method, path="/Groups/", count=-1, after_effect=True)
        delta(running.job, running.seen)
        running.made.split.reset_faults()
        running.made.split.reset_requests()

    source = running.old_lists(rename_unheard)
    repair(replace(running.job, source=source), Selection(full=True))

    assert running.made.split.world.group("push-staff")
    assert running.writes() == [], "the name is there; the next try of the write finds that"


def test_a_repair_calls_a_group_that_was_renamed_at_both_sides_as_okta_does(running: Daemon) -> None:
    running.world.rename_group("push-crew", "push-staff")
    running.made.split.world.rename_group("push-crew", "theirs")

    _, result = repair(running.job, Selection(full=True))

    assert result.applied == {ChangeKind.RENAME_GROUP: 1}
    assert exact(running.made)


@pytest.mark.parametrize("kind", ["targeted", "repair"])
def test_a_cycle_that_a_complete_one_overtook_reads_again_and_writes_nothing_older(
    running: Daemon, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Okta answers, the group is renamed, and a full cycle reads and writes the new name."""
    group = running.world.group("push-crew").id
    where, name = ("sync", "read_selected") if kind == "targeted" else ("drift", "read_everything")
    module = import_module(f"syncd.engine.cycles.{where}")
    read, looks = getattr(module, name), []

    def slowly(*args: Any, **options: Any) -> Any:
        found = read(*args, **options)
        looks.append(found)
        if len(looks) == 1:
            running.world.rename_group("push-crew", "push-staff")
            assert running.full().applied == {ChangeKind.RENAME_GROUP: 1}
            running.made.split.reset_requests()
        return found

    monkeypatch.setattr(module, name, slowly)
    job = replace(running.job, turn=RLock())
    if kind == "targeted":
        result = sync(job, Selection(groups=(group,)))
    else:
        _, result = repair(job, Selection(full=True))

    assert (result.exit_code, result.applied, running.writes()) == (0, {}, [])
    assert len(looks) == 2
    assert exact(running.made)


@pytest.mark.parametrize("change", [leave_with_groups, part, marry, group_is_renamed, group_leaves_its_rule])
def test_a_run_that_a_delta_overtook_reads_again_and_knows_what_happened_since(
    running: Daemon, monkeypatch: pytest.MonkeyPatch, change: Callable[[OktaWorld], None]
) -> None:
    """It begins, a delta looks at the same people and group, and only then things happen; the log says nothing yet. A
    full cycle beside it, that read its pages before, learns of it from the store.
    """
    group = running.world.group("push-crew").id
    people = ["p01@example.com", "p05@example.com", "p27@example.com"]
    module = import_module("syncd.engine.cycles.sync")
    read = module.read_selected
    looks: list[object] = []

    def late(*args: Any, **options: Any) -> Any:
        if not looks:
            asked_about(running, *people, groups=[group])
            running.delta()
            running.made.okta.set_knobs(log_delay_seconds=600)
            change(running.world)
        looks.append(args)
        return read(*args, **options)

    monkeypatch.setattr(module, "read_selected", late)

    def meanwhile() -> None:
        named = Selection(users=tuple(running.world.user(each).id for each in people), groups=(group,))
        result = sync(replace(running.job, turn=RLock()), named)
        assert result.exit_code == 0
        assert result.applied
        assert exact(running.made)
        running.made.split.reset_requests()

    running.full(running.old_lists(meanwhile), every=True)

    assert len(looks) == 2
    assert running.writes() == []
    assert exact(running.made)


@pytest.mark.parametrize("back", [False, True])
def test_a_lagging_list_of_the_apps_groups_undoes_no_removal_of_a_group(
    tmp_path: Path, *, back: bool
) -> None:
    okta = OktaWorld()
    people = [okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(5)]
    group = okta.create_group("push-crew", members=people)
    okta.assign_group(group)
    tables = {**LIMITS, "source": "source = { assigned = true }"}
    with (
        arena(tmp_path, okta, tables=tables, split=default_split(flavor="scim")) as made,
        daemon(made) as running,
    ):
        made.okta.set_knobs(list_lag={"members": 600})  # from here on it is known how everything was
        okta.unassign_group(group)
        assert running.full().applied == {ChangeKind.DELETE_GROUP: 1}
        made.later(timedelta(minutes=4))
        if back:
            okta.assign_group(group)
        made.okta.set_knobs(list_lag={"*": 300}, stamp_lag_seconds=300)

        result = running.full()

        if back:
            assert exact(made)
        else:
            assert running.writes() == []
            assert running.contradicted(result) == [group]


def asked_about(running: Daemon, *people: str, groups: Sequence[str] = ()) -> None:
    """The next delta looks at them, whatever the log says."""
    stage = running.job.store.stage()
    stage.doubt(users=[running.world.user(person).id for person in people], groups=groups)
    stage.limit_to(users=(), groups=())
    running.job.store.absorb(stage, confirmed_absent={})
    stage.close()


def test_what_a_second_look_at_a_membership_tells_about_the_group_is_younger_than_an_old_page(
    running: Daemon,
) -> None:
    """The log says nothing yet; the delta that removes somebody asks whether the group is there."""
    running.made.okta.set_knobs(log_delay_seconds=600)
    [group] = [group.id for group in running.world.groups.values() if group.name == "push-crew"]
    running.world.rename_group("push-crew", "push-second")

    def meanwhile() -> None:
        running.world.rename_group("push-second", "push-third")
        running.world.remove_member("push-third", "p05@example.com")
        asked_about(running, "p05@example.com")
        running.delta()

    running.full(running.old_lists(meanwhile))

    known = running.job.store.group(group)
    assert known is not None
    assert known.pushed is not None
    assert (known.wanted.name, known.pushed.name) == ("push-third", "push-third")
    assert not [one for one in running.made.split.requests if "push-second" in str(one.body)]


def test_a_name_that_a_second_look_came_upon_is_written_by_the_next_delta(running: Daemon) -> None:
    running.made.okta.set_knobs(log_delay_seconds=600)
    running.world.rename_group("push-crew", "push-staff")
    running.world.remove_member("push-staff", "p05@example.com")
    asked_about(running, "p05@example.com")

    running.delta()
    running.delta()

    assert exact(running.made)
    assert "push-staff" in {group.name for group in running.made.split.world.groups.values()}
    running.made.okta.reset_requests()
    running.delta()
    assert len(running.made.okta.requests) == 1, "the log"


def test_a_group_that_a_second_look_finds_gone_is_unlinked_by_the_next_delta(running: Daemon) -> None:
    running.made.okta.set_knobs(log_delay_seconds=600)
    running.world.remove_member("push-crew", "p05@example.com")
    asked_about(running, "p05@example.com")
    running.world.delete_group("push-crew")

    running.delta()
    running.delta()

    assert exact(running.made)


def test_a_group_that_leaves_its_rule_between_two_looks_of_a_delta_is_not_wanted_as_the_first_one_saw_it(
    running: Daemon,
) -> None:
    group = running.world.group("push-crew").id
    running.world.rename_group("push-crew", "push-staff")
    running.world.remove_member("push-staff", "p05@example.com")
    running.made.okta.faults.add(
        "act",
        path=f"/api/v1/groups/{group}$",
        nth=2,
        act="rename_group",
        args={"group": group, "name": "staff"},
    )

    running.delta()

    known = running.job.store.group(group)
    assert known is not None
    assert known.wanted.state is GroupState.GONE
    running.delta()
    assert exact(running.made)


@pytest.mark.parametrize("kind", ["targeted", "delta", "full"])
def test_nobody_is_let_into_a_group_that_left_its_rule_though_the_log_does_not_tell_yet(
    running: Daemon, kind: str
) -> None:
    """Their own list of groups calls it by the name that it has now."""
    group = running.world.group("push-crew").id
    leave_app_and_group(running.world)
    running.delta()
    lag = {"groups": 300, "members": 300}
    running.made.okta.set_knobs(log_delay_seconds=600, list_lag=lag, stamp_lag_seconds=300)
    running.world.add_member(group, "p05@example.com")
    running.world.rename_group(group, "crew")
    come_back(running.world)
    running.made.split.reset_requests()

    match kind:
        case "targeted":
            assert sync(running.job, Selection(users=("p05@example.com",))).exit_code == 0
        case "delta":
            asked_about(running, "p05@example.com")
            running.delta()
        case _:
            assert sync(running.job, Selection()).exit_code == 0

    assert running.made.split.world.user("p05@example.com").active
    assert not [one for one in running.writes() if one.startswith("PATCH /scim/v2/Groups/")]


def test_a_leaver_who_came_into_a_group_before_the_log_told_of_their_leave_is_taken_out_when_it_does(
    running: Daemon,
) -> None:
    """A run for the group goes by what is remembered of its members: their accounts are active still."""
    running.made.okta.set_knobs(log_delay_seconds=600)
    leave_with_groups(running.world)
    group = running.world.create_group("push-new", members=["p00@example.com", "p01@example.com"])
    assert sync(running.job, Selection(groups=(group,))).exit_code == 0
    assert running.made.split.world.user("p01@example.com").active
    assert running.made.split.world.members("push-new") == ["p00@example.com", "p01@example.com"]

    running.made.okta.set_knobs(log_delay_seconds=0)
    running.delta()

    assert running.made.split.world.members("push-new") == ["p00@example.com"]
    assert exact(running.made)


def test_a_name_that_own_lists_tell_costs_one_request_once(running: Daemon) -> None:
    running.made.okta.set_knobs(log_delay_seconds=600)
    running.world.rename_group("push-crew", "push-staff")
    asked_about(running, "p05@example.com")
    asked_about(running, "p06@example.com")
    running.made.okta.reset_requests()

    running.delta()

    reads = okta_reads(running.made)
    assert reads["groups/*"] == 1
    running.delta()
    assert exact(running.made)
    asked_about(running, "p05@example.com")
    running.made.okta.reset_requests()
    running.delta()
    assert okta_reads(running.made)["groups/*"] == 0


def test_whoever_is_found_gone_by_id_though_a_list_shows_them_is_looked_at_by_the_next_delta(
    running: Daemon,
) -> None:
    """The log says nothing yet, and one answer against a list takes nobody out."""
    lists = running.old_lists()
    marry(running.world)
    running.delta()
    running.made.okta.set_knobs(log_delay_seconds=600)
    running.world.unassign("p27@example.com")

    result = running.full(lists)

    assert running.writes() == []
    assert running.contradicted(result) == ["married@example.com"]
    running.delta()
    assert not running.made.split.world.user("married@example.com").active


def test_an_own_list_that_a_second_look_asks_for_is_younger_than_what_a_delta_learned_before(
    running: Daemon,
) -> None:
    """Who left while a full cycle read, could not be removed, and is back: the second look keeps them."""
    running.made.okta.set_knobs(log_delay_seconds=600)

    def leave_in_vain() -> None:
        running.world.remove_member("push-crew", "p05@example.com")
        asked_about(running, "p05@example.com")
        for method in ("PATCH", "PUT"):
            running.made.split.faults.add("status", method=method, path="/Groups/", count=-1, status=400)
        found = delta(running.job, running.seen)
        assert found.result is not None
        assert found.result.exit_code == 4
        running.made.split.reset_faults()
        running.world.add_member("push-crew", "p05@example.com")

    result = running.full(running.old_lists(leave_in_vain))

    assert [skip.name for skip in result.skipped if skip.kind in ("unconfirmed", "quarantined")] == []
    assert exact(running.made)


def deprovision_a_member(okta: OktaWorld) -> None:
    okta.set_user_status("p05@example.com", "DEPROVISIONED")


def leave_app_and_group(okta: OktaWorld) -> None:
    okta.unassign("p05@example.com")
    okta.remove_member("push-crew", "p05@example.com")


def suspended_and_out_of_the_group(okta: OktaWorld) -> None:
    okta.set_user_status("p05@example.com", "SUSPENDED")
    okta.remove_member("push-crew", "p05@example.com")


def come_back(okta: OktaWorld) -> None:
    okta.set_user_status("p05@example.com", "ACTIVE")
    okta.assign("p05@example.com")


@pytest.mark.parametrize(
    "leaving",
    [deprovision_a_member, leave_app_and_group, suspended_and_out_of_the_group],
    ids=lambda f: f.__name__,
)
def test_whoever_comes_back_is_let_into_no_group_that_they_lost_with_leaving(
    running: Daemon, leaving: Callable[[OktaWorld], None]
) -> None:
    """The group's stamp need not show yet that it lost them, and the full cycle is the first that sees them again."""
    running.made.okta.set_knobs(list_lag={"*": 300}, stamp_lag_seconds=300)
    leaving(running.world)
    running.delta()
    come_back(running.world)

    running.full()

    assert running.made.split.world.user("p05@example.com").active
    assert "p05@example.com" not in running.made.split.world.members("push-crew")


def test_whoever_comes_back_waits_while_their_own_list_cannot_be_read(running: Daemon) -> None:
    running.made.okta.set_knobs(list_lag={"*": 300}, stamp_lag_seconds=300)
    deprovision_a_member(running.world)
    running.delta()
    come_back(running.world)
    running.made.okta.faults.add("status", path="/users/[^/]+/groups", count=-1, status=503)

    assert sync(running.job, Selection()).exit_code == 1

    assert not running.made.split.world.user("p05@example.com").active
    running.made.okta.reset_faults()
    running.delta()
    assert exact(running.made)
