"""Connections to the target that ask before anything is sent, and that no answer keeps waiting.

Whether this process may still write is asked by the connection itself, right before each piece goes to the socket:
waiting for a turn, opening a connection and shaking hands are over then, and a process that stood still in one of them
has missed nothing.

A time-out of the socket counts anew with every byte: a server that sends one now and then, or one `100 Continue` after
the other, is never late by it. So each read waits for what is left of the whole answer's time.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from syncd.ports.permit import Permit

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PLAIN_HEAD = re.compile(
    rb"HTTP/1\.1 ([0-9]{3}) ([\x20-\x7e]*)\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\x20-\x7e]*\r\n)+)\r\n"
)
_SIZE = re.compile("[0-9]{1,18}")
_HEADERS = 99
"""As many as the standard library takes."""
_AT_ONCE = 4096
"""Bytes that go to an idle socket in one call, whatever its time-out. What takes several may be stopped between two of
them, and nothing of it may leave the machine long after the permit (`core.lease`).
"""
_LENIENCE = 0.01
"""Seconds. Telling the socket of less than this costs more than it is worth."""


class _InTime(io.RawIOBase):
    """What arrives at a socket until the time is over. Raises TimeoutError."""

    def __init__(self, sock: socket.socket, arriving: io.RawIOBase) -> None:
        self._sock = sock
        self._arriving = arriving
        self._seconds = self._granted = sock.gettimeout()
        self._ends = 0.0
        self.begin_anew()

    def begin_anew(self) -> None:
        """From now on there are as many seconds as the socket was given."""
        self._ends = time.monotonic() + (self._seconds or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self._seconds is not None:
            left = self._ends - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")  # as the socket says it
            if self._granted is None or abs(self._granted - left) > _LENIENCE:
                self._sock.settimeout(left)
                self._granted = left
        return self._arriving.readinto(buffer)

    def close(self) -> None:
        self._arriving.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """One time-out for everything up to the end of the head, one more for the body."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._in_time = _InTime(sock, self.fp.detach())
        self.fp = io.BufferedReader(self._in_time)

    def begin(self) -> None:
        while not self._has_final_head():
            self.headers = None  # type: ignore[assignment]  # so that the next head is read, as at the beginning
        if self.status == http.client.SWITCHING_PROTOCOLS:  # nobody asked for that; what follows is no HTTP
            self.will_close = True
        self._in_time.begin_anew()

    def _has_final_head(self) -> bool:
        """False after an interim one (RFC 9110, 15.2). The standard library passes over 100 alone, and takes any other
        for the answer: the real one would be the answer to the next request on this connection.
        """
        if not self._begun_at_once():
            super().begin()
        return self.status >= http.client.OK or self.status == http.client.SWITCHING_PROTOCOLS

    def _begun_at_once(self) -> bool:
        """Nearly every answer begins as plainly as one can. To read such a head as the standard library does, as the
        head of an e-mail, is a fifth of a request; what is not as plain is left to it.
        """
        if self.headers is not None or self._method == "HEAD" or not isinstance(self.fp, io.BufferedReader):
            return False
        found = _PLAIN_HEAD.match(self.fp.peek())
        if found is None:
            return False
        head = http.client.HTTPMessage()
        for line in found[3].decode("ascii").split("\r\n")[:-1]:
            name, _, value = line.partition(":")
            head[name] = value.lstrip(" \t")
        status, length = int(found[1]), head.get_all("Content-Length", [])
        if len(head) > _HEADERS or "Transfer-Encoding" in head or not _is_plain(status, length):
            return False
        self.fp.read(found.end())
        self.headers = self.msg = head
        self.code = self.status = status
        self.reason, self.version = found[2].decode("ascii").strip(), 11
        self.chunked, self.chunk_left = False, None
        self.length = 0 if status == http.client.NO_CONTENT else int(length[0])
        self.will_close = "close" in head.get("Connection", "").lower()
        return True


def _is_plain(status: int, length: Sequence[str]) -> bool:
    if status == http.client.NO_CONTENT:
        return True
    several = status >= http.client.OK and status != http.client.NOT_MODIFIED
    return several and len(length) == 1 and _SIZE.fullmatch(length[0]) is not None


class _InOnePiece(HTTPConnection):
    """A request goes to the socket with its body, not after it: one call, one packet, one question whether it may."""

    _held: list[bytes] | None = None
    _patience: float | None = None
    """Seconds for the answer before; None before the first."""

    def request(self, *arguments: Any, **options: Any) -> None:
        until_sent = self.timeout
        if self.sock is not None and self._patience is not None:
            self.timeout = self._patience
        held = self._held = []
        try:
            super().request(*arguments, **options)
        finally:
            self._held = None
        data = b"".join(held)
        if self.sock is not None and len(data) > _AT_ONCE:
            self.sock.settimeout(until_sent)
        self.write(data)

    def getresponse(self) -> Any:
        self._patience = self.timeout
        return super().getresponse()

    def send(self, data: Any) -> None:
        if self._held is None:
            self.write(data)
        else:
            self._held.append(data)

    def write(self, data: Any) -> None:
        super().send(data)


def guard(manager: urllib3.PoolManager, permit: Permit | None, delivered_within: float | None = None) -> None:
    """Every connection that this manager opens from now on. What the other side did not acknowledge within so many
    seconds the kernel gives up (tcp(7), TCP_USER_TIMEOUT), also when this machine was cut off meanwhile.
    """

    class Plain(_InOnePiece, HTTPConnection):
        response_class = _Answer

        def _new_conn(self) -> socket.socket:
            return _hasty(_Socket.instead_of(super()._new_conn()), delivered_within)

        def write(self, data: Any) -> None:
            _ask(self, permit)
            super().write(data)

    class Secure(Plain, HTTPSConnection):
        pass

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


class _Socket(socket.socket):
    """To tell the system the same time-out again and again costs a thread its turn each time: of eight that write, a
    twentieth of everything. Over TLS the library has sockets of its own, which are told.
    """

    @classmethod
    def instead_of(cls, sock: socket.socket) -> _Socket:
        timeout = sock.gettimeout()
        made = cls(sock.family, sock.type, sock.proto, fileno=sock.detach())
        made.settimeout(timeout)
        return made

    def settimeout(self, value: float | None) -> None:
        if value != self.gettimeout():
            super().settimeout(value)


def _hasty(sock: socket.socket, delivered_within: float | None) -> socket.socket:
    if delivered_within is not None and hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(delivered_within * 1000))
    return sock


def _ask(connection: HTTPConnection, permit: Permit | None) -> None:
    if permit is None:
        return
    if connection.sock is None:
        connection.connect()  # else `send` itself would open it, after the permit
    try:
        permit()
    except BaseException:
        connection.close()
        raise
