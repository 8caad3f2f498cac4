"""Many simulators in one thread: each in a thread of its own would be a thousand event loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from syncd.simulators.hosting import Simulator


class Harbour:
    """Starts simulators together and stops them together."""

    def __init__(self, simulators: Sequence[Simulator]) -> None:
        self._simulators = simulators
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="harbour", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        for simulator in self._simulators:
            ready = threading.Event()
            asyncio.run_coroutine_threadsafe(simulator._serve(ready), self._loop)
            assert ready.wait(60), "a simulator does not begin to listen"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(120)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    async def _end(self) -> None:
        for simulator in self._simulators:
            if simulator._stopping is not None:
                simulator._stopping.set()
        rest = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        await asyncio.wait(rest, timeout=60)
