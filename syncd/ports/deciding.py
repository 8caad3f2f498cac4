"""What waits for people, what they decided, and what they expect."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

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
class _Decided:
    object_key: str
    by: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection(_Decided):
    """A change that a person rejected, and that is still wanted as far as is known."""


@dataclass(frozen=True, slots=True)
class Approval(_Decided):
    """A held change that a person approved, and that was not applied yet. `expires_at`: until when it counts."""

    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """A user or group that a person took out of syncd's hands. `what`: "release", or "unlink" of a group that stays so.
    `by` None: the row of the trail that says who is gone, and `since` is as far as the trail goes back. `target` is the
    name under which the group is at the target, as far as is known.
    """

    object_key: str
    name: str
    what: Literal["release", "unlink"]
    since: datetime
    by: str | None = None
    reason: str | None = None
    target: str | None = None

    @property
    def okta_id(self) -> str:
        return self.object_key.partition(":")[2]

    @property
    def sentence(self) -> str:
        """Status, page, report and explain say the same."""
        who = f" by {self.by}" if self.by else ""
        why = f" ({self.reason})" if self.reason else ""
        told = f"{'unlinked by hand' if self.what == 'unlink' else 'released'}{who} on {self.since:%Y-%m-%d %H:%M} UTC"
        if self.object_key.startswith("group:"):
            return f"left alone, and its members too, until `syncd link`: {told}{why}"
        return f"left alone until `syncd link --user`, or until they left the app and came back: {told}{why}"


@dataclass(frozen=True, slots=True)
class Decided:
    """Change ids that a person decided on and that are still open: approved once, or rejected until the world moves."""

    approved: AbstractSet[str] = frozenset()
    rejected: AbstractSet[str] = frozenset()
    objects: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What each of them is about: change id to object key."""
    rejections: Mapping[str, Rejection] = field(default_factory=dict, compare=False)
    """Those of `rejected`, by change id."""
    approvals: Mapping[str, Approval] = field(default_factory=dict, compare=False)
    """Those of `approved`, by change id."""


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

    def decide(
        self, ids: Sequence[str], decision: str, by: str, reason: str | None = None
    ) -> Sequence[Change]:
        """Decides on whole holds or single changes by their ids ("approve" or "reject"); journals who, what and why.
        Held changes, and those that were decided the other way and still are. Raises UsageError for another id.
        """
        ...

    def decided(self) -> Decided:
        """What still counts, as far as the journal says so: approvals until they are applied or expire, rejections
        until the world moves.
        """
        ...

    def releases(self) -> Sequence[Release]:
        """What is released now, and groups that were unlinked by hand; the oldest first."""
        ...

    def expect(self, expectation: Expectation) -> Expectation:
        """Journals it, with its reason redacted, and returns it so."""
        ...

    def revoke(self, expectation_id: str, by: str, reason: str | None = None) -> Expectation:
        """The `reason`, redacted, stands in the journal. Raises UsageError for one that is not ahead."""
        ...

    def expectations(self) -> Sequence[Expectation]:
        """Those whose window is not over, as far as the journal says so; the next to begin first."""
        ...

    def forget_decisions(self, change_ids: Iterable[str]) -> None:
        """These wishes are no longer wanted by a complete cycle: the same wish later is a new question."""
        ...
