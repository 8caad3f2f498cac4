"""What one connection remembers, in values and named acts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from syncd.core.change import Change, ChangeKind
from syncd.model import KnownGroup, KnownUser
from syncd.ports.deciding import Decisions
from syncd.ports.history import History
from syncd.ports.outcomes import Effect, Intent, Settled, Unproven
from syncd.ports.requests import RequestRecords
from syncd.ports.stage import Stage
from syncd.ports.trail import ChainReport, Head, JournalEntry
from syncd.ports.waiting import Waits


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed wish that waits. `change_id` is the wish that failed: a newer wish replaces it."""

    object_key: str
    change_id: str
    kind: ChangeKind
    name: str
    message: str
    attempts: int
    first_failed: datetime
    next_attempt: datetime


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. `finished` and `status` are None while it lasts, or when it died; `summary` counts by outcome and
    kind.
    """

    run_id: str
    kind: str
    started: datetime
    finished: datetime | None
    status: str | None
    summary: Mapping[str, Mapping[str, int]]
    error: str | None


@dataclass(frozen=True, slots=True)
class RecentlyApplied:
    """What was applied in the window, as far as it counts: by the name of the limit, of memberships by group, and of
    people whose they are (Okta ids).
    """

    totals: Mapping[str, int]
    by_group: Mapping[str, Mapping[str, int]]
    people: Mapping[str, AbstractSet[str]] = field(default_factory=dict, compare=False)

    def of(self, limit: str) -> int:
        return self.totals.get(limit, 0)

    def whose(self, limit: str) -> AbstractSet[str]:
        return self.people.get(limit, frozenset())

    def in_groups(self, limit: str) -> Mapping[str, int]:
        """By Okta id of the group."""
        return self.by_group.get(limit, {})


@dataclass(frozen=True, slots=True)
class Population:
    """What the connection manages now (pushed, not merely wanted)."""

    users: int
    active_users: int
    groups: int
    memberships: int
    by_group: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Due:
    """Okta ids of users and groups for which something waits that may be done now."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


