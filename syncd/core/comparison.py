"""Is a value at the target the one that was written? One answer for writer, plan, drift, relink and saved plans.

Servers make something else of what they are given: small letters, no blanks around it, composed letters (Unicode NFC),
text for numbers and booleans. What one server does to one attribute is a habit of it, and habits are knowledge: they
rest on what was seen, never on a guess.

the value shown is                                     the habit is           verdict
------------------------------------------------------------------------------------------------
what was written                                       any                    SAME
just what habits make of it                            known                  SAME
just what a habit would make of it                     known not to be        DIFFERENT
just what a habit would make of it                     not known              CANNOT_TELL
not shown                                              shown of others        DIFFERENT
not shown                                              never shown            CANNOT_TELL
anything else                                          any                    DIFFERENT

A habit is learned when a value that it changes was written, and exactly its image is shown where something else was
before: a write that was ignored shows what was there before, and teaches nothing. A value that a habit would have
changed is shown as it is: the server does not have that habit.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from itertools import combinations
from typing import Self

from syncd.core.change import Json
from syncd.core.names import letter_case_key
from syncd.model import Attributes


class Habit(StrEnum):
    """What a server does with a value that it stores."""

    TEXT = "text"
    """Numbers and booleans are text, or text that looks like one becomes one."""
    TRIM = "trim"
    NFC = "nfc"
    LOWER = "lower"
    CASE = "case"
    """A change of letter case alone is no change: the first form stays. It makes no image of its own."""


class Verdict(Enum):
    """What comparing a value that was written with one that is shown comes to."""

    SAME = "same"
    DIFFERENT = "different"
    CANNOT_TELL = "cannot tell"


_OF_TEXT = (Habit.TRIM, Habit.NFC, Habit.LOWER)
_CAPITALS = frozenset({Habit.LOWER})
_WORDS = {
    Habit.TEXT: "as text",
    Habit.TRIM: "without the blanks around it",
    Habit.NFC: "in composed letters",
    Habit.LOWER: "in other letter case",
    Habit.CASE: "in other letter case",
}


def in_words(habits: frozenset[Habit]) -> str:
    """For people, in a fixed order."""
    return " and ".join(dict.fromkeys(_WORDS[habit] for habit in Habit if habit in habits))


@dataclass(frozen=True, slots=True)
class ValueHabits:
    """What is known of one attribute at one server. `does` and `keeps` (known not to do) have nothing in common;
    `shown`: whether it was ever seen of anybody asked for by id, None when there was no occasion.
    """

    does: frozenset[Habit] = frozenset()
    keeps: frozenset[Habit] = frozenset()
    shown: bool | None = None


UNKNOWN = ValueHabits()


@dataclass(frozen=True, slots=True)
class ServerHabits:
    """`attributes`: by path; group names under GROUP_NAME. `invites`: accounts that it makes are shown inactive,
    whatever is written, until the person accepts an invitation.
    """

    attributes: Mapping[str, ValueHabits] = field(default_factory=dict)
    invites: bool = False

    def of(self, path: str) -> ValueHabits:
        """Of one attribute path; `UNKNOWN` where nothing was learned."""
        return self.attributes.get(path, UNKNOWN)

    def showing(self, paths: Iterable[str]) -> Self:
        """The same, and these paths were seen."""
        shown = {path: replace(self.of(path), shown=True) for path in paths}
        return replace(self, attributes={**self.attributes, **shown})


NO_HABITS = ServerHabits()
GROUP_NAME = "group.displayName"


def compare(written: Json, shown: Json, habits: ValueHabits = UNKNOWN) -> Verdict:
    """`written` is what was sent, or would be. None and empty text are no value."""
    if not _is_set(shown):
        if not _is_set(written):
            return Verdict.SAME
        return Verdict.DIFFERENT if habits.shown else Verdict.CANNOT_TELL
    if not _is_set(written):
        return Verdict.DIFFERENT
    made = explained(written, shown)
    if made is None:
        caseless = Habit.CASE in habits.does and is_letter_case(written, shown)
        return Verdict.SAME if caseless else Verdict.DIFFERENT
    if made <= habits.does:
        return Verdict.SAME
    return Verdict.DIFFERENT if (made - habits.does) & habits.keeps else Verdict.CANNOT_TELL


def unlike(
    wanted: Attributes, shown: Attributes, habits: ServerHabits
) -> tuple[dict[str, Json], dict[str, Json]]:
    """What must be written so that the target is known to have it: before (as shown) and after (None: removed)."""
    names = [
        path
        for path in sorted({*wanted, *shown})
        if compare(wanted.get(path), shown.get(path), habits.of(path)) is not Verdict.SAME
    ]
    return {path: shown.get(path) for path in names}, {path: wanted.get(path) for path in names}


def explained(written: Json, shown: Json) -> frozenset[Habit] | None:
    """The fewest habits that make `shown` of `written`; None when no habits do."""
    if written is None or shown is None:
        return None
    if type(written) is type(shown) and written == shown:  # nearly every value
        return frozenset()
    if isinstance(written, bool) or isinstance(shown, bool):
        if _truth(written) is None or _truth(written) is not _truth(shown):
            return None
        alike = isinstance(written, bool) and isinstance(shown, bool)
        return frozenset() if alike else frozenset({Habit.TEXT})
    if not isinstance(written, str) and not isinstance(shown, str):
        return frozenset() if written == shown else None
    text = (
        frozenset({Habit.TEXT}) if not (isinstance(written, str) and isinstance(shown, str)) else frozenset()
    )
    for count in range(len(_OF_TEXT) + 1):
        for some in combinations(_OF_TEXT, count):
            if image(str(written), frozenset(some)) == str(shown):
                return frozenset(some) | text
    return None


def image(text: str, habits: frozenset[Habit]) -> str:
    """What a server with these habits makes of a text; applied again it changes nothing."""
    if Habit.TRIM in habits:
        text = text.strip()
    if Habit.LOWER in habits:
        text = text.lower()
    if Habit.NFC in habits:
        text = unicodedata.normalize("NFC", text)
    return text


def is_letter_case(written: Json, shown: Json) -> bool:
    """Whether two texts differ in letter case at most."""
    if not (isinstance(written, str) and isinstance(shown, str)):
        return False
    return letter_case_key(written) == letter_case_key(shown)


def after_creation(wrote: Json, shown: Json, habits: ValueHabits) -> ValueHabits:
    """What the server made of a value of an object that it has just created for us."""
    made = explained(wrote, shown)
    if made is None:
        return habits
    if not made:
        kept = would_change(shown)
        if kept <= habits.keeps and kept.isdisjoint(habits.does):
            return habits
        return replace(habits, does=habits.does - kept, keeps=habits.keeps | kept)
    return replace(habits, does=habits.does | made, keeps=habits.keeps - made)


def after_update(before: Json, wrote: Json, shown: Json, habits: ValueHabits) -> ValueHabits:
    """`before`: the value that was there, None when that is not known. What may have been there in this form teaches
    nothing, and one change does not overrule what was seen of others.
    """
    made = explained(wrote, shown)
    ignored = not _is_set(before) or explained(before, shown) is not None
    if made and (ignored or made & habits.keeps):
        return habits
    if made == frozenset() and before != wrote and is_letter_case(before, wrote):
        habits = replace(habits, does=habits.does - {Habit.CASE})
    return after_creation(wrote, shown, habits)


def after_look(shown: Json, habits: ValueHabits) -> ValueHabits:
    """A value that is shown, whoever wrote it and when: it tells what the server leaves alone."""
    kept = would_change(shown) - habits.does
    return habits if kept <= habits.keeps else replace(habits, keeps=habits.keeps | kept)


def would_change(value: Json) -> frozenset[Habit]:
    """The habits that would have made something else of a value."""
    if value is None:
        return frozenset()
    if not isinstance(value, str):
        return frozenset({Habit.TEXT})
    if value.isascii() and value == value.strip():  # nearly every value
        return frozenset() if value == value.lower() else _CAPITALS
    return frozenset(habit for habit in _OF_TEXT if image(value, frozenset({habit})) != value)


def is_blank(value: Json) -> bool:
    """No value, or a text of nothing but blanks."""
    return value is None or (isinstance(value, str) and not value.strip())


def _is_set(value: Json) -> bool:
    return value is not None and value != ""


def _truth(value: Json) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False, "1": True, "0": False}.get(str(value).strip().lower())
