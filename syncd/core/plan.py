"""The plan as a document: what would change and why, signed by a digest that there is no way around.

The digest covers everything in it: connection, target, scope settings, every change in order, and what a person reads
before saying yes (contract: JSON documents, plan).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from syncd.core.canonical import CanonicalTexts, canonical_pieces, texts_of
from syncd.core.change import Change, ChangeKind, change_document, change_from_document
from syncd.core.left_alone import LeftAlone
from syncd.core.plan_size import PlanSize
from syncd.core.safety import LIMIT_NAMES
from syncd.errors import RefusedError, UsageError

SCHEMA = "syncd.plan/1"
KINDS = frozenset({"delta", "full", "targeted", "drift", "link", "relink", "undo"})


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
    skipped: LeftAlone
    allow: Mapping[str, int] = field(default_factory=dict)
    """Limits that were raised for this plan, by name."""
    undoes: str = ""
    """The run that it gives back."""
    size: PlanSize | None = None


class Signature:
    """The digest of a plan document whose changes are hashed as they pass by: they need not be read twice."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """`document` without its changes, its time and the digest, which are not looked at."""
        self._total = hashlib.sha256()
        self._ended = False
        rest = {
            key: value for key, value in document.items() if key not in ("digest", "created_at", "changes")
        }
        for piece in canonical_pieces(rest):
            self._total.update(piece.encode())
        self._total.update(b"\n")

    def over(self, texts: Iterable[str]) -> Iterator[str]:
        """The canonical text of each change, and once again."""
        for text in texts:
            self._total.update(f"{text}\n".encode())
            yield text
        self._ended = True

    def digest(self) -> str:
        """Raises RuntimeError before the changes have passed by."""
        if not self._ended:
            raise RuntimeError("a digest of a part of the changes")
        return f"sha256:{self._total.hexdigest()}"


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256, hexadecimal, over the canonical JSON of everything in the document but its time and the digest."""
    signature = Signature(document)
    for _ in signature.over(texts_of(document["changes"])):
        pass
    return signature.digest()


def hold_id(check: str, change_ids: Iterable[str]) -> str:
    """12 hexadecimal digits over the check and the changes: the same hold keeps its id in the next plan."""
    text = "\n".join([check, *sorted(change_ids)])
    return "h" + hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def plan_document(
    header: PlanHeader, changes: Iterable[Change], held: Mapping[str, Iterable[Change]]
) -> dict[str, Any]:
    """The whole document; `held` gives the changes of each hold by its id."""
    holds = [
        hold_document(hold, [change_document(change) for change in held.get(hold.id, ())])
        for hold in header.holds
    ]
    document = {
        **plan_frame(header),
        "changes": [change_document(change) for change in changes],
        "holds": holds,
        "skipped": list(header.skipped.documents),
    }
    return {**document, "digest": digest_of(document)}


def plan_frame(header: PlanHeader) -> dict[str, Any]:
    """The document but for what may be too large to hold (changes, holds, skipped), and its digest."""
    frame: dict[str, Any] = {
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
    }
    if header.allow:
        frame["allow"] = dict(header.allow)
    if header.undoes:
        frame["undoes"] = header.undoes
    if header.size is not None:
        frame["size"] = header.size.document()
    return frame


def hold_document(hold: Hold, changes: Iterable[Mapping[str, Any]] | CanonicalTexts) -> dict[str, Any]:
    """`changes` are documents, as they come."""
    return {
        "id": hold.id,
        "check": hold.check,
        "reason": hold.reason,
        "way_out": hold.way_out,
        "numbers": dict(hold.numbers),
        "changes": changes,
    }


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan read back from a file, its digest verified. `holds` come with the changes that they stopped."""

    connection: str
    kind: str
    scope: str
    target: str
    changes: Sequence[Change]
    digest: str
    holds: Sequence[tuple[Hold, Sequence[Change]]] = ()
    allow: Mapping[str, int] = field(default_factory=dict)
    undoes: str = ""
    created_at: datetime | None = None
    """None where the document does not say."""

    def held(self) -> Mapping[ChangeKind, int]:
        """How many changes of each kind it holds."""
        return Counter(change.kind for _, changes in self.holds for change in changes)


def read_plan(text: str, name: str) -> SavedPlan:
    """`name` is the file's, for errors. Raises UsageError when the text is no plan, RefusedError when
    it is of another version, was edited or cannot be understood.
    """
    hint = "make a new plan with `syncd plan -o FILE`"
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{name} is no saved plan: it is not JSON", hint=hint) from None
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, str) or not schema.startswith("syncd.plan/"):
        raise UsageError(f"{name} is no saved plan: it is another document", hint=hint)
    if schema != SCHEMA:
        raise RefusedError(f"the plan {name} is a {schema}, and this syncd reads {SCHEMA}", hint=hint)
    try:
        if document["digest"] != digest_of(document):
            raise RefusedError(f"the plan {name} was edited: its digest does not fit its contents", hint=hint)
        return _saved(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise RefusedError(f"the plan {name} cannot be read: {problem}", hint=hint) from problem


def _saved(document: Mapping[str, Any]) -> SavedPlan:
    base = document["base"]
    header = {"connection": document["connection"], "kind": document["kind"]}
    header |= {"scope": base["scope"], "target": base["target"], "digest": document["digest"]}
    if not isinstance(document["changes"], list):
        raise TypeError("changes is no list")
    if not all(isinstance(value, str) for value in header.values()) or header["kind"] not in KINDS:
        raise TypeError("connection, kind, scope or target is no text that a plan can have")
    changes = tuple(change_from_document(change) for change in document["changes"])
    holds = tuple(_saved_hold(hold) for hold in document["holds"])
    undoes = document.get("undoes", "")
    if not isinstance(undoes, str) or bool(undoes) is not (header["kind"] == "undo"):
        raise TypeError("undoes names no run")
    allow = raised_limits(document.get("allow", {}))
    return SavedPlan(
        **header,
        changes=changes,
        holds=holds,
        allow=allow,
        undoes=undoes,
        created_at=_saved_moment(document.get("created_at")),
    )


def _saved_moment(said: object) -> datetime | None:
    made = datetime.fromisoformat(said) if isinstance(said, str) else None
    return made if made is not None and made.tzinfo is not None else None


def raised_limits(allow: object) -> Mapping[str, int]:
    """As they were written. Raises TypeError for what raises no limit there is, or to no whole number."""
    if not isinstance(allow, dict) or not allow.keys() <= set(LIMIT_NAMES):
        raise TypeError("allow names limits that there are not")
    if any(type(number) is not int or number < 0 for number in allow.values()):
        raise TypeError("allow raises a limit to what is no whole number")
    return allow


def _saved_hold(document: Mapping[str, Any]) -> tuple[Hold, Sequence[Change]]:
    changes = tuple(change_from_document(change) for change in document["changes"])
    hold = Hold(
        id=str(document["id"]),
        check=str(document["check"]),
        reason=str(document["reason"]),
        way_out=str(document["way_out"]),
        numbers=dict(document["numbers"]),
        changes=len(changes),
    )
    return hold, changes


def timestamp(moment: datetime) -> str:
    """UTC ISO-8601 with Z, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
