"""What a change of the settings would rewrite: updates, and members of groups, that the old settings would not have
made. More of them than `max_updates` allows wait for a decision, however slowly they come.

Until a full cycle has seen everything under the new settings it is told by what the settings said before: an update of
an attribute that was mapped otherwise, an adoption where people were matched otherwise, a member of a group that is
begun by a rule that there was not. What that cycle held is undecided from then on, whoever it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from syncd.core.change import Change, ChangeKind
from syncd.core.safety import REWRITES, RULES, Numbers, Violation, mapped_paths, over
from syncd.engine.facts import SCOPE, SCOPE_SEEN, DecidedScope, ScopeSeen
from syncd.engine.job import Job, matched_otherwise, scope_changed
from syncd.engine.planning.draft import Planning
from syncd.ports import WaitingElsewhere

CHECK = "scope_change"
_LIMIT = RULES["updates"]
_WAY_OUT = (
    "if this is what the new settings are meant to do, approve the hold, or allow more once with --allow updates={}; "
    "else mend the settings"
)


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What tells such a change. `paths` None: nobody knows how the attributes were mapped before."""

    paths: AbstractSet[str] | None
    groups: AbstractSet[str]
    people: AbstractSet[str]
    """Okta ids of groups and people; of these, whatever changes them."""
    adoptions: bool = False
    """People are matched otherwise: an account that is adopted may be another than it would have been."""

    def made(self, change: Change) -> bool:
        if change.kind is ChangeKind.ADD_MEMBER:
            return change.group_id in self.groups
        if change.kind not in REWRITES:
            return False
        touched = mapped_paths(change.before, change.after)
        if touched and self.adoptions and change.kind is ChangeKind.ADOPT_USER:
            return True
        return bool(touched) and (
            self.paths is None or bool(touched & self.paths) or change.okta_id in self.people
        )

    @property
    def is_nothing(self) -> bool:
        """The settings mean for everybody what they meant before."""
        return self.paths == frozenset() and not (self.groups or self.people or self.adoptions)


def rewriting(planning: Planning) -> Rewriting:
    """As this plan has to tell it."""
    job = planning.job
    known = SCOPE.of(job.store)
    if known is None:
        return Rewriting(frozenset(), frozenset(), frozenset())
    if not scope_changed(job):
        about = {kind: _about(known.rewritten, kind) for kind in ("group", "user")}
        return Rewriting(frozenset(), about["group"], about["user"])
    return Rewriting(
        _paths_mapped_otherwise(job, known),
        _groups_of_new_rules(planning, known),
        frozenset(),
        adoptions=known.matching != matched_otherwise(job.settings),
    )


def _about(keys: AbstractSet[str], kind: str) -> frozenset[str]:
    return frozenset(key.partition(":")[2] for key in keys if key.startswith(f"{kind}:"))


def _paths_mapped_otherwise(job: Job, known: DecidedScope) -> frozenset[str] | None:
    if known.attributes is None:
        return None
    before, now = dict(known.attributes), job.settings.mapped_as
    return frozenset(path for path in {*before, *now} if before.get(path) != now.get(path))


def _groups_of_new_rules(planning: Planning, known: DecidedScope) -> frozenset[str]:
    """Those that this plan begins, or that are still being filled, by a rule that there was not."""
    stage = planning.stage
    kinds = (ChangeKind.CREATE_GROUP, ChangeKind.LINK_GROUP)
    begun = {okta_id for kind in kinds for _, okta_id in stage.change_keys(kind)} | planning.making.groups
    if not begun or known.rules is None:
        return frozenset()
    rules = {
        case.okta_id: case.wanted.rule
        for case in stage.group_cases()
        if case.okta_id in begun and case.wanted is not None and case.asked is None
    }
    return frozenset(okta_id for okta_id, rule in rules.items() if rule not in known.rules)


def rewritten(planning: Planning) -> list[Change]:
    """What is to be applied of it."""
    found = rewriting(planning)
    if found.is_nothing:
        return []
    kinds = [*REWRITES, *([ChangeKind.ADD_MEMBER] if found.groups else [])]
    return [change for change in planning.stage.changes(kinds=kinds) if found.made(change)]


def too_much_is_rewritten(
    planning: Planning, allow: Mapping[str, int], waiting: Sequence[WaitingElsewhere], people: int
) -> tuple[Violation, frozenset[str]] | None:
    """With the ids of what it stops. `people`: how many active ones are managed."""
    changes = rewritten(planning)
    if not changes:
        return None
    groups = {change.group_id for change in changes if change.kind is ChangeKind.ADD_MEMBER}
    numbers = Numbers(
        planned=len(changes) + sum(each.count for each in waiting if _waits_with_them(each, groups)),
        lately=_applied_under_the_new(planning),
        there=people,
    )
    limit, raised = planning.job.limits[_LIMIT.name], allow.get(_LIMIT.name)
    found = over(_LIMIT, limit, numbers, raised=raised)
    if found is None:
        return None
    total = numbers.planned + numbers.lately
    violation = Violation(
        CHECK,
        "the settings changed, and would change people or fill groups that the old ones would not have: "
        f"{found.reason}",
        _WAY_OUT.format(total),
        found.stops,
        numbers=found.numbers,
    )
    return violation, frozenset(change.id for change in changes)


def _waits_with_them(each: WaitingElsewhere, groups: AbstractSet[str | None]) -> bool:
    return "updates" in each.limits or ("member_additions" in each.limits and each.group_id in groups)


def _applied_under_the_new(planning: Planning) -> int:
    """Since the new settings were first seen; of anybody's update, so that nothing is missed."""
    job = planning.job
    seen = SCOPE_SEEN.of(job.store)
    if not scope_changed(job) or seen is None or seen.fingerprint != job.scope:
        return 0
    return job.store.applied_since(seen.at).of(_LIMIT.name)


def seen_now(planning: Planning) -> Mapping[str, str | None]:
    """To be remembered before the first write under new settings."""
    job = planning.job
    seen = SCOPE_SEEN.of(job.store)
    if not scope_changed(job) or (seen is not None and seen.fingerprint == job.scope):
        return {}
    return dict([SCOPE_SEEN.entry(ScopeSeen(job.scope, planning.policy.now))])


def undecided_rewriting(planning: Planning, held: Iterator[Change]) -> frozenset[str]:
    """Of what of it is held in this plan, as "user:ID" and "group:ID"."""
    found = rewriting(planning)
    return frozenset(
        f"group:{change.group_id}" if change.group_id is not None else f"user:{change.okta_id}"
        for change in held
        if found.made(change)
    )
