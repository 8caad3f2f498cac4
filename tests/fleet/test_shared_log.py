"""One System Log for the connections of several workers: whatever is asked, late, twice or never, and whoever is lost
meanwhile, each is shown what polling alone would have shown it.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.errors import PermanentError, SyncdError, TemporaryError
from syncd.model import LogEvent
from syncd.okta import log_book
from syncd.okta.fleet_log import FleetLog
from syncd.okta.shared_log import Follower, SharedLog
from syncd.ports import LogPage
from syncd.ports.org_log import ASKING_LASTS
from syncd.store.postgres import org_log, quick
from syncd.store.postgres.org_log import PostgresTrunks
from syncd.store.postgres.quick import Connection as Session
from tests.okta.test_shared_log import (
    FRESH,
    Connection,
    Joins,
    Log,
    begin_anew_if_refused,
    event,
    log,
    nothing,
    test_a_full_page_is_followed_by_the_next_one_whoever_asked_for_the_first,
    test_a_place_that_okta_takes_no_more_is_not_handed_to_whoever_begins_anew,
    test_fifteen_connections_ask_as_often_as_one,
    test_those_whose_places_differ_come_together,
    test_who_is_led_to_the_others_is_shown_again_what_an_answer_that_lagged_did_not_show,
    test_who_is_led_to_the_others_is_shown_what_came_while_their_question_lasted,
    two,
)

__all__ = [
    "log",
    "test_a_full_page_is_followed_by_the_next_one_whoever_asked_for_the_first",
    "test_a_place_that_okta_takes_no_more_is_not_handed_to_whoever_begins_anew",
    "test_fifteen_connections_ask_as_often_as_one",
    "test_those_whose_places_differ_come_together",
    "test_who_is_led_to_the_others_is_shown_again_what_an_answer_that_lagged_did_not_show",
    "test_who_is_led_to_the_others_is_shown_what_came_while_their_question_lasted",
]
"""Those of one process, here with several workers."""

ORG = 4711
_EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
_LONG = "SYNCD_LONG_SHARED_LOG"
"""An environment variable: how many courses are tried."""


class TimedLogs(PostgresTrunks):
    """The database's time is that of the log. `fails`: acts that fail yet, `late` when what they did was done."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.log = Log()
        self.fails, self.late = 0, False

    def _rows(self, session: Session, statement: str, given: Any) -> list[dict[str, Any]]:
        failing, self.fails = self.fails > 0, max(0, self.fails - 1)
        if failing and not self.late:
            raise TemporaryError("the database is away")
        now = (_EPOCH + timedelta(seconds=self.log.now)).isoformat()
        found = super()._rows(session, statement.replace("clock_timestamp()", f"'{now}'::timestamptz"), given)
        if failing:
            raise TemporaryError("its answer was lost")
        return found


@pytest.fixture(scope="module")
def timed(prepared: str) -> Iterator[TimedLogs]:
    with TimedLogs(prepared) as logs:
        yield logs


def empty(logs: PostgresTrunks) -> None:
    """As after a crash of the database."""
    with logs._session.acting() as session:
        session.execute("TRUNCATE org_log, org_log_page")


def worker_of(log: Log, logs: PostgresTrunks, alone: Callable[[], bool] = lambda: False) -> SharedLog:
    """What the connections of another worker share. `alone`: nobody else has any of that org."""

    def wait(seconds: float) -> bool:
        log.now += seconds
        return False

    shared = FleetLog(ORG, logs, wait, lambda: log.now)
    return SharedLog(lambda: log.now, lambda _names: None if alone() else shared)


@pytest.fixture(params=[15, 3])
def joins(log: Log, timed: TimedLogs, request: pytest.FixtureRequest) -> Joins:
    """So many workers serve what comes, in turns."""
    timed.log, timed.fails = log, 0
    empty(timed)
    workers = itertools.cycle([worker_of(log, timed) for _ in range(request.param)])
    return lambda: next(workers)


def asks(log: Log, one: Connection) -> int:
    """How many questions its delta costs."""
    log.asked.clear()
    one.delta()
    return len(log.asked)


def test_what_another_worker_was_told_is_as_old_here_as_it_was_there(log: Log, joins: Joins) -> None:
    there = Connection("there", joins(), log)
    here = joins()
    one, other = (Connection(name, here, log) for name in ("one", "other"))
    log.now += 60
    assert asks(log, there) == 1
    log.now += 20
    assert asks(log, one) == 0
    log.now += 3
    assert asks(log, other) == 0
    log.now += 3
    assert asks(log, other) == 1, "26 seconds old, though handed here 6 seconds ago"
    assert asks(log, there) == asks(log, one) == 0


