"""When writing stops because too much of it fails: by causes, so that one bad thing stops only itself.

What fails for one cause (one kind of change, answered with one status) says something about that kind: a full licence,
an attribute that the target does not take. Memberships that fail for one cause weigh as many as there are groups or
people behind them, whichever are fewer: one bad member of forty groups is one bad member, and one group that takes
nobody is one group. What the server did not answer at all, or a gateway for it, says something about the server.

| of at least                                                | more than 40% fail                    | then stops     |
| ---------------------------------------------------------- | ------------------------------------- | -------------- |
| 20 writes                                                  | without an answer, or with a gateway's | everything    |
| 20 writes of one kind                                      | for whatever causes                   | that kind      |
| 20 writes, 10 of them of other kinds than the one that     | of these others, and of that kind     | everything     |
| fails most                                                 |                                       |                |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.core.change import MEMBERSHIPS, Change, ChangeKind

AFTER = 20
OTHERS_AFTER = 10
SHARE = 0.4
_GATEWAYS = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Cause:
    """`status` is the HTTP status of the last answer. `answered` is False when there was none."""

    kind: ChangeKind
    status: int | None
    answered: bool = True

    @property
    def is_the_servers(self) -> bool:
        """No answer, or a gateway's: it says nothing about the object."""
        return not self.answered or self.status in _GATEWAYS


@dataclass(frozen=True, slots=True)
class Tripped:
    """`everything` says why nothing more is to be written, "" when that is not so; `kinds` are not to be written."""

    everything: str = ""
    kinds: frozenset[ChangeKind] = frozenset()


@dataclass
class WriteTally:
    """What became of the writes of one run. Grows while writing."""

    applied: dict[ChangeKind, int] = field(default_factory=dict)
    _struck: dict[Cause, tuple[set[str], set[str]]] = field(default_factory=dict)

    def succeeded(self, change: Change) -> None:
        """Counts a write that the target did."""
        self.applied[change.kind] = self.applied.get(change.kind, 0) + 1

    def failed(self, change: Change, cause: Cause) -> None:
        """Counts whom the cause struck, people and groups each once."""
        people, groups = self._struck.setdefault(cause, (set(), set()))
        people.add(change.okta_id)
        groups.add(change.group_id or "")

    def forget(self, kind: ChangeKind) -> None:
        """What failed of this kind may succeed now."""
        self._struck = {cause: struck for cause, struck in self._struck.items() if cause.kind is not kind}

    @property
    def all_well(self) -> bool:
        """Nothing has failed yet."""
        return not self._struck

    def weights(self) -> Mapping[Cause, int]:
        """How much has failed for each cause."""
        return {
            cause: min(len(people), len(groups)) if cause.kind in MEMBERSHIPS else len(people)
            for cause, (people, groups) in self._struck.items()
        }


def judge(applied: Mapping[ChangeKind, int], failed: Mapping[Cause, int]) -> Tripped:
    """`applied`: successes by kind; `failed`: weights by cause (`WriteTally.weights`). See the table of this module."""
    good, bad = sum(applied.values()), sum(failed.values())
    if not bad or good + bad < AFTER:
        return Tripped()
    silent = sum(weight for cause, weight in failed.items() if cause.is_the_servers)
    if silent > SHARE * (good + bad):
        return Tripped(f"{silent} of {good + bad} writes failed without an answer; the rest was not tried")
    by_kind: dict[ChangeKind, int] = {}
    for cause, weight in failed.items():
        by_kind[cause.kind] = by_kind.get(cause.kind, 0) + weight

    def mostly(kind_failed: int, kind_applied: int) -> bool:
        return kind_failed > SHARE * (kind_failed + kind_applied)

    worst = max(by_kind, key=lambda kind: (by_kind[kind], kind))
    others_bad, others_good = bad - by_kind[worst], good - applied.get(worst, 0)
    if (
        others_bad + others_good >= OTHERS_AFTER
        and mostly(others_bad, others_good)
        and mostly(by_kind[worst], applied.get(worst, 0))
    ):
        return Tripped(f"{bad} of {good + bad} writes failed, of several kinds; the rest was not tried")
    return Tripped(
        kinds=frozenset(
            kind
            for kind, weight in by_kind.items()
            if weight + applied.get(kind, 0) >= AFTER and mostly(weight, applied.get(kind, 0))
        )
    )
