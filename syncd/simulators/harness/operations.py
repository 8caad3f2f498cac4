"""PatchOp messages as Harness's JSON mapper reads them."""

from dataclasses import dataclass
from typing import Any, Literal

from syncd.simulators.harness.wire import HarnessError, invalid_request
from syncd.simulators.split_entities import Json

VALUE_KEYS = {"type", "primary", "display", "value", "$ref", "id", "displayName", "active"}
"""What the mapper, strict inside a value, knows of its objects; anything else spoils the operation."""
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
    """One operation; `capital` where the client wrote `Replace`, which is another class at Harness. Of a removal
    nothing reads a value but the list of members.
    """

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


def boolean_of(value: Any, absent: bool | None) -> bool | None:  # noqa: FBT001 - what null is
    """A truth value as the mapper coerces it, `absent` for null. Raises ValueError for what is none."""
    if value is None:
        return absent
    if isinstance(value, bool | int):
        return bool(value)
    text = value.strip() if isinstance(value, str) else "?"
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    raise ValueError(f"{value!r} is no truth value")


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
