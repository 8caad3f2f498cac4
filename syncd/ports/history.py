"""What a store can tell about the past and about who has access now: the questions of an audit report.

Counts are made by the store; lists come a page in memory at a time, whatever the size of the population.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from syncd.ports.trail import JournalEntry

if TYPE_CHECKING:
    from syncd.ports.store import RunRecord


@dataclass(frozen=True, slots=True)
class Reach:
    """What part of the past is meant: from `since` (None: from the beginning), and of one run only when named."""

    since: datetime | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class DayCount:
    """Outcomes of one kind on one day (UTC, "2026-03-01"); of a relink the kind is "relinked". `result` is "applied",
    "failed" or "deferred". `again`: they gave back an access that nobody had ended (an account that is made again
    because it was gone at the target).
    """

    day: str
    kind: str
    result: str
    count: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class Latencies:
    """Applied changes by the time from the beginning of their run to the target's answer.

    `seconds` are the upper ends; `counts` has one more item, for what took longer than all of them.
    """

    seconds: Sequence[float]
    counts: Sequence[int]


@dataclass(frozen=True, slots=True)
class Done:
    """The outcome of one change; times are None when the rows that knew them are gone."""

    entry: JournalEntry
    intended_at: datetime | None
    run_started: datetime | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """One object that failed once or several times in a row.

    `end` is "recovered" at `ended`; "open" while it still waits for its next try; "overtaken" when nobody wants that
    change any more. `asked` is the body of the last failed intent, None when there is no such row any more.
    """

    kind: str
    okta_id: str
    group_id: str | None
    asked: Mapping[str, Any] | None
    error: str
    attempts: int
    first: datetime
    last: datetime
    ended: datetime | None
    end: str


@dataclass(frozen=True, slots=True)
class Outage:
    """Runs that failed in a row. `ended` is the beginning of the first one that did not, None while there is none."""

    first: datetime
    last: datetime
    ended: datetime | None
    runs: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Grant:
    """One person in one group, or with `group_id` None an account that is in no group.

    `since`, `run_id`, `change_id` and `reason` are those of the change that gave it; None when the trail does not know
    (any more). `assigned` is Okta's reason as it was read last, `rule` the push rule of the group.
    """

    group_id: str | None
    group: str | None
    rule: str | None
    okta_id: str
    scim_id: str
    user_name: str
    active: bool
    assigned: str
    kind: str | None = None
    since: datetime | None = None
    run_id: str | None = None
    change_id: str | None = None
    reason: str | None = None
    approved_by: str | None = None


@dataclass(frozen=True, slots=True)
class HoldStory:
    """A hold and what became of it. `waiting`, `approved`, `rejected`: how many of its changes."""

    id: str
    check: str
    reason: str
    numbers: Mapping[str, int | str]
    raised_at: datetime
    expires_at: datetime
    state: str
    waiting: int
    approved: int
    rejected: int


class History(Protocol):
    """Read-only questions; part of `ports.Store`."""

    def one_moment(self) -> AbstractContextManager[None]:
        """Everything read inside is of one moment, whatever another process writes meanwhile. Nothing may be written
        inside.
        """
        ...

    def run(self, run_id: str) -> RunRecord | None:
        """None when there is no run of this id, or it was pruned."""
        ...

    def run_counts(self, reach: Reach) -> Mapping[str, int]:
        """How many runs by status; "unfinished" for those without an end."""
        ...

    def told_runs(self, reach: Reach, *, limit: int) -> Sequence[RunRecord]:
        """The youngest runs that have something to tell (changed, held or skipped something, or did not succeed)."""
        ...

    def outcomes(self, reach: Reach) -> Iterator[Done]:
        """Outcomes in order. Raises PermanentError for a row that was made unreadable."""
        ...

    def notes(self, reach: Reach) -> Iterator[JournalEntry]:
        """Free rows of the journal in order: decisions, releases, drift checks, ends of runs, seals."""
        ...

    def repairs(self, reach: Reach) -> Mapping[str, int]:
        """Changes that drift runs applied, by kind."""
        ...

    def comparisons(self, reach: Reach) -> int:
        """How many drift runs looked at the target to the end."""
        ...

    def outages(self, since: datetime | None) -> Sequence[Outage]:
        """Oldest first; those that touch the time since then, all when None."""
        ...

    def change_counts(self, reach: Reach) -> Sequence[DayCount]:
        """Outcomes by day, kind and result, in that order."""
        ...

    def latencies(self, reach: Reach, bounds: Sequence[float]) -> Latencies:
        """How many applied changes took so long since their run began; `bounds` are upper ends in seconds,
        ascending.
        """
        ...

    def troubles(self, reach: Reach) -> Iterator[Trouble]:
        """Oldest first."""
        ...

    def grants(self) -> Iterator[Grant]:
        """Who is in which group at the target, by name of the group and then of the person."""
        ...

    def without_group(self) -> Iterator[Grant]:
        """Managed active accounts that are in no pushed group, by name."""
        ...

    def people_without_group(self) -> int:
        """How many `without_group` tells."""
        ...

    def hold_stories(self, since: datetime | None) -> Sequence[HoldStory]:
        """Oldest first; holds raised since then, and those that are still open."""
        ...

    def known_changes(self, change_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Documents of changes that were held once, by id; ids that are not known any more are left out."""
        ...
