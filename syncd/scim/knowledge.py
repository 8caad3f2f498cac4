"""What was found out about a target by watching its answers, kept as plain text so that it survives the run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from syncd.core.change import Json
from syncd.core.comparison import (
    Habit,
    ServerHabits,
    ValueHabits,
    after_creation,
    after_look,
    after_update,
    would_change,
)

INVITES = "invites"
"""Accounts that it makes are shown inactive until an invitation is accepted."""


class Learned:
    """Capabilities by key. Safe to share between threads."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = dict(known)
        self._left_alone: dict[str, frozenset[Habit]] = {}
        self._read: dict[str, ValueHabits] = {}
        """By path; another one after each change, so that whoever still reads keeps nothing old."""
        self._lock = threading.Lock()

    def __getitem__(self, key: str) -> str:
        """Empty text when nothing is known."""
        return self._known.get(key, "")

    def set(self, key: str, value: str) -> None:
        if self._known.get(key) != value:
            with self._lock:
                self._known[key] = value
                self._read = {}

    def drop(self, key: str) -> None:
        if key in self._known:
            with self._lock:
                self._known.pop(key, None)
                self._read = {}

    def all(self) -> Mapping[str, str]:
        """A copy, for the store."""
        with self._lock:
            return dict(self._known)

    # what the server makes of values

    def habits(self, path: str) -> ValueHabits:
        """What the server does with values of this path, and whether it shows them."""
        read = self._read
        found = read.get(path)
        if found is None:
            shown = True if self[f"shown:{path}"] else False if self[f"hidden:{path}"] else None
            found = ValueHabits(_habits(self[f"does:{path}"]), _habits(self[f"keeps:{path}"]), shown)
            read[path] = found
        return found

    def server_habits(self, paths: Iterable[str]) -> ServerHabits:
        return ServerHabits({path: self.habits(path) for path in paths}, invites=self[INVITES] == "yes")

    def created(self, path: str, wrote: Json, shown: Json) -> ValueHabits:
        """The lesson of a creation for one attribute, and what is known now."""
        return self._teach(path, lambda habits: after_creation(wrote, shown, habits))

    def updated(self, path: str, before: Json, wrote: Json, shown: Json) -> ValueHabits:
        """Learns from an update: what stood there, what was written, what is shown."""
        return self._teach(path, lambda habits: after_update(before, wrote, shown, habits))

    def looked(self, path: str, shown: Json) -> None:
        """A value that somebody has. Cheap, because everybody of a listing is looked at."""
        left_alone = would_change(shown)
        if not left_alone <= self._left_alone.get(path, frozenset()):
            self._left_alone[path] = self._left_alone.get(path, frozenset()) | left_alone
            self._teach(path, lambda habits: after_look(shown, habits))

    def take(self, path: str, habit: Habit) -> None:
        """The server was seen to have this habit."""
        known = self.habits(path)
        self._store(path, ValueHabits(known.does | {habit}, known.keeps - {habit}))

    def _teach(self, path: str, lesson: Callable[[ValueHabits], ValueHabits]) -> ValueHabits:
        known = self.habits(path)
        taught = lesson(known)
        if taught is not known and taught != known:
            self._store(path, taught)
        return taught

    def _store(self, path: str, habits: ValueHabits) -> None:
        for key, some in ((f"does:{path}", habits.does), (f"keeps:{path}", habits.keeps)):
            if some:
                self.set(key, " ".join(sorted(some)))
            else:
                self.drop(key)


@lru_cache(maxsize=256)
def _habits(text: str) -> frozenset[Habit]:
    """Words of a later version are passed over."""
    return frozenset(Habit(word) for word in text.split() if word in set(Habit))
