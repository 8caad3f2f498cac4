"""A simulator that stops keeps no connection, whenever that was made."""

import gc
import socket
import threading
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import default_split


def is_closed(wire: socket.socket) -> bool:
    try:
        return wire.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("connected_before", range(4))
def test_who_connects_while_it_stops_is_dropped(connected_before: int) -> None:
    """Connections wait to be accepted in the very turn of the loop in which the stop is heard."""
    simulator = SplitSimulator(default_split()).start()
    address = (str(urlsplit(simulator.url).hostname), int(urlsplit(simulator.url).port or 0))
    with ExitStack() as opened:

        def connect() -> socket.socket:
            return opened.enter_context(socket.create_connection(address, timeout=10))

        for _ in range(connected_before):
            wire = connect()
            wire.sendall(b"GET /_control/state HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert wire.recv(1)
        loop, busy = simulator._loop, threading.Event()
        assert loop is not None
        loop.call_soon_threadsafe(busy.wait)
        late = [connect() for _ in range(20)]
        stopping = threading.Thread(target=simulator.stop)
        stopping.start()
        busy.set()
        stopping.join()
        for wire in late:
            assert is_closed(wire)
    gc.collect()  # a connection that is left open is a warning, which is an error
