"""A connection that waits for no answer for ever, and stays with no server that takes no writes.

PostgreSQL ends a statement that lasts too long, and the kernel a connection whose other end is silent. Neither helps
where somebody in between (a balancer, a pooler) accepts what is sent and forwards nothing, or where a commit waits for
a standby that is gone: `statement_timeout` does not count there.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg.rows import Row

T = TypeVar("T")

DOUBTED_FOR = 10.0
"""Seconds: on a machine that has too much to do answers are late, and not lost."""
_LOOKS_EVERY = 0.1
"""Seconds between two looks at whether to wait on."""


class Unanswered(psycopg.errors.ConnectionFailure):
    """No answer came in time. Whether the statement was carried out nobody knows."""


class Answering(psycopg.Connection[Row]):
    """Closed by itself when no answer comes, and when its server refuses a write because it follows another one: where
    the primary is now, is asked with the next connection.
    """

    answers_within: float = float("inf")
    """Seconds."""
    is_doubted = False
    """Nobody else should get it."""

    def doubt(self, answers_within: float | None = None) -> None:
        """Its way may lead nowhere any more: from now on, and for who waits already, an answer counts as lost after so
        many seconds (DOUBTED_FOR). May be called from any thread.
        """
        self.is_doubted = True
        limit = DOUBTED_FOR if answers_within is None else answers_within
        self.answers_within = min(self.answers_within, limit)

    def wait(
        self, gen: Generator[Any, Any, T], interval: float = _LOOKS_EVERY, timeout: float | None = None
    ) -> T:
        """See psycopg. Raises Unanswered."""
        try:
            return super().wait(self._limited(gen), interval, timeout)
        except (Unanswered, psycopg.errors.ReadOnlySqlTransaction):
            self.close()
            raise

    def _limited(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """The same, until it is over: psycopg comes by with nothing once in each interval."""
        began = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() - began > self.answers_within:
                    raise Unanswered(f"no answer within {time.monotonic() - began:.0f} s")
                wanted = gen.send(ready)
        except StopIteration as end:
            found: T = end.value
            return found
