"""Event hooks of a fleet: any worker hears them, and what they name waits in the database until whoever owns the
connection has it in its store.

Nothing is lost between the two: a row goes only after the names are pending in the store, and only by the word of who
owns the connection. Whoever takes over finds the rows that are left; a row that is taken up twice names the same again.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress

from syncd.engine.facts import ORG_URLS
from syncd.engine.reading.org_urls import org_urls_of
from syncd.errors import SyncdError
from syncd.model import LogEvent
from syncd.ports.hook_events import HookEvents, WaitingEvents
from syncd.service.fleet.connection import OwnedConnection
from syncd.service.telling import Event
from syncd.settings.fleet_hooks import FleetHooks
from syncd.settings.schema import HooksSettings

_SWEEPS_EVERY = 15.0
"""Seconds: whoever puts something there says so, and this is for what nobody heard."""
_HEARS_FOR = 0.25
"""Seconds until it looks whether it is to end, and what was taken over."""
_TRIES_AGAIN = 1.0
_ENDS_WITHIN = 2.0


class OrgReceiver:
    """All connections of one org, whoever owns them: implements `hook_intake.HookReceiver`."""

    def __init__(self, org_url: str, terms: HooksSettings, waiting: HookEvents) -> None:
        self.org_url, self.terms = org_url, terms
        self.org_urls: Sequence[str] = org_urls_of(org_url, ())
        self._waiting = waiting

    def take(self, events: Sequence[LogEvent]) -> None:
        """See `hook_intake.HookReceiver`."""
        self._waiting.put(self.org_url, events)

    def learn(self) -> None:
        """What the owners of its connections learned of its addresses. Raises TemporaryError."""
        self.org_urls = org_urls_of(self.org_url, self._waiting.remembered(self.org_url, ORG_URLS.key))


class HookedOrgs:
    """`receivers` are for the listener; a thread of its own takes up what waits for what this worker owns."""

    def __init__(
        self, waiting: HookEvents, owned: Callable[[], Sequence[OwnedConnection]], tell: Event
    ) -> None:
        self._waiting, self._owned, self._tell = waiting, owned, tell
        self._receivers: Sequence[OrgReceiver] = ()
        self._fresh: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="hooked-orgs", daemon=True)

    def receivers(self) -> Sequence[OrgReceiver]:
        """As `fleet.toml` says now."""
        return self._receivers

    def hear(self, hooks: FleetHooks) -> None:
        """Of these orgs from now on."""
        known = {each.org_url: each.org_urls for each in self._receivers}
        fresh = [OrgReceiver(each.org_url, hooks.of_org(each.org_url), self._waiting) for each in hooks.org]
        for each in fresh:
            each.org_urls = known.get(each.org_url, each.org_urls)
        self._receivers = fresh

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Nothing is taken up any more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(_ENDS_WITHIN)

    def taken_over(self, connection: int) -> None:
        """Something may wait for it that its owner before was told of; from any thread."""
        self._fresh.put(connection)

    def _work(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            try:
                woken = self._waiting.heard(min(_HEARS_FOR, max(0.0, due - time.monotonic())))
                if self._over.is_set():
                    return
                if time.monotonic() < due:
                    if named := woken | self._taken_over():
                        self._take_up(named)
                    continue
                self._take_up(None)
                self._learn()
                due = time.monotonic() + _SWEEPS_EVERY
            except SyncdError:  # whoever looks at the fleet says so
                due = time.monotonic()
                self._over.wait(_TRIES_AGAIN)
            except Exception as error:  # noqa: BLE001  (nothing that somebody posts ends this)
                self._say(error)
                self._over.wait(_TRIES_AGAIN)

    def _say(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        self._tell("error", "what event hooks name could not be taken up", error=said)

    def _taken_over(self) -> AbstractSet[int]:
        found: set[int] = set()
        with suppress(queue.Empty):
            while True:
                found.add(self._fresh.get_nowait())
        return found

    def _learn(self) -> None:
        for each in self._receivers:
            with suppress(SyncdError):  # what is known counts on
                each.learn()

    def _take_up(self, woken: AbstractSet[int] | None) -> None:
        """None: of everybody."""
        owned = {each.ownership.connection: each for each in self._owned()}
        wanted = owned.keys() if woken is None else owned.keys() & woken
        if wanted:
            for number, found in self._waiting.waiting(wanted).items():
                self._take(owned[number], found)

    def _take(self, one: OwnedConnection, found: WaitingEvents) -> None:
        """What fails stays where it is, for the next look or the next owner."""
        try:
            one.hooks.take(found.events)
            self._waiting.taken(one.ownership, found.places)
            self._left(one, found)
        except SyncdError:
            return
        except Exception as error:  # noqa: BLE001  (of others it is taken up all the same)
            self._say(error)

    def _left(self, one: OwnedConnection, found: WaitingEvents) -> None:
        """Once: these rows are gone."""
        if not (found.left_out or found.unreadable):
            return
        one.hooks.left_out(found.left_out + found.unreadable)
        name, said = one.ownership.name, "what they named is left to the System Log"
        if found.left_out:
            self._tell("warning", f"event hooks had no room: {said}", connection=name, names=found.left_out)
        if found.unreadable:
            event = f"rows of event hooks cannot be read: {said}"
            self._tell("warning", event, connection=name, rows=found.unreadable)
