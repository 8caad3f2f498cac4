"""What is answered about copies of a store: syncd.backup/1 and syncd.restore/1."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from syncd.core.plan import timestamp
from syncd.engine.facts import Belonging
from syncd.ports.trail import ChainReport
from syncd.settings import ConnectionSettings


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


def restore_document(
    settings: ConnectionSettings, file: Path, report: ChainReport, *, kept: Path | None
) -> dict[str, Any]:
    """`kept`: where the store lies that was there before."""
    return {
        "schema": "syncd.restore/1",
        **_about(settings, report),
        "file": str(file),
        "store": str(settings.store_path),
        "kept": None if kept is None else str(kept),
    }


def _about(settings: ConnectionSettings, report: ChainReport) -> Mapping[str, Any]:
    mine = Belonging.of(settings)
    return {
        "connection": settings.name,
        "org_url": mine.org_url,
        "app_id": mine.app_id,
        "base_url": mine.base_url,
        "rows": report.rows,
        "head": str(report.head) if report.head else None,
    }
