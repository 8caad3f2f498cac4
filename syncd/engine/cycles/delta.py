"""A delta cycle: the System Log names what may have changed, and only that is read again.

The log is a wake-up and never the truth: events come late, out of order and twice. A quiet delta costs one request and
writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from syncd.core.change import GROUP_KINDS, Change
from syncd.core.hooks import HookNamed
from syncd.core.nomination import ASKED, Known, is_leaving, nominate
from syncd.core.waiting import NOT_READ
from syncd.engine.cycles.hooked import Hooked
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.run import CycleRun, remember_what_was_seen
from syncd.engine.cycles.seen import Key, Seen, keys
from syncd.engine.cycles.turns import AllNamed, leavers_of, who_goes_first
from syncd.engine.cycles.waiting import read_whom_it_frees, remember_left
from syncd.engine.facts import CURSOR, HOOKED, LOG_ASKED, PENDING
from syncd.engine.job import Job
from syncd.engine.planning.plan import planned_from
from syncd.engine.planning.planned import Planned
from syncd.engine.reading.learned import NamedReading
from syncd.engine.reading.named import read_selected
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.engine.reading.staged import staged
from syncd.engine.writing import quarantine
from syncd.engine.writing.other_target import refuse_other_target
from syncd.engine.writing.permission import barred_now
from syncd.engine.writing.recover import settle_open_intents
from syncd.errors import AccessDenied, ConnectionSick, PermanentError, Scope, SyncdError
from syncd.model import LogEvent
from syncd.ports import Due, Stage

PAGES_AT_MOST = 10
"""More full pages of events than this in one delta are a storm: a full read is cheaper."""
_USERS_A_PAGE, _GROUPS_A_PAGE = 500, 1000


class LogDenied(PermanentError):  # noqa: N818  (what Okta did)
    """Okta does not let us read the System Log: only full cycles, and event hooks, see what changes."""


@dataclass(frozen=True, slots=True)
class Delta:
    """`result` None: nothing to do, and no run was written down. `everything` says why a full cycle should follow at
    once, `before_long` why one should that can wait.
    """

    result: RunResult | None = None
    everything: str = ""
    before_long: str = ""
    more: bool = False
    """Only leavers were looked at: others wait for the next delta."""


def follow(job: Job) -> bool:
    """Begins to follow the System Log, unless it is being followed with these kinds of events (then False). Before a
    full read, so that nothing falls between. Raises LogDenied, and what else Okta's answers raise.
    """
    asked = " ".join(ASKED)
    if CURSOR.of(job.store) is not None and LOG_ASKED.of(job.store) == asked:
        return False
    job.source.application()  # brings Okta's clock, by which following begins
    with _log_access():
        CURSOR.remember(job.store, job.source.log_cursor().cursor)
    LOG_ASKED.remember(job.store, asked)
    return True


@contextmanager
def _log_access() -> Iterator[None]:
    try:
        yield
    except AccessDenied as denied:
        if denied.scope is Scope.CONNECTION:
            raise
        raise LogDenied(denied.message, hint=denied.hint, status=denied.status) from denied


def delta(job: Job, seen: Seen, hooked: Hooked | None = None, *, polls: bool = True) -> Delta:
    """One poll, and a cycle over what it, the store, event hooks and earlier deltas name. Without `polls` the System
    Log, which may not be read, is not asked. Raises LogDenied and what the poll raises; what goes wrong afterwards is
    in the result.
    """
    seen.restore(PENDING.of(job.store))
    hooked = hooked or Hooked()
    restore_hooked(job, hooked)
    found = _delta(job, seen, hooked, polls=polls)
    PENDING.remember(job.store, seen.kept())
    hooked.keep(lambda text: HOOKED.remember(job.store, text))
    return found


def restore_hooked(job: Job, hooked: Hooked) -> None:
    """What the process before this one was told by hooks."""
    hooked.restore(HOOKED.of(job.store))


def _delta(job: Job, seen: Seen, hooked: Hooked, *, polls: bool) -> Delta:
    before_long = ""
    try:
        poll = _poll(job, seen) if polls else _Poll(cursor=CURSOR.of(job.store))
        if poll.lost:
            seen.owe_instead(poll.lost)
            CURSOR.remember(job.store, None)
            follow(job)
        else:
            before_long = _take_over(job, seen, hooked, poll)
    except SyncdError as error:
        quarantine.note(job, error)
        raise
    due = _due(job)
    leavers = leavers_of(job, seen, hooked)  # before a full cycle takes their place
    users = [*seen.waiting("user"), *sorted(due.users - set(seen.waiting("user")))]
    groups = [*seen.waiting("group"), *sorted(due.groups - set(seen.waiting("group")))]
    too_much = _larger_than_everything(job, len(users) + len(groups))
    if too_much:
        seen.owe_instead(too_much)
    by_hooks = hooked.due()
    if poll.lost or too_much:
        users, groups = [], []
    hearsay = by_hooks.keys() - keys(users, groups)
    users += sorted(_of(by_hooks, "user") - set(users))
    groups += sorted(_of(by_hooks, "group") - set(groups))
    among = AllNamed(users, groups, leavers, hearsay, hurried=bool(too_much))
    users, groups, more = who_goes_first(job, seen, hooked, among)
    by_hooks = {key: name for key, name in by_hooks.items() if key in keys(users, groups)}
    if not (users or groups) or job.is_turn_taken():
        return Delta(None, seen.news(), before_long)
    named = keys(users, groups)
    found = LookOutcome(None, named)
    try:
        with job.turn:
            lists = seen.failing("group") | (_not_read(job, groups) if groups else frozenset())
            since = since_when(job, seen, by_hooks)
            look = NamedLook(users, groups, lists, frozenset(seen.left), hearsay)
            found = look_at(replace(job, since=since), look)
    finally:
        seen.tried(named, found.unread, found.refused)
        hooked.looked(by_hooks, found.moved, found.updated, found.unread, found.nothing)
    return Delta(found.result, seen.news(), before_long, more)


@runtime_checkable
class _Clocked(Protocol):
    """A source that knows by how much its clock is ahead of ours."""

    def clock_offset(self) -> timedelta | None: ...


def since_when(job: Job, seen: Seen, by_hooks: Mapping[Key, HookNamed]) -> Mapping[Key, datetime]:
    """When what was named happened (`Job.since`)."""
    since = dict(seen.since)
    for key, name in by_hooks.items():
        since[key] = min(since.get(key, name.first), name.first)
    ahead = (job.source.clock_offset() if isinstance(job.source, _Clocked) else None) or timedelta()
    return {key: at - ahead for key, at in since.items()}


def _of(names: Mapping[Key, HookNamed], kind: str) -> set[str]:
    return {okta_id for of_kind, okta_id in names if of_kind == kind}


def _due(job: Job) -> Due:
    """Nothing while nothing may be written: what waits to be tried again would be due at every poll."""
    now = job.clock()
    if barred_now(job.store, job.settings, now) is not None:
        return Due()
    return job.store.due(now, job.settings.provisioning.deactivation_grace)


def _not_read(job: Job, groups: Sequence[str]) -> frozenset[str]:
    """Okta ids of the groups whose member list may be what could not be read."""
    return frozenset(each.okta_id for each in job.store.waiting(NOT_READ)) & set(groups)


@dataclass(frozen=True, slots=True)
class _Poll:
    """The new events, and the place after them. `lost` says why they cannot be relied on."""

    events: Sequence[LogEvent] = ()
    cursor: str | None = None
    lost: str = ""


def _poll(job: Job, seen: Seen) -> _Poll:
    """Reads on from the stored place; neither stores nor remembers anything."""
    cursor = CURSOR.of(job.store)
    events: list[LogEvent] = []
    for _ in range(PAGES_AT_MOST):
        if cursor is None:
            break
        try:
            with _log_access():
                page = job.source.log_page(cursor)
        except (AccessDenied, ConnectionSick, LogDenied):
            raise
        except PermanentError:  # refused, expired, of another org
            cursor = None
            break
        events += seen.fresh(page.events)
        cursor = page.cursor
        if not page.full:
            return _Poll(events, cursor)
    return _Poll(
        lost="the place in the System Log was lost"
        if cursor is None
        else "more happened than a full read costs"
    )


def _take_over(job: Job, seen: Seen, hooked: Hooked, poll: _Poll) -> str:
    """What the events name is pending before the place after them is stored, and only then they count as seen: whatever
    ends this cycle, on the way or later, loses nothing. Returns why a full cycle should follow before long.
    """
    known = _known(job)
    strangers = seen.strangers()
    ours = [(event, nominate([event], known)) for event in poll.events]
    shown = [event for event, named in ours if named.users or named.groups]
    hooked.log_showed(shown, job.clock(), listens=job.settings.hooks.come)
    fresh = [(e, each) for e, each in ours if not hooked.is_seen(e, keys(each.users, each.groups))]
    named = nominate([*strangers, *(event for event, _ in fresh)], known)
    leaving = keys([user for e, each in fresh if is_leaving(e.kind) for user in each.users], ())
    seen.keep_strangers(event for event, named in ours if not named)
    for event, each in fresh:
        seen.happened(keys(each.users, each.groups), event.published)
    seen.name(named, leaving)
    if named.everything:
        seen.owe(named.everything)
    if poll.cursor != CURSOR.of(job.store):
        PENDING.remember(job.store, seen.kept())
        CURSOR.remember(job.store, poll.cursor)
    seen.remember(poll.events, len(strangers))
    return named.before_long


def _known(job: Job) -> Known:
    store = job.store
    return Known(
        app_id=job.settings.okta.app_id,
        user=lambda okta_id: store.user(okta_id) is not None,
        group=lambda okta_id: store.group(okta_id) is not None,
        any_group=job.rules.needs_every_group,
    )


def _larger_than_everything(job: Job, objects: int) -> str:
    """Two requests for each object, against the pages of a full read."""
    if objects <= BY_ID_AT_MOST:
        return ""
    population = job.store.population()
    full = math.ceil(population.users / _USERS_A_PAGE) + math.ceil(population.groups / _GROUPS_A_PAGE)
    return "more happened than a full read costs" if 2 * objects > full + population.groups else ""


@dataclass(frozen=True, slots=True)
class NamedLook:
    """Okta ids to look at; of `lists` the member list is read too, because it could not be read before. `left`: (group
    id, user id) of who left a group, says the log. `hearsay`: what only event hooks name.
    """

    users: Sequence[str]
    groups: Sequence[str]
    lists: frozenset[str]
    left: frozenset[tuple[str, str]]
    hearsay: AbstractSet[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class LookOutcome:
    """No result when nothing was to be done. `unread`: what could not be read, or all of it when what was read did not
    reach the store; `refused`: what of it Okta does not let be read.
    """

    result: RunResult | None
    unread: AbstractSet[Key]
    refused: AbstractSet[Key] = frozenset()
    moved: AbstractSet[Key] = frozenset()
    """Of whom something new was seen."""
    updated: Mapping[Key, datetime] = field(default_factory=dict)
    """When Okta had updated what was read."""
    looked_at: AbstractSet[Key] = frozenset()
    """Also who was looked at because a name became free."""
    nothing: AbstractSet[Key] = frozenset()
    """What only hooks named, nobody knew, and is not there: the store keeps no word of it."""


def look_at(job: Job, named: NamedLook, in_flight: AbstractSet[str] | None = None) -> LookOutcome:
    """Read, plan and write. No run is written down where nothing is to be done. `in_flight`: keys of objects that
    another run of this process is writing; None where nobody is, so that what is open was left by the dead.
    """
    run = CycleRun(job, "delta")
    everything = keys(named.users, named.groups)
    try:
        refuse_other_target(job)
        unsettled = settle_open_intents(job) if in_flight is None else frozenset(in_flight)
        stage, reading = staged(job, lambda stage: _read(job, named, stage))
        planned = planned_from(job, "delta", stage, reading, {}, unsettled)
    except SyncdError:
        with run:  # which has failed
            raise
        return LookOutcome(run.result, everything)
    with planned:
        if planned.is_quiet:
            job.store.absorb(planned.stage, confirmed_absent=planned.planning.left)
            remember_what_was_seen(job, planned, whole=False)
            remember_left(job, planned, (), whole=False)
            return LookOutcome(
                None,
                frozenset(),
                updated=reading.updated,
                looked_at=reading.looked_at,
                nothing=reading.nothing,
            )
        moved = {_key(change) for change in _all_changes(planned)}
        with run:
            run.write(planned)
        if not run.absorbed or run.ended_early:
            return LookOutcome(run.result, everything)
        return LookOutcome(
            run.result,
            frozenset(reading.unread),
            frozenset(reading.refused),
            moved,
            reading.updated,
            reading.looked_at,
            reading.nothing,
        )


def _all_changes(planned: Planned) -> Iterator[Change]:
    yield from planned.changes()
    for hold in planned.header.holds:
        yield from planned.held(hold.id)


def _key(change: Change) -> Key:
    return ("group" if change.kind in GROUP_KINDS else "user", change.okta_id)


def _read(job: Job, named: NamedLook, stage: Stage) -> NamedReading:
    reading = read_selected(
        job,
        stage,
        named.users,
        named.groups,
        member_lists=named.lists,
        by_id_at_most=len(named.users),
        hearsay=named.hearsay,
    )
    read_whom_it_frees(job, stage, reading)
    reading.announced = named.left
    return reading
