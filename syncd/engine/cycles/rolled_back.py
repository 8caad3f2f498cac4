"""A store whose database failed over, or was put back, may know less than was done.

What it lost of the target is found by a comparison of everything: one is due soon, whatever the schedule says. Until a
full cycle came to its end each change is looked for at the target before it is sent, as after a restore.
"""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.core.plan import timestamp
from syncd.engine.facts import RESTORED, Fact
from syncd.ports import Store

SOON = timedelta(minutes=3)
"""After what is new, and the second look: what these repair is nothing to tell a person."""
APART = timedelta(seconds=4)
"""So much time each connection of a fleet adds to the time over which their comparisons are spread."""
SPREAD_AT_MOST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ComparisonDue:
    """Everything is to be compared once more, for all that was compared before `since`. `at`: from when on."""

    since: datetime
    at: datetime


def _text(due: ComparisonDue | None) -> str:
    if due is None:
        return ""
    return json.dumps({"since": due.since.isoformat(), "at": due.at.isoformat()})


def _read(text: str) -> ComparisonDue | None:
    """What cannot be read waits for the comparison of the schedule."""
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        found = json.loads(text)
        return ComparisonDue(datetime.fromisoformat(found["since"]), datetime.fromisoformat(found["at"]))
    return None


COMPARISON_DUE: Fact[ComparisonDue | None] = Fact("comparison_due", _text, _read)
HISTORY: Fact[str] = Fact("database_history", str, str)
"""Which course of the database this store was served in last (`ports.fleet.FleetState`). It is a row of that database:
after a failover it still names the one before.
"""


def comes_in(name: str, connections: int) -> timedelta:
    """When the comparison of this one comes, of so many that are due at once: always at the same place among them."""
    place = zlib.crc32(name.encode("utf-8", "backslashreplace")) / 2**32
    return SOON + min(APART * connections, SPREAD_AT_MOST) * place


def follow_history(
    store: Store, now_in: str, now: datetime, comes: timedelta, *, is_first: bool = False
) -> tuple[str, ComparisonDue] | None:
    """Notes in which course of the database the store is served from now on. Another one than before: what it was,
    and the comparison that is due. "": nobody can tell. `is_first`: this fleet never served it; another did.
    """
    before = HISTORY.of(store)
    if not now_in or before == now_in:
        return None
    if before is None or is_first:
        HISTORY.remember(store, now_in)
        return None
    due = ComparisonDue(now, now + comes)
    entries = (HISTORY.entry(now_in), COMPARISON_DUE.entry(due), RESTORED.entry(timestamp(now)))
    store.remember_all(dict(entries))
    return before, due
