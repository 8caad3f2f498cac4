"""Without a permit nothing is sent, and the permit is asked for each request again."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
import urllib3
from urllib3.util import connection

from syncd.errors import LockLost
from syncd.scim.connections import guard
from syncd.scim.split import ScimTarget
from tests.scim.conftest import Bench
from tests.scim.test_doubt import ACTS, act_without_an_answer

MakeBench = Callable[..., Bench]
MORE_ACTS: dict[str, Callable[[ScimTarget, str, str], object]] = {
    **ACTS,
    "create": lambda target, _, __: target.create_user("00u-new", {"userName": "new@example.com"}),
    "create group": lambda target, _, __: target.create_group("00g-new", "New"),
    "add a member": lambda target, user, group: target.change_members(group, add=[user], remove=[]),
    "remove a member": lambda target, user, group: target.change_members(group, add=[], remove=[user]),
}


class Lock:
    """Held until `lost` says otherwise. `asked` is how often it was looked at."""

    def __init__(self) -> None:
        self.asked = 0
        self.lost: Callable[[], object] = lambda: False

    def permit(self) -> None:
        self.asked += 1
        if self.lost():
            raise LockLost("another process took it over")


def locked(bench: MakeBench) -> tuple[Lock, Bench, str, str]:
    """A target that is written under a lock; a user, and a group with them."""
    lock = Lock()
    made = bench({"permit": lock.permit})
    [user] = made.people("ann")
    return lock, made, user, made.group_of(user)


@pytest.mark.parametrize("act", MORE_ACTS)
def test_who_lost_the_lock_sends_nothing(act: str, bench: MakeBench) -> None:
    lock, made, user, group = locked(bench)
    made.simulator.reset_requests()
    lock.lost = lambda: True

    with pytest.raises(LockLost):
        MORE_ACTS[act](made.target, user, group)

    assert list(made.simulator.requests) == []


@pytest.mark.parametrize("act", ACTS)
def test_a_try_without_an_answer_is_not_repeated_by_who_lost_the_lock(act: str, bench: MakeBench) -> None:
    lock, made, user, group = locked(bench)
    act_without_an_answer(made)
    made.simulator.reset_requests()
    lock.lost = lambda: list(made.simulator.requests)

    with pytest.raises(LockLost):
        ACTS[act](made.target, user, group)

    assert [seen.method for seen in made.simulator.requests] in (["PATCH"], ["DELETE"])


def test_a_connection_that_is_still_to_be_opened_asks_when_it_is_open(bench: MakeBench) -> None:
    """Opening one may take long: what was allowed before it is not believed afterwards."""
    lock = Lock()
    made = bench({"permit": lock.permit})
    [user] = made.people("ann")
    lock.asked = 0
    opened: list[int] = []
    real = connection.create_connection

    def slow(*args: Any, **more: Any) -> socket.socket:
        connected = real(*args, **more)
        opened.append(lock.asked)
        lock.lost = lambda: True
        return connected

    made.target._http._adapter.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "create_connection", slow)
        with pytest.raises(LockLost):
            made.target.deactivate_user(user)

    assert opened == [0], "nothing was asked before the connection was open"
    assert made.spent() == []


def test_behind_a_proxy_it_is_asked_too(bench: MakeBench) -> None:
    lock = Lock()
    lock.lost = lambda: True
    made = bench()
    origin = made.simulator.base_url.partition("/scim")[0]

    behind = bench({"permit": lock.permit, "proxy": origin})
    with pytest.raises(LockLost):
        behind.target.deactivate_user("some-id")

    assert made.spent() == behind.spent() == []


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has it")
@pytest.mark.parametrize(("asked", "set_to"), [(15.0, 15_000), (None, 0)])
def test_what_could_not_be_delivered_in_time_is_given_up_by_the_kernel_too(
    bench: MakeBench, asked: float | None, set_to: int
) -> None:
    made = bench()
    manager = urllib3.PoolManager()
    guard(manager, None, asked)
    manager.request("GET", made.simulator.url)
    used = manager.connection_from_url(made.simulator.url).pool
    assert used is not None
    sock = used.get().sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == set_to
    sock.close()
