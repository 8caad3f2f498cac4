"""What systemd is told: sd_notify(3) over $NOTIFY_SOCKET. Without that socket nothing is said to anybody."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

_LONGEST_STATUS = 400
"""Characters; the whole must fit one datagram, and `systemctl status` shows one line."""


@dataclass
class Notify:
    """`address` is a path, or "@name" in the abstract namespace; "" says nothing.

    `watchdog` is after how many seconds without a sign systemd kills the process, None when it does not watch.
    """

    address: str = ""
    watchdog: float | None = None
    _status: str = field(default="", init=False)
    _signed: float = field(default=float("-inf"), init=False)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Notify:
        """From $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID (sd_watchdog_enabled(3))."""
        usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        watched = usec.isdecimal() and int(usec) > 0 and pid in ("", str(os.getpid()))
        return cls(environ.get("NOTIFY_SOCKET", ""), int(usec) / 1e6 if watched else None)

    def ready(self) -> None:
        """sd_notify READY=1."""
        self._send("READY=1")

    def reloading(self) -> None:
        """`ready` ends it. The time is what Type=notify-reload asks for."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """sd_notify STOPPING=1."""
        self._send("STOPPING=1\nSTATUS=stopping: waiting for what is under way")

    def status(self, line: str) -> None:
        """One line for people, sent when it changed."""
        line = " ".join(line.split())[:_LONGEST_STATUS]
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def alive(self) -> None:
        """The sign of life, sent twice in every watchdog interval however often it is called."""
        if self.watchdog is not None and time.monotonic() - self._signed >= self.watchdog / 2:
            self._signed = time.monotonic()
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self.address:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(1.0)
                sock.sendto(text.encode(), address)
        except OSError:
            pass  # a service manager that does not listen stops no provisioning
