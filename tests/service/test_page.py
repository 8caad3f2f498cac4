"""The status page, as text and as Chromium shows it."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.service.cards import RUNS_SHOWN, overview
from syncd.service.page import SHOWN, status_page
from tests.browser.chrome import DESKTOP, PHONE, Browser
from tests.service.showing import (
    HOSTILE,
    NOW,
    Shown,
    a_bad_day,
    a_good_day,
    busy,
    cycle,
    document,
    drift,
    failure,
    hold,
    never_synced,
    pause,
    quarantine,
    stored_run,
    windows,
)


def concerns(shown: Shown) -> list[tuple[str, str]]:
    return [(concern.weight, concern.what) for concern in overview(shown.view()).concerns]


def state(shown: Shown) -> str:
    [card] = overview(shown.view()).cards
    return card.state


# --- what it says -----------------------------------------------------------------------------------


def test_it_says_that_all_is_well_only_when_it_is() -> None:
    well = overview(a_good_day().view())
    assert (well.verdict, well.summary) == (
        "All is well",
        "2 connections; Okta was read completely in the last 2 h",
    )
    assert [card.state for card in well.cards] == ["well", "well"]

    bad = overview(a_bad_day().view())
    assert bad.verdict == "8 things need attention"
    assert bad.summary == (
        "5 connections: 1 with broken settings, 1 quarantined, 1 failing, 1 never synced, 1 well"
    )
    assert bad.weight == "bad"


def test_it_says_how_long_changes_take_from_their_event() -> None:
    page = status_page(a_good_day().view()).html

    assert page.count("Event to write") == 2
    assert "half of 48 changes" in page


def test_the_worst_comes_first() -> None:
    weights = [weight for weight, _ in concerns(a_bad_day())]

    assert weights == sorted(weights, key=["bad", "warn", "note"].index)
    assert {"bad", "warn", "note"} == set(weights)


def test_a_first_sync_under_way_is_no_alarm() -> None:
    shown = Shown([never_synced("new")])
    assert concerns(shown) == [("note", "Never synced yet")]

    shown.board.connection("new").began("full", NOW)
    assert concerns(shown) == [("note", "The first sync is under way")]
    assert overview(shown.view()).verdict == "All is well"


def test_a_pause_and_shut_windows_are_said_and_alarm_nobody() -> None:
    refused = stored_run("refused", error="nothing is written: writing is paused")
    shown = Shown([document(state="paused", pause=pause(HOSTILE), runs=[refused])])
    assert concerns(shown) == [("note", "Paused: nothing is written")]
    assert state(shown) == "paused"
    assert overview(shown.view()).verdict == "All is well; writing is paused"
    assert "syncd resume ends it." in status_page(shown.view()).html
    assert "<script>alert" not in status_page(shown.view()).html

    shown = Shown([document(windows=windows(open_now=False), runs=[refused])])
    assert concerns(shown) == [("note", "Nothing is written before 2026-03-02T05:00:00Z")]
    assert concerns(Shown([document(windows=windows(open_now=True))])) == []


def test_drift_that_is_not_syncds_to_repair_promises_no_repair() -> None:
    found = drift(("extra_member", "stranger@example.com"), repair="")
    page = status_page(Shown([document(drift=found)]).view()).html
    assert "none of what is left is syncd&#39;s to give back" in page
    assert "syncd drift --fix" not in page


def test_found_drift_is_on_the_page_with_what_to_do() -> None:
    found = drift(("changed_user", "ada@example.com"), ("extra_member", HOSTILE))
    shown = Shown([document(drift=found)])
    assert concerns(shown) == [("warn", "Split was changed behind syncd's back (2 differences)")]
    page = status_page(shown.view()).html
    assert "syncd drift --fix" in page
    assert "ada@example.com (changed user)" in page
    assert "<script>alert" not in page
    assert concerns(Shown([document(drift=drift())])) == []


def test_a_failed_run_makes_it_failing_though_the_store_says_well() -> None:
    shown = Shown()
    shown.board.connection("split-prod").ended(
        cycle("full", "failed", minutes_ago=5, error="Okta answered 503")
    )

    assert state(shown) == "failing"
    assert concerns(shown) == [("bad", "The last full run failed, 5 min ago")]


def test_a_quiet_delta_ends_the_alarm_of_a_failed_one() -> None:
    shown = Shown()
    made = shown.board.connection("split-prod")
    made.ended(cycle(status="failed", minutes_ago=5))
    assert state(shown) == "failing"

    made.ended(cycle(status="quiet", minutes_ago=4))
    assert (state(shown), concerns(shown)) == ("well", [])


def test_a_good_full_run_ends_the_alarm_of_an_earlier_failed_delta_but_not_of_a_later_one() -> None:
    shown = Shown()
    made = shown.board.connection("split-prod")
    made.ended(cycle(status="failed", minutes_ago=9))
    made.ended(cycle("full", minutes_ago=8))
    assert concerns(shown) == []

    made.ended(cycle(status="failed", minutes_ago=7))
    assert concerns(shown) == [("bad", "The last delta run failed, 7 min ago")]


def test_a_failed_run_of_an_earlier_process_is_not_forgotten() -> None:
    assert concerns(Shown([document(runs=[stored_run("failed", error="disk full")])])) == [
        ("bad", "The last full run failed, 2 h ago")
    ]


def test_a_run_that_was_refused_without_a_hold_is_said() -> None:
    refused = [stored_run("refused", error="Okta's own provisioning is on")]
    assert concerns(Shown([document(runs=refused)])) == [("warn", "The last full run was refused, 2 h ago")]
    held = document(state="held", runs=refused, held=[hold()])
    assert concerns(Shown([held])) == [("warn", "12 changes are held")]


def test_what_a_person_ran_for_one_object_is_not_the_connections_failure() -> None:
    assert concerns(Shown([document(runs=[stored_run("failed", kind="targeted")])])) == []


def test_runs_of_one_second_stay_in_order() -> None:
    newest_first = [stored_run("failed", run_id="r-2"), stored_run("succeeded", run_id="r-1")]
    assert state(Shown([document(runs=newest_first)])) == "failing"
    assert state(Shown([document(runs=newest_first[::-1])])) == "well"


def test_a_run_that_did_not_finish_is_shown_as_such() -> None:
    page = status_page(Shown([document(runs=[stored_run() | {"status": None, "finished": None}])]).view())
    assert "not finished" in page.html


def test_no_complete_read_for_twice_the_interval_makes_it_failing() -> None:
    late = Shown([document(last_complete_read_age_seconds=12 * 3600)])
    assert (state(late), concerns(late)) == ("failing", [("bad", "No complete read for 12 h")])


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (31, []),
        (30, [("warn", "The Split token expires in 30 days")]),
        (1, [("warn", "The Split token expires in 1 day")]),
        (0, [("bad", "The Split token has expired")]),
    ],
)
def test_a_token_that_ends_is_said_in_time(days: int, expected: list[tuple[str, str]]) -> None:
    token = {"created": "2025-03-01", "expires_in_days": days}
    assert concerns(Shown([document(token=token)])) == expected


def test_a_store_that_cannot_be_read_is_the_worst_news() -> None:
    shown = Shown([])
    shown.intervals = {"split-prod": 60.0}
    found = overview(shown.view())
    assert [(card.name, card.state) for card in found.cards] == [("split-prod", "unknown")]
    assert [concern.what for concern in found.concerns] == ["Its status is not known"]


def test_runs_of_the_store_and_of_this_process_are_told_once() -> None:
    shown = Shown(
        [
            document(
                runs=[stored_run(run_id="same"), stored_run(run_id="older", started=stored_run()["started"])]
            )
        ]
    )
    shown.board.connection("split-prod").ended(cycle("full", run_id="same"))
    [card] = overview(shown.view()).cards
    assert len(card.runs) == 2

    for _ in range(RUNS_SHOWN):
        shown.board.connection("split-prod").ended(cycle())
    [card] = overview(shown.view()).cards
    assert len(card.runs) == RUNS_SHOWN


def test_the_sparkline_has_words() -> None:
    html = status_page(a_good_day().view()).html
    assert (
        'role="img" aria-label="436 changes in the last 24 runs, at most 340 in one, 1 with failures"' in html
    )


def test_long_lists_are_counted_not_printed() -> None:
    many = document(
        state="failing",
        failing=[failure(f"user{number}@example.com") for number in range(3000)],
        held=[hold(id=f"h-{number}") for number in range(200)],
    )
    html = status_page(Shown([many]).view()).html
    assert f"… and {3000 - SHOWN:,} more" in html
    assert len(html) < 150_000


def test_hostile_names_are_text_wherever_they_stand() -> None:
    shown = Shown(
        [
            document(
                HOSTILE,
                held=[hold(HOSTILE, id=HOSTILE, check=HOSTILE)],
                failing=[failure(HOSTILE, kind=HOSTILE, message=HOSTILE)],
                quarantine=quarantine(HOSTILE, side=HOSTILE),
                runs=[stored_run(HOSTILE, kind=HOSTILE, error=HOSTILE)],
                token={"created": HOSTILE, "expires_in_days": 3},
            )
        ]
    )
    made = shown.board.connection(HOSTILE)
    made.ended(cycle(HOSTILE, "failed", error=HOSTILE))
    made.began(HOSTILE, NOW)
    made.will_run(HOSTILE, NOW + timedelta(hours=1))
    made.warn("topic", HOSTILE)
    shown.board.set_broken({HOSTILE: HOSTILE, f"{HOSTILE}2": HOSTILE})

    html = status_page(shown.view(), refresh=HOSTILE).html
    assert "<script" not in html
    assert "<img" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;" in html


def test_the_policy_names_the_style_sheet_that_is_on_the_page_and_nothing_else() -> None:
    page = status_page(a_bad_day().view())
    [style] = re.findall(r"<style>(.*?)</style>", page.html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert page.policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    assert not re.search(r"<(script|img|iframe|object|link|form|input|button)\b| style=| on\w+=", page.html)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("30", "30"), ("1", "5"), ("999999", "3600"), ("", None), ("-3", None), ("1e3", None), ("٣", None)],
)
def test_it_loads_itself_again_only_when_asked(asked: str, seconds: str | None) -> None:
    found = re.findall(
        r'http-equiv="refresh" content="(\d+)"', status_page(Shown().view(), refresh=asked).html
    )
    assert found == ([] if seconds is None else [seconds])


# --- in a browser -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("day", [a_good_day, a_bad_day])
def test_everybody_can_read_it(browser: Browser, day: object, size: tuple[int, int], scheme: object) -> None:
    shown = a_good_day() if day is a_good_day else a_bad_day()
    with shown.serving() as server:
        tab = browser.open(f"{server.url}/", size=size, scheme="dark" if scheme == "dark" else "light")
        # Closed details are read too.
        tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")

        assert tab.violations() == []
        assert tab.overflow() <= 0
        assert (tab.requested, tab.complaints) == ([f"{server.url}/"], [])


def test_a_very_long_name_does_not_widen_a_phone(browser: Browser) -> None:
    long = "x" * 400
    shown = Shown([document("c" * 64, failing=[failure(long, message=long)], held=[hold(long, id="h" * 40)])])
    busy(shown.board, "c" * 64)
    with shown.serving() as server:
        assert browser.open(f"{server.url}/", size=PHONE).overflow() <= 0


def test_a_browser_shows_names_and_obeys_none_of_them(browser: Browser) -> None:
    with a_bad_day().serving() as server:
        tab = browser.open(f"{server.url}/")

        assert tab.evaluate("document.title") == "8 things need attention - syncd"
        assert '"><script>alert(1)</script><img src=https://evil.example/x>\\x1b[31m\\u202e' in tab.text
        assert tab.evaluate("document.scripts.length + document.images.length") == 0
        assert tab.evaluate("getComputedStyle(document.querySelector('.card')).borderTopStyle") == "solid"


def test_a_screen_reader_finds_its_way(browser: Browser) -> None:
    with a_bad_day().serving() as server:
        tab = browser.open(f"{server.url}/")
        assert tab.accessible_names("heading")[:3] == [
            "8 things need attention",
            "Needs attention",
            "The settings cannot be used · split-apac",
        ]
        assert tab.accessible_names("article") == [
            "split-apac",
            "split-emea",
            "split-new",
            "split-prod",
            "split-sandbox",
        ]
        assert all(tab.accessible_names(role) for role in ("main", "banner", "contentinfo"))
        assert "436 changes in the last 24 runs" in tab.accessible_names("image")[0]


def test_it_prints(browser: Browser, tmp_path: Path) -> None:
    with a_good_day().serving() as server:
        browser.open(f"{server.url}/").pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF-")
