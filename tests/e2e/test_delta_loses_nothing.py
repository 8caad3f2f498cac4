"""Whatever goes wrong between an event and the read that it asks for: nothing that was named is forgotten, and one
person or group that cannot be read stops nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.answers.status import status
from syncd.core.nomination import ASKED
from syncd.engine.cycles.delta import Delta, delta, follow
from syncd.engine.cycles.seen import GIVES_UP_AFTER, Seen
from syncd.engine.cycles.sync import sync
from syncd.engine.facts import CURSOR, LOG_ASKED
from syncd.engine.reading.selection import Selection
from syncd.errors import SyncdError, TemporaryError
from syncd.simulators.world import OktaWorld
from tests.chaos.arena import Arena, arena
from tests.e2e.test_delta import crew, exact, forget, okta_reads, one_delta, opened


def leaves_crew_unreadable(made: Arena) -> str:
    """p02 left the group, and their own group list cannot be read; their Okta id."""
    broken = id_of(made, "p02@example.com")
    made.okta.faults.add("status", path=f"/users/{broken}/groups", count=-1, status=500)
    made.okta.world.remove_member("push-crew", "p02@example.com")
    return broken


def catches_up(made: Arena, seen: Seen) -> None:
    """Once everything answers again, the next delta does what is left."""
    made.heal()
    one_delta(made, seen)
    assert exact(made)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Arena]:
    with crew(tmp_path) as found:
        yield found


def id_of(made: Arena, login: str) -> str:
    return str(made.okta.world.user(login).id)


def leave(made: Arena, login: str) -> None:
    made.okta.world.unassign(login)


def is_active(made: Arena, login: str) -> bool:
    return bool(made.split.world.user(login).active)


def status_of(made: Arena) -> dict[str, Any]:
    with opened(made) as job:
        return status(job.store, job.settings, job.clock())


# the log


def test_events_of_a_page_before_the_one_that_failed_come_again(made: Arena) -> None:
    """The place in the log stays where it was; what is read from there again must not count as seen."""
    leave(made, "p29@example.com")
    for number in range(120):
        made.okta.world.update_profile("p02@example.com", nickName=f"N{number}")
    made.okta.faults.add("status", path="/api/v1/logs", nth=2, count=-1, status=503)
    seen = Seen()
    with pytest.raises(TemporaryError):
        one_delta(made, seen)
    made.heal()

    found = one_delta(made, seen)

    assert found.result is not None
    assert not is_active(made, "p29@example.com")
    assert exact(made)


def test_events_are_pending_before_the_place_after_them_is_stored(
    made: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store fails in that moment: the next delta reads the same page, and nobody is missing."""
    leave(made, "p29@example.com")
    seen = Seen()
    with opened(made) as job:
        remember = type(job.store).remember

        def broken(self: object, key: str, value: str | None) -> None:
            if key == CURSOR.key:
                raise TemporaryError("the disk is full")
            remember(self, key, value)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(type(job.store), "remember", broken)
            with pytest.raises(TemporaryError):
                delta(job, seen)
    assert not seen.uuids

    one_delta(made, seen)

    assert exact(made)
    assert not seen.pending


@pytest.mark.parametrize("where", ["planned_from", "settle_open_intents", "read_selected"])
@pytest.mark.parametrize("error", [TemporaryError("not now"), ZeroDivisionError("a fault of ours")])
def test_a_cycle_that_breaks_off_after_the_poll_leaves_what_was_named_to_the_next_one(
    made: Arena, monkeypatch: pytest.MonkeyPatch, where: str, error: Exception
) -> None:
    leave(made, "p29@example.com")
    seen = Seen()

    def broken(*_: object, **__: object) -> object:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(f"syncd.engine.cycles.delta.{where}", broken)
        if isinstance(error, SyncdError):
            assert one_delta(made, seen).result is not None
        else:
            with pytest.raises(ZeroDivisionError):
                one_delta(made, seen)
    assert ("user", id_of(made, "p29@example.com")) in seen.pending

    one_delta(made, seen)

    assert exact(made)
    assert not seen.pending


def test_a_target_that_is_sick_in_a_delta_loses_nobody(made: Arena) -> None:
    """Quarantined while the hire is looked for at the target; well again, the next delta hires."""
    made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    made.split.faults.add("status", method="GET", path="/Users", count=-1, status=401)
    seen = Seen()
    first = one_delta(made, seen)
    assert first.result is not None
    assert first.result.exit_code == 1
    made.heal()

    one_delta(made, seen)

    assert exact(made)


