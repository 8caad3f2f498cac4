"""How far ahead of the workers writes are journalled, and what their threads hand back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from syncd.core.change import Change, ChangeKind
from syncd.engine.writing import flight as module
from syncd.engine.writing.crew import Crew
from syncd.engine.writing.flight import LOT, Flight
from syncd.engine.writing.unit import Outcome, Unit
from syncd.errors import TemporaryError
from syncd.store.packs import FROM

WORKERS = 8
SOON = 20.0
NOTHING: Any = None


def unit(number: int) -> Unit:
    change = Change(
        ChangeKind.CREATE_USER, f"00u{number}", None, f"p{number}@example.com", {}, {}, "assigned"
    )
    return Unit([change], [number], {}, NOTHING, NOTHING, {})


def applied(each: Unit) -> Sequence[Outcome]:
    return [Outcome(each.change)]


@pytest.fixture
def crews() -> Iterator[Callable[[Callable[[Unit], Sequence[Outcome]]], Crew]]:
    made: list[Crew] = []

    def make(work: Callable[[Unit], Sequence[Outcome]]) -> Crew:
        made.append(Crew(WORKERS, work))
        return made[-1]

    yield make
    for crew in made:
        crew.dismiss(wait=True)


def lots(
    crew: Crew, monkeypatch: pytest.MonkeyPatch, *, rate: float, seconds: float
) -> list[tuple[int, int]]:
    """How many take off together, and how many are still under way then, of a target that ends so many a second."""
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    flight, numbers, under_way = Flight(crew, WORKERS, patience=SOON), 0, 0
    taken: list[tuple[int, int]] = []
    while now[0] < seconds:
        if room := flight.room():
            taken.append((room, under_way))
            for _ in range(room):
                flight.take_off(unit(numbers))
                numbers, under_way = numbers + 1, under_way + 1
        ended = len(flight.finished())
        under_way -= ended
        now[0] += ended / rate
        flight.adjust(well=True)
    return taken


def one_at_a_time(crew: Crew) -> Crew:
    """It hands back one for each time that it is asked."""
    take = crew.take
    crew.take = lambda timeout: take(timeout) if timeout >= SOON else None  # type: ignore[method-assign]
    return crew


def test_a_target_of_twenty_a_second_gets_its_intents_a_lot_at_a_time(
    crews: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = lots(one_at_a_time(crews(applied)), monkeypatch, rate=20.0, seconds=30.0)
    assert {together for together, _ in taken[-10:]} == {LOT}


def test_workers_have_enough_to_do_until_the_next_lot_is_journalled(
    crews: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outcomes wait a twentieth of a second for others before the next lot begins."""
    taken = lots(one_at_a_time(crews(applied)), monkeypatch, rate=160.0, seconds=10.0)
    assert {together for together, _ in taken[-10:]} == {LOT}
    assert min(left for _, left in taken[-10:]) >= WORKERS + 160 / 20


def test_a_target_of_five_a_second_has_few_intents_ahead(crews: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = lots(one_at_a_time(crews(applied)), monkeypatch, rate=5.0, seconds=30.0)
    assert max(together for together, _ in taken[1:]) < WORKERS


def test_a_quick_target_gets_half_of_what_is_ahead_at_a_time(
    crews: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = lots(one_at_a_time(crews(applied)), monkeypatch, rate=2000.0, seconds=3.0)
    assert {together for together, _ in taken[-10:]} == {16 * WORKERS}


def test_a_lot_is_a_pack_of_the_trail() -> None:
    assert LOT == FROM


def test_nothing_is_journalled_further_ahead_once_something_failed(crews: Any) -> None:
    def refused(each: Unit) -> Sequence[Outcome]:
        return [Outcome(each.change, error=TemporaryError("no"))]

    flight = Flight(crews(refused), WORKERS, patience=SOON)
    for number in range(2 * WORKERS):
        flight.take_off(unit(number))
    [first, *_] = flight.finished()
    assert first[1][0].error is not None
    flight.adjust(well=False)
    assert flight.room() < LOT


def test_what_its_work_raises_is_raised_to_whoever_takes_it(crews: Any) -> None:
    def broken(_: Unit) -> Sequence[Outcome]:
        raise ZeroDivisionError

    crew = crews(broken)
    crew.give(unit(1))
    with pytest.raises(ZeroDivisionError):
        crew.take(SOON)


def test_what_was_not_begun_when_a_crew_is_dismissed_is_not_begun() -> None:
    begun: list[int] = []
    going, on = threading.Event(), threading.Event()

    def held(each: Unit) -> Sequence[Outcome]:
        begun.append(each.sequences[0])
        going.set()
        on.wait(SOON)
        return applied(each)

    crew = Crew(1, held)
    crew.give(unit(1))
    crew.give(unit(2))
    going.wait(SOON)
    crew.dismiss(wait=False)
    on.set()
    crew.dismiss(wait=True)
    assert begun == [1]