@pytest.mark.parametrize("names", [["one"], ["one", "other"]])
def test_whoever_hears_of_events_wakes_all_here_who_are_handed_them_without_a_question(
    log: Log, joins: Joins, names: list[str]
) -> None:
    there, here, woken = Connection("there", joins(), log), joins(), list[str]()
    alike = [Connection(name, here, log) for name in names]
    for each in alike:
        each.member = Follower(each.name, FRESH, partial(woken.append, each.name))
        each.delta()
    log.now += 25
    there.delta()
    for each in alike:
        each.delta()
    assert woken == []
    log.happen(1)
    log.now += 6
    there.member = Follower("there", 5.0, nothing)
    there.delta()
    here.heard()
    assert woken == names, "though what they know is fresh"
    assert sum(asks(log, each) for each in alike) == 0
    assert all("e1" in each.seen for each in alike)


def test_who_was_lost_in_the_middle_of_a_question_is_waited_for_and_no_longer(log: Log, joins: Joins) -> None:
    one, other = two(joins, log)

    def dies() -> None:
        raise Killed

    log.now, log.meanwhile = 60, dies
    with pytest.raises(Killed):
        one.delta()
    log.meanwhile = nothing
    log.happen(1)
    assert asks(log, other) == 1
    assert log.now == 60 + ASKING_LASTS
    assert "e1" in other.seen


@pytest.mark.parametrize("error", [TemporaryError("Okta does not answer"), PermanentError("", status=400)])
def test_whose_question_failed_is_not_waited_for(log: Log, joins: Joins, error: SyncdError) -> None:
    one, other = two(joins, log)

    def fails() -> None:
        raise error

    log.now, log.meanwhile = 60, fails
    with pytest.raises(type(error)):
        one.delta()
    log.meanwhile = nothing
    assert asks(log, other) == 1
    assert log.now == 60


def test_who_lost_the_asking_writes_nothing_down(log: Log, joins: Joins, timed: TimedLogs) -> None:
    joins()
    first = timed.start(ORG, "0", _EPOCH)
    assert first is not None
    assert timed.start(ORG, "5", _EPOCH) is None
    assert timed.take(ORG, timed.look(ORG, "0")) is None
    log.now += ASKING_LASTS + 1
    seen = timed.look(ORG, "0")
    second = timed.take(ORG, seen)
    assert second is not None

    assert not timed.told(ORG, first, "0", LogPage([event(1)], "1", full=False))
    assert timed.look(ORG, "0").end == "0"
    assert timed.told(ORG, second, "0", LogPage([event(1), event(2)], "2", full=False))
    assert not timed.told(ORG, second, "2", LogPage([event(3)], "3", full=False)), "once"
    assert timed.take(ORG, seen) is None, "somebody asked since it looked"
    found = timed.look(ORG, "0")
    assert found.follows == LogPage([event(1), event(2)], "2", full=False)

    log.now += 1
    seen = timed.look(ORG, "2")
    third = timed.take(ORG, seen)
    assert third is not None
    assert timed.told(ORG, third, "2", LogPage([], "2", full=False))
    assert timed.take(ORG, seen) is None, "somebody asked since, and nothing was new"


def test_a_clock_that_went_back_keeps_nobody_waiting_and_nothing_fresh(
    log: Log, joins: Joins, timed: TimedLogs
) -> None:
    log.now = 7200.0
    one, other = two(joins, log)
    one.delta()
    assert timed.take(ORG, timed.look(ORG, one.place)) is not None  # and is never heard of again
    log.now = 3600.0
    assert asks(log, other) == 1
    assert log.now == 3600.0
    assert asks(log, one) == 0


def test_events_without_a_place_after_them_are_shown_to_everybody(log: Log, joins: Joins) -> None:
    one, other = two(joins, log)

    def ask(place: str) -> LogPage:
        return LogPage([event(1)], place, full=False)

    for each in (one, other):
        page = each.shared.page(each.member, each.place, ask)
        assert [of.uuid for of in page.events] == ["e1"]


