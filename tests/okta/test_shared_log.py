"""One System Log for several connections: whatever is asked, late, twice or never, each is shown what polling alone
would have shown it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.errors import PermanentError, TemporaryError
from syncd.model import LogEvent
from syncd.okta import log_book
from syncd.okta.shared_log import Follower, SharedLog
from syncd.ports import LogPage
from tests.service.supervisor import eventually

FRESH = 24.0


def event(number: int) -> LogEvent:
    return LogEvent(f"e{number}", "user.lifecycle.create", [("User", f"00u{number}")])


def nothing() -> None:
    """Happens."""


@dataclass
class Log:
    """Okta's own: whoever asks at a place is told what follows it. `sticky`: a place is one and the same for all who
    are at it; else it is made up anew for each who asks. `lags`: seconds by which an answer may be behind. `meanwhile`:
    what happens between question and answer.
    """

    sticky: bool = True
    lags: float = 0.0
    page: int = 1000
    now: float = 0.0
    events: list[tuple[float, LogEvent]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    meanwhile: Callable[[], None] = nothing
    dice: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311  (dice)

    def happen(self, number: int) -> None:
        self.events.append((self.now, event(number)))

    def _place(self, position: int) -> str:
        return f"{position}" if self.sticky else f"{position}?{len(self.asked)}"

    def _visible(self) -> int:
        lag = self.dice.uniform(0, self.lags)
        return sum(at <= self.now - lag for at, _ in self.events)

    def begin(self) -> LogPage:
        self.asked.append("begin")
        return LogPage([], self._place(self._visible()), full=False)

    def ask(self, place: str) -> LogPage:
        self.asked.append(place)
        self.meanwhile()
        if place in self.refuses:
            raise PermanentError("this place is not taken any more", status=400)
        start = int(place.partition("?")[0])
        end = max(start, min(self._visible(), start + self.page))
        cursor = self._place(end) if end > start or not self.sticky else place
        return LogPage([each for _, each in self.events[start:end]], cursor, full=end - start == self.page)


class Connection:
    """One that follows the log as a delta does: its place is stored after what it was handed."""

    def __init__(self, name: str, shared: SharedLog, log: Log) -> None:
        self.name, self.shared, self.log = name, shared, log
        self.member = Follower(name, FRESH, nothing)
        self.seen: set[str] = set()
        self.storms = 0
        """Deltas that found no end, each of which has everything read."""
        shared.join(self.member)
        self.place = shared.begin(log.begin).cursor
        self.since = int(self.place.partition("?")[0])

    def delta(self, pages: int = 10) -> None:
        shared = self.shared
        shared.join(self.member)
        for _ in range(pages):
            page = shared.page(self.member, self.place, self.log.ask)
            self.seen |= {each.uuid for each in page.events}
            self.place = page.cursor
            before = {
                each.uuid for _, each in self.log.events[self.since : int(self.place.partition("?")[0])]
            }
            assert before <= self.seen, "what lies before its place it was shown"
            if not page.full:
                return
        self.storms += 1


Joins = Callable[[], SharedLog]
"""What the next connection shares with those before."""


@pytest.fixture
def log() -> Log:
    return Log()


def shared_of(log: Log) -> SharedLog:
    return SharedLog(lambda: log.now)


@pytest.fixture
def joins(log: Log) -> Joins:
    shared = shared_of(log)
    return lambda: shared


def two(joins: Joins, log: Log) -> tuple[Connection, Connection]:
    return Connection("one", joins(), log), Connection("other", joins(), log)


def test_fifteen_connections_ask_as_often_as_one(log: Log, joins: Joins) -> None:
    alike = [Connection(f"c{number}", joins(), log) for number in range(15)]
    for round_ in range(10):
        log.happen(round_)
        for each in alike * 2:  # whoever was woken comes twice
            each.delta()
        log.now += 30.0
    assert len(log.asked) == 1 + 10, "one begins for all, and one asks for all in each round"
    assert all(each.seen == {f"e{number}" for number in range(10)} for each in alike)


def test_whoever_is_alone_asks_each_time(log: Log) -> None:
    shared = shared_of(log)
    one = Connection("one", shared, log)
    for _ in range(3):
        one.delta()
    assert len(log.asked) == 4


def test_whoever_is_told_of_events_wakes_the_others_and_a_quiet_answer_nobody(log: Log) -> None:
    shared, woken = shared_of(log), []
    one, other = (Connection(name, shared, log) for name in ("one", "other"))
    other.member = Follower("other", FRESH, lambda: woken.append("other"))
    one.member = Follower("one", FRESH, lambda: woken.append("one"))
    shared.join(other.member)
    shared.join(one.member)
    one.delta()
    assert woken == []
    log.happen(1)
    log.now += 30
    one.delta()
    assert woken == ["other"]
    other.delta()
    assert (woken, other.seen) == (["other"], {"e1"})


def test_those_whose_places_differ_come_together(log: Log, joins: Joins) -> None:
    """As after the start of a process, with stored places that are no two alike."""
    log.sticky = False
    alike = [Connection(f"c{number}", joins(), log) for number in range(5)]
    for each in alike:
        each.place = log.begin().cursor
    for round_ in range(8):
        log.asked.clear()
        for each in alike:
            each.delta()
        log.now += 30
        log.happen(round_)
    assert len(log.asked) == 1
    assert all(each.seen == {f"e{number}" for number in range(7)} for each in alike)


def test_a_place_that_okta_takes_no_more_is_not_handed_to_whoever_begins_anew(log: Log, joins: Joins) -> None:
    one, other = two(joins, log)
    log.refuses.add(one.place)
    for each in (one, other):
        with pytest.raises(PermanentError):
            each.delta()
        log.happen(1)
        log.now += 1
        begin_anew_if_refused(each)
        assert each.place not in log.refuses
        each.delta()


def test_who_is_led_to_the_others_is_shown_again_what_an_answer_that_lagged_did_not_show(
    log: Log, joins: Joins
) -> None:
    log.sticky = False
    one, other = two(joins, log)
    other.place = log.begin().cursor
    one.delta()
    log.now += 200
    log.happen(1)
    log.now += 50
    one.delta()
    log.lags, log.dice = 100.0, Late()
    other.delta()
    assert "e1" in other.seen
    log.lags = 0.0
    log.now += 60
    log.asked.clear()
    for each in (one, other):
        each.delta()
    assert len(log.asked) == 1, "they are at one place now"


def test_who_is_led_to_the_others_is_shown_what_came_while_their_question_lasted(
    log: Log, joins: Joins
) -> None:
    log.sticky = False
    one, other = two(joins, log)
    other.place = log.begin().cursor
    one.delta()

    def waits_for_its_turn() -> None:
        log.now += 125
        log.happen(1)

    log.now += 60
    log.meanwhile = waits_for_its_turn
    one.delta()
    log.meanwhile = nothing
    log.now += 5
    log.lags, log.dice = 100.0, Late()
    other.delta()
    log.lags, log.now = 0.0, log.now + 200
    other.delta()
    assert "e1" in other.seen


class Late(random.Random):
    """Every answer is as late as it may be."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def test_a_full_page_is_followed_by_the_next_one_whoever_asked_for_the_first(log: Log, joins: Joins) -> None:
    log.page = 2
    one, other = two(joins, log)
    for number in range(5):
        log.happen(number)
    one.delta(pages=1)
    other.delta()
    assert other.seen == {f"e{number}" for number in range(5)}