class Store(Decisions, History, Waits, RequestRecords, Protocol):
    """What one connection remembers: one file, one writer."""

    # meta
    def revision(self) -> int:
        """Grows with every change of managed state."""
        ...

    def recall(self, key: str) -> str | None:
        """What was last remembered under this key; None when nothing is."""
        ...

    def remember(self, key: str, value: str | None) -> None:
        """Small facts: scope fingerprint, learned capabilities, time of the last complete read, cursors."""
        ...

    def remember_all(self, facts: Mapping[str, str | None]) -> None:
        """At once, which seals them once."""
        ...

    # single writer
    def lock(self, owner: str, *, expires_in: timedelta, serves: bool = False) -> None:
        """Takes the writer's lock or raises LockHeld naming the owner; `serves`: this one carries requests out. That of
        an owner that has certainly ended is taken over. For one that may live LockWatched is raised: asked again and
        again, it is taken over once no renewal was seen for `expires_in` by this process's own clock, whatever any wall
        clock says, and LockHeld is raised once there was one.
        """
        ...

    def renew_lock(self) -> None:
        """Raises LockLost, which says who took it over, when and why, and ValueError when it was never taken."""
        ...

    def permit(self) -> None:
        """Asked before each request to the target, from any thread: a look at two clocks while the lock is fresh, else
        the lock is renewed. Raises LockLost unless this process holds it. Every act of this store that writes raises it
        too once the lock is another's, but `finish_run`.
        """
        ...

    def unlock(self) -> None:
        """Gives the writer's lock back; nothing when it is not held."""
        ...

    # runs and journal
    def begin_run(self, kind: str) -> str:
        """Returns the id of the run, unique and sortable by time."""
        ...

    def finish_run(
        self, run_id: str, *, status: str, summary: Mapping[str, Mapping[str, int]], error: str | None
    ) -> None:
        """A note in the journal says so too."""
        ...

    def runs(self, *, limit: int = 10) -> Sequence[RunRecord]:
        """The youngest first."""
        ...

    def intend(
        self,
        run_id: str,
        changes: Sequence[Change],
        *,
        allow: AbstractSet[str] = frozenset(),
        exempt: AbstractSet[str] = frozenset(),
        spared: Mapping[str, AbstractSet[str]] | None = None,
    ) -> Sequence[int]:
        """Journals the intents in one durable transaction; returns their sequence numbers. `allow` names the limits
        that were raised for this run, `exempt` the changes (by id) that no limit counts, `spared` those that one limit
        does not count.
        """
        ...

    def settle(self, outcomes: Sequence[Settled]) -> Sequence[Settled]:
        """Returns those that were settled before, by somebody who asked the target later: nothing of them is stored.

        Journals the outcomes and their effects on users, groups, memberships and failures, all in one durable
        transaction. A failed outcome adds or lengthens a Failure (1 m, 5 m, 30 m, 2 h, 6 h, 24 h); an applied one
        deletes it. An unanswered one is journalled once the target was asked.
        """
        ...

    def open_intents(self) -> Sequence[Intent]:
        """Intents without an outcome, oldest first: nobody knows how they ended."""
        ...

    def note(
        self,
        body: Mapping[str, Any],
        *,
        run_id: str | None = None,
        reason: str | None = None,
        facts: Mapping[str, str | None] | None = None,
    ) -> int:
        """Adds a free row to the journal (a decision of a person, with the reason that they gave); returns its sequence
        number. `facts` are remembered with it or not at all; they and the body are without secrets already.
        """
        ...

    def journal_entries(
        self,
        *,
        after: int = 0,
        until: int | None = None,
        run_id: str | None = None,
        since: datetime | None = None,
    ) -> Iterator[JournalEntry]:
        """The audit trail in order from behind row `after` to row `until`, a page in memory at a time.

        Raises PermanentError for a row that was made unreadable.
        """
        ...

    def last_changes(self, okta_id: str, *, limit: int) -> Sequence[JournalEntry]:
        """The youngest outcomes about this user or group, memberships too, youngest first. Quick in any trail."""
        ...

    def journal_head(self) -> tuple[int, str]:
        """How many rows were ever written (pruned ones included), and the last one as "SEQUENCE:HASH".

        Sequence numbers have no gaps, so the sequence is the length. Raises PermanentError when what is
        remembered was made unreadable.
        """
        ...

    def verify_journal(self, noted: Head | None = None) -> ChainReport:
        """Walks the hash chain as it is at this moment, and compares what is remembered with it; `noted` must still be
        a row of it, or be pruned.
        """
        ...

    def prune(self, keep: timedelta) -> int:
        """Lets rows of the trail older than `keep` go, runs of which no row is left, holds that expired before, and
        people who left before, have no account, are in no list of members, and of whom no row tells. Returns how many
        rows of the trail went.

        Only a settled beginning of the trail goes, never the last 24 hours, and a checkpoint row carries the chain
        on. Raises PermanentError, and prunes nothing, when one of these rows was tampered with.
        """
        ...

    # state
    def stage(self) -> Stage:
        """A new stage over this store, to be closed; it lives in a temporary file."""
        ...

    def absorb(self, stage: Stage, *, confirmed_absent: Mapping[str, datetime]) -> None:
        """Writes the staged wishes (users, groups, complete member lists) into the store in one transaction.
        Users nominated for removal become ABSENT only if named in `confirmed_absent` (okta id to the time they
        left); the others keep their last wish. A user that is wanted again loses `left_at`.
        """
        ...

    def user(self, okta_id: str) -> KnownUser | None:
        """By Okta id; None when nothing is known of them."""
        ...

    def users(self, okta_ids: Sequence[str]) -> Mapping[str, KnownUser]:
        """By Okta id; who is unknown is left out."""
        ...

    def accounts(self, okta_ids: Sequence[str]) -> Mapping[str, str]:
        """Of these users, by Okta id, the ids at the target; who has none is left out."""
        ...

    def user_by_scim_id(self, scim_id: str) -> KnownUser | None:
        """Whom this id at the target is tied to."""
        ...

    def find_users(self, text: str) -> Sequence[KnownUser]:
        """By Okta id, SCIM id, or userName (wanted or pushed; exact first, else letter case aside)."""
        ...

    def find_former_users(self, user_name: str) -> Sequence[KnownUser]:
        """Who had this userName at the target once, by the audit trail: for when nobody has it now."""
        ...

    def linked_users(self, *, after: str = "") -> Iterator[KnownUser]:
        """Users that have an id at the target, by Okta id, from behind `after`; a page in memory at a time."""
        ...

    def group(self, okta_id: str) -> KnownGroup | None:
        """By Okta id; None when nothing is known of it."""
        ...

    def group_by_scim_id(self, scim_id: str) -> KnownGroup | None:
        """Which group this id at the target is tied to."""
        ...

    def owners(self, kind: str, scim_ids: Sequence[str]) -> Mapping[str, str]:
        """`kind` is "user" or "group": SCIM ids to the Okta ids that they are tied to; what is tied to nobody is
        left out.
        """
        ...

    def find_groups(self, text: str) -> Sequence[KnownGroup]:
        """By Okta id, SCIM id or name, as `find_users`."""
        ...

    def groups(self) -> Sequence[KnownGroup]:
        """All that are known, by Okta id."""
        ...

    def pushed_members(self, group_id: str) -> Sequence[str]:
        """Okta ids of the users that were pushed into this group."""
        ...

    def groups_with(self, user_id: str) -> Sequence[str]:
        """Okta ids of the groups into which this user was pushed."""
        ...

    def release_user(
        self, okta_id: str, by: str, reason: str | None = None, *, unlinked: bool = False
    ) -> None:
        """Stops managing: the SCIM id and pushed memberships are forgotten, the object is not matched again until
        it left Okta's list and came back, or a person links it. `by`, who decided it, and why stand in the journal;
        `unlinked`: in that word.
        """
        ...

    def release_group(self, okta_id: str, by: str, reason: str | None = None) -> None:
        """As with a user, but no coming back of the group or of its rule undoes it: only a link by hand does."""
        ...

    def forget_links(self, run_id: str, *, users: Sequence[str], groups: Sequence[str]) -> None:
        """The target has these objects no more: ids, pushed memberships and failures are forgotten, and a note in the
        journal says so. The next cycle matches or creates them by the ordinary rules.
        """
        ...

    def record_found(
        self,
        run_id: str,
        effects: Sequence[Effect],
        *,
        summary: Mapping[str, int],
        counts: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        """What a drift cycle found at the target replaces what was remembered; a note in the journal says so, with a
        count for each kind, and for each sort of a comparison (`core.drift_news`).
        """
        ...

    def unproven(self) -> Sequence[Unproven]:
        """Creates that may have left something at the target, until the object is linked or the doubt forgotten."""
        ...

    def forget_unproven(self, unproven: Sequence[tuple[str, str]]) -> None:
        """By kind and Okta id: nothing is at the target any more."""
        ...

    def altered(self) -> AbstractSet[str]:
        """Tables that the audit trail does not vouch for: somebody else changed them. Nothing that limits, settings
        decided on and memory say then lets a removal pass.
        """
        ...

    def altered_holds(self) -> bool:
        """Whether somebody else changed what holds show."""
        ...

    def population(self) -> Population:
        """How much is managed now: what the limits are a share of."""
        ...

    def applied_since(self, since: datetime, *, under: AbstractSet[str] = frozenset()) -> RecentlyApplied:
        """What was applied, for the limits: without what a person approved and what was exempt, and for each limit
        without what a run did while this limit was raised, unless it is raised again (`under`).
        """
        ...

    def failures(self) -> Sequence[Failure]:
        """What failed and waits for its next try, by object."""
        ...

    def due(self, now: datetime, grace: timedelta) -> Due:
        """What a delta has to look at besides the log: failures whose next try has come, what is left alone and has
        waited long enough, approved changes, departures whose grace is over. Cheap, whatever the size of the
        population.
        """
        ...

    def retry_now(self, object_key: str | None) -> int:
        """Makes one failure (or all) due at once; returns how many."""
        ...

    def rest(self) -> None:
        """Gives back the memory that the last questions took: for a store that is kept open between cycles."""
        ...

    def close(self) -> None:
        """Gives the lock back and closes the file. May be called twice."""
        ...
