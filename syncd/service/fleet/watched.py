"""A connection that this worker only watches: it reads and plans, shows what it would do, and writes nothing anywhere.

For a new version or new settings beside the workers that write. It owns nothing, so nobody waits for it.
"""

from __future__ import annotations

from collections import Counter

from syncd.engine.cycles.sync import plan
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.service.connection_state import SystemLog
from syncd.service.fleet.connection import OwnedConnection
from syncd.service.reports import Ending

_SHOWN = 20
"""Changes that are said one by one."""


class WatchedConnection(OwnedConnection):
    """Its full cycles plan; deltas, comparisons and what people ask for are the owner's."""

    def open(self, *, patient: bool = False) -> None:
        """To read."""
        self._job_options = {"writing": False}
        self.current.open_store(self.settings, patient=patient)
        self._log.state = SystemLog.DENIED  # the place in it is the owner's
        self._has_gone_on = True  # nothing is remembered here

    def full_due_in(self) -> float | None:
        """At once: what this version would do has never been seen."""
        return 0.0

    def delta(self) -> None:
        """Nothing: the place in the System Log is the owner's."""

    def drift(self) -> None:
        """Nothing: what is compared is remembered, by the owner."""

    def _full(self) -> None:
        self._run("full", self._plan)

    def _plan(self, job: Job) -> Ending:
        with plan(job, Selection()) as planned:
            changes = list(planned.changes())
            held = sum(hold.changes for hold in planned.header.holds)
            problems = planned.problems
        for problem in problems:
            self._voice.say("warning", "could not be read", "full", error=problem.message)
        for change in changes[:_SHOWN]:
            self._voice.say(
                "info",
                "would write",
                "full",
                kind=change.kind.value,
                object=change.name,
                reason=change.reason,
            )
        kinds = Counter(change.kind.value for change in changes)
        said = dict(sorted(kinds.items()))
        self._voice.say(
            "info", "planned, and writes nothing", "full", changes=len(changes), held=held or "", **said
        )
        return Ending()
