"""The limits: at once or in small steps, the same changes are stopped at the same place."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.change import ChangeKind, Json
from syncd.core.limits import Limit
from syncd.core.safety import (
    LIMIT_NAMES,
    LIMITS,
    RULES,
    GroupNumbers,
    LimitRule,
    Numbers,
    Share,
    Violation,
    allowed,
    counts_for,
    emptied,
    empty_app,
    judged_with,
    limits_of_kind,
    over,
)
from syncd.settings.schema import SafetySettings
from tests.core.making import quick

DEFAULTS = {rule.name: SafetySettings.model_fields[rule.key].default for rule in LIMITS}
DEACTIVATIONS, MEMBERS = RULES["deactivations"], RULES["member_removals_per_group"]
UPDATES, CREATIONS = RULES["updates"], RULES["creations"]

percents = st.integers(0, 100_000).map(lambda thousandths: Limit(percent=thousandths / 1000))
limits = st.one_of(percents, st.integers(0, 10_000).map(lambda number: Limit(number=number)))
populations = st.integers(0, 2_000_000)
rules = st.sampled_from(LIMITS)


def stops(rule: LimitRule, numbers: Numbers, limit: Limit | None = None) -> bool:
    return over(rule, limit or DEFAULTS[rule.name], numbers) is not None


def of_group(
    pushed: int,
    planned: int,
    *,
    lately: int = 0,
    remaining: int | None = None,
    protected: bool = False,
    limit: Limit | None = None,
) -> str | None:
    """The check that stops these removals from one group."""
    left = pushed - planned if remaining is None else remaining
    found = emptied(GroupNumbers("00g1", "Eng", pushed, lately, planned, left, protected))
    found = found or over(
        MEMBERS, limit or DEFAULTS[MEMBERS.name], Numbers(planned, lately, pushed, "00g1", "Eng")
    )
    return found.check if found else None


def test_the_table_is_what_the_settings_promise() -> None:
    """Names, defaults and floors are public."""
    assert {rule.name: (rule.key, str(DEFAULTS[rule.name]), rule.floor) for rule in LIMITS} == {
        "deactivations": ("max_deactivations", "10%", 3),
        "group_deletions": ("max_group_deletions", "0", 0),
        "member_removals": ("max_member_removals", "20%", 1),
        "member_removals_per_group": ("max_member_removals_per_group", "50%", 0),
        "creations": ("max_creations", "50%", 50),
        "updates": ("max_updates", "30%", 20),
        "identity_changes": ("max_identity_changes", "5%", 5),
        "blanked": ("max_blanked", "5%", 5),
        "member_additions": ("max_member_additions_per_group", "200%", 50),
        "protected_additions": ("max_protected_additions", "3", 0),
    }
    set_there = {key for key in SafetySettings.model_fields if key.startswith("max_")}
    assert {rule.key for rule in LIMITS} == set_there


def test_only_the_limit_of_protected_groups_spares_no_beginning() -> None:
    assert [rule.name for rule in LIMITS if not rule.spares_beginnings] == ["protected_additions"]


def test_who_stands_behind_another_limit_is_judged_after_it() -> None:
    places = {rule.name: place for place, rule in enumerate(LIMITS)}
    for rule in LIMITS:
        assert all(places[name] < places[rule.name] for name in rule.behind)


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
    assert allowed(DEACTIVATIONS, Limit(percent=10), population) == most


@pytest.mark.parametrize(
    ("name", "population", "most"),
    [
        ("creations", 0, 50),
        ("creations", 200, 100),
        ("creations", 20_000, 10_000),
        ("updates", 3, 20),
        ("updates", 200, 60),
        ("updates", 20_000, 6_000),
        ("identity_changes", 40, 5),
        ("identity_changes", 200, 10),
        ("identity_changes", 20_000, 1_000),
        ("blanked", 99, 5),
        ("blanked", 20_000, 1_000),
        ("member_additions", 0, 50),
        ("member_additions", 25, 50),
        ("member_additions", 400, 800),
        ("protected_additions", 0, 3),
        ("protected_additions", 1000, 3),
    ],
)
def test_what_is_added_or_changed_has_its_floor_whatever_there_is(
    name: str, population: int, most: int
) -> None:
    assert allowed(RULES[name], DEFAULTS[name], population) == most


def test_a_large_percent_is_taken_at_its_word() -> None:
    assert allowed(DEACTIVATIONS, Limit(percent=100), 10) == 10
    assert allowed(DEACTIVATIONS, Limit(percent=80), 10) == 8


@pytest.mark.parametrize("population", [0, 1, 5, 1000])
@pytest.mark.parametrize("rule", LIMITS, ids=LIMIT_NAMES)
def test_a_plain_number_is_what_it_says_and_has_no_floor(rule: LimitRule, population: int) -> None:
    assert allowed(rule, Limit(number=0), population) == 0
    assert allowed(rule, Limit(number=40), population) == 40


@quick
@given(percents, populations)
def test_a_percent_without_a_floor_is_the_exact_share_rounded_down(limit: Limit, population: int) -> None:
    assert limit.percent is not None
    share = Fraction(round(limit.percent * 1000), 100_000) * population
    assert allowed(RULES["group_deletions"], limit, population) == share.__floor__()


@quick
@given(rules, limits, populations, populations)
def test_a_larger_population_never_allows_fewer(rule: LimitRule, limit: Limit, one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert allowed(rule, limit, small) <= allowed(rule, limit, large)


@quick
@given(rules, percents, percents, populations)
def test_a_larger_percent_never_allows_fewer(
    rule: LimitRule, one: Limit, other: Limit, population: int
) -> None:
    small, large = sorted((one, other), key=lambda limit: limit.percent or 0)
    assert allowed(rule, small, population) <= allowed(rule, large, population)


@quick
@given(percents, populations, st.sampled_from([rule for rule in LIMITS if rule.halved]))
def test_a_percent_of_what_is_removed_allows_its_floor_unless_that_were_more_than_half(
    limit: Limit, population: int, rule: LimitRule
) -> None:
    assert limit.percent is not None
    most = allowed(rule, limit, population)
    assert most >= min(rule.floor, population // 2)
    assert most <= max(population, 1)
    if limit.percent <= 50:
        assert most <= max(1, population // 2)


@quick
@given(rules, limits, populations, populations)
def test_where_nothing_is_planned_nothing_is_stopped_whatever_happened_before(
    rule: LimitRule, limit: Limit, lately: int, there: int
) -> None:
    assert not stops(rule, Numbers(0, lately, there), limit)


@pytest.mark.parametrize(
    ("name", "there", "most"),
    [
        ("deactivations", 100, 10),
        ("member_removals", 200, 40),
        ("member_removals_per_group", 10, 5),
        ("identity_changes", 100, 5),
        ("blanked", 188, 9),
        ("updates", 188, 56),
        ("creations", 188, 94),
        ("member_additions", 30, 60),
        ("protected_additions", 2, 3),
    ],
)
def test_each_limit_stops_one_more_than_it_allows(name: str, there: int, most: int) -> None:
    assert not stops(RULES[name], Numbers(most, 0, there, "00g1", "Eng"))
    assert stops(RULES[name], Numbers(most + 1, 0, there, "00g1", "Eng"))


@pytest.mark.parametrize(
    ("company", "name", "there", "of_a_day"),
    [
        # 200 people: a team of 45 is bought, everybody of a department of 50 gets another title, five marry at once.
        (200, "creations", 200, 45),
        (200, "updates", 200, 50),
        (200, "identity_changes", 200, 5),
        (200, "blanked", 200, 8),
        (200, "member_additions", 12, 45),
        (200, "protected_additions", 2, 2),
        # 20,000: a company of 6,000 is bought, a reorganisation moves 5,000, a brand of 800 gets its addresses.
        (20_000, "creations", 20_000, 6_000),
        (20_000, "updates", 20_000, 5_000),
        (20_000, "identity_changes", 20_000, 800),
        (20_000, "blanked", 20_000, 600),
        (20_000, "member_additions", 3_000, 6_000),
        (20_000, "protected_additions", 25, 3),
        (200, "deactivations", 200, 15),
        (20_000, "deactivations", 20_000, 1_500),
    ],
)
def test_the_largest_honest_day_of_a_company_passes(
    company: int, name: str, there: int, of_a_day: int
) -> None:
    """In one cycle, and in a hundred."""
    assert company >= of_a_day
    rule = RULES[name]
    assert not stops(rule, Numbers(of_a_day, 0, there))
    for lately in range(0, of_a_day, max(1, of_a_day // 100)):
        assert not stops(rule, Numbers(of_a_day - lately, lately, there + rule.moves * lately))


def test_no_group_is_deleted_unless_the_settings_allow_it() -> None:
    deletions = RULES["group_deletions"]
    assert stops(deletions, Numbers(1, 0, 10))
    assert not stops(deletions, Numbers(1, 0, 10), Limit(number=1))
    assert stops(deletions, Numbers(1, 1, 10), Limit(number=1))


def test_a_percent_of_groups_has_no_floor() -> None:
    deletions, tenth = RULES["group_deletions"], Limit(percent=10)
    assert stops(deletions, Numbers(1, 0, 9), tenth)
    assert not stops(deletions, Numbers(1, 0, 10), tenth)


def test_a_violation_shows_its_numbers_and_the_way_out() -> None:
    found = over(DEACTIVATIONS, Limit(percent=10), Numbers(planned=7, lately=5, there=95))
    assert found is not None
    assert found.numbers == {
        "planned": 7,
        "last_24_hours": 5,
        "allowed": 10,
        "managed": 100,
        "percent": "12%",
        "limit": "10%",
    }
    assert "max_deactivations = 10%" in found.reason
    assert "--allow deactivations=12" in found.way_out
    assert found.group_id is None


def test_a_violation_of_one_group_names_it() -> None:
    found = over(RULES["member_additions"], Limit(percent=200), Numbers(2135, 0, 12, "00g1", "Board"))
    assert found is not None
    assert found.group_id == "00g1"
    assert found.reason.startswith('2,135 members would be added to "Board", 17,792% of 12; ')
    assert "max_member_additions_per_group = 200% allows 50 of 12" in found.reason
    assert "--allow member_additions=2135" in found.way_out


def _way_out(found: Violation) -> tuple[str, int]:
    name, _, number = found.way_out.split("--allow ")[1].partition("=")
    return name, int(number)


@quick
@given(rules, limits, st.integers(1, 10_000), st.integers(0, 10_000), populations)
def test_the_way_out_that_is_offered_is_just_wide_enough(
    rule: LimitRule, limit: Limit, planned: int, lately: int, there: int
) -> None:
    numbers = Numbers(planned, lately, there)
    found = over(rule, limit, numbers)
    if found is None:
        return
    name, number = _way_out(found)
    assert name == found.check == rule.name
    assert over(rule, Limit(number=number), numbers) is None
    assert over(rule, Limit(number=number - 1), numbers) is not None


@quick
@given(rules, st.integers(1, 500), st.data(), limits)
def test_what_trickles_in_is_stopped_like_what_comes_at_once(
    rule: LimitRule, population: int, data: st.DataObject, limit: Limit
) -> None:
    total = data.draw(st.integers(1, population))
    lately = data.draw(st.integers(0, total - 1))
    at_once = Numbers(total, 0, population)
    in_steps = Numbers(total - lately, lately, population + rule.moves * lately)
    assert stops(rule, in_steps, limit) == stops(rule, at_once, limit)


def test_an_app_without_anybody_is_held_whatever_the_limits() -> None:
    found = empty_app(1, 1)
    assert found is not None
    assert found.check == "empty_app"
    assert found.numbers == {"planned": 1, "managed": 1}
    assert empty_app(0, 1) is None


@pytest.mark.parametrize(
    ("size", "planned", "found"),
    [
        (10, 5, None),
        (10, 6, "member_removals_per_group"),
        (6, 3, None),
        (6, 4, "member_removals_per_group"),
        (5, 4, None),
        (2, 1, None),
        (1, 1, None),
        (2, 2, "emptied_group"),
        (5, 5, "emptied_group"),
        (1000, 1000, "emptied_group"),
    ],
)
def test_small_groups_are_guarded_only_against_being_emptied(
    size: int, planned: int, found: str | None
) -> None:
    assert of_group(size, planned) == found


def test_an_emptied_group_is_held_whatever_the_limit_allows() -> None:
    assert of_group(10, 10, limit=Limit(number=10**6)) == "emptied_group"


def test_a_group_that_swaps_all_its_members_is_limited_but_not_called_emptied() -> None:
    assert of_group(10, 10, remaining=10) == "member_removals_per_group"
    assert of_group(2, 2, remaining=2) is None


@pytest.mark.parametrize(("pushed", "lately"), [(1, 1), (1, 4), (1, 2)])
def test_a_small_group_that_is_emptied_in_steps_is_held_like_one_emptied_at_once(
    pushed: int, lately: int
) -> None:
    assert of_group(pushed, pushed, lately=lately) == "emptied_group"


def test_removals_from_one_group_that_trickle_in_count_together() -> None:
    assert of_group(6, 1, lately=4) is None
    assert of_group(5, 2, lately=5) == "member_removals_per_group"


def test_a_group_that_was_large_yesterday_is_not_small_today() -> None:
    assert of_group(4, 1, lately=6) == "member_removals_per_group"


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_protected_group_keeps_one_active_member(size: int) -> None:
    assert of_group(size, size, protected=True) == "protected_group"


def test_a_protected_group_may_lose_members_while_one_stays() -> None:
    assert of_group(5, 4, protected=True) is None
    assert of_group(1, 1, remaining=1, protected=True) is None


ANN = {"userName": "ann@example.com", "title": "Dr"}


@pytest.mark.parametrize(
    ("kind", "before", "after", "counted"),
    [
        (ChangeKind.CREATE_USER, {}, {"userName": "a@example.com"}, {"creations"}),
        (ChangeKind.UPDATE_USER, {"title": "Dr"}, {"title": "Prof"}, {"updates"}),
        (ChangeKind.UPDATE_USER, {"title": None}, {"title": "Prof"}, {"updates"}),
        (ChangeKind.UPDATE_USER, {"title": "Dr"}, {"title": None}, {"updates", "blanked"}),
        (ChangeKind.UPDATE_USER, {"title": "Dr"}, {"title": " "}, {"updates", "blanked"}),
        (ChangeKind.UPDATE_USER, {"title": ""}, {"title": None}, {"updates"}),
        (ChangeKind.UPDATE_USER, {"userName": "a"}, {"userName": "b"}, {"updates", "identity_changes"}),
        (
            ChangeKind.UPDATE_USER,
            ANN,
            {"userName": "b", "title": None},
            {"updates", "identity_changes", "blanked"},
        ),
        (ChangeKind.UPDATE_USER, {"userName": "a+syncd-eb1807ba@x.org"}, {"userName": "b@x.org"}, set()),
        (ChangeKind.ADOPT_USER, {}, {}, set()),
        (ChangeKind.ADOPT_USER, {"externalId": None}, {"externalId": "00u1"}, set()),
        (ChangeKind.ADOPT_USER, {"active": False}, {"active": True}, set()),
        (ChangeKind.ADOPT_USER, {"title": None}, {"title": "Dr"}, {"updates"}),
        (ChangeKind.REACTIVATE_USER, {"active": False}, {"active": True}, set()),
        (
            ChangeKind.REACTIVATE_USER,
            {"active": False, "title": "Dr"},
            {"active": True, "title": "Prof"},
            {"updates"},
        ),
        (
            ChangeKind.ADD_MEMBER,
            {"member": False},
            {"member": True},
            {"member_additions", "protected_additions"},
        ),
        (ChangeKind.CREATE_GROUP, {}, {"displayName": "Eng"}, set()),
        (ChangeKind.RENAME_GROUP, {"displayName": "Eng"}, {"displayName": "Dev"}, set()),
    ],
)
def test_a_change_counts_for_the_limits_that_it_is_about(
    kind: ChangeKind, before: dict[str, Json], after: dict[str, Json], counted: set[str]
) -> None:
    assert set(counts_for(kind, before, after)) == counted
    assert counted <= set(limits_of_kind(kind))


def test_what_makes_and_changes_accounts_shares_no_limit_with_anything_else() -> None:
    """So that of what waits for a decision nothing else has to be counted in a plan of these."""
    together = judged_with({ChangeKind.UPDATE_USER})

    assert together < frozenset(ChangeKind)
    for rule in LIMITS:
        assert together.isdisjoint(rule.kinds) or together.issuperset(rule.kinds), rule.name
        assert together.isdisjoint(rule.kinds) or rule.share is not Share.PROTECTED, rule.name
    assert judged_with({ChangeKind.UPDATE_USER, ChangeKind.ADD_MEMBER}) == frozenset(ChangeKind)
