"""Settings as they are in force, to be shown to somebody else: references instead of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from syncd.core.limits import Limit
from syncd.settings.daily import DailyTime
from syncd.settings.schema import ConnectionSettings, Table
from syncd.settings.secrets import SecretRef


def shown_settings(settings: ConnectionSettings) -> dict[str, Any]:
    """Every key with its value, defaults too. A secret is where it lies, never what it is."""
    shown = _shown(settings)
    return dict(shown) if isinstance(shown, Mapping) else {}


def _shown(value: object) -> object:
    if isinstance(value, Table):
        fields = type(value).model_fields
        return {field.alias or name: _shown(getattr(value, name)) for name, field in fields.items()}
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, SecretRef | Limit | DailyTime | Path | date):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _shown(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _shown(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
