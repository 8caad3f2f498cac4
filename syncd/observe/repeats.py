"""Lines of one kind at most once a minute, with how many were left out: whoever can cause a line cannot fill the disk.

Pure: `now` is a reading of the monotonic clock, in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

EVERY = 60.0
"""Seconds between two lines of one kind."""
_KINDS_KEPT = 1000
_SERIOUS = ("warning", "error")
_FREE_TEXT = frozenset({"error", "reason", "hint", "exception", "problem", "warning", "note"})
"""Fields whose numbers and addresses make no other kind: what one server says of one thing differs in ids and times."""
_PASSING = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\d+")
_LONGEST = 2000

Entry = Mapping[str, object]


def kind_of(entry: Entry) -> Hashable:
    """What two lines have in common that say the same of the same: all their words; no number counts.

    Names count as they are. Which run a warning or an error is from does not: the next run says the same.
    """
    serious = entry.get("level") in _SERIOUS
    return tuple(
        (key, text)
        for key, value in sorted(entry.items())
        if not (serious and key == "run") and (text := _words(key, value, serious=serious)) is not None
    )


def _words(key: str, value: object, *, serious: bool) -> str | None:
    if value is None or isinstance(value, int | float):
        return None
    text = str(value)[:_LONGEST]
    passing = key in _FREE_TEXT or (serious and key == "event")
    return _PASSING.sub("#", text) if passing else text


@dataclass(slots=True)
class _Said:
    at: float
    left_out: int = 0
    last: Entry | None = None


class Repeats:
    """Decides line by line. Not safe for threads: whoever writes the lines has a lock anyway."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._kinds: dict[Hashable, _Said] = {}
        """In the order in which they were said, the longest ago first."""

    def admits(self, entry: Entry, now: float) -> bool:
        """Whether to say it. Else it is counted, and the last of its kind comes out of `due` when its time has come."""
        kind = kind_of(entry)
        said = self._kinds.get(kind)
        if said is None or (not said.left_out and now - said.at >= self._every):
            self._kinds.pop(kind, None)
            self._kinds[kind] = _Said(now)
            return True
        said.left_out += 1
        said.last = entry
        return False

    def due(self, now: float) -> list[Entry]:
        """What was left out and is to be said now: the last line of each kind, `repeated` that many times."""
        found: list[Entry] = []
        for kind, said in list(self._kinds.items()):
            too_many = len(self._kinds) > _KINDS_KEPT
            if now - said.at < self._every and not too_many:
                break
            del self._kinds[kind]
            if said.last is not None:
                found.append({**said.last, "repeated": said.left_out})
                if not too_many:
                    self._kinds[kind] = _Said(now)
        return found

    def begin_anew(self) -> list[Entry]:
        """Forgets what was said; returns what was left out until now."""
        found: list[Entry] = [
            {**said.last, "repeated": said.left_out} for said in self._kinds.values() if said.last is not None
        ]
        self._kinds.clear()
        return found
