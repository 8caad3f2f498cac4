"""The plan document: what it shows, what its digest covers, and what is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncd.core.change import ChangeKind
from syncd.core.diff import Skipped
from syncd.core.left_alone import LeftAlone
from syncd.core.plan import SCHEMA, Hold, SavedPlan, hold_id, plan_document, read_plan, timestamp
from syncd.errors import RefusedError, UsageError
from tests.core.making import NOW, addition, deactivation, header, hours, plan, quick, signed, update

Edit = Callable[[dict[str, Any]], object]
HOLD = Hold("h1", "deactivations", "too many", "look", {"planned": 9, "allowed": 3}, 1)
SKIP = Skipped("frozen", "00u9", "eve@example.com", "the Okta user is STAGED: not activated yet")


def _full_document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        json.dumps(
            plan_document(
                header(holds=[HOLD], skipped=LeftAlone([SKIP])),
                [update(), addition()],
                {"h1": [deactivation()]},
            )
        )
    )
    return document


def test_a_plan_has_what_the_contract_names() -> None:
    document = _full_document()
    assert set(document) == {
        *("schema", "connection", "kind", "created_at", "base", "summary"),
        *("changes", "holds", "skipped", "digest"),
    }
    assert document["schema"] == SCHEMA == "syncd.plan/1"
    assert document["created_at"] == "2026-11-23T12:00:00Z"
    assert document["base"] == {
        "state_revision": 7,
        "scope": "scope-fingerprint",
        "target": "target-fingerprint",
    }
    assert document["summary"] == {kind.value: 0 for kind in ChangeKind} | {
        "update_user": 1,
        "deactivate_user": 1,
    }
    assert [change["kind"] for change in document["changes"]] == ["update_user", "add_member"]
    assert document["skipped"] == [
        {"kind": "frozen", "okta_id": "00u9", "name": "eve@example.com", "reason": SKIP.reason}
    ]


def test_a_hold_shows_its_check_its_numbers_and_its_changes() -> None:
    (hold,) = _full_document()["holds"]
    assert (hold["id"], hold["check"], hold["reason"], hold["way_out"]) == (
        "h1",
        "deactivations",
        "too many",
        "look",
    )
    assert hold["numbers"] == {"planned": 9, "allowed": 3}
    assert [change["kind"] for change in hold["changes"]] == ["deactivate_user"]
    assert hold["changes"][0]["evidence"]


def test_a_saved_plan_comes_back_as_it_was_without_what_is_held() -> None:
    document = _full_document()
    saved = read_plan(json.dumps(document), "p.json")
    assert (saved.connection, saved.kind, saved.scope, saved.target) == (
        "split-prod",
        "full",
        "scope-fingerprint",
        "target-fingerprint",
    )
    assert saved.changes == (update(), addition())
    assert saved.digest == document["digest"]


def test_a_plan_without_changes_comes_back_empty() -> None:
    assert read_plan(json.dumps(plan([])), "p.json").changes == ()


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_layout_and_escapes_are_no_edits(indent: int | None, ascii_only: bool) -> None:
    document = plan([update(after={"displayName": "Zoë \U0001f9d1\u202e"})])
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    assert len(read_plan(text, "p.json").changes) == 1


def test_one_world_gives_one_plan_apart_from_the_time() -> None:
    changes = [update(), addition(), deactivation()]
    first = plan_document(header(), changes, {})
    second = plan_document(header(created_at=NOW + hours(5)), changes, {})
    assert first.pop("created_at") != second.pop("created_at")
    assert json.dumps(first) == json.dumps(second)


def test_the_order_of_the_changes_is_signed_too() -> None:
    assert plan([update(), addition()])["digest"] != plan([addition(), update()])["digest"]


def _set(*path: str | int, value: object) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return edit


EDITS: dict[str, Edit] = {
    "schema": _set("schema", value="syncd.plan/2"),
    "connection": _set("connection", value="split-dev"),
    "kind": _set("kind", value="targeted"),
    "scope": _set("base", "scope", value="another"),
    "target": _set("base", "target", value="another"),
    "digest": _set("digest", value="sha256:" + "0" * 64),
    "a change taken out": lambda document: document["changes"].pop(),
    "every change taken out": _set("changes", value=[]),
    "a change done twice": lambda document: document["changes"].append(document["changes"][0]),
    "the order turned": lambda document: document["changes"].reverse(),
    "a change added": lambda document: document["changes"].append(
        plan([update(okta_id="00u2")])["changes"][0]
    ),
    **{
        f"{key} of a change": _set("changes", 0, key, value="edited")
        for key in ("id", "kind", "okta_id", "scim_id", "name", "before", "after", "reason", "surplus")
    },
    "a value before": _set("changes", 0, "before", "displayName", value="Eve"),
    "a value after": _set("changes", 0, "after", "displayName", value="Eve"),
    "a group": _set("changes", 1, "group", value="Administrators"),
    "a group id": _set("changes", 1, "group_id", value="00g666"),
    "evidence": _set("changes", 2, "evidence", value="Okta told me"),
    "evidence taken away": lambda document: document["changes"][2].pop("evidence"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_plan_is_refused(edit: Edit) -> None:
    document = plan()
    edit(document)
    with pytest.raises(RefusedError) as refused:
        read_plan(json.dumps(document), "p.json")
    assert refused.value.exit_code == 3
    assert "syncd plan -o FILE" in refused.value.hint


@pytest.mark.parametrize(
    "edit",
    [
        _set("summary", "deactivate_user", value=0),
        _set("base", "state_revision", value=8),
        _set("holds", value=[]),
        _set("holds", 0, "reason", value="all is well"),
        _set("holds", 0, "changes", value=[]),
        _set("skipped", value=[]),
        _set("skipped", 0, "reason", value="all is well"),
    ],
    ids=["summary", "revision", "holds", "hold's reason", "hold's changes", "skipped", "skipped's reason"],
)
def test_an_edit_of_what_people_read_is_refused_too(edit: Edit) -> None:
    document = _full_document()
    edit(document)
    with pytest.raises(RefusedError):
        read_plan(json.dumps(document), "p.json")


@pytest.mark.parametrize("key", ["connection", "kind", "base", "changes", "holds", "digest"])
def test_a_plan_that_lacks_a_part_is_refused(key: str) -> None:
    document = plan()
    del document[key]
    with pytest.raises(RefusedError):
        read_plan(json.dumps(document), "p.json")


@pytest.mark.parametrize(
    "edit",
    [
        _set("changes", 0, "okta_id", value="00u2"),
        _set("changes", 0, "after", value={"displayName": "Eve"}),
        _set("changes", 0, "kind", value="delete_group"),
        _set("changes", 0, "kind", value="no_such_kind"),
        _set("changes", 0, "kind", value=None),
        _set("changes", 0, "kind", value=[]),
        _set("changes", 0, "before", value=7),
        _set("changes", 0, "before", value=None),
        _set("changes", 0, "before", value=[[[1], 2]]),
        _set("changes", 0, "before", value=[["a", 1], [1, 2]]),
        _set("changes", 0, "group_id", value="00g1"),
        _set("changes", 1, "group_id", value=None),
        _set("changes", value="[]"),
        _set("changes", value=None),
        _set("changes", value=[None]),
        _set("changes", value=["x"]),
        _set("changes", value=[[]]),
        lambda document: document["changes"][2].pop("evidence"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_even_under_a_digest_that_fits(edit: Edit) -> None:
    document = plan()
    edit(document)
    with suppress(TypeError):
        document = signed(document)
    with pytest.raises(RefusedError):
        read_plan(json.dumps(document), "p.json")


@pytest.mark.parametrize(
    "edit",
    [
        _set("connection", value=5),
        _set("connection", value=None),
        _set("kind", value=["full"]),
        _set("kind", value="no such kind of plan"),
        _set("base", "scope", value={}),
        _set("base", "target", value=None),
        _set("changes", value={}),
        _set("changes", 0, "scim_id", value=5),
        _set("changes", 0, "scim_id", value=["s1"]),
        _set("changes", 0, "name", value=None),
        _set("changes", 0, "reason", value={"a": 1}),
        _set("changes", 0, "note", value=None),
        _set("changes", 1, "user", value=7),
        _set("changes", 1, "group", value=None),
        _set("changes", 2, "evidence", value=None),
        _set("changes", 2, "evidence", value=""),
        _set("changes", 2, "evidence", value=[]),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_even_under_a_digest_that_fits(edit: Edit) -> None:
    document = plan()
    edit(document)
    with pytest.raises(RefusedError):
        read_plan(json.dumps(signed(document)), "p.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "null",
        "[]",
        "{}",
        '"syncd.plan/1"',
        "7",
        "NaN",
        '{"schema": "syncd.run/1"}',
        '{"schema": ["syncd.plan/1"]}',
        "\ufeff{}",
        "{" * 100_000,
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 100_000,
        "\x00\x01\x02",
        "\ud800",
        "name = 'split'",
        "<html>",
    ],
    ids=range(19),
)
def test_what_is_no_plan_is_a_usage_error_that_names_the_file(text: str) -> None:
    with pytest.raises(UsageError, match=r"p\.json is no saved plan") as refused:
        read_plan(text, "p.json")
    assert refused.value.exit_code == 64
    assert "syncd plan -o FILE" in refused.value.hint


@pytest.mark.parametrize("rest", ["", ', "base": []'])
def test_a_plan_without_its_parts_is_refused(rest: str) -> None:
    with pytest.raises(RefusedError, match=r"p\.json"):
        read_plan(f'{{"schema": "syncd.plan/1"{rest}}}', "p.json")


def test_what_a_plan_holds_and_allows_comes_back_too() -> None:
    held = [deactivation()]
    document = plan_document(header(holds=[HOLD], allow={"deactivations": 4}), [], {"h1": held})
    saved = read_plan(json.dumps(document), "p.json")
    [(hold, changes)] = saved.holds
    assert hold == HOLD
    assert [change.id for change in changes] == [held[0].id]
    assert saved.held() == {ChangeKind.DEACTIVATE_USER: 1}
    assert saved.allow == {"deactivations": 4}


@pytest.mark.parametrize(
    "allow", [[], "deactivations", {"everything": 4}, {"deactivations": -1}, {"deactivations": True}]
)
def test_what_raises_no_limit_is_refused_even_under_a_digest_that_fits(allow: object) -> None:
    document = plan()
    document["allow"] = allow
    with pytest.raises(RefusedError):
        read_plan(json.dumps(signed(document)), "p.json")


def test_a_plan_with_a_nest_deep_inside_is_no_plan() -> None:
    text = json.dumps(plan()).replace('"Ann Lee"', "[" * 100_000 + "]" * 100_000)
    with pytest.raises(UsageError):
        read_plan(text, "p.json")


@quick
@given(st.binary(max_size=60))
@example(b"\xff\xfe{")
def test_random_bytes_are_no_plan(noise: bytes) -> None:
    with pytest.raises(UsageError):
        read_plan(noise.decode("latin-1"), "p.json")


@quick
@given(st.integers(0, 4000), st.text(st.characters(), min_size=1, max_size=3))
def test_a_plan_with_a_scratch_in_its_text_is_refused_or_means_the_same(at: int, scratch: str) -> None:
    text = json.dumps(plan())
    place = at % len(text)
    _survives(text[:place] + scratch + text[place + len(scratch) :])


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(), max_size=6),
        st.sampled_from(["00u1", "add_member", "delete_group", "syncd.plan/1"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(st.characters(), max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def _places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    steps: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    return [place for step, inner in steps for place in [(*path, step), *_places(inner, (*path, step))]]


PLAN = plan()
PLACES = _places(PLAN)


def _mutated(place: tuple[str | int, ...], value: object) -> dict[str, Any]:
    document = copy.deepcopy(PLAN)
    _set(*place, value=value)(document)
    return document


mutated = st.builds(_mutated, st.sampled_from(PLACES), anything)


def _survives(text: str) -> SavedPlan | None:
    try:
        return read_plan(text, "p.json")
    except (RefusedError, UsageError):
        return None


@quick
@given(mutated)
def test_a_mutated_plan_is_refused_or_read_and_nothing_else(document: dict[str, Any]) -> None:
    saved = _survives(json.dumps(document))
    if saved is not None:
        assert document["changes"] == PLAN["changes"]
        assert document["connection"] == PLAN["connection"]


@quick
@given(mutated)
def test_a_mutated_plan_under_a_digest_that_fits_is_refused_or_read_and_nothing_else(
    document: dict[str, Any],
) -> None:
    with suppress(TypeError, KeyError):
        document = signed(document)
    saved = _survives(json.dumps(document))
    if saved is not None:
        assert len(saved.changes) == len(document["changes"])


def test_a_hold_keeps_its_id_whatever_order_its_changes_come_in() -> None:
    assert hold_id("deactivations", ["b", "a"]) == hold_id("deactivations", iter(["a", "b"]))
    assert hold_id("deactivations", ["a"]) != hold_id("empty_app", ["a"])
    assert hold_id("deactivations", ["a"]) != hold_id("deactivations", ["a", "b"])
    assert len(hold_id("deactivations", [])) == 13


def test_times_are_utc_to_the_second() -> None:
    assert timestamp(NOW.replace(microsecond=999_999)) == "2026-11-23T12:00:00Z"
