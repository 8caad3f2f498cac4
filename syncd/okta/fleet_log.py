"""The System Log of one org, asked once for all workers of a fleet: what `shared_log.SharedLog` is within a process, by
way of the fleet's database.

A connection is handed what follows its place in the trunk; at the end of the trunk one worker asks for all. A place
that the trunk does not know is asked by itself, and who comes from there is led to the others as `log_book` says. When
the database is not to be had everybody asks for himself: nothing that is kept there is needed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.core.nomination import ASKED
from syncd.errors import PermanentError, SyncdError
from syncd.okta.log_book import LIVES_FOR, OVERLAP
from syncd.okta.shared_log import Aged
from syncd.ports import LogPage
from syncd.ports.org_log import ASKING_LASTS, Trunk, Trunks

_FORM = "1"
"""Of what is kept: who keeps it otherwise shares nothing with this version."""
_LOOKS_AGAIN = 0.25
"""Seconds, while another worker asks."""
_OVERLAP, _LIVES_FOR = timedelta(seconds=OVERLAP), timedelta(seconds=LIVES_FOR)

Ask = Callable[[str], LogPage]


def number_of(key: str) -> int:
    """For the org of this key (see `orgs.Orgs`), asked for these kinds of events: of 63 bits no secret is guessed."""
    said = json.dumps([_FORM, key, *ASKED]).encode()
    return int.from_bytes(hashlib.sha256(said).digest()[:8]) >> 1


class FleetLog:
    """Thread-safe. `wait` sleeps for so many seconds, and says whether everything is to end."""

    def __init__(
        self,
        org: int,
        trunks: Trunks,
        wait: Callable[[float], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._org, self._trunks, self._wait, self._clock = org, trunks, wait, clock

    def begin(self, ask: Callable[[], LogPage]) -> LogPage:
        """See `SharedLog.begin`."""
        with suppress(SyncdError):
            found = self._trunks.look(self._org, "")
            if found.end is not None and _lives(found):
                return LogPage((), found.end, full=False)
        page = ask()
        with suppress(SyncdError):
            now = self._trunks.look(self._org, "").now
            if asker := self._trunks.start(self._org, page.cursor, now - _LIVES_FOR):
                self._trunks.release(self._org, asker)
        return page

    def known(self, place: str) -> Aged | None:
        """What follows this place as far as others were told; None where nothing does. Okta is not asked."""
        with suppress(SyncdError):
            found = self._trunks.look(self._org, place)
            if found.follows is not None and found.follows.cursor != place:
                return Aged(found.follows, _age(found))
        return None

    def page(self, place: str, fresh_for: float, ask: Ask) -> Aged:
        """What follows this place: as others were told, at most so many seconds ago, else as `ask` is told by Okta.
        Raises what `ask` raises.
        """
        waits: _Waits | None = None
        while True:
            try:
                found = self._trunks.look(self._org, place)
                if (handed := _told_already(found, place, fresh_for, waits)) is not None:
                    return handed
                asker = self._may_ask(found, place)
            except SyncdError:
                return Aged(self._asked(place, ask))
            if asker is not None:
                return Aged(self._for_all(place, ask, asker))
            if found.follows is None:
                return Aged(self._by_itself(place, ask, found.now))
            waits = waits or _Waits(self._clock() + ASKING_LASTS, found.asked)
            if self._clock() >= waits.until:
                return Aged(self._asked(place, ask))
            if self._wait(_LOOKS_AGAIN):
                return Aged(LogPage((), place, full=False))

    def _may_ask(self, found: Trunk, place: str) -> str | None:
        if found.follows is not None:
            return self._trunks.take(self._org, found)
        return None if _lives(found) else self._trunks.start(self._org, place, found.now - _LIVES_FOR)

    def _asked(self, place: str, ask: Ask) -> LogPage:
        try:
            return ask(place)
        except PermanentError:
            with suppress(SyncdError):
                self._trunks.refused(self._org, place)
            raise

    def _for_all(self, place: str, ask: Ask, asker: str) -> LogPage:
        """At the end of the trunk, or where one begins."""
        try:
            page = self._asked(place, ask)
        except SyncdError:
            with suppress(SyncdError):
                self._trunks.release(self._org, asker)
            raise
        with suppress(SyncdError):
            if page.events and page.cursor == place:  # others could be shown them from no place
                self._trunks.release(self._org, asker)
            else:
                self._trunks.told(self._org, asker, place, page)
        return page

    def _by_itself(self, place: str, ask: Ask, now: datetime) -> LogPage:
        """At a place that the trunk does not know. `now` was before it asks."""
        page = self._asked(place, ask)
        if not page.full:
            with suppress(SyncdError):
                behind = self._trunks.led(self._org, page.cursor, now - _OVERLAP)
                if behind is not None:
                    return LogPage(page.events, behind, full=True)
        return page


@dataclass(frozen=True, slots=True)
class _Waits:
    """For another one's answer. `asked`: when somebody had asked last, as it began to wait."""

    until: float
    asked: datetime | None


def _told_already(found: Trunk, place: str, fresh_for: float, waits: _Waits | None) -> Aged | None:
    """What there is to hand without a question; None where somebody has to ask."""
    page = found.follows
    if page is None:
        return None
    age = _age(found)
    is_fresh = not found.more and age <= fresh_for
    if page.cursor != place:
        return Aged(LogPage(page.events, page.cursor, full=page.full or not is_fresh), age)
    if is_fresh or (waits is not None and found.asked != waits.asked):
        return Aged(page, age)
    return None


def _age(found: Trunk) -> float:
    """Seconds since somebody asked at the end. A moment that is still to come was told by a clock that went back."""
    seconds = float("inf") if found.asked is None else (found.now - found.asked).total_seconds()
    return seconds if seconds >= 0 else float("inf")


def _lives(found: Trunk) -> bool:
    last = found.asked or found.since
    return last is not None and timedelta() <= found.now - last <= _LIVES_FOR
