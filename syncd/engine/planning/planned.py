"""A finished plan: its header in memory, its changes on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from syncd.core.change import Change
from syncd.core.plan import PlanHeader, plan_document
from syncd.engine.planning.draft import Planning
from syncd.errors import SyncdError
from syncd.ports import Stage


@dataclass
class Planned:
    """A plan with its changes on disk. Close it (or use it as a context manager) to remove them."""

    header: PlanHeader
    problems: Sequence[SyncdError]
    stage: Stage
    planning: Planning

    def changes(self) -> Iterator[Change]:
        return self.stage.changes()

    def held(self, hold_id: str) -> Iterator[Change]:
        return self.stage.changes(hold_id=hold_id)

    def document(self) -> dict[str, Any]:
        """The contract's plan document."""
        held = {hold.id: list(self.held(hold.id)) for hold in self.header.holds}
        return plan_document(self.header, self.changes(), held)

    @property
    def has_changes(self) -> bool:
        return any(self.header.summary.values()) or bool(self.header.holds)

    @property
    def is_quiet(self) -> bool:
        """Nothing to do, nothing that went wrong, nothing new to tell a person."""
        reading = self.planning.reading
        return not (self.has_changes or self.problems or reading.refused or reading.contradictions)

    @property
    def exit_code(self) -> int:
        return 1 if self.problems else 3 if self.header.holds else 0

    def close(self) -> None:
        self.stage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
