"""Writes a stage's wishes into the store: set-based, one transaction, only rows that differ.

Runs inside a transaction of the writer's that sees the store as `main` and the stage as `stage`. What counts of it is
decided by the same views that answer the stage's own questions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from syncd.store.db import Db
from syncd.store.effects import drop_group
from syncd.store.journal import open_intents
from syncd.store.rows import moment

_ROWS_AT_ONCE = 250_000
"""Memberships."""
TOMBSTONES_KEPT = timedelta(days=1)
"""No list is read for longer (source.listing.ListingLimits), and lists lag less."""

_USERS = """
INSERT INTO users (okta_id, standing, wish, attributes, name_key, folded_name, digest, revision)
SELECT s.okta_id, s.standing, s.wish, s.attributes, s.name_key, s.folded_name, s.digest, :revision
FROM temp.fresh_users s LEFT JOIN main.users k ON k.okta_id = s.okta_id
WHERE k.okta_id IS NULL OR k.digest <> s.digest
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
WHERE okta_id = :okta_id AND standing <> 'absent' AND revision <= :base
    AND NOT EXISTS (SELECT 1 FROM stage.seen s WHERE s.okta_id = :okta_id)
"""

_GROUPS = """
INSERT INTO groups (okta_id, state, wish, revision, known_since)
SELECT s.okta_id, s.state, s.wish, :revision, :revision
FROM temp.fresh_groups s LEFT JOIN main.groups k ON k.okta_id = s.okta_id
WHERE (k.okta_id IS NULL AND s.state <> 'gone')
    OR (k.okta_id IS NOT NULL AND (k.state <> s.state OR k.wish <> s.wish))
ON CONFLICT (okta_id) DO UPDATE SET
    state = excluded.state, wish = excluded.wish, revision = excluded.revision
"""

# An answer by id is knowledge even where it changed nothing: the wish is as young as the answer. Not so where it said
# that somebody is gone and that was not believed.
_ANSWERED = """
UPDATE main.{table} SET revision = :revision,
    asked_at = (SELECT b.at FROM stage.by_id b WHERE b.okta_id = {table}.okta_id)
WHERE okta_id IN (SELECT okta_id FROM stage.by_id) AND (revision <= :base OR revision = :revision)
    AND ({present} OR EXISTS (SELECT 1 FROM stage.{put} s WHERE s.okta_id = {table}.okta_id))
"""
_USERS_ANSWERED = _ANSWERED.format(table="users", present="standing = 'absent'", put="seen")
_GROUPS_ANSWERED = _ANSWERED.format(table="groups", present="1 = 0", put="groups")

_NEVER_KNOWN = """
INSERT INTO main.tombstones (okta_id, revision, at)
SELECT b.okta_id, :revision, b.at FROM stage.absent a JOIN stage.by_id b ON b.okta_id = a.okta_id
WHERE NOT EXISTS (SELECT 1 FROM main.users k WHERE k.okta_id = a.okta_id)
    AND NOT EXISTS (SELECT 1 FROM main.groups k WHERE k.okta_id = a.okta_id)
    AND NOT EXISTS (SELECT 1 FROM main.tombstones t WHERE t.okta_id = a.okta_id AND t.revision > :base)
ON CONFLICT (okta_id) DO UPDATE SET revision = excluded.revision, at = excluded.at
"""

_LISTS = """
SELECT l.group_id, l.stamp, (SELECT count(*) FROM stage.listed s WHERE s.group_id = l.group_id)
FROM temp.fresh_lists l JOIN main.groups k ON k.okta_id = l.group_id
"""

_LIST_GAINS = """
INSERT INTO main.members (group_id, user_id, listed, pushed)
SELECT s.group_id, s.user_id, 1, 0
FROM json_each(?) l CROSS JOIN main.groups g ON g.okta_id = l.value CROSS JOIN stage.listed s ON s.group_id = g.okta_id
LEFT JOIN main.members m ON m.group_id = s.group_id AND m.user_id = s.user_id
WHERE coalesce(m.listed, 0) = 0
    AND NOT EXISTS (SELECT 1 FROM temp.own_list_counts o
        WHERE o.okta_id = s.user_id AND o.revision >= g.known_since)
    AND s.user_id NOT IN (SELECT user_id FROM temp.fresh_own_lists)
