"""The writer's lock as it stands in the store: one row that names its owner, and what is said about it.

Each taking has a token of its own: who lost the lock notices before the next write, to the store (the token is
compared in the same transaction) and to the target (`lease`). Who took it over, when (by its own wall clock) and why
stays in the store for the one who lost it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from syncd.errors import LockHeld, LockLost, LockWatched
from syncd.store import process, state
from syncd.store.db import Db
from syncd.store.file_lock import FileLock
from syncd.store.process import Holder
from syncd.store.rows import moment

_COLUMNS = "owner, host, boot, namespace, pid, born, since, expires, token, guard, lasts, beat, serves"
_READ = (
    "owner, host, boot, namespace, CAST(pid AS INTEGER), born, since, expires, token, guard, CAST(lasts AS REAL),"
    " CAST(beat AS INTEGER), CAST(serves AS INTEGER)"
)
"""The same; SQLite keeps any text in any column."""
_TAKEOVERS = "takeovers"
_KEPT = 8
"""So many takeovers are remembered."""


def current(conn: Db) -> Holder | None:
    """Whose name is in the store's lock, alive or not; None where nobody's is."""
    row = conn.execute(f"SELECT {_READ} FROM writer WHERE id = 1").fetchone()  # noqa: S608  (constants)
    if row is None:
        return None
    *said, serves = row
    return replace(Holder(*said), serves=bool(serves))


def write(conn: Db, mine: Holder, before: Holder | None, because: str, now: datetime) -> None:
    """The lock is mine from now on; `because` says why it may be taken from `before`."""
    values = [getattr(mine, name) for name in _COLUMNS.split(", ")[:-1]]
    values.append(int(mine.serves))
    places = ", ".join("?" * len(values))
    conn.execute(f"INSERT OR REPLACE INTO writer (id, {_COLUMNS}) VALUES (1, {places})", values)  # noqa: S608
    if before is not None:
        at, by = f"{moment(now)[:19]}Z", f"{mine.owner}, {mine.who}"
        told = {"token": before.token, "at": at, "moment": moment(now), "by": by, "because": because}
        state.remember(conn, _TAKEOVERS, json.dumps([*_takeovers(conn), told][-_KEPT:]))


def renew(conn: Db, expires: datetime) -> None:
    """A sign of life of whoever has the lock: it lasts until `expires` (aware)."""
    conn.execute("UPDATE writer SET beat = beat + 1, expires = ? WHERE id = 1", (moment(expires),))


def release(conn: Db, mine: Holder) -> None:
    """Nothing when another process took it over."""
    conn.execute("DELETE FROM writer WHERE id = 1 AND token = ?", (mine.token,))


def why_it_ended(other: Holder, guard: FileLock) -> str:
    """What proves that the owner's process has ended; "" when nothing does. `guard` is ours now."""
    seen = guard.identity and guard.identity == other.guard
    if seen and ((other.boot and other.boot == process.boot_id()) or guard.speaks_for_all()):
        return f"its process had ended: nobody had {guard.path.name} locked any more"
    if process.has_ended(other):
        return f"its process had ended: there was no process {other.pid} any more"
    return ""


def require(conn: Db, mine: Holder, age: float) -> None:
    """Raises LockLost unless the lock is mine; `age` is how many seconds ago it was renewed by this process."""
    other = current(conn)
    if other is not None and other.token == mine.token:
        return
    taken = next((each for each in _takeovers(conn) if each.get("token") == mine.token), None)
    if taken is not None:
        how = f"another process took it over at {taken['at']}, because {taken['because']} ({taken['by']})"
    elif other is not None:
        how = f"{named(other)} has it, and took it without leaving word"
    else:
        how = "its row is gone from the store, and nobody left word"
    raise LockLost(
        f"this process has lost the writer's lock: {how}; it writes nothing more",
        hint=f"it had renewed the lock {age:.0f} s before, by its own clock; run it again for what it left undone",
    )


def taken_over_at(conn: Db, token: str) -> datetime | None:
    """When the lock with this token went to another process; None when nobody knows."""
    told = next(
        (each.get("moment", each["at"]) for each in _takeovers(conn) if each.get("token") == token), None
    )
    return None if told is None else datetime.fromisoformat(told)


def _takeovers(conn: Db) -> list[Mapping[str, Any]]:
    try:
        kept = json.loads(state.recall(conn, _TAKEOVERS) or "[]")
    except ValueError:
        return []
    wanted = {"token", "at", "because", "by"}
    return [each for each in kept if isinstance(each, dict) and wanted <= each.keys()]


def named(other: Holder) -> str:
    """For people: what it is, and where."""
    return f"{other.owner} ({other.who})"


def refused(other: Holder) -> LockHeld:
    """It lives, and has the lock."""
    hint, stopped = "its lock is free as soon as its process has ended", process.is_stopped(other)
    if stopped:
        hint = f"it is stopped: let it go on (kill -CONT {other.pid}), or end it (kill -KILL {other.pid})"
    said = f"{named(other)} has been writing with this store since {other.since[:19]}Z"
    return LockHeld(said, hint=hint, stands_still=stopped)


def refused_by_nobody(guard: str) -> LockHeld:
    """What to raise where the file `guard` is locked and the store does not say by whom."""
    return LockHeld(
        f"another process has {guard} locked, and with it the store",
        hint=f"it is about to write, or to end: try again; who it is, lslocks or fuser {guard} tells",
    )


def watched(other: Holder, guard: FileLock, left: timedelta) -> LockWatched:
    """Nothing proves that it has ended, and it may live."""
    if guard.trouble:
        why = f"the file system of {guard.path.parent} has no file locks ({guard.trouble})"
    elif not other.guard:
        why = "it could lock no file"
    elif other.guard != guard.identity:
        why = f"it had locked another {guard.path.name}"
    else:
        why = "it may run on another machine"
    return LockWatched(
        f"{named(other)} has the writer's lock since {other.since[:19]}Z, and nothing tells whether it still lives:"
        f" {why}",
        hint="its lock is taken over once it was seen not to be renewed for its whole time;"
        " run syncd again and leave it running",
        left=left,
    )
