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
from syncd.service.connection_state import (
    Closed,
    FoundSick,
    FoundWell,
    Moment,
    NoStore,
    Quarantined,
    Retired,
    State,
    StateEvent,
    StoreFoundOurs,
    StoreFoundTakenOver,
    StoreNotOpened,
    StoreOpened,
    StoreReleased,
    SystemLog,
    TakenOver,
    TurnStep,
    Well,
    after,
    next_step,
)
from syncd.service.held_store import HeldStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HELD = HeldStore(cast("Store", object()), Path(), None, ExitStack())
REFUSED = Quarantine("okta", "the token was refused", NOON, NOON + timedelta(minutes=5))
ASKED = replace(REFUSED, probes=1)
VANISHED = replace(REFUSED, side="relink", reason="known objects vanished")

NO_STORE = NoStore("a damaged file")
WELL = Well(HELD)
QUARANTINED = Quarantined(HELD, REFUSED)
TAKEN_OVER = TakenOver(HELD, "another has it")
CLOSED = Closed()
STATES: tuple[State, ...] = (NO_STORE, WELL, QUARANTINED, TAKEN_OVER, CLOSED)

OPENED = StoreOpened(HELD)
NOT_OPENED = StoreNotOpened("a full disk")
FOUND_OURS = StoreFoundOurs()
FOUND_TAKEN_OVER = StoreFoundTakenOver("it was moved away")
RELEASED = StoreReleased()
FOUND_WELL = FoundWell()
FOUND_SICK = FoundSick(ASKED)
RETIRED = Retired()
EVENTS: tuple[StateEvent, ...] = (
    OPENED,
    NOT_OPENED,
    FOUND_OURS,
    FOUND_TAKEN_OVER,
    RELEASED,
    FOUND_WELL,
    FOUND_SICK,
    RETIRED,
)
MOVES: dict[tuple[State, StateEvent], State] = {
    (NO_STORE, OPENED): WELL,
    (NO_STORE, NOT_OPENED): NoStore("a full disk"),
    (NO_STORE, RETIRED): CLOSED,
    (WELL, FOUND_SICK): Quarantined(HELD, ASKED),
    (WELL, FOUND_TAKEN_OVER): TakenOver(HELD, "it was moved away"),
    (WELL, RELEASED): NoStore(),
    (QUARANTINED, FOUND_WELL): WELL,
    (QUARANTINED, FOUND_SICK): Quarantined(HELD, ASKED),
    (QUARANTINED, FOUND_TAKEN_OVER): TakenOver(HELD, "it was moved away"),
    (QUARANTINED, RELEASED): NoStore(),
    (TAKEN_OVER, FOUND_OURS): WELL,
    (TAKEN_OVER, FOUND_TAKEN_OVER): TakenOver(HELD, "it was moved away"),
    (TAKEN_OVER, RELEASED): NoStore("another has it"),
}


def named(value: object) -> str:
    return value.name if isinstance(value, SystemLog | TurnStep) else type(value).__name__


@pytest.mark.parametrize(("state", "event"), [*product(STATES, EVENTS)], ids=named)
def test_every_event_in_every_state_leads_where_the_table_says_or_nowhere(
    state: State, event: StateEvent
) -> None:
    assert after(state, event) == MOVES.get((state, event), state)


MOMENT = Moment(NOON, alone=True, full_runs=False, probe_asked=False)
"""Before the time of the quarantine's next probe."""


@pytest.mark.parametrize(
    ("state", "kind", "step"),
    [
        (NO_STORE, "delta", TurnStep.NOTHING),
        (NO_STORE, "full", TurnStep.NOTHING),
        (NO_STORE, "drift", TurnStep.NOTHING),
        (WELL, "delta", TurnStep.POLL),
        (WELL, "full", TurnStep.FULL_CYCLE),
        (WELL, "drift", TurnStep.DRIFT_CYCLE),
        (QUARANTINED, "delta", TurnStep.PROBE),
        (QUARANTINED, "full", TurnStep.PROBE),
        (QUARANTINED, "drift", TurnStep.NOTHING),
        (TAKEN_OVER, "delta", TurnStep.NOTHING),
        (TAKEN_OVER, "full", TurnStep.NOTHING),
        (TAKEN_OVER, "drift", TurnStep.NOTHING),
        (CLOSED, "delta", TurnStep.NOTHING),
        (CLOSED, "full", TurnStep.NOTHING),
        (CLOSED, "drift", TurnStep.NOTHING),
    ],
    ids=named,
)
def test_a_turn_does_what_its_kind_does_in_this_state(state: State, kind: str, step: TurnStep) -> None:
    later = replace(MOMENT, now=REFUSED.next_probe)
    assert next_step(kind, state, SystemLog.FOLLOWED, later) is step


@pytest.mark.parametrize(
    ("log", "full_runs", "step"),
    [
        (SystemLog.FOLLOWED, False, TurnStep.POLL),
        (SystemLog.FOLLOWED, True, TurnStep.POLL),
        (SystemLog.NOT_FOLLOWED, False, TurnStep.BEGIN_TO_FOLLOW),
        (SystemLog.NOT_FOLLOWED, True, TurnStep.NOTHING),
        (SystemLog.DENIED, False, TurnStep.NOTHING),
        (SystemLog.DENIED, True, TurnStep.NOTHING),
    ],
    ids=str,
)
def test_a_delta_follows_the_log_unless_it_is_denied_or_a_full_cycle_sees_to_it(
    log: SystemLog, full_runs: bool, step: TurnStep
) -> None:
    moment = replace(MOMENT, alone=not full_runs, full_runs=full_runs)
    assert next_step("delta", WELL, log, moment) is step
    others = [next_step(kind, WELL, log, moment) for kind in ("full", "drift")]
    assert others == [TurnStep.FULL_CYCLE, TurnStep.DRIFT_CYCLE], "whatever becomes of the log"


DUE = REFUSED.next_probe
EARLY = DUE - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("sick", "now", "alone", "asked", "step"),
    [
        (REFUSED, EARLY, True, False, TurnStep.NOTHING),
        (REFUSED, DUE, True, False, TurnStep.PROBE),
        (REFUSED, EARLY, True, True, TurnStep.PROBE),
        (REFUSED, DUE, False, False, TurnStep.NOTHING),
        (REFUSED, EARLY, False, True, TurnStep.NOTHING),
        (VANISHED, DUE, True, True, TurnStep.NOTHING),
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
    sick: Quarantine, now: datetime, alone: bool, asked: bool, step: TurnStep
) -> None:
    moment = Moment(now, alone=alone, full_runs=False, probe_asked=asked)
    for log in SystemLog:
        assert next_step("delta", Quarantined(HELD, sick), log, moment) is step
        assert next_step("full", Quarantined(HELD, sick), log, moment) is step