def test_a_log_that_was_followed_with_other_kinds_of_events_is_followed_anew(made: Arena) -> None:
    """An older version asked for fewer kinds; its place in the log would never show the others."""
    with opened(made) as job:
        job.store.remember(LOG_ASKED.key, "application. group.")

        follow(job)

        assert [request.path for request in made.okta.requests if "since=" in request.path]
        assert job.store.recall(LOG_ASKED.key) == " ".join(ASKED)
        forget(made)
        follow(job)
        assert not made.okta.requests


# one person, one group


def test_one_person_whose_group_list_cannot_be_read_stops_only_themselves(made: Arena) -> None:
    world = made.okta.world
    broken = id_of(made, "p02@example.com")
    made.okta.faults.add("status", path=f"/users/{broken}/groups", count=-1, status=500)
    world.remove_member("push-crew", "p02@example.com")
    world.remove_member("push-crew", "p05@example.com")
    leave(made, "p29@example.com")
    seen = Seen()

    result = one_delta(made, seen).result

    assert result is not None
    assert result.exit_code == 1, "said aloud"
    assert broken in result.problems[0].message
    assert not is_active(made, "p29@example.com")
    assert "p05@example.com" not in made.split.world.members("push-crew")
    assert "p02@example.com" in made.split.world.members("push-crew"), "left as it is"
    assert list(seen.pending) == [("user", broken)], "only who was not read is tried again"
    forget(made)
    catches_up(made, seen)
    assert okta_reads(made)["apps/*/users/*"] == 1
    assert not seen.pending


def test_whose_group_list_cannot_be_read_fails_in_the_status_from_the_first_try_until_it_is_read(
    made: Arena,
) -> None:
    broken, seen = leaves_crew_unreadable(made), Seen()

    one_delta(made, seen)

    told = status_of(made)
    [failing] = told["failing"]
    assert (failing["object"], failing["kind"]) == ("p02@example.com", "read")
    assert broken in failing["message"]
    assert failing["next_attempt"] > failing["since"]
    assert told["state"] == "failing"
    made.heal()
    one_delta(made, seen)
    assert status_of(made)["failing"] == []


def test_a_group_whose_member_list_a_full_cycle_could_not_read_is_read_by_the_delta_it_waits_for(
    made: Arena,
) -> None:
    group = made.okta.world.group("push-crew").id
    made.okta.faults.add("status", path=f"/groups/{group}/users", count=-1, status=500)
    made.okta.world.remove_member("push-crew", "p02@example.com")
    with opened(made) as job:
        sync(job, Selection())
    assert [each["object"] for each in status_of(made)["failing"]] == ["push-crew"]
    made.later(timedelta(minutes=2))

    one_delta(made, Seen())
    assert [each["object"] for each in status_of(made)["failing"]] == ["push-crew"], "it still cannot be read"
    made.heal()
    made.later(timedelta(minutes=10))
    one_delta(made, Seen())

    assert status_of(made)["failing"] == []
    assert exact(made)


def test_one_person_whose_record_cannot_be_read_stops_only_themselves(made: Arena) -> None:
    broken = id_of(made, "p29@example.com")
    made.okta.faults.add("status", path=f"/apps/[^/]+/users/{broken}", count=-1, status=500)
    leave(made, "p29@example.com")
    leave(made, "p28@example.com")
    made.okta.world.add_user("new@example.com", "New", "Hire", assign=True, groups=["push-crew"])
    seen = Seen()

    result = one_delta(made, seen).result

    assert result is not None
    assert result.exit_code == 1
    assert not is_active(made, "p28@example.com")
    assert "new@example.com" in made.split.world.members("push-crew")
    assert is_active(made, "p29@example.com")
    assert list(seen.pending) == [("user", broken)]


def test_a_leaver_is_deactivated_although_their_group_list_cannot_be_read(made: Arena) -> None:
    """The record is proof enough."""
    world = made.okta.world
    broken = id_of(made, "p02@example.com")
    made.okta.faults.add("status", path=f"/users/{broken}/groups", count=-1, status=500)
    world.set_app_user("p02@example.com", status="INACTIVE")
    world.late_event(
        "application.user_membership.update", published="2026-01-01T00:00:00.000Z", user="p02@example.com"
    )

    one_delta(made, Seen())

    assert not is_active(made, "p02@example.com")


