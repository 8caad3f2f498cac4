"""Who is written before whom: on a target where every name is given once, the planned order never meets a taken one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.change import Change, ChangeKind, revised
from syncd.core.order import (
    NAME_RULES,
    Move,
    Order,
    detour,
    former_name,
    order,
    temporary_name,
    way_back,
)


@dataclass
class Target:
    """Accounts by owner, every name given once."""

    names: dict[str, str]

    def give(self, owner: str, name: str) -> None:
        others = {each for one, each in self.names.items() if one != owner}
        assert name not in others, f"{owner} meets the taken name {name}"
        self.names[owner] = name


@dataclass(frozen=True)
class World:
    held: Mapping[str, str]
    moves: Sequence[Move]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Some owners with a name each; renames, creations, removals, and people who stay as they are."""
    names = draw(st.lists(st.integers(0, 12).map(str), unique=True, max_size=10))
    held = {f"o{number}": name for number, name in enumerate(names)}
    moves = []
    for owner in held:
        what = draw(st.sampled_from(["stays", "renamed", "renamed", "renamed", "removed"]))
        if what == "removed":
            moves.append(Move(f"m-{owner}", owner, late=True))
        elif what == "renamed":
            moves.append(Move(f"m-{owner}", owner, draw(st.integers(0, 14).map(str))))
    hired = draw(st.lists(st.integers(0, 14).map(str), max_size=4))
    moves += [Move(f"m-new{number}", f"new{number}", name) for number, name in enumerate(hired)]
    return World(held, draw(st.permutations(moves)))


def ordered(world: World) -> Order:
    held: dict[str, list[str]] = {}
    for owner, name in world.held.items():
        held.setdefault(name, []).append(owner)
    return order(world.moves, held)


def carried_out(world: World, found: Order) -> Target:
    """Turn by turn: the detours, then step by step what takes names, then what is late. Within a step any order."""
    target = Target(dict(world.held))
    moves = {move.id: move for move in world.moves}
    for each in sorted(found.detours):
        target.give(moves[each].owner, f"temporary {each}")
    due = [move for move in world.moves if move.id not in found.kept]
    place = {move.id: found.places.get(move.id, (0, 0)) for move in due}
    for turn in range(max((turn for turn, _ in place.values()), default=0) + 1):
        now = [move for move in due if place[move.id][0] == turn]
        for move in sorted(now, key=lambda move: (move.late, place[move.id][1])):
            if move.takes is None:
                del target.names[move.owner]
            else:
                target.give(move.owner, move.takes)
    return target


@given(worlds())
def test_the_order_never_meets_a_taken_name_and_ends_in_the_wishes(world: World) -> None:
    found = ordered(world)

    target = carried_out(world, found)

    for move in world.moves:
        wanted = world.held.get(move.owner) if move.id in found.kept else move.takes
        assert target.names.get(move.owner) == wanted
    moved = {move.owner for move in world.moves}
    assert all(target.names[owner] == name for owner, name in world.held.items() if owner not in moved)


@given(worlds())
def test_within_a_step_any_order_is_right(world: World) -> None:
    """What has one place may run at the same time: it is right backwards too."""
    backwards = World(world.held, list(reversed(world.moves)))
    found = ordered(world)
    assert ordered(backwards) == found
    assert carried_out(backwards, found).names == carried_out(world, found).names


@given(worlds())
def test_every_ring_has_exactly_one_detour_and_nobody_else_makes_one(world: World) -> None:
    found = ordered(world)
    assert all(len(found.detours & set(ring)) == 1 for ring in found.rings)
    assert {ring[0] for ring in found.rings} == set(found.detours)
    assert all(len(ring) > 1 for ring in found.rings)


@given(worlds())
def test_only_a_name_that_is_really_kept_stops_anybody(world: World) -> None:
    found = ordered(world)
    moves = {move.id: move for move in world.moves}
    target = carried_out(world, found)
    for each, keeper in found.kept.items():
        assert target.names[keeper] == moves[each].takes


