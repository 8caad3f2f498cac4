"""What a full cycle looks at: complete lists of the app's users, its push groups and their members."""

from __future__ import annotations

from collections.abc import Callable

from syncd.core.groups import resolve
from syncd.engine.facts import ASSIGNMENTS
from syncd.engine.job import Job
from syncd.engine.reading.claims import Claiming
from syncd.engine.reading.group_scope import linked_names, moved
from syncd.engine.reading.learned import FullReading, Reading
from syncd.engine.reading.lists import read_application, read_members, read_users
from syncd.engine.reading.rule_lists import read_assigned, read_mappings
from syncd.errors import IncompleteRead, TemporaryError
from syncd.ports import Stage


def read_everything(job: Job, stage: Stage, *, every_member_list: bool) -> FullReading:
    """The nomination of a full cycle. Incomplete lists are reported in `problems` and prove no absence."""
    reading = FullReading(read_application(job))
    job.observer.phase("reading assignments", ASSIGNMENTS.of(job.store))
    try:
        read_users(job, stage, reading)
        stage.users_read_whole()
    except IncompleteRead as problem:
        reading.problems.append(problem)
    if job.settings.provisioning.push_groups:
        job.observer.phase("reading groups")
        read_groups(job, stage, reading)
        read_members(job, stage, reading, moved(stage, every=every_member_list))
    return reading


def read_groups(job: Job, stage: Stage, reading: FullReading) -> None:
    """Resolves the push rules. Lists that stay incomplete leave the known groups as they are."""
    book = job.rules
    whole = True
    if book.needs_assigned:
        whole &= _attempt(reading, lambda: read_assigned(job, stage, reading))
    if book.needs_mappings:
        whole &= _attempt(reading, lambda: read_mappings(job, reading))
    claiming = Claiming(job, stage, reading, stage.links_asked())
    whole &= _attempt(reading, claiming.everything)
    resolved = resolve(
        list(claiming.found.values()),
        book,
        flavor=job.settings.split.flavor,
        linked=linked_names(job, claiming.by_hand),
        whole=whole,
    )
    reading.skipped.extend(resolved.skipped)
    claiming.put(resolved.wanted)
    if whole:
        reading.groups_whole = True
        stage.groups_read_whole()


def _attempt(reading: Reading, read: Callable[[], None]) -> bool:
    try:
        read()
    except TemporaryError as problem:
        reading.problems.append(problem)
        return False
    return True
