"""The audit trail for people and auditors: is it whole, and what stands in it (contract: syncd.audit/1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from syncd.core.plan import timestamp
from syncd.errors import UsageError
from syncd.ports import Store
from syncd.ports.trail import ChainReport, Head, JournalEntry
from syncd.redact import Redactor, each_text

SCHEMA = "syncd.audit/1"
_OURS = frozenset({"at", "approved_at", "run_id", "entry", "change", "previous", "hash"})
"""Digests, times and ids that syncd itself makes: no text of anybody else can be in them."""

_NOTES = {
    "release": "release",
    "checkpoint": "checkpoint",
    "starting_point": "starting_point",
    "request": "request",
    "sealed_anew": "sealed_anew",
    "over": "over",
    "drift": "drift",
    "run": "run",
    "seals": "seal",
}


def noted_head(text: str) -> Head:
    """A head noted earlier. Raises UsageError unless it is SEQUENCE:HASH."""
    try:
        return Head.parse(text.strip())
    except ValueError as error:
        raise UsageError(
            f"--head {text:.100}: {error}",
            hint='write it as SEQUENCE:HASH, as in "audit": {"head": ...} of a run\'s result',
        ) from None


def verification(store: Store, connection: str, noted: Head | None) -> dict[str, Any]:
    """Walks the chain, and compares tables and triggers with it: `intact`, or the first broken row in `broken` and what
    else is not as the trail says in `altered`.
    """
    report = store.verify_journal(noted)
    return {
        "schema": SCHEMA,
        "connection": connection,
        "intact": report.intact,
        "length": report.head.sequence if report.head else None,
        "head": str(report.head) if report.head else None,
        "rows": report.rows,
        "pruned": report.pruned,
        "pruned_until": timestamp(report.pruned_until) if report.pruned_until else None,
        "broken": None
        if report.broken_at is None
        else {"sequence": report.broken_at, "problem": report.problem},
        "altered": [{"table": each.table, "problem": each.problem} for each in report.altered],
        "compared": None if noted is None else {"head": str(noted), "found": _found(report)},
    }


def _found(report: ChainReport) -> str:
    """What became of the head noted earlier: it is a "row" of the chain, it is "pruned", or the chain is "broken"."""
    if report.broken_at is not None:
        return "broken"
    return "pruned" if report.noted_pruned else "row"


def exported(
    store: Store,
    connection: str,
    redactor: Redactor,
    *,
    now: datetime,
    since: timedelta | None = None,
    run_id: str | None = None,
) -> Iterator[Mapping[str, Any]]:
    """One document for each row that there is now, in order; a page in memory at a time; without secrets.

    `since` limits them to the rows written that long before `now`. Raises PermanentError for an unreadable row.
    """
    length, _ = store.journal_head()
    rows = store.journal_entries(until=length, run_id=run_id, since=_moment(now, since))
    clean = cleaner(redactor)
    for entry in rows:
        document = entry_document(entry)
        yield {"schema": SCHEMA, "connection": connection} | {
            key: value if key in _OURS else each_text(value, clean) for key, value in document.items()
        }


def _moment(now: datetime, since: timedelta | None) -> datetime | None:
    try:
        return None if since is None else now - since
    except OverflowError:
        return None  # longer ago than there are years: everything


def entry_document(entry: JournalEntry) -> dict[str, Any]:
    """One row as it is exported, secrets still in it. Keys are the same for every row; what it has not is None.

    An outcome also carries the change that it settles, so that one line tells the whole story.
    """
    body = _mapping(entry.body)
    change = body if entry.entry == "intent" else _mapping(entry.asked)
    said = body if entry.entry == "outcome" else {}
    approval = _mapping(change.get("approved"))
    note = body if entry.entry == "note" else None
    return {
        "sequence": entry.sequence,
        "at": timestamp(entry.at),
        "run_id": entry.run_id,
        "entry": entry.entry,
        "refers": entry.refers,
        "kind": entry.kind if note is None else _kind_of_note(note),
        "object": _object(change),
        "okta_id": entry.okta_id if note is None else note.get("okta_id"),
        "group_id": entry.group_id,
        "scim_id": change.get("scim_id"),
        "change": change.get("id") or said.get("change"),
        "before": change.get("before"),
        "after": change.get("after"),
        "reason": change.get("reason"),
        "evidence": change.get("evidence"),
        "approved_by": approval.get("by"),
        "approved_at": timestamp(datetime.fromisoformat(approval["at"])) if "at" in approval else None,
        "applied": entry.applied,
        "deferred": said.get("deferred", False) if said else None,
        "request": said.get("request"),
        "status": said.get("status"),
        "note": said.get("note") or change.get("note"),
        "error": said.get("error"),
        "effects": said.get("effects"),
        "details": note,
        "previous": entry.previous,
        "hash": entry.hash,
    }


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _kind_of_note(body: Mapping[str, Any]) -> str | None:
    """What a free row is about: "approve", "reject", "release", "checkpoint", ... ; "seal": nothing else."""
    if "decision" in body:
        return str(body["decision"])
    return next((kind for key, kind in _NOTES.items() if key in body), None)


def _object(change: Mapping[str, Any]) -> str | None:
    if change.get("group") is not None:
        return f"{change.get('user')} in {change['group']}"
    name = change.get("name")
    return None if name is None else str(name)


def cleaner(redactor: Redactor) -> Callable[[str], str]:
    """Most texts of a trail come again and again."""
    return lru_cache(maxsize=4096)(redactor.text)