def test_a_chain_of_many_thousands_is_ordered_without_recursion() -> None:
    moves = [Move(f"m{n:06}", f"o{n}", f"n{n + 1}") for n in range(30_000)]
    found = order(moves, {f"n{n}": [f"o{n}"] for n in range(30_000)})
    assert found.places["m000000"] == (0, 29_999)
    ring = order([*moves, Move("m999999", "o30000", "n0")], {f"n{n}": [f"o{n}"] for n in range(30_001)})
    assert list(ring.detours) == ["m000000"]


def test_who_moves_without_a_rival_has_no_place_and_waits_for_nobody() -> None:
    assert order([Move("m1", "o1", "new"), Move("m2", "o2", "newer")], {"old": ["o1"]}) == Order()


def test_a_ring_in_which_nobody_can_make_a_detour_is_not_written() -> None:
    moves = [Move("m1", "o1", "b", straight=True), Move("m2", "o2", "a", straight=True)]
    found = order(moves, {"a": ["o1"], "b": ["o2"]})
    assert found.kept == {"m1": "o2", "m2": "o1"}
    assert not found.detours


def test_names_that_are_equal_without_letter_case_are_one_name_but_not_at_split() -> None:
    assert NAME_RULES["scim"].user_key("Ann@x.com") == NAME_RULES["scim"].user_key("ann@x.com")
    assert NAME_RULES["split"].user_key("Ann@x.com") != NAME_RULES["split"].user_key("ann@x.com")


def renaming(before: str, after: str) -> Change:
    return Change(
        ChangeKind.UPDATE_USER,
        "00u1",
        "scim-1",
        after,
        {"userName": before, "emails[work].value": before, "name.familyName": "Lee"},
        {"userName": after, "emails[work].value": after, "name.familyName": "Ray"},
        "e-mail changed",
    )


names = st.builds(
    lambda local, domain: f"{local}@{domain}.example" if domain else local,
    st.text("abcxyz.+-", min_size=1, max_size=80),
    st.sampled_from(["acme", ""]),
)


@given(names, st.sets(st.integers(0, 3)))
def test_a_temporary_name_is_free_is_the_same_again_and_leads_back(name: str, in_the_way: set[int]) -> None:
    change = renaming(name, "other@acme.example")
    tried: list[str] = []

    def taken(candidate: str) -> bool:
        tried.append(candidate)
        return len(tried) - 1 in in_the_way

    found = temporary_name(change, taken)
    assert found == tried[-1]
    assert found not in tried[:-1]
    assert len(found.partition("@")[0]) <= 64 or "@" not in found
    assert former_name(found) in (name, None)
    if len(name) < 45:
        assert former_name(found) == name


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=24))
def test_a_temporary_name_of_a_group_fits_where_names_are_short(before: str, after: str) -> None:
    values = {"displayName": before}, {"displayName": after}
    change = Change(ChangeKind.RENAME_GROUP, "00g1", "g1", after, *values, "renamed in Okta")
    assert len(temporary_name(change, lambda _: False)) < 25


def test_a_detour_moves_what_bears_the_name_and_nothing_else() -> None:
    change = revised(renaming("a@x.com", "b@x.com"), via="a+syncd-0@x.com")
    first = detour(change)
    assert first.before == {"userName": "a@x.com", "emails[work].value": "a@x.com"}
    assert first.after == {"userName": "a+syncd-0@x.com", "emails[work].value": "a+syncd-0@x.com"}
    assert (first.id != change.id, first.object_key) == (True, change.object_key)
    back = way_back(change)
    assert back.after == first.before


def test_who_leaves_a_name_that_may_be_taken_for_it_is_waited_for_and_who_keeps_one_is_not() -> None:
    behind = frozenset({"o2"})
    leaving = order([Move("m1", "o1", "strasse", behind=behind), Move("m2", "o2", "other")], {})
    assert leaving.waits == {"m1": ["m2"]}
    assert leaving.places == {"m1": (0, 1)}
    kept = order([Move("m1", "o1", "strasse", behind=behind), Move("m2", "o2", "held")], {"held": ["o3"]})
    assert kept.kept == {"m2": "o3"}
    assert kept.places == {}
    late = order([Move("m1", "o1", "strasse", behind=behind), Move("m2", "o2", late=True)], {})
    assert late.places == {"m1": (1, 0)}
