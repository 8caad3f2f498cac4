"""Several lists at a time: producers in the event loop, one consumer outside, a bounded queue between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Generic, TypeVar

from syncd.okta import loop_thread

K = TypeVar("K")
V = TypeVar("V")


class FanOut(Generic[K, V]):
    """Runs `produce(key)` for every key, at most `parallel` at once, and hands the values over as they come.

    An exception in a producer ends the iteration. When the consumer is slow the producers wait.
    """

    def __init__(self, keys: Sequence[K], produce: Callable[[K], AsyncIterator[V]], *, parallel: int) -> None:
        self._keys = iter(keys)
        self._produce = produce
        self._workers = max(1, min(parallel, len(keys)))
        self._tasks: list[asyncio.Task[None]] = []

    def __iter__(self) -> Iterator[V]:
        queue = loop_thread.run(self._start())
        try:
            running = self._workers
            while running:
                for item in loop_thread.run(self._take(queue)):
                    match item:
                        case None:
                            running -= 1
                        case BaseException():
                            raise item
                        case (value,):
                            yield value
        finally:
            loop_thread.run(self._stop())

    async def _start(self) -> asyncio.Queue[tuple[V] | BaseException | None]:
        queue: asyncio.Queue[tuple[V] | BaseException | None] = asyncio.Queue(2 * self._workers)
        self._tasks = [asyncio.create_task(self._work(queue)) for _ in range(self._workers)]
        return queue

    async def _work(self, queue: asyncio.Queue[tuple[V] | BaseException | None]) -> None:
        try:
            for key in self._keys:
                async for value in self._produce(key):
                    await queue.put((value,))
        except Exception as error:  # noqa: BLE001  (raised again in the consumer's thread)
            await queue.put(error)
        await queue.put(None)

    @staticmethod
    async def _take(
        queue: asyncio.Queue[tuple[V] | BaseException | None],
    ) -> list[tuple[V] | BaseException | None]:
        """Waits for one item and takes what else is there: a change of threads costs more than an item."""
        items = [await queue.get()]
        while not queue.empty():
            items.append(queue.get_nowait())
        return items

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
