"""The plan as a document: what would change and why, signed by a digest that there is no way around.

The digest covers everything in it: connection, target, scope settings, every change in order, and what a person reads
before saying yes (contract: JSON documents, plan).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncd.core.change import Change, ChangeKind, change_document, change_from_document
from syncd.core.diff import Skipped
from syncd.errors import RefusedError

SCHEMA = "syncd.plan/1"
KINDS = frozenset({"delta", "full", "targeted", "drift", "link", "relink"})


@dataclass(frozen=True, slots=True)
class Hold:
    """Changes that one check stopped until a person decides."""

    id: str
    check: str
    reason: str
    way_out: str
    numbers: Mapping[str, int | str]
    changes: int


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """Everything of a plan but its changes. `scope` and `target` are fingerprints of the settings."""

    connection: str
    kind: str
    created_at: datetime
    state_revision: int
    scope: str
    target: str
    summary: Mapping[ChangeKind, int]
    holds: Sequence[Hold]
    skipped: Sequence[Skipped]


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256, hexadecimal, over the canonical JSON of everything in the document but its time and the digest."""
    total = hashlib.sha256()
    rest = {key: value for key, value in document.items() if key not in ("digest", "created_at", "changes")}
    for part in (rest, *document["changes"]):
        total.update(json.dumps(part, sort_keys=True, separators=(",", ":")).encode())
        total.update(b"\n")
    return f"sha256:{total.hexdigest()}"


def hold_id(check: str, change_ids: Iterable[str]) -> str:
    """12 hexadecimal digits over the check and the changes: the same hold keeps its id in the next plan."""
    text = "\n".join([check, *sorted(change_ids)])
    return "h" + hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def plan_document(
    header: PlanHeader, changes: Iterable[Change], held: Mapping[str, Iterable[Change]]
) -> dict[str, Any]:
    """The whole document; `held` gives the changes of each hold by its id."""
    document = {
        "schema": SCHEMA,
        "connection": header.connection,
        "kind": header.kind,
        "created_at": timestamp(header.created_at),
        "base": {
            "state_revision": header.state_revision,
            "scope": header.scope,
            "target": header.target,
        },
        "summary": {kind.value: header.summary.get(kind, 0) for kind in ChangeKind},
        "changes": [change_document(change) for change in changes],
        "holds": [
            {
                "id": hold.id,
                "check": hold.check,
                "reason": hold.reason,
                "way_out": hold.way_out,
                "numbers": dict(hold.numbers),
                "changes": [change_document(change) for change in held.get(hold.id, ())],
            }
            for hold in header.holds
        ],
        "skipped": [skipped_document(skip) for skip in header.skipped],
    }
    return {**document, "digest": digest_of(document)}


def skipped_document(skip: Skipped) -> dict[str, str]:
    return {"kind": skip.kind, "okta_id": skip.okta_id, "name": skip.name, "reason": skip.reason}


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan read back from a file, its digest verified."""

    connection: str
    kind: str
    scope: str
    target: str
    changes: Sequence[Change]
    digest: str


def read_plan(text: str) -> SavedPlan:
    """Raises RefusedError when the text is no plan of this version or was edited."""
    hint = "make a new plan with `syncd plan -o FILE`"
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise RefusedError(f"the file is no plan ({SCHEMA})", hint=hint)
        if document["digest"] != digest_of(document):
            raise RefusedError("the plan was edited: its digest does not fit its contents", hint=hint)
        return _saved(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise RefusedError(f"the plan cannot be read: {problem}", hint=hint) from problem


def _saved(document: Mapping[str, Any]) -> SavedPlan:
    base = document["base"]
    header = {"connection": document["connection"], "kind": document["kind"]}
    header |= {"scope": base["scope"], "target": base["target"], "digest": document["digest"]}
    if not isinstance(document["changes"], list):
        raise TypeError("changes is no list")
    if not all(isinstance(value, str) for value in header.values()) or header["kind"] not in KINDS:
        raise TypeError("connection, kind, scope or target is no text that a plan can have")
    changes = tuple(change_from_document(change) for change in document["changes"])
    return SavedPlan(**header, changes=changes)


def timestamp(moment: datetime) -> str:
    """UTC ISO-8601 with Z, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
