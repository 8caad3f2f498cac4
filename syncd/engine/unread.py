"""What this cycle was not allowed to read: named, remembered, and shown until a later cycle can read it."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.core import unread
from syncd.core.unread import Subject, Unread
from syncd.engine.job import Job
from syncd.engine.planned import Planned
from syncd.engine.reading import Reading


def unread_of(job: Job, reading: Reading) -> Mapping[Subject, Unread]:
    """With the names that the store has for them, else their Okta ids."""
    now = job.clock()
    return {key: Unread(_name(job, key), error.message, now) for key, error in reading.refused.items()}


def _name(job: Job, subject: Subject) -> str:
    kind, okta_id = subject
    if kind == "group":
        group = job.store.group(okta_id)
        return group.wanted.name if group else okta_id
    user = job.store.user(okta_id)
    return user.wanted.user_name if user else okta_id


def remember(job: Job, planned: Planned) -> None:
    """A full cycle has looked at everything, any other at what it was about."""
    text = job.store.recall(unread.KEY)
    if text is None and not planned.unread:
        return
    looked_at = None if planned.header.kind == "full" else planned.planning.reading.looked_at
    now = unread.written(unread.carried_on(unread.read(text), planned.unread, looked_at=looked_at))
    if now != text:
        job.store.remember(unread.KEY, now)
