"""Network namespaces whose loopback leads to the one of this machine, until it is cut. Needs root, `ip` and `nft`.

What a worker in one of them sends to 127.0.0.1 goes over a pair of virtual interfaces and arrives at this machine's
127.0.0.1: nobody has to listen anywhere else. A cut drops packets, so that what was sent waits in the worker's kernel.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

_HERE = """
table ip {name} {{
 chain pre {{
  type nat hook prerouting priority -100;
  iifname "{name}" ip daddr {near} dnat to 127.0.0.1
 }}
 chain input {{
  type nat hook input priority 100;
  iifname "{name}" snat to 127.0.0.1
 }}
}}
"""
_THERE = """
table ip {name} {{
 chain out {{
  type nat hook output priority -100;
  ip daddr 127.0.0.1 tcp dport 1024-65535 dnat to {near}
 }}
 chain post {{
  type nat hook postrouting priority 100;
  oifname "{name}n" snat to {far}
 }}
 chain cut {{
  type filter hook output priority 0;
 }}
}}
"""


def _run(*command: str, given: str | None = None) -> None:
    subprocess.run(command, input=given, text=True, check=True, capture_output=True)


@dataclass(frozen=True)
class Island:
    """`prefix` runs a command in it."""

    name: str

    @property
    def prefix(self) -> Sequence[str]:
        return ("ip", "netns", "exec", self.name)

    def cut(self, ports: Sequence[int]) -> None:
        """Nothing leaves for these ports of 127.0.0.1; without any, the interface is down."""
        if ports:
            listed = ", ".join(map(str, ports))
            rule = f"add rule ip {self.name} cut tcp dport {{ {listed} }} drop\n"
            _run(*self.prefix, "nft", "-f", "-", given=rule)
        else:
            _run("ip", "-n", self.name, "link", "set", f"{self.name}n", "down")

    def mend(self) -> None:
        _run(*self.prefix, "nft", "flush", "chain", "ip", self.name, "cut")
        _run("ip", "-n", self.name, "link", "set", f"{self.name}n", "up")


@contextmanager
def island(number: int) -> Iterator[Island]:
    name = f"sy{os.getpid()}i{number}"[-14:]
    near, far = f"10.213.{number}.1", f"10.213.{number}.2"
    made = Island(name)
    with ExitStack() as undo:
        _run("ip", "netns", "add", name)
        undo.callback(_run, "ip", "netns", "del", name)
        _run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}n", "netns", name)
        _run("ip", "addr", "add", f"{near}/30", "dev", name)
        _run("ip", "link", "set", name, "up")
        _run("ip", "-n", name, "addr", "add", f"{far}/30", "dev", f"{name}n")
        for device in (f"{name}n", "lo"):
            _run("ip", "-n", name, "link", "set", device, "up")
        _run("sysctl", "-qw", f"net.ipv4.conf.{name}.route_localnet=1")
        for where in (f"{name}n", "all"):
            _run(*made.prefix, "sysctl", "-qw", f"net.ipv4.conf.{where}.route_localnet=1")
        _run("nft", "-f", "-", given=_HERE.format(name=name, near=near))
        undo.callback(_run, "nft", "delete", "table", "ip", name)
        _run(*made.prefix, "nft", "-f", "-", given=_THERE.format(name=name, near=near, far=far))
        yield made


@contextmanager
def islands(count: int) -> Iterator[Sequence[Island]]:
    with ExitStack() as stack:
        yield [stack.enter_context(island(number)) for number in range(1, count + 1)]
