"""What becomes of a connection, and what it does in a turn: both tables, row by row."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import cast

import pytest

from syncd.core.sickness import Quarantine
from syncd.ports import Store
from syncd.service import connection_state as states
from syncd.service.held_store import HeldStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HELD = HeldStore(cast("Store", object()), Path(), None, ExitStack())
REFUSED = Quarantine("okta", "the token was refused", NOON, NOON + timedelta(minutes=5))
ASKED = replace(REFUSED, probes=1)
VANISHED = replace(REFUSED, side="relink", reason="known objects vanished")

NO_STORE = states.NoStore("a damaged file")
WELL = states.Well(HELD)
QUARANTINED = states.Quarantined(HELD, REFUSED)
TAKEN_OVER = states.TakenOver(HELD, "another has it")
CLOSED = states.Closed()
STATES: tuple[states.State, ...] = (NO_STORE, WELL, QUARANTINED, TAKEN_OVER, CLOSED)

OPENED = states.StoreOpened(HELD)
NOT_OPENED = states.StoreNotOpened("a full disk")
FOUND_OURS = states.StoreFoundOurs()
FOUND_TAKEN_OVER = states.StoreFoundTakenOver("it was moved away")
RELEASED = states.StoreReleased()
FOUND_WELL = states.FoundWell()
FOUND_SICK = states.FoundSick(ASKED)
RETIRED = states.Retired()
EVENTS: tuple[states.StateEvent, ...] = (
    OPENED,
    NOT_OPENED,
    FOUND_OURS,
    FOUND_TAKEN_OVER,
    RELEASED,
    FOUND_WELL,
    FOUND_SICK,
    RETIRED,
)
MOVES: dict[tuple[states.State, states.StateEvent], states.State] = {
    (NO_STORE, OPENED): WELL,
    (NO_STORE, NOT_OPENED): states.NoStore("a full disk"),
    (NO_STORE, RETIRED): CLOSED,
    (WELL, FOUND_SICK): states.Quarantined(HELD, ASKED),
    (WELL, FOUND_TAKEN_OVER): states.TakenOver(HELD, "it was moved away"),
    (WELL, RELEASED): states.NoStore(),
    (QUARANTINED, FOUND_WELL): WELL,
    (QUARANTINED, FOUND_SICK): states.Quarantined(HELD, ASKED),
    (QUARANTINED, FOUND_TAKEN_OVER): states.TakenOver(HELD, "it was moved away"),
    (QUARANTINED, RELEASED): states.NoStore(),
    (TAKEN_OVER, FOUND_OURS): WELL,
    (TAKEN_OVER, FOUND_TAKEN_OVER): states.TakenOver(HELD, "it was moved away"),
    (TAKEN_OVER, RELEASED): states.NoStore("another has it"),
}


def named(value: object) -> str:
    return value.name if isinstance(value, states.SystemLog | states.TurnStep) else type(value).__name__


@pytest.mark.parametrize(("state", "event"), [*product(STATES, EVENTS)], ids=named)
def test_every_event_in_every_state_leads_where_the_table_says_or_nowhere(
    state: states.State, event: states.StateEvent
) -> None:
    assert states.after(state, event) == MOVES.get((state, event), state)


MOMENT = states.Moment(NOON, alone=True, full_runs=False, probe_asked=False)
"""Before the time of the quarantine's next probe."""


@pytest.mark.parametrize(
    ("state", "kind", "step"),
    [
        (NO_STORE, "delta", states.TurnStep.NOTHING),
        (NO_STORE, "full", states.TurnStep.NOTHING),
        (NO_STORE, "drift", states.TurnStep.NOTHING),
        (WELL, "delta", states.TurnStep.POLL),
        (WELL, "full", states.TurnStep.FULL_CYCLE),
        (WELL, "drift", states.TurnStep.DRIFT_CYCLE),
        (QUARANTINED, "delta", states.TurnStep.PROBE),
        (QUARANTINED, "full", states.TurnStep.PROBE),
        (QUARANTINED, "drift", states.TurnStep.NOTHING),
        (TAKEN_OVER, "delta", states.TurnStep.NOTHING),
        (TAKEN_OVER, "full", states.TurnStep.NOTHING),
        (TAKEN_OVER, "drift", states.TurnStep.NOTHING),
        (CLOSED, "delta", states.TurnStep.NOTHING),
        (CLOSED, "full", states.TurnStep.NOTHING),
        (CLOSED, "drift", states.TurnStep.NOTHING),
    ],
    ids=named,
)
def test_a_turn_does_what_its_kind_does_in_this_state(
    state: states.State, kind: str, step: states.TurnStep
) -> None:
    later = replace(MOMENT, now=REFUSED.next_probe)
    assert states.next_step(kind, state, states.SystemLog.FOLLOWED, later) is step


def test_where_the_log_is_denied_a_delta_looks_at_what_event_hooks_named() -> None:
    hooked = replace(MOMENT, hooked=True)
    steps = [states.next_step("delta", WELL, log, hooked) for log in states.SystemLog]
    assert steps == [states.TurnStep.BEGIN_TO_FOLLOW, states.TurnStep.POLL, states.TurnStep.LOOK]


@pytest.mark.parametrize(
    ("log", "full_runs", "step"),
    [
        (states.SystemLog.FOLLOWED, False, states.TurnStep.POLL),
        (states.SystemLog.FOLLOWED, True, states.TurnStep.POLL),
        (states.SystemLog.NOT_FOLLOWED, False, states.TurnStep.BEGIN_TO_FOLLOW),
        (states.SystemLog.NOT_FOLLOWED, True, states.TurnStep.NOTHING),
        (states.SystemLog.DENIED, False, states.TurnStep.NOTHING),
        (states.SystemLog.DENIED, True, states.TurnStep.NOTHING),
    ],
    ids=str,
)
def test_a_delta_follows_the_log_unless_it_is_denied_or_a_full_cycle_sees_to_it(
    log: states.SystemLog, full_runs: bool, step: states.TurnStep
) -> None:
    moment = replace(MOMENT, alone=not full_runs, full_runs=full_runs)
    assert states.next_step("delta", WELL, log, moment) is step
    others = [states.next_step(kind, WELL, log, moment) for kind in ("full", "drift")]
    assert others == [states.TurnStep.FULL_CYCLE, states.TurnStep.DRIFT_CYCLE], "whatever becomes of the log"


DUE = REFUSED.next_probe
EARLY = DUE - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("sick", "now", "alone", "asked", "step"),
    [
        (REFUSED, EARLY, True, False, states.TurnStep.NOTHING),
        (REFUSED, DUE, True, False, states.TurnStep.PROBE),
        (REFUSED, EARLY, True, True, states.TurnStep.PROBE),
        (REFUSED, DUE, False, False, states.TurnStep.NOTHING),
        (REFUSED, EARLY, False, True, states.TurnStep.NOTHING),
        (VANISHED, DUE, True, True, states.TurnStep.NOTHING),
    ],
    ids=[
        "early",
        "due",
        "a person asks",
        "another cycle runs",
        "asked while another runs",
        "a relink is due",
    ],
)
def test_a_quarantine_is_probed_in_its_time_or_when_a_person_asks_by_one_turn_alone_unless_it_waits_for_a_relink(
    sick: Quarantine, now: datetime, alone: bool, asked: bool, step: states.TurnStep
) -> None:
    moment = states.Moment(now, alone=alone, full_runs=False, probe_asked=asked)
    for log in states.SystemLog:
        assert states.next_step("delta", states.Quarantined(HELD, sick), log, moment) is step
        assert states.next_step("full", states.Quarantined(HELD, sick), log, moment) is step
