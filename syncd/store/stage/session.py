"""What a stage's questions are asked of: tables of its own beside a view of the store, on whatever database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from syncd.store.db import Db
from syncd.store.rows import Row


class StageSession(Protocol):
    """Short transactions, and answers by the page. Safe to share between threads."""

    def short(self) -> AbstractContextManager[Db]:
        """One short transaction. Raises SyncdError for what the database says."""

    def asking(self) -> AbstractContextManager[Db]:
        """For a single statement, which needs no transaction around it."""

    def asking_beside(self) -> AbstractContextManager[Db]:
        """For a single SELECT of one worker of many, which waits for no other. Shows what was committed."""

    def revision(self) -> int:
        """The store's, now."""

    def whole_read(self) -> int:
        """The store's revision when a complete cycle changed it last, 0 when none has."""

    def pages(
        self,
        select: str,
        given: Sequence[Any],
        handed_out: str,
        *,
        prepare: Callable[[Db], None] | None = None,
    ) -> Iterator[list[Row]]:
        """The rows of `select` (at most four columns a, b, c, d) as a queue, a page of it at a time.

        `handed_out` is a SELECT over the queue `{queue} q`; its first column must be q.n. The ids are fixed by
        the first page, their rows are read when their page is. `prepare` runs in the queue's transaction.
        """

    def index_spool(self, names: Iterable[str]) -> None:
        """Makes these indexes (`stage.tables`). Of a wish that was added twice the later one stays."""

    def close(self) -> None:
        """Nothing of it stays. May be called twice."""
