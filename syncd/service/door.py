"""Lets visitors of the daemon's server in, and out again: never so many that the cycles lack file descriptors.

aiohttp speaks HTTP; how many may be connected, and for how long, is decided here (`visitors`), because neither it nor
asyncio's own accepting knows a limit.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from aiohttp import web

from syncd.service.visitors import HEAD_AT_MOST, Room, Visitor, VisitorState, fence_of, is_whole, seats_of

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Refuse = Callable[[int], web.Response]
"""Makes the answer to what cannot be understood as a request, from its status."""
Tell = Callable[..., None]
"""Hears warnings: an event and fields; of the same kind as often as it happens."""

# Malformed requests are no news, and hostile text does not belong in the log.
_SILENT = logging.getLogger("syncd.service.http.wire")
_SILENT.setLevel(logging.CRITICAL + 1)

_BACKLOG = 2048
_LINGERING = 1.0
"""Seconds for the rest of a request that was answered before it was whole."""
_LINE_AT_MOST = 4096
_FIELD_AT_MOST = 8190
_FIELDS_AT_MOST = 64
_WITHOUT_DESCRIPTOR = 0.2
"""Seconds until somebody is let in again after that was not possible."""
_AT_ONCE = 8
"""Visitors let in before those are heard who are inside."""
_TELLS_EVERY = 1.0
_NEXT_TURN = 0.25
"""Seconds between two answers on one connection in a crowd."""


class Door:
    """The listening sockets and who came through them. Lives in one event loop.

    `said_at_most`: bytes of a request until it is being answered, or 32 KiB of head.
    """

    def __init__(
        self,
        answer: Answer,
        refuse: Refuse,
        tell: Tell,
        *,
        name: str = "the status server",
        said_at_most: int = HEAD_AT_MOST,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        # Who has gone is not answered any more.
        self._server = web.Server(answer, handler_cancellation=True)
        self._refuse = refuse
        self._tell = tell
        self._name = name
        limit = _descriptors()
        self._fence = fence_of(limit)
        self.room = Room(seats_of(limit), said_at_most)
        self._listening: list[socket.socket] = []
        self._handed_over: set[asyncio.Task[None]] = set()
        self._told: dict[str, float] = {}
        self._crowded_out = 0

    def open(self, host: str, port: int) -> int:
        """Listens from now on; returns the port, which port 0 lets the system choose. Raises OSError."""
        self._listening = listening(host, port)
        for listener in self._listening:
            self._loop.add_reader(listener, self._knock, listener)
        found: int = self._listening[0].getsockname()[1]
        return found

    async def close(self, patience: float) -> None:
        """Nobody comes in any more; who is being served has so many seconds."""
        for listener in self._listening:
            self._loop.remove_reader(listener)
            listener.close()
        self._listening = []
        self.room.dismiss(VisitorState.ASKING, VisitorState.RESTING)
        await asyncio.gather(*self._handed_over, return_exceptions=True)
        self._server.pre_shutdown()
        await self._server.shutdown(patience)
        self.room.dismiss(*VisitorState)
        await asyncio.sleep(0)  # what was dropped is closed in the loop's next turn

    def _knock(self, listener: socket.socket) -> None:
        """A few in each turn of the loop, so that who is inside is heard in between."""
        for _ in range(_AT_ONCE):
            try:
                wire, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # What the cycles lack is given back to them first.
                self.room.make_place()
                self._say(f"{self._name} could let nobody in", error=error.strerror or str(error))
                self._loop.remove_reader(listener)
                self._loop.call_later(_WITHOUT_DESCRIPTOR, self._resume, listener)
                return
            wire.setblocking(False)  # noqa: FBT003
            if self._has_place(wire):
                Arrival(wire, self.room, self._hand_over, self._loop).begin()
            else:
                wire.close()

    def _resume(self, listener: socket.socket) -> None:
        if listener in self._listening:
            self._loop.add_reader(listener, self._knock, listener)

    def _has_place(self, wire: socket.socket) -> bool:
        if wire.fileno() >= self._fence:
            self._say(f"few file descriptors are free: {self._name} takes no more of them")
            return self.room.make_place()
        if self.room.is_full:
            self.room.make_place()
            self._crowded_out += 1
            self._say(
                f"{self._name} is full: who is idle longest has to leave",
                seats=self.room.seats,
                left=self._crowded_out,
            )
        return True

    def _say(self, event: str, **fields: object) -> None:
        """Once a second is enough, for whoever counts too."""
        now = self._loop.time()
        if now - self._told.get(event, -_TELLS_EVERY) >= _TELLS_EVERY:
            self._told[event] = now
            self._tell(event, **fields)

    def _hand_over(self, wire: socket.socket, visitor: Visitor, head: bytes) -> None:
        def connection() -> Connection:
            return Connection(self._server, self.room, visitor, head, self._refuse, loop=self._loop)

        async def enter() -> None:
            try:
                await self._loop.connect_accepted_socket(connection, wire)
            except OSError:  # gone already
                self.room.left(visitor)
                wire.close()

        task = self._loop.create_task(enter())
        self._handed_over.add(task)
        task.add_done_callback(self._handed_over.discard)


HandOver = Callable[[socket.socket, Visitor, bytes], None]


class Arrival:
    """A visitor whose first request is not complete: a bare socket, which costs little to let in and to drop."""

    __slots__ = ("_hand_over", "_head", "_loop", "_room", "_timer", "_visitor", "_wire")

    def __init__(
        self, wire: socket.socket, room: Room, hand_over: HandOver, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._wire = wire
        self._room = room
        self._hand_over = hand_over
        self._loop = loop
        self._head = bytearray()
        self._visitor = room.enter(self._leave, loop.time())
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Most have sent their request before they are let in."""
        if self._hear():
            self._timer = self._loop.call_at(self._visitor.until, self._leave)
            self._loop.add_reader(self._wire.fileno(), self._hear)

    def _hear(self) -> bool:
        """Whether more is to come."""
        try:
            data = self._wire.recv(HEAD_AT_MOST)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            data = b""
        self._head += data
        if not data or not self._room.hear(self._visitor, len(data), self._loop.time()):
            self._leave()
        elif is_whole(self._head):
            self._stop_hearing()
            self._visitor.leave = _nothing_yet
            self._hand_over(self._wire, self._visitor, bytes(self._head))
        else:
            return True
        return False

    def _leave(self) -> None:
        self._stop_hearing()
        self._room.left(self._visitor)
        self._wire.close()

    def _stop_hearing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._loop.remove_reader(self._wire.fileno())


