"""Changes and the evidence behind removals."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core import evidence
from syncd.core.canonical import canonical
from syncd.core.change import (
    GROUP_KINDS,
    MEMBERSHIPS,
    RANK,
    REMOVALS,
    Change,
    ChangeKind,
    Json,
    Removal,
    change_document,
    change_from_document,
    change_text,
    revised,
)
from syncd.core.diff import Decision, decide_user, differing
from syncd.model import Absent, UserCase
from tests.core.making import (
    ANN,
    APP,
    GONE,
    NOW,
    SAID,
    addition,
    deactivation,
    hours,
    known,
    okta_group,
    policy,
    proof,
    pushed,
    quick,
    update,
    wish,
)

texts = st.text(st.characters(), max_size=12)
"""Any text, with NUL, lone surrogates and everything beyond the first plane."""
scalars = st.one_of(texts, st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))
nullable: st.SearchStrategy[Json] = st.one_of(st.none(), scalars)
paths = st.sampled_from(["userName", "name.givenName", "emails[work].value", "title", "\x00\ud800"])
attributes = st.dictionaries(paths, scalars)
differences = st.dictionaries(paths, nullable)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    kind = draw(st.sampled_from(ChangeKind))
    fields: dict[str, Any] = {
        "kind": kind,
        "okta_id": draw(texts),
        "scim_id": draw(st.one_of(st.none(), texts)),
        "name": draw(texts),
        "before": draw(differences),
        "after": draw(differences),
        "reason": draw(texts),
        "note": draw(texts),
    }
    if kind in MEMBERSHIPS:
        fields |= {"group_id": draw(texts), "group": draw(texts), "user": draw(texts)}
    else:
        fields["via"] = draw(st.one_of(st.none(), texts))
    if kind in REMOVALS:
        return Removal(**fields, evidence=evidence.Witnessed(draw(texts.filter(bool))))
    return Change(**fields)


@quick
@given(changes())
def test_the_text_of_a_change_is_the_canonical_json_of_its_document(change: Change) -> None:
    assert change_text(change) == canonical(change_document(change))


@quick
@given(changes())
def test_the_id_of_a_change_is_a_digest_of_canonical_json(change: Change) -> None:
    wish = [change.kind.value, change.okta_id, change.group_id, dict(change.before), dict(change.after)]
    assert change.id == hashlib.blake2b(canonical(wish).encode(), digest_size=8).hexdigest()


def test_a_change_cannot_be_altered() -> None:
    with pytest.raises(AttributeError):
        update().okta_id = "00u2"  # type: ignore[misc]


def test_the_same_wish_has_the_same_id_in_the_next_plan() -> None:
    assert update().id == update().id
    assert len(update().id) == 16
    assert int(update().id, 16) >= 0
    assert update(before={"a": 1, "b": 2}).id == update(before={"b": 2, "a": 1}).id


def test_the_id_is_the_same_in_every_release() -> None:
    assert update().id == "73e3dbe16c840509"


@pytest.mark.parametrize(
    "changed",
    [
        {"reason": "for another reason"},
        {"scim_id": "s2"},
        {"scim_id": None},
        {"name": "x"},
        {"note": "careful"},
    ],
)
def test_reason_note_and_labels_do_not_change_the_id(changed: dict[str, Any]) -> None:
    assert update(**changed).id == update().id


@pytest.mark.parametrize(
    "why",
    [
        SAID,
        evidence.AskedByOperator("unlink"),
        evidence.Witnessed("x"),
        evidence.TwoCompleteReads(proof(), proof(at=NOW + hours(1))),
    ],
)
def test_evidence_does_not_change_the_id(why: evidence.Evidence | evidence.Witnessed) -> None:
    assert deactivation(evidence=why).id == deactivation().id


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": ChangeKind.ADOPT_USER},
        {"okta_id": "00u2"},
        {"before": {"displayName": None}},
        {"before": {}},
        {"after": {"displayName": "Ann  Lee"}},
        {"after": {"displayName": "Ann Lee", "title": None}},
        {"before": {"displayName": "Ann Lee"}, "after": {"displayName": "Ann"}},
    ],
)
def test_kind_object_before_and_after_make_the_id(changed: dict[str, Any]) -> None:
    assert update(**changed).id != update().id


def test_a_value_and_its_spelling_have_different_ids() -> None:
    ids = {
        update(after={"title": value}).id for value in (1, "1", True, "true", None, "null", 1.5, "", 0, False)
    }
    assert len(ids) == 10


def test_one_user_in_two_groups_is_two_changes() -> None:
    assert addition(group_id="00g1").id != addition(group_id="00g2").id
    assert addition(group="Old name").id == addition(group="New name").id


@pytest.mark.parametrize("kind", sorted(REMOVALS))
def test_a_removal_cannot_be_built_as_a_plain_change(kind: ChangeKind) -> None:
    with pytest.raises(TypeError, match="needs evidence"):
        update(kind=kind, group_id="00g1" if kind in MEMBERSHIPS else None)


def test_a_removal_cannot_be_built_without_evidence() -> None:
    with pytest.raises(TypeError, match="evidence"):
        Removal(ChangeKind.DEACTIVATE_USER, "00u1", "s1", ANN, {}, {}, "left the app")  # type: ignore[call-arg]


@pytest.mark.parametrize("nothing", [None, "", "trust me", True, Absent("app user 00u1", "gone"), proof()])
def test_what_is_no_evidence_builds_no_removal(nothing: Any) -> None:
    with pytest.raises(TypeError):
        deactivation(evidence=nothing)


@pytest.mark.parametrize("kind", sorted(set(ChangeKind) - REMOVALS))
def test_evidence_does_not_make_a_removal_of_what_is_none(kind: ChangeKind) -> None:
    with pytest.raises(TypeError, match="not a removal"):
        deactivation(kind=kind, group_id="00g1" if kind in MEMBERSHIPS else None)


def test_a_removal_cannot_lose_its_evidence_on_the_way() -> None:
    assert revised(deactivation(), reason="other").evidence == GONE
    with pytest.raises(TypeError, match="no evidence"):
        revised(deactivation(), evidence=None)


def test_a_group_id_belongs_to_memberships_and_only_to_them() -> None:
    with pytest.raises(TypeError, match="group_id"):
        update(group_id="00g1")
    with pytest.raises(TypeError, match="group_id"):
        addition(group_id=None)


def test_additions_come_before_removals_and_users_before_their_memberships() -> None:
    assert [kind.value for kind in sorted(ChangeKind, key=lambda kind: RANK[kind])] == [
        "adopt_user",
        "create_user",
        "reactivate_user",
        "update_user",
        "create_group",
        "link_group",
        "rename_group",
        "add_member",
        "remove_member",
        "deactivate_user",
        "unlink_group",
        "delete_group",
    ]


def test_the_order_of_changes_does_not_depend_on_the_order_they_were_found_in() -> None:
    found = [
        deactivation(),
        addition(user="b", name="b"),
        addition(),
        addition(group="Aaa"),
        update(name="z"),
        update(),
    ]
    other_way = found[::-1]
    found.sort(key=lambda change: change.order)
    other_way.sort(key=lambda change: change.order)
    assert found == other_way
    assert found[-1] == deactivation()


def test_failures_are_remembered_by_object_and_not_by_change() -> None:
    assert update().object_key == deactivation().object_key == "user:00u1"
    assert addition().object_key == "member:00g1:00u1"
    assert {update(kind=kind).object_key for kind in GROUP_KINDS - REMOVALS} == {"group:00u1"}


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        (update(), set()),
        (addition(), {"group", "user", "group_id"}),
        (deactivation(), {"evidence"}),
        (deactivation(note="careful"), {"evidence", "note"}),
    ],
)
def test_a_document_has_what_the_contract_names(change: Change, keys: set[str]) -> None:
    always = {"id", "kind", "okta_id", "scim_id", "name", "before", "after", "reason"}
    assert set(change_document(change)) == always | keys


@quick
@given(changes())
def test_a_change_survives_its_document(change: Change) -> None:
    text = json.dumps(change_document(change))
    back = change_from_document(json.loads(text))
    assert back == change
    assert (type(back), back.id) == (type(change), change.id)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "0" * 16),
        ("kind", "reactivate_user"),
        ("okta_id", "00u2"),
        ("before", {}),
        ("after", {"displayName": "Eve"}),
    ],
)
def test_a_change_that_was_edited_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match="was edited"):
        change_from_document({**change_document(update()), field: value})


def test_a_removal_in_a_document_needs_its_evidence_too() -> None:
    document = change_document(deactivation())
    del document["evidence"]
    with pytest.raises(KeyError, match="evidence"):
        change_from_document(document)


def test_evidence_from_a_document_is_enough_to_show_and_keeps_its_sentence() -> None:
    back = change_from_document(change_document(deactivation()))
    assert isinstance(back, Removal)
    assert back.evidence == evidence.Witnessed(str(GONE))


@quick
@given(attributes, attributes)
def test_what_differs_turns_one_into_the_other(have: dict[str, Any], want: dict[str, Any]) -> None:
    before, after = differing(have, want)
    assert set(before) == set(after)
    made = {name: value for name, value in {**have, **after}.items() if value is not None}
    undone = {name: value for name, value in {**want, **before}.items() if value is not None}
    assert made == want
    assert undone == have
    assert list(after) == sorted(after)


@quick
@given(attributes, attributes)
def test_only_what_differs_is_named(have: dict[str, Any], want: dict[str, Any]) -> None:
    before, after = differing(have, want)
    assert all(before[name] != after[name] or type(before[name]) is not type(after[name]) for name in after)


@quick
@given(attributes)
def test_a_wish_that_equals_what_was_pushed_needs_nothing(wanted: dict[str, Any]) -> None:
    case = UserCase("00u1", known(last=pushed(dict(wanted))), wish(wanted))
    assert decide_user(case, policy(), None) == Decision()


@quick
@given(attributes, attributes)
def test_a_wish_that_was_carried_out_is_not_wished_again(have: dict[str, Any], want: dict[str, Any]) -> None:
    decision = decide_user(UserCase("00u1", known(last=pushed(have)), wish(want)), policy(), None)
    assert isinstance(decision, Decision)
    now = dict(have)
    for change in decision.changes:
        now |= {name: value for name, value in change.after.items() if value is not None}
        for name in [name for name, value in change.after.items() if value is None]:
            del now[name]
    again = decide_user(UserCase("00u1", known(last=pushed(now)), wish(want)), policy(), None)
    assert again == Decision()


def test_absence_by_id_needs_an_active_app() -> None:
    gone = Absent("app user 00u1", "Not found: Resource not found: 00u1 (AppUser)")
    assert "00u1" in str(evidence.AbsentById(gone, APP))
    for status in ("INACTIVE", "DELETED", "active", ""):
        with pytest.raises(ValueError, match="no witness"):
            evidence.AbsentById(gone, replace(APP, status=status))


def test_a_404_that_names_the_app_is_no_witness_for_a_user() -> None:
    with pytest.raises(ValueError, match="no witness"):
        evidence.AbsentById(Absent("app user 00u1", "Not found: Resource not found: 0oa1 (AppInstance)"), APP)


def test_the_users_own_list_must_lack_the_group() -> None:
    assert "Eng" in str(evidence.NotInUsersGroups("00u1", okta_group(), frozenset({"00g2"})))
    with pytest.raises(ValueError, match="no witness"):
        evidence.NotInUsersGroups("00u1", okta_group(), frozenset({"00g1", "00g2"}))


def test_two_complete_reads_must_be_two_and_of_one_list() -> None:
    first, second = proof(), proof(at=NOW + hours(0.1))
    assert "agree" in str(evidence.TwoCompleteReads(first, second))
    with pytest.raises(ValueError, match="no witness"):
        evidence.TwoCompleteReads(first, first)
    with pytest.raises(ValueError, match="no witness"):
        evidence.TwoCompleteReads(first, proof("the members of Eng"))


def test_silence_is_no_word_of_oktas() -> None:
    with pytest.raises(ValueError, match="no witness"):
        evidence.SaidByOkta("")


@pytest.mark.parametrize("kind", [evidence.AskedByOperator, evidence.Witnessed])
def test_an_empty_statement_is_no_witness_of_any_kind(
    kind: type[evidence.AskedByOperator | evidence.Witnessed],
) -> None:
    with pytest.raises(ValueError, match="no witness"):
        kind("")
