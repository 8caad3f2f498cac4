"""What a worker says of itself at one moment: to Prometheus, to who asks whether it is ready, to systemd. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FleetMoment:
    """`owned`: connections; `left`: seconds of the lease; `takeovers` counts by whether the owner before gave it back,
    `fenced` the writes that were stopped, by where ("store", "target"). `trouble`: why the database is not to be had.
    """

    worker: str
    mode: str
    owned: int = 0
    left: float = 0.0
    takeovers: Mapping[bool, int] = field(default_factory=dict)
    fenced: Mapping[str, int] = field(default_factory=dict)
    trouble: str = ""

    @property
    def not_ready(self) -> str:
        """Why this worker is of no use now; "" when it is. Whether each connection was read completely is not asked: a
        worker that was just started has none.
        """
        if self.trouble:
            return f"the fleet's database: {self.trouble}"
        return "" if self.left > 0 else f"the lease of worker {self.worker} ran out"