class Connection(web.RequestHandler):
    """A visitor who has asked: aiohttp's protocol, which tells the room what it does. `head` was heard already."""

    __slots__ = ("_answered", "_head", "_refuse", "_room", "_timer", "_visitor")

    def __init__(
        self,
        server: web.Server,
        room: Room,
        visitor: Visitor,
        head: bytes,
        refuse: Refuse,
        *,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=_SILENT,
            logger=_SILENT,
            lingering_time=_LINGERING,
            max_line_size=_LINE_AT_MOST,
            max_field_size=_FIELD_AT_MOST,
            max_headers=_FIELDS_AT_MOST,
            auto_decompress=False,  # what is small on the wire may be large
        )
        self._room = room
        self._visitor: Visitor | None = visitor
        self._head = head
        self._refuse = refuse
        self._timer: asyncio.TimerHandle | None = None
        self._answered = False

    async def takes_its_turn(self) -> None:
        """Before each answer: in a crowd, who was answered on this connection lets the others go first."""
        if self._answered and self._room.is_crowded:
            await asyncio.sleep(_NEXT_TURN)
        self._moves(VisitorState.SERVED)

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._visitor is not None and isinstance(transport, asyncio.Transport):
            # Not close(), which waits until everything that was written is taken.
            self._visitor.leave = transport.abort
            self._wait()
            if self._visitor in self._room:
                super().data_received(self._head)
            else:
                transport.abort()
        self._head = b""

    def data_received(self, data: bytes) -> None:
        if self._visitor is not None:
            before = self._visitor.state
            if not self._room.hear(self._visitor, len(data), self._loop.time()):
                self._visitor.leave()
                return
            if self._visitor.state is not before:
                self._wait()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._visitor is not None:
            self._room.left(self._visitor)
        self._visitor = None
        super().connection_lost(exc)

    # what aiohttp calls

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        found = await super().finish_response(request, resp, start_time)
        self._answered = True
        self._moves(VisitorState.RESTING)
        return found

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp answers itself would name it and its version, and repeat what was sent."""
        del exc, message
        if request.writer.output_size > 0:
            raise ConnectionError("half an answer is sent already")
        response = self._refuse(status)
        response.force_close()
        return response

    def _moves(self, state: VisitorState) -> None:
        if self._visitor is not None:
            self._room.move(self._visitor, state, self._loop.time())
            self._wait()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._visitor is not None:
            self._timer = self._loop.call_at(self._visitor.until, self._visitor.leave)


def _nothing_yet() -> None:
    """Who has to leave while aiohttp takes over is dropped a moment later."""


def listening(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of the host, on one port. Raises OSError; none is left open then."""
    found: list[socket.socket] = []
    with ExitStack() as opened:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            listener = opened.enter_context(socket.socket(family, kind, protocol))
            try:
                _listen(listener, address[0], found[0].getsockname()[1] if found else port)
            except OSError as error:
                if not found or error.errno != errno.EADDRNOTAVAIL:
                    raise
                listener.close()  # "localhost" names ::1 too where IPv6 is switched off
            else:
                found.append(listener)
        opened.pop_all()
    return found


def _listen(listener: socket.socket, host: str | int, port: int) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((host, port))
    listener.listen(_BACKLOG)
    listener.setblocking(False)  # noqa: FBT003


def _descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 20
