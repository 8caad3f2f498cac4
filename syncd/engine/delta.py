"""A delta cycle: the System Log names what may have changed, and only that is read again.

The log is a wake-up and never the truth: events come late, out of order and twice. A quiet delta costs one request and
writes nothing.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from syncd.core.nomination import Known, Nominations, nominate
from syncd.engine import quarantine
from syncd.engine.job import Job
from syncd.engine.reading import Reading, read_selected
from syncd.engine.recovery import settle_open_intents
from syncd.engine.result import RunResult
from syncd.engine.run import CycleRun, forget_what_is_over, planned_from
from syncd.engine.selection import BY_ID_AT_MOST
from syncd.errors import AccessDenied, PermanentError, SyncdError
from syncd.model import LogEvent
from syncd.ports import Stage

CURSOR_KEY = "log_cursor"
"""Under this key the store keeps the place in the System Log: the `next` link of the last poll, as it came."""
PAGES_AT_MOST = 10
"""More full pages of events than this in one delta are a storm: a full read is cheaper."""
SEEN_AT_MOST = 5_000
GIVES_UP_AFTER = 10
"""So often an object that cannot be read is named again by itself; then the next full cycle has to see to it."""
_USERS_A_PAGE, _GROUPS_A_PAGE = 500, 1000


class LogDenied(PermanentError):  # noqa: N818  (what Okta did)
    """Okta does not let us read the System Log: only full cycles see what changes."""


@dataclass
class Seen:
    """What one daemon remembers of the log between two deltas. In memory: a start begins with a full cycle."""

    uuids: OrderedDict[str, None] = field(default_factory=OrderedDict)
    pending: dict[tuple[str, str], int] = field(default_factory=dict)
    """(user or group, Okta id) of what was named and could not be read, with the number of times."""

    def fresh(self, events: Iterable[LogEvent]) -> list[LogEvent]:
        """Those that did not come before; they are remembered."""
        found = []
        for event in events:
            if event.uuid and event.uuid in self.uuids:
                continue
            self.uuids[event.uuid] = None
            found.append(event)
        while len(self.uuids) > SEEN_AT_MOST:
            self.uuids.popitem(last=False)
        return found


@dataclass(frozen=True, slots=True)
class Delta:
    """`result` None: nothing to do, and no run was written down. `everything` says why a full cycle should follow."""

    result: RunResult | None = None
    everything: str = ""


def follow(job: Job) -> None:
    """Begins to follow the System Log, unless it is being followed. Before the first full read, so that nothing falls
    between. Raises LogDenied, and what else Okta's answers raise.
    """
    if job.store.recall(CURSOR_KEY) is not None:
        return
    job.source.application()  # brings Okta's clock, by which following begins
    with _log_access():
        job.store.remember(CURSOR_KEY, job.source.log_cursor().cursor)


@contextmanager
def _log_access() -> Iterator[None]:
    try:
        yield
    except AccessDenied as denied:
        if denied.status != 403:
            raise
        raise LogDenied(denied.message, hint=denied.hint, status=403) from denied


def delta(job: Job, seen: Seen) -> Delta:
    """One poll, and a cycle over what it and the store name. Raises LogDenied and what the poll raises; what goes wrong
    afterwards is in the result.
    """
    try:
        events, storm = _poll(job, seen)
    except SyncdError as error:
        quarantine.note(job, error)
        raise
    named = nominate(events, _known(job))
    due = job.store.due(job.clock(), job.settings.provisioning.deactivation_grace)
    pending = seen.pending
    users = named.users | due.users | {okta_id for kind, okta_id in pending if kind == "user"}
    groups = named.groups | due.groups | {okta_id for kind, okta_id in pending if kind == "group"}
    everything = storm or named.everything or _larger_than_everything(job, users, groups)
    if everything:
        seen.pending.clear()
        return Delta(everything=everything)
    if not users and not groups:
        return Delta()
    with job.turn:
        result = _cycle(job, Nominations(users, groups, left=named.left))
    _remember_unread(seen, users, groups, failed=result is not None and bool(result.problems))
    return Delta(result)


def _poll(job: Job, seen: Seen) -> tuple[list[LogEvent], str]:
    """The new events; and why they cannot be relied on, if so."""
    cursor = stored = job.store.recall(CURSOR_KEY)
    events: list[LogEvent] = []
    for _ in range(PAGES_AT_MOST):
        if cursor is None:
            break
        try:
            with _log_access():
                page = job.source.log_page(cursor)
        except (AccessDenied, LogDenied):
            raise
        except PermanentError:  # refused, expired, of another org
            cursor = None
            break
        events += seen.fresh(page.events)
        cursor = page.cursor
        if not page.full:
            if cursor != stored:
                job.store.remember(CURSOR_KEY, cursor)
            return events, ""
    job.store.remember(CURSOR_KEY, None)
    follow(job)
    return (
        [],
        "the place in the System Log was lost" if cursor is None else "more happened than a full read costs",
    )


def _known(job: Job) -> Known:
    store = job.store
    return Known(
        app_id=job.settings.okta.app_id,
        user=lambda okta_id: store.user(okta_id) is not None,
        group=lambda okta_id: store.group(okta_id) is not None,
        any_group=job.rules.needs_every_group,
    )


def _larger_than_everything(job: Job, users: frozenset[str], groups: frozenset[str]) -> str:
    """Two requests for each object, against the pages of a full read."""
    if len(users) + len(groups) <= BY_ID_AT_MOST:
        return ""
    population = job.store.population()
    full = math.ceil(population.users / _USERS_A_PAGE) + math.ceil(population.groups / _GROUPS_A_PAGE)
    cost = 2 * (len(users) + len(groups))
    return "more happened than a full read costs" if cost > full + population.groups else ""


def _cycle(job: Job, named: Nominations) -> RunResult | None:
    """Read, plan and write; None when nothing was to be done."""
    started = time.monotonic()
    run: Callable[[], CycleRun] = lambda: CycleRun(job, "delta", started=started)  # noqa: E731
    try:
        unsettled = settle_open_intents(job)
        stage = job.store.stage()
        try:
            reading = _read(job, named, stage)
        except BaseException:
            stage.close()
            raise
        planned = planned_from(job, "delta", stage, reading, {}, unsettled)
    except SyncdError as error:
        return run().broke_off(error)
    with planned:
        if planned.is_quiet:
            job.store.absorb(planned.stage, confirmed_absent=planned.planning.left)
            forget_what_is_over(job.store, planned)
            return None
        return run().apply(planned)


def _read(job: Job, named: Nominations, stage: Stage) -> Reading:
    reading = read_selected(
        job,
        stage,
        sorted(named.users),
        sorted(named.groups),
        every_member_list=False,
        by_id_at_most=len(named.users),
    )
    reading.announced = named.left
    return reading


def _remember_unread(seen: Seen, users: frozenset[str], groups: frozenset[str], *, failed: bool) -> None:
    if not failed:
        seen.pending.clear()
        return
    named = [*(("user", each) for each in users), *(("group", each) for each in groups)]
    tries = {key: seen.pending.get(key, 0) + 1 for key in named}
    seen.pending = {key: count for key, count in tries.items() if count < GIVES_UP_AFTER}
