"""What waits for people, what they decided, and what they expect."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from syncd.core.change import Change
from syncd.core.expectation import Expectation
from syncd.core.plan import Hold


@dataclass(frozen=True, slots=True)
class HoldRecord:
    """A hold that waits for a decision, with the changes in it that are not decided yet."""

    id: str
    check: str
    reason: str
    way_out: str
    numbers: Mapping[str, int | str]
    raised_at: datetime
    expires_at: datetime
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A change that a person rejected, and that is still wanted as far as is known."""

    object_key: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Decided:
    """Change ids that a person decided on and that are still open: approved once, or rejected until the world moves."""

    approved: AbstractSet[str] = frozenset()
    rejected: AbstractSet[str] = frozenset()
    objects: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What each of them is about: change id to object key."""
    rejections: Mapping[str, Rejection] = field(default_factory=dict, compare=False)
    """Those of `rejected`, by change id."""


class Decisions(Protocol):
    """Holds, and the words of people, as the audit trail has them."""

    def raise_holds(self, raised: Sequence[tuple[Hold, Iterable[Change]]], *, whole: bool) -> Collection[str]:
        """Remembers what the safety checks stopped in a cycle, and returns the ids of the holds that are new. A hold
        that is known keeps its time; others expire after 7 days, and take the changes that waited in an earlier one.
        `whole`: the cycle looked at everything, so that holds it did not raise are over.
        """
        ...

    def holds(self) -> Sequence[HoldRecord]:
        """Open holds, oldest first; expired ones are not among them."""
        ...

    def decide(self, ids: Sequence[str], decision: str, by: str) -> Sequence[Change]:
        """Decides on whole holds or single held changes by their ids ("approve" or "reject"); journals who and what.
        Raises UsageError for an id that no open hold has.
        """
        ...

    def decided(self) -> Decided:
        """What still counts, as far as the journal says so: approvals until they are applied or expire, rejections
        until the world moves.
        """
        ...

    def expect(self, expectation: Expectation) -> Expectation:
        """Journals it, with its reason redacted, and returns it so."""
        ...

    def revoke(self, expectation_id: str, by: str) -> Expectation:
        """Raises UsageError for one that is not ahead."""
        ...

    def expectations(self) -> Sequence[Expectation]:
        """Those whose window is not over, as far as the journal says so; the next to begin first."""
        ...

    def forget_decisions(self, change_ids: Iterable[str]) -> None:
        """These wishes are no longer wanted by a complete cycle: the same wish later is a new question."""
        ...
