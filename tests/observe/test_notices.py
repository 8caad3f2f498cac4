"""What people are told, each thing once: tables of days in the life of a connection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from syncd.core.drift_news import DriftFound
from syncd.core.sickness import Quarantine
from syncd.core.token_age import token_days_left
from syncd.core.waiting import Waiting
from syncd.observe.notices import Compared, Facts, Held, Memory, Notice, decide, plain

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WELL = Facts("full", "succeeded", held=())
QUIET = Facts("delta", "quiet")
BAD_DELTA = Facts("delta", "failed", "Okta answers 503")
BAD_FULL = Facts("full", "failed", "incomplete read of the app's users: page 2: 503")


def sick(side: str = "split", minute: int = 0) -> Facts:
    since = NOON.replace(minute=minute)
    return Facts("delta", "failed", "401", Quarantine(side, f"{side} refuses the token", since, since))


def stuck(*names: str, status: str = "partial") -> Facts:
    return Facts("delta", status, stuck=names)


def held(changes: int, key: str = "deactivations", *, identity: str = "h-1") -> Facts:
    return Facts("full", "refused", held=[Held(key, identity, "10 users would be removed", changes)])


def token(days: int, created: str = "2026-03-01") -> Facts:
    return replace(QUIET, token_created=created, token_days_left=days)


def lived(days: Iterable[Facts]) -> list[Notice]:
    """Every notice of a life, with a restart after each cycle."""
    told: list[Notice] = []
    memory = Memory()
    for facts in days:
        notices, memory = decide("split-prod", memory, facts)
        told += notices
        memory = Memory.read(memory.text())
    return told


def titles(*days: Facts) -> list[str]:
    return [notice.title.removeprefix("syncd split-prod: ") for notice in lived(days)]


STOPPED = Facts("full", "interrupted", "stopped on request")
ONE_BY_ONE = Facts("targeted", "succeeded")
BAD_ONE = Facts("targeted", "failed", "Okta knows no user tpyo@example.com")
FAIL, WELL_AGAIN, SICK = "cycles fail", "well again", "quarantined"
STUCK, UNSTUCK = "objects keep failing", "objects well again"


@pytest.mark.parametrize(
    ("life", "said"),
    [
        ((WELL, QUIET, QUIET, WELL), []),
        # cycles that fail
        ((WELL, BAD_DELTA, QUIET), []),
        ((BAD_DELTA, BAD_DELTA), [FAIL]),
        ((WELL, *[BAD_DELTA] * 2880, QUIET, QUIET, WELL), [FAIL, WELL_AGAIN]),
        ((BAD_FULL, BAD_DELTA), [FAIL]),
        ((BAD_DELTA, QUIET, BAD_DELTA, QUIET, BAD_DELTA), []),
        # a full read that fails is not made good by a delta that found nothing
        ((BAD_FULL, QUIET, QUIET, BAD_FULL), [FAIL]),
        ((BAD_FULL, QUIET, BAD_FULL, QUIET, QUIET), [FAIL]),
        ((BAD_FULL, QUIET, BAD_FULL, QUIET, WELL), [FAIL, WELL_AGAIN]),
        ((BAD_DELTA, BAD_DELTA, replace(WELL, status="refused")), [FAIL, WELL_AGAIN]),
        # one that was stopped says nothing
        ((BAD_DELTA, STOPPED, BAD_DELTA, STOPPED), [FAIL]),
        ((BAD_FULL, STOPPED, STOPPED), []),
        ((*[BAD_DELTA] * 2, QUIET, *[BAD_DELTA] * 2, QUIET), [FAIL, WELL_AGAIN] * 2),
        # runs over single objects say nothing about the connection
        ((BAD_ONE, BAD_ONE, BAD_ONE), []),
        ((BAD_ONE, BAD_FULL, WELL, BAD_FULL), []),
        ((BAD_FULL, BAD_FULL, ONE_BY_ONE, WELL), [FAIL, WELL_AGAIN]),
        ((BAD_FULL, ONE_BY_ONE, BAD_FULL), [FAIL]),
        ((BAD_ONE, WELL, stuck("ann"), QUIET), [STUCK, UNSTUCK]),
        ((replace(sick(), kind="targeted"), sick(), WELL), [SICK, WELL_AGAIN]),
        # quarantine
        ((sick(), sick(), QUIET), [SICK, WELL_AGAIN]),
        ((sick(), *[sick() for _ in range(200)], WELL, QUIET), [SICK, WELL_AGAIN]),
        # left by its probe and entered again by the writes after it, every five minutes of a day
        ((*[sick(minute=minute) for minute in range(60)], WELL), [SICK, WELL_AGAIN]),
        ((sick(), BAD_DELTA, sick(), WELL), [SICK, WELL_AGAIN]),
        ((BAD_DELTA, BAD_DELTA, sick("okta"), sick("okta"), QUIET), [FAIL, SICK, WELL_AGAIN]),
        ((sick("split"), sick("relink"), WELL), [SICK, SICK, WELL_AGAIN]),
        # objects that fail
        ((stuck("ann"), stuck("ann", "bob"), stuck("bob"), QUIET), [STUCK, UNSTUCK]),
        ((sick(), replace(sick(), stuck=["ann"]), stuck("ann"), QUIET), [SICK, WELL_AGAIN]),
        (
            (stuck("ann"), *[replace(BAD_DELTA, stuck=["ann"])] * 3, stuck("ann"), QUIET),
            [STUCK, FAIL, WELL_AGAIN],
        ),
    ],
)
def test_trouble_is_told_once_and_so_is_its_end(life: tuple[Facts, ...], said: list[str]) -> None:
    assert titles(*life) == said


@pytest.mark.parametrize(
    ("life", "said"),
    [
        ((held(12), held(12), held(12)), ["12 changes held"]),
        ((held(1),), ["1 change held"]),
        # one more leaver in every delta makes another id, and no news
        (tuple(held(12 + more, identity=f"h-{more}") for more in range(12)), ["12 changes held"]),
        (tuple(held(12 + more) for more in range(13)), ["12 changes held", "24 changes held"]),
        ((held(12), QUIET, held(12)), ["12 changes held"]),
        ((held(12), WELL, held(12)), ["12 changes held", "12 changes held"]),
        ((held(12), held(3, "emptied_group:00g-1")), ["12 changes held", "3 changes held"]),
        ((held(12), held(6), held(12)), ["12 changes held"]),
    ],
)
def test_a_hold_is_told_when_it_is_new_or_has_doubled(life: tuple[Facts, ...], said: list[str]) -> None:
    assert titles(*life) == said


def _found(*names: str, complete: bool = True, repaired: bool = False) -> Facts:
    found = [
        DriftFound(name, "changed_user", name, None, None, "changed at the target", "") for name in names
    ]
    compared = Compared((), complete, found) if repaired else Compared(found, complete)
    return Facts("drift", "succeeded", drift=compared)


@pytest.mark.parametrize(
    ("life", "said"),
    [
        ((_found("ada"), _found("ada"), _found("ada")), ["drift: 1 difference"]),
        ((_found("ada"), _found("ada", "bob")), ["drift: 1 difference", "drift: 1 difference"]),
        ((_found("ada"), _found(), _found("ada")), ["drift: 1 difference", "drift: 1 difference"]),
        ((_found("ada"), _found(complete=False), _found("ada")), ["drift: 1 difference"]),
        (
            (_found("ada", repaired=True), _found("ada")),
            ["1 difference found and given back", "drift: 1 difference"],
        ),
        ((_found("ada"), Facts("full", "succeeded"), _found("ada")), ["drift: 1 difference"]),
        ((_found(),), []),
    ],
    ids=[
        "once",
        "a new object",
        "over and back",
        "not everything was seen",
        "repaired",
        "others look",
        "nothing",
    ],
)
def test_drift_is_told_once_for_each_new_kind_and_object(life: tuple[Facts, ...], said: list[str]) -> None:
    memory, told = Memory(), []
    for facts in life:
        notices, memory = decide("acme", Memory.read(memory.text()), facts)
        told += [notice.title.removeprefix("syncd acme: ") for notice in notices]
    assert told == said


@pytest.mark.parametrize(
    ("days", "told_at"),
    [
        (range(365, -10, -1), [30, 14, 7, 1]),
        ([200, 5, 5, 4, 1, 0], [5, 1]),
        ([-3, -3, -4], [-3]),
    ],
)
def test_the_end_of_a_token_is_told_30_14_7_and_1_days_ahead(days: Iterable[int], told_at: list[int]) -> None:
    memory, told = Memory(), []
    for left in days:
        notices, memory = decide("split-prod", Memory.read(memory.text()), token(left))
        told += [left for _ in notices]
    assert told == told_at


def test_a_new_token_is_counted_anew_and_none_is_never_told() -> None:
    assert titles(token(1), token(365, "2027-02-28"), token(30, "2027-02-28")) == ["Split token expires"] * 2
    assert titles(replace(QUIET, token_days_left=3)) == []


def test_a_token_lives_365_days() -> None:
    assert token_days_left(date(2026, 3, 1), date(2026, 3, 1)) == 365
    assert token_days_left(date(2026, 3, 1), date(2027, 3, 2)) == -1


def test_every_notice_says_what_happened_to_which_connection_and_what_to_do() -> None:
    for facts, what, way_out in [
        (sick("okta"), "okta refuses the token", "syncd check"),
        (sick("split"), "split refuses the token", "syncd check"),
        (sick("relink"), "relink refuses the token", "syncd relink"),
        (stuck("ann@example.com"), "ann@example.com", "syncd retry"),
        (held(12), "h-1: 12 changes. 10 users would be removed.", "syncd approve ID"),
        (token(14), "expires in 14 days", "split.token_created"),
        (token(0), "has expired", "split.token_created"),
    ]:
        [notice] = lived([facts])
        assert notice.title.startswith("syncd split-prod: ")
        assert what in notice.text
        assert way_out in notice.text
    [failing] = lived([BAD_FULL, BAD_FULL])
    assert "page 2: 503" in failing.text
    assert "syncd status" in failing.text


def test_what_still_fails_after_an_outage_is_said_with_its_end() -> None:
    *_, end = lived([sick(), stuck("ann", "bob")])
    assert end.title == "syncd split-prod: well again"
    assert "2 objects still failing" in end.text


def test_many_holds_make_one_short_notice() -> None:
    many = Facts("full", "refused", held=[Held(f"k{n}", f"h-{n}", "x" * 5000, 2) for n in range(40)])
    [notice] = lived([many])
    assert notice.title == "syncd split-prod: 80 changes held"
    assert "and 35 more holds" in notice.text
    assert len(notice.text) < 2000


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("Crew\r\nbcc: all", r"Crew\x0d\x0abcc: all"),
        ("\x1b[2J\u202egro", r"\x1b[2J\u202egro"),
        ("<script>alert(1)</script>", "\u2039script\u203aalert(1)\u2039/script\u203a"),
        ("[sign in](https://evil.example)", "[sign in] (https://evil.example)"),
        (
            "<!channel> @Everyone @here ann@example.com",
            "\u2039!channel\u203a @ Everyone @ here ann@example.com",
        ),
        ("@ceo, (@ceo) ann@example.com", "@ ceo, (@ ceo) ann@example.com"),
        ("done.", "done"),
    ],
)
def test_somebody_elses_text_is_made_harmless(hostile: str, harmless: str) -> None:
    assert plain(hostile) == harmless


@pytest.mark.parametrize(
    "broken", [None, "", "{", "[]", "3", '{"failing": 3}', '{"token": 7}', '{"held": {"a": "b"}}']
)
def test_a_memory_that_cannot_be_read_is_none(broken: str | None) -> None:
    assert Memory.read(broken) == Memory()


def left(*names: str, kind: str = "conflict", looks: int = 1) -> Facts:
    found = [Waiting(f"user:{name}", kind, name, f"{name} is taken", NOON, looks) for name in names]
    return replace(WELL, left_out=found)


NEW, TWO_NEW = "1 object newly left out", "2 objects newly left out"


@pytest.mark.parametrize(
    ("life", "said"),
    [
        ((WELL, left("a"), left("a"), QUIET, left("a")), [NEW]),
        ((left("a", "b"), left("a", "b")), [TWO_NEW]),
        ((left("a"), left("a", "b"), left("b")), [NEW, NEW]),
        # over, and so again
        ((left("a"), left(), left("a")), [NEW, NEW]),
        # what may be over with the next look is told when it is not
        ((left("a", kind="unread"), left("a", kind="unread")), []),
        ((left("a", kind="unread"), *[left("a", kind="unread", looks=2)] * 3), [NEW]),
        # what a setting leaves out somebody chose
        ((left("a", kind="deactivate_off", looks=9),), []),
    ],
)
def test_who_is_newly_left_out_is_told_once_and_together(life: tuple[Facts, ...], said: list[str]) -> None:
    assert titles(*life) == said


def test_the_notice_names_the_first_five_with_their_reasons_and_where_to_read_on() -> None:
    [notice] = lived([left(*"abcdefg")])

    assert "a: a is taken.\n" in notice.text
    assert "and 2 more objects.\n" in notice.text
    assert "syncd skipped" in notice.text
