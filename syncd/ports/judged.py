"""What the safety checks ask about planned changes. None of it reads the changes themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from syncd.core.change import ChangeKind
from syncd.core.plan import Hold


@dataclass(frozen=True, slots=True)
class OpenHold:
    """An open hold, and which of the changes that wait in it (ids) are to be applied here."""

    hold: Hold
    change_ids: Sequence[str]
    begun: bool
    """Others in it were decided on: what it still has waits for its own decision."""


@dataclass(frozen=True, slots=True)
class WaitingElsewhere:
    """So many changes (`count`) wait in holds of this check that count for these limits; `group_id` of memberships."""

    check: str
    limits: frozenset[str]
    group_id: str | None
    count: int


class JudgedPlan(Protocol):
    """The planned changes, as ids and counts, against the store's holds and decisions."""

    def change_keys(self, kind: ChangeKind, *, group_id: str | None = None) -> Sequence[tuple[str, str]]:
        """(change id, Okta id) of what is to be applied; with `group_id` only this group's memberships."""
        ...

    def changes_by_group(self, kind: ChangeKind, *, hold_id: str | None = None) -> Mapping[str, int]:
        """How many of these memberships are to be applied, or held so, by group."""
        ...

    def counted(self, limit: str, kinds: Collection[ChangeKind], *, hold_id: str | None = None) -> int:
        """How many changes of these kinds that are to be applied, or held so, count for the limit of this name."""
        ...

    def counted_keys(self, limit: str, kinds: Collection[ChangeKind]) -> Sequence[tuple[str, str]]:
        """(change id, Okta id) of these."""
        ...

    def decided_changes(self, decision: str, now: datetime, *, about: str | None = None) -> AbstractSet[str]:
        """Of planned changes those with a decision ("approve", "reject") that still counts; `about`: in such a hold."""
        ...

    def waiting_changes(self, now: datetime) -> Sequence[OpenHold]:
        """The open holds of the store, oldest first, in which changes wait that are to be applied here."""
        ...

    def waiting_elsewhere(
        self, now: datetime, *, besides: AbstractSet[tuple[str, str]], kinds: AbstractSet[ChangeKind]
    ) -> Sequence[WaitingElsewhere]:
        """What of these kinds waits in the store's open holds, each change once: without what is to be applied here,
        and without what is not planned any more of the objects `besides` ("user" or "group", Okta id).
        """
        ...
