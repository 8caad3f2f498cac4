"""What `syncd run` serves, in a thread and an event loop of its own: /healthz, /readyz, /metrics and the status page.

Read-only: it has no way to change anything. It asks for no password, so it also refuses every Host header but its own
(a web page elsewhere may make a browser resolve its own name to 127.0.0.1 and read what is served there).
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from syncd.errors import ConfigurationError, SyncdError
from syncd.ports.observer import Observer
from syncd.redact import Redactor
from syncd.service.board import Board
from syncd.service.health import View, not_ready
from syncd.service.metrics import metrics
from syncd.service.page import status_page

StatusOf = Callable[[], Sequence[Mapping[str, Any]]]
"""The `syncd.status/1` documents of all connections. Called in a thread of the server's, never twice at once."""
FullIntervals = Callable[[], Mapping[str, float]]
"""The setting schedule.full of every connection, in seconds; asked at each request, so a reload shows."""

_Answer = Callable[[web.Request], Awaitable[web.Response]]

_STORES_TIMEOUT = 10.0
"""Seconds until a request is answered without the stores' word."""
_STOP_TIMEOUT = 1.0
_LARGEST_REQUEST = 1024
_METHODS = ("GET", "HEAD")
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


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `port` is the real one also when the system chose it."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{_bracketed(self.host)}:{self.port}"


