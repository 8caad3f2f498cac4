"""A test's own HTTP server, in a thread of its own; and ports for servers that are other processes."""

from __future__ import annotations

import atexit
import socket
import threading
from http.server import ThreadingHTTPServer
from typing import Self


def free_port() -> int:
    """A free port of 127.0.0.1 that the system gives to nobody else while this process lives: it stays bound, and
    nobody listens. A server that sets SO_REUSEADDR, as all of ours and most others do, may listen on it.
    """
    held = socket.socket()
    atexit.register(held.close)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return int(held.getsockname()[1])


class Serving:
    """Serves from the beginning of its `with` block to the end, or until `stop`."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.port = server.server_port
        self._serving = server
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """From now on nobody listens. May be called twice."""
        if not self._thread.is_alive():
            return
        self._serving.shutdown()
        self._serving.server_close()
        self._thread.join()
