"""Outcomes that are settled together leave what they leave when they are settled one after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.change import ChangeKind
from syncd.errors import AlreadyTied
from syncd.model import PushedGroup, PushedUser
from syncd.ports import (
    CreationUnproven,
    Effect,
    GroupForgotten,
    GroupPushed,
    MemberPushed,
    Settled,
    Store,
    UserForgotten,
    UserPushed,
)
from tests.store.making import Place, absorb, change, group, wanted

PEOPLE, GROUPS = ("00u-a", "00u-b", "00u-c", "00u-new"), ("00g-a", "00g-b")
_IDS = st.sampled_from(["s1", "s2", "s3", 's"4'])
_PUSHED = st.builds(
    lambda okta_id, scim_id, active: UserPushed(
        okta_id, PushedUser(scim_id, {"userName": f"{okta_id}@example.com", "level": 1.5}, active)
    ),
    st.sampled_from(PEOPLE),
    _IDS,
    st.booleans(),
)
_MEMBERS = st.builds(MemberPushed, st.sampled_from(GROUPS), st.sampled_from(PEOPLE), st.booleans())
_RARE = st.one_of(
    st.builds(UserForgotten, st.sampled_from(PEOPLE)),
    st.builds(GroupForgotten, st.sampled_from(GROUPS)),
    st.builds(
        lambda okta_id, scim_id, members: GroupPushed(okta_id, PushedGroup(scim_id, "Team"), members),
        st.sampled_from(GROUPS),
        st.sampled_from(["g1", "g2"]),
        st.sampled_from([None, ["00u-a"], []]),
    ),
    st.builds(
        lambda okta_id: CreationUnproven("user", okta_id, "a", "for a test", "s9"), st.sampled_from(PEOPLE)
    ),
)
EFFECTS = st.lists(st.one_of(_PUSHED, _PUSHED, _MEMBERS, _MEMBERS, _RARE), max_size=12)


def _settle(store: Store, effects: Sequence[Effect], *, together: bool) -> object:
    """What is in the store afterwards; the error, when an object would belong to two."""
    absorb(store, users=[wanted(each) for each in PEOPLE[:3]], groups=[group(each) for each in GROUPS])
    changes = [
        change(ChangeKind.UPDATE_USER, f"00u-{number}", title=str(number)) for number in range(len(effects))
    ]
    sequences = store.intend(store.begin_run("full"), changes)
    settled = [
        Settled(sequence, done, [effect], status=200, error="no" if number % 5 == 4 else None)
        for number, (sequence, done, effect) in enumerate(zip(sequences, changes, effects, strict=True))
    ]
    try:
        for some in [settled] if together else [[each] for each in settled]:
            store.settle(some)
    except AlreadyTied as tied:
        return tied.message
    assert store.verify_journal().intact
    return (
        [store.user(each) for each in PEOPLE],
        [store.group(each) for each in GROUPS],
        len(store.failures()),
        [(each.kind, each.okta_id, each.scim_id) for each in store.unproven()],
        store.population(),
    )


@settings(deadline=None, max_examples=40)
@given(EFFECTS)
def test_what_is_settled_together_is_what_is_settled_one_by_one(effects: list[Effect]) -> None:
    with tempfile.TemporaryDirectory() as home:
        with Place(Path(home) / "a" / "store.db").open() as store:
            together = _settle(store, effects, together=True)
        with Place(Path(home) / "b" / "store.db").open() as store:
            one_by_one = _settle(store, effects, together=False)

    assert together == one_by_one
