"""The System Logs of orgs whose connections several workers own: asked once for all of them, by way of the fleet's
database. An org whose connections are all here costs that nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection

from syncd.errors import SyncdError
from syncd.okta.fleet_log import FleetLog, number_of
from syncd.ports.org_log import Trunks
from syncd.service.fleet.moment import FleetMoment
from syncd.service.telling import Event

_LOOKS_EVERY, _HEARS_FOR = 1.0, 0.25
"""Seconds until it looks anew who owns what, and whether it is to end; the second while it listens."""
_FORGETS_EVERY = 600.0
_ENDS_WITHIN = 2.0


class SharedLogs:
    """`beyond` is for `okta.orgs.Orgs`; a thread of its own hears of what other workers were told."""

    def __init__(
        self, trunks: Trunks, moment: Callable[[], FleetMoment], stopping: threading.Event, tell: Event
    ) -> None:
        self._trunks, self._moment, self._stopping, self._tell = trunks, moment, stopping, tell
        self._apart: frozenset[str] = frozenset()
        self._found: dict[int, tuple[str, FleetLog]] = {}
        """By number of the org: its key, and what is shared of it."""
        self._thread: threading.Thread | None = None

    def beyond(self, key: str, names: Collection[str]) -> FleetLog | None:
        """None where no other worker has connections of the org of these."""
        if self._apart.isdisjoint(names):
            return None
        number = number_of(key)
        _, log = self._found.setdefault(number, (key, FleetLog(number, self._trunks, self._stopping.wait)))
        return log

    def start(self, heard: Callable[[str], None]) -> None:
        """`heard` is called with the key of an org of which another worker was told events."""
        self._thread = threading.Thread(target=self._work, args=(heard,), name="shared-logs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._thread.join(_ENDS_WITHIN)

    def _work(self, heard: Callable[[str], None]) -> None:
        listens, forgets_at = False, time.monotonic()
        while not self._stopping.is_set():
            try:
                self._apart = frozenset(self._moment().apart)
                listens = listens or bool(self._apart)
                if not listens:
                    self._stopping.wait(_LOOKS_EVERY)
                    continue
                if time.monotonic() >= forgets_at:
                    self._trunks.forget()
                    forgets_at = time.monotonic() + _FORGETS_EVERY
                for number in self._trunks.heard(_HEARS_FOR):
                    if found := self._found.get(number):
                        heard(found[0])
            except SyncdError:  # the next poll finds what nobody heard of
                self._stopping.wait(_LOOKS_EVERY)
            except Exception as error:  # noqa: BLE001  (the polls go on without it)
                said = f"{type(error).__name__}: {error}"
                self._tell("error", "what other workers were told of System Logs is not heard", error=said)
                self._stopping.wait(_LOOKS_EVERY)
