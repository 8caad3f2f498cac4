"""Who is let in, for how long, and who leaves for whom."""

from __future__ import annotations

import pytest

from syncd.service.visitors import (
    HEAD_AT_MOST,
    PATIENCE,
    Room,
    Visitor,
    VisitorState,
    fence_of,
    is_whole,
    seats_of,
)


def room_of(seats: int, *states: VisitorState) -> tuple[Room, list[Visitor], list[int]]:
    """A room with a visitor in each of these states, a second apart; and who was sent away, by place."""
    room, gone = Room(seats), list[int]()
    visitors = [room.enter(lambda place=place: gone.append(place), 0.0) for place in range(len(states))]  # type: ignore[misc]
    for place, (visitor, state) in enumerate(zip(visitors, states, strict=True)):
        room.move(visitor, state, float(place))
    return room, visitors, gone


def test_who_is_idle_longest_leaves_first_asked_or_not() -> None:
    asking, served, resting = VisitorState.ASKING, VisitorState.SERVED, VisitorState.RESTING
    room, _, gone = room_of(8, served, resting, asking, served, asking)
    while room.make_place():
        pass
    assert gone == [1, 2, 4, 0, 3]


def test_among_many_who_are_served_a_newcomer_may_ask() -> None:
    room, _, gone = room_of(4, *[VisitorState.SERVED] * 3)
    newcomer = room.enter(lambda: gone.append(99), 5.0)
    assert room.is_full
    room.make_place()
    assert gone == [0], "the one that waits longest, not the one that has just come"
    assert newcomer in room


def test_nobody_gets_more_time_by_bytes_one_by_one() -> None:
    room = Room(4)
    visitor = room.enter(lambda: None, 0.0)
    for second in (0.0, 1.0, 2.0, 3.0, 4.0):
        assert room.hear(visitor, 1, second)
    assert visitor.until == PATIENCE[VisitorState.ASKING]

    room.move(visitor, VisitorState.RESTING, 10.0)
    assert visitor.until == 10.0 + PATIENCE[VisitorState.RESTING]
    for second in (12.0, 13.0):
        room.hear(visitor, 1, second)
    assert (visitor.state, visitor.until) == (VisitorState.ASKING, 12.0 + PATIENCE[VisitorState.ASKING])


def test_a_head_without_an_end_is_no_request() -> None:
    room = Room(4)
    visitor = room.enter(lambda: None, 0.0)
    assert room.hear(visitor, HEAD_AT_MOST, 0.0)
    assert not room.hear(visitor, 1, 0.0)


def test_who_has_gone_is_forgotten() -> None:
    room, visitors, gone = room_of(4, VisitorState.ASKING, VisitorState.SERVED)
    for visitor in visitors:
        room.left(visitor)
        room.move(visitor, VisitorState.RESTING, 3.0)
    assert (len(room), room.make_place(), gone) == (0, False, [])


@pytest.mark.parametrize(
    ("descriptors", "seats", "fence"),
    [
        (32, 4, 24),
        (64, 8, 48),
        (256, 32, 192),
        (1024, 128, 960),
        (8192, 256, 8128),
        (1 << 20, 256, (1 << 20) - 64),
    ],
)
def test_the_cycles_keep_most_of_the_descriptors(descriptors: int, seats: int, fence: int) -> None:
    assert (seats_of(descriptors), fence_of(descriptors)) == (seats, fence)


@pytest.mark.parametrize(
    ("head", "whole"),
    [
        (b"", True),
        (b"G", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"GET / HTTP/1.1\n\n", True),
        (b"\x16\x03\x01", True),
        (b"\r\nGET", True),
    ],
)
def test_it_is_seen_when_nothing_more_has_to_come(head: bytes, whole: bool) -> None:
    assert is_whole(head) is whole
