"""What people read: plans, runs, checks and status as lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.canonical import CanonicalTexts, canonical, canonical_pieces
from syncd.core.plan import Signature, digest_of
from syncd.report import jsondoc
from syncd.report.held_text import decided_lines, released_lines
from syncd.report.lines import Line, plain, who_is_left
from syncd.report.plan_text import plan_lines
from syncd.report.text import check_lines, duration, run_lines, status_lines


def change(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{kind}-{name}",
        "kind": kind,
        "okta_id": "00u1",
        "name": name,
        "before": {},
        "after": {},
        "reason": "assigned directly",
        **more,
    }


def plan_text(
    changes: list[dict[str, Any]],
    holds: list[tuple[dict[str, Any], list[dict[str, Any]]]] | None = None,
    skipped: list[dict[str, str]] | None = None,
) -> str:
    counts: dict[str, int] = {}
    for one in changes:
        counts[one["kind"]] = counts.get(one["kind"], 0) + 1
    return plain(plan_lines({"summary": counts, "skipped": skipped or []}, changes, holds or []))


def test_a_plan_groups_changes_by_kind_and_sums_up_in_one_line() -> None:
    text = plan_text(
        [
            change(
                "create_user",
                "ada@example.com",
                after={"userName": "ada@example.com", "displayName": "Ada L"},
            ),
            change("create_user", "bob@example.com"),
            change("deactivate_user", "eve@example.com", evidence="Okta answers 404 for app user 00u9"),
        ]
    )

    assert "Users to create (2)\n  + ada@example.com  assigned directly\n" in text
    assert 'displayName "Ada L"' in text
    assert "  - eve@example.com" in text
    assert "evidence: Okta answers 404" in text
    assert text.endswith("Plan: 2 to create, 1 to deactivate.\n")


def test_an_update_shows_each_attribute_before_and_after() -> None:
    text = plan_text(
        [
            change(
                "update_user",
                "ada@example.com",
                before={"displayName": "Ada", "title": "Dr"},
                after={"displayName": "Ada L", "title": None},
            )
        ]
    )

    assert 'displayName: "Ada" → "Ada L"' in text
    assert 'title: "Dr" → (not set)' in text


def test_a_membership_names_user_and_group() -> None:
    text = plan_text(
        [
            change("add_member", "ada@example.com", group="Engineering", user="ada@example.com"),
            change(
                "remove_member", "bob@example.com", group="Engineering", user="bob@example.com", evidence="x"
            ),
        ]
    )

    assert "+ ada@example.com to Engineering" in text
    assert "- bob@example.com from Engineering" in text


def test_held_changes_come_with_numbers_and_the_way_out() -> None:
    hold = {
        "id": "h1",
        "reason": "12 of 40 users would be deactivated",
        "way_out": "allow more once with --allow deactivations=12",
        "numbers": {"planned": 12, "allowed": 4},
        "count": 2,
    }
    text = plan_text([], [(hold, [change("deactivate_user", "eve@example.com")] * 2)])

    assert "Held h1: 2 changes  12 of 40 users would be deactivated" in text
    assert "numbers: allowed 4, planned 12" in text
    assert "way out: allow more once with --allow deactivations=12" in text
    assert text.endswith("Plan: nothing to change; 2 held.\n")


def test_notes_and_skipped_objects_are_told_with_their_reasons() -> None:
    text = plan_text(
        [change("deactivate_user", "eve@example.com", note="Harness removes a deactivated user")],
        skipped=[
            {"kind": "conflict", "okta_id": "00u2", "name": "x@example.com", "reason": "two users want it"}
        ],
    )

    assert "note: Harness removes a deactivated user" in text
    assert "x@example.com (00u2)  conflict: two users want it" in text
    assert text.endswith("1 to deactivate; 1 skipped.\n")


def test_a_long_plan_shows_fifty_of_a_kind_and_how_many_more() -> None:
    text = plan_text([change("create_user", f"u{number}@example.com") for number in range(990)])

    assert text.count("  + u") == 50
    assert "… and 940 more (use --all, --json or -o FILE to see all)" in text


def test_an_empty_plan_is_one_line() -> None:
    assert plan_text([]) == "Plan: nothing to change.\n"


HOSTILE = "\x1b]0;owned\x07\u202eevil\nPlan: nothing"


@pytest.mark.parametrize(
    "lines",
    [
        plan_lines(
            {
                "summary": {"update_user": 1},
                "skipped": [{"kind": HOSTILE, "okta_id": "", "name": HOSTILE, "reason": HOSTILE}],
            },
            [
                change(
                    "update_user",
                    HOSTILE,
                    reason=HOSTILE,
                    evidence=HOSTILE,
                    note=HOSTILE,
                    before={HOSTILE: HOSTILE},
                    after={"a": HOSTILE},
                )
            ],
            [
                (
                    {
                        "id": HOSTILE,
                        "reason": HOSTILE,
                        "way_out": HOSTILE,
                        "numbers": {HOSTILE: HOSTILE},
                        "count": 1,
                    },
                    [change("add_member", HOSTILE, group=HOSTILE, user=HOSTILE)],
                )
            ],
        ),
        check_lines(
            {
                "connection": HOSTILE,
                "ok": False,
                "checks": [{"name": HOSTILE, "state": "fail", "detail": HOSTILE, "hint": HOSTILE}],
            }
        ),
        released_lines(
            {
                "connection": HOSTILE,
                "decision": "release",
                "items": [{"object": HOSTILE, "okta_id": HOSTILE, "name": HOSTILE}],
            }
        ),
        status_lines(
            {
                "connection": HOSTILE,
                "state": "held",
                "quarantine": {"side": HOSTILE, "reason": HOSTILE, "since": HOSTILE},
                "managed": {"users": 1, "active_users": 1, "groups": 2, "memberships": 3},
                "last_complete_read": HOSTILE,
                "last_complete_read_age_seconds": 1,
                "runs": [],
                "held": [{"id": HOSTILE, "reason": HOSTILE, "changes": 1}],
                "failing": [],
                "unproven": [],
                "left_out": {"count": 0, "by_kind": {}, "items": []},
            }
        ),
        decided_lines({"decision": HOSTILE, "items": [{"kind": HOSTILE, "name": HOSTILE}]}, "And then."),
    ],
)
def test_names_cannot_steer_the_terminal(lines: Iterable[Line]) -> None:
    for line in lines:
        text = "".join(span.text for span in line)

        assert text.replace("→", "").replace("…", "").isprintable(), text


def run_document(**more: Any) -> dict[str, Any]:
    return {
        "schema": "syncd.run/1",
        "run_id": "r1",
        "connection": "split-prod",
        "status": "succeeded",
        "summary": {"applied": {}, "failed": {}, "held": {}, "skipped": {}},
        "requests": {"okta": {"GET 200": 7}, "target": {}},
        "errors": [],
        "holds": [],
        "skipped": [],
        "duration_seconds": 1.25,
        **more,
    }


def test_a_run_without_changes_is_one_line() -> None:
    text = plain(run_lines(run_document()))

    assert text == "Sync succeeded: nothing to change.  1.2 s, 7 requests to Okta, 0 requests to Split\n"


def test_a_run_tells_what_failed_and_when_it_is_tried_again() -> None:
    error = {
        "object": "ada@example.com",
        "kind": "create_user",
        "message": "400",
        "next_attempt": "2026-01-01T00:00:00Z",
    }
    text = plain(
        run_lines(
            run_document(
                status="partial",
                summary={
                    "applied": {"create_user": 3},
                    "failed": {"create_user": 1},
                    "held": {},
                    "skipped": {},
                },
                errors=[error],
            )
        )
    )

    assert "create_user ada@example.com: 400" in text
    assert "next try 2026-01-01T00:00:00Z" in text
    assert "Sync partial: 3 created; 1 failed." in text


def test_a_hint_that_many_errors_share_is_said_once() -> None:
    errors = [
        {
            "object": name,
            "kind": "create_user",
            "message": "404",
            "hint": "look at base_url",
            "next_attempt": "b",
        }
        for name in ("ada", "bob")
    ]
    text = plain(run_lines(run_document(status="partial", errors=errors)))

    assert text.count("→ look at base_url") == 1


def test_check_lines_say_what_to_do_where_something_is_to_do() -> None:
    document = {
        "connection": "split-prod",
        "ok": False,
        "checks": [
            {"name": "settings", "state": "ok", "detail": "fine", "hint": ""},
            {"name": "Okta token", "state": "fail", "detail": "refused", "hint": "Make a new one."},
        ],
    }
    text = plain(check_lines(document))

    assert "✓ ok    settings    fine" in text
    assert "✗ fail  Okta token  refused\n" in text
    assert "→ Make a new one." in text
    assert text.endswith("split-prod: 1 check failed.\n")


def status_document(**more: Any) -> dict[str, Any]:
    return {
        "schema": "syncd.status/1",
        "connection": "split-prod",
        "state": "well",
        "quarantine": None,
        "managed": {"users": 1, "active_users": 1, "groups": 2, "memberships": 3},
        "last_complete_read": "2026-01-01T00:00:00Z",
        "last_complete_read_age_seconds": 7300,
        "runs": [],
        "held": [],
        "failing": [],
        "unproven": [],
        "left_out": {"count": 0, "by_kind": {}, "items": []},
        "token": None,
        **more,
    }


def test_status_shows_who_is_left_out_and_since_when() -> None:
    item = {
        "kind": "refused_name",
        "object": "Sales",
        "okta_id": "00g1",
        "reason": "the name is too long",
        "since": "2026-01-01T00:00:00Z",
        "next_look": None,
        "group": None,
        "advice": "change the name in Okta",
        "way_out": "syncd -c /etc/acme.toml sync --group Sales",
    }
    more = {**item, "kind": "conflict", "object": "Ann", "next_look": "2026-01-02T00:00:00Z"}
    text = plain(status_lines(status_document(left_out={"count": 7, "items": [item, more]})))
    assert "Left out (7)" in text
    assert "Sales (00g1)  refused name: the name is too long" in text
    assert "since 2026-01-01T00:00:00Z, looked at again 2026-01-02T00:00:00Z; change" in text
    assert "and 5 more: syncd skipped" in text
    assert "      syncd -c /etc/acme.toml sync --group Sales\n" in text


def test_of_two_who_want_one_name_it_is_told_which_is_which() -> None:
    skip = {
        "kind": "conflict",
        "object": "user",
        "okta_id": "00u1",
        "name": "same@example.com",
        "reason": "two",
    }
    other = {**skip, "kind": "frozen", "okta_id": "00u2"}
    assert [who_is_left(each) for each in (skip, other)] == ["same@example.com (00u1)", "same@example.com"]


def test_status_shows_age_runs_failures_and_the_token() -> None:
    document = status_document(
        state="failing",
        runs=[
            {
                "run_id": "r1",
                "kind": "full",
                "started": "2026-01-01T00:00:00Z",
                "finished": None,
                "status": None,
                "summary": {},
                "error": None,
            }
        ],
        failing=[
            {
                "object": "eve",
                "kind": "update_user",
                "message": "400",
                "attempts": 1,
                "since": "a",
                "next_attempt": "b",
            }
        ],
        token={"created": "2025-06-01", "expires_in_days": 12},
    )
    text = plain(status_lines(document))

    assert "1 user (1 active), 2 groups, 3 memberships" in text
    assert "(2 h ago)" in text
    assert "2026-01-01T00:00:00Z  r1  full  unfinished" in text
    assert "1 try since a, next b" in text
    assert "syncd retry" in text
    assert "expires in 12 days" in text


def test_status_shows_what_is_held_and_how_to_decide() -> None:
    hold = {"id": "h12", "check": "deactivations", "reason": "5 users would be removed", "changes": 5}

    text = plain(status_lines(status_document(state="held", held=[hold])))

    assert "Held (5 changes)\n  h12: 5 changes  5 users would be removed\n" in text
    assert "syncd approve ID" in text


@pytest.mark.parametrize(
    ("side", "way_out"),
    [("okta", "asks Okta once"), ("split", "asks Split once"), ("relink", "syncd relink")],
)
def test_status_shows_a_quarantine_and_how_it_ends(side: str, way_out: str) -> None:
    sick = {"side": side, "reason": "401", "since": "2026-01-01T00:00:00Z", "next_probe": "x", "probes": 2}

    text = plain(status_lines(status_document(state="quarantined", quarantine=sick)))

    assert "Quarantined since 2026-01-01T00:00:00Z: 401\n" in text
    assert way_out in text
    assert "Nothing is written until then." in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172800, "2 d")]
)
def test_durations_read_naturally(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# documents


def test_a_document_is_sorted_ascii_and_ends_its_line() -> None:
    text = jsondoc.dumps({"b": "Zoë\u202e\x1b", "a": 1})

    assert text.isascii()
    assert text.endswith("}\n")
    assert text.index('"a"') < text.index('"b"')
    assert json.loads(text) == {"b": "Zoë\u202e\x1b", "a": 1}


@pytest.mark.parametrize("changes", [[], [{"id": "1", "after": {"a": "x\ny", "b": []}}, {"id": "2"}]])
def test_a_document_in_pieces_is_the_same_document(changes: list[dict[str, Any]]) -> None:
    document: dict[str, Any] = {"schema": "syncd.plan/1", "empty": [], "nested": {"a": [1, {}]}, "none": None}

    whole = jsondoc.dumps({**document, "changes": changes})

    assert "".join(jsondoc.pieces({**document, "changes": iter(changes)})) == whole
    assert "".join(jsondoc.pieces({**document, "changes": changes})) == whole
    assert "".join(jsondoc.pieces({})) == jsondoc.dumps({})
    mixed = {"a": {1: "one"}, "b": {True: "yes"}}
    assert jsondoc.dumps(mixed) == json.dumps(mixed, sort_keys=True, indent=2) + "\n"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), _VALUES))
def test_documents_are_written_as_the_standard_library_writes_them(document: dict[str, Any]) -> None:
    assert jsondoc.dumps(document) == json.dumps(document, sort_keys=True, indent=2) + "\n"
    assert "".join(jsondoc.pieces(document)) == jsondoc.dumps(document)


@settings(deadline=None)
@given(
    st.dictionaries(st.text(), _VALUES), st.lists(st.dictionaries(st.text(), _VALUES, max_size=3), max_size=3)
)
def test_what_is_streamed_at_any_depth_is_written_like_a_list(
    frame: dict[str, Any], items: list[dict[str, Any]]
) -> None:
    def streamed() -> dict[str, Any]:
        holds = ({**item, "changes": iter(items)} for item in items)
        return {**frame, "changes": iter(items), "holds": holds}

    whole = {**frame, "changes": items, "holds": [{**item, "changes": items} for item in items]}

    assert "".join(jsondoc.pieces(streamed())) == jsondoc.dumps(whole)
    listed = {"schema": jsondoc.LIST_SCHEMA, "items": [whole, frame]}
    assert "".join(jsondoc.list_pieces([streamed(), frame])) == jsondoc.dumps(listed)
    assert "".join(canonical_pieces(streamed())) == canonical(whole)
    assert digest_of(streamed()) == digest_of(whole)


@settings(deadline=None)
@given(st.dictionaries(st.text(), _VALUES), st.lists(_VALUES, max_size=4))
def test_what_is_at_hand_as_canonical_text_is_written_and_signed_like_a_list(
    frame: dict[str, Any], items: list[Any]
) -> None:
    def written() -> dict[str, Any]:
        texts = list(map(canonical, items))
        return {
            **frame,
            "changes": CanonicalTexts(texts),
            "holds": iter([{"changes": CanonicalTexts(texts)}]),
        }

    whole = {**frame, "changes": items, "holds": [{"changes": items}]}

    assert "".join(jsondoc.pieces(written())) == jsondoc.dumps(whole)
    assert "".join(canonical_pieces(written())) == canonical(whole)
    assert digest_of(written()) == digest_of(whole)
    signature = Signature(written())
    signed = {**written(), "changes": CanonicalTexts(signature.over(map(canonical, items)))}
    signed |= {"digest": signature.digest}
    assert "".join(jsondoc.pieces(signed)) == jsondoc.dumps({**whole, "digest": digest_of(whole)})


def test_what_is_no_json_number_is_not_written_from_canonical_text_either() -> None:
    with pytest.raises(ValueError):
        list(jsondoc.pieces({"changes": CanonicalTexts([canonical({"a": float("nan")})])}))


def test_a_plan_is_not_signed_before_all_its_changes_have_passed_by() -> None:
    signature = Signature({"schema": "syncd.plan/1"})
    next(signature.over(["1", "2"]))

    with pytest.raises(RuntimeError, match="part of the changes"):
        signature.digest()


def test_several_documents_are_one_list_sorted_by_connection() -> None:
    documents = [{"schema": "s", "connection": "b"}, {"schema": "s", "connection": "a"}]

    combined = jsondoc.combined(documents, several=True)

    assert combined["schema"] == "syncd.list/1"
    assert [item["connection"] for item in combined["items"]] == ["a", "b"]


def test_one_document_stays_alone() -> None:
    assert jsondoc.combined([{"schema": "s"}], several=False) == {"schema": "s"}
    assert jsondoc.combined([{"schema": "s"}], several=True) == {
        "schema": "syncd.list/1",
        "items": [{"schema": "s"}],
    }
