"""What `syncd run` serves, in a thread and an event loop of its own: /healthz, /readyz, /metrics and the status page.

Read-only: it has no way to change anything. It asks for no password, so it also refuses every Host header but its own
(a web page elsewhere may make a browser resolve its own name to 127.0.0.1 and read what is served there).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from syncd.ports.observer import Observer
from syncd.redact import Redactor
from syncd.service.board import Board
from syncd.service.desk import Desk, FullIntervals, ListsOf, StatusOf, refusal
from syncd.service.door import Door
from syncd.service.server_thread import Server, server_thread


def _utc_now() -> datetime:
    return datetime.now(UTC)


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
    setting: str = "server.listen",
) -> Iterator[Server]:
    """Serves until the block ends, which takes at most a second. Port 0 lets the system choose. Whatever is served
    passes `redactor`, before it is cut and at the end. `setting` names the address to people.

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

    def make_door() -> Door:
        return Door(desk.answer, refusal, partial(desk.tell, "warning"))

    def opened(door: Door, port: int) -> None:
        desk.hosts = own_names(address[0], port)
        desk.crowded = lambda: door.room.is_crowded

    with server_thread(setting, address, make_door, opened) as server:
        yield server


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
