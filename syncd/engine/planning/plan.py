"""The whole way from what was read to a plan: decide, hold what is unsafe, put it in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from syncd.core.change import ChangeKind
from syncd.core.diff import Skipped
from syncd.core.left_alone import LeftAlone
from syncd.core.plan import PlanHeader
from syncd.engine.job import Job
from syncd.engine.planning.decide import make_plan
from syncd.engine.planning.draft import Planning
from syncd.engine.planning.hold import hold_unsafe_changes
from syncd.engine.planning.order import order_plan
from syncd.engine.planning.planned import Planned
from syncd.engine.planning.size import plan_size
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.staged import closing_on_error
from syncd.ports import Stage


def planned_from(
    job: Job,
    kind: str,
    stage: Stage,
    reading: Reading,
    allow: Mapping[str, int],
    unsettled: AbstractSet[str] = frozenset(),
) -> Planned:
    """The plan for what was read into the stage, which is closed when it cannot be made."""
    with closing_on_error(stage):
        return checked(make_plan(job, stage, reading, unsettled), kind, allow)


def checked(planning: Planning, kind: str, allow: Mapping[str, int]) -> Planned:
    """The plan of these decisions: what is unsafe held, the rest in order."""
    job, stage, reading = planning.job, planning.stage, planning.reading
    holds = hold_unsafe_changes(planning, allow)
    _let_go(planning)
    order_plan(planning)
    planning.skip(*_unread(job, reading))
    header = PlanHeader(
        connection=job.settings.name,
        kind=kind,
        created_at=planning.policy.now,
        state_revision=job.store.revision(),
        scope=job.scope,
        target=job.target_fingerprint,
        summary=stage.change_counts(),
        holds=holds,
        skipped=LeftAlone(stage.skipped()),
        allow=dict(sorted(allow.items())),
        size=plan_size(planning, holds),
    )
    return Planned(header, tuple(reading.problems), stage, planning)


def _let_go(planning: Planning) -> None:
    """Whoever is taken out counts as asked by id, also on the word of two lists: no list alone that shows them again
    within its lag lets them in. Not so while that is held: they are where they were.
    """
    going = [okta_id for _, okta_id in planning.stage.change_keys(ChangeKind.DEACTIVATE_USER)]
    if gone := [okta_id for okta_id in going if okta_id in planning.left]:
        planning.stage.put_absent(gone)


def _unread(job: Job, reading: Reading) -> Iterator[Skipped]:
    """What could not be read while the rest could, by the names that the store has for it."""
    for (about, okta_id), error in reading.unread.items():
        user, group = (
            (None, job.store.group(okta_id)) if about == "group" else (job.store.user(okta_id), None)
        )
        name = user.wanted.user_name if user else group.wanted.name if group else okta_id
        said = (okta_id, name, error.message, about)
        is_refused = (about, okta_id) in reading.refused
        yield Skipped("refused", *said) if is_refused else Skipped("unread", *said)
