"""A server that knows no HTTP: it reads a request's head and sends the bytes that it was given."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from types import TracebackType
from typing import Self

Behaviour = Callable[[socket.socket], None]


class RawServer:
    """Loopback, any port. `behave` gets each connection once a head has arrived, and the connection ends with it."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._acceptor.join()
        with self._lock:
            for each in self._open:
                with suppress(OSError):  # the client was quicker
                    each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                if not (piece := connection.recv(65536)):
                    return
                head = head[-3:] + piece
            self._behave(connection)
        except OSError:
            pass  # the client went away, which is its right
        finally:
            with self._lock:
                self._open.discard(connection)
                connection.close()


def saying(data: bytes) -> Behaviour:
    """All of it, and then the end."""
    return lambda connection: connection.sendall(data)


def without_end(first: bytes, again: bytes = b"", pause: float = 0.0) -> Behaviour:
    """`again` and again, until the client goes away; nothing more when that is nothing."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(first)
        if not again:
            connection.recv(1)
        while again:
            connection.sendall(again)
            time.sleep(pause)

    return behave


@cache
def bomb(layers: int, size: int = 400_000_000) -> bytes:
    """An answer of so many bytes in a few hundred, or with one layer in a few hundred thousand."""
    press = zlib.compressobj(6, zlib.DEFLATED, 31)
    packed = b"".join(press.compress(b" " * 1_000_000) for _ in range(size // 1_000_000)) + press.flush()
    for _ in range(layers - 1):
        packed = gzip.compress(packed)
    coding = b", ".join([b"gzip"] * layers)
    return OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(packed)) + packed


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/scim+json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS: dict[str, Behaviour] = {
    "provisional answers": without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "provisional answers, slowly": without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
    "a status line": without_end(b"HTTP/1.1 200 ", b"a" * 65536),
    "a header": without_end(OK + b"X-A: ", b"a" * 65536),
    "a header, slowly": without_end(OK + b"X-A: ", b"a", 0.05),
    "headers": without_end(OK, b"X-A: a\r\n" * 1000),
    "cookies": without_end(OK, b"Set-Cookie: a=b; expires=Wed, 09 Jun 99999 10:18:14 GMT\r\n" * 100),
    "a body": without_end(OK + b"\r\n", b" " * 65536),
    "a body, slowly": without_end(OK + b"Content-Length: 100000\r\n\r\n", b" ", 0.05),
    "chunks of one byte": without_end(CHUNKED, b"1\r\n \r\n" * 1000),
    "the size of a chunk": without_end(CHUNKED, b"0" * 65536),
    "a chunk's extension": without_end(CHUNKED + b"2;", b"a" * 65536),
    "trailers": without_end(CHUNKED + b"2\r\n[]\r\n0\r\n", b"X-A: a\r\n" * 1000),
    "trailers, slowly": without_end(CHUNKED + b"2\r\n[]\r\n0\r\n", b"X-A: a\r\n", 0.05),
    "silence": without_end(b""),
    "silence after the head": without_end(OK + b"\r\n"),
}
"""What goes on for as long as the client listens."""
