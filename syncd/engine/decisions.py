"""What people decide: approve or reject held changes, retry what failed. Works on the store alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncd.core.change import Change, change_document
from syncd.core.plan import timestamp
from syncd.errors import UsageError
from syncd.ports import HoldRecord, Store


def held(store: Store, connection: str) -> dict[str, Any]:
    """The contract's held document: open holds, oldest first, with the changes that wait for a decision."""
    return {
        "schema": "syncd.held/1",
        "connection": connection,
        "holds": [_hold(record) for record in store.holds()],
    }


def _hold(record: HoldRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "check": record.check,
        "reason": record.reason,
        "way_out": record.way_out,
        "numbers": dict(record.numbers),
        "raised_at": timestamp(record.raised_at),
        "expires_at": timestamp(record.expires_at),
        "changes": [change_document(change) for change in record.changes],
    }


def decide(
    store: Store, connection: str, ids: Sequence[str], decision: str, by: str
) -> tuple[dict[str, Any], Sequence[Change]]:
    """`decision` is "approve" or "reject"; empty `ids` means every open hold. Raises UsageError for unknown ids."""
    asked = list(ids) or [record.id for record in store.holds()]
    changes = store.decide(asked, decision, by) if asked else ()
    items = [change_document(change) for change in changes]
    return _decision(connection, decision, by, items), changes


def retry(store: Store, connection: str, wanted: str | None, by: str) -> dict[str, Any]:
    """Makes quarantined objects due at once: one, by its object, Okta id or name, or all. Raises UsageError."""
    failures = [
        failure
        for failure in store.failures()
        if wanted in (None, failure.object_key, failure.change_id, failure.name)
        or failure.object_key.endswith(f":{wanted}")
    ]
    if wanted is not None and not failures:
        raise UsageError(f"nothing that failed is called {wanted}", hint="`syncd status` lists what failed")
    for failure in failures:
        store.retry_now(failure.object_key)
    items = [
        {"object": failure.object_key, "name": failure.name, "kind": failure.kind.value}
        for failure in failures
    ]
    return _decision(connection, "retry", by, items)


def _decision(connection: str, decision: str, by: str, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schema": "syncd.decision/1",
        "connection": connection,
        "decision": decision,
        "decided_by": by,
        "items": list(items),
    }
