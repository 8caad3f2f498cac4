"""What was not done is remembered, and looked at again when what it waits for moves: by deltas, no full cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.answers.status import status
from syncd.core.waiting import Waiting
from syncd.engine.cycles.delta import Delta
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import sync
from syncd.engine.reading.selection import Selection
from syncd.simulators.world import OktaWorld, SplitWorld
from syncd.store.sqlite.store import SqliteStore
from syncd.wiring import open_for_status
from tests.chaos.arena import Arena, arena
from tests.chaos.oracle import holdings, wishes
from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.test_delta import begin, exact, forget, okta_reads, one_delta, opened, quiet

RULE = 'on_removal = "delete"\nrename = true'
SAFETY = f'max_deactivations = "50%"\nmax_member_removals = "50%"\nmax_group_deletions = 5\n{FREE_TO_CHANGE}'


def flavored(tmp_path: Path, flavor: str) -> AbstractContextManager[Arena]:
    okta = OktaWorld()
    people = [okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(12)]
    okta.create_group("push-crew", members=people[:6])
    okta.create_group("push-more", members=people[:3])
    tables = {
        "safety": SAFETY,
        "rule": RULE if flavor != "split" else 'on_removal = "delete"',
        "provisioning": 'deactivation_grace = "0s"',
    }
    return quiet(tmp_path, okta, split=SplitWorld(flavor=flavor), tables=tables, attempts=2)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Arena]:
    """Twelve people, two pushed groups that may be renamed; followed, synced and quiet."""
    with flavored(tmp_path, "scim") as found:
        yield found


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Arena]:
    with flavored(tmp_path, "harness") as found:
        yield found


@pytest.fixture
def split(tmp_path: Path) -> Iterator[Arena]:
    with flavored(tmp_path, "split") as found:
        yield found


def hire(made: Arena, login: str, address: str, groups: Sequence[str] = ()) -> str:
    """Somebody whose address in the app is one that somebody else has or had."""
    world = made.okta.world
    okta_id = world.add_user(login, "New", "Hire", groups=groups)
    world.assign(okta_id)
    world.update_profile(okta_id, email=address)
    return okta_id


def rename(made: Arena, login: str, address: str) -> None:
    made.okta.world.update_profile(login, email=address)


def waits(made: Arena) -> list[Waiting]:
    with open_for_status(made.settings, clock=made.clock) as store:
        return list(store.waiting())


def failing(made: Arena) -> list[str]:
    with open_for_status(made.settings, clock=made.clock) as store:
        return [failure.name for failure in store.failures()]


def is_quiet(made: Arena) -> bool:
    """A delta costs one request to Okta, none to the target, and writes nothing."""
    forget(made)
    with opened(made) as job:
        before = job.store.revision(), job.store.journal_head(), list(job.store.waiting())
    assert one_delta(made, Seen()) == Delta()
    with opened(made) as job:
        assert (job.store.revision(), job.store.journal_head(), list(job.store.waiting())) == before
    return okta_reads(made) == {"logs": 1} and not made.split.requests


def test_a_delta_reads_once_what_waits(made: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ten thousand conflicts each reading of all of them is felt in every delta that has something to do."""
    hire(made, "new@example.com", "p01@example.com", ["push-crew"])
    one_delta(made, Seen())
    assert [each.kind for each in waits(made)] == ["conflict"]
    read: list[str] = []
    waiting = SqliteStore.waiting

    def watched(*given: Any) -> Sequence[Waiting]:
        found = waiting(*given)
        read.extend(each.kind for each in found)
        return found

    monkeypatch.setattr(SqliteStore, "waiting", watched)
    made.okta.world.update_profile("p05@example.com", lastName="New")

    one_delta(made, Seen())

    assert read == ["conflict"]


def test_an_address_freed_and_taken_within_one_poll(made: Arena) -> None:
    rename(made, "p01@example.com", "married@example.com")
    hire(made, "new@example.com", "p01@example.com", ["push-crew"])

    one_delta(made, Seen())

    assert exact(made)
    assert waits(made) == []
    assert okta_reads(made) == {"logs": 1, "apps/*": 1, "apps/*/users/*": 2, "users/*/groups": 2}


