"""The trail's last word about each link, membership and run, gathered row by row, and where the tables say otherwise.

Kept in a private SQLite file, whatever database the store is in, so that memory does not grow with the trail. About
what happened before the trail begins there is no word; those rows stand under the seal alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from syncd.core.canonical import canonical
from syncd.store.db import Db
from syncd.store.rows import Row, searchable
from syncd.store.state import RUN_COLUMNS, run_document

_AT_ONCE = 20_000
_TABLES = """
CREATE TABLE links (kind TEXT, okta_id TEXT, scim_id TEXT, active INTEGER, row INTEGER,
    PRIMARY KEY (kind, okta_id)) WITHOUT ROWID;
CREATE TABLE members (group_id TEXT, user_id TEXT, present INTEGER, row INTEGER,
    PRIMARY KEY (group_id, user_id)) WITHOUT ROWID;
CREATE TABLE runs (run_id TEXT PRIMARY KEY, said TEXT, row INTEGER) WITHOUT ROWID;
-- All memberships of a group or a user at once: they ended, or nothing is known of them any more.
CREATE TABLE sweeps (kind TEXT, okta_id TEXT, ended INTEGER, row INTEGER,
    PRIMARY KEY (kind, okta_id)) WITHOUT ROWID;
"""
_LINKS = {
    "user": "SELECT okta_id, scim_id, pushed_active FROM users WHERE scim_id IS NOT NULL ORDER BY okta_id",
    "group": "SELECT okta_id, scim_id, NULL FROM groups WHERE scim_id IS NOT NULL ORDER BY okta_id",
}
_RUNS = f"SELECT run_id, {RUN_COLUMNS} FROM runs WHERE finished IS NOT NULL ORDER BY run_id"  # noqa: S608  (constants)
_MEMBERS = "SELECT group_id, user_id FROM members WHERE pushed = 1 ORDER BY group_id, user_id"


class Words:
    """`from_the_start`: the trail has told of everything there ever was, so what it says nothing of was never there."""

    def __init__(self, *, from_the_start: bool) -> None:
        self._from_the_start = from_the_start
        self._db = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "PRAGMA cache_size = -32768",
        ):
            self._db.execute(statement)
        self._db.executescript(_TABLES)
        self._links: dict[tuple[str, str], tuple[str | None, int | None, int]] = {}
        self._members: dict[tuple[str, str], tuple[bool, int]] = {}
        self._sweeps: dict[tuple[str, str], tuple[bool, int]] = {}

    def close(self) -> None:
        self._db.close()

    def forget(self) -> None:
        """What stood before counts no more: the tables are taken as they were found."""
        self._from_the_start = False
        self._links, self._members, self._sweeps = {}, {}, {}
        for table in ("links", "members", "sweeps", "runs"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608  (constants)

    def effect(self, said: Mapping[str, Any], row: int) -> None:
        """One of the effects that a row of the trail names (`effects.effect_document`)."""
        if "present" in said:
            key = (searchable(said["group"]), searchable(said["user"]))
            self._members[key] = (bool(said["present"]), row)
        elif "user" in said:
            self._link("user", said["user"], said["scim_id"], said.get("active"), row, anew=False)
        elif "group" in said:
            self._link("group", said["group"], said["scim_id"], None, row, anew="members" in said)
        if len(self._links) + len(self._members) > _AT_ONCE:
            self._flush()

    def run(self, run_id: str, said: Mapping[str, Any], row: int) -> None:
        """What the trail says of a run in this row; the last word counts."""
        self._db.execute("REPLACE INTO runs VALUES (?, ?, ?)", (run_id, canonical(said), row))

    def unlinked(self, kind: str, okta_id: str, row: int) -> None:
        """From this row on the user or group is tied to nothing."""
        self._link(kind, okta_id, None, None, row, anew=False)

    def _link(
        self, kind: str, okta_id: str, scim_id: str | None, active: object, row: int, *, anew: bool
    ) -> None:
        key = (kind, searchable(okta_id))
        if scim_id is None:
            self._sweeps[key] = (True, row)
        elif anew or self._may_be_another(key, searchable(scim_id)):
            self._sweeps[key] = (False, row)
        told = None if active is None else int(bool(active))
        self._links[key] = (None if scim_id is None else searchable(scim_id), told, row)

    def _may_be_another(self, key: tuple[str, str], scim_id: str) -> bool:
        """It was tied to something else before, so far as the trail tells: its memberships went with that."""
        if key in self._links:
            before = self._links[key][0]
        else:
            asked = "SELECT scim_id FROM links WHERE kind = ? AND okta_id = ?"
            found = self._db.execute(asked, key).fetchone()
            if found is None:
                return not self._from_the_start
            before = found[0]
        return before not in (None, scim_id)

    def _flush(self) -> None:
        links = [(*key, *word) for key, word in self._links.items()]
        members = [(*key, *word) for key, word in self._members.items()]
        sweeps = [(*key, *word) for key, word in self._sweeps.items()]
        self._db.execute("BEGIN")
        self._db.executemany("REPLACE INTO links VALUES (?, ?, ?, ?, ?)", links)
        self._db.executemany("REPLACE INTO members VALUES (?, ?, ?, ?)", members)
        self._db.executemany("REPLACE INTO sweeps VALUES (?, ?, ?, ?)", sweeps)
        self._db.execute("COMMIT")
        self._links, self._members, self._sweeps = {}, {}, {}

    def disputed(self, conn: Db) -> Iterator[tuple[str, str]]:
        """Tables, and what is in them or missing from them against the trail's word."""
        self._flush()
        yield from self._disputed_links(conn, "user")
        yield from self._disputed_links(conn, "group")
        yield from self._disputed_members(conn)
        yield from self._disputed_runs(conn)

    def _disputed_links(self, conn: Db, kind: str) -> Iterator[tuple[str, str]]:
        told = self._db.execute(
            "SELECT okta_id, scim_id, active, row FROM links WHERE kind = ? ORDER BY okta_id", (kind,)
        )
        found = conn.stream(_LINKS[kind])
        for key, here, word in side_by_side(found, told, 1):
            if word is None:
                if self._from_the_start and here is not None:
                    yield f"{kind}s", f"{key[0]}: the trail never tied it, the table holds {here[0]}"
                continue
            scim_id, active, row = word
            now = (None, None) if here is None else (here[0], here[1] if active is not None else None)
            if now != (scim_id, active if scim_id is not None else None):
                said = "no object" if scim_id is None else f"{scim_id}{_standing(active)}"
                holds = "none" if here is None else f"{here[0]}{_standing(now[1])}"
                yield f"{kind}s", f"{key[0]}: row {row} of the trail says {said}, the table {holds}"

    def _disputed_members(self, conn: Db) -> Iterator[tuple[str, str]]:
        told = self._db.execute(
            "SELECT group_id, user_id, present, row FROM members ORDER BY group_id, user_id"
        )
        (swept,) = self._db.execute("SELECT EXISTS (SELECT 1 FROM sweeps)").fetchone()
        for (group_id, user_id), here, word in side_by_side(conn.stream(_MEMBERS), told, 2):
            present, row = word or (None, 0)
            if swept:
                for ended, later in self._swept(group_id, user_id):
                    if later > row:
                        present, row = (0 if ended else None), later
            if present is not None and bool(present) != (here is not None):
                said = "is a member" if present else "is none"
                yield "members", f"{user_id} in {group_id}: row {row} of the trail says that this {said}"

    def _disputed_runs(self, conn: Db) -> Iterator[tuple[str, str]]:
        told = self._db.execute("SELECT run_id, said, row FROM runs ORDER BY run_id")
        for (run_id,), here, word in side_by_side(conn.stream(_RUNS), told, 1):
            if word is not None and (here is None or _run_said(here) != word[0]):
                yield "runs", f"{run_id} is not as row {word[1]} of the trail tells it"

    def _swept(self, group_id: str, user_id: str) -> list[Row]:
        return self._db.execute(
            "SELECT ended, row FROM sweeps WHERE (kind = 'group' AND okta_id = ?) OR (kind = 'user' AND okta_id = ?)",
            (searchable(str(group_id)), searchable(str(user_id))),
        ).fetchall()


