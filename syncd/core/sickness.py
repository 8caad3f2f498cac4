"""A quarantine as a value, and how it is remembered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from syncd.core.plan import timestamp

KEY = "quarantine"
"""Under this key the store remembers the document of the quarantine; nothing when there is none."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """`side` is "okta", "split" or "relink"; `probes` counts those that failed since it began."""

    side: str
    reason: str
    since: datetime
    next_probe: datetime
    probes: int = 0

    def document(self) -> dict[str, Any]:
        """As it is stored, and shown by `status`."""
        return {
            "side": self.side,
            "reason": self.reason,
            "since": timestamp(self.since),
            "next_probe": timestamp(self.next_probe),
            "probes": self.probes,
        }

    @classmethod
    def read(cls, text: str) -> Self:
        """From the JSON text of `document`."""
        found = json.loads(text)
        return cls(
            side=found["side"],
            reason=found["reason"],
            since=datetime.fromisoformat(found["since"]),
            next_probe=datetime.fromisoformat(found["next_probe"]),
            probes=found["probes"],
        )
