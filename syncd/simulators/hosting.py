"""A loopback HTTP server in its own thread: request log, faults, control interface, then the product.

A simulated product is a subclass of Simulator that answers Calls with Replies, synchronously and fast;
everything that waits, breaks or streams happens here.
"""

import asyncio
import contextlib
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Self

from aiohttp import web

from syncd.simulators import control
from syncd.simulators.exchange import Call, Reply, RequestRecord, logged_headers, segments_of
from syncd.simulators.faults import FaultRule, Faults
from syncd.simulators.faulty import REPLACING, Distortion, epoch, replacement
from syncd.simulators.ids import perform
from syncd.simulators.latches import Latches, Waiting

_LARGEST_REQUEST = 256 * 1024 * 1024
_WORTH_COMPRESSING = 1024
_BACKLOG = 512
_CHUNK = b" " * 65536


class Simulator(ABC):
    """The server. Use it as a context manager, or call start() and stop().

    `url` is its origin once started; `requests` the log of everything but control requests; `faults` the
    fault rules, `latches` what their `hold` makes wait. `world` is the state served: read and change it from
    any thread, under `world.lock` where several reads belong together.
    """

    world: Any
    kind = ""

    def __init__(self, *, port: int = 0) -> None:
        self.faults = Faults()
        self.latches = Latches()
        self._port = port
        self._log: deque[RequestRecord] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self._distortion = Distortion()
        self._running = 0
        self.url = ""

    # --- what a product is --------------------------------------------------------------------------

    @abstractmethod
    def answer(self, call: Call) -> Reply:
        """The product's answer to a request."""

    @abstractmethod
    def error(self, status: int, code: str | None, summary: str | None) -> Reply:
        """An error body in the product's own style, for faults."""

    @abstractmethod
    def control_state(self) -> dict[str, Any]:
        """What `GET /_control/state` answers."""

    @abstractmethod
    def set_knobs(self, **knobs: Any) -> dict[str, Any]:
        """Turns knobs while running and returns all of them. Raises ValueError for unknown ones."""

    def extra_control(self, call: Call) -> Reply | None:
        """Control requests of this product alone."""
        del call
        return None

    def compress(self) -> bool:
        """Whether answers are gzipped for clients that accept it."""
        return False

    def slow_start(self) -> float:
        """Seconds every request waits before it is looked at."""
        return 0.0

    def overloaded(self, running: int) -> Reply | None:
        """The answer to a request that is one too many while `running` are under way, this one included."""
        del running
        return None

    # --- life ---------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listens on 127.0.0.1. Raises OSError if the port is taken, RuntimeError if it runs already."""
        if self._thread is not None:
            raise RuntimeError("already started")
        ready = threading.Event()
        failure: list[BaseException] = []
        self._thread = threading.Thread(
            target=self._run, args=(ready, failure), name=f"{self.kind}-simulator", daemon=True
        )
        self._thread.start()
        ready.wait()
        if failure:
            self._thread.join()
            self._thread = None
            raise failure[0]
        return self

    def stop(self) -> None:
        """Stops listening, drops open connections and waits for the thread. Stopping twice is fine."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _run(self, ready: threading.Event, failure: list[BaseException]) -> None:
        try:
            asyncio.run(self._serve(ready))
        except BaseException as error:  # noqa: BLE001 - the starting thread raises it again
            failure.append(error)
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda _loop, _context: None)
        self._stopping = asyncio.Event()
        app = web.Application(client_max_size=_LARGEST_REQUEST)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05, handle_signals=False)
        with socket.create_server(("127.0.0.1", self._port), backlog=_BACKLOG) as listener:
            try:
                await runner.setup()
                await web.SockSite(runner, listener, backlog=_BACKLOG).start()
                self._port = listener.getsockname()[1]
                self.url = f"http://127.0.0.1:{self._port}"
                ready.set()
                await self._stopping.wait()
            finally:
                await _end(runner, listener)

    # --- the request log ----------------------------------------------------------------------------

    @property
    def requests(self) -> list[RequestRecord]:
        """Everything that was asked, in the order of the answers; control requests are not in it."""
        return list(self._log)

    def reset_requests(self) -> None:
        """Empties the request log."""
        self._log.clear()

    def reset_faults(self) -> None:
        """Removes every fault rule, and lets go what waits."""
        self.faults.clear()
        self.latches.release()
        self._distortion.forget()

    # --- one request --------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        started = time.monotonic()
        body = await request.read() if request.body_exists else b""
        call = Call(
            request.method,
            request.rel_url.raw_path_qs,
            segments_of(request.rel_url.raw_path),
            request.rel_url.query,
            {name.lower(): value for name, value in request.headers.items()},
            body,
            f"http://{request.host}",
        )
        if call.segments[0] == "_control":
            reply = self.extra_control(call) or control.answer(self, call)
            return self._render(request, reply)
        rule = self.faults.pick(call.method, call.path)
        status = 0
        self._running += 1
        try:
            reply = self.overloaded(self._running) or await self._outcome(call, rule)
            response = await self._send(request, reply, rule)
            status = 0 if rule is not None and rule.action == "drop" else response.status
        finally:
            self._running -= 1
            kept = logged_headers(call.headers)
            written = _written(call)
            name = None if rule is None else rule.action
            self._log.append(
                RequestRecord(call.method, call.path, status, kept, written, started, time.monotonic(), name)
            )
        return response

    async def _outcome(self, call: Call, rule: FaultRule | None) -> Reply:
        if wait := self.slow_start():
            await asyncio.sleep(wait)
        if rule is None:
            reply = self.answer(call)
            if self.faults.repeats_pages:
                self._distortion.remember(call, reply)
        else:
            reply = await self._faulty(call, rule)
        if reply.delay:
            await asyncio.sleep(reply.delay)
        return reply

    async def _faulty(self, call: Call, rule: FaultRule) -> Reply:
        if rule.action in REPLACING:
            if rule.after_effect:
                self.answer(call)
            if rule.action in ("drop", "endless"):
                return Reply()
            return replacement(rule, self.error, epoch())
        if rule.action == "act":
            if rule.after_effect:
                reply = self.answer(call)
            perform(self.world, self.world.ACTS, rule.options["act"], dict(rule.options.get("args", {})))
            return reply if rule.after_effect else self.answer(call)
        if not rule.after_effect:
            await self._wait(call, rule)
        reply = self.answer(call)
        if rule.after_effect:
            await self._wait(call, rule)
        return self._distortion.apply(rule, call, reply)

    async def _wait(self, call: Call, rule: FaultRule) -> None:
        if rule.action == "delay":
            await asyncio.sleep(rule.options["seconds"])
        elif rule.action == "hold":
            await self.latches.hold(Waiting(rule.options["latch"], call.method, call.path))

    async def _send(self, request: web.Request, reply: Reply, rule: FaultRule | None) -> web.StreamResponse:
        action = None if rule is None else rule.action
        if action == "drop" and request.transport is not None:
            request.transport.abort()
            return web.Response()
        if action == "endless":
            return await self._stream(request, forever())
        if action == "trickle" and rule is not None:
            return await self._stream(request, trickled(reply.body(), rule.options.get("seconds", 0.5)))
        if action == "cut":
            return await self._cut(request, reply)
        return self._render(request, reply)

    def _render(self, request: web.Request, reply: Reply) -> web.Response:
        body = reply.body()
        response = web.Response(status=reply.status, body=body or None)
        if reply.content_type is None or (not body and reply.text is None):
            response.headers.popall("Content-Type", None)
        if reply.content_type is not None and (body or reply.text is not None):
            charset = "; charset=utf-8" if "json" in reply.content_type else ""
            response.headers["Content-Type"] = reply.content_type + charset
        for name, value in reply.headers:
            response.headers.add(name, value)
        accepted = request.headers.get("Accept-Encoding", "")
        if self.compress() and len(body) > _WORTH_COMPRESSING and "gzip" in accepted:
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _stream(self, request: web.Request, source: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            async for chunk in source:
                await response.write(chunk)
            await response.write_eof()
        return response

    async def _cut(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        """Promises a whole body and closes the connection in the middle of it."""
        body = reply.body()
        response = web.StreamResponse(
            status=reply.status,
            headers={"Content-Type": "application/json", "Content-Length": str(len(body) + 1)},
        )
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response


async def _end(runner: web.AppRunner, listener: socket.socket) -> None:
    """Drops every connection. `cleanup` alone leaves two to the garbage collector: whoever does not read the answer,
    and whoever was accepted a moment before (asyncio gives a connection to no server that is closed).
    """
    asyncio.get_running_loop().remove_reader(listener)
    for _ in range(5):  # so many turns of the loop until whoever was accepted last is known
        await asyncio.sleep(0)
    known = runner.server.connections if runner.server else []
    transports = [connection.transport for connection in known if connection.transport is not None]
    await runner.cleanup()
    for transport in transports:
        transport.abort()
    await asyncio.sleep(0)


async def forever() -> Any:
    """Blanks without end."""
    while True:
        yield _CHUNK
        await asyncio.sleep(0)


async def trickled(body: bytes, seconds: float) -> Any:
    """A body in ten pieces with a pause before each."""
    size = max(1, len(body) // 10)
    for start in range(0, len(body), size):
        await asyncio.sleep(seconds)
        yield body[start : start + size]


def _written(call: Call) -> Any:
    """The JSON a client wrote. The token endpoint's form holds a signed assertion and is never kept."""
    if not call.body or call.segments[:1] == ("oauth2",):
        return None
    try:
        return call.json()
    except ValueError:
        return call.body.decode(errors="replace")
