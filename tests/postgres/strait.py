"""A TCP proxy before a PostgreSQL: it may stop forwarding without a word, in one direction or both, or be slow.

Whoever is cut by it learns nothing: its kernel's packets are answered, as by a balancer or a pooler that hangs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Self

TO, FROM = "to the server", "from the server"
BOTH = (TO, FROM)
_PIECE = 65536


class Strait:
    """`leads_to`: the server's port, which may be changed. Acts may be called from any thread."""

    def __init__(self, leads_to: int) -> None:
        self.leads_to = leads_to
        self.port = 0
        self._slow = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="strait", daemon=True)
        self._open = {each: asyncio.Event() for each in BOTH}
        self._passages: set[_Passage] = set()
        self._server: asyncio.Server | None = None

    def cut(self, directions: Collection[str] = BOTH) -> None:
        """Nothing more is forwarded there, neither of who is connected nor of who comes."""
        for each in directions:
            self._loop.call_soon_threadsafe(self._open[each].clear)

    def mend(self, *, forgetting: bool = False) -> None:
        """What was held back goes on its way. `forgetting`: only who comes from now on is served; who was connected
        stays so and hears nothing, ever.
        """

        def act() -> None:
            for each in list(self._passages) if forgetting else ():
                each.forget()
            for way in self._open.values():
                way.set()

        self._loop.call_soon_threadsafe(act)

    def slow(self, seconds: float) -> None:
        """From now on whatever passes arrives so much later, in both directions."""
        self._slow = seconds

    def drop(self) -> None:
        """Ends all connections."""

        def act() -> None:
            for each in list(self._passages):
                each.end()

        self._loop.call_soon_threadsafe(act)

    async def _begin(self) -> None:
        for way in self._open.values():
            way.set()
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passage = _Passage([writer])
        self._passages.add(passage)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.leads_to)
            passage.ends.append(back)
            ways = (self._carry(passage, TO, reader, back), self._carry(passage, FROM, there, writer))
            passage.tasks += [asyncio.ensure_future(each) for each in ways]
            await asyncio.wait(passage.tasks, return_when=asyncio.FIRST_COMPLETED)
        except OSError:  # nobody is there
            pass
        finally:
            passage.end()
            self._passages.discard(passage)

    async def _carry(
        self, passage: _Passage, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One direction, until an end of it closes; what is slow keeps its order, and lets more follow."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, piece = await waiting.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                await self._open[way].wait()
                await passage.known.wait()
                writer.write(piece)
                await writer.drain()
                if not piece:
                    return

        delivering = asyncio.ensure_future(deliver())
        passage.tasks.append(delivering)
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                waiting.put_nowait((self._loop.time() + self._slow, piece))
            waiting.put_nowait((self._loop.time() + self._slow, b""))
            await delivering

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            if self._server is not None:
                self._server.close()
            for each in list(self._passages):
                each.end()
            await asyncio.sleep(0.1)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


class _Passage:
    """One connection through it, with both of its ends."""

    def __init__(self, ends: list[asyncio.StreamWriter]) -> None:
        self.ends = ends
        self.tasks: list[asyncio.Future[None]] = []
        self.known = asyncio.Event()
        self.known.set()

    def forget(self) -> None:
        self.known.clear()

    def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        for each in self.ends:
            with suppress(OSError):
                each.transport.abort()


@contextmanager
def strait(leads_to: int) -> Iterator[Strait]:
    with Strait(leads_to) as made:
        yield made
