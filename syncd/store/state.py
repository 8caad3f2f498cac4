"""Questions about what is remembered: users, groups, memberships, runs, population."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from syncd.core.canonical import canonical, read_canonical
from syncd.core.names import letter_case_key, look_alike_key
from syncd.model import KnownGroup, KnownUser
from syncd.ports.store import Due, Population, RunRecord
from syncd.store import waiting
from syncd.store.db import Db
from syncd.store.history import run_record
from syncd.store.rows import (
    KNOWN_GROUP_COLUMNS,
    KNOWN_USER_COLUMNS,
    Row,
    columns,
    known_group,
    known_user,
    moment,
    searchable,
)

PAGE = 500
RUN_COLUMNS = "kind, started, finished, status, summary, error"
DOUBTS_AT_ONCE = 25
"""So many objects in doubt does one cycle look at besides what else is due."""
_USERS = f"SELECT {columns(KNOWN_USER_COLUMNS, 'u')} FROM users u"  # noqa: S608  (constants)
_GROUPS = f"SELECT {columns(KNOWN_GROUP_COLUMNS, 'g')} FROM groups g"  # noqa: S608  (constants)


def get_meta(conn: Db, key: str) -> str | None:
    """What the store says of itself under this key; None where nothing was said."""
    row = conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def set_meta(conn: Db, key: str, value: str) -> None:
    """Says it from now on; what was said before is gone."""
    conn.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )


def revision(conn: Db) -> int:
    return int(get_meta(conn, "revision") or 0)


def advance(conn: Db) -> int:
    """The next revision; inside the transaction that changes something."""
    following = revision(conn) + 1
    set_meta(conn, "revision", str(following))
    return following


def recall(conn: Db, key: str) -> str | None:
    """The fact that is remembered under this key; None where none is."""
    row = conn.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(read_canonical(row[0]))


def remember(conn: Db, key: str, value: str | None) -> None:
    """Remembers a fact instead of the one before; None forgets it."""
    if value is None:
        conn.execute("DELETE FROM facts WHERE key = ?", (key,))
        return
    conn.execute(
        "INSERT INTO facts (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, canonical(value)),
    )


def user(conn: Db, okta_id: str) -> KnownUser | None:
    """What is known of one person; None where the store never had them."""
    row = conn.execute(f"{_USERS} WHERE okta_id = ?", (okta_id,)).fetchone()
    return None if row is None else known_user(row)


def users(conn: Db, okta_ids: Sequence[str]) -> dict[str, KnownUser]:
    """By Okta id; who is unknown is missing."""
    given = json.dumps(list(okta_ids))
    query = f"{_USERS} WHERE okta_id IN (SELECT value FROM json_each(?))"  # noqa: S608  (constants)
    rows = conn.execute(query, (given,)).fetchall()
    return {known.okta_id: known for known in map(known_user, rows)}


def accounts(conn: Db, okta_ids: Sequence[str]) -> dict[str, str]:
    """The ids at the target, by Okta id; whoever has none is left out."""
    query = (
        "SELECT okta_id, scim_id FROM users"
        " WHERE okta_id IN (SELECT value FROM json_each(?)) AND scim_id IS NOT NULL"
    )
    return dict(conn.execute(query, (json.dumps(list(okta_ids)),)).fetchall())


def owners(conn: Db, kind: str, scim_ids: Sequence[str]) -> dict[str, str]:
    """By SCIM id, the Okta ids of those users or groups (`kind`) to whom these objects at the target are tied."""
    table = {"user": "users", "group": "groups"}[kind]
    places = ", ".join(
        "?" * len(scim_ids)
    )  # an id is whatever a server says; JSON would not carry every text
    query = f"SELECT scim_id, okta_id FROM {table} WHERE scim_id IN ({places})"  # noqa: S608  (constants)
    return dict(conn.execute(query, scim_ids).fetchall())


def user_by_scim_id(conn: Db, scim_id: str) -> KnownUser | None:
    """Whose account this is; None where it is tied to nobody."""
    row = conn.execute(f"{_USERS} WHERE scim_id = ?", (scim_id,)).fetchone()
    return None if row is None else known_user(row)


def linked_users(conn: Db, after: str) -> list[KnownUser]:
    """At most `PAGE` users with a SCIM id, by Okta id."""
    rows = conn.execute(
        f"{_USERS} WHERE okta_id > ? AND scim_id IS NOT NULL ORDER BY okta_id LIMIT {PAGE}", (after,)
    )
    return [known_user(row) for row in rows.fetchall()]


def released(conn: Db) -> list[KnownUser | KnownGroup]:
    """Whom and what a person took out of syncd's hands: users, then groups, by Okta id."""
    users = conn.execute(f"{_USERS} WHERE u.released = 1 ORDER BY okta_id").fetchall()
    groups = conn.execute(f"{_GROUPS} WHERE g.released = 1 ORDER BY okta_id").fetchall()
    return [*map(known_user, users), *map(known_group, groups)]


