"""Where `fleet.toml` is: what --fleet says, else the usual places."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.errors import ConfigurationError

if TYPE_CHECKING:
    from syncd.settings.fleet import FleetSettings

VARIABLE = "SYNCD_FLEET"
USUAL = (Path("fleet.toml"), Path("/etc/syncd/fleet.toml"))


def fleet_settings(given: Path | None) -> FleetSettings:
    """Raises ConfigurationError when there are none, or they cannot be used."""
    from syncd.settings.fleet import load_fleet  # noqa: PLC0415  (pydantic)

    return load_fleet(_place(given), environ=os.environ)


def _place(given: Path | None) -> Path:
    if given is not None:
        return given
    if named := os.environ.get(VARIABLE):
        return Path(named)
    found = next((each for each in USUAL if os.path.lexists(each)), None)
    if found is None:
        raise ConfigurationError(
            f"there is no fleet.toml: ${VARIABLE} is not set, and neither ./fleet.toml nor {USUAL[1]} exists",
            hint="name one with --fleet; what stands in it: docs/fleet.md",
        )
    return found
