"""How long a change took since the event for which its object was looked at."""

from __future__ import annotations

from syncd.core.change import GROUP_KINDS, Change, ChangeKind
from syncd.engine.job import Job


def measure(job: Job, change: Change, into: dict[ChangeKind, list[float]]) -> None:
    """Adds the seconds from the event (`Job.since`) to now, when the target has answered; nothing without an event."""
    if not job.since:
        return
    about = "group" if change.kind in GROUP_KINDS else "user"
    since = job.since.get((about, change.okta_id)) or job.since.get(("group", change.group_id or ""))
    if since is not None:
        into.setdefault(change.kind, []).append((job.clock() - since).total_seconds())
