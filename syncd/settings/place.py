"""Where the settings of a connection come from, and where the store is of one that belongs to a fleet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, PrivateAttr

from syncd.core.whole_commands import of_connection
from syncd.settings.values import Origin


@dataclass(frozen=True, slots=True)
class FleetPlace:
    """`url` leads to the database and holds the password, `shown` does not; `connection` is its number there, `paused`
    whether no worker was to serve it when the settings were read.
    """

    url: str = field(repr=False)
    shown: str
    connection: int
    paused: bool = False


class Placed(BaseModel):
    """Settings that know their file, and where the store is, once somebody told them."""

    name: str

    _path: Path = PrivateAttr()
    _is_named: bool = PrivateAttr()
    _fleet: FleetPlace | None = PrivateAttr(default=None)
    _fleet_file: Path | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        if not isinstance(context, Origin):
            raise TypeError("settings are validated with an Origin as context")
        self._path = context.file
        self._is_named = context.named

    @property
    def path(self) -> Path:
        """The file these settings were read from, absolute. Of a fleet: where it would be."""
        return self._path

    @property
    def is_named(self) -> bool:
        """Whether the file says the `name`, which is its own name else."""
        return self._is_named

    def in_fleet(self, place: FleetPlace, file: Path) -> Self:
        """The same, of a connection whose store is in the database of the fleet that `file` names."""
        found = self.of_fleet(file)
        found._fleet = place  # noqa: SLF001  (of its own kind)
        return found

    def of_fleet(self, file: Path) -> Self:
        """The same, for somebody who has its store already: commands find it through this fleet."""
        found = self.model_copy()
        found._fleet_file = file  # noqa: SLF001  (of its own kind)
        return found

    @property
    def fleet_file(self) -> Path | None:
        """What --fleet names; None: its settings are in a file of its own."""
        return self._fleet_file

    @property
    def files(self) -> dict[str, str | None]:
        """For documents: what -c and --fleet name."""
        in_fleet = self.fleet_file is not None
        return {
            "settings_file": None if in_fleet else str(self.path),
            "fleet_file": str(self.fleet_file) if in_fleet else None,
        }

    @property
    def named(self) -> list[str]:
        """The options that say this connection on a command line."""
        return of_connection(self.name, self.path, self.fleet_file)

    @property
    def fleet(self) -> FleetPlace | None:
        """Where its store is; None: on this machine, in a file."""
        return self._fleet
