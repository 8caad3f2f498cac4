"""The threads that write: each takes the next unit, and hands back what came of it. A `ThreadPoolExecutor` makes a
future of each, with a lock and a condition of its own: a twentieth of a quick write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

from syncd.engine.writing.unit import Outcome, Unit

Written = tuple[Unit, Sequence[Outcome]]


class Crew:
    """For one thread that gives and takes."""

    def __init__(self, threads: int, work: Callable[[Unit], Sequence[Outcome]]) -> None:
        """So many threads at most, each of which begins when the others are busy."""
        self._most, self._work = threads, work
        self._threads: list[Thread] = []
        self._units: SimpleQueue[Unit | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[Unit, Sequence[Outcome] | BaseException]] = SimpleQueue()
        self._out = 0

    def give(self, unit: Unit) -> None:
        """It is done as soon as a thread is free."""
        self._out += 1
        self._units.put(unit)
        if len(self._threads) < min(self._out, self._most):
            thread = Thread(target=self._serve, name=f"write_{len(self._threads)}")
            self._threads.append(thread)
            thread.start()

    def take(self, timeout: float) -> Written | None:
        """A unit that is done; None when there is none within so many seconds. Raises what its work has raised."""
        try:
            unit, came = self._done.get(timeout=timeout) if timeout > 0 else self._done.get_nowait()
        except Empty:
            return None
        self._out -= 1
        if isinstance(came, BaseException):
            raise came
        return unit, came

    def dismiss(self, *, wait: bool) -> None:
        """What was not begun is not begun any more; with `wait` what was has ended."""
        while not self._units.empty():
            try:
                self._units.get_nowait()
            except Empty:  # a thread was quicker
                break
        for _ in self._threads:
            self._units.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _serve(self) -> None:
        while (unit := self._units.get()) is not None:
            try:
                self._done.put((unit, self._work(unit)))
            except BaseException as error:  # noqa: BLE001  (whoever takes it raises it)
                self._done.put((unit, error))
