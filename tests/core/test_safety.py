"""The limits: at once or in small steps, the same removals are stopped at the same place."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.limits import Limit
from syncd.core.safety import LIMIT_NAMES, GroupNumbers, Limits, Numbers, Violation, allowed, violations
from tests.core.making import CALM, quick

DEFAULTS = Limits(
    deactivations=Limit(percent=10),
    group_deletions=Limit(number=0),
    member_removals=Limit(percent=20),
    member_removals_per_group=Limit(percent=50),
)
percents = st.integers(0, 100_000).map(lambda thousandths: Limit(percent=thousandths / 1000))
limits = st.one_of(percents, st.integers(0, 10_000).map(lambda number: Limit(number=number)))
populations = st.integers(0, 2_000_000)


def checks(numbers: Numbers, limit: Limits = DEFAULTS) -> list[str]:
    return [violation.check for violation in violations(numbers, limit)]


def group(
    pushed: int,
    planned: int,
    *,
    lately: int = 0,
    remaining: int | None = None,
    protected: bool = False,
    group_id: str = "00g1",
) -> GroupNumbers:
    left = pushed - planned if remaining is None else remaining
    return GroupNumbers(group_id, "Eng", pushed, lately, planned, left, protected)


def of_group(numbers: GroupNumbers, limit: Limits = DEFAULTS) -> list[str]:
    return checks(replace(CALM, by_group=[numbers]), limit)


@pytest.mark.parametrize(
    ("population", "most"),
    [
        (0, 1),
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 2),
        (5, 2),
        (6, 3),
        (10, 3),
        (29, 3),
        (30, 3),
        (39, 3),
        (40, 4),
        (100, 10),
        (109, 10),
        (1_000_000, 100_000),
    ],
)
def test_ten_percent_of_users_allows_three_but_never_more_than_half_of_them(
    population: int, most: int
) -> None:
    assert allowed(Limit(percent=10), population, floor=3) == most


def test_a_large_percent_is_taken_at_its_word() -> None:
    assert allowed(Limit(percent=100), 10, floor=3) == 10
    assert allowed(Limit(percent=80), 10, floor=3) == 8


@pytest.mark.parametrize("population", [0, 1, 5, 1000])
def test_a_plain_number_is_what_it_says_and_has_no_floor(population: int) -> None:
    assert allowed(Limit(number=0), population, floor=3) == 0
    assert allowed(Limit(number=40), population, floor=3) == 40


@quick
@given(percents, populations)
def test_a_percent_without_a_floor_is_the_exact_share_rounded_down(limit: Limit, population: int) -> None:
    assert limit.percent is not None
    share = Fraction(round(limit.percent * 1000), 100_000) * population
    assert allowed(limit, population, floor=0) == share.__floor__()


@quick
@given(limits, populations, populations, st.integers(0, 3))
def test_a_larger_population_never_allows_fewer(limit: Limit, one: int, other: int, floor: int) -> None:
    small, large = sorted((one, other))
    assert allowed(limit, small, floor=floor) <= allowed(limit, large, floor=floor)


@quick
@given(percents, percents, populations, st.integers(0, 3))
def test_a_larger_percent_never_allows_fewer(one: Limit, other: Limit, population: int, floor: int) -> None:
    small, large = sorted((one, other), key=lambda limit: limit.percent or 0)
    assert allowed(small, population, floor=floor) <= allowed(large, population, floor=floor)


@quick
@given(percents, populations, st.integers(0, 3))
def test_a_percent_allows_at_least_its_floor_unless_that_were_more_than_half(
    limit: Limit, population: int, floor: int
) -> None:
    assert limit.percent is not None
    most = allowed(limit, population, floor=floor)
    assert most >= min(floor, population // 2)
    assert most <= max(population, 1)
    if limit.percent <= 50:
        assert most <= max(1, population // 2)


def test_nothing_planned_breaks_nothing() -> None:
    assert violations(CALM, DEFAULTS) == []


@quick
@given(
    st.lists(st.integers(0, 1000), min_size=6, max_size=6),
    st.tuples(limits, limits, limits, limits),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()), max_size=4),
    st.booleans(),
)
def test_a_plan_without_removals_breaks_nothing_whatever_happened_before(
    counts: list[int],
    chosen: tuple[Limit, Limit, Limit, Limit],
    groups: list[tuple[int, int, bool]],
    empty: bool,
) -> None:
    numbers = replace(
        CALM,
        active_users=counts[0],
        groups=counts[1],
        memberships=counts[2],
        deactivated_lately=counts[3],
        groups_deleted_lately=counts[4],
        members_removed_lately=counts[5],
        by_group=[group(size, 0, lately=lately, protected=guard) for size, lately, guard in groups],
        app_is_empty=empty,
    )
    assert violations(numbers, Limits(*chosen)) == []


@pytest.mark.parametrize(("planned", "stopped"), [(10, False), (11, True)])
def test_deactivations_stop_at_their_limit(planned: int, stopped: bool) -> None:
    assert checks(replace(CALM, deactivations=planned)) == (["deactivations"] if stopped else [])


@pytest.mark.parametrize(("planned", "stopped"), [(40, False), (41, True)])
def test_member_removals_stop_at_their_limit(planned: int, stopped: bool) -> None:
    assert checks(replace(CALM, member_removals=planned)) == (["member_removals"] if stopped else [])


def test_no_group_is_deleted_unless_the_settings_allow_it() -> None:
    assert checks(replace(CALM, group_deletions=1)) == ["group_deletions"]
    generous = replace(DEFAULTS, group_deletions=Limit(number=1))
    assert checks(replace(CALM, group_deletions=1), generous) == []
    assert checks(replace(CALM, group_deletions=1, groups_deleted_lately=1), generous) == ["group_deletions"]


def test_a_percent_of_groups_has_no_floor() -> None:
    tenth = replace(DEFAULTS, group_deletions=Limit(percent=10))
    assert checks(replace(CALM, groups=9, group_deletions=1), tenth) == ["group_deletions"]
    assert checks(replace(CALM, groups=10, group_deletions=1), tenth) == []


def test_a_violation_shows_its_numbers_and_the_way_out() -> None:
    (found,) = violations(replace(CALM, active_users=95, deactivated_lately=5, deactivations=7), DEFAULTS)
    assert found.numbers == {
        "planned": 7,
        "last_24_hours": 5,
        "allowed": 10,
        "managed": 100,
        "limit": "10%",
    }
    assert "max_deactivations = 10%" in found.reason
    assert "--allow deactivations=12" in found.way_out
    assert found.group_id is None


def _way_out(found: Violation) -> tuple[str, int]:
    name, _, number = found.way_out.split("--allow ")[1].partition("=")
    return name, int(number)


@pytest.mark.parametrize(
    "numbers",
    [
        replace(CALM, deactivations=60, deactivated_lately=3),
        replace(CALM, group_deletions=2, groups_deleted_lately=1),
        replace(CALM, member_removals=100, members_removed_lately=2),
        replace(CALM, by_group=[group(10, 6, lately=1)]),
    ],
)
def test_the_way_out_that_is_offered_is_just_wide_enough(numbers: Numbers) -> None:
    (found,) = violations(numbers, DEFAULTS)
    name, number = _way_out(found)
    assert name == found.check
    assert name in LIMIT_NAMES
    assert violations(numbers, replace(DEFAULTS, **{name: Limit(number=number)})) == []
    assert violations(numbers, replace(DEFAULTS, **{name: Limit(number=number - 1)})) != []


@quick
@given(st.integers(1, 500), st.data(), limits)
def test_removals_that_trickle_in_are_stopped_like_those_that_come_at_once(
    population: int, data: st.DataObject, limit: Limit
) -> None:
    total = data.draw(st.integers(1, population))
    lately = data.draw(st.integers(0, total - 1))
    chosen = Limits(limit, limit, limit, limit)
    at_once = replace(
        CALM,
        active_users=population,
        groups=population,
        memberships=population,
        deactivations=total,
        group_deletions=total,
        member_removals=total,
    )
    in_steps = Numbers(
        active_users=population - lately,
        groups=population - lately,
        memberships=population - lately,
        deactivated_lately=lately,
        groups_deleted_lately=lately,
        members_removed_lately=lately,
        deactivations=total - lately,
        group_deletions=total - lately,
        member_removals=total - lately,
    )
    assert checks(in_steps, chosen) == checks(at_once, chosen)


def test_an_app_without_anybody_is_held_even_under_every_limit() -> None:
    open_doors = Limits(*[Limit(percent=100)] * 4)
    numbers = replace(CALM, active_users=1, deactivations=1, app_is_empty=True)
    (found,) = violations(numbers, open_doors)
    assert found.check == "empty_app"
    assert found.numbers == {"planned": 1, "managed": 1}
    assert checks(replace(numbers, app_is_empty=False), open_doors) == []


@pytest.mark.parametrize(
    ("size", "planned", "found"),
    [
        (10, 5, []),
        (10, 6, ["member_removals_per_group"]),
        (6, 3, []),
        (6, 4, ["member_removals_per_group"]),
        (5, 4, []),
        (2, 1, []),
        (1, 1, []),
        (2, 2, ["emptied_group"]),
        (5, 5, ["emptied_group"]),
        (1000, 1000, ["emptied_group"]),
    ],
)
def test_small_groups_are_guarded_only_against_being_emptied(
    size: int, planned: int, found: list[str]
) -> None:
    assert of_group(group(size, planned)) == found


def test_an_emptied_group_is_held_whatever_the_limit_allows() -> None:
    assert of_group(group(10, 10), Limits(*[Limit(number=10**6)] * 4)) == ["emptied_group"]


def test_a_group_that_swaps_all_its_members_is_limited_but_not_called_emptied() -> None:
    assert of_group(group(10, 10, remaining=10)) == ["member_removals_per_group"]
    assert of_group(group(2, 2, remaining=2)) == []


@pytest.mark.parametrize(("pushed", "lately"), [(1, 1), (1, 4), (1, 2)])
def test_a_small_group_that_is_emptied_in_steps_is_held_like_one_emptied_at_once(
    pushed: int, lately: int
) -> None:
    assert of_group(group(pushed, pushed, lately=lately)) == ["emptied_group"]


def test_removals_from_one_group_that_trickle_in_count_together() -> None:
    assert of_group(group(6, 1, lately=4)) == []
    assert of_group(group(5, 2, lately=5)) == ["member_removals_per_group"]


def test_a_group_that_was_large_yesterday_is_not_small_today() -> None:
    assert of_group(group(4, 1, lately=6)) == ["member_removals_per_group"]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_protected_group_keeps_one_active_member(size: int) -> None:
    assert of_group(group(size, size, protected=True)) == ["protected_group"]


def test_a_protected_group_may_lose_members_while_one_stays() -> None:
    assert of_group(group(5, 4, protected=True)) == []
    assert of_group(group(1, 1, remaining=1, protected=True)) == []


def test_group_violations_name_their_group_and_come_sorted() -> None:
    numbers = replace(
        CALM,
        deactivations=99,
        by_group=[group(9, 9, group_id="00g2"), group(9, 9, group_id="00g1"), group(9, 8, group_id="00g0")],
    )
    assert [(found.check, found.group_id) for found in violations(numbers, DEFAULTS)] == [
        ("deactivations", None),
        ("emptied_group", "00g1"),
        ("emptied_group", "00g2"),
        ("member_removals_per_group", "00g0"),
    ]