def test_who_never_can_be_read_brings_a_full_cycle_forward_and_is_never_silently_forgotten(
    made: Arena,
) -> None:
    broken, seen = leaves_crew_unreadable(made), Seen()

    found = [one_delta(made, seen) for _ in range(GIVES_UP_AFTER)]

    assert [each.everything for each in found[:-1]] == [""] * (GIVES_UP_AFTER - 1)
    assert broken in found[-1].everything
    assert seen.owed
    assert one_delta(made, seen) == Delta(), "told once; the full cycle is owed until it read everything"
    with opened(made) as job, seen.full() as full:
        full.whole = not sync(job, Selection()).problems
    assert not full.whole, "its witness cannot be asked either"
    assert seen.owed
    made.heal()
    with opened(made) as job, seen.full() as full:
        full.whole = not sync(job, Selection()).problems
    assert not seen.owed
    assert exact(made)


def test_when_nobody_can_be_read_okta_is_not_asked_for_everybody(made: Arena) -> None:
    for number in range(20):
        made.okta.world.update_profile(f"p{number:02}@example.com", lastName="New")
    made.okta.faults.add("status", path=r"/apps/[^/]+/users/", count=-1, status=503)
    seen = Seen()
    forget(made)

    result = one_delta(made, seen).result

    assert result is not None
    assert result.exit_code == 1
    assert okta_reads(made)["apps/*/users/*"] <= 16 * 5
    assert len(seen.pending) == 20
    catches_up(made, seen)


def test_one_group_that_cannot_be_read_stops_only_itself(made: Arena) -> None:
    world = made.okta.world
    world.create_group("push-new", members=["p00@example.com"])
    world.create_group("push-odd", members=["p00@example.com"])
    odd = str(world.group("push-odd").id)
    leave(made, "p29@example.com")
    made.okta.faults.add("status", path=f"/groups/{odd}$", count=-1, status=500)
    seen = Seen()

    result = one_delta(made, seen).result

    assert result is not None
    assert result.exit_code == 1
    assert not is_active(made, "p29@example.com")
    assert made.split.world.members("push-new") == ["p00@example.com"]
    assert list(seen.pending) == [("group", odd)]
    catches_up(made, seen)


def test_a_new_group_whose_members_cannot_be_read_gets_them_from_the_next_delta(made: Arena) -> None:
    world = made.okta.world
    world.create_group("push-new", members=["p00@example.com"])
    new = str(world.group("push-new").id)
    made.okta.faults.add("status", path=f"/groups/{new}/users", count=-1, status=500)
    seen = Seen()
    one_delta(made, seen)
    assert ("group", new) in seen.pending
    made.heal()

    one_delta(made, seen)

    assert made.split.world.members("push-new") == ["p00@example.com"]
    assert not seen.pending
    assert exact(made)


def test_a_pushed_group_that_cannot_be_read_is_never_taken_for_one_that_left_its_rule(made: Arena) -> None:
    world = made.okta.world
    crew_id = str(world.group("push-crew").id)
    world.update_group("push-crew", description="changed")
    made.okta.faults.add("status", path=f"/groups/{crew_id}$", count=-1, status=500)

    one_delta(made, Seen())

    assert len(made.split.world.members("push-crew")) == 20


def test_a_full_cycle_leaves_one_group_that_cannot_be_read_still_and_does_the_others(tmp_path: Path) -> None:
    okta = OktaWorld()
    people = [okta.add_user(f"p{n}@example.com", "P", f"{n}", assign=True) for n in range(6)]
    one, two, gone = (str(okta.create_group(name, members=people[:3])) for name in ("one", "two", "gone"))
    more = "".join(
        f'[[push_groups]]\nsource = {{ id = "{each}" }}\non_removal = "delete"\n' for each in (two, gone)
    )
    tables = {
        "source": f'source = {{ id = "{one}" }}',
        "rule": more,
        "safety": 'max_group_deletions = 5\nmax_member_removals = "90%"',
    }
    with arena(tmp_path, okta, tables=tables) as found:
        assert found.cycle().exit_code == 0
        okta.remove_member("two", "p0@example.com")
        okta.delete_group("gone")
        okta.remove_member("one", "p0@example.com")
        found.okta.faults.add("status", path=f"/groups/{one}$", count=-1, status=500)

        result = found.cycle(full=True).result

        assert result is not None
        assert result.exit_code == 1
        assert "p0@example.com" not in found.split.world.members("two")
        assert "p0@example.com" in found.split.world.members("one")
        names = {group.name for group in found.split.world.groups.values()}
        assert "gone" not in names, "the lists of the others are whole"
        found.heal()
        assert found.cycle(full=True).exit_code == 0
        assert "p0@example.com" not in found.split.world.members("one")