def _run_said(row: Row) -> str | None:
    try:
        return canonical(run_document(row))
    except (TypeError, ValueError):
        return None


def _standing(active: int | None) -> str:
    return "" if active is None else " (active)" if active else " (inactive)"


def _place(key: Row) -> list[tuple[bool, bytes]]:
    """Where SQLite sorts it: text by its bytes, and behind that what is no text, which somebody else put there."""
    return [
        (True, value) if isinstance(value, bytes) else (False, str(value).encode("utf-8", "surrogateescape"))
        for value in key
    ]


def side_by_side(
    left: Iterable[Row], right: Iterable[Row], width: int
) -> Iterator[tuple[Row, Row | None, Row | None]]:
    """Two answers ordered by their first `width` columns, joined on them; one row of each in memory."""
    lefts, rights = iter(left), iter(right)
    a, b = next(lefts, None), next(rights, None)
    while a is not None or b is not None:
        if a is not None and b is not None and a[:width] != b[:width]:
            key = min(a[:width], b[:width], key=_place)
        else:
            key = (a or b or ())[:width]
        here = a[width:] if a is not None and a[:width] == key else None
        there = b[width:] if b is not None and b[:width] == key else None
        yield key, here, there
        a = next(lefts, None) if here is not None else a
        b = next(rights, None) if there is not None else b