def test_an_address_freed_later_is_taken_by_the_same_delta(made: Arena) -> None:
    """The new colleague waits, which costs nothing; then the other one is renamed."""
    seen = Seen()
    hire(made, "new@example.com", "p01@example.com", ["push-crew"])
    one_delta(made, seen)
    [waiting] = waits(made)
    assert (waiting.kind, waiting.name) == ("conflict", "p01@example.com")
    assert is_quiet(made)
    rename(made, "p01@example.com", "married@example.com")
    forget(made)

    one_delta(made, seen)

    assert exact(made)
    assert waits(made) == []
    assert okta_reads(made) == {"logs": 1, "apps/*": 1, "apps/*/users/*": 2, "users/*/groups": 2}


def test_of_two_with_one_address_the_other_is_made_when_one_leaves(made: Arena) -> None:
    seen = Seen()
    first = hire(made, "one@example.com", "same@example.com")
    hire(made, "two@example.com", "same@example.com", ["push-more"])
    one_delta(made, seen)
    assert [each.name for each in waits(made)] == ["same@example.com"] * 2
    assert is_quiet(made)

    made.okta.world.unassign(first)
    one_delta(made, seen)

    assert exact(made)
    assert waits(made) == []


def test_at_harness_who_waited_for_a_leavers_address_gets_it_in_that_delta(harness: Arena) -> None:
    seen = Seen()
    hire(harness, "new@example.com", "p05@example.com", ["push-more"])
    one_delta(harness, seen)
    assert len(waits(harness)) == 1
    harness.okta.world.unassign("p05@example.com", everywhere=True)

    one_delta(harness, seen)

    wanted, have = wishes(harness.okta.world), holdings(harness.split.world)
    assert {owner: one.person for owner, one in have.people.items()} == wanted.people
    owners = {person.scim_id: owner for owner, person in have.people.items()}
    for group, members in wanted.members.items():  # Harness keeps no externalId of a group
        (there,) = (
            g for g in harness.split.world.groups.values() if g.name == harness.okta.world.groups[group].name
        )
        assert {owners[member] for member in there.members} == members
    assert waits(harness) == []
    assert harness.split.world.user("p05@example.com").external_id is not None


def test_a_chain_of_people_who_wait_for_one_another_is_freed_at_once(made: Arena) -> None:
    seen = Seen()
    for number in range(1, 6):
        rename(made, f"p{number:02}@example.com", f"p{number + 1:02}@example.com")
        one_delta(made, seen)
    assert len(waits(made)) == 5
    assert is_quiet(made)

    rename(made, "p06@example.com", "p01@example.com")
    one_delta(made, seen)

    assert exact(made)
    assert waits(made) == []


def test_a_name_freed_by_the_deletion_of_a_group(made: Arena) -> None:
    world, seen = made.okta.world, Seen()
    world.create_group("push-next", members=["p09@example.com"])
    one_delta(made, seen)
    later = world.group("push-next").id
    world.rename_group("push-next", "push-other")
    world.rename_group("push-crew", "push-old")
    one_delta(made, seen)
    world.rename_group("push-other", "push-more")
    one_delta(made, seen)
    assert [each.kind for each in waits(made)] == ["conflict"]
    assert is_quiet(made)

    world.delete_group(next(g.id for g in world.groups.values() if g.name == "push-more" and g.id != later))
    one_delta(made, seen)

    assert exact(made)
    assert {group.name for group in made.split.world.groups.values()} == {"push-old", "push-more"}
    assert waits(made) == []


def test_a_name_freed_by_a_group_that_is_renamed_in_okta(split: Arena) -> None:
    """Two new groups of one name at Split (a rule gives it): one of them is called otherwise later."""
    world, seen = split.okta.world, Seen()
    split.split.world.create_local_group("push-new")
    world.create_group("push-new", members=["p09@example.com"])
    one_delta(split, seen)
    assert [(each.kind, each.name) for each in waits(split)] == [("conflict", "push-new")]
    assert is_quiet(split)

    world.rename_group("push-new", "push-newer")
    one_delta(split, seen)

    assert [group.name for group in split.split.world.groups.values() if group.external_id]
    assert waits(split) == []
    assert split.split.world.members("push-newer") == ["p09@example.com"]


def test_the_memberships_of_a_group_that_vanished_come_back_with_it(made: Arena) -> None:
    world, seen = made.okta.world, Seen()
    made.split.world.delete_group("push-crew")
    world.add_member("push-crew", "p09@example.com")
    one_delta(made, seen)
    made.later(timedelta(minutes=2))

    one_delta(made, seen)

    assert exact(made)
    assert len(made.split.world.members("push-crew")) == 7
    assert failing(made) == []


