"""What an outcome does to users, groups, memberships and failures. Runs inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, assert_never

from syncd.core.canonical import canonical, canonical_values
from syncd.core.change import Change, ChangeKind
from syncd.core.waiting import delay
from syncd.errors import AlreadyTied
from syncd.ports.outcomes import (
    CreationUnproven,
    Effect,
    GroupForgotten,
    GroupPushed,
    MemberPushed,
    Settled,
    UserForgotten,
    UserPushed,
)
from syncd.ports.store import Failure
from syncd.redact import Redactor
from syncd.store import unproven, waiting
from syncd.store.db import Db
from syncd.store.journal import intended_at
from syncd.store.rows import asked_of, asked_text, at_moment, moment, pushed_name, searchable
from syncd.store.state import revision

_ENDS = frozenset({ChangeKind.UNLINK_GROUP, ChangeKind.DELETE_GROUP})


def apply_effects(conn: Db, outcomes: Sequence[Settled], now: datetime) -> None:
    """What outcomes change in the tables, in their order, in the caller's transaction. Of a first sync nearly all are
    of one kind: what follows one another of these is stored together.
    """
    every = ((settled, effect) for settled in outcomes for effect in settled.effects)
    for kind, some in groupby(every, key=lambda each: _together(each[1])):
        if kind is UserPushed:
            _push_users(conn, [effect for _, effect in some if isinstance(effect, UserPushed)])
        elif kind is MemberPushed:
            pairs = [(each.group_id, each.user_id) for _, each in some if isinstance(each, MemberPushed)]
            _push_members(conn, pairs)
        else:
            for settled, effect in some:
                _apply_one(conn, settled, effect, now)


def _together(effect: Effect) -> type[Effect] | None:
    if isinstance(effect, UserPushed):
        return UserPushed
    return MemberPushed if isinstance(effect, MemberPushed) and effect.present else None


def _apply_one(conn: Db, settled: Settled, effect: Effect, now: datetime) -> None:
    if isinstance(effect, CreationUnproven):
        unproven.record(conn, effect, intended_at(conn, settled.sequence))
        return
    _apply(conn, effect)
    if isinstance(effect, GroupForgotten) and settled.change.kind in _ENDS and settled.error is None:
        _end_group(conn, effect.okta_id, now)


def _end_group(conn: Db, okta_id: str, now: datetime) -> None:
    """A group that was unlinked by hand is like a released one: no rule brings it back."""
    row = conn.execute("SELECT asked FROM groups WHERE okta_id = ?", (okta_id,)).fetchone()
    asked = asked_of(row[0]) if row else None
    if asked is not None and asked.what != "link":
        release(conn, "group", okta_id)
    else:
        drop_group(conn, okta_id, now)


def take_back(conn: Db, okta_id: str) -> None:
    """What a person asked for about this group counts no more, except a link that stood before."""
    row = conn.execute("SELECT asked FROM groups WHERE okta_id = ?", (okta_id,)).fetchone()
    asked = asked_of(row[0]) if row else None
    if asked is not None and asked.what != "link":
        before = None if asked.before is None else asked_text(asked.before)
        conn.execute("UPDATE groups SET asked = ? WHERE okta_id = ?", (before, okta_id))


def take_over(conn: Db, found: Sequence[Effect]) -> None:
    """What a look at the target found, without a write of ours."""
    for effect in found:
        if not isinstance(effect, CreationUnproven):  # only a create of ours leaves one
            _apply(conn, effect)


def effect_document(effect: Effect) -> dict[str, Any]:
    """What the journal's outcome row says about an effect; attribute values stand in the change already."""
    match effect:
        case MemberPushed(group_id, user_id, present):
            return {"group": group_id, "user": user_id, "present": present}
        case UserPushed(okta_id, pushed):
            return {"user": okta_id, "scim_id": pushed.scim_id, "active": pushed.active}
        case UserForgotten(okta_id):
            return {"user": okta_id, "scim_id": None}
        case GroupPushed(okta_id, pushed_group, members):
            document: dict[str, Any] = {"group": okta_id, "scim_id": pushed_group.scim_id}
            if members is not None:
                document["members"] = len(members)
            return document
        case GroupForgotten(okta_id):
            return {"group": okta_id, "scim_id": None}
        case CreationUnproven(kind, okta_id, name, _, scim_id):
            return {"doubted": kind, "okta_id": okta_id, "scim_id": scim_id, "name": name}
        case _:
            assert_never(effect)


