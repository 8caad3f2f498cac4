"""How large the blow would be that a plan deals: counts by what they mean to people, before the details."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Size:
    """Of some changes: how many of each kind; of the updates among them (adoptions and returns too) how many there are,
    give another userName, and empty a value; members of protected groups by the group's name.
    """

    kinds: Mapping[str, int]
    updates: int = 0
    identity_changes: int = 0
    blanked: int = 0
    protected: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class PlanSize:
    """`managed`: active people when the plan was made."""

    managed: int
    applies: Size
    held: Size

    def document(self) -> dict[str, Any]:
        return {"managed": self.managed, "applies": _document(self.applies), "held": _document(self.held)}


def _document(size: Size) -> dict[str, Any]:
    return {**asdict(size), "kinds": dict(size.kinds), "protected": dict(size.protected or {})}
