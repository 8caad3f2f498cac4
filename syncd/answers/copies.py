"""What is answered about copies of a store: syncd.backup/1, syncd.restore/1 and syncd.store-copy/1."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncd.core.plan import timestamp
from syncd.engine.facts import Belonging
from syncd.ports.trail import ChainReport, Head
from syncd.settings import ConnectionSettings

if TYPE_CHECKING:
    from syncd.store.sqlite.copies import Restored


def backup_document(
    settings: ConnectionSettings, file: Path, report: ChainReport, *, size: int, at: datetime
) -> dict[str, Any]:
    """`size` of the file in bytes; `report` is the check of the file, not of the store."""
    return {
        "schema": "syncd.backup/1",
        **_about(settings, report),
        "file": str(file),
        "bytes": size,
        "created_at": timestamp(at),
    }


def restore_document(settings: ConnectionSettings, file: Path, done: Restored) -> dict[str, Any]:
    """`paused` is the pause that it put in force; `ended` counts what of the backup does not count any more."""
    ended = done.ended
    return {
        "schema": "syncd.restore/1",
        **_about(settings, done.report),
        "file": str(file),
        "store": str(settings.store_path),
        "kept": None if done.kept is None else str(done.kept),
        "paused": ended.pause.document(),
        "ended": {
            "requests": ended.requests,
            "approvals": ended.approvals,
            "expectations": ended.expectations,
        },
    }


def store_copy_document(
    settings: ConnectionSettings,
    source: str,
    target: str,
    *,
    head: Head,
    rows: int,
    tables: Mapping[str, int],
    kept: Path | None,
) -> dict[str, Any]:
    """`source` and `target` in words; `rows` counts those of the trail, `tables` all that arrived; `kept` is where the
    store lies that was left behind at `target` before.
    """
    return {
        "schema": "syncd.store-copy/1",
        **_belonging(settings),
        "from": source,
        "to": target,
        "rows": rows,
        "head": str(head) if head.sequence else None,
        "tables": dict(tables),
        "kept": None if kept is None else str(kept),
    }


def _about(settings: ConnectionSettings, report: ChainReport) -> Mapping[str, Any]:
    return {
        **_belonging(settings),
        "rows": report.rows,
        "head": str(report.head) if report.head else None,
    }


def _belonging(settings: ConnectionSettings) -> Mapping[str, Any]:
    mine = Belonging.of(settings)
    return {
        "connection": settings.name,
        "org_url": mine.org_url,
        "app_id": mine.app_id,
        "base_url": mine.base_url,
    }
