"""What the daemon's server answers: /healthz, /readyz, /metrics and the status page.

It lives in the server's event loop; only the stores are read in another thread. Everybody who asks while they are read
gets what is made of that one reading, and readings leave time to the cycles: nobody can make them work harder.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from syncd.errors import SyncdError
from syncd.ports.observer import Observer
from syncd.redact import Redactor
from syncd.service.board import Board
from syncd.service.connection_page import connection_page
from syncd.service.door import Connection
from syncd.service.health import View, not_ready
from syncd.service.metrics import metrics
from syncd.service.page import status_page

StatusOf = Callable[[], Sequence[Mapping[str, Any]]]
"""The `syncd.status/1` documents of all connections. Called in a thread of the server's, never twice at once."""
ListsOf = Callable[[str], Mapping[str, Any] | None]
"""All that waits of a connection (`answers.lists`), None for one that is not served. Called in another thread; raises
SyncdError.
"""
FullIntervals = Callable[[], Mapping[str, float]]
"""The setting schedule.full of every connection, in seconds (of a calendar, the longest time between two firings);
asked at each reading, so a reload shows.
"""

STORES_TIMEOUT = 10.0
"""Seconds until a request is answered without the stores' word."""
_REST_FOR_EACH = 4.0
_LONGEST_REST = 1.0
"""After a reading the next one begins so many times later as it took, and at most so many seconds."""
_SHARED_FOR = 1.0
"""In a crowd, seconds for which a reading counts."""
_METHODS = ("GET", "HEAD")
_CONNECTIONS = "/connections/"
_ALWAYS: Mapping[str, str] = {
    "Server": "syncd",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_WHY = {
    400: "This is no request that can be answered.",
    500: "This page cannot be made; the log says why.",
}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """An answer before it is one: the same for all who asked for it."""

    body: bytes
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    policy: str = ""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the stores said once, and what was made of it, by what was asked for."""

    view: View
    sheets: dict[str, _Sheet] = field(default_factory=dict)


_Make = Callable[[web.BaseRequest], Awaitable[_Sheet]]


def refusal(status: int) -> web.Response:
    """The answer to what is not understood."""
    return _dressed(_plain(_WHY.get(status, "This cannot be answered."), status))


class Desk:
    """`answer` is for every request. `hosts` says which Host headers are this server's, nobody's at first; `crowded`
    whether so many are connected that they share what was read a moment ago.
    """

    def __init__(
        self,
        board: Board,
        status_of: StatusOf,
        *,
        full_intervals: FullIntervals,
        observer: Observer | None,
        clock: Callable[[], datetime],
        redactor: Redactor,
        lists_of: ListsOf | None = None,
    ) -> None:
        self._board = board
        self._status_of = status_of
        self._full_intervals = full_intervals
        self._observer = observer
        self._clock = clock
        self._redactor = redactor
        self._reading: asyncio.Task[_Reading] | None = None
        self._read_at = self._rested = 0.0
        self.hosts: Callable[[str], bool] = lambda _host: False
        self.crowded: Callable[[], bool] = lambda: False
        self._makers: Mapping[str, _Make] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/": self._page,
        }
        self._lists_of = lists_of
        self._listing = asyncio.Lock()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.protocol, Connection):
            await request.protocol.takes_its_turn()
        named = request.headers.getall("Host", [])
        path = request.rel_url.raw_path
        make = self._connection if path.startswith(_CONNECTIONS) else self._makers.get(path)
        if len(named) != 1 or not self.hosts(named[0]):
            return _dressed(_plain("This server answers only to its own address, not to other names.", 421))
        if make is None:
            return _dressed(
                _plain("Not found. There are /, /connections/NAME, /healthz, /readyz and /metrics.", 404)
            )
        if request.method not in _METHODS:
            response = _dressed(_plain("This server only shows. Use GET.", 405))
            response.headers["Allow"] = ", ".join(_METHODS)
            return response
        return _dressed(await self._safely(make, request))

    async def _safely(self, make: _Make, request: web.BaseRequest) -> _Sheet:
        try:
            return await make(request)
        except Exception as error:  # noqa: BLE001  (monitoring must outlive what it watches)
            self.tell(
                "error",
                "status server failed",
                path=request.path,
                error=error,
            )
            return _plain(_WHY[500], 500)

    def tell(self, level: str, event: str, **fields: object) -> None:
        if self._observer is not None:
            self._observer.event(level, event, **fields)

    async def _healthz(self, request: web.BaseRequest) -> _Sheet:
        del request
        return _plain("ok", 200)

    async def _readyz(self, request: web.BaseRequest) -> _Sheet:
        del request

        def make(view: View) -> _Sheet:
            reasons = not_ready(view)
            said = self._redactor.text("\n".join(reasons))
            return _plain(said, 503) if reasons else _plain("ready", 200)

        return await self._sheet("ready", make)

    async def _metrics(self, request: web.BaseRequest) -> _Sheet:
        accepted = request.headers.get("Accept", "")
        wanted = "application/openmetrics-text" if "application/openmetrics-text" in accepted else ""

        def make(view: View) -> _Sheet:
            page, content_type = metrics(view, wanted)
            return _Sheet(self._redactor.text(page.decode()).encode(), content_type=content_type)

        return await self._sheet(f"metrics {wanted}", make)

    async def _page(self, request: web.BaseRequest) -> _Sheet:
        refresh = request.query.get("refresh", "")

        def make(view: View) -> _Sheet:
            page = status_page(view, refresh=refresh)
            text = self._redactor.text(page.html)
            return _Sheet(text.encode(), content_type="text/html; charset=utf-8", policy=page.policy)

        return await self._sheet(f"page {refresh}", make)

    async def _connection(self, request: web.BaseRequest) -> _Sheet:
        """One at a time: such a page may be long. What is looked for is not kept."""
        name = unquote(request.rel_url.raw_path.removeprefix(_CONNECTIONS))
        search, lists_of = request.query.get("q", ""), self._lists_of
        now = self._clock()

        def make() -> Sequence[Mapping[str, Any]]:
            lists = lists_of(name) if lists_of is not None else None
            if lists is None:
                return ()
            page = connection_page(self._clean(lists), now, search=search)
            return ({"html": self._redactor.text(page.html), "policy": page.policy},)

        async with self._listing:
            try:
                made = await asyncio.wait_for(asyncio.shield(_in_a_thread(make)), STORES_TIMEOUT)
            except TimeoutError:
                return _plain("The store did not answer in time.", 503)
            except SyncdError as error:
                return _plain(self._redactor.text(f"The store cannot be read: {error.message}"), 503)
        if not made:
            return _plain("Not found. No connection of this name is served.", 404)
        page = made[0]
        return _Sheet(page["html"].encode(), content_type="text/html; charset=utf-8", policy=page["policy"])

    async def _sheet(self, name: str, make: Callable[[View], _Sheet]) -> _Sheet:
        loop = asyncio.get_running_loop()
        shared = self.crowded() and loop.time() - self._read_at < _SHARED_FOR
        if self._reading is None or (self._reading.done() and not shared):
            self._reading = loop.create_task(self._read())
        try:
            reading = await asyncio.wait_for(asyncio.shield(self._reading), STORES_TIMEOUT)
        except TimeoutError:
            return make(self._view((), f"the stores did not answer within {STORES_TIMEOUT:g} seconds"))
        if name not in reading.sheets:
            reading.sheets[name] = make(reading.view)
        return reading.sheets[name]

    async def _read(self) -> _Reading:
        """A store that fails is said, never an answer of its own."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._rested - loop.time())
        began = loop.time()
        documents: Sequence[Mapping[str, Any]] = ()
        unreadable = ""
        try:
            documents = [self._clean(document) for document in await _in_a_thread(self._status_of)]
        except SyncdError as error:
            unreadable = f"the stores cannot be read: {error.message}"
        except Exception as error:  # noqa: BLE001  (monitoring must outlive what it watches)
            unreadable = f"the stores cannot be read: {type(error).__name__}"
        self._read_at = loop.time()
        self._rested = self._read_at + min((self._read_at - began) * _REST_FOR_EACH, _LONGEST_REST)
        return _Reading(self._view(documents, unreadable))

    def _view(self, documents: Sequence[Mapping[str, Any]], unreadable: str) -> View:
        return View(
            now=self._clock(),
            documents={str(document["connection"]): document for document in documents},
            boards={one.name: one.snapshot() for one in self._board.connections()},
            broken=self._board.broken(),
            full_intervals=dict(self._full_intervals()),
            unreadable=unreadable,
            hook_answers=self._board.hook_answers(),
            lateness=self._board.lateness(),
            fleet=self._board.fleet(),
        )

    def _clean(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self._redactor.value(dict(document))
        return found if isinstance(found, dict) else {}


def _plain(text: str, status: int) -> _Sheet:
    return _Sheet(f"{text}\n".encode(), status)


def _dressed(sheet: _Sheet) -> web.Response:
    headers = {**_ALWAYS, "Content-Type": sheet.content_type}
    if sheet.policy:
        headers["Content-Security-Policy"] = sheet.policy
    return web.Response(body=sheet.body, status=sheet.status, headers=headers)


def _in_a_thread(
    work: Callable[[], Sequence[Mapping[str, Any]]],
) -> asyncio.Future[Sequence[Mapping[str, Any]]]:
    """A daemon thread, unlike an executor's: a store on a dead disk must not keep the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Sequence[Mapping[str, Any]]] = loop.create_future()

    def settle(result: Sequence[Mapping[str, Any]], error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
            future.exception()  # seen, also when everybody who asked has gone

    def run() -> None:
        result: Sequence[Mapping[str, Any]] = ()
        failed: Exception | None = None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  (raised again where it is awaited)
            failed = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, name="syncd-status", daemon=True).start()
    return future
