"""The staging area of one cycle on SQLite: a private file beside a read-only view of the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from syncd.store.sqlite.stage_file import StageFile
from syncd.store.stage.questions import StageQuestions


class SqliteStage(StageQuestions):
    """Implements `ports.Stage`."""

    def __init__(self, path: Path, store_uri: str, store_path: Path, clock: Callable[[], datetime]) -> None:
        """`path` must exist, empty and private. Raises SyncdError."""
        super().__init__(StageFile(path, store_uri, store_path), clock)
        self.path = path
