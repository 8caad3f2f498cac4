"""Creates that did not end with a link and may have left something at the target. Inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from syncd.core.canonical import canonical
from syncd.ports.outcomes import CreationUnproven, Unproven
from syncd.store.db import Db
from syncd.store.rows import at_moment, moment


def record(conn: Db, doubted: CreationUnproven, at: datetime) -> None:
    """The first create counts: what came into being since then may be its doing."""
    conn.execute(
        "INSERT INTO unproven (kind, okta_id, scim_id, body, since) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (kind, okta_id) DO UPDATE SET"
        " scim_id = coalesce(excluded.scim_id, unproven.scim_id), body = excluded.body",
        (
            doubted.kind,
            doubted.okta_id,
            doubted.scim_id,
            canonical([doubted.name, doubted.reason, doubted.stranger]),
            moment(at),
        ),
    )


def everything(conn: Db) -> list[Unproven]:
    """All that nobody can prove yet, users and groups, by kind and Okta id."""
    rows = conn.execute("SELECT kind, okta_id, scim_id, body, since FROM unproven ORDER BY kind, okta_id")
    found = []
    for kind, okta_id, scim_id, body, since in rows.fetchall():
        name, reason, stranger = json.loads(body)
        found.append(Unproven(kind, okta_id, scim_id, name, reason, stranger, at_moment(since)))
    return found


def forget(conn: Db, unproven: Iterable[tuple[str, str]]) -> None:
    """`unproven` has kinds and Okta ids."""
    conn.executemany("DELETE FROM unproven WHERE kind = ? AND okta_id = ?", list(unproven))
