"""What is said of a request: as a document of its own, and in `status`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from syncd.core.plan import timestamp
from syncd.core.request import (
    EndedState,
    RequestRecord,
    RequestState,
    TakenState,
    WaitingState,
    WithdrawnState,
    read_request,
)
from syncd.errors import RefusedError

_STATES: Mapping[type[RequestState], str] = {
    WaitingState: "waiting",
    TakenState: "taken",
    EndedState: "ended",
    WithdrawnState: "withdrawn",
}
_LONG = ("plan", "changes", "seen")


def request_document(record: RequestRecord, connection: str) -> dict[str, Any]:
    """The contract's request document."""
    return {"schema": "syncd.request/1", "connection": connection, **request_fields(record)}


def request_fields(record: RequestRecord) -> dict[str, Any]:
    """The same, where document and connection are told already."""
    state = record.state
    ended = state.at if isinstance(state, EndedState | WithdrawnState) else None
    return {
        "id": record.id,
        "kind": record.kind,
        "arguments": _shown(record),
        "by": record.by,
        "reason": record.reason,
        "asked_at": timestamp(record.asked_at),
        "state": _STATES[type(state)],
        "owner": state.owner if isinstance(state, TakenState) else None,
        "taken_at": timestamp(state.at) if isinstance(state, TakenState) else None,
        "ended_at": timestamp(ended) if ended else None,
        "exit_code": state.exit_code if isinstance(state, EndedState) else None,
    }


def _shown(record: RequestRecord) -> Mapping[str, Any] | None:
    """Its arguments but for what is long; None when this version cannot read them."""
    try:
        request = read_request(record.version, record.kind, record.arguments)
    except RefusedError:
        return None
    return {name: value for name, value in asdict(request).items() if name not in _LONG}
