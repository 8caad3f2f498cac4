"""The System Log of one org, asked once for all connections of this process that ask with the same credentials.

What was told is kept by `log_book.LogBook`. Here is who asks, when, and who waits for the answer; a connection that is
alone asks for itself, whenever it wants to. Where other processes ask the same, whoever asks here asks those first
(`Beyond`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from syncd.errors import PermanentError, SyncdError
from syncd.okta.log_book import LogBook
from syncd.ports import LogPage


@dataclass(frozen=True)
class Follower:
    """A connection. An answer may be `fresh_for` seconds old when it is handed; `wake` is called, from another thread,
    when another one was told of events.
    """

    name: str
    fresh_for: float
    wake: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Aged:
    """What somebody was told, and how many seconds before it is handed here Okta was asked for it."""

    page: LogPage
    age: float = 0.0


class Beyond(Protocol):
    """What this process and others share."""

    def begin(self, ask: Callable[[], LogPage]) -> LogPage:
        """See `SharedLog.begin`."""
        ...

    def page(self, place: str, fresh_for: float, ask: Callable[[str], LogPage]) -> Aged:
        """What follows this place; see `SharedLog.page`."""
        ...

    def known(self, place: str) -> Aged | None:
        """What follows it, as far as others were told; None where nothing does. Okta is not asked."""
        ...


FindBeyond = Callable[[Collection[str]], Beyond | None]
"""For connections of these names; None where no other process asks the same."""


@dataclass
class _Question:
    """Somebody asks at a place; others who come to it wait for the same answer."""

    over: threading.Event = field(default_factory=threading.Event)
    failed: SyncdError | None = None
    waiting: int = 0


class SharedLog:
    """Thread-safe. `clock` is a monotonic one."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, beyond: FindBeyond = lambda _: None
    ) -> None:
        self._clock, self._beyond = clock, beyond
        self._lock = threading.Lock()
        self._book = LogBook()
        self._members: dict[str, Follower] = {}
        self._questions: dict[str, _Question] = {}

    def join(self, member: Follower) -> None:
        """From now on it is woken; joined before: with other wishes."""
        with self._lock:
            self._members[member.name] = member

    def leave(self, name: str) -> bool:
        """Whether anybody is left."""
        with self._lock:
            self._members.pop(name, None)
            return bool(self._members)

    @property
    def waiting(self) -> int:
        """How many wait for the answer to another one."""
        with self._lock:
            return sum(each.waiting for each in self._questions.values())

    def begin(self, ask: Callable[[], LogPage]) -> LogPage:
        """A place to follow the log from: all that comes from now on is behind it. `ask` asks Okta for one."""
        with self._lock:
            place = self._book.beginning(self._clock()) if len(self._members) > 1 else None
            names = list(self._members)
        if place is not None:
            return LogPage((), place, full=False)
        beyond = self._beyond(names)
        page = ask() if beyond is None else beyond.begin(ask)
        with self._lock:
            self._book.begun(page, self._clock())
        return page

    def heard(self) -> None:
        """Another process was told of events: all here are woken, and handed what it was told."""
        with self._lock:
            members, place = list(self._members.values()), self._book.end
        beyond = self._beyond([each.name for each in members])
        if len(members) > 1:
            now = self._clock()
            found = beyond.known(place) if beyond is not None and place is not None else None
            if found is None or place is None:
                return
            with self._lock:
                self._book.note(place, found.page, now - found.age, self._clock())
        for each in members:
            each.wake()

    def page(self, member: Follower, place: str, ask: Callable[[str], LogPage]) -> LogPage:
        """What follows this place: as others were told, else as `ask` is told by Okta. Raises what `ask` raises."""
        fresh = member.fresh_for
        while True:
            now = self._clock()
            with self._lock:
                if len(self._members) < 2:
                    break
                found = self._book.onward(place)
                is_fresh = found.asked is not None and now - found.asked <= fresh
                if found.more or is_fresh:
                    return LogPage(found.events, found.place, full=found.more)
                question = self._questions.get(found.place)
                if question is None:
                    self._questions[found.place] = mine = _Question()
                else:
                    question.waiting += 1
            if question is None:
                page = self._ask(member, found.place, ask, mine)
                return LogPage([*found.events, *page.events], page.cursor, page.full)
            question.over.wait()
            if question.failed is not None:
                raise question.failed
            fresh = float("inf")  # it was asked while this one waited
        return self._told(member, place, ask, self._clock())

    def _ask(
        self, member: Follower, place: str, ask: Callable[[str], LogPage], question: _Question
    ) -> LogPage:
        try:
            return self._told(member, place, ask, self._clock())
        except SyncdError as error:
            question.failed = error
            raise
        finally:
            with self._lock:
                self._questions.pop(place, None)
            question.over.set()

    def _told(self, member: Follower, place: str, ask: Callable[[str], LogPage], now: float) -> LogPage:
        with self._lock:
            names = list(self._members)
        beyond = self._beyond(names)
        try:
            found = Aged(ask(place)) if beyond is None else beyond.page(place, member.fresh_for, ask)
        except PermanentError:
            with self._lock:
                self._book.refused(place)
            raise
        page = found.page
        with self._lock:
            handed = self._book.note(place, page, now - found.age, self._clock())
            alone = len(self._members) < 2
            others = [each for each in self._members.values() if each.name != member.name]
        if page.events:
            for each in others:
                each.wake()
        return page if alone else handed