def _apply(
    conn: Db,
    effect: UserPushed | UserForgotten | GroupPushed | GroupForgotten | MemberPushed,
) -> None:
    match effect:
        case UserPushed():
            _push_user(conn, effect)
        case UserForgotten(okta_id):
            forget_user(conn, okta_id)
        case GroupPushed():
            _push_group(conn, effect)
        case GroupForgotten(okta_id):
            forget_group(conn, okta_id)
        case MemberPushed(group_id, user_id, present):
            if present:
                _push_members(conn, [(group_id, user_id)])
            else:
                _pull_member(conn, group_id, user_id)
        case _:
            assert_never(effect)


def _push_users(conn: Db, effects: Sequence[UserPushed]) -> None:
    """Those of whom nothing else has to be looked at are stored at once."""
    known = {effect.okta_id: effect.pushed.scim_id for effect in effects}
    scim_ids = set(known.values())
    places = ", ".join("?" * len(scim_ids))  # as `state.owners`: JSON would not carry every id of a server
    rows = conn.execute(
        "SELECT okta_id, scim_id FROM users WHERE okta_id IN (SELECT value FROM json_each(?))"  # noqa: S608
        f" UNION SELECT okta_id, scim_id FROM users WHERE scim_id IN ({places})",
        (json.dumps(list(known)), *scim_ids),
    ).fetchall()
    as_it_was = all(known.get(okta_id) == scim_id or scim_id is None for okta_id, scim_id in rows)
    if not as_it_was or len({*known}) != len(rows) or not len(known) == len(scim_ids) == len(effects):
        for effect in effects:
            _push_user(conn, effect)
        return
    unproven.forget(conn, [("user", okta_id) for okta_id in known])
    conn.executemany(_PUSH_USER, [_pushed_row(effect) for effect in effects])


_PUSH_USER = """
UPDATE users SET scim_id = ?, pushed_attributes = ?, pushed_active = ?, invited = ?, pushed_folded_name = ?
WHERE okta_id = ?
"""


def _pushed_row(effect: UserPushed) -> tuple[object, ...]:
    pushed = effect.pushed
    return (
        pushed.scim_id,
        canonical_values(pushed.attributes),
        int(pushed.active),
        int(pushed.invited),
        pushed_name(pushed.attributes),
        effect.okta_id,
    )


def _push_user(conn: Db, effect: UserPushed) -> None:
    pushed, okta_id = effect.pushed, effect.okta_id
    found = dict(
        conn.execute(
            "SELECT okta_id, scim_id FROM users WHERE okta_id = ? OR scim_id = ?", (okta_id, pushed.scim_id)
        ).fetchall()
    )
    if okta_id not in found:
        conn.execute(
            "INSERT INTO users (okta_id, standing, wish, attributes, name_key, folded_name, digest, revision)"
            " VALUES (?, 'frozen', ?, '{}', '', '', X'', 0)",
            (okta_id, canonical(["", "", "no assignment of this user was read yet", False])),
        )
    for other, scim_id in found.items():
        if other != okta_id:
            raise _tied("user", okta_id, pushed.scim_id, other)
        if scim_id is not None and scim_id != pushed.scim_id:
            forget_user(conn, okta_id)
    unproven.forget(conn, [("user", okta_id)])
    conn.execute(_PUSH_USER, _pushed_row(effect))


def _tied(kind: str, okta_id: str, scim_id: str, owner: str) -> AlreadyTied:
    """One object at the target has one owner, until that one is released, unlinked or relinked."""
    message = (
        f"the {kind} {scim_id} at the target is tied to {owner} already, and is not tied to {okta_id} too"
    )
    hint = "syncd release, syncd unlink or syncd relink ends the tie, if the object is no longer that one's"
    return AlreadyTied(message, okta_id=okta_id, scim_id=scim_id, owner=owner, hint=hint)


