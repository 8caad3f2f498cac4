"""Latches: requests that wait until somebody lets them go, so that a test decides what happens meanwhile.

A fault rule `hold` names a latch. Whatever comes to a latch waits there; `release` lets go what waits at that moment.
"""

import asyncio
import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """One request that waits: its latch, method, and path with query."""

    latch: str
    method: str
    path: str


class Latches:
    """The latches of one simulator. `hold` belongs to its event loop; the rest is safe to use from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[Waiting, asyncio.Event, asyncio.AbstractEventLoop]] = []

    async def hold(self, waiting: Waiting) -> None:
        """Returns when the latch is released."""
        let_go = asyncio.Event()
        entry = (waiting, let_go, asyncio.get_running_loop())
        with self._changed:
            self._waiting.append(entry)
            self._changed.notify_all()
        try:
            await let_go.wait()
        finally:
            with self._changed:
                self._waiting = [each for each in self._waiting if each is not entry]
                self._changed.notify_all()

    def waiting(self, latch: str | None = None) -> list[Waiting]:
        """What waits now, at one latch or at all, in the order of coming."""
        with self._changed:
            return [entry for entry, _, _ in self._waiting if latch in (None, entry.latch)]

    def wait_for(self, latch: str, *, seconds: float = 30.0) -> Waiting:
        """The first request that waits at the latch, once there is one. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._at(latch), timeout=seconds):
                raise TimeoutError(f"nothing came to the latch {latch!r} in {seconds:g} s")
            return self._at(latch)[0]

    def _at(self, latch: str) -> list[Waiting]:
        return [entry for entry, _, _ in self._waiting if entry.latch == latch]

    def release(self, latch: str | None = None) -> int:
        """Lets go what waits at one latch, or at all of them; returns how much it was. Who comes later waits again."""
        with self._changed:
            gone = [each for each in self._waiting if latch in (None, each[0].latch)]
            self._waiting = [each for each in self._waiting if each not in gone]
        for _, let_go, loop in gone:
            loop.call_soon_threadsafe(let_go.set)
        return len(gone)
