"""Persons and groups that a side does not let be read while it answers the rest: they wait, everybody else goes on."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from syncd.core.plan import timestamp

KEY = "unread"
"""Under this key the store remembers them; nothing when there are none."""

Subject = tuple[str, str]
"""("user" or "group", Okta id)."""


@dataclass(frozen=True, slots=True)
class Unread:
    """`message` says which request was refused and by whom; `attempts` counts the cycles that met it."""

    name: str
    message: str
    since: datetime
    attempts: int = 1


def carried_on(
    before: Mapping[Subject, Unread],
    found: Mapping[Subject, Unread],
    *,
    looked_at: Collection[Subject] | None,
) -> Mapping[Subject, Unread]:
    """What waits after a cycle that was refused `found`. What it looked at and could read waits no longer; None: it
    looked at everything.
    """
    kept = {} if looked_at is None else {key: one for key, one in before.items() if key not in looked_at}
    again = {
        key: replace(one, since=before[key].since, attempts=before[key].attempts + 1)
        if key in before
        else one
        for key, one in found.items()
    }
    return dict(sorted((kept | again).items()))


def written(unread: Mapping[Subject, Unread]) -> str | None:
    """For the store; None when there are none."""
    rows = [
        {
            "kind": kind,
            "okta_id": okta_id,
            "name": one.name,
            "message": one.message,
            "since": timestamp(one.since),
            "attempts": one.attempts,
        }
        for (kind, okta_id), one in unread.items()
    ]
    return json.dumps(rows) if rows else None


def read(text: str | None) -> Mapping[Subject, Unread]:
    """From what `written` gave."""
    rows: list[dict[str, Any]] = json.loads(text) if text else []
    return {
        (row["kind"], row["okta_id"]): Unread(
            row["name"], row["message"], datetime.fromisoformat(row["since"]), row["attempts"]
        )
        for row in rows
    }
