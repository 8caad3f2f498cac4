"""Without a permit nothing is sent, and the permit is asked for each request again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.errors import LockLost
from syncd.target.split import ScimTarget
from tests.target.conftest import Bench
from tests.target.test_doubt import ACTS, act_without_an_answer

MakeBench = Callable[..., Bench]
MORE_ACTS: dict[str, Callable[[ScimTarget, str, str], object]] = {
    **ACTS,
    "create": lambda target, _, __: target.create_user("00u-new", {"userName": "new@example.com"}),
    "create group": lambda target, _, __: target.create_group("00g-new", "New"),
    "add a member": lambda target, user, group: target.change_members(group, add=[user], remove=[]),
    "remove a member": lambda target, user, group: target.change_members(group, add=[], remove=[user]),
}


class Lock:
    """Held for so many requests, then lost."""

    def __init__(self) -> None:
        self.left = 1_000

    def permit(self) -> None:
        if self.left <= 0:
            raise LockLost("another process took it over")
        self.left -= 1


@pytest.mark.parametrize("act", MORE_ACTS)
def test_who_lost_the_lock_sends_nothing(act: str, bench: MakeBench) -> None:
    lock = Lock()
    made = bench({"permit": lock.permit})
    [user] = made.people("ann")
    group = made.group_of(user)
    made.simulator.reset_requests()
    lock.left = 0

    with pytest.raises(LockLost):
        MORE_ACTS[act](made.target, user, group)

    assert list(made.simulator.requests) == []


@pytest.mark.parametrize("act", ACTS)
def test_a_try_without_an_answer_is_not_repeated_by_who_lost_the_lock(act: str, bench: MakeBench) -> None:
    lock = Lock()
    made = bench({"permit": lock.permit})
    [user] = made.people("ann")
    group = made.group_of(user)
    act_without_an_answer(made)
    made.simulator.reset_requests()
    lock.left = 1

    with pytest.raises(LockLost):
        ACTS[act](made.target, user, group)

    assert [seen.method for seen in made.simulator.requests] in (["PATCH"], ["DELETE"])
