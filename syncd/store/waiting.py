"""What is left alone for now, since when, and what would make it worth a look. Runs inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from syncd.core.order import group_name_freed
from syncd.core.waiting import NOT_READ, Waiting
from syncd.ports.outcomes import Effect, GroupForgotten, GroupPushed, UserForgotten, UserPushed
from syncd.redact import Redactor
from syncd.store.db import Db
from syncd.store.rows import at_moment, moment, searchable

_COLUMNS = "object_key, kind, name, reason, since, looks, next_look"
LOOKED_AT_MOST = 50
"""So many of those whose time has come are looked at in one delta, the longest due first."""


def waiting(conn: Db, kinds: Collection[str]) -> list[Waiting]:
    """Those of these kinds, the longest wait first, with the names that each waits for."""
    of_kinds, given = "WHERE kind IN (SELECT value FROM json_each(?))", (json.dumps(sorted(kinds)),)
    names: dict[tuple[str, str], list[str]] = {}
    awaited = f"SELECT name, object_key, kind FROM waits_for {of_kinds} ORDER BY name"  # noqa: S608
    for name, key, kind in conn.execute(awaited, given):
        names.setdefault((key, kind), []).append(name)
    rows = conn.execute(
        f"SELECT {_COLUMNS} FROM waiting {of_kinds} ORDER BY since, object_key, kind",  # noqa: S608
        given,
    ).fetchall()
    return [
        Waiting(
            key,
            kind,
            name,
            reason,
            since=at_moment(since),
            looks=looks,
            next_look=None if next_look is None else at_moment(next_look),
            waits_for=tuple(names.get((key, kind), ())),
        )
        for key, kind, name, reason, since, looks, next_look in rows
    ]


def remember(conn: Db, found: Iterable[Waiting], redactor: Redactor) -> None:
    """Each in the place of what the object waited for before, by kind; reasons are kept without secrets."""
    for each in found:
        key = (each.object_key, each.kind)
        conn.execute(
            f"INSERT OR REPLACE INTO waiting ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                *key,
                searchable(each.name),
                searchable(redactor.kept(each.reason)),
                moment(each.since),
                each.looks,
                None if each.next_look is None else moment(each.next_look),
            ),
        )
        conn.execute("DELETE FROM waits_for WHERE object_key = ? AND kind = ?", key)
        conn.executemany(
            "INSERT INTO waits_for (name, object_key, kind) VALUES (?, ?, ?)",
            [(searchable(name), *key) for name in each.waits_for],
        )


def end(conn: Db, over: Iterable[tuple[str, str]]) -> None:
    """Object keys and kinds of what waits no more."""
    given = list(over)
    for table in ("waiting", "waits_for"):
        conn.executemany(f"DELETE FROM {table} WHERE object_key = ? AND kind = ?", given)  # noqa: S608


def forget(conn: Db, object_key: str) -> None:
    """The object waits for nothing any more."""
    for table in ("waiting", "waits_for"):
        conn.execute(f"DELETE FROM {table} WHERE object_key = ?", (object_key,))  # noqa: S608


def waiting_for(conn: Db, names: Iterable[str]) -> frozenset[str]:
    """Keys of the objects ("user:00u1") that wait until one of these names is free."""
    rows = conn.execute(
        "SELECT object_key FROM waits_for WHERE name IN (SELECT value FROM json_each(?))",
        (json.dumps([searchable(name) for name in names]),),
    )
    return frozenset(key for (key,) in rows)


def wake(conn: Db, names: Iterable[str], now: datetime) -> None:
    """Whoever waits for these names is looked at by the next delta."""
    conn.execute(
        "UPDATE waiting SET next_look = ?1 WHERE (next_look IS NULL OR next_look > ?1) AND (object_key, kind) IN"
        " (SELECT object_key, kind FROM waits_for WHERE name IN (SELECT value FROM json_each(?2)))",
        (moment(now), json.dumps([searchable(name) for name in names])),
    )


def not_readable(conn: Db, now: datetime) -> list[tuple[str, str]]:
    """Kinds and Okta ids of who could not be read lately: whatever else there is to do waits for that."""
    rows = conn.execute(
        "SELECT object_key FROM waiting WHERE next_look > ? AND kind IN (SELECT value FROM json_each(?))",
        (moment(now), json.dumps(sorted(NOT_READ))),
    )
    return [(kind, okta_id) for kind, _, okta_id in (key.partition(":") for (key,) in rows)]


def look_now(conn: Db, object_key: str | None, now: datetime) -> None:
    """Brings forward the next look at this object, or at all that have a time for it."""
    conn.execute(
        "UPDATE waiting SET next_look = ?1 WHERE next_look > ?1 AND (CAST(?2 AS TEXT) IS NULL OR object_key = ?2)",
        (moment(now), object_key),
    )


@contextmanager
def waking(conn: Db, found: Sequence[Effect], now: datetime) -> Iterator[None]:
    """While the effects are stored: names that their objects had before, and have no more, are free."""
    if not found or conn.execute("SELECT 1 FROM waits_for LIMIT 1").fetchone() is None:
        yield
        return
    before = _names(conn, found)
    yield
    freed = before - _names(conn, found)
    if freed:
        wake(conn, sorted(freed), now)


def _names(conn: Db, found: Sequence[Effect]) -> set[str]:
    names: set[str] = set()
    for effect in found:
        match effect:
            case UserPushed() | UserForgotten():
                row = conn.execute(
                    "SELECT pushed_folded_name FROM users WHERE okta_id = ?", (effect.okta_id,)
                ).fetchone()
                names |= {f"user_name:{row[0]}"} if row and row[0] is not None else set()
            case GroupPushed() | GroupForgotten():
                row = conn.execute(
                    "SELECT pushed_name FROM groups WHERE okta_id = ?", (effect.okta_id,)
                ).fetchone()
                names |= {group_name_freed(json.loads(row[0]))} if row and row[0] is not None else set()
            case _:
                pass
    return names


def due(conn: Db, now: datetime) -> list[str]:
    """Keys of the objects whose next look is due at `now`, the earliest first, no more than are looked at in one
    turn.
    """
    rows = conn.execute(
        "SELECT object_key FROM waiting INDEXED BY waiting_due WHERE next_look <= ? ORDER BY next_look, object_key"
        " LIMIT ?",
        (moment(now), LOOKED_AT_MOST),
    )
    return [key for (key,) in rows]
