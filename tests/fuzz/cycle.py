"""Whole cycles of the real engine between both simulators, of whose answers some are spoiled on the way."""

from __future__ import annotations

import random
import shutil
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.hosting import Simulator
from syncd.simulators.ids import WorldError
from syncd.simulators.world import OktaWorld, SplitWorld
from tests.chaos.arena import Arena, arena
from tests.fuzz.spoiling import odd_json
from tests.fuzz.target import Target

_CYCLES = 3
_ROOM = 4 * 1024**3
"""Address space: every thread reserves some for its stack and its memory."""
_SPOILED = 0.15
"""Of all answers."""


@dataclass(frozen=True, slots=True)
class _Raw(Reply):
    bytes_: bytes = b""

    def body(self) -> bytes:
        return self.bytes_


def _spoil(simulator: Simulator, dice: random.Random) -> None:
    answer = type(simulator).answer

    def spoiled(call: Call) -> Reply:
        reply = answer(simulator, call)
        if dice.random() >= _SPOILED or not reply.body():
            return reply
        return _Raw(
            reply.status, None, reply.headers, reply.content_type, "", 0.0, odd_json(reply.body(), dice)
        )

    simulator.answer = spoiled  # type: ignore[method-assign]


def _worlds() -> tuple[OktaWorld, SplitWorld]:
    okta, split = OktaWorld(), SplitWorld(flavor="scim")
    people = [okta.add_user(f"p{n}@example.com", "P", str(n), assign=True) for n in range(5)]
    okta.create_group("push-red", members=people[:3])
    okta.create_group("push-blue", members=people[2:])
    return okta, split


def _move(arena: Arena, dice: random.Random) -> None:
    """Something to write in the next cycle."""
    world = arena.okta.world
    person = f"p{dice.randrange(5)}@example.com"
    dice.choice(
        (
            lambda: world.update_profile(person, lastName=f"N{dice.randrange(99)}"),
            lambda: world.add_user(
                f"q{dice.getrandbits(40)}@example.com", "Q", "q", assign=True, groups=["push-red"]
            ),
            lambda: world.remove_member("push-red", person),
            lambda: world.unassign(person),
        )
    )()


def _cycles(data: bytes) -> None:
    """The input is the dice: two runs over one input spoil the same answers, as far as threads let them."""
    dice = random.Random(data)  # noqa: S311  (dice)
    folder = Path(tempfile.mkdtemp(prefix="syncd-fuzz-"))
    tables = {"split": "concurrency = 1", "okta": 'timeout = "5s"'}
    try:
        with ExitStack() as stack:
            okta, split = _worlds()
            made = stack.enter_context(arena(folder, okta, split=split, tables=tables, attempts=2))
            if dice.random() < 0.7:
                made.cycle()
            _spoil(made.okta, dice)
            _spoil(made.split, dice)
            for _ in range(_CYCLES):
                with suppress(WorldError):  # who has left cannot leave again
                    _move(made, dice)
                made.cycle(full=dice.random() < 0.5)
            made.assert_journal_is_whole()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


CYCLE_TARGETS = (Target("cycles", lambda: _cycles, (), tuple(b"%d" % n for n in range(4)), room=_ROOM),)
