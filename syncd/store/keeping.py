"""Takes the writer's lock of a store, keeps it alive, and gives it back: for any `ports.Store`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from syncd.errors import LockWatched, SyncdError
from syncd.ports import Store
from syncd.store.renewals import RENEWALS

Event = Callable[..., None]
Wait = Callable[[float], bool]
"""Sleeps for so many seconds; False: look no further."""
LOOK_EVERY = 1.0


def at_once(seconds: float) -> bool:
    """Who cannot wait."""
    del seconds
    return False


def patiently(seconds: float) -> bool:
    """Waits, and says to go on."""
    time.sleep(seconds)
    return True


@contextmanager
def keeping(
    store: Store,
    owner: str,
    *,
    lasts: timedelta,
    renewed_every: float,
    wait: Wait,
    event: Event | None,
    serves: bool = False,
) -> Iterator[None]:
    """The writer's lock, renewed each `renewed_every` seconds by a clock that nobody sets. An owner that may be gone is
    watched for as long as `wait` waits. Raises LockHeld naming the owner; LockWatched when it was not waited for.
    """
    _take(store, owner, lasts, wait, event, serves=serves)
    try:
        with RENEWALS.of(store, renewed_every):
            yield
    finally:
        with suppress(SyncdError):  # what went wrong before it is what matters
            store.unlock()


def _take(
    store: Store, owner: str, lasts: timedelta, wait: Wait, event: Event | None, *, serves: bool
) -> None:
    told: LockWatched | None = None
    while True:
        try:
            store.lock(owner, expires_in=lasts, serves=serves)
        except LockWatched as watched:
            if not wait(min(LOOK_EVERY, watched.left.total_seconds())):
                raise
            if told is None and event is not None:
                say_watched(event, watched)
            told = watched
        else:
            if told is not None and event is not None:
                event("warning", "the store's lock was taken over", reason=told.message)
            return


def say_watched(event: Event, watched: LockWatched, **fields: object) -> None:
    """`seconds` is how long it may take."""
    seconds = round(watched.left.total_seconds(), 1)
    event("warning", "the store's lock is watched", seconds=seconds, reason=watched.message, **fields)