def address_of(listen: str) -> tuple[str, int]:
    """The setting server.listen, "HOST:PORT" as the settings accept it, as what `serving` takes."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


@contextmanager
def serving(
    address: tuple[str, int],
    board: Board,
    status_of: StatusOf,
    *,
    full_intervals: FullIntervals,
    observer: Observer | None = None,
    clock: Callable[[], datetime] = _utc_now,
    redactor: Redactor | None = None,
) -> Iterator[Server]:
    """Serves until the block ends, which takes at most a second. Port 0 lets the system choose. Whatever is served
    passes `redactor`, before it is cut and at the end.

    Raises SyncdError when the address cannot be had; nothing is left running then. The observer hears of failures
    of the server's own, from its thread.
    """
    desk = _Desk(board, status_of, full_intervals, observer, clock, redactor or Redactor())
    thread = _ServerThread(address, desk)
    server = thread.start()
    try:
        yield server
    finally:
        thread.stop()


class _Desk:
    """Answers requests. Lives in the server's event loop; only the stores are read in another thread."""

    def __init__(
        self,
        board: Board,
        status_of: StatusOf,
        full_intervals: FullIntervals,
        observer: Observer | None,
        clock: Callable[[], datetime],
        redactor: Redactor,
    ) -> None:
        self._board = board
        self._status_of = status_of
        self._full_intervals = full_intervals
        self._observer = observer
        self._clock = clock
        self._redactor = redactor
        self._reading: asyncio.Future[Sequence[Mapping[str, Any]]] | None = None
        self.hosts: Callable[[str], bool] = lambda _host: False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        answers = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/": self._page,
        }
        named = request.headers.getall("Host", [])
        found = answers.get(request.rel_url.raw_path)
        if len(named) != 1 or not self.hosts(named[0]):
            response = _plain("This server answers only to its own address, not to other names.", 421)
        elif found is None:
            response = _plain("Not found. There are /, /healthz, /readyz and /metrics.", 404)
        elif request.method not in _METHODS:
            response = _plain("This server only shows. Use GET.", 405)
            response.headers["Allow"] = ", ".join(_METHODS)
        else:
            response = await self._safely(found, request)
        for name, value in _ALWAYS.items():
            response.headers.setdefault(name, value)
        return response

    async def _safely(self, answer: _Answer, request: web.Request) -> web.Response:
        try:
            return self._redacted(await answer(request))
        except Exception as error:  # noqa: BLE001  (monitoring must outlive what it watches)
            if self._observer is not None:
                self._observer.event(
                    "error",
                    "status server failed",
                    path=request.path,
                    error=f"{type(error).__name__}: {error}",
                )
            return _plain("This page cannot be made; the log says why.", 500)

    def _redacted(self, response: web.Response) -> web.Response:
        response.text = self._redactor.text(response.text or "")
        return response

    async def _healthz(self, request: web.Request) -> web.Response:
        del request
        return _plain("ok", 200)

    async def _readyz(self, request: web.Request) -> web.Response:
        del request
        reasons = not_ready(await self._view())
        return _plain("\n".join(reasons), 503) if reasons else _plain("ready", 200)

    async def _metrics(self, request: web.Request) -> web.Response:
        page, content_type = metrics(await self._view(), request.headers.get("Accept", ""))
        return web.Response(body=page, headers={"Content-Type": content_type})

    async def _page(self, request: web.Request) -> web.Response:
        page = status_page(await self._view(), refresh=request.query.get("refresh", ""))
        return web.Response(
            text=page.html,
            content_type="text/html",
            charset="utf-8",
            headers={"Content-Security-Policy": page.policy},
        )

    async def _view(self) -> View:
        """The stores' word and the board's. A store that fails or hangs is said, never an answer of its own."""
        documents: Sequence[Mapping[str, Any]] = ()
        unreadable = ""
        try:
            documents = [self._clean(document) for document in await self._documents()]
        except TimeoutError:
            unreadable = f"the stores did not answer within {_STORES_TIMEOUT:g} seconds"
        except SyncdError as error:
            unreadable = f"the stores cannot be read: {error.message}"
        except Exception as error:  # noqa: BLE001  (monitoring must outlive what it watches)
            unreadable = f"the stores cannot be read: {type(error).__name__}"
        return View(
            now=self._clock(),
            documents={str(document["connection"]): document for document in documents},
            boards={one.name: one.snapshot() for one in self._board.connections()},
            broken=self._board.broken(),
            full_intervals=dict(self._full_intervals()),
            unreadable=unreadable,
        )

    def _clean(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self._redactor.value(dict(document))
        return found if isinstance(found, dict) else {}

    async def _documents(self) -> Sequence[Mapping[str, Any]]:
        """Who comes while the stores are being read gets the same answer: nobody can make them work harder."""
        if self._reading is None or self._reading.done():
            self._reading = _in_a_thread(self._status_of)
        return await asyncio.wait_for(asyncio.shield(self._reading), _STORES_TIMEOUT)


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


class _ServerThread:
    def __init__(self, address: tuple[str, int], desk: _Desk) -> None:
        self._host, self._port = address
        self._desk = desk
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="syncd-http", daemon=True)

    def start(self) -> Server:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return Server(self._host, self._port)

    def stop(self) -> None:
        if self._loop is not None and self._stopping is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_STOP_TIMEOUT)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._failure = _not_listening(self._host, self._port, error)
        except BaseException as error:  # noqa: BLE001  (the starting thread raises it again)
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=_LARGEST_REQUEST)
        app.router.add_route("*", "/{tail:.*}", self._desk.answer)
        runner = web.AppRunner(
            app, access_log=None, logger=_silent(), handle_signals=False, shutdown_timeout=0.3
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            self._port = runner.addresses[0][1]
            self._desk.hosts = own_names(self._host, self._port)
            self._ready.set()
            await self._stopping.wait()
            await asyncio.sleep(
                0
            )  # lets a connection arrive that is just being accepted, so that it is closed too
        finally:
            await runner.cleanup()


def own_names(host: str, port: int) -> Callable[[str], bool]:
    """Whether a Host header names this server: its address and the loopback names, with the port.

    A server on all addresses cannot know them, but a name that somebody else's DNS answers for is never an address.
    """
    hosts = {host.casefold(), "localhost", "127.0.0.1", "::1"}
    anywhere = _address(host) is not None and host in ("0.0.0.0", "::")  # noqa: S104  (compared, not bound)

    def ours(header: str) -> bool:
        name, colon, given = header.casefold().rpartition(":")
        if not colon or name.count("[") != name.count("]"):
            name, given = header.casefold(), "80"
        bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
        if given != str(port) or (":" in bare) != (bare != name):
            return False
        return bare in hosts or (anywhere and _address(bare) is not None)

    return ours


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _not_listening(host: str, port: int, error: OSError) -> SyncdError:
    place = f"{_bracketed(host)}:{port}"
    said = f"cannot listen on {place} (server.listen): {error.strerror or error}"
    if error.errno == errno.EADDRINUSE:
        return SyncdError(
            said,
            hint=(
                "another `syncd run` may have it, or another exporter: give each process its own server.listen, or"
                f' "" for none; `ss -ltnp "sport = :{port}"` shows who listens'
            ),
        )
    if error.errno == errno.EACCES:
        return ConfigurationError(
            said, hint="ports below 1024 are for root; choose a higher one, as 127.0.0.1:9464"
        )
    return SyncdError(said, hint="is it an address of this machine? 127.0.0.1:9464 always works")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _plain(text: str, status: int) -> web.Response:
    return web.Response(text=text + "\n", status=status, content_type="text/plain", charset="utf-8")


def _silent() -> logging.Logger:
    """Malformed requests are no news, and hostile text does not belong in the log."""
    logger = logging.getLogger("syncd.service.http.wire")
    logger.setLevel(logging.CRITICAL + 1)
    return logger
