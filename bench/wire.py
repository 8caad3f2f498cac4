"""HTTP/1.1 on bare asyncio protocols: fast enough that what is measured is the client."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """`path` still holds its query and its percent signs."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """`delay` is seconds before the answer leaves."""

    body: bytes = b""
    status: int = 200
    headers: Headers = ()
    delay: float = 0.0


Handler = Callable[[Request], Response]


@dataclass
class Delays:
    """How long delayed answers really took: a timer of the event loop is late by a millisecond or two."""

    seconds: float = 0.0
    answers: int = 0

    @property
    def mean(self) -> float:
        return self.seconds / self.answers if self.answers else 0.0


delays = Delays()


class _Connection(asyncio.Protocol):
    def __init__(self, handle: Handler) -> None:
        self._handle = handle
        self._waiting = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while (end := self._waiting.find(b"\r\n\r\n")) >= 0:
            head = self._waiting[:end]
            size = _length(head)
            if len(self._waiting) < end + 4 + size:
                return
            body, self._waiting = self._waiting[end + 4 : end + 4 + size], self._waiting[end + 4 + size :]
            method, path, _ = head[: head.index(b"\r\n")].decode().split(" ", 2)
            self._answer(self._handle(Request(method, path, body)))

    def _answer(self, response: Response) -> None:
        lines = [
            f"HTTP/1.1 {response.status} X",
            f"Date: {formatdate(usegmt=True)}",
            "Content-Type: application/json",
            f"Content-Length: {len(response.body)}",
            *(f"{name}: {value}" for name, value in response.headers),
        ]
        whole = ("\r\n".join(lines) + "\r\n\r\n").encode() + response.body
        if response.delay:
            loop = asyncio.get_running_loop()
            loop.call_later(response.delay, self._send_late, whole, loop.time())
        else:
            self._send(whole)

    def _send_late(self, whole: bytes, asked: float) -> None:
        delays.seconds += asyncio.get_running_loop().time() - asked
        delays.answers += 1
        self._send(whole)

    def _send(self, whole: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(whole)


def _length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    return int(head[at + 17 :].split(b"\r\n", 1)[0])


def serve(make: Callable[[str], Handler]) -> None:
    """Serves on a free loopback port until standard input ends; `make` gets the origin. Prints the origin."""

    async def main() -> None:
        handler: list[Handler] = []
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(lambda r: handler[0](r)), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        handler.append(make(f"http://127.0.0.1:{port}"))
        sys.stdout.write(f"http://127.0.0.1:{port}\n")
        sys.stdout.flush()
        await loop.run_in_executor(None, sys.stdin.read)
        server.close()

    asyncio.run(main())