def test_the_memberships_of_somebody_who_could_not_be_made_come_with_them(made: Arena) -> None:
    seen = Seen()
    made.split.faults.add("status", method="POST", path="/Users", count=1, status=400)
    made.okta.world.add_user("late@example.com", "La", "Te", assign=True, groups=["push-crew", "push-more"])
    one_delta(made, seen)
    assert is_quiet(made)
    made.later(timedelta(minutes=2))

    one_delta(made, seen)

    assert exact(made)


@pytest.mark.parametrize("what", ["group", "user"])
def test_a_failure_whose_wish_is_taken_back_ends(made: Arena, what: str) -> None:
    world, seen = made.okta.world, Seen()
    for method in ("PATCH", "PUT"):
        made.split.faults.add("status", method=method, path="/(Groups|Users)/", count=-1, status=400)
    if what == "group":
        world.rename_group("push-crew", "push-cast")
    else:
        rename(made, "p01@example.com", "other@example.com")
    one_delta(made, seen)
    assert len(failing(made)) == 1
    made.split.faults.clear()

    if what == "group":
        world.rename_group("push-cast", "push-crew")
    else:
        rename(made, "p01@example.com", "p01@example.com")
    one_delta(made, seen)

    assert failing(made) == []
    made.later(timedelta(hours=3))
    assert is_quiet(made)


def test_a_failure_of_who_is_left_alone_since_ends(made: Arena) -> None:
    """A membership fails; then its user gets into a conflict of names. Nothing asks for the failure each time."""
    world, seen = made.okta.world, Seen()
    made.split.faults.add("status", method="PATCH", path="/Groups/", count=-1, status=400)
    made.split.faults.add("status", method="PUT", path="/Groups/", count=-1, status=400)
    world.add_member("push-crew", "p09@example.com")
    one_delta(made, seen)
    assert failing(made) != []
    rename(made, "p09@example.com", "p01@example.com")
    made.later(timedelta(minutes=2))
    one_delta(made, seen)

    assert failing(made) == []
    assert is_quiet(made)
    made.split.faults.clear()
    rename(made, "p09@example.com", "p09@example.com")
    one_delta(made, seen)
    assert exact(made)


def test_a_conflict_is_looked_at_after_a_growing_delay_and_keeps_its_since(made: Arena) -> None:
    """Nothing at Okta tells of a stranger's account at the target."""
    seen = Seen()
    made.split.set_knobs(case_sensitive=False)
    made.split.world.create_local_user("new@example.com")
    made.split.world.edit_user("new@example.com", externalId="00u-of-another-org")
    since = made.now
    made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    looked_at = []
    for minutes in (0, 1, 1, 5, 5, 30, 30, 120, 120):
        made.later(timedelta(minutes=minutes, seconds=1))
        forget(made)
        one_delta(made, seen)
        looked_at.append(okta_reads(made)["apps/*/users/*"])
        assert is_quiet(made)
    assert looked_at == [1, 1, 0, 1, 0, 1, 0, 1, 0], "after 1 m, 5 m, 30 m, 2 h"
    [waiting] = waits(made)
    assert waiting.since - since < timedelta(seconds=5)

    made.split.world.delete_user("new@example.com")
    made.later(timedelta(days=1))
    one_delta(made, seen)

    assert exact(made)
    assert waits(made) == []


def test_a_full_cycle_remembers_forgets_and_keeps_the_since(made: Arena) -> None:
    first = hire(made, "new@example.com", "p01@example.com")
    assert made.cycle().exit_code == 0
    [before] = waits(made)
    made.later(timedelta(seconds=20))
    assert made.cycle().exit_code == 0
    assert waits(made) == [before], "a look before its time writes nothing"
    made.later(timedelta(hours=1))
    assert made.cycle().exit_code == 0
    [after] = waits(made)
    assert (after.since, after.looks) == (before.since, 2)
    made.okta.world.unassign(first)
    assert made.cycle().exit_code == 0
    assert waits(made) == []


