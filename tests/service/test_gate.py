"""Which cycles of a connection may run, and when what waits for them is done."""

from __future__ import annotations

import threading

from syncd.service.gate import Gate


def test_a_change_is_made_as_soon_as_the_last_cycle_has_ended_and_waits_for_no_other() -> None:
    gate, made = Gate(threading.Event()), list[str]()
    with gate.place("full"):
        with gate.place("delta"):
            gate.change(lambda: made.append("new settings"))
        assert not made
    assert made == ["new settings"]


def test_a_change_is_made_at_once_where_nothing_runs() -> None:
    gate, made = Gate(threading.Event()), list[str]()
    gate.change(lambda: made.append("new settings"))
    assert made == ["new settings"]


def test_no_cycle_begins_beside_one_that_a_change_waits_for() -> None:
    gate, made = Gate(threading.Event()), list[str]()
    with gate.place("full"):
        gate.change(lambda: made.append("older"))
        gate.change(lambda: made.append("newer"))
        with gate.place("delta") as mine:
            assert not mine
    assert made == ["newer"]
    with gate.place("delta") as mine:
        assert mine


def test_whoever_was_turned_away_because_new_settings_wait_is_called_once_they_count() -> None:
    made = list[str]()
    gate = Gate(threading.Event(), lambda kind: made.append(f"again: {kind}"))
    with gate.place("full"):
        with gate.place("delta"):
            gate.change(lambda: made.append("new settings"))
            with gate.place("delta") as mine:  # has its turn already
                assert not mine
            with gate.place("drift") as mine:
                assert not mine
            with gate.place("drift") as mine:
                assert not mine
        assert made == []
    assert made == ["new settings", "again: drift"]


def test_nobody_is_called_again_where_none_begins_any_more() -> None:
    made = list[str]()
    gate = Gate(threading.Event(), made.append)
    with gate.place("full"):
        gate.change(lambda: None)
        with gate.place("drift") as mine:
            assert not mine
        gate.retire(lambda: made.append("closed"))
    assert made == ["closed"]
