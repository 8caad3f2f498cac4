"""What a plan leaves alone, on disk until it is complete: with creating switched off it may be everybody."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import astuple

from syncd.core.canonical import canonical
from syncd.core.diff import Skipped
from syncd.core.left_alone import skipped_of
from syncd.store.rows import Row, searchable
from syncd.store.stage.session import StageSession

_BUFFER = 500


class SkippedSpool:
    """In the order in which plans show it: kind, name, Okta id, reason."""

    def __init__(self, file: StageSession) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._buffer: list[Row] = []

    def add(self, skips: Iterable[Skipped]) -> None:
        """Keeps them, in memory first; safe from several threads."""
        rows = [
            (*map(searchable, (skip.kind, skip.name, skip.okta_id, skip.reason)), canonical(astuple(skip)))
            for skip in skips
        ]
        with self._lock:
            self._buffer += rows
            full = len(self._buffer) >= _BUFFER
        if full:
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            rows, self._buffer = self._buffer, []
        if rows:
            with self._file.short() as conn:
                conn.executemany(
                    "INSERT INTO main.skipped (kind, name, okta_id, reason, document) VALUES (?, ?, ?, ?, ?)",
                    rows,
                )

    def all(self) -> Iterator[Skipped]:
        """By kind, name, id and reason, a page at a time: the stage may be written meanwhile."""
        self._flush()
        pages = self._file.pages(
            "SELECT rowid FROM main.skipped ORDER BY kind, name, okta_id, reason, rowid",
            (),
            "SELECT q.n, s.document FROM {queue} q JOIN main.skipped s ON s.rowid = q.a",
        )
        for page in pages:
            yield from (skipped_of(json.loads(document)) for _, document in page)

    def has(self, okta_id: str) -> bool:
        """Whether anything of this user or group is left alone."""
        self._flush()
        with self._file.asking() as conn:
            found = conn.execute("SELECT 1 FROM main.skipped WHERE okta_id = ?", (searchable(okta_id),))
            return found.fetchone() is not None
