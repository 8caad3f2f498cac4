"""A server that says it is PostgreSQL 14: it lets everybody in, and answers no statement."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_SSL, _GSS = 80877103, 80877104
# PostgreSQL, "Message Formats": a letter, the length with itself, the rest.
_LET_IN = struct.pack("!cII", b"R", 8, 0)
_READY = struct.pack("!cIc", b"Z", 5, b"I")


@dataclass
class OldServer:
    """`asked` has the kinds of messages that came after the beginning: Q and P would be statements."""

    port: int
    asked: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"postgresql://syncd@127.0.0.1:{self.port}/syncd"

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:  # the end of the test
                return
            with client, client.makefile("rb") as file:
                self._greet(client, file)  # type: ignore[arg-type]
                while kind := file.read(1):
                    self.asked.append(kind)
                    if kind == b"X":
                        break
                    (length,) = struct.unpack("!I", file.read(4))
                    file.read(length - 4)

    def _greet(self, client: socket.socket, file: socket.SocketIO) -> None:
        while True:
            length, code = struct.unpack("!II", file.read(8))
            file.read(length - 8)
            if code not in (_SSL, _GSS):
                break
            client.sendall(b"N")
        told = b"".join(
            _status(name, value) for name, value in (("server_version", "14.19"), ("client_encoding", "UTF8"))
        )
        client.sendall(_LET_IN + told + _READY)


def _status(name: str, value: str) -> bytes:
    body = f"{name}\0{value}\0".encode()
    return struct.pack("!cI", b"S", len(body) + 4) + body


@contextmanager
def old_server() -> Iterator[OldServer]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = OldServer(listening.getsockname()[1])
        thread = threading.Thread(target=server.serve, args=(listening,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)
