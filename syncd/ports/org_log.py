"""What the workers of a fleet share of the System Log of one org: the trunk of places at which one of them asked for
all, and what was told there.

What is kept may be lost at any time, and nothing be missed: a connection has a place of its own, at which it asks then.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from syncd.ports.source import LogPage

ASKING_LASTS = 15.0
"""Seconds for which the others wait for who asks; whoever asks longer than that may not write down what it was told."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """As it was at one moment, `now`: that and all moments here are the database's. `end`: its last place, None where
    there is no trunk. `asked`: when somebody asked there last, `more` when there was more than was told; `since`: when
    that place was reached. `follows`: what is known from the place on that was named; None where the trunk was never
    there.
    """

    now: datetime
    end: str | None = None
    since: datetime | None = None
    asked: datetime | None = None
    more: bool = False
    follows: LogPage | None = None


class Trunks(Protocol):
    """`org` is a number for an org and whoever is shown the same of it. Each act is over within seconds, or raises
    SyncdError: the database was not to be had for that.
    """

    def look(self, org: int, place: str) -> Trunk:
        """What is known, and what follows this place."""
        ...

    def take(self, org: int, seen: Trunk) -> str | None:
        """From now on the caller asks at the end that it saw, for all; None where another one does or did. What comes
        back is to be named with what is told.
        """
        ...

    def start(self, org: int, place: str, dead: datetime) -> str | None:
        """As `take`, for a trunk that begins at this place: where there is none, or nobody asked there since `dead`."""
        ...

    def told(self, org: int, asker: str, place: str, page: LogPage) -> bool:
        """What it was told at the end, which goes on from there; the others hear of events. False, and nothing is
        written, where it is not the one any more who asks.
        """
        ...

    def release(self, org: int, asker: str) -> None:
        """It was told nothing: another one may ask."""
        ...

    def refused(self, org: int, place: str) -> None:
        """Okta takes this place no more: a trunk that was there is none."""
        ...

    def led(self, org: int, cursor: str, before: datetime) -> str | None:
        """The last place that the trunk had reached before that moment; None where it was at `cursor` itself, or there
        is none.
        """
        ...

    def heard(self, seconds: float) -> AbstractSet[int]:
        """Orgs of which others were told events meanwhile; waits so long for the first. Of one thread. When it raises,
        there may have been some that nobody heard of.
        """
        ...

    def forget(self) -> None:
        """What nobody asked for any more since long goes."""
        ...
