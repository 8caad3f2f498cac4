"""Which knobs of a simulator can be turned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def refuse_unknown(knobs: DataclassInstance, turned: Iterable[str], called: str = "knobs") -> None:
    """Raises ValueError for a knob that does not exist."""
    unknown = set(turned) - {field.name for field in fields(knobs)}
    if unknown:
        raise ValueError(f"unknown {called} {sorted(unknown)}")
