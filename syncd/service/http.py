"""What `syncd run` serves, in a thread and an event loop of its own: /healthz, /readyz, /metrics and the status page.

Read-only: it has no way to change anything. It asks for no password, so it also refuses every Host header but its own
(a web page elsewhere may make a browser resolve its own name to 127.0.0.1 and read what is served there).
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from syncd.errors import ConfigurationError, SyncdError
from syncd.ports.observer import Observer
from syncd.redact import Redactor
from syncd.service.board import Board
from syncd.service.desk import Desk, FullIntervals, ListsOf, StatusOf, refusal
from syncd.service.door import Door

_STOP_TIMEOUT = 1.0
_LAST_ANSWERS = 0.3
"""Seconds for those that are being made at a stop."""


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
    lists_of: ListsOf | None = None,
) -> Iterator[Server]:
    """Serves until the block ends, which takes at most a second. Port 0 lets the system choose. Whatever is served
    passes `redactor`, before it is cut and at the end.

    Raises SyncdError when the address cannot be had; nothing is left running then. The observer hears of failures
    of the server's own, from its thread.
    """
    desk = Desk(
        board,
        status_of,
        full_intervals=full_intervals,
        observer=observer,
        clock=clock,
        redactor=redactor or Redactor(),
        lists_of=lists_of,
    )
    thread = _ServerThread(address, desk)
    server = thread.start()
    try:
        yield server
    finally:
        thread.stop()


class _ServerThread:
    def __init__(self, address: tuple[str, int], desk: Desk) -> None:
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
        door = Door(self._desk.answer, refusal, partial(self._desk.tell, "warning"))
        self._port = door.open(self._host, self._port)
        try:
            self._desk.hosts = own_names(self._host, self._port)
            self._desk.crowded = lambda: door.room.is_crowded
            self._ready.set()
            await self._stopping.wait()
        finally:
            await door.close(_LAST_ANSWERS)


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
