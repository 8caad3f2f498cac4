"""Event hooks and the System Log together: whatever comes late, twice, out of order or never, the end is the same, and
nothing is paid twice without evidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.core.groups import RuleBook
from syncd.core.hooks import Key, names_of, read_events, strangers_among
from syncd.core.nomination import Known
from syncd.core.safety import LIMITS
from syncd.engine.cycles.delta import Delta, delta
from syncd.engine.cycles.hooked import AGAIN_AFTER, NAMES_AT_MOST, OVERDUE, Hooked
from syncd.engine.cycles.seen import Seen
from syncd.engine.facts import HOOKED
from syncd.engine.job import Job
from syncd.model import LogEvent
from syncd.simulators.world import OktaWorld
from tests.chaos.arena import Arena
from tests.e2e.test_delta import exact, forget, okta_reads, opened, quiet

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
ADA: Key = ("user", "00u1")


@dataclass
class Both:
    """A connection that hears hooks and polls; `posted` are the events that Okta could have sent."""

    made: Arena
    seen: Seen = field(default_factory=Seen)
    now: float = 1000.0
    hooked: Hooked = field(init=False)
    posted: int = 0
    job: Job | None = None
    """One that is open already, for all that comes."""

    def __post_init__(self) -> None:
        self.hooked = Hooked(lambda: self.now)
        self.posted = len(self.made.okta.world.events)

    def events(self) -> Sequence[Mapping[str, Any]]:
        """Since the last time, as Okta would post them."""
        found = [event.body for event in self.made.okta.world.events[self.posted :]]
        self.posted = len(self.made.okta.world.events)
        return found

    def post(self, events: Sequence[Mapping[str, Any]]) -> None:
        """As the listener and the connection take a post."""
        url = self.made.settings.okta.org_url
        body = {
            "eventType": "com.okta.event_hook",
            "source": f"{url}/api/v1/eventHooks/who1",
            "data": {"events": list(events)},
        }
        found = read_events(json.dumps(body).encode(), url)
        with self.opened() as job:
            known = Known(
                job.settings.okta.app_id,
                user=lambda each: job.store.user(each) is not None,
                group=lambda each: job.store.group(each) is not None,
                any_group=RuleBook(job.settings.push_groups).needs_every_group,
            )
            named = names_of(found, known, job.clock())
            self.hooked.put(named, found, job.clock(), strangers_among(named, known))
            self.hooked.keep(lambda text: HOOKED.remember(job.store, text))

    def opened(self) -> AbstractContextManager[Job]:
        return opened(self.made) if self.job is None else nullcontext(self.job)

    def delta(self) -> Delta:
        with self.opened() as job:
            return delta(job, self.seen, self.hooked)

    def dies(self) -> None:
        """What is in memory only is lost."""
        self.seen, self.hooked = Seen(), Hooked(lambda: self.now)

    def lag(self, *, log: bool, objects: bool) -> None:
        """The log, and answers by id, show the world as it was."""
        by = 3600.0
        self.made.okta.set_knobs(
            log_delay_seconds=by if log else 0.0,
            object_lag_seconds=by if objects else 0.0,
            list_lag={"own_groups": by, "members": by} if objects else {},
        )


@contextmanager
def both(folder: Path) -> Iterator[Both]:
    okta = OktaWorld()
    people = [okta.add_user(f"p{n}@example.com", "P", f"{n}", assign=True) for n in range(8)]
    okta.create_group("push-crew", members=people[:4])
    unlimited = "".join(f'{rule.key} = "100%"\n' for rule in LIMITS)
    with quiet(folder, okta, tables={"safety": unlimited}) as made:
        yield Both(made)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Both]:
    with both(tmp_path) as found:
        yield found


def reads_of_people(made: Arena) -> int:
    return sum(count for path, count in okta_reads(made).items() if path.startswith("apps/*/users/*"))


@contextmanager
def at_one_moment(okta: OktaWorld) -> Iterator[None]:
    """What is done has the stamp of its event; else that may be of a millisecond later, which is no evidence."""
    clock, now = okta.clock, okta.clock()
    okta.clock = lambda: now
    try:
        yield
    finally:
        okta.clock = clock


# evidence


def test_the_logs_copy_of_a_hook_costs_nothing_once_okta_shows_the_change(two: Both) -> None:
    two.lag(log=True, objects=False)
    with at_one_moment(two.made.okta.world):
        two.made.okta.world.update_profile("p1@example.com", lastName="Moved", directory=False)
    [event] = two.events()
    two.post([event])
    two.delta()
    assert exact(two.made)
    forget(two.made)

    two.lag(log=False, objects=False)
    two.delta()
    assert reads_of_people(two.made) == 0


def test_without_evidence_the_logs_copy_is_read_once_more(two: Both) -> None:
    two.lag(log=True, objects=True)
    two.made.okta.world.update_profile("p1@example.com", lastName="Moved")
    two.post(two.events())
    two.delta()
    assert not exact(two.made)

    two.lag(log=False, objects=False)
    two.delta()
    assert exact(two.made)


def test_what_showed_nothing_is_looked_at_once_more_and_then_left_to_the_log(two: Both) -> None:
    two.lag(log=True, objects=True)
    two.made.okta.world.update_profile("p1@example.com", lastName="Moved")
    two.post(two.events())
    two.delta()
    assert two.hooked.waits() == AGAIN_AFTER
    forget(two.made)
    two.delta()
    assert reads_of_people(two.made) == 0

    two.now += AGAIN_AFTER
    two.delta()
    assert reads_of_people(two.made) == 1
    assert two.hooked.waits() is None


def test_a_change_of_one_person_costs_two_requests_twice_at_the_most(two: Both) -> None:
    two.made.okta.world.add_member("push-crew", "p6@example.com")
    events = two.events()
    forget(two.made)
    two.post(events)
    two.delta()
    two.delta()
    reads = okta_reads(two.made)

    assert exact(two.made)
    assert reads["apps/*/users/*"] <= 2
    assert reads["users/*/groups"] <= 2


def test_a_hook_is_no_witness_of_a_removal_and_asks_for_no_full_read(two: Both) -> None:
    two.lag(log=True, objects=False)
    two.made.okta.world.remove_member("push-crew", "p1@example.com")
    two.post(two.events())

    assert two.seen.left == set()
    assert two.delta().everything == ""


def test_what_a_hook_named_outlives_the_process(two: Both) -> None:
    two.lag(log=True, objects=False)
    two.made.okta.world.update_profile("p1@example.com", lastName="Moved")
    two.post(two.events())
    two.dies()

    two.delta()
    assert exact(two.made)


def test_garbage_in_the_store_is_left_to_the_log() -> None:
    for text in (
        "*",
        "user:00u1",
        "user:00u1=x=y=1",
        "user:=2026-03-01T00:00:00Z=2026-03-01T00:00:00Z=1",
        "\0" * 9,
    ):
        hooked = Hooked()
        hooked.restore(text)
        assert hooked.due() == {}


# the end


ACTS = ("move", "assign", "unassign", "deactivate", "activate", "join", "leave")
STEP = st.one_of(
    st.tuples(st.just("act"), st.sampled_from(ACTS), st.integers(0, 7)),
    st.tuples(st.just("post"), st.integers(0, 3), st.booleans()),
    st.tuples(st.just("lag"), st.booleans(), st.booleans()),
    st.tuples(st.just("delta"), st.booleans(), st.just(0)),
)


def act(okta: OktaWorld, what: str, who: int) -> None:
    email = f"p{who}@example.com"
    assigned = okta.user(email).id in okta.app_users
    status = okta.user(email).status
    match what:
        case "move":
            okta.update_profile(email, lastName=f"Moved {len(okta.events)}")
        case "assign" if not assigned and status == "ACTIVE":
            okta.assign(email)
        case "unassign" if assigned:
            okta.unassign(email, everywhere=True)
        case "deactivate" if status == "ACTIVE":
            okta.set_user_status(email, "DEPROVISIONED")
        case "activate" if status == "DEPROVISIONED":
            okta.set_user_status(email, "ACTIVE")
        case "join" if status == "ACTIVE":
            okta.add_member("push-crew", email)
        case "leave":
            okta.remove_member("push-crew", email)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEP, min_size=4, max_size=20), st.randoms(use_true_random=False))
def test_the_end_is_that_of_polling_alone(steps: list[tuple[Any, Any, Any]], dice: Any) -> None:
    """Hooks come late, twice, out of order or never, before the log, and while answers by id lag behind."""
    with TemporaryDirectory() as folder, both(Path(folder)) as two:
        kept: list[Mapping[str, Any]] = []
        for step, one, other in steps:
            if step == "act":
                act(two.made.okta.world, one, other)
            elif step == "lag":  # an answer by id is never older than what the log shows
                two.lag(log=one or other, objects=one)
            elif step == "delta":
                two.delta()
                two.now += 6.0 if one else 0.5
            else:
                kept += two.events()
                dice.shuffle(kept)
                posted, kept = kept[:one], kept[one if other else 0 :]
                two.post(posted)
        two.lag(log=False, objects=False)
        for _ in range(3):
            two.now += 10.0
            two.delta()

        assert exact(two.made)
        assert two.seen.pending == {}
        assert two.hooked.due() == {}


# the memory of hooks alone


def event(kind: str = "user.account.update_profile", uuid: str = "e1", at: datetime = NOW) -> LogEvent:
    return LogEvent(uuid, kind, [("User", "00u1")], at)


def named(*events: LogEvent) -> Mapping[Key, Any]:
    return names_of(events, Known("0oa1", lambda _: True, lambda _: True, any_group=False), NOW)


def test_no_more_names_wait_than_are_asked_for_by_id() -> None:
    hooked = Hooked()
    many = [LogEvent(f"e{n}", "user.lifecycle.suspend", [("User", f"00u{n}")], NOW) for n in range(500)]
    hooked.put(named(*many), many, NOW)

    assert len(hooked.due()) == NAMES_AT_MOST


def test_a_name_that_comes_anew_while_it_is_looked_at_is_looked_at_again() -> None:
    hooked = Hooked()
    hooked.put(named(event()), [event()], NOW)
    looked = hooked.due()
    later = event(uuid="e2", at=NOW - timedelta(seconds=1))
    hooked.put(
        names_of([later], Known("0oa1", lambda _: True, lambda _: True, any_group=False), NOW), [later], NOW
    )
    hooked.put(named(event(uuid="e3", kind="user.lifecycle.suspend")), [], NOW)
    hooked.looked(looked, {ADA}, {}, set())

    assert ADA in hooked.due()


@pytest.mark.parametrize(
    ("updated", "kind", "skipped"),
    [
        (NOW, "application.user_membership.update", True),
        (NOW + timedelta(seconds=5), "application.user_membership.add", True),
        (NOW - timedelta(milliseconds=1), "application.user_membership.update", False),
        (NOW, "application.user_membership.remove", False),
        (NOW, "user.account.update_profile", False),
        (NOW, "user.lifecycle.suspend", False),
        (NOW, "group.user_membership.add", False),
        (None, "application.user_membership.update", False),
    ],
)
def test_evidence_is_an_update_of_the_assignment_at_or_after_an_event_about_it(
    updated: datetime | None, kind: str, skipped: bool
) -> None:
    hooked = Hooked()
    hooked.put({ADA: next(iter(named(event()).values()))}, [event(kind)], NOW)
    hooked.looked(hooked.due(), set(), {} if updated is None else {ADA: updated}, set())

    assert hooked.is_seen(event(kind), {ADA}) is skipped
    assert not hooked.is_seen(event(kind), {ADA, ("user", "00u2")})


def test_hooks_are_healthy_while_they_bring_what_the_log_shows() -> None:
    hooked = Hooked()
    assert not hooked.is_healthy
    hooked.put(named(event()), [event()], NOW)
    assert hooked.is_healthy

    hooked.log_showed([event(uuid="e2")], NOW, listens=True)
    hooked.log_showed([], NOW + OVERDUE / 2, listens=True)
    assert hooked.is_healthy
    hooked.log_showed([], NOW + OVERDUE, listens=True)
    assert not hooked.is_healthy
    assert hooked.missed == "user.account.update_profile"

    late = event(uuid="e3", at=NOW + OVERDUE)
    hooked.put(named(late), [late], NOW + OVERDUE)
    assert hooked.is_healthy


def test_a_hook_that_is_late_but_comes_is_not_missed() -> None:
    hooked = Hooked()
    hooked.put(named(event()), [event()], NOW)
    hooked.log_showed([event(uuid="e2")], NOW, listens=True)
    hooked.put(named(event(uuid="e2")), [event(uuid="e2")], NOW + OVERDUE / 2)
    hooked.log_showed([], NOW + 2 * OVERDUE, listens=True)

    assert hooked.is_healthy


def test_events_that_no_hook_can_bring_are_not_missed() -> None:
    hooked = Hooked()
    hooked.put(named(event()), [event()], NOW)
    hooked.log_showed([event("application.user_membership.change_username", "e2")], NOW, listens=True)
    hooked.log_showed([], NOW + 2 * OVERDUE, listens=True)

    assert hooked.is_healthy


def test_what_an_earlier_process_may_have_been_told_is_not_missed() -> None:
    """Its hooks are forgotten, and the log is asked rarely while they come."""
    hooked = Hooked()
    hooked.log_showed([event(uuid="e2", at=NOW - timedelta(minutes=1))], NOW, listens=True)
    hooked.log_showed([], NOW + 2 * OVERDUE, listens=True)

    assert hooked.missed == ""


def test_who_does_not_listen_misses_nothing_and_begins_anew_when_they_do() -> None:
    hooked = Hooked()
    hooked.log_showed([event(uuid="e2")], NOW, listens=False)
    hooked.log_showed([event(uuid="e3")], NOW + 2 * OVERDUE, listens=True)
    hooked.log_showed([], NOW + 4 * OVERDUE, listens=True)

    assert hooked.missed == ""
