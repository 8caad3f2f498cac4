"""What SIGHUP changes of `fleet.toml`: the settings that count against those that were read now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from syncd.settings import ConnectionSettings
from syncd.settings.fleet import FleetSettings, FleetTable
from syncd.settings.fleet_hooks import FleetHooks

LISTEN, CAPACITY, HOOKS_LISTEN, HOOKS_ORG = "listen", "capacity", "hooks.listen", "hooks.org"
_AT_ONCE = frozenset({LISTEN, CAPACITY, HOOKS_LISTEN, HOOKS_ORG})
"""The others are in what was made of them at the start: threads, sessions, and the lease that others reckon with."""
_HOOKS = "hooks."


@dataclass(frozen=True, slots=True)
class Reread:
    """`at_once` and `at_next_start`: the keys that say something else than what counts."""

    settings: FleetSettings
    at_once: tuple[str, ...]
    at_next_start: tuple[str, ...]


class FleetFile:
    """`settings` are what counts; changed by one thread."""

    def __init__(self, settings: FleetSettings, load: Callable[[], FleetSettings]) -> None:
        """`load` reads it anew; raises ConfigurationError."""
        self.settings = settings
        self._load = load

    @property
    def table(self) -> FleetTable:
        """`[fleet]`."""
        return self.settings.fleet

    @property
    def hooks(self) -> FleetHooks:
        """`[hooks]`."""
        return self.settings.hooks

    def rule(self, settings: ConnectionSettings) -> ConnectionSettings:
        """See `FleetSettings.rule`."""
        return self.settings.rule(settings)

    def reread(self) -> Reread:
        """Nothing of it counts yet. Raises ConfigurationError."""
        now = self._load()
        keys = [*FleetTable.model_fields, *(f"{_HOOKS}{key}" for key in FleetHooks.model_fields)]
        other = sorted(key for key in keys if _value(now, key) != _value(self.settings, key))
        return Reread(
            now,
            tuple(key for key in other if key in _AT_ONCE),
            tuple(key for key in other if key not in _AT_ONCE),
        )

    def counts(self, found: Reread, key: str) -> None:
        """From now on, as it was read."""
        update = {key.removeprefix(_HOOKS): _value(found.settings, key)}
        if key.startswith(_HOOKS):
            self.settings = replace(self.settings, hooks=self.hooks.model_copy(update=update))
        else:
            self.settings = replace(self.settings, fleet=self.table.model_copy(update=update))


def _value(settings: FleetSettings, key: str) -> object:
    table = settings.hooks if key.startswith(_HOOKS) else settings.fleet
    return getattr(table, key.removeprefix(_HOOKS))
