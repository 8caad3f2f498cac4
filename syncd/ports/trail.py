"""The audit trail as values: its rows, and what a walk along its hash chain found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

GENESIS = "0" * 64
"""What the first row of a chain names as the hash of the row before it."""


@dataclass(frozen=True, slots=True)
class Head:
    """A row by its sequence number and hash; (0, GENESIS) is the head of an empty trail."""

    sequence: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> Head:
        """Reads SEQUENCE:HASH, the hash as 64 hexadecimal digits. Raises ValueError."""
        sequence, _, digest = text.partition(":")
        digest = digest.lower()
        if not (sequence.isascii() and sequence.isdigit() and len(sequence) < 19):
            raise ValueError(f"{sequence!r:.40} is no sequence number")
        if len(digest) != len(GENESIS) or set(digest) - set("0123456789abcdef"):
            raise ValueError("the hash is not 64 hexadecimal digits")
        return cls(int(sequence), digest)

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One row. `entry` is "intent", "outcome" or "note"; `refers` is the intent that an outcome settles."""

    sequence: int
    at: datetime
    run_id: str | None
    entry: str
    refers: int | None
    kind: str | None
    okta_id: str | None
    group_id: str | None
    applied: bool | None
    body: Any
    previous: str
    hash: str
    asked: Any = None
    """Of an outcome: the body of the intent it settles, None when there is no such row."""


@dataclass(frozen=True, slots=True)
class Altered:
    """A table (or "trigger NAME") that is not what the trail says, and how that shows."""

    table: str
    problem: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a walk along the chain found. `broken_at` is the first row that does not fit, None when all do.

    `rows` is how many rows in order did fit. `head` is the last row as the store remembers it, None when that
    is unreadable. `pruned` counts the rows that a checkpoint stands for, none of them younger than
    `pruned_until`. `noted_pruned`: the head noted earlier lies so far below the checkpoint that nothing can be
    compared with it any more. `altered`: tables and triggers; tables are compared only with a trail that is whole.
    """

    rows: int
    broken_at: int | None
    problem: str
    head: Head | None = None
    pruned: int = 0
    pruned_until: datetime | None = None
    noted_pruned: bool = False
    altered: Sequence[Altered] = ()

    @property
    def intact(self) -> bool:
        """Neither a row nor a table was altered."""
        return self.broken_at is None and not self.altered
