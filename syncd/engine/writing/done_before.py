"""A store that was restored does not know what was done after its copy was made. Until a full cycle came to its end and
left nothing to be done later, each change of something known is looked for at the target before it is sent: what is
there is not written again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from syncd.core.change import MEMBERSHIPS, Change, ChangeKind
from syncd.engine.facts import RESTORED
from syncd.engine.job import Job
from syncd.engine.writing.recover import AskedTarget, done
from syncd.engine.writing.unit import Outcome, Unit
from syncd.engine.writing.vanishing import Vanishing
from syncd.errors import SyncdError
from syncd.ports import Effect, Store

_LOOKED_FOR = MEMBERSHIPS | {
    ChangeKind.UPDATE_USER,
    ChangeKind.REACTIVATE_USER,
    ChangeKind.DEACTIVATE_USER,
    ChangeKind.RENAME_GROUP,
    ChangeKind.DELETE_GROUP,
}
"""What is matched while planning was looked at there."""
SEEN_DONE = "the target has it so already: done before the store was restored"


def nothing_earlier_is_left(store: Store) -> Mapping[str, str | None]:
    """To be remembered: all that was to be done was looked for."""
    return dict([RESTORED.entry(None)]) if RESTORED.of(store) is not None else {}


class EarlierOutcomes:
    """Of one run. Asks in the thread that owns the store: once for each change of a user, once for each group."""

    def __init__(self, job: Job, vanishing: Vanishing) -> None:
        self._is_restored = RESTORED.of(job.store) is not None
        self._asking = AskedTarget(job, vanishing)

    def apart(self, unit: Unit) -> tuple[Sequence[Unit], Sequence[tuple[int, Outcome]]]:
        """The unit that is still to be sent, if any, and the outcomes of the rest with their places in the journal."""
        if not self._is_restored or unit.change.kind not in _LOOKED_FOR:
            return (unit,), ()
        left: list[tuple[int, Change]] = []
        seen: list[tuple[int, Outcome]] = []
        for sequence, change in zip(unit.sequences, unit.changes, strict=True):
            effects = self._effects(change)
            if effects is None:
                left.append((sequence, change))
            else:
                seen.append((sequence, Outcome(change, effects, note=SEEN_DONE)))
        if not left:
            return (), seen
        sequences, changes = zip(*left, strict=True)
        return (replace(unit, changes=changes, sequences=sequences),), seen

    def _effects(self, change: Change) -> Sequence[Effect] | None:
        """None also where the target cannot be asked: then the change is sent, and hears the same."""
        try:
            return done(self._asking, change)
        except SyncdError:
            return None
