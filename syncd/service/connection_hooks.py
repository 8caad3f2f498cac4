"""What event hooks do for one connection of the daemon: names are stored, and the next delta comes at once.

How the names are merged with the System Log is `engine.cycles.hooked`; who may post them is `hook_desk`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Protocol

from syncd.core.groups import RuleBook
from syncd.core.hooks import names_of, org_key, strangers_among
from syncd.core.nomination import Known
from syncd.engine.cycles.hooked import Hooked
from syncd.engine.cycles.leavers import LeaverCycles
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.strangers import StrangerBudgets
from syncd.engine.facts import HOOKED, HOOKS_HEARD, HookHistory
from syncd.engine.job import Job
from syncd.engine.reading.org_urls import known_org_urls, learn_org_urls
from syncd.errors import TemporaryError
from syncd.model import LogEvent
from syncd.ports import Store
from syncd.service.board import ConnectionBoard
from syncd.service.connection_state import Well
from syncd.service.current_state import CurrentState
from syncd.service.reports import Ending, cycle_report
from syncd.service.telling import Voice
from syncd.settings import ConnectionSettings
from syncd.settings.schema import HooksSettings

APART = 1.0
"""Seconds between the end of a delta and the next one that hooks ask for."""


_REMEMBERED_EVERY = timedelta(minutes=1)
_STRANGERS = (
    "event hooks name people or groups that are not there: such names are left to the System Log for a while"
)
_ASK = (
    "usual with large pushed groups of people without the app; else somebody may know hooks.secret: change it"
)


class Around(Protocol):
    """What all connections share."""

    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def hurry(self) -> Callable[[str, str, float], None]: ...
    @property
    def strangers(self) -> StrangerBudgets: ...


class ConnectionHooks:
    """`take` is called by one thread at a time, the rest from any."""

    def __init__(
        self,
        current: CurrentState,
        board: ConnectionBoard,
        around: Around,
        voice: Voice,
        settings: Callable[[], ConnectionSettings],
    ) -> None:
        self.hooked = Hooked(budget=lambda: around.strangers.of(org_key(settings().okta.org_url)))
        self._current = current
        self._board = board
        self._around = around
        self._voice = voice
        self._settings = settings
        self._ended = -APART
        self._rest = APART
        self._said = HookHistory()
        self._giving: LeaverCycles | None = None
        self.is_put_off: Callable[[], bool] = lambda: False
        """Whether the target has to be left alone for now; who says so sees to the delta after that."""
        self._org_urls: tuple[str, Sequence[str]] | None = None
        """By `okta.org_url`, from the store."""
        self._asked_for_urls = ""
        self.more = False
        """The last delta looked at leavers only."""

    @property
    def settings(self) -> ConnectionSettings:
        """Those that count now."""
        return self._settings()

    @property
    def terms(self) -> HooksSettings:
        """See `hook_intake.HookReceiver`."""
        return self.settings.hooks

    @property
    def org_urls(self) -> Sequence[str]:
        """See `hook_intake.HookReceiver`."""
        org_url, store = self.settings.okta.org_url, self._current.store
        if store is None:
            return known_org_urls(None, org_url)
        if self._org_urls is None or self._org_urls[0] != org_url:
            self._org_urls = org_url, known_org_urls(store, org_url)
        return self._org_urls[1]

    def adopt(self, settings: ConnectionSettings) -> None:
        """New settings, before they count: who begins to listen has a delta at once, which asks the org who it is."""
        if settings.hooks.come and not self.settings.hooks.come:
            self._around.hurry(settings.name, "delta", 0.0)

    def of_delta(self, job: Job) -> Hooked:
        """What a delta goes by. The first with a listener asks the org for its addresses, as each full cycle does."""
        if self._asked_for_urls != job.settings.okta.org_url:
            self._learn_org_urls(job)
        return self.hooked

    def _learn_org_urls(self, job: Job) -> None:
        if job.settings.hooks.come:
            self._asked_for_urls = job.settings.okta.org_url
            learn_org_urls(job)
            self._org_urls = None

    def take(self, events: Sequence[LogEvent]) -> None:
        """What these events name of this connection is stored when it returns. Raises SyncdError when it is not."""
        store, settings, now = self._current.store, self.settings, self._around.clock()
        if store is None:
            raise TemporaryError(f"the store of {settings.name} is not open")
        known = Known(
            app_id=settings.okta.app_id,
            user=cache(lambda okta_id: store.user(okta_id) is not None),  # one is named again and again
            group=cache(lambda okta_id: store.group(okta_id) is not None),
            any_group=RuleBook(settings.push_groups).needs_every_group,
        )
        self.restore(store)
        names = names_of(events, known, now)
        if self.hooked.put(names, events, now, strangers_among(names, known)):
            self.hooked.keep(lambda text: HOOKED.remember(store, text))
            if isinstance(self._current.state, Well) and not self.is_giving_way:
                self._around.hurry(
                    settings.name, "delta", max(0.0, self._ended + self._rest - time.monotonic())
                )
        self._remember(store)
        self._tell_of_strangers()

    def left_out(self, names: int) -> None:
        """So many names that hooks brought nobody can look at on their word."""
        self.hooked.left_out(names)
        self._tell_of_strangers()

    def restore(self, store: Store) -> None:
        """What was named before this process had the connection, and nobody has looked at."""
        self.hooked.restore(HOOKED.of(store))

    def _tell_of_strangers(self) -> None:
        """Where so many names were nothing that the rest is left to the System Log. Whether it is over, deltas ask."""
        self._board.left_to_the_log(self.hooked.left_to_the_log)
        if not self.hooked.is_short:
            self._voice.over("strangers")
            self._board.warn("strangers", "")
            return
        self._board.warn("strangers", f"{_STRANGERS}; {_ASK}")
        self._voice.once("strangers", "warning", _STRANGERS, "delta", hint=_ASK)

    def _remember(self, store: Store) -> None:
        """For whoever asks whether hooks arrive, in another process or later."""
        heard = HookHistory(self.hooked.last, self.hooked.missed)
        if heard.last is None or not self.settings.hooks.come:
            return
        fresh = self._said.last is None or heard.last - self._said.last >= _REMEMBERED_EVERY
        if fresh or heard.missed != self._said.missed:
            HOOKS_HEARD.remember(store, heard)
            self._said = heard

    @contextmanager
    def leavers_first(self, job: Job, seen: Seen) -> Iterator[Job]:
        """The job of a full cycle, which lets leavers through while it writes."""
        started = self._around.clock()
        self._learn_org_urls(job)

        def told(result: RunResult) -> None:
            ending = Ending(result)
            report = cycle_report("delta", started, self._around.clock(), ending, store=self._current.store)
            self._board.ended(report)
            self._voice.ended(report, ending, stopping=False)

        giving = self._giving = LeaverCycles(seen, self.hooked, told)
        try:
            yield giving.job(job)
        finally:
            self._giving = None
            seen.name(giving.afterwards())
            if seen.pending or self.hooked.waits() is not None:
                self._around.hurry(self.settings.name, "delta", 0.0)

    @property
    def is_giving_way(self) -> bool:
        """A delta would only read what is new: a full cycle has the turn, which looks at who lost access by itself, or
        nobody may have it for now.
        """
        giving = self._giving
        return (giving is not None and giving.has_turn) or self.is_put_off()

    def after_delta(self, *, failed: bool) -> None:
        """A delta has ended: what is to be looked at once more gets its turn. After one that failed, hooks ask for none
        earlier than it would come without them.
        """
        self._ended = time.monotonic()
        self._rest = self.settings.schedule.delta.total_seconds() if failed else APART
        waits = 0.0 if self.more else self.hooked.waits()
        if waits is not None and not self.is_giving_way and isinstance(self._current.state, Well):
            at_once = self.more and not failed
            self._around.hurry(self.settings.name, "delta", waits if at_once else max(self._rest, waits))
        self.more = False
        if (store := self._current.store) is not None:
            self._remember(store)
        self._tell_of_strangers()
        missed = self.hooked.missed
        self._board.warn(
            "hooks",
            f"event hooks do not bring {missed}: the System Log had one, and no hook; is it ticked in Okta, and does"
            " Okta reach the listener?"
            if missed and self.settings.hooks.come
            else "",
        )

    def delta_every(self, settings: ConnectionSettings) -> timedelta:
        """How often the System Log is asked by these settings: less often while hooks come."""
        schedule = settings.schedule
        if settings.hooks.come and self.hooked.is_healthy:
            return max(schedule.delta, schedule.delta_with_hooks)
        return schedule.delta
