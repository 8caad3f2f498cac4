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
import socket
import time
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from syncd.ports.permit import Permit

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _InTime(io.RawIOBase):
    """What arrives at a socket until the time is over. Raises TimeoutError."""

    def __init__(self, sock: socket.socket, arriving: io.RawIOBase) -> None:
        self._sock = sock
        self._arriving = arriving
        self._seconds = sock.gettimeout()
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
            self._sock.settimeout(left)
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
        super().begin()
        self._in_time.begin_anew()


def guard(manager: urllib3.PoolManager, permit: Permit | None, delivered_within: float | None = None) -> None:
    """Every connection that this manager opens from now on. What the other side did not acknowledge within so many
    seconds the kernel gives up (tcp(7), TCP_USER_TIMEOUT), also when this machine was cut off meanwhile.
    """

    class Plain(HTTPConnection):
        response_class = _Answer

        def _new_conn(self) -> socket.socket:
            return _hasty(super()._new_conn(), delivered_within)

        def send(self, data: Any) -> None:
            _ask(self, permit)
            super().send(data)

    class Secure(HTTPSConnection):
        response_class = _Answer

        def _new_conn(self) -> socket.socket:
            return _hasty(super()._new_conn(), delivered_within)

        def send(self, data: Any) -> None:
            _ask(self, permit)
            super().send(data)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


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