def find_users(conn: Db, text: str) -> list[KnownUser]:
    """Exact hits (id, SCIM id, userName wanted or pushed) first and alone, else those that differ in letter case."""
    folded = searchable(look_alike_key(text))
    rows = conn.execute(
        f"{_USERS} WHERE okta_id = ?1 OR scim_id = ?1 OR folded_name = ?2 OR pushed_folded_name = ?2"
        " ORDER BY okta_id",
        (searchable(text), folded),
    ).fetchall()
    found = [known_user(row) for row in rows]
    exact = [known for known in found if text in _user_names(known)]
    key = letter_case_key(text)
    return exact or [
        known for known in found if key in {letter_case_key(str(name)) for name in _user_names(known)}
    ]


def _user_names(known: KnownUser) -> Sequence[object]:
    names: list[object] = [known.okta_id, known.wanted.user_name]
    if known.pushed is not None:
        names += [known.pushed.scim_id, known.pushed.attributes.get("userName")]
    return names


def group(conn: Db, okta_id: str) -> KnownGroup | None:
    """What is known of one group; None where the store never had it."""
    row = conn.execute(f"{_GROUPS} WHERE okta_id = ?", (okta_id,)).fetchone()
    return None if row is None else known_group(row)


def group_by_scim_id(conn: Db, scim_id: str) -> KnownGroup | None:
    """Which group this is at the target; None where it is tied to none."""
    row = conn.execute(f"{_GROUPS} WHERE scim_id = ?", (scim_id,)).fetchone()
    return None if row is None else known_group(row)


def groups(conn: Db) -> list[KnownGroup]:
    """All of them, by Okta id."""
    return [known_group(row) for row in conn.execute(f"{_GROUPS} ORDER BY okta_id").fetchall()]


def find_groups(conn: Db, text: str) -> list[KnownGroup]:
    """By Okta id, SCIM id, or name (in Okta, wanted or pushed at the target): exact first, else letter case aside."""
    everyone = [(known, _group_names(known)) for known in groups(conn)]
    exact = [known for known, names in everyone if text in names]
    key = letter_case_key(text)
    return exact or [known for known, names in everyone if key in map(letter_case_key, names)]


def _group_names(known: KnownGroup) -> set[str]:
    names = {known.okta_id, known.wanted.name, known.wanted.target_name}
    if known.pushed is not None:
        names |= {known.pushed.scim_id, known.pushed.name}
    return names


def pushed_members(conn: Db, group_id: str) -> list[str]:
    """Okta ids of those whom syncd put into the group and did not take out, sorted."""
    rows = conn.execute(
        "SELECT user_id FROM members WHERE group_id = ? AND pushed = 1 ORDER BY user_id", (group_id,)
    )
    return [user_id for (user_id,) in rows.fetchall()]


def groups_with(conn: Db, user_id: str) -> list[str]:
    """Okta ids of the groups into which syncd put this person, sorted."""
    rows = conn.execute(
        "SELECT group_id FROM members WHERE user_id = ? AND pushed = 1 ORDER BY group_id", (user_id,)
    )
    return [group_id for (group_id,) in rows.fetchall()]


def population(conn: Db) -> Population:
    """How many people, active people and groups are tied to something at the target, and each group's members."""
    (users, active) = conn.execute(
        "SELECT count(*), coalesce(sum(pushed_active), 0) FROM users WHERE scim_id IS NOT NULL"
    ).fetchone()
    (linked,) = conn.execute("SELECT count(*) FROM groups WHERE scim_id IS NOT NULL").fetchone()
    by_group = dict(
        conn.execute("SELECT group_id, sum(pushed) FROM members GROUP BY group_id HAVING sum(pushed) > 0")
    )
    return Population(
        users=users,
        active_users=active,
        groups=linked,
        memberships=sum(by_group.values()),
        by_group=by_group,
    )


def begin_run(conn: Db, run_id: str, kind: str, now: datetime) -> None:
    """A run without an end: what it becomes is said when it finishes."""
    conn.execute("INSERT INTO runs (run_id, kind, started) VALUES (?, ?, ?)", (run_id, kind, moment(now)))


