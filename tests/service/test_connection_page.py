"""The page of one connection, as text, over a real server with a real store, and as Chromium shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.core.change import ChangeKind
from syncd.core.plan import Hold
from syncd.core.waiting import Waiting
from syncd.errors import SyncdError
from syncd.service.board import Board
from syncd.service.connection_page import ROWS_AT_MOST, connection_page
from syncd.service.http import serving
from syncd.service.server_thread import Server
from syncd.service.statuses import Statuses
from syncd.settings import ConnectionSettings
from tests.browser.chrome import DESKTOP, PHONE, Browser
from tests.service.showing import HOSTILE, NOW
from tests.service.test_http import ask
from tests.settings.making import MINIMAL, settings
from tests.store.making import NOON, Place, change


def rows(count: int, **changed: Any) -> list[dict[str, Any]]:
    return [
        {
            "kind": "conflict",
            "type": "user",
            "object": f"p{number:05}@example.com",
            "group": None,
            "okta_id": f"00u{number:05}",
            "reason": "the target has another one",
            "since": "2026-03-01T10:00:00Z",
            "next_look": None,
            "advice": "",
            "way_out": f"syncd -c /etc/syncd/acme.toml link --user p{number:05}@example.com",
        }
        | changed
        for number in range(count)
    ]


def held(count: int) -> list[dict[str, Any]]:
    return [
        {
            "hold": "h1",
            "kind": "deactivate_user",
            "object": f"l{number}@example.com",
            "reason": "left the app",
            "check": "12 deactivations are over the limit",
            "since": "2026-03-01T10:00:00Z",
            "way_out": f"syncd -c /etc/syncd/acme.toml approve c{number}",
            "other_way_out": f"syncd -c /etc/syncd/acme.toml reject c{number}",
        }
        for number in range(count)
    ]


def everything(**changed: Any) -> dict[str, Any]:
    return {
        "connection": "acme",
        "named": [],
        "left_out": rows(3),
        "held": held(2),
        "compared_at": "2026-03-01T10:00:00Z",
        "drift_told": "1 difference: 1 to give back",
        "drift": [
            {
                "kind": "missing_user",
                "object": "gone@example.com",
                "reason": "deleted at the target",
                "repair": "made again",
                "way_out": "syncd -c /etc/syncd/acme.toml drift --fix --user 00ugone",
            }
        ],
    } | changed


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


# --- what it says -----------------------------------------------------------------------------------


def test_every_entry_carries_its_command_whole() -> None:
    html = connection_page(everything(), NOW).html

    for command in (
        "syncd -c /etc/syncd/acme.toml link --user p00002@example.com",
        "syncd -c /etc/syncd/acme.toml approve c1",
        "syncd -c /etc/syncd/acme.toml reject c1",
        "syncd -c /etc/syncd/acme.toml drift --fix --user 00ugone",
    ):
        assert f"<code>{command}</code>" in html


def test_it_shows_ten_thousand_rows_and_counts_the_rest() -> None:
    html = connection_page(everything(left_out=rows(ROWS_AT_MOST + 5)), NOW).html

    assert html.count("link --user p") == ROWS_AT_MOST
    assert "10,005 objects, the first 10,000 of them" in text(html)


def test_a_search_shows_what_has_all_its_words_in_any_letters() -> None:
    html = connection_page(everything(left_out=rows(50)), NOW, search="P00007 Another").html

    assert "p00007@example.com" in html
    assert "p00008@example.com" not in html
    assert "1 of 50 objects" in text(html)
    assert "0 of 2 changes" in text(html)
    assert 'value="p00007 another"' in html


def test_hostile_names_and_searches_are_harmless() -> None:
    html = connection_page(
        everything(left_out=rows(1, object=HOSTILE, reason=HOSTILE)), NOW, search=HOSTILE[:10]
    ).html

    assert "<script" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_nothing_to_tell_is_said_too() -> None:
    said = text(connection_page(everything(left_out=[], held=[], drift=[], compared_at=None), NOW).html)

    assert "0 objects" in said
    assert "Split was not compared yet" in said


# --- served -----------------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Server, ConnectionSettings]]:
    one = settings(f'state = "{tmp_path}/state"\n{MINIMAL}')
    with Place(one.store_path).open(one.name) as store:
        store.wait([Waiting("user:00u-ann", "conflict", "ann@example.com", "taken", NOON)])
        gone = change(ChangeKind.DEACTIVATE_USER, "00u-ben", active=False)
        store.raise_holds([(Hold("h1", "deactivations", "too many", "approve", {}, 1), [gone])], whole=True)

    with Statuses(lambda: [one], clock=lambda: NOON) as statuses:

        def lists_of(name: str) -> Any:
            if name == "broken":
                raise SyncdError("the file is damaged")
            return statuses.lists(name)

        with serving(("127.0.0.1", 0), Board(), statuses, full_intervals=dict, lists_of=lists_of) as server:
            yield server, one


def test_it_is_served_under_the_connections_name(served: tuple[Server, ConnectionSettings]) -> None:
    server, one = served

    answer = ask(server, f"/connections/{one.name}?q=ann")

    assert answer.status == 200
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert f"syncd -c {one.path} link --user ann@example.com" in answer.text
    assert ask(server, f"/connections/{one.name}").text.count(" approve ") == 1


def test_what_is_not_served_or_cannot_be_read_is_said(served: tuple[Server, ConnectionSettings]) -> None:
    server, _ = served

    assert ask(server, "/connections/other").status == 404
    assert ask(server, "/connections/").status == 404
    broken = ask(server, "/connections/broken")
    assert (broken.status, broken.text) == (503, "The store cannot be read: the file is damaged\n")
    assert ask(server, "/connections/split-prod", "POST").status == 405


# --- in a browser -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits(browser: Browser, tmp_path: Path, size: Any, scheme: Any) -> None:
    page = tmp_path / "page.html"
    page.write_text(connection_page(everything(), NOW).html, encoding="utf-8")

    tab = browser.open(page.as_uri(), size=size, scheme=scheme)

    assert tab.violations() == []
