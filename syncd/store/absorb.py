"""Writes a stage's wishes into the store: set-based, one transaction, only rows that differ.

Runs on the writer's connection, inside its transaction, with the staging file attached as `stage`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from syncd.store.effects import drop_group
from syncd.store.rows import moment

_USERS = """
INSERT INTO users (okta_id, standing, wish, attributes, name_key, folded_name, digest, revision)
SELECT s.okta_id, s.standing, s.wish, s.attributes, s.name_key, s.folded_name, s.digest, :revision
FROM stage.users s LEFT JOIN main.users k ON k.okta_id = s.okta_id
WHERE k.okta_id IS NULL OR (k.revision <= s.base AND k.digest <> s.digest)
ORDER BY s.okta_id
ON CONFLICT (okta_id) DO UPDATE SET
    standing = excluded.standing, wish = excluded.wish, attributes = excluded.attributes,
    name_key = excluded.name_key, folded_name = excluded.folded_name, digest = excluded.digest,
    revision = excluded.revision, left_at = NULL
"""

# The digest is emptied so that the same record, back again, is a change.
_ABSENT = """
UPDATE main.users SET standing = 'absent', digest = X'', revision = :revision, released = 0,
    left_at = coalesce(left_at, :left_at)
WHERE okta_id = :okta_id AND standing <> 'absent'
    AND revision <= coalesce((SELECT a.base FROM stage.absent a WHERE a.okta_id = :okta_id), :base)
    AND NOT EXISTS (SELECT 1 FROM stage.seen s WHERE s.okta_id = :okta_id)
"""

_GROUPS = """
INSERT INTO groups (okta_id, state, wish, revision)
SELECT s.okta_id, s.state, s.wish, :revision
FROM stage.groups s LEFT JOIN main.groups k ON k.okta_id = s.okta_id
WHERE (k.okta_id IS NULL AND s.state <> 'gone')
    OR (k.revision <= s.base AND (k.state <> s.state OR k.wish <> s.wish))
ON CONFLICT (okta_id) DO UPDATE SET
    state = excluded.state, wish = excluded.wish, revision = excluded.revision
"""

# Complete lists of known groups, unless a shorter cycle stored a younger one meanwhile.
_LISTS = """
SELECT l.group_id, l.stamp, k.members_stamp, k.list_revision
FROM stage.lists l JOIN main.groups k ON k.okta_id = l.group_id
WHERE l.complete AND coalesce(k.list_revision, 0) <= l.base
"""

_LIST_GAINS = """
INSERT INTO main.members (group_id, user_id, listed, pushed)
SELECT s.group_id, s.user_id, 1, 0
FROM stage.listed s LEFT JOIN main.members m ON m.group_id = s.group_id AND m.user_id = s.user_id
WHERE s.group_id = ? AND coalesce(m.listed, 0) = 0
ON CONFLICT (group_id, user_id) DO UPDATE SET listed = 1
"""

_LIST_LOSSES = """
UPDATE main.members SET listed = 0
WHERE group_id = ? AND listed AND NOT EXISTS
    (SELECT 1 FROM stage.listed s WHERE s.group_id = members.group_id AND s.user_id = members.user_id)
"""

_OWN_GAINS = """
INSERT INTO main.members (group_id, user_id, listed, pushed)
SELECT s.group_id, s.user_id, 1, 0
FROM stage.user_groups s JOIN main.groups k ON k.okta_id = s.group_id
LEFT JOIN main.members m ON m.group_id = s.group_id AND m.user_id = s.user_id
WHERE coalesce(m.listed, 0) = 0
ON CONFLICT (group_id, user_id) DO UPDATE SET listed = 1
RETURNING group_id
"""

_OWN_LOSSES = """
UPDATE main.members SET listed = 0
WHERE user_id IN (SELECT user_id FROM stage.user_lists) AND listed AND NOT EXISTS
    (SELECT 1 FROM stage.user_groups s WHERE s.group_id = members.group_id AND s.user_id = members.user_id)
RETURNING group_id
"""

_FORGETTABLE = """
SELECT okta_id FROM main.groups WHERE state = 'gone' AND scim_id IS NULL AND NOT released
"""

_ASKED = """
UPDATE main.groups SET asked = a.asked, released = released AND a.what <> 'link'
FROM stage.asked a WHERE a.okta_id = groups.okta_id
"""

# Never linked, and no rule names them any more: nothing at the target depends on remembering them.
_UNCLAIMED = """
SELECT k.okta_id FROM main.groups k
WHERE k.scim_id IS NULL AND NOT k.released AND k.revision <= :base
    AND NOT EXISTS (SELECT 1 FROM stage.groups s WHERE s.okta_id = k.okta_id)
"""


def absorb_stage(
    conn: sqlite3.Connection,
    *,
    base: int,
    revision: int,
    unclaimed_groups: bool,
    confirmed_absent: Mapping[str, datetime],
) -> None:
    """`base` is the revision at which the stage began, `revision` the one that this transaction makes.

    `unclaimed_groups`: the groups were read whole and the stage is not limited to some.
    """
    conn.execute(_USERS, {"revision": revision})
    conn.executemany(
        _ABSENT,
        (
            {"okta_id": okta_id, "left_at": moment(left_at), "revision": revision, "base": base}
            for okta_id, left_at in confirmed_absent.items()
        ),
    )
    conn.execute(_GROUPS, {"revision": revision})
    conn.execute(_ASKED)
    _absorb_lists(conn, revision)
    _absorb_own_groups(conn, revision)
    forgettable = conn.execute(_FORGETTABLE).fetchall()
    if unclaimed_groups:
        forgettable += conn.execute(_UNCLAIMED, {"base": base}).fetchall()
    for (okta_id,) in forgettable:
        drop_group(conn, okta_id)


def _absorb_lists(conn: sqlite3.Connection, revision: int) -> None:
    for group_id, stamp, stored_stamp, list_revision in conn.execute(_LISTS).fetchall():
        changed = conn.execute(_LIST_GAINS, (group_id,)).rowcount
        changed += conn.execute(_LIST_LOSSES, (group_id,)).rowcount
        if changed:
            conn.execute(
                "DELETE FROM main.members WHERE group_id = ? AND NOT listed AND NOT pushed", (group_id,)
            )
        if changed or list_revision is None:
            conn.execute("UPDATE main.groups SET list_revision = ? WHERE okta_id = ?", (revision, group_id))
        if stamp != stored_stamp:
            conn.execute("UPDATE main.groups SET members_stamp = ? WHERE okta_id = ?", (stamp, group_id))


def _absorb_own_groups(conn: sqlite3.Connection, revision: int) -> None:
    """Users' own group lists: they change pairs, and say nothing about whether a group's list is known."""
    changed = conn.execute(_OWN_GAINS).fetchall() + conn.execute(_OWN_LOSSES).fetchall()
    if not changed:
        return
    conn.execute(
        "DELETE FROM main.members WHERE user_id IN (SELECT user_id FROM stage.user_lists)"
        " AND NOT listed AND NOT pushed"
    )
    conn.executemany(
        "UPDATE main.groups SET list_revision = ? WHERE okta_id = ? AND list_revision IS NOT NULL",
        [(revision, group_id) for (group_id,) in set(changed)],
    )
