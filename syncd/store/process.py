"""What names a process beyond its number, and what its end can be told by.

A process id means something only in its own pid namespace, and only until the machine is started again: two containers
may have one host name, and so may two machines. What /proc hides proves nothing: a hardened service sees neither the
boot id (ProcSubset=pid) nor other users' processes (ProtectProc=invisible).
"""

from __future__ import annotations

import os
import platform
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from syncd.store.rows import moment

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the writer's lock. `born` is the start of the process in clock ticks since boot.

    `boot`, `namespace` and `born` are "" where the holder could not see them; `guard` is "" where it has no file lock.
    """

    owner: str
    host: str
    boot: str
    namespace: str
    pid: int
    born: str
    since: str
    expires: str
    """For people, by the holder's own wall clock. Nobody decides by it."""
    token: str
    guard: str
    """Which file it has locked (`FileLock.identity`)."""
    lasts: float
    """Seconds for which somebody has to see no renewal before its age counts."""
    beat: int = 0
    """Grows with each renewal."""
    serves: bool = False
    """Whether it carries out what people ask for in the meantime."""

    @property
    def mark(self) -> tuple[str, int, str]:
        """Differs after each renewal, also of versions that only moved `expires`."""
        return self.token, self.beat, self.expires

    @property
    def who(self) -> str:
        """For people: process id, host, and whether that id counts here."""
        here, there = _namespace().partition(" ")[0], self.namespace.partition(" ")[0]
        elsewhere = here and there and here != there
        return f"process {self.pid} on {self.host}" + (" in another pid namespace" if elsewhere else "")


def this_process(owner: str, now: datetime, lasts: timedelta, guard: str, *, serves: bool = False) -> Holder:
    """As it is written into the lock's row."""
    return Holder(
        owner=owner,
        host=platform.node(),
        boot=boot_id(),
        namespace=_namespace(),
        pid=os.getpid(),
        born=_born(os.getpid()),
        since=moment(now),
        expires=moment(now + lasts),
        token=secrets.token_hex(16),
        guard=guard,
        lasts=lasts.total_seconds(),
        serves=serves,
    )


def boot_id() -> str:
    """The same for all containers of one kernel, until it is started again; "" where it is hidden."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _namespace() -> str:
    """In which pids, and start times, of this process mean what they mean here (pid_, time_namespaces(7))."""
    found = []
    for kind in ("pid", "time"):
        try:
            found.append(str((_PROC / "self/ns" / kind).readlink()))
        except OSError:
            continue  # no time namespaces before Linux 5.6
    return " ".join(found)


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


def shares_numbers(holder: Holder) -> bool:
    """Whether its pid means here what it meant there: one boot of one machine, one pid namespace."""
    return bool(holder.boot and holder.namespace) and (holder.boot, holder.namespace) == (
        boot_id(),
        _namespace(),
    )


def has_ended(holder: Holder) -> bool:
    """Whether its number says so; False where the number says nothing."""
    if not shares_numbers(holder):
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    except OverflowError:
        return False  # no number of a process: somebody else wrote it
    fields = _stat(holder.pid)
    if not fields:
        return False  # it is there, and hidden
    return fields[0] in "ZX" or (holder.born != "" and holder.born != fields[19])


def is_stopped(holder: Holder) -> bool:
    """Whether it stands still by SIGSTOP or a debugger, where that can be seen."""
    return shares_numbers(holder) and _stat(holder.pid)[:1] in (["T"], ["t"])