def finish_run(
    conn: Db,
    run_id: str,
    now: datetime,
    *,
    status: str,
    summary: Mapping[str, Mapping[str, int]],
    error: str | None,
) -> dict[str, Any]:
    """Returns what the trail says about the run (`run_document`)."""
    conn.execute(
        "UPDATE runs SET finished = ?, status = ?, summary = ?, error = ? WHERE run_id = ?",
        (
            moment(now),
            status,
            canonical({part: dict(counts) for part, counts in summary.items()}),
            None if error is None else canonical(error),
            run_id,
        ),
    )
    query = f"SELECT {RUN_COLUMNS} FROM runs WHERE run_id = ?"  # noqa: S608  (constants)
    row = conn.execute(query, (run_id,)).fetchone()
    return run_document(row) if row else {}


def run_document(row: Row) -> dict[str, Any]:
    """From `RUN_COLUMNS`. Raises ValueError or TypeError for one that was made unreadable."""
    kind, started, finished, status, summary, error = row
    return {
        "kind": kind,
        "started": started,
        "finished": finished,
        "status": status,
        "summary": json.loads(summary),
        "error": None if error is None else json.loads(error),
    }


def runs(conn: Db, limit: int) -> list[RunRecord]:
    """The youngest first."""
    rows = conn.execute(
        "SELECT run_id, kind, started, finished, status, summary, error FROM runs"
        " ORDER BY started DESC, rowid DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return [run_record(row) for row in rows]


# What failed, and what is left alone, has a time of its own: until then nothing else brings it up.
_DUE = f"""
SELECT f.object_key FROM failures f WHERE f.next_attempt <= :now
    AND NOT EXISTS (SELECT 1 FROM waiting w
        WHERE w.object_key = f.object_key AND w.kind = 'unsettled' AND w.next_look > :now)
UNION
SELECT object_key FROM (SELECT d.object_key FROM doubts d WHERE NOT EXISTS
        (SELECT 1 FROM waiting w WHERE w.object_key = d.object_key AND w.kind = 'refused' AND w.next_look > :now)
    ORDER BY d.rowid LIMIT {DOUBTS_AT_ONCE}) doubted
UNION
SELECT d.object_key FROM decisions d
WHERE d.decision = 'approve' AND (d.expires_at IS NULL OR d.expires_at > :now)
    AND NOT EXISTS (SELECT 1 FROM failures f WHERE f.object_key = d.object_key AND f.next_attempt > :now)
    AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.object_key = d.object_key
        AND (w.next_look IS NULL OR w.next_look > :now))
UNION
-- A group that is gone at the target is looked at with the memberships that wait for it.
SELECT 'group:' || g.okta_id FROM failures f CROSS JOIN groups g ON g.okta_id = f.group_id
WHERE f.next_attempt <= :now AND g.scim_id IS NULL AND g.state = 'pushed' AND g.released = 0
"""  # noqa: S608  (constants)
_GRACE_OVER = """
SELECT 'user:' || u.okta_id FROM users u INDEXED BY users_not_active
WHERE u.standing = 'absent' AND u.standing <> 'active' AND u.pushed_active = 1 AND u.left_at <= :left
    AND NOT EXISTS (SELECT 1 FROM hold_changes h JOIN holds o ON o.id = h.hold_id AND o.state = 'open'
        WHERE h.okta_id = u.okta_id AND h.state <> 'approve')
    AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.object_key = 'user:' || u.okta_id AND d.decision = 'reject')
    AND NOT EXISTS (SELECT 1 FROM failures f WHERE f.object_key = 'user:' || u.okta_id AND f.next_attempt > :now)
    AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.object_key = 'user:' || u.okta_id
        AND (w.next_look IS NULL OR w.next_look > :now))
"""


def due(conn: Db, now: datetime, grace: timedelta) -> Due:
    """Whose wait or grace is over, without any news of them. Who cannot be read is left out."""
    keys = [key for (key,) in conn.execute(_DUE, {"now": moment(now)})]
    keys += waiting.due(conn, now)
    if grace:
        times = {"left": moment(now - grace), "now": moment(now)}
        keys += [key for (key,) in conn.execute(_GRACE_OVER, times)]
    users, groups = set(), set()
    for key in keys:
        kind, _, ids = key.partition(":")
        if kind == "group":
            groups.add(ids)
        else:  # a membership is looked at with its user
            users.add(ids.rpartition(":")[2])
    if keys:
        unreadable = waiting.not_readable(conn, now)
        users -= {okta_id for kind, okta_id in unreadable if kind == "user"}
        groups -= {okta_id for kind, okta_id in unreadable if kind == "group"}
    return Due(frozenset(users), frozenset(groups))
