"""What the System Log of one org said at which place, for several connections that follow it. Pure.

A place is the URL of Okta's next page, and whoever reads on from one is told of everything that was persisted after it.
Each connection keeps a place of its own; from there it is handed what another one was told at that place, and at those
that followed. So it is at no place before which there is something that it was not handed.

Who comes from a place that nobody else was at asks there by itself. When nothing more follows it is led to the others:
to a place that they had reached `OVERLAP` before it was told so, and which therefore lies behind its own. What it was
told meanwhile it is handed twice.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from syncd.model import LogEvent
from syncd.ports import LogPage

OVERLAP = 120.0
"""Seconds by which two answers of Okta at most differ in what they show: see `system_log.OVERLAP`."""
HANDED_AT_MOST = 1000
"""Events handed at once, as in one page of Okta's."""
EVENTS_KEPT, PLACES_KEPT = 10_000, 1_000
LIVES_FOR = 600.0
"""Seconds after which nobody is led, or begins, where nobody has asked since."""


@dataclass(frozen=True, slots=True)
class _Told:
    page: LogPage
    at: float
    """When it was asked."""


@dataclass(frozen=True, slots=True)
class Onward:
    """What is known from a place on, and the place where that ends. `asked` is when somebody asked there, or was led
    there: None when nobody did, or there was more. `more`: not all that is known was handed.
    """

    events: Sequence[LogEvent]
    place: str
    asked: float | None
    more: bool = False


class LogBook:
    """Moments are seconds of any clock that never goes back."""

    def __init__(self) -> None:
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._events = 0
        self._reached: dict[str, float] = {}
        """By place, when Okta last said that nothing more follows it yet."""
        self._trunk: deque[tuple[float, str]] = deque(maxlen=PLACES_KEPT)
        """Places one after the other, and when each was reached first."""
        self._last: float | None = None
        """When somebody asked at the end of the trunk, or was led there."""

    def onward(self, place: str) -> Onward:
        """From there on."""
        events: list[LogEvent] = []
        passed: set[str] = set()
        asked = self._reached.get(place)
        while (told := self._told.get(place)) is not None:
            if events and len(events) + len(told.page.events) > HANDED_AT_MOST:
                return Onward(events, place, None, more=True)
            events += told.page.events
            asked = None if told.page.full else told.at
            passed.add(place)
            if told.page.cursor in passed:  # nothing new was there, and the place stayed
                place = told.page.cursor
                break
            place = told.page.cursor
        return Onward(events, place, asked)

    def note(self, place: str, page: LogPage, at: float, told: float) -> LogPage:
        """Somebody asked there at this moment, and at that one was told this. What the one who asked is handed."""
        self._keep(place, _Told(page, at))
        if not self._lives(at) and place != self.end:
            self._trunk.clear()
            self._trunk.append((at, place))
        if place == self.end:
            self._last = at
            if page.cursor != place:
                self._trunk.append((told, page.cursor))
            return page
        if page.full or any(page.cursor == known for _, known in self._trunk):
            return page
        behind = next((known for then, known in reversed(self._trunk) if then <= at - OVERLAP), None)
        is_known = behind == self.end or behind in self._told
        return LogPage(page.events, behind, full=True) if behind is not None and is_known else page

    def begun(self, page: LogPage, at: float) -> None:
        """Somebody began to follow at this moment, at the place after this page."""
        if not self._lives(at):
            self._trunk.clear()
            self._trunk.append((at, page.cursor))
            self._last = at

    def beginning(self, now: float) -> str | None:
        """Where to begin as well as with a question of one's own: what came before was there when somebody asked."""
        return self.end if self._lives(now) else None

    def refused(self, place: str) -> None:
        """Okta takes this place no more, and so perhaps none of those that follow it."""
        if any(place == known for _, known in self._trunk):
            self._told.clear()
            self._reached.clear()
            self._trunk.clear()
            self._events, self._last = 0, None
        else:
            self._drop(place)

    @property
    def end(self) -> str | None:
        """Of the trunk."""
        return self._trunk[-1][1] if self._trunk else None

    def _lives(self, now: float) -> bool:
        return self._last is not None and now - self._last <= LIVES_FOR

    def _keep(self, place: str, told: _Told) -> None:
        self._drop(place)
        self._events += len(told.page.events)
        self._told[place] = told
        if not told.page.full:
            self._reached[told.page.cursor] = told.at
        while len(self._told) > PLACES_KEPT or (self._events > EVENTS_KEPT and len(self._told) > 1):
            self._drop(next(iter(self._told)))

    def _drop(self, place: str) -> None:
        gone = self._told.pop(place, None)
        if gone is not None:
            self._events -= len(gone.page.events)
            self._reached.pop(gone.page.cursor, None)
