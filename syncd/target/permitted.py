"""The last look before bytes leave: whether this process may still write.

Asked by the connection itself, right before each piece goes to the socket: waiting for a turn, opening a connection and
shaking hands are over then, and a process that stood still in one of them has missed nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

Permit = Callable[[], None]
"""Raises what ends the request: nothing of it is sent any more, and it is not repeated."""


def ask_before_sending(manager: urllib3.PoolManager, permit: Permit) -> None:
    """For every connection that this manager opens from now on."""

    class Plain(HTTPConnection):
        def send(self, data: Any) -> None:
            _ask(self, permit)
            super().send(data)

    class Secure(HTTPSConnection):
        def send(self, data: Any) -> None:
            _ask(self, permit)
            super().send(data)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


def _ask(connection: HTTPConnection, permit: Permit) -> None:
    if connection.sock is None:
        connection.connect()  # else `send` itself would open it, after the permit
    try:
        permit()
    except BaseException:
        connection.close()
        raise
