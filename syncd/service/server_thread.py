"""A server in a thread and an event loop of its own: the status server, and the listener of event hooks."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from syncd.errors import ConfigurationError, SyncdError
from syncd.service.door import Door

_STOP_TIMEOUT = 1.0
_LAST_ANSWERS = 0.3
"""Seconds for those that are being made at a stop."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `port` is the real one also when the system chose it."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{_bracketed(self.host)}:{self.port}"


@contextmanager
def server_thread(
    setting: str,
    address: tuple[str, int],
    make_door: Callable[[], Door],
    opened: Callable[[Door, int], None] = lambda _door, _port: None,
) -> Iterator[Server]:
    """Serves until the block ends, which takes at most a second. `make_door` and `opened`, which hears of the real
    port, are called in the server's loop. Raises SyncdError when the address, which `setting` names, cannot be had.
    """
    thread = _ServerThread(setting, address, make_door, opened)
    server = thread.start()
    try:
        yield server
    finally:
        thread.stop()


class _ServerThread:
    def __init__(
        self,
        setting: str,
        address: tuple[str, int],
        make_door: Callable[[], Door],
        opened: Callable[[Door, int], None],
    ) -> None:
        self._setting = setting
        self._host, self._port = address
        self._make_door = make_door
        self._opened = opened
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name=f"syncd-{setting}", daemon=True)

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
            self._failure = _not_listening(self._setting, self._host, self._port, error)
        except BaseException as error:  # noqa: BLE001  (the starting thread raises it again)
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        door = self._make_door()
        self._port = door.open(self._host, self._port)
        try:
            self._opened(door, self._port)
            self._ready.set()
            await self._stopping.wait()
        finally:
            await door.close(_LAST_ANSWERS)


def _not_listening(setting: str, host: str, port: int, error: OSError) -> SyncdError:
    place = f"{_bracketed(host)}:{port}"
    said = f"cannot listen on {place} ({setting}): {error.strerror or error}"
    if error.errno == errno.EADDRINUSE:
        return SyncdError(
            said,
            hint=(
                f"another `syncd run` or `syncd worker` may have it, or another exporter: give each process its own"
                f' {setting}, or "" for none; `ss -ltnp "sport = :{port}"` shows who listens'
            ),
        )
    if error.errno == errno.EACCES:
        return ConfigurationError(
            said, hint=f"ports below 1024 are for root; choose a higher one, as {_ALWAYS_WORKS[setting]}"
        )
    return SyncdError(said, hint=f"is it an address of this machine? {_ALWAYS_WORKS[setting]} always works")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


_ALWAYS_WORKS = {
    "server.listen": "127.0.0.1:9464",
    "fleet.listen": "127.0.0.1:9464",
    "hooks.listen": "127.0.0.1:9465",
}
