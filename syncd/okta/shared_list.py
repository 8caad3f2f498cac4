"""A list of one org, read once for all connections of this process that ask for it at the same time.

A cycle may believe no list that is older than itself: what was learned since then, such a list does not show. So nobody
joins a read that has begun. Who comes while one runs waits for its end, and is of the next one. Handed on is only what
was read to its end; after a read that was broken off, or was too long to be kept, each reads by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from syncd.errors import SyncdError
from syncd.model import ReadProof
from syncd.ports import Listing, Page

T = TypeVar("T")
PATIENCE = 300.0
"""Seconds for which somebody waits for others: a read takes as long as the cycle that it belongs to lets it."""
KEPT_AT_MOST = 50_000
"""Records that are kept for others."""


@dataclass
class _Read(Generic[T]):
    """By somebody, for so many. `proof` is None for what cannot be handed on."""

    readers: int = 0
    pages: list[Page[T]] = field(default_factory=list)
    proof: ReadProof | None = None
    failed: SyncdError | None = None
    over: bool = False


class SharedList(Generic[T]):
    """Thread-safe."""

    def __init__(self, patience: float = PATIENCE, kept_at_most: int = KEPT_AT_MOST) -> None:
        self._patience = patience
        self.kept_at_most = kept_at_most
        self._changed = threading.Condition()
        self._running: _Read[T] | None = None
        self._next: _Read[T] | None = None

    @property
    def waiting(self) -> int:
        """How many wait for the next read to begin."""
        with self._changed:
            return self._next.readers if self._next is not None else 0

    def listing(self, own: Listing[T]) -> Listing[T]:
        """Whoever reads this one may be handed what another one read, of a read that began after they asked; `own` is
        how they read by themselves. Raises, when it is read, what the read of the other one raised.
        """
        return _Sharing(self, own)

    def enter(self) -> tuple[_Read[T], bool]:
        """A read that began, or begins now, and whether it is the caller's to do."""
        with self._changed:
            if self._next is None:
                self._next = _Read()
            mine = self._next
            mine.readers += 1
            self._changed.wait_for(
                lambda: mine.over or (mine is self._next and self._running is None), self._patience
            )
            if mine is not self._next:
                return mine, False
            self._next, self._running = None, mine
            return mine, True

    def end(self, read: _Read[T]) -> None:
        """Whatever came of it."""
        with self._changed:
            read.over = True
            if self._running is read:
                self._running = None
            self._changed.notify_all()


class _Sharing(Generic[T]):
    """See `SharedList.listing`."""

    def __init__(self, shared: SharedList[T], own: Listing[T]) -> None:
        self._shared = shared
        self._own = own
        self._proof: ReadProof | None = None

    @property
    def proof(self) -> ReadProof:
        """See `ports.Listing.proof`."""
        return self._proof or self._own.proof

    def __iter__(self) -> Iterator[Page[T]]:
        read, is_mine = self._shared.enter()
        if is_mine:
            yield from self._for_all(read)
        elif read.failed is not None:
            raise read.failed
        elif read.proof is None:
            yield from self._own
        else:
            yield from read.pages
            self._proof = read.proof

    def _for_all(self, read: _Read[T]) -> Iterator[Page[T]]:
        room = self._shared.kept_at_most if read.readers > 1 else 0
        try:
            for page in self._own:
                room -= len(page.records) + len(page.bad)
                if room >= 0:
                    read.pages.append(page)
                else:
                    read.pages.clear()
                yield page
            read.proof = self._own.proof if room >= 0 else None
        except SyncdError as error:
            read.failed = error
            raise
        finally:
            self._shared.end(read)
