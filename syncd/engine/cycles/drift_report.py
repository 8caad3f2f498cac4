"""What a drift cycle finds: Okta and the target, both read whole, compared with what is remembered. Reads only.

Whatever looks different in a list is asked for by id before it is called drift, while no other cycle of this connection
writes: lists are cut short, leave things out, and are old by the time they are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from syncd.core import drift as core
from syncd.core.drift import DriftItem
from syncd.core.drift_news import counts_of
from syncd.core.plan import timestamp
from syncd.engine.cycles.drift_look import Look
from syncd.engine.job import Job
from syncd.engine.reading.learned import Reading
from syncd.errors import SyncdError
from syncd.ports import Stage


@dataclass(frozen=True)
class DriftReport:
    """What a drift cycle found. `problems`: reads that did not arrive whole; what rests on them is not in the items."""

    connection: str
    created_at: datetime
    items: Sequence[DriftItem]
    problems: Sequence[SyncdError] = ()
    notes: Sequence[str] = ()
    """What this server cannot show of anybody."""
    compared: Mapping[str, int] = field(default_factory=dict)
    accepted: Sequence[str] = ()
    """Okta ids of people whose accounts were invited, and are active now."""

    @property
    def summary(self) -> dict[str, int]:
        """How many findings of each kind, by its name; kinds without any are left out."""
        return core.summary_of(self.items)

    @property
    def differs(self) -> bool:
        """Whether something of ours is not as it should be: strangers and what cannot be told aside."""
        return any(item.kind not in core.REPORTED_ONLY for item in self.items)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each sort (`core.drift_news`), by kind."""
        return counts_of(item.document() for item in self.items)

    def document(self) -> dict[str, Any]:
        items = [item.document() for item in self.items]
        return {
            "schema": "syncd.drift/1",
            "connection": self.connection,
            "created_at": timestamp(self.created_at),
            "complete": not self.problems,
            "compared": dict(self.compared),
            "summary": self.summary,
            "counts": counts_of(items),
            "items": items,
            "notes": list(self.notes),
            "errors": [problem.message for problem in self.problems],
        }


def drift_report(
    job: Job, stage: Stage, reading: Reading, *, narrowed: bool, only: Sequence[str] = ()
) -> DriftReport:
    """`stage` holds what Okta wants, with every member list. `narrowed`: only some objects were asked for, `only` being
    the Okta ids of the users among them: their memberships are compared too.
    """
    look = Look(job, stage, reading, narrowed)
    look.users()
    if job.settings.provisioning.push_groups:
        look.groups()
        look.memberships_of(only)
    return DriftReport(
        connection=job.settings.name,
        created_at=job.clock(),
        items=core.sorted_items(look.items),
        problems=[*reading.problems, *look.problems],
        notes=look.notes,
        compared=dict(look.compared),
        accepted=look.accepted,
    )
