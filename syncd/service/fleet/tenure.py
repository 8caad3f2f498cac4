"""The lease of this worker, in hand: joined, renewed by a thread of its own, looked at before each request.

Nothing that the worker does waits for the database in order to know that it may go on: the deadline is known by the
clock. The thread only moves it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from syncd.core.lease import HeldLease
from syncd.errors import LockLost
from syncd.ports.fleet import Registry, WorkerRecord
from syncd.service.telling import Event, said_of
from syncd.store.lease import elapsed

_LETTERS = 3
"""Random bytes in the name of a worker: it is never used again."""


class Tenure:
    """From `begin` until it is lost or ended. `permit`, `left` and `is_lost` may be asked from any thread."""

    def __init__(
        self,
        registry: Registry,
        worker: WorkerRecord,
        event: Event,
        *,
        waiting: Callable[[], Sequence[int]] = tuple,
        clock: Callable[[], float] = elapsed,
    ) -> None:
        """`waiting`: see `Registry.renew`. `clock` counts seconds, suspended ones too."""
        self._registry, self._worker, self._event, self._clock = registry, worker, event, clock
        self._waiting = waiting
        self._terms = worker.terms
        self.name = ""
        self._lease: HeldLease | None = None
        self.renewal: float | None = None
        """Seconds that the last renewal took, also one that failed; None before the first."""
        self.trouble = ""
        """Why the last renewal failed; "" when it did not."""
        self._over = threading.Event()
        self._lost = threading.Event()

    def begin(self) -> None:
        """Joins under the worker's name, or a new one where that is "" (the host's and a random part). Raises
        RefusedError for a name that was used before, TemporaryError without a database.
        """
        name = self._worker.name or f"{self._worker.host}-{secrets.token_hex(_LETTERS)}"
        sent = self._clock()
        self._registry.join(replace(self._worker, name=name))
        self.name, self._lease = name, HeldLease(self._terms, sent)
        threading.Thread(target=self._renew, name="fleet-heartbeat", daemon=True).start()

    @property
    def left(self) -> float:
        """Seconds for which it may write on."""
        lease = self._lease
        return 0.0 if lease is None or self._lost.is_set() else lease.left(self._clock())

    @property
    def is_lost(self) -> bool:
        """Others were told that this lease ran out; it never lives again."""
        return self._lost.is_set()

    def permit(self) -> None:
        """A `Permit`. Raises LockLost, also while the database only may come back in time to be asked."""
        if self.left > 0:
            return
        raise LockLost(
            f"the lease of worker {self.name} ran out: others may have its connections, and nothing more is sent",
            hint="what was left undone is done by whoever has them; see syncd fleet status",
        )

    def end(self) -> None:
        """No renewal any more. What it still has is free for others: at once for what was given back, else after the
        lease. Raises TemporaryError.
        """
        self._over.set()
        if self._lease is not None and not self.is_lost:
            self._registry.leave(self.name)

    def _renew(self) -> None:
        failing = False
        while not self._over.wait(self._terms.renewed_every):
            sent = self._clock()
            try:
                alive = self._registry.renew(self.name, self._waiting())
                self.renewal, self.trouble = self._clock() - sent, ""
            except Exception as error:  # noqa: BLE001  (who stops beating never hears that its lease is over)
                said = said_of(error)
                self.renewal, self.trouble = self._clock() - sent, said["error"]
                if not failing:
                    failing = True
                    left = round(self.left, 1)
                    self._event("warning", "the lease cannot be renewed", worker=self.name, left=left, **said)
                continue
            if self._over.is_set():
                return
            if not alive:
                self._lost.set()
                self._event("error", "the lease ran out, and others were told", worker=self.name)
                return
            if self._lease is not None:
                self._lease = self._lease.renewed(sent)
            if failing:
                failing = False
                self._event("info", "the lease is renewed again", worker=self.name)
