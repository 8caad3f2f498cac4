"""A finished plan: its header in memory, its changes on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.closing import Closing
from syncd.core.change import Change
from syncd.core.plan import PlanHeader, plan_document
from syncd.engine.planning.draft import Planning
from syncd.errors import SyncdError
from syncd.ports import Stage


@dataclass
class Planned(Closing):
    """A plan with its changes on disk. Close it (or use it as a context manager) to remove them."""

    header: PlanHeader
    problems: Sequence[SyncdError]
    stage: Stage
    planning: Planning

    def changes(self) -> Iterator[Change]:
        """Those that will be written, in order; what is held is not among them."""
        return self.stage.changes()

    def held(self, hold_id: str) -> Iterator[Change]:
        """The changes of one hold."""
        return self.stage.changes(hold_id=hold_id)

    def document(self) -> dict[str, Any]:
        """The contract's plan document."""
        held = {hold.id: list(self.held(hold.id)) for hold in self.header.holds}
        return plan_document(self.header, self.changes(), held)

    @property
    def has_changes(self) -> bool:
        """Also when all of them are held."""
        return any(self.header.summary.values()) or bool(self.header.holds)

    @property
    def is_quiet(self) -> bool:
        """Nothing to do, nothing that went wrong, nothing new to tell a person."""
        reading = self.planning.reading
        return not (self.has_changes or self.problems or reading.refused or reading.contradictions)

    @property
    def exit_code(self) -> int:
        """1 with problems, 3 with a hold, else 0."""
        return 1 if self.problems else 3 if self.header.holds else 0

    def close(self) -> None:
        """Deletes the changes from disk."""
        self.stage.close()
