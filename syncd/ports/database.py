"""What can be told of a fleet's database without looking into a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """`version`: of the server, in words. `encrypted`: the way there, by TLS. `standbys`: servers that follow it now;
    `waits_for`: the setting synchronous_standby_names. `is_standby`: it follows another one and takes no writes.
    `is_read_only`: nor does it then, or where somebody or a provider told it so (default_transaction_read_only).
    """

    version: str
    encrypted: bool
    standbys: int
    waits_for: str
    is_standby: bool
    is_read_only: bool


class FleetDatabase(Protocol):
    """Each act opens a session of its own. Raises ConfigurationError for what only a person can mend (the user, the
    password, the version, the schema), TemporaryError when it cannot be had.
    """

    @property
    def shown(self) -> str:
        """Which and where, without the password."""
        ...

    def state(self) -> DatabaseState:
        """Also of one that nobody prepared."""
        ...

    def refuse_unprepared(self) -> None:
        """Raises ConfigurationError where this version may not write: nobody prepared it, or another version did."""
        ...

    def refuse_pooling(self) -> None:
        """Raises ConfigurationError behind a pooler that gives a session's place to others."""
        ...

    def migrate(self) -> Sequence[str]:
        """Prepares it, or brings it up to date; the names of the steps that were taken."""
        ...
