"""`ports.History` for a store: the acts that an audit report asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from syncd.ports.history import DayCount, Done, Grant, HoldStory, Latencies, Outage, Reach, Trouble
from syncd.ports.store import RunRecord
from syncd.ports.trail import JournalEntry
from syncd.store import history, hold_history
from syncd.store.db import Db, Rows
from syncd.store.entries import entry_of
from syncd.store.reads import StoreReads
from syncd.store.rows import Row

T = TypeVar("T")

PAGE = 500
PAGE_BY_NAME = 4_000
"""Of people in the order of their names: what the trail has of them lies all over it, and each page unpacks most of
it.
"""


class HistoryReads(StoreReads):
    """The questions of an audit report, on top of those of a cycle."""

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """See `ports.History.one_moment`."""
        with self._reading() as conn, conn.one_moment():
            yield

    def run(self, run_id: str) -> RunRecord | None:
        """See `ports.History.run`."""
        with self._reading() as conn:
            return history.run(conn, run_id)

    def run_counts(self, reach: Reach) -> Mapping[str, int]:
        """See `ports.History.run_counts`."""
        with self._reading() as conn:
            return history.run_counts(conn, reach)

    def told_runs(self, reach: Reach, *, limit: int) -> Sequence[RunRecord]:
        """See `ports.History.told_runs`."""
        with self._reading() as conn:
            return history.told_runs(conn, reach, limit)

    def outcomes(self, reach: Reach) -> Iterator[Done]:
        """See `ports.History.outcomes`."""
        return self._rows(lambda conn: history.outcomes(conn, reach), history.done)

    def notes(self, reach: Reach) -> Iterator[JournalEntry]:
        """See `ports.History.notes`."""
        return self._rows(lambda conn: history.notes(conn, reach), lambda _, rows: map(entry_of, rows))

    def repairs(self, reach: Reach) -> Mapping[str, int]:
        """See `ports.History.repairs`."""
        with self._reading() as conn:
            return history.repairs(conn, reach)

    def comparisons(self, reach: Reach) -> int:
        """See `ports.History.comparisons`."""
        with self._reading() as conn:
            return history.comparisons(conn, reach)

    def outages(self, since: datetime | None) -> Sequence[Outage]:
        """See `ports.History.outages`."""
        with self._reading() as conn:
            return history.outages(conn, since)

    def change_counts(self, reach: Reach) -> Sequence[DayCount]:
        """See `ports.History.change_counts`."""
        with self._reading() as conn:
            return history.change_counts(conn, reach)

    def latencies(self, reach: Reach, bounds: Sequence[float]) -> Latencies:
        """See `ports.History.latencies`."""
        with self._reading() as conn:
            return history.latencies(conn, reach, bounds)

    def troubles(self, reach: Reach) -> Iterator[Trouble]:
        """See `ports.History.troubles`."""
        return self._rows(
            lambda conn: history.troubles(conn, reach),
            lambda conn, rows: history.told_troubles(conn, rows, reach.since),
        )

    def grants(self) -> Iterator[Grant]:
        """See `ports.History.grants`."""
        return self._rows(history.grants, history.told_grants, PAGE_BY_NAME)

    def without_group(self) -> Iterator[Grant]:
        """See `ports.History.without_group`."""
        return self._rows(history.without_group, history.told_grants, PAGE_BY_NAME)

    def people_without_group(self) -> int:
        """See `ports.History.people_without_group`."""
        with self._reading() as conn:
            return history.people_without_group(conn)

    def hold_stories(self, since: datetime | None) -> Sequence[HoldStory]:
        """See `ports.History.hold_stories`."""
        with self._reading() as conn:
            return hold_history.hold_stories(conn, since, self._clock())

    def known_changes(self, change_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """See `ports.History.known_changes`."""
        with self._reading() as conn:
            return hold_history.known_changes(conn, change_ids)

    def _rows(
        self, ask: Callable[[Db], Rows], tell: Callable[[Db, Sequence[Row]], Iterable[T]], page: int = PAGE
    ) -> Iterator[T]:
        """What a long answer tells, a page at a time; nobody is shut out between its pages."""
        with self._reading() as conn:
            cursor = ask(conn)
        while True:
            with self._reading() as conn:
                rows = cursor.fetchmany(page)
                told = list(tell(conn, rows))
            if not rows:
                return
            yield from told
