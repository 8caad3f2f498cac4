"""Everything of one connection that waits for a person, whole, each with the command to copy. From the store alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncd.answers.left_out import left_out, left_out_documents
from syncd.core.change import Change
from syncd.core.drift_news import left_of, tally
from syncd.core.left_out import command
from syncd.core.plan import timestamp
from syncd.engine.facts import LAST_DRIFT
from syncd.ports import HoldRecord, Store
from syncd.settings.schema import ConnectionSettings


def lists(store: Store, settings: ConnectionSettings) -> dict[str, Any]:
    """`named`: the options that say the connection; `left_out` as in `syncd.skipped/1`; `held`: a row for each change
    that waits for a decision; `drift`: the items of the last comparison that are kept, when it was made, and how it is
    counted.
    """
    named = settings.named
    try:
        drift = LAST_DRIFT.of(store, {})
    except ValueError:  # somebody else wrote it
        drift = {}
    try:
        items, told = (left_of(drift), str(tally(drift))) if drift else ([], "")
    except (LookupError, TypeError, AttributeError):
        items, told = [], ""
    return {
        "connection": settings.name,
        "named": named,
        "left_out": left_out_documents(left_out(store), named),
        "held": [row for hold in store.holds() for row in _held(hold, named)],
        "compared_at": drift.get("created_at"),
        "drift_told": told,
        "drift": [_drift(item, named) for item in items],
    }


def _held(hold: HoldRecord, named: Sequence[str]) -> Iterator[dict[str, Any]]:
    for change in hold.changes:
        yield {
            "hold": hold.id,
            "kind": change.kind.value,
            "object": _named(change),
            "reason": change.reason,
            "check": hold.reason,
            "since": timestamp(hold.raised_at),
            "way_out": command(named, "approve", change.id),
            "other_way_out": command(named, "reject", change.id),
        }


def _named(change: Change) -> str:
    return f"{change.user} in {change.group}" if change.group_id is not None else change.name


def _drift(item: Mapping[str, Any], named: Sequence[str]) -> dict[str, Any]:
    about = item.get("object")
    found: Mapping[str, Any] = about if isinstance(about, Mapping) else {}
    name = str(found.get("name") or found.get("okta_id") or found.get("scim_id") or "")
    group = found.get("group")
    return {
        "kind": str(item.get("kind", "")),
        "object": f"{name} in {group}" if group else name,
        "reason": str(item.get("reason") or ""),
        "repair": str(item.get("repair") or ""),
        "way_out": _repair(found, named) if item.get("repair") else "",
    }


def _repair(found: Mapping[str, Any], named: Sequence[str]) -> str:
    """Of one object, where its Okta id is known."""
    okta_id = found.get("okta_id")
    if not okta_id:
        return command(named, "drift", "--fix")
    is_group = str(okta_id).startswith("00g")
    return command(named, "drift", "--fix", "--group" if is_group else "--user", str(okta_id))
