"""The writer's lock: one row in the store with owner, process and expiry.

A lock is dead when it expired, or when its process on this host is gone (another boot, no such pid, or a pid that
was born at another time). What /proc hides proves nothing: a hardened service sees neither the boot id
(ProcSubset=pid) nor other users' processes (ProtectProc=invisible), and must not take a living lock over for that.
Each taking has a token of its own: who lost the lock notices before the next write, to the store (the token is
compared in the same transaction) and to the target (`Lease`).
"""

from __future__ import annotations

import os
import platform
import secrets
import sqlite3
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from syncd.errors import LockLost, RefusedError
from syncd.store.rows import moment

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: `born` is the start time of the process in clock ticks since boot.

    `boot` and `born` are "" where the holder could not see them.
    """

    owner: str
    host: str
    boot: str
    pid: int
    born: str
    since: str
    expires: str
    token: str


def this_process(owner: str, now: datetime, expires_in: timedelta) -> Holder:
    return Holder(
        owner=owner,
        host=platform.node(),
        boot=_boot_id(),
        pid=os.getpid(),
        born=_born(os.getpid()),
        since=moment(now),
        expires=moment(now + expires_in),
        token=secrets.token_hex(8),
    )


def _boot_id() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    """Fields 3 and later of /proc/PID/stat (proc(5)); none where there is no such file, or it is hidden."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _born(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields else ""


def is_dead(holder: Holder, now: datetime) -> bool:
    if holder.expires <= moment(now):
        return True
    if holder.host != platform.node():
        return False
    boot = _boot_id()
    if holder.boot and boot and holder.boot != boot:
        return True
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    fields = _stat(holder.pid)
    if not fields:
        return False  # it is there, and hidden
    return fields[0] in "ZX" or (holder.born != "" and holder.born != fields[19])


def current(conn: sqlite3.Connection) -> Holder | None:
    row = conn.execute(
        "SELECT owner, host, boot, pid, born, since, expires, token FROM writer WHERE id = 1"
    ).fetchone()
    return None if row is None else Holder(*row)


def take(conn: sqlite3.Connection, mine: Holder, now: datetime) -> None:
    """Inside BEGIN IMMEDIATE. Raises RefusedError naming the living owner."""
    other = current(conn)
    if other is not None and other.token != mine.token and not is_dead(other, now):
        raise RefusedError(
            f"{other.owner} (process {other.pid} on {other.host}) has been writing with this store"
            f" since {other.since[:19]}Z",
            hint="wait until it is done, or stop it; a lock whose process is gone is taken over by itself,"
            f" and this one expires at {other.expires[:19]}Z",
        )
    conn.execute(
        "INSERT OR REPLACE INTO writer (id, token, owner, host, boot, pid, born, since, expires)"
        " VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            mine.token,
            mine.owner,
            mine.host,
            mine.boot,
            mine.pid,
            mine.born,
            mine.since,
            mine.expires,
        ),
    )


def require(conn: sqlite3.Connection, mine: Holder) -> None:
    """Raises LockLost when somebody else took the lock over (it had expired)."""
    other = current(conn)
    if other is None or other.token != mine.token:
        by = f"{other.owner} (process {other.pid} on {other.host})" if other else "another process"
        raise lost(by)


def lost(by: str) -> LockLost:
    return LockLost(
        f"the writer's lock expired and {by} took it over; nothing more is written",
        hint="this process was stopped or stalled for longer than the lock lasts: run it again",
    )


def lost_again(before: LockLost) -> LockLost:
    """A new one for each who asks: several threads may."""
    return LockLost(before.message, hint=before.hint)


def renew(conn: sqlite3.Connection, mine: Holder, expires: datetime) -> None:
    require(conn, mine)
    conn.execute("UPDATE writer SET expires = ? WHERE id = 1", (moment(expires),))


def release(conn: sqlite3.Connection, mine: Holder) -> None:
    conn.execute("DELETE FROM writer WHERE id = 1 AND token = ?", (mine.token,))


def _elapsed() -> float:
    """Seconds by a clock that goes on while this process is stopped and while the machine sleeps (Linux: boot time)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """What this process knows of its lock without asking the store, so that it can be looked at before each request.

    Two clocks: the wall's, by which others see the lock expire, and one that nobody sets. In doubt once half of the
    time is over by either: what is sent before that has the other half to arrive.
    """

    def __init__(self, holder: Holder, lasts: timedelta, now: datetime, elapsed: float) -> None:
        self.holder = holder
        self.lasts = lasts
        self.ended: LockLost | None = None
        """Set once it was seen to be lost."""
        self.renewed(now, elapsed)

    @staticmethod
    def elapsed() -> float:
        """Read before the store is asked: what comes in between counts against the lease."""
        return _elapsed()

    def renewed(self, now: datetime, elapsed: float) -> None:
        self._now, self._elapsed = now, elapsed

    def in_doubt(self, now: datetime) -> bool:
        half = self.lasts / 2
        return abs(now - self._now) >= half or self.elapsed() - self._elapsed >= half.total_seconds()
