"""The tables of one connection's store, as migrations.

Times are UTC ISO-8601 text with `Z` and microseconds, so that text order is time order. JSON is ASCII with sorted
keys, so that equal values are equal text. `revision` in a row is the store's revision at which the *wish* in that
row was last learned (it changed, or an answer by id confirmed it): what a shorter cycle learned while a longer one was
reading is younger and wins. `asked_at` is when Okta last answered by id.

A migration that changes rows which `seals` guards has to seal them: as it found them, and again as it leaves them. One
that adds what is to be guarded has nothing to do: `starting` seals it.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from syncd.core.canonical import canonical
from syncd.core.names import letter_case_key, look_alike_key
from syncd.store.rows import pushed_name, searchable
from syncd.store.sqlite import tables

APPLICATION_ID = 0x53594E43
"""PRAGMA application_id of a store ("SYNC"): tells it from other people's SQLite files."""

migrations: Any = Migrations("syncd")


@migrations()  # type: ignore[untyped-decorator]
def m001_initial(db: Database) -> None:
    """Everything the first version needs."""
    db.execute("CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    for script in (tables.USERS, tables.GROUPS, tables.JOURNAL, tables.REST):
        _execute(db, script)
    db.execute("INSERT INTO meta (key, value) VALUES ('revision', '0')")


@migrations()  # type: ignore[untyped-decorator]
def m002_asked_by_hand(db: Database) -> None:
    """What a person asked for about a group (link, unlink), and the last changes of one object."""
    db.execute("ALTER TABLE groups ADD COLUMN asked TEXT")
    db.execute("CREATE INDEX journal_of_object ON journal (okta_id, sequence) WHERE entry = 'outcome'")
    db.execute("CREATE INDEX journal_of_group ON journal (group_id, sequence) WHERE entry = 'outcome'")


@migrations()  # type: ignore[untyped-decorator]
def m003_letter_case(db: Database) -> None:
    """Names were compared by case folding, which takes more than letter case for the same."""
    rows = db.execute(
        "SELECT okta_id, wish, pushed_attributes FROM users"
        r" WHERE wish LIKE '%\%' OR pushed_attributes LIKE '%\%'"
        " OR folded_name <> trim(folded_name) OR pushed_folded_name <> trim(pushed_folded_name)"
    ).fetchall()
    for okta_id, text, pushed in rows:
        user_name, key, *rest = json.loads(text)
        key = user_name if key == user_name else letter_case_key(user_name)
        pushed_alike = None if pushed is None else pushed_name(json.loads(pushed))
        db.execute(
            "UPDATE users SET wish = ?, name_key = ?, folded_name = ?, pushed_folded_name = ? WHERE okta_id = ?",
            (
                canonical([user_name, key, *rest]),
                searchable(key),
                searchable(look_alike_key(user_name)),
                pushed_alike,
                okta_id,
            ),
        )


_LEARNED = """
ALTER TABLE users ADD COLUMN asked_at TEXT;
ALTER TABLE groups ADD COLUMN asked_at TEXT;
-- The same of the user's own group list, which decides about all memberships of that user.
ALTER TABLE users ADD COLUMN own_list_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN own_list_at TEXT;
-- Users and groups that were found not to be there, and of which nothing else is remembered.
CREATE TABLE tombstones (
    okta_id TEXT NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    at TEXT NOT NULL
) WITHOUT ROWID;
-- Whom a list contradicted and nobody has asked for by id yet: the next cycles do.
CREATE TABLE doubts (object_key TEXT NOT NULL PRIMARY KEY);
"""


@migrations()  # type: ignore[untyped-decorator]
def m004_when_it_was_learned(db: Database) -> None:
    """When Okta last answered by id, and what was found not to be there."""
    _execute(db, _LEARNED)


@migrations()  # type: ignore[untyped-decorator]
def m005_invited(db: Database) -> None:
    """Accounts that were never seen active."""
    db.execute("ALTER TABLE users ADD COLUMN invited INTEGER NOT NULL DEFAULT 0")


@migrations()  # type: ignore[untyped-decorator]
def m006_unproven(db: Database) -> None:
    """Creates that did not end with a link, though an object may be at the target."""
    db.execute(
        "CREATE TABLE unproven (kind TEXT NOT NULL CHECK (kind IN ('user', 'group')), okta_id TEXT NOT NULL,"
        " scim_id TEXT, body TEXT NOT NULL, since TEXT NOT NULL, PRIMARY KEY (kind, okta_id)) WITHOUT ROWID"
    )


@migrations()  # type: ignore[untyped-decorator]
def m007_since_when_groups_are_known(db: Database) -> None:
    """The revision at which a group's row was made: of what people's own lists said before nothing was kept."""
    db.execute("ALTER TABLE groups ADD COLUMN known_since INTEGER NOT NULL DEFAULT 0")


@migrations()  # type: ignore[untyped-decorator]
def m008_waiting(db: Database) -> None:
    """What is left alone is remembered with its since, and looked at again when what it waits for moves."""
    _execute(db, tables.WAITING)


_SEALED = """
-- What the next transaction goes on from (module `seals`); what counts is the seal in the audit trail.
CREATE TABLE seals (name TEXT NOT NULL PRIMARY KEY, total BLOB NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
-- The row of the audit trail in which a decision was written down.
ALTER TABLE decisions ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
CREATE INDEX journal_notes ON journal (sequence) WHERE entry = 'note';
CREATE INDEX journal_decisions ON journal (sequence)
    WHERE entry = 'note' AND (instr(body, '"decided":') OR instr(body, '"over":'));
"""


@migrations()  # type: ignore[untyped-decorator]
def m009_sealed(db: Database) -> None:
    """Tables under the chain: `sealing` writes the starting point."""
    _execute(db, _SEALED)


_WATCHED = """
ALTER TABLE writer ADD COLUMN namespace TEXT NOT NULL DEFAULT '';
ALTER TABLE writer ADD COLUMN guard TEXT NOT NULL DEFAULT '';
-- Who took the lock before may run on: its lock lasted five minutes.
ALTER TABLE writer ADD COLUMN lasts REAL NOT NULL DEFAULT 300;
ALTER TABLE writer ADD COLUMN beat INTEGER NOT NULL DEFAULT 0;
"""


@migrations()  # type: ignore[untyped-decorator]
def m010_watched(db: Database) -> None:
    """The lock's row says which file its owner has locked, and counts its renewals."""
    _execute(db, _WATCHED)


@migrations()  # type: ignore[untyped-decorator]
def m011_counted(db: Database) -> None:
    """What the limits count of the last day is found without the rest of it, which may be a first sync; and so is what
    people expect.
    """
    db.execute(
        "CREATE INDEX journal_expected ON journal (sequence)"
        " WHERE entry = 'note' AND (instr(body, '\"expected\":') OR instr(body, '\"revoked\":'))"
    )
    db.execute(
        "CREATE INDEX journal_counted ON journal (at, kind) WHERE applied = 1 AND NOT instr(body, '\"uncounted\":')"
    )


@migrations()  # type: ignore[untyped-decorator]
def m012_requests(db: Database) -> None:
    """What people ask of whoever holds the lock, who says in the lock's row that it carries that out."""
    _execute(db, tables.REQUESTS)


_RELEASED = """
CREATE INDEX users_released ON users (okta_id) WHERE released = 1;
CREATE INDEX journal_releases ON journal (sequence)
    WHERE entry = 'note' AND (instr(body, '"release":') OR instr(body, '"decision":"unlink"'));
"""


@migrations()  # type: ignore[untyped-decorator]
def m013_released(db: Database) -> None:
    """Who is out of syncd's hands, and the rows of the trail that tell of it, are found without the rest."""
    _execute(db, _RELEASED)


_PACKS = """
CREATE TABLE packs (
    first INTEGER NOT NULL PRIMARY KEY,
    last INTEGER NOT NULL CHECK (typeof(last) = 'integer' AND last >= first),
    at TEXT NOT NULL,
    run_id TEXT,
    entry TEXT NOT NULL CHECK (entry IN ('intent', 'outcome')),
    kind TEXT,
    group_id TEXT,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    rows BLOB NOT NULL
);
CREATE INDEX packs_runs ON packs (run_id);
CREATE INDEX packs_of_group ON packs (group_id, first) WHERE entry = 'outcome';
-- Who is told of in which pack of outcomes.
CREATE TABLE packed (
    okta_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    first INTEGER NOT NULL,
    PRIMARY KEY (okta_id, sequence)
) WITHOUT ROWID;
CREATE TRIGGER packs_no_update BEFORE UPDATE ON packs
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER packs_no_delete BEFORE DELETE ON packs
WHEN OLD.last >= coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'journal_checkpoint'), 0)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER packs_no_replace BEFORE INSERT ON packs
WHEN EXISTS (SELECT 1 FROM packs WHERE first = NEW.first)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
"""


@migrations()  # type: ignore[untyped-decorator]
def m014_packs(db: Database) -> None:
    """Many rows of the trail that are alike in one row of the file."""
    _execute(db, _PACKS)


_BY_USER = """
DROP INDEX members_by_user;
CREATE INDEX members_by_user ON members (user_id, group_id);
"""


@migrations()  # type: ignore[untyped-decorator]
def m015_memberships_of_people(db: Database) -> None:
    """The index says whose memberships there are, and not what became of them: each that was written moved an entry in
    a page of its own.
    """
    _execute(db, _BY_USER)


def _execute(db: Database, script: str) -> None:
    """One statement after the other: `executescript` would commit the migration's transaction."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            db.execute(pending.strip())
            pending = ""


def database(conn: sqlite3.Connection) -> Database:
    """The connection as sqlite-utils sees it, without whatever plugins happen to be installed."""
    return Database(conn, execute_plugins=False)


def unknown_migrations(db: Database) -> list[str]:
    """Names of applied migrations that this version does not have: a newer version made the store."""
    ours = {migration.name for migration in migrations._migrations}  # noqa: SLF001  (it offers no public list)
    return [migration.name for migration in migrations.applied(db) if migration.name not in ours]


def pending_migrations(db: Database) -> list[str]:
    """Names of the migrations that this version knows and the file has not had, in their order."""
    return [migration.name for migration in migrations.pending(db)]


def migrate(db: Database) -> None:
    """Applies what is pending, each migration in a transaction of its own."""
    migrations.apply(db)
