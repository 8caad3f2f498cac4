"""Users and groups that a person took out of syncd's hands, and what the audit trail says of when, by whom and why.

The tables say that it is so (`released`, under the seals); the trail's notes only tell the story.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

from syncd.model import KnownGroup, KnownUser
from syncd.ports.deciding import Release
from syncd.store import packs, state
from syncd.store.db import Db
from syncd.store.rows import at_moment

# Answered from the index `journal_releases`, whose condition this is.
_TOLD = """
SELECT at, body FROM journal
WHERE entry = 'note' AND (instr(body, '"release":') OR instr(body, '"decision":"unlink"')) ORDER BY sequence
"""


def releases(conn: Db, now: datetime) -> list[Release]:
    """The oldest first. `now` stands in where there is no trail at all."""
    found = state.released(conn)
    if not found:
        return []
    told = dict(_stories(conn))
    (oldest,) = conn.execute(packs.OLDEST).fetchone()
    since = now if oldest is None else at_moment(oldest)
    made = [_release(known, told.get(known.okta_id), since) for known in found]
    return sorted(made, key=lambda each: (each.since, each.object_key))


_Story = tuple[datetime, Mapping[str, Any]]


def _stories(conn: Db) -> Iterator[tuple[str, _Story]]:
    """By Okta id, the youngest last. A row that somebody made unreadable tells nothing."""
    for at, text in conn.execute(_TOLD):
        with suppress(KeyError, TypeError, ValueError):
            body = json.loads(text)
            yield body["okta_id"], (at_moment(at), body)


def _release(known: KnownUser | KnownGroup, story: _Story | None, since: datetime) -> Release:
    at, body = story or (since, {})
    what: Literal["release", "unlink"] = "unlink" if body.get("decision") == "unlink" else "release"
    by, reason = body.get("by"), body.get("reason")
    if isinstance(known, KnownUser):
        name = known.wanted.user_name or known.okta_id
        return Release(f"user:{known.okta_id}", name, what, at, by, reason)
    target = body.get("name") or known.wanted.target_name
    return Release(f"group:{known.okta_id}", known.wanted.name, what, at, by, reason, target)