def forget_user(conn: Db, okta_id: str) -> None:
    """Their id at the target and pushed values; a membership that is still listed stays wanted."""
    conn.execute(
        "UPDATE users SET scim_id = NULL, pushed_attributes = NULL, pushed_active = NULL, invited = 0,"
        " pushed_folded_name = NULL WHERE okta_id = ?",
        (okta_id,),
    )
    conn.execute("DELETE FROM members WHERE user_id = ? AND listed = 0", (okta_id,))
    conn.execute("UPDATE members SET pushed = 0 WHERE user_id = ? AND pushed = 1", (okta_id,))


def _push_group(conn: Db, effect: GroupPushed) -> None:
    scim_id, name = effect.pushed.scim_id, effect.pushed.name
    wish = canonical([name, name, "either", False, "keep", "", "no rule was read yet", None])
    conn.execute(
        "INSERT OR IGNORE INTO groups (okta_id, state, wish, revision, known_since) VALUES (?, 'frozen', ?, 0, ?)",
        (effect.okta_id, wish, revision(conn) + 1),
    )
    other = conn.execute(
        "SELECT okta_id FROM groups WHERE scim_id = ? AND okta_id <> ?", (scim_id, effect.okta_id)
    ).fetchone()
    if other is not None:
        raise _tied("group", effect.okta_id, scim_id, other[0])
    unproven.forget(conn, [("group", effect.okta_id)])
    (before,) = conn.execute("SELECT scim_id FROM groups WHERE okta_id = ?", (effect.okta_id,)).fetchone()
    if effect.members is not None or (before is not None and before != scim_id):
        forget_group(conn, effect.okta_id)
    conn.execute(
        "UPDATE groups SET scim_id = ?, pushed_name = ? WHERE okta_id = ?",
        (scim_id, canonical(name), effect.okta_id),
    )
    _push_members(conn, [(effect.okta_id, user_id) for user_id in effect.members or ()])


def forget_group(conn: Db, okta_id: str) -> None:
    """Its id at the target and pushed members; what is still listed stays wanted."""
    conn.execute("UPDATE groups SET scim_id = NULL, pushed_name = NULL WHERE okta_id = ?", (okta_id,))
    conn.execute("DELETE FROM members WHERE group_id = ? AND listed = 0", (okta_id,))
    conn.execute("UPDATE members SET pushed = 0 WHERE group_id = ? AND pushed = 1", (okta_id,))


def forget_links(conn: Db, users: Sequence[str], groups: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """The target has these objects no more; what failed with their old ids says nothing about the new ones.

    Returns what was forgotten: SCIM ids by Okta id, for the journal.
    """
    forgotten: dict[str, dict[str, str | None]] = {"users": {}, "groups": {}}
    for table, ids, forget in (("users", users, forget_user), ("groups", groups, forget_group)):
        for okta_id in ids:
            row = conn.execute(
                f"SELECT scim_id FROM {table} WHERE okta_id = ?",  # noqa: S608  (constants)
                (okta_id,),
            ).fetchone()
            forgotten[table][okta_id] = row[0] if row else None
            forget(conn, okta_id)
            clear_failure(conn, f"{table[:-1]}:{okta_id}")
    return forgotten


def drop_group(conn: Db, okta_id: str, now: datetime) -> None:
    """The group is unlinked for good: should a rule name it again, it is a new one. What was read before says nothing
    about that: its tombstone is younger. Inside a transaction that advances the store's revision.
    """
    conn.execute("DELETE FROM groups WHERE okta_id = ?", (okta_id,))
    conn.execute("DELETE FROM members WHERE group_id = ?", (okta_id,))
    conn.execute(
        "INSERT OR REPLACE INTO tombstones (okta_id, revision, at) VALUES (?, ?, ?)",
        (okta_id, revision(conn) + 1, moment(now)),
    )


def release(conn: Db, kind: str, okta_id: str) -> None:
    """Forgets a user's or group's SCIM id and pushed memberships, and marks it as not ours."""
    if kind == "user":
        forget_user(conn, okta_id)
    else:
        forget_group(conn, okta_id)
        conn.execute("UPDATE groups SET asked = NULL WHERE okta_id = ?", (okta_id,))
    table = "users" if kind == "user" else "groups"
    conn.execute(f"UPDATE {table} SET released = 1 WHERE okta_id = ?", (okta_id,))  # noqa: S608  (constants)
    clear_failure(conn, f"{kind}:{okta_id}")
    column = "okta_id" if kind == "user" else "group_id"
    conn.execute(f"DELETE FROM failures WHERE object_key LIKE 'member:%' AND {column} = ?", (okta_id,))  # noqa: S608
    unproven.forget(conn, [(kind, okta_id)])
    waiting.forget(conn, f"{kind}:{okta_id}")


def _push_members(conn: Db, pairs: Sequence[tuple[str, str]]) -> None:
    """Group and user each."""
    conn.executemany(
        "INSERT INTO members (group_id, user_id, listed, pushed) VALUES (?, ?, 0, 1)"
        " ON CONFLICT (group_id, user_id) DO UPDATE SET pushed = 1",
        pairs,
    )


def _pull_member(conn: Db, group_id: str, user_id: str) -> None:
    where = "WHERE group_id = ? AND user_id = ?"
    conn.execute(f"DELETE FROM members {where} AND listed = 0", (group_id, user_id))  # noqa: S608  (constants)
    conn.execute(f"UPDATE members SET pushed = 0 {where}", (group_id, user_id))  # noqa: S608  (constants)


def record_failure(conn: Db, settled: Settled, now: datetime, redactor: Redactor) -> None:
    """Adds a failure, or lengthens that of the same wish; another wish for the object starts afresh."""
    change, message = settled.change, settled.error or ""
    row = conn.execute(
        "SELECT attempts, first_failed FROM failures WHERE object_key = ? AND change_id = ?",
        (change.object_key, change.id),
    ).fetchone()
    attempts, first = (row[0] + 1, row[1]) if row else (1, moment(now))
    wait = delay(attempts)
    conn.execute(
        "INSERT OR REPLACE INTO failures (object_key, change_id, kind, okta_id, group_id, name, message,"
        " attempts, first_failed, next_attempt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            change.object_key,
            change.id,
            change.kind.value,
            change.okta_id,
            change.group_id,
            searchable(change.name),
            searchable(redactor.kept(message)),
            attempts,
            first,
            moment(now + wait),
        ),
    )


