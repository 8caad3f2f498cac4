"""Short texts for cells: times, values, why somebody has access. Somebody else's text is not made harmless here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.report.lines import shown, shown_of
from syncd.report.view import Row

_NAMED = 20


def why(row: Row) -> str:
    """What Okta said when access was given, and what it says now, when that differs."""
    parts = [str(row[key]) for key in ("reason", "assigned") if row.get(key)]
    if len(parts) == 2 and parts[1] in parts[0]:
        parts = parts[:1]
    return "; ".join(parts)


def given(row: Row) -> str:
    """By which run, and who approved it."""
    if row.get("run_id") is None:
        return "not known"
    kind = str(row.get("by") or "").replace("_", " ")
    approved = f", approved by {row['approved_by']}" if row.get("approved_by") else ""
    return f"{kind} in {row['run_id']}{approved}"


def named(changes: Sequence[Mapping[str, Any]], most: int = _NAMED) -> str:
    """The changes of a decision: "deactivate user: ada@example.com, ...; and 12 more"."""
    by_kind: dict[str, list[str]] = {}
    for change in changes[:most]:
        kind = str(change["kind"] or "change").replace("_", " ")
        by_kind.setdefault(kind, []).append(str(change["object"] or change["id"]))
    told = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in by_kind.items())
    return told + (f"; and {len(changes) - most:,} more" if len(changes) > most else "")


def drift_object(item: Mapping[str, Any]) -> str:
    found = item.get("object")
    if not isinstance(found, Mapping):
        return str(found or "")
    name = str(found.get("name") or found.get("okta_id") or found.get("scim_id") or "")
    return f"{name} in {found['group']}" if found.get("group") else name


def shown_at(value: object, key: str) -> str:
    """A value of a difference in the attribute `key`."""
    return shown_of(key, value) if key == "active" else shown_value(value)


def _part(key: str, value: object) -> str:
    """An account that is active says so in a word."""
    said = shown_of(key, value)
    return said if key == "active" else f"{key}: {said}"


def shown_value(value: object) -> str:
    """A value of a change or difference on one line."""
    if isinstance(value, Mapping):
        return ", ".join(_part(key, value[key]) for key in sorted(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value)
    return "" if value is None else shown(value)
