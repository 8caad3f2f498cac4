"""One plan in the making: what it knows besides the stage, and how a decision enters it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from syncd.core.change import GROUP_KINDS, Change, ChangeKind
from syncd.core.counting import counted
from syncd.core.diff import Decision, Skipped
from syncd.core.expectation import Expectation
from syncd.core.order import NO_ORDER, Order
from syncd.core.policy import Policy
from syncd.engine.facts import NOTHING_IN_THE_MAKING, AskedTie, Making
from syncd.engine.job import Job
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.one_by_one import own_problem
from syncd.errors import AccessDenied, NotFound, SyncdError
from syncd.ports import Failure, Stage, Unproven

T = TypeVar("T")
GIVES_UP_AFTER = 3
_BRINGS_INTO_BEING = frozenset(
    {ChangeKind.CREATE_USER, ChangeKind.ADOPT_USER, ChangeKind.CREATE_GROUP, ChangeKind.LINK_GROUP}
)


class UnreadError(Exception):
    """The target could not be asked about one object."""

    def __init__(self, problem: SyncdError) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass
class Planning:
    """One plan in the making. Changes, and what is left alone, go to the stage; the rest gathers here."""

    job: Job
    stage: Stage
    reading: Reading
    policy: Policy
    failures: Mapping[str, Failure]
    left: dict[str, datetime] = field(default_factory=dict)
    """Confirmed departures, with the time each was first seen."""
    group_names: dict[str, str] = field(default_factory=dict)
    okta_names: dict[str, str] = field(default_factory=dict)
    """What the groups in scope are called in Okta, which at the target may be otherwise."""
    unsettled: AbstractSet[str] = frozenset()
    """Keys of objects of which nobody knows yet how the last write ended."""
    undecided: AbstractSet[str] = frozenset()
    """Keys of objects of which a removal waits for a decision since the scope settings changed."""
    unproven: Mapping[tuple[str, str], Unproven] = field(default_factory=dict)
    """Creates that may have left something at the target, by kind and Okta id."""
    over: list[tuple[str, str]] = field(default_factory=list)
    """Of those, the ones of which nothing is there any more."""
    order: Order = NO_ORDER
    """Who is written before whom, once the changes are complete and checked."""
    quarantined: set[str] = field(default_factory=set)
    """Keys of objects whose very wish failed lately, and waits for its next try."""
    group_ids: dict[str, str | None] = field(default_factory=dict)
    """SCIM ids of the groups in scope, None while there is none."""

    making: Making = NOTHING_IN_THE_MAKING
    """What is only just being made."""
    expected: Mapping[str, Expectation] = field(default_factory=dict)
    """By limit, what a person expects at this time."""
    spared: dict[str, AbstractSet[str]] = field(default_factory=dict)
    """By the name of a limit, the ids of changes that do not count for it: a person expects them under another."""
    protected: AbstractSet[str] = frozenset()
    """Okta ids of the groups that have a protected name, linked or about to be."""

    ties: Mapping[str, AskedTie] = field(default_factory=dict)
    """By Okta id, the accounts that people chose for users that are not linked."""
    ties_over: Mapping[str, AskedTie] = field(default_factory=dict)
    """Those that are nobody's choice any more."""
    gives_back: bool = False
    """It gives a run back, whatever Okta wants."""
    unanswered: int = 0
    """Objects in a row that the target could not be asked about."""

    def asked(self, ask: Callable[[], T]) -> T:
        """The target's answer about one object. Raises UnreadError, and NotFound."""
        try:
            found = ask()
        except NotFound:
            raise
        except SyncdError as problem:
            raise UnreadError(problem) from problem
        self.unanswered = 0
        return found

    def left_unread(self, about: str, okta_id: str, problem: SyncdError) -> Decision:
        """The target cannot be asked about this one: it stays as it is, everybody else goes on. Raises what concerns
        the whole connection, and the problem when it is always the same: then it is the target, not the objects.
        """
        self.reading.cannot_tell(about, okta_id, own_problem(problem))
        if not isinstance(problem, AccessDenied):
            self.unanswered += 1
            if self.unanswered >= GIVES_UP_AFTER:
                raise problem
        return Decision(still=True)

    def skip(self, *skips: Skipped) -> None:
        """These are left alone; they gather in the stage too."""
        self.stage.add_skipped(skips)

    def add(self, decision: Decision, okta_id: str) -> None:
        """Takes a user's decision over; where it says `still`, their memberships are held still too."""
        if self._spool(decision):
            self.stage.hold_still([okta_id])

    def add_group(self, decision: Decision, okta_id: str) -> None:
        """Takes a group's decision over; where it says `still`, its memberships are held still too."""
        if self._spool(decision):
            self.stage.hold_group_still(okta_id)

    def _spool(self, decision: Decision) -> bool:
        """Whether the memberships are left alone too: an update that waits for its next try stops no removal."""
        if decision.skipped:
            self.skip(*decision.skipped)
        still = decision.still
        for change in decision.changes:
            still |= not self.add_change(change) and change.kind in _BRINGS_INTO_BEING
        return still

    def waits(self, change: Change) -> Failure | None:
        """The failure of the very same wish, while its next try is not due."""
        failure = self.failures.get(change.object_key) if self.failures else None
        if failure and failure.change_id == change.id and failure.next_attempt > self.policy.now:
            return failure
        return None

    def add_change(self, change: Change) -> bool:
        """False when the very same wish failed lately and waits for its next try, or the last write is unsettled."""
        if self.unsettled and change.object_key in self.unsettled:
            reason = f"{change.kind} waits: nobody knows how the last write of it ended, and the target cannot be asked"
            self.skip(
                Skipped(
                    "unsettled", change.okta_id, change.name, reason, _about(change), group_id=change.group_id
                )
            )
            return False
        if failure := self.waits(change):
            reason = (
                f"{change.kind} failed {counted(failure.attempts, 'time')} ({failure.message}); "
                f"next try {failure.next_attempt:%Y-%m-%d %H:%M:%S} UTC"
            )
            self.quarantined.add(change.object_key)
            self.skip(Skipped("quarantined", change.okta_id, change.name, reason, _about(change)))
            return False
        self.stage.add_change(change)
        return True


def _about(change: Change) -> str:
    return "group" if change.kind in GROUP_KINDS else "user"


def group_in_okta(planning: Planning, group_id: str) -> str:
    """The group that a membership comes from, by the name that Okta has for it and by its id."""
    name = planning.okta_names.get(group_id)
    if name is None:
        known = planning.job.store.group(group_id)
        name = known.wanted.name if known else ""
    return f"{name} ({group_id})" if name else group_id


def group_name(planning: Planning, group_id: str) -> str:
    """What the group is called at the target, or will be; the cycle need not have looked at it."""
    if group_id in planning.group_names:
        return planning.group_names[group_id]
    known = planning.job.store.group(group_id)
    if known is None:
        return group_id
    return known.pushed.name if known.pushed else known.wanted.target_name
