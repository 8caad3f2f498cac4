"""What fails, as `status` and `explain` tell it: refused wishes, and who or what cannot be read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from syncd.core.plan import timestamp
from syncd.core.waiting import NOT_READ, Waiting
from syncd.ports import Failure


def unread(waiting: Iterable[Waiting]) -> list[Waiting]:
    """Of what waits, that which could not be read."""
    return [each for each in waiting if each.kind in NOT_READ]


def failing_documents(
    failures: Iterable[Failure], waiting: Iterable[Waiting], now: datetime
) -> list[dict[str, Any]]:
    """What failed and what could not be read, as `status` shows it."""
    refused = [
        {
            "object": failure.name,
            "kind": failure.kind.value,
            "message": failure.message,
            "attempts": failure.attempts,
            "since": timestamp(failure.first_failed),
            "next_attempt": timestamp(failure.next_attempt),
        }
        for failure in failures
    ]
    return refused + [
        {
            "object": each.name,
            "kind": "read",
            "message": each.reason,
            "attempts": each.looks,
            "since": timestamp(each.since),
            "next_attempt": timestamp(each.next_look or now),
        }
        for each in unread(waiting)
    ]
