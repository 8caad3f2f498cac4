"""How far a plan's order has come while it is written: who may go, whose detour failed, who has to go back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from syncd.core.change import GROUP_KINDS, PHASE, Change, ChangeKind
from syncd.core.diff import Skipped
from syncd.core.order import Order, detour, group_name_freed, user_name_freed, way_back
from syncd.errors import RefusedError, SyncdError
from syncd.ports import Stage

NOT_LEFT = "the name that it takes was not left; it is still wanted"
_PHASES_THAT_NAME = (0, 1)


def name_not_left(change: Change) -> Skipped:
    """For a change whose predecessor was not applied."""
    if change.kind in GROUP_KINDS:
        about, key = "group", group_name_freed(str(change.after.get("displayName")))
    else:
        about, key = "user", user_name_freed(str(change.after.get("userName")))
    return Skipped("name_not_left", change.okta_id, change.name, NOT_LEFT, about, (key,))


class InOrder:
    """Remembers only what others wait for. Used by one thread, but for `refused`, which workers read."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._awaited = frozenset(each for before in order.waits.values() for each in before)
        self._of_rings = frozenset(each for ring in order.rings for each in ring)
        self._left: set[str] = set()
        """Changes that left the name their object had: applied, or under way by their detour."""
        self._applied: list[str] = []
        """Those of rings, as they were applied."""
        self._detours: dict[str, str] = {}
        self._ways_back: dict[str, bool] = {}
        """Extra steps by their id: for whom the detour was made; whether the way back was gone."""
        self._walked_back: set[str] = set()
        self.refused: dict[str, SyncdError] = {}
        """Changes that fail unsent: with the reason for which the target refused their detour, or as taken twice."""

    def refuse_twice_adopted(self, stage: Stage) -> None:
        """No plan gives one account to two people, and where one does, nobody's adoption of it is sent."""
        if not stage.change_counts().get(ChangeKind.ADOPT_USER):
            return
        for change_id in stage.adopted_twice():
            self.refused[change_id] = RefusedError(
                "another change of the same plan is about this account: it was not sent",
                hint="syncd plan names the two; say whose it is with syncd link --user",
            )

    @property
    def turns(self) -> int:
        """How many rounds of all kinds it takes; 1 where no name changes hands."""
        return 1 + max((turn for turn, _ in self._order.places.values()), default=0)

    def steps(self, turn: int, kinds: Sequence[ChangeKind]) -> int:
        """How many steps these kinds take in this turn."""
        if PHASE[kinds[0]] not in _PHASES_THAT_NAME:
            return 1
        return 1 + max((step for at, step in self._order.places.values() if at == turn), default=0)

    def detours(self, changes: Iterable[Change]) -> Iterator[Change]:
        """The first steps of the changes that have a `via`."""
        for change in changes:
            step = detour(change)
            self._detours[step.id] = change.id
            yield step

    def whose(self, change_id: str) -> str:
        """The id of the planned change whose detour this is; of any other change its own."""
        return self._detours.get(change_id, change_id)

    def may_go(self, change: Change) -> bool:
        """Whether everything that it waits for was applied. Whose detour was refused goes, and fails."""
        if change.id in self.refused:
            return True
        if change.id in self._order.detours and change.id not in self._left:
            return False
        awaited = self._order.waits.get(change.id)
        return awaited is None or all(each in self._left for each in awaited)

    def ended(self, change: Change, error: SyncdError | None, *, deferred: bool) -> bool:
        """Takes note of an outcome; False for a step that is no change of the plan."""
        if change.id in self._detours:
            whose = self._detours[change.id]
            if error is None:
                self._left.add(whose)
            elif not deferred:
                self.refused[whose] = error
            return False
        if change.id in self._ways_back:
            self._ways_back[change.id] = error is None
            return False
        if error is None:
            if change.id in self._awaited:
                self._left.add(change.id)
            if change.id in self._of_rings:
                self._applied.append(change.id)
        return True

    def ways_back(self, stage: Stage, kinds: Sequence[ChangeKind]) -> Iterator[tuple[Change, Change | None]]:
        """What gives back the names of a ring that did not close, the last one first: nobody stays under a temporary
        name. Each with the change that it undoes, None for a detour. To be applied one after the other.
        """
        applied = set(self._applied)
        for ring in self._order.rings:
            if ring[0] not in self._left or ring[0] in applied or ring[0] in self._walked_back:
                continue
            first = stage.change(ring[0])
            if first.kind not in kinds:
                continue
            self._walked_back.add(ring[0])
            members = frozenset(ring)
            undone = [stage.change(each) for each in reversed(self._applied) if each in members]
            steps = [*((way_back(each), each) for each in undone), (way_back(detour(first)), None)]
            for step, whose in steps:
                self._ways_back[step.id] = False
                yield step, whose
                if not self._ways_back[step.id]:
                    break
