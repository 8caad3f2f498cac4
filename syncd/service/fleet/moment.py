"""What a worker says of itself at one moment: to Prometheus, to who asks whether it is ready, to systemd. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FleetMoment:
    """`owned`: connections; `left`: seconds of the lease; `takeovers` counts by whether the owner before gave it back,
    `fenced` the writes that were stopped, by where ("store", "target"). `trouble`: why the database is not to be had.
    `lost`: leases of this worker that ran out and were taken; `renewal`: seconds that the last one took. Of the whole
    fleet, when this worker last looked: `workers` that work (None: it cannot look), `unowned` connections that are to
    be served and that no living worker has, `apart` those of an org of which another worker has connections too.
    """

    worker: str
    mode: str
    owned: int = 0
    left: float = 0.0
    takeovers: Mapping[bool, int] = field(default_factory=dict)
    fenced: Mapping[str, int] = field(default_factory=dict)
    trouble: str = ""
    lost: int = 0
    renewal: float | None = None
    workers: int | None = None
    unowned: Sequence[str] = ()
    apart: Collection[str] = ()

    @property
    def not_ready(self) -> str:
        """Why this worker is of no use now; "" when it is. Whether each connection was read completely is not asked: a
        worker that was just started has none.
        """
        if self.trouble:
            return f"the fleet's database: {self.trouble}"
        return "" if self.left > 0 else f"the lease of worker {self.worker} ran out"
