"""When full cycles come that the System Log asks for, and those that failed."""

from __future__ import annotations

import pytest

from syncd.ports import LISTS_LAG
from syncd.service.full_turns import LONG_REST, REST, RETRY, FullTurns


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> FullTurns:
    """One full cycle has just ended; it took 100 seconds."""
    now = [1_000.0]
    monkeypatch.setattr("syncd.service.full_turns.time.monotonic", lambda: now[0])
    made = FullTurns()
    made.begins()
    made.reads()
    now[0] += 100.0
    made.ended()
    return made


def test_a_storm_may_take_half_of_the_time_and_imports_a_tenth(turns: FullTurns) -> None:
    assert turns.ask(LONG_REST) == pytest.approx(900)
    assert turns.ask(REST) == pytest.approx(100)


def test_what_is_urgent_stays_urgent_when_an_import_ends_after_it(turns: FullTurns) -> None:
    turns.ask(REST)
    turns.ask(LONG_REST)

    assert turns.after_this() == pytest.approx(100)


def test_imports_that_end_while_a_full_cycle_runs_ask_for_one_more_and_not_for_one_each(
    turns: FullTurns,
) -> None:
    turns.begins()
    assert turns.after_this() is None
    for _ in range(3):
        turns.ask(LONG_REST)
    assert turns.after_this() == pytest.approx(900)

    turns.begins()

    assert turns.after_this() == LISTS_LAG.total_seconds(), "what was asked for need not be in the lists yet"
    turns.begins()
    assert turns.after_this() is None, "by now it is"


def test_a_full_cycle_with_which_following_the_log_begins_is_repeated_when_lists_show_what_was_before(
    turns: FullTurns,
) -> None:
    turns.begins()
    turns.for_log = True

    assert turns.after_this() == LISTS_LAG.total_seconds()
    turns.begins()
    assert turns.after_this() is None


def test_what_failed_is_tried_again_after_growing_times_and_from_the_first_after_a_success(
    turns: FullTurns,
) -> None:
    assert [turns.retry(failed=True) for _ in range(5)] == [*RETRY, RETRY[-1]]
    assert turns.retry(failed=False) is None
    assert turns.retry(failed=True) == RETRY[0]