def test_what_is_kept_is_bounded_and_goes_when_nobody_asks(
    log: Log, joins: Joins, timed: TimedLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(org_log, "EVENTS_KEPT", 5)
    joins()
    asker, place = timed.start(ORG, "p0", _EPOCH), "p0"
    for number in range(1, 6):
        assert asker is not None
        page = LogPage([event(2 * number), event(2 * number + 1)], f"p{number}", full=False)
        assert timed.told(ORG, asker, place, page)
        asker, place = timed.take(ORG, timed.look(ORG, page.cursor)), page.cursor

    def known() -> list[str]:
        return [f"p{number}" for number in range(6) if timed.look(ORG, f"p{number}").follows is not None]

    assert known() == ["p3", "p4", "p5"]
    monkeypatch.setattr(org_log, "PAGES_KEPT", 2)
    assert asker is not None
    assert timed.told(ORG, asker, place, LogPage([], "p6", full=False))
    assert known() == ["p4", "p5"]
    log.now += 3500
    timed.forget()
    assert known() == ["p4", "p5"]
    log.now += 200
    timed.forget()
    assert timed.look(ORG, "p5").end is None


ODD = LogEvent("e\0\ud800'{}", "user.\n", [("User", "00uü\x85"), ("", "")], None)
WHEN = datetime(2026, 3, 1, 10, 0, 0, 123000, tzinfo=UTC)


def test_events_come_back_as_they_were_and_other_workers_hear_of_them(prepared: str) -> None:
    events = [ODD, LogEvent("uuid-1", "user.lifecycle.suspend", [("User", "00u1")], WHEN)]
    with PostgresTrunks(prepared) as one, PostgresTrunks(prepared) as other:
        empty(one)
        assert one.heard(0.0) == other.heard(0.0) == frozenset()  # from here on they listen
        for org, page in ((1, LogPage((), "b", full=False)), (2, LogPage(events, "b", full=False))):
            asker = one.start(org, "a", _EPOCH)
            assert asker is not None
            assert one.told(org, asker, "a", page)
        assert other.heard(30.0) == {2}, "not of an answer without events"
        assert other.look(2, "a").follows == LogPage(events, "b", full=False)
        assert other.look(1, "a").follows == LogPage([], "b", full=False)
        asker = other.take(1, other.look(1, "b"))
        assert asker is not None
        assert other.told(1, asker, "b", LogPage(events, "c", full=False))
        heard = one.heard(30.0)
        while not heard:  # its own were there first
            heard = one.heard(30.0)
        assert heard == {1}


def test_of_workers_that_want_to_ask_at_one_moment_one_does(prepared: str) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        workers = [stack.enter_context(PostgresTrunks(prepared)) for _ in range(4)]
        empty(workers[0])
        for place in ("a", "b", "c", "d"):
            begins = pool.map(lambda each, place=place: each.start(ORG, place, _EPOCH), workers)
            assert len([asker for asker in begins if asker]) == (1 if place == "a" else 0)
        with workers[0]._session.acting() as session:
            session.execute("UPDATE org_log SET asking_until = NULL")
        seen = workers[0].look(ORG, "a")
        for round_ in range(5):
            asking = list(pool.map(lambda each: each.take(ORG, seen), workers))
            assert len([asker for asker in asking if asker]) == (round_ == 0)


def test_a_database_that_is_away_is_not_waited_for_by_one_after_the_other(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def away(_url: str, name: str) -> Session:
        tried.append(name)
        raise TemporaryError("nobody listens")

    monkeypatch.setattr(quick, "quick_session", away)
    with PostgresTrunks("host=127.0.0.1 port=1") as logs:
        one, other = (Connection(name, worker_of(log, logs), log) for name in ("one", "other"))
        log.happen(1)
        assert asks(log, one) == asks(log, other) == 1
        assert "e1" in one.seen & other.seen
    assert len(tried) == 1


def test_without_the_tables_everybody_asks_for_himself(log: Log, database: str) -> None:
    with PostgresTrunks(database) as logs:
        with logs._session.acting() as session:
            session.execute("DROP TABLE org_log CASCADE")
        one, other = (Connection(name, worker_of(log, logs), log) for name in ("one", "other"))
        log.happen(1)
        assert asks(log, one) == asks(log, other) == 1


# any course of things

ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("delta", "delta", "delta", "happen", "happen", "wait", "meanwhile", "meanwhile", "killed"),
                *(
                    "restart",
                    "another",
                    "leave",
                    "move",
                    "refuse",
                    "fails",
                    "fails late",
                    "emptied",
                    "forget",
                    "alone",
                ),
            ]
        ),
        st.integers(0, 4),
    ),
    max_size=60,
)


class Killed(BaseException):
    """The process of who asks is."""


