"""What state a connection of the daemon is in, and what it does when a turn of the timetable comes. Pure.

What happens to it (`after`; an event that a state does not name leaves it as it is):

    state        what it means                event                what follows
    NoStore      nothing to work with         StoreOpened          Well
                                              StoreNotOpened       NoStore, with the new trouble
                                              Retired              Closed
    Well         cycles run                   FoundSick            Quarantined
                                              StoreFoundTakenOver  TakenOver
                                              StoreReleased        NoStore
    Quarantined  asked until it is well       FoundWell            Well
                                              FoundSick            Quarantined, with what is known of it now
                                              StoreFoundTakenOver  TakenOver
                                              StoreReleased        NoStore
    TakenOver    the store is another's, but  StoreFoundOurs       Well
                 a cycle still runs on it     StoreFoundTakenOver  TakenOver, with the new trouble
                                              StoreReleased        NoStore, with the same trouble
    Closed       taken out, nothing runs      (none)

What it does then (`next_step`):

    state        delta                        full                 drift
    NoStore      nothing                      nothing              nothing
    Well         by the System Log, below     full cycle           drift cycle
    Quarantined  a probe, if it is due        a probe, if due      nothing
    TakenOver    nothing                      nothing              nothing
    Closed       nothing                      nothing              nothing

    System Log     a delta of a connection that is well
    FOLLOWED       polls it
    NOT_FOLLOWED   begins to follow it, unless a full cycle runs, which does so too
    DENIED         nothing: full cycles see to it all

Independent of all that: which cycles run now (`gate.Gate`), whether one more full cycle is asked for
(`full_turns.FullTurns`), and whether the System Log is followed (`SystemLog`): a connection that is well again goes on
with it where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from syncd.core.sickness import Quarantine
from syncd.engine.writing.quarantine import RELINK
from syncd.service.held_store import Held


@dataclass(frozen=True, slots=True)
class NoStore:
    """`trouble` says why; "" when it was not opened yet, or was given back."""

    trouble: str = ""


@dataclass(frozen=True, slots=True)
class WithStore:
    """The store was opened, and not given back yet."""

    held: Held


@dataclass(frozen=True, slots=True)
class Well(WithStore):
    """The store is ours and the connection works."""


@dataclass(frozen=True, slots=True)
class Quarantined(WithStore):
    """The store is ours; nothing is written until the cause is gone."""

    quarantine: Quarantine


@dataclass(frozen=True, slots=True)
class TakenOver(WithStore):
    """Another process writes this store; `trouble` says who."""

    trouble: str


@dataclass(frozen=True, slots=True)
class Closed:
    """For good."""


State = NoStore | Well | Quarantined | TakenOver | Closed


@dataclass(frozen=True, slots=True)
class StoreOpened:
    """The store was opened and its lock is ours."""

    held: Held


@dataclass(frozen=True, slots=True)
class StoreNotOpened:
    """It was tried; `trouble` says why not."""

    trouble: str


@dataclass(frozen=True, slots=True)
class StoreFoundOurs:
    """The lock is ours, and the file is the one that was opened."""


@dataclass(frozen=True, slots=True)
class StoreFoundTakenOver:
    """The lock is not ours any more; `trouble` says whose it is."""

    trouble: str


@dataclass(frozen=True, slots=True)
class StoreReleased:
    """It was given back, by us."""


@dataclass(frozen=True, slots=True)
class FoundWell:
    """The store knows of no quarantine."""


@dataclass(frozen=True, slots=True)
class FoundSick:
    """A cycle ended with a quarantine."""

    quarantine: Quarantine


@dataclass(frozen=True, slots=True)
class Retired:
    """No cycle begins any more, and the last one has ended."""


StateEvent = (
    StoreOpened
    | StoreNotOpened
    | StoreFoundOurs
    | StoreFoundTakenOver
    | StoreReleased
    | FoundWell
    | FoundSick
    | Retired
)


def after(state: State, event: StateEvent) -> State:
    """The first table."""
    match state, event:
        case NoStore(), StoreOpened(held):
            return Well(held)
        case NoStore(), StoreNotOpened(trouble):
            return NoStore(trouble)
        case NoStore(), Retired():
            return Closed()
        case ((Well(held) | Quarantined(held)), FoundSick(quarantine)):
            return Quarantined(held, quarantine)
        case Quarantined(held), FoundWell():
            return Well(held)
        case WithStore(held), StoreFoundTakenOver(trouble):
            return TakenOver(held, trouble)
        case TakenOver(held), StoreFoundOurs():
            return Well(held)
        case TakenOver(_, trouble), StoreReleased():
            return NoStore(trouble)
        case ((Well() | Quarantined()), StoreReleased()):
            return NoStore()
        case _:
            return state


class SystemLog(Enum):
    """Whether the System Log of Okta is followed. Other Okta settings begin anew with NOT_FOLLOWED."""

    NOT_FOLLOWED = auto()
    """Not yet, or Okta could not be asked for now."""
    FOLLOWED = auto()
    DENIED = auto()
    """Only the next full cycle tries again."""


class TurnStep(Enum):
    """What one turn does."""

    NOTHING = auto()
    PROBE = auto()
    BEGIN_TO_FOLLOW = auto()
    POLL = auto()
    LOOK = auto()
    """At what event hooks named: Okta does not let the log be read."""
    FULL_CYCLE = auto()
    DRIFT_CYCLE = auto()


@dataclass(frozen=True, slots=True)
class Moment:
    """When a turn comes. `alone`: no other cycle of the connection runs. `probe_asked`: no probe was made since a
    person started or reloaded the daemon, nor since a secret became another one. `hooked`: event hooks named somebody.
    """

    now: datetime
    alone: bool
    full_runs: bool
    probe_asked: bool
    hooked: bool = False


def next_step(kind: str, state: State, log: SystemLog, moment: Moment) -> TurnStep:
    """The second table, for a turn of this kind of cycle: "delta", "full" or "drift"."""
    match state, kind:
        case Quarantined(quarantine=sick), "delta" | "full":
            return TurnStep.PROBE if _probe_is_due(sick, moment) else TurnStep.NOTHING
        case Well(), "full":
            return TurnStep.FULL_CYCLE
        case Well(), "drift":
            return TurnStep.DRIFT_CYCLE
        case Well(), "delta":
            return _delta(log, moment)
        case _:
            return TurnStep.NOTHING


def _delta(log: SystemLog, moment: Moment) -> TurnStep:
    match log:
        case SystemLog.FOLLOWED:
            return TurnStep.POLL
        case SystemLog.NOT_FOLLOWED if not moment.full_runs:
            return TurnStep.BEGIN_TO_FOLLOW
        case SystemLog.DENIED if moment.hooked:
            return TurnStep.LOOK
    return TurnStep.NOTHING


def _probe_is_due(sick: Quarantine, moment: Moment) -> bool:
    """Never where only a person's `syncd relink` can tell that it is over."""
    if sick.side == RELINK or not moment.alone:
        return False
    return moment.probe_asked or moment.now >= sick.next_probe
