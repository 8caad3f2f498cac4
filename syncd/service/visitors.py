"""Who is connected to the daemon's server, how long each may take, and who leaves when there is no more room.

Pure: `now` is a reading of the event loop's clock, in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

SEATS_AT_MOST = 256
SEATS_AT_LEAST = 4
RESERVED_AT_MOST = 64
"""File descriptors that are left to the cycles, whoever is connected."""
HEAD_AT_MOST = 32_768
"""Bytes until a request's head has to be complete."""


class VisitorState(Enum):
    """What a visitor does."""

    ASKING = "asking"
    """Sends the head of a request."""
    SERVED = "served"
    """Its answer is made, and taken."""
    RESTING = "resting"
    """Was answered and may ask again."""


PATIENCE = {VisitorState.ASKING: 5.0, VisitorState.SERVED: 30.0, VisitorState.RESTING: 20.0}
"""Seconds for the whole of it: bytes that come or go one by one give nobody more time."""


@dataclass(eq=False, slots=True)
class Visitor:
    """One connection. `leave` drops it at once, whatever it has not sent or taken yet."""

    leave: Callable[[], None]
    since: float
    state: VisitorState = VisitorState.ASKING
    heard: int = 0
    """Bytes of a request whose head is not complete."""

    @property
    def until(self) -> float:
        """When the patience of its state ends, by the loop's clock in seconds."""
        return self.since + PATIENCE[self.state]


@dataclass(slots=True)
class Room:
    """All that are connected. Who comes is let in; when every seat is taken, somebody else leaves for them."""

    seats: int
    said_at_most: int = HEAD_AT_MOST
    """Bytes that may be heard of a request before it is being answered."""
    _served: dict[Visitor, None] = field(default_factory=dict)
    _idle: dict[Visitor, None] = field(default_factory=dict)
    """Both in the order of `since`."""

    def __contains__(self, visitor: Visitor) -> bool:
        return visitor in self._served or visitor in self._idle

    def __len__(self) -> int:
        return len(self._served) + len(self._idle)

    @property
    def is_full(self) -> bool:
        """As many are there as there are seats."""
        return len(self) >= self.seats

    @property
    def is_crowded(self) -> bool:
        """More than half of the seats are taken."""
        return 2 * len(self) > self.seats

    def enter(self, leave: Callable[[], None], now: float) -> Visitor:
        visitor = Visitor(leave, now)
        self._idle[visitor] = None
        return visitor

    def move(self, visitor: Visitor, state: VisitorState, now: float) -> None:
        """Its patience begins anew; nothing for who left."""
        if visitor in self:
            self.left(visitor)
            (self._served if state is VisitorState.SERVED else self._idle)[visitor] = None
        visitor.state, visitor.since, visitor.heard = state, now, 0

    def hear(self, visitor: Visitor, size: int, now: float) -> bool:
        """Bytes arrived; False when that is more than any request."""
        if visitor.state is VisitorState.RESTING:
            self.move(visitor, VisitorState.ASKING, now)
        if visitor.state is VisitorState.ASKING:
            visitor.heard += size
        return visitor.heard <= self.said_at_most

    def left(self, visitor: Visitor) -> None:
        self._served.pop(visitor, None)
        self._idle.pop(visitor, None)

    def make_place(self) -> bool:
        """Sends one away: who is idle longest; where more than half are being served, of those. False: nobody is here.

        Newcomers count as idle until they have asked. Between those who wait for answers that never come, and take
        none, they would else have to leave for each other at once.
        """
        crowd_out = self._served if 2 * len(self._served) > self.seats or not self._idle else self._idle
        leaver = next(iter(crowd_out), None)
        if leaver is None:
            return False
        self.left(leaver)
        leaver.leave()
        return True

    def dismiss(self, *states: VisitorState) -> None:
        """Sends away all who are in one of these."""
        for visitor in [one for one in (*self._idle, *self._served) if one.state in states]:
            self.left(visitor)
            visitor.leave()


def seats_of(descriptors: int) -> int:
    """How many may be connected at once in a process that may have so many files open."""
    return min(max(descriptors // 8, SEATS_AT_LEAST), SEATS_AT_MOST)


def fence_of(descriptors: int) -> int:
    """The lowest file descriptor that visitors must not have. The kernel hands out the lowest free one: whoever gets
    this one or a higher is in a process that has fewer free than it keeps for its cycles.
    """
    return descriptors - min(descriptors // 4, RESERVED_AT_MOST)


def is_whole(head: bytes | bytearray) -> bool:
    """Nothing more has to come before these bytes are judged: a request's head is complete, or they begin none."""
    return b"\r\n\r\n" in head or b"\n\n" in head or not head[:1].isupper()
