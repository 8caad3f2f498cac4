"""Where the store of a connection is that belongs to a fleet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from pydantic import BaseModel, PrivateAttr


@dataclass(frozen=True, slots=True)
class FleetPlace:
    """`url` leads to the database and holds the password, `shown` does not; `connection` is its number there."""

    url: str = field(repr=False)
    shown: str
    connection: int


class Placed(BaseModel):
    """Settings that know where the store is, once somebody told them."""

    _fleet: FleetPlace | None = PrivateAttr(default=None)

    def in_fleet(self, place: FleetPlace) -> Self:
        """The same, of a connection whose store is in a fleet's database."""
        found = self.model_copy()
        found._fleet = place  # noqa: SLF001  (of its own kind)
        return found

    @property
    def fleet(self) -> FleetPlace | None:
        """Where its store is; None: on this machine, in a file."""
        return self._fleet