ON CONFLICT (group_id, user_id) DO UPDATE SET listed = 1
RETURNING group_id
"""

_LIST_LOSSES = """
UPDATE main.members SET listed = 0 FROM main.groups g
WHERE g.okta_id = members.group_id AND g.okta_id IN (SELECT value FROM json_each(?)) AND listed = 1
    AND NOT EXISTS
        (SELECT 1 FROM stage.listed s WHERE s.group_id = members.group_id AND s.user_id = members.user_id)
    AND NOT EXISTS (SELECT 1 FROM temp.own_list_counts o
        WHERE o.okta_id = members.user_id AND o.revision >= g.known_since)
    AND members.user_id NOT IN (SELECT user_id FROM temp.fresh_own_lists)
RETURNING group_id
"""

_LIST_UNNEEDED = """
DELETE FROM main.members
WHERE group_id IN (SELECT value FROM json_each(?)) AND listed = 0 AND pushed = 0
"""

_OWN_GAINS = """
INSERT INTO main.members (group_id, user_id, listed, pushed)
SELECT s.group_id, s.user_id, 1, 0
FROM temp.fresh_own_lists o CROSS JOIN stage.user_groups s ON s.user_id = o.user_id
JOIN main.groups k ON k.okta_id = s.group_id
LEFT JOIN main.members m ON m.group_id = s.group_id AND m.user_id = s.user_id
WHERE coalesce(m.listed, 0) = 0
ON CONFLICT (group_id, user_id) DO UPDATE SET listed = 1
"""

_OWN_LOSSES = """
UPDATE main.members SET listed = 0
WHERE user_id IN (SELECT user_id FROM temp.fresh_own_lists) AND listed = 1 AND NOT EXISTS
    (SELECT 1 FROM stage.user_groups s WHERE s.group_id = members.group_id AND s.user_id = members.user_id)
"""

_OWN_UNNEEDED = """
DELETE FROM main.members
WHERE user_id IN (SELECT user_id FROM temp.fresh_own_lists) AND listed = 0 AND pushed = 0
"""

_OWN_ANSWERED = """
UPDATE main.users SET own_list_revision = :revision,
    own_list_at = (SELECT o.at FROM stage.user_lists o WHERE o.user_id = users.okta_id)
WHERE okta_id IN (SELECT user_id FROM temp.fresh_own_lists)
"""

_LIST_YOUNG = "UPDATE main.groups SET list_revision = ? WHERE okta_id IN (SELECT value FROM json_each(?))"
_LIST_KNOWN = f"{_LIST_YOUNG} AND list_revision IS NULL"

# A stamp vouches for a list that is stored just as it was read; else it would hide what was not believed of it.
_NOT_AS_READ = """
SELECT s.group_id FROM json_each(?1) l CROSS JOIN stage.listed s ON s.group_id = l.value
LEFT JOIN main.members m ON m.group_id = s.group_id AND m.user_id = s.user_id
WHERE coalesce(m.listed, 0) = 0
UNION
SELECT m.group_id FROM json_each(?1) l CROSS JOIN main.members m ON m.group_id = l.value
WHERE m.listed = 1 AND NOT EXISTS
    (SELECT 1 FROM stage.listed s WHERE s.group_id = m.group_id AND s.user_id = m.user_id)
"""
_STAMPED = """
UPDATE main.groups SET members_stamp = l.stamp FROM stage.lists l
WHERE l.group_id = groups.okta_id AND okta_id IN (SELECT value FROM json_each(?))
    AND members_stamp IS NOT (l.stamp)
"""
_UNSTAMPED = """
UPDATE main.groups SET members_stamp = NULL
WHERE okta_id IN (SELECT value FROM json_each(?)) AND members_stamp IS NOT NULL
"""

# Of whose creation nobody knows yet how it ended: it may be there, and then its removal goes by what is remembered.
_IN_THE_MAKING = "SELECT value FROM json_each(?)"
_FORGETTABLE = f"""
SELECT okta_id FROM main.groups WHERE state = 'gone' AND scim_id IS NULL AND released = 0
    AND okta_id NOT IN ({_IN_THE_MAKING})
"""  # noqa: S608  (constants)

_ASKED = """
UPDATE main.groups SET asked = a.asked,
    released = CASE WHEN released = 1 AND a.what <> 'link' THEN 1 ELSE 0 END
