"""Which Okta groups are pushed, under which names, and who gives way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from syncd.core.groups import Claim, Resolved, RuleBook, claim, linked_by_hand, resolve
from syncd.core.rules import GroupSource, PushRule, SourceKind
from syncd.model import GroupState, OktaGroup, PushMapping
from tests.core.making import okta_group


def rule(kind: SourceKind = "name", value: str = "Eng", **changed: object) -> PushRule:
    return replace(PushRule(GroupSource(kind, value)), **changed)  # type: ignore[arg-type]


def mapping(status: str = "ACTIVE", target: str | None = "eng-app") -> PushMapping:
    return PushMapping("00g1", "00gT", target, status)


def claimed(group: OktaGroup, *rules: PushRule) -> Claim:
    found = claim(group, RuleBook(rules), frozenset(), {})
    assert found is not None
    return found


def settle(
    *claims: Claim,
    flavor: str = "scim",
    linked: Mapping[str, str] | None = None,
    rules: tuple[PushRule, ...] = (rule("name_contains", ""),),
) -> Resolved:
    return resolve(claims, RuleBook(rules), flavor=flavor, linked=linked or {}, whole=True)


def pushed_ids(resolved: Resolved) -> list[str]:
    return [group.okta_id for group in resolved.wanted if group.state is GroupState.PUSHED]


def new(okta_id: str, name: str, **changed: object) -> Claim:
    kind = str(changed.pop("type", "OKTA_GROUP"))
    return claimed(okta_group(okta_id, name, kind=kind), rule("name", name, **changed))


@pytest.mark.parametrize(
    ("kind", "value", "hit"),
    [
        ("id", "00g1", True),
        ("id", "00g", False),
        ("id", "Eng-Core", False),
        ("name", "Eng-Core", True),
        ("name", "eng-core", False),
        ("name", "00g1", False),
        ("name_starts_with", "Eng", True),
        ("name_starts_with", "Core", False),
        ("name_ends_with", "Core", True),
        ("name_ends_with", "Eng", False),
        ("name_contains", "g-C", True),
        ("name_contains", "core", False),
        ("description_contains", "flags", True),
        ("description_contains", "Eng", False),
        ("assigned", "", True),
        ("okta_mappings", "", True),
    ],
)
def test_each_kind_of_source_names_what_it_says(kind: SourceKind, value: str, hit: bool) -> None:
    group = okta_group("00g1", "Eng-Core", description="feature flags")
    found = claim(group, RuleBook([rule(kind, value)]), frozenset({"00g1"}), {"00g1": mapping()})
    assert (found is not None) is hit


@pytest.mark.parametrize("kind", ["assigned", "okta_mappings"])
def test_a_group_outside_the_apps_own_lists_is_not_claimed_by_them(kind: SourceKind) -> None:
    other = okta_group("00g2", "Eng")
    assert claim(other, RuleBook([rule(kind, "")]), frozenset({"00g1"}), {"00g1": mapping()}) is None


def test_a_claim_takes_its_settings_from_the_rule() -> None:
    linking = rule(action="link", target="engineers", on_removal="delete")
    wanted = claimed(okta_group(), linking).wanted
    assert (wanted.name, wanted.target_name, wanted.action) == ("Eng", "engineers", "link")
    assert (wanted.on_removal, wanted.rename, wanted.rule) == ("delete", False, 'name = "Eng"')
    assert wanted.stamp == okta_group().stamp
    assert claimed(okta_group(), rule(rename=True)).wanted.rename


def test_a_rule_without_an_action_creates_and_without_a_target_uses_the_groups_own_name() -> None:
    wanted = claimed(okta_group(), rule()).wanted
    assert (wanted.action, wanted.target_name, wanted.state) == ("create", "Eng", GroupState.PUSHED)


def test_the_first_rule_that_names_a_group_wins_and_the_others_are_reported() -> None:
    book = (rule(), rule("name_starts_with", "X"), rule("name_starts_with", "E", on_removal="delete"))
    found = claimed(okta_group(), *book)
    assert (found.rule, found.also, found.wanted.on_removal) == (0, (2,), "keep")
    (first, second) = settle(found, rules=book).skipped
    assert (first.kind, first.okta_id) == ("overlapping_rules", "00g1")
    assert 'name = "Eng", which is used' in first.reason
    assert 'name_starts_with = "E"' in first.reason
    assert (second.kind, second.name) == ("empty_rule", 'name_starts_with = "X"')


def test_a_rule_without_a_group_is_reported_only_when_every_list_arrived_whole() -> None:
    book = RuleBook([rule()])
    whole = resolve([], book, flavor="split", linked={}, whole=True)
    assert [skip.kind for skip in whole.skipped] == ["empty_rule"]
    assert resolve([], book, flavor="split", linked={}, whole=False).skipped == []


@pytest.mark.parametrize("kind", ["assigned", "okta_mappings"])
def test_an_app_without_groups_is_no_empty_rule(kind: SourceKind) -> None:
    assert settle(rules=(rule(kind, ""),)).skipped == []


def test_a_mapping_pushes_under_the_name_of_its_app_group_and_links_or_creates() -> None:
    found = claim(okta_group(), RuleBook([rule("okta_mappings", "")]), frozenset(), {"00g1": mapping()})
    assert found is not None
    assert (found.wanted.target_name, found.wanted.action) == ("eng-app", "either")
    unnamed = claim(
        okta_group(), RuleBook([rule("okta_mappings", "")]), frozenset(), {"00g1": mapping(target=None)}
    )
    assert unnamed is not None
    assert unnamed.wanted.target_name == "Eng"


@pytest.mark.parametrize("status", ["INACTIVE", "ERROR", "SOMETHING_NEW", ""])
def test_a_mapping_that_is_not_active_freezes_its_group(status: str) -> None:
    found = claim(okta_group(), RuleBook([rule("okta_mappings", "")]), frozenset(), {"00g1": mapping(status)})
    assert found is not None
    assert found.wanted.state is GroupState.FROZEN
    assert status in found.wanted.reason
    (settled,) = settle(found).wanted
    assert settled.state is GroupState.FROZEN


def test_a_rule_before_the_mappings_decides_and_the_mappings_state_does_not_count() -> None:
    book = RuleBook([rule(), rule("okta_mappings", "")])
    found = claim(okta_group(), book, frozenset(), {"00g1": mapping("ERROR")})
    assert found is not None
    assert (found.wanted.state, found.also) == (GroupState.PUSHED, (1,))


def test_two_groups_that_want_one_name_are_both_frozen_and_name_each_other() -> None:
    resolved = settle(new("00g1", "Eng"), new("00g2", "Eng"))
    assert pushed_ids(resolved) == []
    assert "00g2" in resolved.wanted[0].reason
    assert "00g1" in resolved.wanted[1].reason


def test_two_links_to_one_target_are_a_conflict_too() -> None:
    resolved = settle(
        new("00g1", "A", action="link", target="T"), new("00g2", "B", action="link", target="T")
    )
    assert pushed_ids(resolved) == []


def test_a_directory_group_gives_way_to_the_only_okta_group_of_that_name() -> None:
    resolved = settle(new("00g1", "Eng", type="APP_GROUP"), new("00g2", "Eng"))
    assert pushed_ids(resolved) == ["00g2"]
    assert resolved.wanted[0].state is GroupState.FROZEN


def test_a_directory_group_alone_is_pushed() -> None:
    assert pushed_ids(settle(new("00g1", "Eng", type="APP_GROUP"))) == ["00g1"]


@pytest.mark.parametrize("types", [("APP_GROUP", "APP_GROUP"), ("OKTA_GROUP", "OKTA_GROUP", "APP_GROUP")])
def test_giving_way_needs_exactly_one_group_to_give_way_to(types: tuple[str, ...]) -> None:
    claims = [new(f"00g{index}", "Eng", type=kind) for index, kind in enumerate(types)]
    assert pushed_ids(settle(*claims)) == []


@pytest.mark.parametrize("kind", ["OKTA_GROUP", "APP_GROUP"])
def test_a_linked_group_keeps_its_name_against_any_newcomer(kind: str) -> None:
    linked = new("00g2", "Eng", type=kind)
    resolved = settle(new("00g1", "Eng"), linked, linked={"00g2": "Eng"})
    assert pushed_ids(resolved) == ["00g2"]


def test_a_linked_group_holds_its_name_at_the_target_and_not_its_new_one_in_okta() -> None:
    moved = new("00g1", "Engineers")
    assert pushed_ids(settle(moved, new("00g2", "Eng"), linked={"00g1": "Eng"})) == ["00g1"]
    assert pushed_ids(settle(moved, new("00g2", "Engineers"), linked={"00g1": "Eng"})) == ["00g1", "00g2"]


def test_a_rename_and_a_newcomer_do_not_both_get_the_name() -> None:
    moved = new("00g1", "Engineers", rename=True)
    resolved = settle(moved, new("00g2", "Engineers"), linked={"00g1": "Eng"})
    assert "00g2" not in pushed_ids(resolved)


def test_a_linked_group_that_has_a_name_is_not_stopped_by_a_rename_to_it() -> None:
    moved = new("00g1", "Dev", rename=True, type="APP_GROUP")
    resolved = settle(moved, new("00g2", "Dev"), linked={"00g1": "Eng", "00g2": "Dev"})
    assert "00g2" in pushed_ids(resolved)


def test_two_renames_to_one_name_are_not_both_planned() -> None:
    moving = [new("00g1", "Engineers", rename=True), new("00g2", "Engineers", rename=True, type="APP_GROUP")]
    resolved = settle(*moving, linked={"00g1": "Eng", "00g2": "Dev"})
    renaming = [
        group.okta_id
        for group in resolved.wanted
        if group.state is GroupState.PUSHED and group.rename and group.target_name == "Engineers"
    ]
    assert len(renaming) < 2


def test_two_linked_groups_may_swap_their_names() -> None:
    swapped = [new("00g1", "B", rename=True), new("00g2", "A", rename=True)]
    assert pushed_ids(settle(*swapped, linked={"00g1": "A", "00g2": "B"})) == ["00g1", "00g2"]


@pytest.mark.parametrize("name", ["Eng.A", "Eng-A", "Eng A", "Eng_A"])
def test_on_harness_names_that_derive_one_identifier_are_a_conflict(name: str) -> None:
    claims = [new("00g1", name)] + [
        new(f"00g{n}", other) for n, other in enumerate(["Eng A", "Eng.A"], 2) if other != name
    ]
    assert pushed_ids(settle(*claims, flavor="harness")) == []
    assert len(pushed_ids(settle(*claims, flavor="scim"))) == len(claims)
    assert len(pushed_ids(settle(*claims, flavor="split"))) == len(claims)


def test_on_harness_a_linked_group_keeps_its_identifier() -> None:
    resolved = settle(new("00g1", "Eng A"), new("00g2", "Eng-A"), flavor="harness", linked={"00g2": "Eng-A"})
    assert pushed_ids(resolved) == ["00g2"]


def test_the_groups_come_out_sorted_whatever_order_okta_lists_them_in() -> None:
    claims = [new("00g3", "C"), new("00g1", "A"), new("00g2", "B")]
    assert settle(*claims).wanted == settle(*reversed(claims)).wanted
    assert pushed_ids(settle(*claims)) == ["00g1", "00g2", "00g3"]


@pytest.mark.parametrize(
    ("kind", "every", "assigned", "mappings"),
    [
        ("id", False, False, False),
        ("name", True, False, False),
        ("name_starts_with", True, False, False),
        ("name_ends_with", True, False, False),
        ("name_contains", True, False, False),
        ("description_contains", True, False, False),
        ("assigned", False, True, False),
        ("okta_mappings", False, False, True),
    ],
)
def test_a_rule_book_says_what_must_be_read(
    kind: SourceKind, every: bool, assigned: bool, mappings: bool
) -> None:
    book = RuleBook([rule("id", "00g7"), rule(kind, "00g9")])
    assert (book.needs_every_group, book.needs_assigned, book.needs_mappings) == (every, assigned, mappings)
    assert book.ids == (("00g7", "00g9") if kind == "id" else ("00g7",))


def test_a_link_by_hand_takes_the_naming_and_the_end_of_a_group_from_its_rule() -> None:
    group = OktaGroup("00g1", "Crew of the ship", "", "OKTA_GROUP", None)
    rule = PushRule(GroupSource("name", group.name), action="create", rename=True, on_removal="delete")

    ruled = claim(group, RuleBook([rule]), (), {})
    by_hand = linked_by_hand(group, ruled, "eng").wanted
    without_rule = linked_by_hand(group, None, "eng").wanted

    assert (by_hand.action, by_hand.target_name, by_hand.rename, by_hand.on_removal) == (
        "link",
        "eng",
        False,
        "keep",
    )
    assert (without_rule.state, without_rule.rule) == (GroupState.PUSHED, "linked by hand")
