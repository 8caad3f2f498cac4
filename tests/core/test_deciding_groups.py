"""What one group needs: the second half of the table at the head of the diff."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.core.change import ChangeKind, Removal
from syncd.core.diff import Decision, NeedsMatch
from syncd.core.diff_groups import decide_group
from syncd.core.evidence import AskedByOperator, Evidence
from syncd.model import GroupCase, GroupState, KnownGroup, WantedGroup
from tests.core.making import group_wish, kinds, known_group, policy, skips, without_matching

TAKEN_OUT = AskedByOperator('the push rule name = "Eng" is no longer in the settings')


def decide(
    was: KnownGroup | None, wanted: WantedGroup | None, evidence: Evidence | None = None, **settings: Any
) -> Decision | NeedsMatch:
    return decide_group(GroupCase("00g1", was, wanted), policy(**settings), evidence)


decided = without_matching(decide)


def gone(on_removal: str = "keep") -> WantedGroup:
    return group_wish(state=GroupState.GONE, on_removal=on_removal, reason="the Okta group is gone")


@pytest.mark.parametrize("was", [None, known_group(at_target=None)])
def test_a_pushed_group_that_is_not_linked_looks_for_a_match(was: KnownGroup | None) -> None:
    assert decide(was, group_wish()) == NeedsMatch()


def test_a_linked_group_under_its_name_needs_nothing() -> None:
    assert decide(known_group(), group_wish(rename=True)) == Decision()


def test_a_rename_in_okta_is_ignored_unless_the_rule_follows_renames() -> None:
    ignored = decide(known_group(), group_wish("Engineers"))

    assert isinstance(ignored, Decision)
    assert ignored.changes == ()
    assert [skip.kind for skip in ignored.skipped] == ["rename_off"]


@pytest.mark.parametrize("flavor", ["scim", "harness", "split"])
def test_a_rule_that_follows_renames_renames_in_place(flavor: str) -> None:
    (change,) = decided(known_group(), group_wish("Engineers", rename=True), flavor=flavor).changes
    assert (change.kind, change.okta_id, change.scim_id, change.name) == (
        ChangeKind.RENAME_GROUP,
        "00g1",
        "t1",
        "Engineers",
    )
    assert (change.before, change.after) == ({"displayName": "Eng"}, {"displayName": "Engineers"})


@pytest.mark.parametrize("flavor", ["scim", "harness", "split"])
@pytest.mark.parametrize(
    ("at_target", "wanted"), [("Eng", "Administrators"), ("Administrators", "Eng"), ("Eng", "  ")]
)
def test_a_rename_to_or_from_a_name_that_must_not_change_is_refused(
    at_target: str, wanted: str, flavor: str
) -> None:
    decision = decide(
        known_group(at_target=at_target),
        group_wish(wanted, rename=True),
        flavor=flavor,
        protected_groups={"Administrators"},
    )
    assert (kinds(decision), skips(decision)) == ([], ["refused_name"])


def test_a_rename_to_a_name_that_is_too_long_for_split_is_refused() -> None:
    decision = decide(known_group(), group_wish("E" * 25, rename=True), flavor="split")
    assert (kinds(decision), skips(decision)) == ([], ["refused_name"])


def test_a_group_whose_rename_is_refused_keeps_its_members_in_step() -> None:
    assert not decided(known_group(), group_wish("E" * 25, rename=True)).still


@pytest.mark.parametrize("was", [None, known_group(), known_group(at_target=None)])
@pytest.mark.parametrize("evidence", [None, TAKEN_OUT])
def test_a_frozen_group_is_left_exactly_as_it_is_and_reported(
    was: KnownGroup | None, evidence: Evidence | None
) -> None:
    frozen = group_wish("New", state=GroupState.FROZEN, rename=True, reason="its push mapping is ERROR")
    decision = decided(was, frozen, evidence)
    assert (kinds(decision), skips(decision), decision.still) == ([], ["frozen"], True)
    assert decision.skipped[0].reason == "its push mapping is ERROR"


@pytest.mark.parametrize(
    ("on_removal", "kind"), [("keep", ChangeKind.UNLINK_GROUP), ("delete", ChangeKind.DELETE_GROUP)]
)
def test_a_group_that_is_gone_is_unlinked_or_deleted_with_its_witness_and_never_emptied(
    on_removal: str, kind: ChangeKind
) -> None:
    for wanted, was in [
        (gone(on_removal), known_group()),
        (None, known_group(group_wish(on_removal=on_removal))),
    ]:
        decision = decided(was, wanted, TAKEN_OUT)
        (change,) = decision.changes
        assert isinstance(change, Removal)
        assert (change.kind, change.scim_id, change.evidence) == (kind, "t1", TAKEN_OUT)
        assert (change.before, change.after) == ({"linked": True}, {"linked": False})
        assert decision.still


@pytest.mark.parametrize("wanted", [None, gone("keep"), gone("delete")])
def test_a_group_that_is_gone_without_a_witness_is_left_alone(wanted: WantedGroup | None) -> None:
    decision = decided(known_group(), wanted)
    assert (kinds(decision), skips(decision), decision.still) == ([], ["unconfirmed"], True)


@pytest.mark.parametrize("was", [None, known_group(at_target=None)])
def test_a_group_that_never_was_at_the_target_is_gone_without_a_change(was: KnownGroup | None) -> None:
    decision = decided(was, gone("delete"), TAKEN_OUT)
    assert (kinds(decision), skips(decision)) == ([], [])


def test_a_protected_group_is_kept_where_others_are_deleted() -> None:
    decision = decided(
        known_group(at_target="Administrators"),
        gone("delete"),
        TAKEN_OUT,
        protected_groups={"Administrators"},
    )
    assert kinds(decision) == [ChangeKind.UNLINK_GROUP]
    assert "protected" in decision.changes[0].reason


def test_the_name_at_the_target_is_what_protects_and_not_the_name_in_okta() -> None:
    decision = decide(
        known_group(group_wish("Administrators"), at_target="Eng"),
        gone("delete"),
        TAKEN_OUT,
        protected_groups={"Administrators"},
    )
    assert kinds(decision) == [ChangeKind.DELETE_GROUP]


@pytest.mark.parametrize(
    "wanted", [None, group_wish("New", rename=True), gone("delete"), group_wish(state=GroupState.FROZEN)]
)
@pytest.mark.parametrize("evidence", [None, TAKEN_OUT])
def test_a_released_group_is_left_exactly_as_it_is(
    wanted: WantedGroup | None, evidence: Evidence | None
) -> None:
    decision = decided(known_group(released=True), wanted, evidence)
    assert (kinds(decision), skips(decision), decision.still) == ([], ["released"], True)