@dataclass
class Course:
    """Connections on three workers, and what happens to them."""

    log: Log
    logs: TimedLogs
    workers: list[SharedLog] = field(default_factory=list)
    everybody: list[Connection] = field(default_factory=list)
    alone: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.workers = [self.worker(number) for number in range(3)]
        for number in range(3):
            self.comes(number)

    def worker(self, number: int) -> SharedLog:
        return worker_of(self.log, self.logs, lambda: number in self.alone)

    def comes(self, number: int) -> None:
        name = f"c{len(self.everybody)}"
        self.everybody.append(Connection(name, self.workers[number % 3], self.log))

    def one(self, number: int) -> Connection:
        return self.everybody[number % len(self.everybody)]

    def restarts(self, number: int) -> None:
        """Places are stored, and what the worker was told is not."""
        before = self.workers[number % 3]
        self.workers[number % 3] = self.worker(number % 3)
        for each in self.everybody:
            if each.shared is before:
                each.shared = self.workers[number % 3]

    def happens(self, act: str, number: int) -> None:
        log, logs, one = self.log, self.logs, self.one(number)
        match act:
            case "happen":
                log.happen(len(log.events))
            case "wait":
                log.now += (1, 12, 30, 130, 700)[number]
            case "restart":
                self.restarts(number)
            case "another":
                self.comes(number)
            case "leave":
                one.shared.leave(one.name)
            case "move":
                one.shared.leave(one.name)
                one.shared = self.workers[number % 3]
            case "refuse":
                log.refuses.add(one.place)
                begin_anew_if_refused(one)
            case "fails" | "fails late":
                logs.fails, logs.late = number, act == "fails late"
                self.lets_others_in(one, number)
            case "emptied":
                empty(logs)
            case "forget":
                with suppress(TemporaryError):
                    logs.forget()
            case "alone":
                self.alone ^= {number % 3}
            case "meanwhile" | "killed":
                self.lets_others_in(one, number, killed=act == "killed")
            case _:
                begin_anew_if_refused(one)

    def lets_others_in(self, one: Connection, number: int, *, killed: bool = False) -> None:
        """Between its question and the answer time passes, something happens, and others on other workers look."""

        def meanwhile() -> None:
            self.log.meanwhile = nothing
            self.log.now += (0, 1, 14, 20, 130)[number]
            self.log.happen(len(self.log.events))
            for each in self.everybody:
                if each.shared is not one.shared:
                    begin_anew_if_refused(each)
            if killed:
                raise Killed

        self.log.meanwhile = meanwhile
        try:
            begin_anew_if_refused(one)
        except Killed:
            self.restarts(self.workers.index(one.shared))
        self.log.meanwhile = nothing

    def ends(self) -> None:
        for each in self.everybody * 2:  # who has to begin anew has its first delta later
            self.log.now += 200.0
            begin_anew_if_refused(each, pages=200)
        for each in self.everybody:
            assert each.seen >= {of.uuid for _, of in self.log.events[each.since :]}


def keeps_little(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(log_book, "EVENTS_KEPT", 6)
    patch.setattr(log_book, "PLACES_KEPT", 8)
    patch.setattr(log_book, "HANDED_AT_MOST", 3)
    patch.setattr(org_log, "EVENTS_KEPT", 6)
    patch.setattr(org_log, "PAGES_KEPT", 8)
    patch.setattr(org_log, "HANDED_AT_MOST", 3)


@settings(
    max_examples=int(os.environ.get(_LONG, "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    acts=ACTS,
    sticky=st.booleans(),
    lags=st.sampled_from([0.0, 60.0, 110.0]),
    page=st.sampled_from([2, 1000]),
    kept=st.sampled_from(["little", "all"]),
)
def test_each_is_shown_what_polling_alone_would_show_it(
    timed: TimedLogs, acts: Sequence[tuple[str, int]], *, sticky: bool, lags: float, page: int, kept: str
) -> None:
    timed.log = log = Log(sticky=sticky, lags=lags, page=page)
    timed.fails = 0
    timed._away_until = 0.0
    empty(timed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(org_log, "_AWAY_FOR", 0.0)
        if kept == "little":
            keeps_little(patch)
        course = Course(log, timed)
        for act, number in acts:
            course.happens(act, number)
        timed.fails = 0
        course.ends()
        if kept == "all" and page == 1000:
            assert [each.storms for each in course.everybody if each.storms] == []


def test_workers_that_ask_side_by_side_are_each_shown_everything(log: Log, prepared: str) -> None:
    pause = threading.Event()

    def follows(logs: PostgresTrunks) -> None:
        shared = FleetLog(ORG, logs, lambda _seconds: pause.wait(0.002))
        one = Connection("one", SharedLog(beyond=lambda _names: shared), log)
        one.member = Follower("one", 0.0, nothing)
        for _ in range(25):
            log.happen(len(log.events))
            one.delta(pages=1000)
        assert one.seen == {of.uuid for _, of in log.events[one.since : int(one.place)]}

    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        workers = [stack.enter_context(PostgresTrunks(prepared)) for _ in range(4)]
        empty(workers[0])
        for done in [pool.submit(follows, each) for each in workers]:
            done.result(120)
