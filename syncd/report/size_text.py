"""The first sentence about a plan: how large the blow is, by what it means to people, and what of it is held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.core.counting import counted
from syncd.core.safety import percent_of
from syncd.report.lines import safe

_KINDS: Mapping[str, tuple[str, str, str, bool]] = {
    # kind: (one, many, what becomes of them, whether they are people, and so a share of those who are managed)
    "create_user": ("account", "accounts", "created", True),
    "adopt_user": ("account", "accounts", "taken over", True),
    "reactivate_user": ("person", "people", "let in again", True),
    "deactivate_user": ("person", "people", "deactivated", True),
    "create_group": ("group", "groups", "created", False),
    "link_group": ("group", "groups", "linked", False),
    "rename_group": ("group", "groups", "renamed", False),
    "add_member": ("member", "members", "added", False),
    "remove_member": ("member", "members", "removed", False),
    "unlink_group": ("group", "groups", "no longer managed", False),
    "delete_group": ("group", "groups", "deleted", False),
}


def size_sentence(size: Mapping[str, Any]) -> str:
    """Of the part `size` of a plan document: "12 accounts (6.4%) created; held: 188 people (100%) changed, ..."."""
    managed = int(size["managed"])
    applies = ", ".join(_parts(size["applies"], managed)) or "nothing is changed"
    held = ", ".join(_parts(size["held"], managed))
    return f"{applies}; held: {held}" if held else applies


def _parts(size: Mapping[str, Any], managed: int) -> Iterator[str]:
    if updates := int(size["updates"]):
        yield f"{counted(updates, 'person', 'people')}{_share(updates, managed)} changed"
        if moved := int(size["identity_changes"]):
            yield f"{moved:,} of them {'gets' if moved == 1 else 'get'} another userName (the e-mail address)"
        if blanked := int(size["blanked"]):
            yield f"{blanked:,} of them {'loses' if blanked == 1 else 'lose'} a value"
    kinds = size["kinds"]
    protected = size["protected"]
    for group, count in sorted(protected.items()):
        yield f"{counted(int(count), 'person', 'people')} let into the protected group {safe(group)}"
    for kind, (one, many, becomes, are_people) in _KINDS.items():
        count = int(kinds.get(kind, 0)) - (sum(protected.values()) if kind == "add_member" else 0)
        if count > 0:
            yield f"{counted(count, one, many)}{_share(count, managed) if are_people else ''} {becomes}"


def _share(count: int, managed: int) -> str:
    return f" ({percent_of(count, managed)})" if managed else ""