@pytest.mark.parametrize("fails", [False, True])
def test_who_comes_while_another_one_asks_gets_the_same_answer_and_the_same_failure(
    log: Log, *, fails: bool
) -> None:
    shared = shared_of(log)
    one, other = (Connection(name, shared, log) for name in ("one", "other"))
    log.happen(1)
    asks, release = threading.Event(), threading.Event()
    told: list[object] = []

    def slow(place: str) -> LogPage:
        asks.set()
        assert release.wait(30)
        if fails:
            raise TemporaryError("Okta does not answer")
        return log.ask(place)

    def delta(each: Connection, ask: Callable[[str], LogPage]) -> None:
        try:
            told.append([e.uuid for e in shared.page(each.member, each.place, ask).events])
        except TemporaryError as error:
            told.append(error.message)

    log.now += 60
    log.asked.clear()
    first = threading.Thread(target=delta, args=(one, slow))
    first.start()
    assert asks.wait(30)
    second = threading.Thread(target=delta, args=(other, log.ask))
    second.start()
    eventually(lambda: shared.waiting == 1, "the other one waits")
    release.set()
    for each in (first, second):
        each.join(30)
    assert told == [["e1"] if not fails else "Okta does not answer"] * 2
    assert len(log.asked) == (0 if fails else 1)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["delta", "delta", "delta", "happen", "wait", "restart", "another", "leave", "refuse"]
        ),
        st.integers(0, 4),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(
    acts=ACTS, sticky=st.booleans(), lags=st.sampled_from([0.0, 60.0, 110.0]), page=st.sampled_from([2, 1000])
)
def test_each_is_shown_what_polling_alone_would_show_it(
    acts: Sequence[tuple[str, int]], *, sticky: bool, lags: float, page: int
) -> None:
    log = Log(sticky=sticky, lags=lags, page=page)
    shared = shared_of(log)
    everybody = [Connection(f"c{number}", shared, log) for number in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_book, "EVENTS_KEPT", 6)
        patch.setattr(log_book, "PLACES_KEPT", 8)
        patch.setattr(log_book, "HANDED_AT_MOST", 3)
        for act, number in acts:
            one = everybody[number % len(everybody)]
            match act:
                case "happen":
                    log.happen(len(log.events))
                case "wait":
                    log.now += (1, 12, 30, 130, 700)[number]
                case "restart":  # places are stored, and what others were told is not
                    shared = shared_of(log)
                    for each in everybody:
                        each.shared = shared
                case "another":
                    everybody.append(Connection(f"c{len(everybody)}", shared, log))
                case "leave":
                    shared.leave(one.name)
                case "refuse":
                    log.refuses.add(one.place)
                    begin_anew_if_refused(one)
                case _:
                    begin_anew_if_refused(one)
        for each in everybody * 2:  # who has to begin anew has its first delta later
            log.now += 200.0
            begin_anew_if_refused(each, pages=200)
        for each in everybody:
            assert each.seen >= {of.uuid for _, of in log.events[each.since :]}


def begin_anew_if_refused(one: Connection, pages: int = 10) -> None:
    """As a delta does: a full cycle sees what happened before the place where it begins anew."""
    try:
        one.delta(pages)
    except PermanentError:
        one.place = one.shared.begin(one.log.begin).cursor
        one.since = max(one.since, int(one.place.partition("?")[0]))