def test_a_name_that_a_command_frees_is_taken_by_the_next_delta(made: Arena) -> None:
    """`syncd sync --user` of the one who was renamed looks at nobody else."""
    seen = Seen()
    hire(made, "new@example.com", "p01@example.com")
    one_delta(made, seen)
    rename(made, "p01@example.com", "married@example.com")
    with opened(made) as job:
        sync(job, Selection(users=(made.okta.world.user("p01@example.com").id,)))
    assert "p01@example.com" not in {user.user_name for user in made.split.world.users.values()}

    one_delta(made, seen)

    assert exact(made)


def test_a_ring_whose_one_write_failed_is_tried_again_by_deltas(made: Arena) -> None:
    seen = Seen()
    world = made.okta.world
    ids = {name: made.split.world.user(f"{name}@example.com").id for name in ("p01", "p02")}
    before = dict(ids)
    for scim_id in ids.values():
        made.split.faults.add("status", method="PATCH", path=f"/Users/{scim_id}", nth=2, count=1, status=403)
    world.update_profile("p01@example.com", email="p02@example.com")
    world.update_profile("p02@example.com", email="p01@example.com")
    for _ in range(8):
        one_delta(made, seen)
        made.later(timedelta(minutes=6))
    assert exact(made)
    assert made.split.world.users[before["p01"]].user_name == "p02@example.com"
    assert is_quiet(made)


def departed(made: Arena, email: str) -> Seen:
    """Synced, and then this person left the app; what the delta that read it has seen."""
    seen = Seen()
    with opened(made) as job:
        begin(job)
    made.okta.world.unassign(email)
    one_delta(made, seen)
    return seen


def test_what_cannot_be_deactivated_is_asked_for_once_and_not_by_every_delta(tmp_path: Path) -> None:
    """Its grace is over, and the target refuses: the failure's next try is its time, not the grace."""
    okta = OktaWorld()
    for number in range(12):
        okta.add_user(f"p{number:02}@example.com", "P", f"{number:02}", assign=True)
    tables = {"provisioning": 'deactivation_grace = "1h"', "safety": SAFETY}
    with arena(tmp_path, okta, tables=tables, attempts=2) as made:
        seen = departed(made, "p03@example.com")
        assert is_quiet(made)
        for method in ("PATCH", "PUT"):
            made.split.faults.add("status", method=method, path="/Users/", count=-1, status=400)
        made.later(timedelta(hours=2))
        one_delta(made, seen)
        assert failing(made) == ["p03@example.com"]

        assert is_quiet(made)


def test_a_protected_leaver_is_not_asked_for_by_every_delta(tmp_path: Path) -> None:
    okta = OktaWorld()
    for number in range(12):
        okta.add_user(f"p{number:02}@example.com", "P", f"{number:02}", assign=True)
    tables = {
        "provisioning": 'deactivation_grace = "1h"',
        "safety": f'{SAFETY}\nprotected_users = ["p03@example.com"]',
    }
    with arena(tmp_path, okta, tables=tables) as made:
        seen = departed(made, "p03@example.com")
        made.later(timedelta(hours=2))
        one_delta(made, seen)
        assert [each.kind for each in waits(made)] == ["protected"]

        assert is_quiet(made)


def test_status_says_who_waits_and_since_when(made: Arena) -> None:
    hire(made, "new@example.com", "p01@example.com")
    one_delta(made, Seen())
    with open_for_status(made.settings, clock=made.clock) as store:
        document = status(store, made.settings, made.clock())
    assert document["left_out"]["count"] == 1
    [item] = document["left_out"]["items"]
    assert item["kind"] == "conflict"
    assert item["object"] == "p01@example.com"
    assert None not in (item["since"], item["next_look"])
    assert "belongs to another Okta user" in item["reason"] or "also the userName" in item["reason"]


def test_who_was_not_tried_because_too_many_others_were_refused_is_tried_by_later_deltas(made: Arena) -> None:
    seen = Seen()
    made.split.faults.add("status", method="POST", path="/Users", count=-1, status=403)
    for number in range(40):
        made.okta.world.add_user(f"n{number:02}@example.com", "N", f"{number:02}", assign=True)
    one_delta(made, seen)
    assert {each.kind for each in waits(made)} == {"not_sent"}
    assert len(waits(made)) + len(failing(made)) == 40
    assert is_quiet(made)
    made.split.faults.clear()

    for _ in range(3):
        made.later(timedelta(minutes=2))
        one_delta(made, seen)

    assert exact(made)
    assert waits(made) == []
    assert is_quiet(made)
