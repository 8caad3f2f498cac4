"""A test's own HTTP server, in a thread of its own."""

from __future__ import annotations

import threading
from http.server import ThreadingHTTPServer
from typing import Self


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
