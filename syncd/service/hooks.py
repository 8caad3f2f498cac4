"""The listener of Okta's event hooks: of its own, and never the status server, which only shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from syncd.core.hooks import BODY_AT_MOST
from syncd.service.door import Door
from syncd.service.hook_desk import HookDesk
from syncd.service.hook_intake import HookIntake, HookReceiver
from syncd.service.server_thread import Server, server_thread
from syncd.service.visitors import HEAD_AT_MOST


@contextmanager
def listening(
    address: tuple[str, int],
    receivers: Callable[[], Sequence[HookReceiver]],
    count: Callable[[int], None],
    tell: Callable[..., None],
) -> Iterator[Server]:
    """Hears event hooks for these connections until the block ends. `count` hears of the status of each answer, `tell`
    of events for the log, both from the listener's thread. Raises SyncdError when the address cannot be had.
    """
    intake = HookIntake()
    desk = HookDesk(receivers, intake, count, tell)

    def make_door() -> Door:
        def warn(event: str, **fields: object) -> None:
            tell("warning", event, **fields)

        return Door(
            desk.answer,
            desk.refuse,
            warn,
            name="the listener of event hooks",
            said_at_most=BODY_AT_MOST + HEAD_AT_MOST,
        )

    try:
        with server_thread("hooks.listen", address, make_door) as server:
            yield server
    finally:
        intake.close()