FROM stage.asked a WHERE a.okta_id = groups.okta_id
"""
_ASKED_USERS = """
UPDATE main.users SET released = 0 WHERE released = 1 AND okta_id IN (SELECT okta_id FROM stage.asked_users)
"""

# Never linked, and no rule names them any more: nothing at the target depends on remembering them.
_UNCLAIMED = f"""
SELECT k.okta_id FROM temp.unnamed_groups n JOIN main.groups k ON k.okta_id = n.okta_id
WHERE k.scim_id IS NULL AND k.released = 0 AND k.okta_id NOT IN ({_IN_THE_MAKING})
"""  # noqa: S608  (constants)

_RESOLVED = """
DELETE FROM main.doubts WHERE object_key IN
    (SELECT kind || b.okta_id FROM stage.by_id b, (SELECT 'user:' AS kind UNION ALL SELECT 'group:') kinds)
"""


def absorb_stage(
    conn: Db,
    *,
    base: int,
    revision: int,
    now: datetime,
    users_whole: bool,
    groups_whole: bool,
    limited: bool,
    confirmed_absent: Mapping[str, datetime],
) -> None:
    """`base` is the revision at which the stage began, `revision` the one that this transaction makes.

    `users_whole`, `groups_whole`: their lists were read whole. `limited`: the stage is about some of them only.
    """
    now_and_then = {"revision": revision, "base": base}
    conn.execute(_USERS, {"revision": revision})
    conn.executemany(
        _ABSENT,
        (
            {"okta_id": okta_id, "left_at": moment(left_at), **now_and_then}
            for okta_id, left_at in confirmed_absent.items()
        ),
    )
    conn.execute(_USERS_ANSWERED, now_and_then)
    conn.execute(_GROUPS, {"revision": revision})
    conn.execute(_GROUPS_ANSWERED, now_and_then)
    conn.execute(_NEVER_KNOWN, now_and_then)
    conn.execute(_ASKED)
    conn.execute(_ASKED_USERS)
    _absorb_memberships(conn, revision, limited=limited)
    in_the_making = json.dumps(sorted({intent.change.okta_id for intent in open_intents(conn)}))
    forgettable = conn.execute(_FORGETTABLE, (in_the_making,)).fetchall()
    if groups_whole and not limited:
        forgettable += conn.execute(_UNCLAIMED, (in_the_making,)).fetchall()
    for (okta_id,) in forgettable:
        drop_group(conn, okta_id, now)
    if not limited:
        old = {"base": base, "before": moment(now - TOMBSTONES_KEPT)}
        conn.execute("DELETE FROM main.tombstones WHERE at < :before AND revision <= :base", old)
    conn.execute("DELETE FROM main.doubts" if users_whole and not limited else _RESOLVED)
    conn.execute("INSERT OR IGNORE INTO main.doubts SELECT object_key FROM stage.doubts")


def _absorb_memberships(conn: Db, revision: int, *, limited: bool) -> None:
    """Groups' lists, then users' own lists, which say nothing about whether a group's list is known.

    A list that changed nothing counts as young only from a shorter cycle: no two long ones overlap.
    """
    lists = conn.execute(_LISTS).fetchall()
    for some in _together(lists):
        groups = json.dumps([group_id for group_id, _ in some])
        changed = {group_id for (group_id,) in conn.execute(_LIST_GAINS, (groups,))}
        changed |= {group_id for (group_id,) in conn.execute(_LIST_LOSSES, (groups,))}
        if changed:
            conn.execute(_LIST_UNNEEDED, (json.dumps(list(changed)),))
        young = groups if limited else json.dumps(list(changed))
        conn.execute(_LIST_YOUNG, (revision, young))
        conn.execute(_LIST_KNOWN, (revision, groups))
    for statement in (_OWN_GAINS, _OWN_LOSSES, _OWN_UNNEEDED):
        conn.execute(statement)
    for some in _together(lists):
        stamped = [group_id for group_id, stamp in some if stamp is not None]
        other = {group_id for (group_id,) in conn.execute(_NOT_AS_READ, (json.dumps(stamped),))}
        as_read = [group_id for group_id in stamped if group_id not in other]
        conn.execute(_STAMPED, (json.dumps(as_read),))
        rest = {group_id for group_id, _ in some}.difference(as_read)
        conn.execute(_UNSTAMPED, (json.dumps(list(rest)),))
    conn.execute(_OWN_ANSWERED, {"revision": revision})


def _together(lists: Sequence[tuple[str, str | None, int]]) -> Iterator[Sequence[tuple[str, str | None]]]:
    """Group and stamp, of as many lists as one statement is to be about: what it changes is held until its end."""
    some: list[tuple[str, str | None]] = []
    rows = 0
    for group_id, stamp, members in lists:
        if some and rows + members > _ROWS_AT_ONCE:
            yield some
            some, rows = [], 0
        some.append((group_id, stamp))
        rows += members
    if some:
        yield some
