from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from syncd.report.html import SHOWN_OF_A_KIND, Cycle, Requests, StoryView, story_html

HOSTILE = '"><script>alert(1)</script><img src=https://evil.example/x>\x1b[31m\u202e'
VOID = {"meta", "br", "img", "link", "input"}


class _Page(HTMLParser):
    """Tags and attributes of a page; complains about tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def _change(kind: str, name: str = "ada@example.com", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, "before": {}, "after": {}, "reason": "assigned directly", **more}


def _view(
    *,
    changes: list[dict[str, Any]] | None = None,
    holds: list[dict[str, Any]] | None = None,
    skipped: list[dict[str, str]] | None = None,
    errors: list[dict[str, str]] | None = None,
    differences: tuple[str, ...] = (),
    told: tuple[str, ...] = ("something happened",),
) -> StoryView:
    summary = {"applied": {"create_user": 3}, "failed": {}, "held": {}, "skipped": {}}
    run = {
        "status": "succeeded",
        "summary": summary,
        "skipped": skipped or [],
        "errors": errors or [],
        "duration_seconds": 1.25,
    }
    plan = {"changes": changes or [], "holds": holds or []}
    cycle = Cycle("The first sync", told, plan, run, 0, Requests(7, 0), Requests(1, 3))
    return StoryView(
        "syncd demo", "2026-03-01 10:00 UTC", [cycle], [("People", "3")], [("store", "/x")], differences
    )


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = _Page(story_html(_view(changes=[_change("create_user")])))

    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "href", "style") or name[:2] == "on"]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


def test_hostile_names_are_text_wherever_they_stand() -> None:
    membership = _change("add_member", group=HOSTILE, user=HOSTILE)
    update = _change(
        "update_user", HOSTILE, before={HOSTILE: HOSTILE}, after={HOSTILE: "x"}, reason=HOSTILE, note=HOSTILE
    )
    removal = _change("deactivate_user", HOSTILE, evidence=HOSTILE)
    hold = {"changes": [removal], "reason": HOSTILE, "way_out": HOSTILE, "numbers": {HOSTILE: HOSTILE}}
    text = story_html(
        _view(
            changes=[membership, update, _change(HOSTILE)],
            holds=[hold],
            skipped=[{"kind": HOSTILE, "okta_id": "", "name": HOSTILE, "reason": HOSTILE}],
            errors=[{"object": HOSTILE, "message": HOSTILE}],
            differences=(HOSTILE,),
            told=(HOSTILE,),
        )
    )

    page = _Page(text)
    assert not {"script", "img"} & set(page.tags)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_page_says_whether_all_is_well() -> None:
    assert "Split is exactly as Okta wants it." in story_html(_view())

    wrong = story_html(_view(differences=("ada has no account",)))
    assert "Split is not as Okta wants it" in wrong
    assert "ada has no account" in wrong


def test_what_differs_and_the_evidence_are_shown() -> None:
    update = _change("update_user", before={"displayName": "Ada"}, after={"displayName": None})
    removal = _change("deactivate_user", "bob@example.com", evidence="Okta answers 404")
    text = story_html(_view(changes=[update, removal]))

    assert "&#34;Ada&#34; → (not set)" in text
    assert "evidence: Okta answers 404" in text
    assert "Deactivate user (1)" in text


def test_a_long_list_is_cut_and_says_so() -> None:
    many = [_change("create_user", f"p{number}@example.com") for number in range(SHOWN_OF_A_KIND + 7)]
    text = story_html(_view(changes=many))

    assert "p299@example.com" in text
    assert "p300@example.com" not in text
    assert "and 7 more" in text


def test_the_same_view_is_the_same_page() -> None:
    assert story_html(_view()) == story_html(_view())