def clear_failures(conn: Db, changes: Sequence[Change]) -> None:
    """As `clear_failure`, of many."""
    if conn.execute("SELECT 1 FROM failures LIMIT 1").fetchone() is None:
        return
    object_keys = [change.object_key for change in changes]
    conn.execute(
        "DELETE FROM failures WHERE object_key IN (SELECT value FROM json_each(?))",
        (json.dumps(object_keys),),
    )


def clear_failure(conn: Db, object_key: str) -> None:
    """The object's next try waits for nothing any more; without a remembered failure nothing happens."""
    conn.execute("DELETE FROM failures WHERE object_key = ?", (object_key,))


def drop_outlived_failures(conn: Db) -> None:
    """Failures of wishes that nobody has any more (Okta took the change back, the user left the group)."""
    conn.execute(
        "DELETE FROM failures WHERE object_key LIKE 'user:%' AND EXISTS"
        " (SELECT 1 FROM users u WHERE u.okta_id = failures.okta_id AND u.unsettled = 0)"
    )
    conn.execute(
        "DELETE FROM failures WHERE object_key LIKE 'member:%' AND NOT EXISTS"
        " (SELECT 1 FROM members m LEFT JOIN users u ON u.okta_id = m.user_id"
        "  WHERE m.group_id = failures.group_id AND m.user_id = failures.okta_id"
        "  AND m.pushed <> CASE WHEN m.listed = 1 AND u.standing = 'active' THEN 1 ELSE 0 END)"
    )
    conn.execute(
        "DELETE FROM failures WHERE object_key LIKE 'group:%' AND NOT EXISTS"
        " (SELECT 1 FROM groups g WHERE g.okta_id = failures.okta_id)"
    )


def failures(conn: Db) -> list[Failure]:
    """By object key."""
    rows = conn.execute(
        "SELECT object_key, change_id, kind, name, message, attempts, first_failed, next_attempt"
        " FROM failures ORDER BY object_key"
    ).fetchall()
    return [
        Failure(
            object_key=key,
            change_id=change_id,
            kind=ChangeKind(kind),
            name=name,
            message=message,
            attempts=attempts,
            first_failed=at_moment(first),
            next_attempt=at_moment(next_attempt),
        )
        for key, change_id, kind, name, message, attempts, first, next_attempt in rows
    ]
