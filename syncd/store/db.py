"""What the store's modules ask of a database. Their SQL is one text: what SQLite takes, in a subset that
`postgres.dialect` can say in PostgreSQL's words (what that is stands there; a test has both explain every statement).

Whatever only one of them can say is a method here, or stays in the room of that database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from syncd.ports.trail import Altered

Given = Sequence[Any] | Mapping[str, Any]
"""Values for `?`, `?1` or `:name`: text, whole numbers, bytes, None. A list of ids for `json_each(?)` is JSON text."""


class Rows(Protocol):
    """An answer; rows are tuples."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchmany(self, size: int = ..., /) -> list[Any]: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Db(Protocol):
    """One session, of whoever holds it now. Raises the errors of its library, which `explained` of each room turns into
    `SyncdError`.
    """

    @property
    def total_changes(self) -> int:
        """Rows that this session has added, changed or removed since it began."""

    def execute(self, sql: str, given: Given = ..., /) -> Rows: ...

    def executemany(self, sql: str, rows: Iterable[Given], /) -> Rows: ...

    def stream(self, sql: str, given: Given = ..., /) -> Rows:
        """As `execute`, for an answer that may be too long for memory."""

    def one_moment(self) -> AbstractContextManager[None]:
        """Everything read in the block is of one moment, that of the outermost such block."""

    def snapshot(self) -> AbstractContextManager[None]:
        """As `one_moment`; and whatever somebody put there by hand can be read."""

    def version(self) -> object:
        """Another one than before when anybody else wrote meanwhile."""

    def altered(self) -> list[Altered]:
        """What of the database itself (pages, indexes, schema) is not as it was made."""
