"""When nothing is written though all is well: a person paused the connection, or every window of its schedule is shut.

Reading and planning go on, and what is wanted waits: it is written by the first cycle after that.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from syncd.core.plan import timestamp
from syncd.core.windows import Window, next_opening, open_until

KEY = "pause"
"""Under this key the store remembers the document of the pause; nothing when there is none."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A person's word that nothing is written from `since` on, for good or (`until` not None) up to that moment."""

    by: str
    since: datetime
    until: datetime | None = None
    reason: str = ""

    def in_force(self, now: datetime) -> bool:
        """Without an end it is until somebody resumes."""
        return self.until is None or now < self.until

    def document(self) -> dict[str, Any]:
        """As it is stored, and shown by `status`."""
        return {
            "by": self.by,
            "since": timestamp(self.since),
            "until": None if self.until is None else timestamp(self.until),
            "reason": self.reason,
        }

    @classmethod
    def read(cls, text: str) -> Self:
        """From the JSON text of `document`."""
        found = json.loads(text)
        until = found["until"]
        return cls(
            by=str(found["by"]),
            since=datetime.fromisoformat(found["since"]),
            until=None if until is None else datetime.fromisoformat(until),
            reason=str(found["reason"]),
        )


@dataclass(frozen=True, slots=True)
class Shut:
    """Outside every window; `opens` is when the next one begins."""

    windows: tuple[Window, ...]
    opens: datetime


def barred(pause: Pause | None, windows: Sequence[Window], now: datetime) -> Pause | Shut | None:
    """Why nothing may be written now; None when it may. Without windows there is none to be outside of."""
    if pause is not None and pause.in_force(now):
        return pause
    if windows and open_until(windows, now) is None:
        return Shut(tuple(windows), next_opening(windows, now))
    return None


def ends_at(bar: Pause | Shut) -> datetime | None:
    """None: when somebody resumes."""
    return bar.until if isinstance(bar, Pause) else bar.opens


def said_of(bar: Pause | Shut) -> str:
    """In a sentence, without its full stop."""
    if isinstance(bar, Pause):
        until = "" if bar.until is None else f", until {timestamp(bar.until)}"
        reason = f" ({bar.reason})" if bar.reason else ""
        return f"writing is paused by {bar.by} since {timestamp(bar.since)}{until}{reason}"
    named = ", ".join(str(window) for window in bar.windows)
    return f"it is outside the windows of schedule.windows ({named}); the next one opens at {timestamp(bar.opens)}"


def way_out_of(bar: Pause | Shut) -> str:
    """What a person may do about it."""
    if isinstance(bar, Pause):
        return "syncd resume ends the pause; what Okta wants waits until then, and syncd plan shows it"
    return (
        "wait until it opens, or change schedule.windows: --allow raises limits and opens no window;"
        " what Okta wants waits until then, and syncd plan shows it"
    )
