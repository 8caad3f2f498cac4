"""What a report asks of holds, in SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from syncd.ports.history import HoldStory
from syncd.store.db import Db
from syncd.store.rows import at_moment, moment

_HOLDS = """
SELECT h.id, h.check_name, h.reason, h.numbers, h.raised_at, h.expires_at, h.state,
    (SELECT count(*) FROM hold_changes c WHERE c.hold_id = h.id AND c.state = 'held'),
    (SELECT count(*) FROM hold_changes c WHERE c.hold_id = h.id AND c.state = 'approve'),
    (SELECT count(*) FROM hold_changes c WHERE c.hold_id = h.id AND c.state = 'reject')
FROM holds h WHERE CAST(:since AS TEXT) IS NULL OR h.raised_at >= :since OR (h.state = 'open' AND h.expires_at > :now)
ORDER BY h.raised_at, h.id
"""


def hold_stories(conn: Db, since: datetime | None, now: datetime) -> list[HoldStory]:
    """Holds raised since then (None: ever) and those that are open, with what became of each by `now`."""
    rows = conn.execute(_HOLDS, {"since": None if since is None else moment(since), "now": moment(now)})
    return [
        HoldStory(
            id=hold_id,
            check=check,
            reason=reason,
            numbers=json.loads(numbers),
            raised_at=at_moment(raised_at),
            expires_at=at_moment(expires_at),
            state=_fate(state, waiting, at_moment(expires_at), now),
            waiting=waiting,
            approved=approved,
            rejected=rejected,
        )
        for hold_id, check, reason, numbers, raised_at, expires_at, state, waiting, approved, rejected in rows
    ]


def _fate(state: str, waiting: int, expires: datetime, now: datetime) -> str:
    """What became of a hold: "waiting", "decided", "expired"; "over": a later cycle no longer wanted it."""
    if not waiting:
        return "decided"
    if state != "open":
        return "over"
    return "waiting" if expires > now else "expired"


def known_changes(conn: Db, change_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Documents of held changes by id; unknown ids are left out."""
    rows = conn.execute(
        "SELECT change_id, document FROM hold_changes WHERE change_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(change_ids)),),
    )
    return {change_id: json.loads(document) for change_id, document in rows}