# while a full cycle runs


def test_an_event_about_somebody_whom_the_running_full_cycle_makes_known_is_looked_at_afterwards(
    made: Arena,
) -> None:
    """Nobody knew them when it came, and the page of the full cycle that did was older."""
    world, seen = made.okta.world, Seen()
    with opened(made) as job, seen.full() as full:
        with silence(world):
            world.add_user("late@example.com", "Late", "Comer", assign=True)
        world.late_event(
            "user.account.update_profile", published="2026-01-01T00:00:00.000Z", user="late@example.com"
        )
        assert delta(job, seen) == Delta()
        full.whole = not sync(job, Selection()).problems
        with silence(world):
            world.update_profile("late@example.com", lastName="Later")
    assert not exact(made)

    one_delta(made, seen)

    assert exact(made)
    forget(made)
    assert one_delta(made, seen) == Delta()
    assert okta_reads(made) == {"logs": 1}, "and once is enough"


@contextmanager
def silence(world: OktaWorld) -> Iterator[None]:
    """What happens here is not in the log."""
    before = len(world.events)
    yield
    del world.events[before:]


def test_what_is_named_while_a_full_cycle_runs_is_not_made_good_by_it(made: Arena) -> None:
    seen = Seen()
    seen.owe("a storm")
    with seen.full() as full:
        seen.owe("another one")
        full.whole = True
    assert seen.owed == "another one"
    with seen.full() as full:
        full.whole = False
    assert seen.owed == "another one"
    with seen.full() as full:
        full.whole = True
    assert not seen.owed


# the end of the process


@pytest.mark.parametrize("place", ["look_at", "settle_open_intents"])
def test_what_was_named_before_the_process_died_is_read_by_the_next_one(
    made: Arena, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place in the log is stored by then; the full cycle at the start may read lists that lag behind it."""
    leave(made, "p29@example.com")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"syncd.engine.cycles.delta.{place}", dies)
        with pytest.raises(KeyboardInterrupt):
            one_delta(made, Seen())
    forget(made)

    one_delta(made, Seen())

    assert not is_active(made, "p29@example.com")
    assert exact(made)
    forget(made)
    one_delta(made, Seen())
    assert okta_reads(made) == {"logs": 1}


def test_a_full_cycle_that_was_owed_when_the_process_died_is_owed_to_the_next_one(made: Arena) -> None:
    seen = Seen()
    one_delta(made, seen)
    seen.owe("a storm")
    one_delta(made, seen)

    later = Seen()

    assert one_delta(made, later).everything
    with later.full() as full:
        full.whole = True
    one_delta(made, later)
    assert not one_delta(made, Seen()).everything


# what ends it while it writes


def ten_are_renamed(made: Arena) -> None:
    for number in range(10):
        made.okta.world.update_profile(f"p{number:02}@example.com", lastName="Renamed")
    forget(made)


def writes(made: Arena) -> int:
    return sum(1 for each in made.split.requests if each.method != "GET")


def test_what_a_delta_had_not_written_when_its_store_failed_is_looked_at_by_the_next(
    made: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    ten_are_renamed(made)
    seen = Seen()
    with opened(made) as job, monkeypatch.context() as patch:

        def full_disk(*_: object, **__: object) -> None:
            raise TemporaryError("the disk is full")

        patch.setattr(type(job.store), "settle", full_disk)
        found = delta(job, seen)
    assert found.result is not None
    assert found.result.status == "failed"
    assert seen.pending

    catches_up(made, seen)

    assert not seen.pending


def test_what_a_delta_had_not_written_when_it_was_stopped_is_looked_at_by_whoever_comes_next(
    made: Arena,
) -> None:
    ten_are_renamed(made)
    with opened(made) as job:
        found = delta(replace(job, cancelled=lambda: writes(made) > 1), Seen())
    assert found.result is not None
    assert found.result.status == "interrupted"
    assert not exact(made)

    catches_up(made, Seen())  # of another process
