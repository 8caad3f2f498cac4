"""The breaker counts causes: one bad thing stops only itself, a target that is broken in general stops everything."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.breaker import Cause, WriteTally, judge
from syncd.core.change import Change, ChangeKind

CREATE, UPDATE, DEACTIVATE = ChangeKind.CREATE_USER, ChangeKind.UPDATE_USER, ChangeKind.DEACTIVATE_USER
ADD, GROUP = ChangeKind.ADD_MEMBER, ChangeKind.CREATE_GROUP
NOBODY = frozenset[ChangeKind]()
Failed = Mapping[tuple[ChangeKind, int | None], int]


def causes(failed: Failed) -> dict[Cause, int]:
    return {
        Cause(kind, status, answered=status is not None): weight for (kind, status), weight in failed.items()
    }


@pytest.mark.parametrize(
    ("applied", "failed", "everything", "kinds"),
    [
        ({}, {(CREATE, 409): 19}, False, NOBODY),
        ({}, {(CREATE, 409): 20}, False, {CREATE}),
        ({CREATE: 12}, {(CREATE, 409): 8}, False, NOBODY),
        ({CREATE: 11}, {(CREATE, 409): 9}, False, {CREATE}),
        ({CREATE: 11}, {(CREATE, 409): 5, (CREATE, 400): 4}, False, {CREATE}),
        ({DEACTIVATE: 2}, {(CREATE, 403): 30}, False, {CREATE}),
        ({DEACTIVATE: 1}, {(CREATE, 403): 30, (DEACTIVATE, 403): 1}, False, {CREATE}),
        ({UPDATE: 500}, {(CREATE, 500): 30}, False, {CREATE}),
        ({}, {(CREATE, 500): 20, (UPDATE, 500): 9}, False, {CREATE}),
        ({}, {(CREATE, 500): 10, (UPDATE, 500): 10}, True, NOBODY),
        ({}, {(CREATE, 500): 20, (GROUP, 500): 5, (ADD, 500): 5}, True, NOBODY),
        ({UPDATE: 6}, {(CREATE, 500): 20, (UPDATE, 500): 4}, False, {CREATE}),
        ({UPDATE: 100}, {(CREATE, 400): 20, (ADD, 400): 10}, False, {CREATE}),
        ({}, {(CREATE, None): 20}, True, NOBODY),
        ({}, {(CREATE, 503): 12, (CREATE, 400): 8}, True, NOBODY),
        ({CREATE: 30}, {(CREATE, 504): 20}, False, NOBODY),
        ({ADD: 59}, {(ADD, 500): 1}, False, NOBODY),
    ],
)
def test_what_stops(
    applied: Mapping[ChangeKind, int], failed: Failed, everything: bool, kinds: frozenset[ChangeKind]
) -> None:
    verdict = judge(applied, causes(failed))

    assert (bool(verdict.everything), verdict.kinds) == (everything, kinds)


def change(kind: ChangeKind, user: str, group: str | None = None) -> Change:
    return Change(kind, user, None, user, {}, {"member": True}, "", group_id=group, group=group, user=user)


@pytest.mark.parametrize(
    ("pairs", "weight"),
    [
        ([("bad", f"g{number}") for number in range(40)], 1),
        ([(f"u{number}", "shut") for number in range(40)], 1),
        ([(f"u{number}", f"g{number}") for number in range(40)], 40),
        ([(f"u{number % 2}", f"g{number}") for number in range(40)], 2),
    ],
)
def test_memberships_weigh_as_many_as_the_groups_or_people_behind_them(
    pairs: list[tuple[str, str]], weight: int
) -> None:
    tally, cause = WriteTally(), Cause(ADD, 500)
    for user, group in pairs:
        tally.failed(change(ADD, user, group), cause)

    assert tally.weights() == {cause: weight}


KINDS = st.sampled_from(list(ChangeKind))
COUNTS = st.dictionaries(KINDS, st.integers(0, 200))
CAUSES = st.dictionaries(
    st.builds(Cause, KINDS, st.sampled_from([400, 403, 409, 500, 503]), st.booleans()), st.integers(1, 200)
)


@given(COUNTS, CAUSES)
def test_a_kind_that_stops_has_failed_often_and_nothing_stops_while_little_fails(
    applied: dict[ChangeKind, int], failed: dict[Cause, int]
) -> None:
    verdict = judge(applied, failed)

    bad, good = sum(failed.values()), sum(applied.values())
    if bad <= 0.4 * (bad + good):
        assert not verdict.everything
    for kind in verdict.kinds:
        weight = sum(each for cause, each in failed.items() if cause.kind is kind)
        assert weight + applied.get(kind, 0) >= 20
        assert weight > 0.4 * (weight + applied.get(kind, 0))


@given(COUNTS, st.builds(Cause, KINDS, st.sampled_from([400, 401, 403, 409, 413, 500])), st.integers(1, 500))
def test_one_cause_never_stops_another_kind(
    applied: dict[ChangeKind, int], cause: Cause, weight: int
) -> None:
    verdict = judge(applied, {cause: weight})

    assert not verdict.everything
    assert verdict.kinds <= {cause.kind}
