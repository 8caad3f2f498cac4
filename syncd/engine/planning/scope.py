"""What a change of the scope settings would remove: held until a person decided, and nothing else is.

Until a full cycle has seen everything under the new settings each removal is held. What that cycle held, or could not
look at, is undecided from then on; who leaves later is an ordinary leaver.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from syncd.core.change import REMOVALS, Change, ChangeKind
from syncd.core.waiting import LEFT_BY_SETTING, REMEMBERED
from syncd.engine.facts import SCOPE, DecidedScope
from syncd.engine.job import Job, scope_as_decided, scope_changed
from syncd.engine.planning.planned import Planned
from syncd.engine.planning.rewriting import undecided_rewriting
from syncd.ports import Stage

UNDECIDED_AT_MOST = 10_000
"""With more of them everything stays held, as before the first full cycle."""
_HIDES = REMEMBERED.keys() - LEFT_BY_SETTING - {"refused_name"}
"""Kinds of what is left alone behind which a removal may stand."""
_REMOVES = (ChangeKind.DEACTIVATE_USER, ChangeKind.REMOVE_MEMBER, ChangeKind.DELETE_GROUP)


def undecided(job: Job) -> AbstractSet[str]:
    """Of whom a removal waits for a decision since the scope settings changed: "user:ID", "group:ID"."""
    known = SCOPE.of(job.store)
    return known.undecided if known is not None else frozenset()


def undecided_removals(job: Job, stage: Stage) -> Iterator[str]:
    """Ids of planned changes; some more than once."""
    everything, waiting = scope_changed(job), undecided(job)
    if not everything and not waiting:
        return
    for kind in _REMOVES:
        about = "group" if kind is ChangeKind.DELETE_GROUP else "user"
        for change_id, okta_id in stage.change_keys(kind):
            if everything or f"{about}:{okta_id}" in waiting:
                yield change_id
    for key in waiting:
        about, _, okta_id = key.partition(":")
        if about == "group":
            keys = stage.change_keys(ChangeKind.REMOVE_MEMBER, group_id=okta_id)
            yield from (change_id for change_id, _ in keys)


def decided_scope(planned: Planned) -> DecidedScope | None:
    """What is to be remembered after a full cycle that read everything; None: as before."""
    planning = planned.planning
    job = planning.job
    known = SCOPE.of(job.store)
    everything = scope_changed(job)
    removals = known.undecided if known else frozenset[str]()
    rewritings = known.rewritten if known else frozenset[str]()
    if not everything and not removals and not rewritings:
        return scope_as_decided(job)
    removed = frozenset(_found(planned))
    rewritten = undecided_rewriting(planning, _all_held(planned))
    if not everything:
        removed, rewritten = removed & removals, rewritten & rewritings
    few = len(removed) + len(rewritten) <= UNDECIDED_AT_MOST
    return scope_as_decided(job, removed, rewritten) if few else None


def _all_held(planned: Planned) -> Iterator[Change]:
    for hold in planned.header.holds:
        yield from planned.held(hold.id)


def _found(planned: Planned) -> Iterator[str]:
    for change in _all_held(planned):
        if change.kind in REMOVALS:
            about = "group" if change.kind in (ChangeKind.DELETE_GROUP, ChangeKind.UNLINK_GROUP) else "user"
            yield f"{about}:{change.okta_id}"
    for skip in planned.stage.skipped():
        if skip.kind in _HIDES and skip.okta_id:
            yield f"{skip.about}:{skip.okta_id}"
