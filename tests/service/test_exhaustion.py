"""The real executable in a process that may have few files open, while others hold many connections to it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.e2e.rig import Rig
from tests.service.connecting import listen_on
from tests.service.supervisor import eventually, supervised
from tests.serving import free_port

DESCRIPTORS = 128
CROWD = 3 * DESCRIPTORS


@contextmanager
def half_sent(port: int, count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            wire = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            wire.sendall(b"GET / HTTP/1.1\r\nHost: ")
        yield


def healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def test_provisioning_goes_on_and_visitors_are_answered_while_others_hold_more_than_all_descriptors(
    world: Rig,
) -> None:
    port = free_port()
    listen_on(world, port)
    with supervised(world.folder, world.config, descriptors=DESCRIPTORS) as daemon:
        daemon.logs("cycle done", cycle="full")
        with half_sent(port, CROWD):
            world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
            daemon.logs("applied", object="new@example.com")
            assert healthy(port)
            with half_sent(port, CROWD):
                polls = len([path for path in world.reads() if "/logs" in path])
                eventually(
                    lambda: len([path for path in world.reads() if "/logs" in path]) > polls + 2,
                    "deltas go on",
                )
                assert healthy(port)
        assert daemon.stop() == 0
    world.assert_exact()
    assert [entry["event"] for entry in daemon.log if entry["level"] == "error"] == []
    said, *left_out = daemon.events("the status server is full: who is idle longest has to leave")
    assert said["seats"] == DESCRIPTORS // 8
    assert len(left_out) <= 1, "the rest is counted"
