"""PatchOp messages as Harness's JSON mapper reads them."""

from dataclasses import dataclass
from typing import Any, Literal

from syncd.simulators.harness.wire import HarnessError, invalid_request
from syncd.simulators.split_entities import Json

Kind = Literal["add", "replace", "remove"]
_SPELLINGS: dict[str, Kind] = {
    "add": "add",
    "Add": "add",
    "replace": "replace",
    "Replace": "replace",
    "remove": "remove",
    "Remove": "remove",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `capital` where the client wrote `Replace`, which is another class at Harness."""

    kind: Kind
    capital: bool
    path: str | None
    value: Any


def operations_of(body: Json) -> list[Operation]:
    """The operations; `schemas` are not looked at. Raises HarnessError 400 for an op that the mapper does not know."""
    operations = body.get("Operations")
    if operations is None:
        operations = []
    if not isinstance(operations, list):
        raise _unreadable("Operations")
    return [_operation(each) for each in operations]


def _operation(entry: Any) -> Operation:
    spelled = entry.get("op") if isinstance(entry, dict) else None
    kind = _SPELLINGS.get(spelled) if isinstance(spelled, str) else None
    if kind is None:
        raise _unreadable("op")
    path = entry.get("path")
    if path is not None and not isinstance(path, str):
        raise _unreadable("path")
    return Operation(kind, str(spelled)[0].isupper(), path, entry.get("value"))


def _unreadable(what: str) -> HarnessError:
    return invalid_request(f"Unable to process JSON: {what}")
