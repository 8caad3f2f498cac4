"""What one daemon remembers of the System Log between two deltas.

In memory but for what is pending: a start begins with a full cycle, whose lists may lag behind what the log had named.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from syncd.core.counting import counted
from syncd.core.nomination import Nominations
from syncd.model import LogEvent

Key = tuple[str, str]
"""What was named: "user" or "group", and its Okta id."""

SEEN_AT_MOST = 5_000
KEPT_AT_MOST = 500
"""Of more objects that are pending the store keeps only that a full cycle is owed."""
_EVERYTHING = "*"
GIVES_UP_AFTER = 10
"""So often an object that cannot be read is named again by itself; then a full cycle has to see to it."""


@dataclass(slots=True)
class FullCycle:
    """`whole`, once it read everything, makes good what was asked for before it began, and nothing later."""

    asked: int
    pending: AbstractSet[Key]
    whole: bool = False


@dataclass
class Seen:
    """Nothing that was named is forgotten before it was read: `pending` holds what waits for that, with its tries.

    `owed` says why a full cycle is owed, from when it is asked for until one read everything. Thread-safe: deltas go on
    while a full cycle runs.
    """

    uuids: OrderedDict[str, None] = field(default_factory=OrderedDict)
    pending: dict[Key, int] = field(default_factory=dict)
    left: set[tuple[str, str]] = field(default_factory=set)
    """(group id, user id) of who left a group, says the log, as long as the user is pending."""
    since: dict[Key, datetime] = field(default_factory=dict)
    """When the oldest event about those pending happened, by Okta's clock."""
    leaving: set[Key] = field(default_factory=set)
    """Those pending of whom the log says that they lost access: they are looked at first."""
    owed: str = ""
    heard: set[Key] | None = None
    """Whoever is named, where somebody gathers them."""
    _asked: int = 0
    _told: int = 0
    _fulls: int = 0
    _is_restored: bool = False
    _strangers: list[LogEvent] = field(default_factory=list)
    """Events about nobody we knew, while a full cycle was reading: it may have made them known meanwhile."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def kept(self) -> str | None:
        """What the next process must know, as text; None when that is nothing."""
        with self._lock:
            if self.owed or len(self.pending) > KEPT_AT_MOST:
                return _EVERYTHING
            return " ".join(sorted(f"{kind}:{okta_id}" for kind, okta_id in self.pending)) or None

    def restore(self, kept: str | None) -> None:
        """Once: what the process before this one had named, and did not live to read."""
        if self._is_restored:
            return
        self._is_restored = True
        if kept == _EVERYTHING:
            self.owe("syncd ended before a full cycle that was owed")
            return
        with self._lock:
            for each in (kept or "").split():
                kind, _, okta_id = each.partition(":")
                self.pending.setdefault((kind, okta_id), 0)

    def fresh(self, events: Iterable[LogEvent]) -> list[LogEvent]:
        """Those that did not come before. They are not remembered yet: their place in the log is not stored."""
        return [event for event in events if not event.uuid or event.uuid not in self.uuids]

    def remember(self, events: Iterable[LogEvent], strangers: int = 0) -> None:
        """These are done with, and so many strangers: what they named is pending, the place after them is stored."""
        with self._lock:
            self._strangers = self._strangers[strangers:]
        self.uuids.update((event.uuid, None) for event in events if event.uuid)
        while len(self.uuids) > SEEN_AT_MOST:
            self.uuids.popitem(last=False)

    def strangers(self) -> Sequence[LogEvent]:
        """To be looked at once more when no full cycle runs: nobody was known by them when they came."""
        with self._lock:
            return () if self._fulls else tuple(self._strangers)

    def keep_strangers(self, events: Iterable[LogEvent]) -> None:
        """Does nothing unless a full cycle runs. Too many of them owe another one."""
        with self._lock:
            if self._fulls:
                self._strangers += events
            too_many = len(self._strangers) > SEEN_AT_MOST
            if too_many:
                self._strangers = []
        if too_many:
            self.owe("more happened during a full read than is remembered")

    def happened(self, keys: Iterable[Key], at: datetime | None) -> None:
        """An event about these."""
        with self._lock:
            for key in keys:
                if at is not None:
                    self.since[key] = min(self.since.get(key, at), at)

    def name(self, named: Nominations, leaving: AbstractSet[Key] = frozenset()) -> None:
        """`leaving`: who of them lost access."""
        with self._lock:
            for key in keys(named.users, named.groups):
                self.pending[key] = 0
                if self.heard is not None:
                    self.heard.add(key)
            self.left |= named.left
            self.leaving |= leaving & self.pending.keys()

    def leavers(self) -> Sequence[str]:
        """Okta ids of pending people who lost access, and were not tried in vain."""
        with self._lock:
            return sorted(
                okta_id
                for kind, okta_id in self.leaving
                if kind == "user" and not self.pending[kind, okta_id]
            )

    def tried(self, named: Iterable[Key], unread: AbstractSet[Key], refused: AbstractSet[Key]) -> None:
        """A cycle looked at these; `unread` stay pending, and at last a full cycle is owed for them. Not so `refused`,
        what Okta does not let be read: the store remembers when that is to be asked for again.
        """
        with self._lock:
            given_up = []
            for key in named:
                tries = self.pending.pop(key, 0) + 1
                self.since.pop(key, None)
                if key not in unread or key in refused:
                    continue
                if tries < GIVES_UP_AFTER:
                    self.pending[key] = tries
                else:
                    given_up.append(key)
            self.leaving &= self.pending.keys()
            waiting = {okta_id for kind, okta_id in self.pending if kind == "user"}
            self.left = {pair for pair in self.left if pair[1] in waiting}
        if given_up:
            kind, okta_id = min(given_up)
            others = f" and {len(given_up) - 1} more" if given_up[1:] else ""
            self.owe(f"{kind} {okta_id}{others} could not be read {counted(GIVES_UP_AFTER, 'time')}")

    def waiting(self, kind: str) -> list[str]:
        """Okta ids of what is pending; what was tried least comes first: nobody waits for who cannot be read."""
        with self._lock:
            mine = [(tries, okta_id) for (of_kind, okta_id), tries in self.pending.items() if of_kind == kind]
        return [okta_id for _, okta_id in sorted(mine)]

    def failing(self, kind: str) -> frozenset[str]:
        """Okta ids of what was tried and could not be read."""
        with self._lock:
            return frozenset(
                okta_id for (of_kind, okta_id), tries in self.pending.items() if of_kind == kind and tries
            )

    def owe(self, reason: str) -> None:
        """A full cycle is owed from now on, and why."""
        with self._lock:
            self.owed, self._asked = reason, self._asked + 1

    def owe_instead(self, reason: str) -> None:
        """A full cycle takes the place of all that is pending."""
        with self._lock:
            self.pending.clear()
            self.left.clear()
            self.leaving.clear()
            self.since.clear()
        self.owe(reason)

    def news(self) -> str:
        """Why a full cycle is owed, when that was not told yet."""
        with self._lock:
            told, self._told = self._told, self._asked
            return self.owed if told < self._asked else ""

    @contextmanager
    def full(self) -> Iterator[FullCycle]:
        """While a full cycle runs; it says whether it was whole."""
        with self._lock:
            self._fulls += 1
            cycle = FullCycle(self._asked, frozenset(self.pending))
        try:
            yield cycle
        finally:
            with self._lock:
                self._fulls -= 1
                if cycle.whole and self._asked == cycle.asked:
                    self.owed = ""
                for key in cycle.pending if cycle.whole else ():
                    if self.pending.get(key):  # 0: named anew
                        del self.pending[key]
                self.leaving &= self.pending.keys()


def keys(users: Iterable[str], groups: Iterable[str]) -> set[Key]:
    """Each with what it is: ("user", "00u1")."""
    return {*(("user", each) for each in users), *(("group", each) for each in groups)}
