"""What is remembered, asked for: the reading half of the store."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from syncd.core.expectation import Expectation
from syncd.core.waiting import REMEMBERED, Waiting
from syncd.model import KnownGroup, KnownUser
from syncd.ports.deciding import Decided, HoldRecord, Release
from syncd.ports.outcomes import Intent, Unproven
from syncd.ports.store import Due, Failure, Population, RecentlyApplied, RunRecord
from syncd.ports.trail import ChainReport, Head, JournalEntry
from syncd.store import (
    decisions,
    effects,
    entries,
    holds,
    journal,
    released,
    state,
    unproven,
    verifying,
    waiting,
)
from syncd.store.db import Db
from syncd.store.expected import Expected
from syncd.store.recent import Recently
from syncd.store.seals import Seals


class StoreReads(ABC):
    """Safe to share between threads: one of them is inside at a time."""

    def __init__(self, clock: Callable[[], datetime], seals: Seals) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._rulings = decisions.Rulings()
        self._recently = Recently()
        self._expected = Expected()
        self._seals = seals

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Db]:
        """The session for this thread alone. Raises SyncdError for what the database says in the block."""

    def user(self, okta_id: str) -> KnownUser | None:
        """See `ports.Store.user`."""
        with self._reading() as conn:
            return state.user(conn, okta_id)

    def users(self, okta_ids: Sequence[str]) -> Mapping[str, KnownUser]:
        """See `ports.Store.users`."""
        if not okta_ids:
            return {}
        with self._reading() as conn:
            return state.users(conn, okta_ids)

    def accounts(self, okta_ids: Sequence[str]) -> Mapping[str, str]:
        """See `ports.Store.accounts`."""
        if not okta_ids:
            return {}
        with self._reading() as conn:
            return state.accounts(conn, okta_ids)

    def user_by_scim_id(self, scim_id: str) -> KnownUser | None:
        """See `ports.Store.user_by_scim_id`."""
        with self._reading() as conn:
            return state.user_by_scim_id(conn, scim_id)

    def find_users(self, text: str) -> Sequence[KnownUser]:
        """See `ports.Store.find_users`."""
        with self._reading() as conn:
            return state.find_users(conn, text)

    def find_former_users(self, user_name: str) -> Sequence[KnownUser]:
        """See `ports.Store.find_former_users`."""
        with self._reading() as conn:
            found = state.users(conn, entries.once_called(conn, user_name))
        return [found[okta_id] for okta_id in sorted(found)]

    def linked_users(self, *, after: str = "") -> Iterator[KnownUser]:
        """See `ports.Store.linked_users`."""
        while True:
            with self._reading() as conn:
                page = state.linked_users(conn, after)
            yield from page
            if len(page) < state.PAGE:
                return
            after = page[-1].okta_id

    def group(self, okta_id: str) -> KnownGroup | None:
        """See `ports.Store.group`."""
        with self._reading() as conn:
            return state.group(conn, okta_id)

    def group_by_scim_id(self, scim_id: str) -> KnownGroup | None:
        """See `ports.Store.group_by_scim_id`."""
        with self._reading() as conn:
            return state.group_by_scim_id(conn, scim_id)

    def owners(self, kind: str, scim_ids: Sequence[str]) -> Mapping[str, str]:
        """See `ports.Store.owners`."""
        if not scim_ids:
            return {}
        with self._reading() as conn:
            return state.owners(conn, kind, scim_ids)

    def find_groups(self, text: str) -> Sequence[KnownGroup]:
        """See `ports.Store.find_groups`."""
        with self._reading() as conn:
            return state.find_groups(conn, text)

    def groups(self) -> Sequence[KnownGroup]:
        """See `ports.Store.groups`."""
        with self._reading() as conn:
            return state.groups(conn)

    def pushed_members(self, group_id: str) -> Sequence[str]:
        """See `ports.Store.pushed_members`."""
        with self._reading() as conn:
            return state.pushed_members(conn, group_id)

    def groups_with(self, user_id: str) -> Sequence[str]:
        """See `ports.Store.groups_with`."""
        with self._reading() as conn:
            return state.groups_with(conn, user_id)

    def population(self) -> Population:
        """See `ports.Store.population`."""
        with self._reading() as conn:
            return state.population(conn)

    def applied_since(self, since: datetime, *, under: AbstractSet[str] = frozenset()) -> RecentlyApplied:
        """See `ports.Store.applied_since`."""
        with self._reading() as conn:
            return self._recently.applied(conn, since, under)

    def expectations(self) -> Sequence[Expectation]:
        with self._reading() as conn:
            return self._expected.ahead(conn, self._clock())

    def failures(self) -> Sequence[Failure]:
        """See `ports.Store.failures`."""
        with self._reading() as conn:
            return effects.failures(conn)

    def unproven(self) -> Sequence[Unproven]:
        """See `ports.Store.unproven`."""
        with self._reading() as conn:
            return unproven.everything(conn)

    def waiting(self, kinds: Collection[str] = REMEMBERED) -> Sequence[Waiting]:
        """See `ports.Waits.waiting`."""
        with self._reading() as conn:
            return waiting.waiting(conn, kinds)

    def waiting_for(self, names: Collection[str]) -> AbstractSet[str]:
        """See `ports.Waits.waiting_for`."""
        if not names:
            return frozenset()
        with self._reading() as conn:
            return waiting.waiting_for(conn, names)

    def due(self, now: datetime, grace: timedelta) -> Due:
        """See `ports.Store.due`."""
        with self._reading() as conn:
            return state.due(conn, now, grace)

    def runs(self, *, limit: int = 10) -> Sequence[RunRecord]:
        """See `ports.Store.runs`."""
        with self._reading() as conn:
            return state.runs(conn, limit)

    def open_intents(self) -> Sequence[Intent]:
        """See `ports.Store.open_intents`."""
        with self._reading() as conn:
            return journal.open_intents(conn)

    def holds(self) -> Sequence[HoldRecord]:
        """See `ports.Store.holds`."""
        with self._reading() as conn:
            return holds.open_holds(conn, self._clock())

    def decided(self) -> Decided:
        """See `ports.Store.decided`."""
        with self._reading() as conn:
            return decisions.decided(self._rulings.among(conn, self._clock()))

    def releases(self) -> Sequence[Release]:
        """See `ports.Store.releases`."""
        with self._reading() as conn:
            return released.releases(conn, self._clock())

    def journal_entries(
        self,
        *,
        after: int = 0,
        until: int | None = None,
        run_id: str | None = None,
        since: datetime | None = None,
    ) -> Iterator[JournalEntry]:
        """See `ports.Store.journal_entries`."""
        while True:
            with self._reading() as conn, conn.one_moment():
                page = entries.entries(conn, after=after, until=until, run_id=run_id, since=since)
            if not page:
                return
            yield from page
            after = page[-1].sequence

    def last_changes(self, okta_id: str, *, limit: int) -> Sequence[JournalEntry]:
        """See `ports.Store.last_changes`."""
        with self._reading() as conn, conn.one_moment():
            return entries.last_outcomes(conn, okta_id, limit)

    def journal_head(self) -> tuple[int, str]:
        """See `ports.Store.journal_head`."""
        with self._reading() as conn:
            head = journal.head(conn)
        return head.sequence, str(head)

    def verify_journal(self, noted: Head | None = None) -> ChainReport:
        """See `ports.Store.verify_journal`."""
        with self._reading() as conn:
            return verifying.verify(conn, self._clock(), noted)

    def altered(self) -> AbstractSet[str]:
        """See `ports.Store.altered`."""
        with self._reading():
            return self._seals.altered()

    def altered_holds(self) -> bool:
        """See `ports.Store.altered_holds`."""
        with self._reading():
            return bool(self._seals.altered_among({"holds", "hold_changes"}))

    def recall(self, key: str) -> str | None:
        """See `ports.Store.recall`."""
        with self._reading() as conn:
            return state.recall(conn, key)

    def revision(self) -> int:
        """See `ports.Store.revision`."""
        with self._reading() as conn:
            return state.revision(conn)
