"""What becomes of holds and of decisions once a cycle has its plan."""

from __future__ import annotations

from dataclasses import replace

from syncd.core.counting import counted
from syncd.core.plan import Hold, hold_id
from syncd.engine.planning.hold import CANARY
from syncd.engine.planning.planned import Planned
from syncd.engine.reading.learned import NamedReading
from syncd.engine.writing.canary import Canary
from syncd.ports import Stage, Store


def remember_holds(store: Store, planned: Planned) -> None:
    """Raises the plan's holds, and ends decisions about wishes that a complete cycle no longer has. What it left alone
    (an earlier try failed and waits, nobody could confirm it) is wanted as before.
    """
    whole = planned.header.kind == "full" and planned.planning.reading.is_whole
    if whole:
        gone = [
            change_id
            for change_id, key in store.decided().objects.items()
            if _is_over(planned.stage, change_id, key.rpartition(":")[2])
        ]
        if gone:
            store.forget_decisions(gone)
    holds = planned.header.holds
    fresh = store.raise_holds([(hold, planned.held(hold.id)) for hold in holds], whole=whole)
    for hold in holds:
        if hold.id in fresh:
            numbers = ", ".join(f"{name} {number}" for name, number in hold.numbers.items())
            said = {"hold": hold.id, "check": hold.check, "changes": hold.changes, "numbers": numbers}
            planned.planning.job.observer.event("info", "held", **said, reason=hold.reason)


def forget_what_is_over(store: Store, planned: Planned) -> None:
    """Ends decisions about objects that a cycle of some objects has looked at, and that do not need the change any
    more: an approval is for what was seen then, not for whoever leaves again later.
    """
    reading = planned.planning.reading
    if planned.problems or not isinstance(reading, NamedReading):
        return
    gone = []
    for change_id, key in store.decided().objects.items():
        kind, okta_id = "group" if key.startswith("group:") else "user", key.rpartition(":")[2]
        if (kind, okta_id) in reading.looked_at and _is_over(planned.stage, change_id, okta_id):
            gone.append(change_id)
    if gone:
        store.forget_decisions(gone)


def _is_over(stage: Stage, change_id: str, okta_id: str) -> bool:
    return not (stage.has_change(change_id) or stage.is_left_alone(okta_id))


def hold_after_canary(planned: Planned, canary: Canary) -> bool:
    """Moves what the first writes of a kind advised against into holds of the plan; False when there is nothing."""
    for kind, ids in canary.held.items():
        identity = hold_id(f"{CANARY}:{kind}", ids)
        planned.stage.hold_changes(ids, identity)
        reason = f"{counted(len(ids), 'write')} ({kind}) not tried: {canary.seen[kind]}"
        way_out = (
            "look at that object at the target; then mend the settings, or approve the hold to go on as it is"
        )
        numbers = {"tried": canary.tried(kind), "held": len(ids)}
        hold = Hold(identity, CANARY, reason, way_out, numbers, len(ids))
        planned.header = replace(planned.header, holds=[*planned.header.holds, hold])
    return bool(canary.held)
