"""Measures a plan that is complete: counts from the stage's indexes, so that a plan of any size costs the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from syncd.core.change import ChangeKind
from syncd.core.plan import Hold
from syncd.core.plan_size import PlanSize, Size
from syncd.core.safety import REWRITES
from syncd.engine.planning.draft import Planning, group_name


def plan_size(planning: Planning, holds: Sequence[Hold]) -> PlanSize:
    """What the plan applies and what it holds, beside the number of active people that are managed."""
    managed = planning.job.store.population().active_users
    held = [_of(planning, hold.id) for hold in holds]
    return PlanSize(managed, _of(planning, None), _together(held))


def _of(planning: Planning, hold_id: str | None) -> Size:
    stage = planning.stage
    rewrites = {
        name: stage.counted(name, REWRITES, hold_id=hold_id)
        for name in ("updates", "identity_changes", "blanked")
    }
    members = stage.changes_by_group(ChangeKind.ADD_MEMBER, hold_id=hold_id) if planning.protected else {}
    protected = {
        group_name(planning, group_id): count
        for group_id, count in members.items()
        if group_id in planning.protected
    }
    counts = stage.change_counts(hold_id=hold_id)
    return Size({kind.value: count for kind, count in counts.items()}, **rewrites, protected=protected)


def _together(sizes: Sequence[Size]) -> Size:
    kinds: Counter[str] = Counter()
    protected: Counter[str] = Counter()
    for each in sizes:
        kinds.update(each.kinds)
        protected.update(each.protected or {})
    return Size(
        dict(kinds),
        updates=sum(each.updates for each in sizes),
        identity_changes=sum(each.identity_changes for each in sizes),
        blanked=sum(each.blanked for each in sizes),
        protected=dict(protected),
    )
