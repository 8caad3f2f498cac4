"""What support needs to know of one connection (syncd.doctor/1), and the search for secrets in it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from syncd.answers.status import status
from syncd.core.plan import timestamp
from syncd.errors import SyncdError
from syncd.ports import Store
from syncd.settings import ConnectionSettings
from syncd.settings.shown import shown_settings

SCHEMA = "syncd.doctor/1"
_RUNS, _ERRORS = 200, 10
_SHORTEST = 4
"""Of less than that nobody makes a secret, and every text holds it."""

Opened = Callable[[], AbstractContextManager[Store]]


def diagnosis(
    settings: ConnectionSettings,
    *,
    opened: Opened,
    checked: Callable[[], Mapping[str, Any]],
    versions: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """`checked` makes the check document, last of all. What the store does not tell is null, and its error says why."""
    document = empty_diagnosis(settings.name, versions, now) | {
        "settings": shown_settings(settings),
        "secrets": [
            {"setting": path, "searched": _read(ref.read) is not None} for path, ref in settings.secrets()
        ],
    }
    place = settings.store_path
    document["store"] = _file(place)
    try:
        with opened() as store:
            document["status"] = status(store, settings, now)
            document["errors"] = _errors(store)
            if place.exists():
                document["store"]["integrity"] = _integrity(store)
    except SyncdError as error:
        document["store"]["error"] = error.message
    document["check"] = checked()
    return document


def empty_diagnosis(connection: str, versions: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Of a connection whose settings cannot be used: nothing else is known."""
    return {
        "schema": SCHEMA,
        "connection": connection,
        "created_at": timestamp(now),
        "versions": dict(versions),
        "settings": None,
        "secrets": [],
        "store": None,
        "status": None,
        "errors": [],
        "check": None,
    }


def _file(place: Path) -> dict[str, Any]:
    try:
        size = place.stat().st_size
    except OSError:
        size = None
    return {"path": str(place), "bytes": size, "integrity": None, "error": None}


def _integrity(store: Store) -> dict[str, Any]:
    """Pages, chain and seals: all of it is read."""
    report = store.verify_journal()
    return {
        "intact": report.intact,
        "rows": report.rows,
        "head": str(report.head) if report.head else None,
        "broken_at": report.broken_at,
        "problem": report.problem or None,
        "altered": [{"table": each.table, "problem": each.problem} for each in report.altered],
    }


def _errors(store: Store) -> list[dict[str, Any]]:
    """The last runs that ended with one, youngest first."""
    failed = [run for run in store.runs(limit=_RUNS) if run.error]
    return [
        {
            "run_id": run.run_id,
            "kind": run.kind,
            "started": timestamp(run.started),
            "status": run.status,
            "message": run.error,
        }
        for run in failed[:_ERRORS]
    ]


# what is hidden, and the search

_ABSENT = "(a file that is not there)"
_LIKE_A_TOKEN = 16
"""Characters from which the name of a file that is not there is hidden alone, too; a shorter one is a common word."""


def absent_files(settings: ConnectionSettings) -> Sequence[str]:
    """What stands where the file of a secret is named, and names none: it may be the secret itself."""
    places = [
        Path(ref.place) for _, ref in settings.secrets() if ref.kind == "file" and _is_absent(ref.place)
    ]
    names = [place.name for place in places if len(place.name) >= _LIKE_A_TOKEN]
    return [*map(str, places), *names]


def _is_absent(place: str) -> bool:
    """Where one may not look, somebody made directories that others may not see: it is a path."""
    try:
        Path(place).lstat()
    except PermissionError:
        return False
    except (OSError, ValueError):
        return True
    return False


def hidden(value: Any, texts: Sequence[str]) -> Any:
    """The same without these texts, as JSON has it."""
    if isinstance(value, str):
        for each in texts:
            value = value.replace(each, _ABSENT)
        return value
    if isinstance(value, Mapping):
        return {key: hidden(each, texts) for key, each in value.items()}
    return [hidden(each, texts) for each in value] if isinstance(value, list | tuple) else value


def secrets_of(settings: ConnectionSettings) -> Mapping[str, str]:
    """Every secret that can be read now, by its setting."""
    found = {path: _read(ref.read) for path, ref in settings.secrets()}
    return {path: value for path, value in found.items() if value is not None}


def secrets_in(text: str, secrets: Mapping[str, str]) -> Sequence[str]:
    """The settings whose secret stands in `text`, as it is or as it travels (base64, percent-encoded, in lines of a
    key). Knows nothing of what was taken out before: it looks at the result.
    """
    return sorted(path for path, value in secrets.items() if any(form in text for form in _forms(value)))


def _forms(value: str) -> Sequence[str]:
    whole = [value, quote(value, safe=""), base64.b64encode(value.encode()).decode().rstrip("=")]
    lines = [line.strip() for line in value.splitlines()] if "\n" in value else []
    secret_lines = [line for line in lines if len(line) > 16 and not line.startswith("-----")]
    return [form for form in (*whole, *secret_lines) if len(form) >= _SHORTEST]


def _read(read: Callable[[], str]) -> str | None:
    try:
        return read()
    except SyncdError:
        return None
