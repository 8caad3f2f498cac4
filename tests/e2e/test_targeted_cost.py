"""A run for one person costs what that person costs, however large their groups are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.rig import Rig, rig

MEMBERS = 2200


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A group of eleven pages of members, most of them not even assigned to the app; one person of each kind."""
    with rig(tmp_path_factory.mktemp("cost"), users=0, groups=0, pushed=["Everybody", "Second"]) as each:
        world = each.okta.world
        crowd = [world.add_user(f"c{n:04}@example.com", "C", f"{n:04}") for n in range(MEMBERS)]
        people = [
            world.add_user(f"{name}@example.com", name, "Person", assign=True)
            for name in (
                "stays",
                "joins",
                "leaves",
                "departs",
                "changes",
                "moves",
                "other",
                "another",
                "third",
            )
        ]
        world.create_group("Everybody", members=[*crowd, *(p for p in people if p != people[1])])
        world.create_group("Second", members=[people[2], *people[5:]])
        each.sync()
        yield each


def _nothing(made: Rig) -> str:
    return "stays@example.com"


def _joins(made: Rig) -> str:
    made.okta.world.add_member("Everybody", "joins@example.com")
    return "joins@example.com"


def _leaves(made: Rig) -> str:
    made.okta.world.remove_member("Everybody", "leaves@example.com")
    return "leaves@example.com"


def _departs(made: Rig) -> str:
    made.okta.world.unassign("departs@example.com")
    return "departs@example.com"


def _changes(made: Rig) -> str:
    made.okta.world.update_profile("changes@example.com", givenName="Changed")
    return "changes@example.com"


def _arrives(made: Rig) -> str:
    user = made.okta.world.add_user("arrives@example.com", "Ar", "Rives", assign=True)
    for group in ("Everybody", "Second"):
        made.okta.world.add_member(group, user)
    return user


@pytest.mark.parametrize(
    ("arrange", "okta_at_most", "writes"),
    [(_nothing, 3, 0), (_joins, 3, 1), (_leaves, 5, 1), (_departs, 5, 2), (_changes, 3, 1), (_arrives, 4, 3)],
)
def test_a_run_for_one_person_never_reads_their_groups(
    made: Rig, arrange: Callable[[Rig], str], okta_at_most: int, writes: int
) -> None:
    who = arrange(made)
    made.forget()
    made.plan("--user", who)
    planned = made.reads()
    made.forget()

    made.sync("--user", who)

    for reads in (planned, made.reads()):
        assert len(reads) <= okta_at_most, reads
        assert not [read for read in reads if "/groups/" in read and "/users" in read]
    assert len(made.writes()) == writes
    assert len(made.split.requests) - writes <= 4


def test_explaining_one_person_never_reads_their_groups(made: Rig) -> None:
    made.forget()

    made.run("explain", "stays@example.com")

    reads = made.reads()
    assert len(reads) <= 5, reads
    assert not [read for read in reads if "/groups/" in read and "/users" in read]
    assert [request.method for request in made.split.requests] == ["GET"]
