"""Ends the writing, or that of one kind, when too much of it fails; and gives refused creations one more try."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from syncd.core.breaker import Cause, WriteTally, judge
from syncd.core.change import Change, ChangeKind
from syncd.errors import ConnectionSick, PermanentError, SyncdError, TemporaryError

CREATIONS_KEPT = 200
"""So many creations that were refused or not tried any more are kept for a second try in the same run."""


NAMED = 3
"""So many objects that failed for one cause are named in its line."""


def cause_of(change: Change, error: SyncdError) -> Cause:
    """Kind and status; no answer at all is a cause of its own."""
    silent = isinstance(error, TemporaryError) and error.status is None
    return Cause(change.kind, error.status, answered=not silent)


def told(failures: Iterable[tuple[Change, SyncdError]]) -> Iterator[Mapping[str, str | int | None]]:
    """What to say of each cause: how many, the first of them, and what the first was answered."""
    by_cause: dict[Cause, list[tuple[Change, SyncdError]]] = {}
    for change, error in failures:
        by_cause.setdefault(cause_of(change, error), []).append((change, error))
    for cause, struck in by_cause.items():
        names = list(dict.fromkeys(change.name for change, _ in struck))
        groups = {change.group for change, _ in struck}
        more = f" and {len(names) - NAMED} more" if names[NAMED:] else ""
        yield {
            "kind": cause.kind.value,
            "object": ", ".join(names[:NAMED]) + more,
            "group": groups.pop() if len(groups) == 1 else None,
            "count": len(struck) if struck[1:] else None,
            "error": struck[0][1].message,
        }


@dataclass
class Breaker:
    """What was seen in one run. Only for the thread that owns the store; `stopped` is read by workers."""

    tally: WriteTally = field(default_factory=WriteTally)
    stopped: dict[ChangeKind, str] = field(default_factory=dict)
    """Kinds that are not written any more, and why."""
    departed: int = 0
    not_created: list[Change] = field(default_factory=list)

    def note(self, change: Change, error: SyncdError | None) -> None:
        """An outcome that is the object's own."""
        if error is None:
            self.tally.succeeded(change)
            self.departed += int(change.kind is ChangeKind.DEACTIVATE_USER)
            return
        self.tally.failed(change, cause_of(change, error))
        if isinstance(error, PermanentError):
            self.keep(change)

    def keep(self, change: Change) -> None:
        """Creations that were refused and are tried again in freed seats; up to `CREATIONS_KEPT`."""
        if change.kind is ChangeKind.CREATE_USER and len(self.not_created) < CREATIONS_KEPT:
            self.not_created.append(change)

    def judge(self) -> tuple[ConnectionSick | None, list[ChangeKind]]:
        """Why nothing more is to be written, if so; and the kinds that stop now."""
        if self.tally.all_well:
            return None, []
        weights = self.tally.weights()
        verdict = judge(self.tally.applied, weights)
        if verdict.everything:
            hint = "see the errors above; the target or its settings need attention first"
            return ConnectionSick(verdict.everything, side="split", hint=hint), []
        fresh = [kind for kind in sorted(verdict.kinds) if kind not in self.stopped]
        for kind in fresh:
            failed = sum(weights[cause] for cause in weights if cause.kind is kind)
            tried = failed + self.tally.applied.get(kind, 0)
            self.stopped[kind] = f"{failed} of {tried} writes failed ({kind}); the rest of them was not tried"
        return None, fresh

    def seats(self) -> list[Change]:
        """Creations worth one more try: as many as people have left meanwhile, for want of whose seats the target may
        have refused them (with 403, 409, or whatever: servers have no word for it).
        """
        chosen, self.not_created = self.not_created[: self.departed], []
        if chosen:
            self.stopped.pop(ChangeKind.CREATE_USER, None)
            self.tally.forget(ChangeKind.CREATE_USER)
        return chosen

    def failure(self) -> PermanentError | None:
        """What to say of a run in which a kind was stopped and not one write succeeded."""
        if not self.stopped or any(self.tally.applied.values()):
            return None
        hint = "see the errors above; the target or its settings need attention first"
        return PermanentError("; ".join(self.stopped.values()), hint=hint)
