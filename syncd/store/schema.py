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

APPLICATION_ID = 0x53594E43
"""PRAGMA application_id of a store ("SYNC"): tells it from other people's SQLite files."""

migrations: Any = Migrations("syncd")

_USERS = """
CREATE TABLE users (
    okta_id TEXT NOT NULL PRIMARY KEY,
    standing TEXT NOT NULL CHECK (standing IN ('active', 'inactive', 'frozen', 'absent')),
    wish TEXT NOT NULL,
    attributes TEXT NOT NULL,
    name_key TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    digest BLOB NOT NULL,
    revision INTEGER NOT NULL,
    left_at TEXT,
    released INTEGER NOT NULL DEFAULT 0,
    scim_id TEXT,
    pushed_attributes TEXT,
    pushed_active INTEGER,
    pushed_folded_name TEXT,
    unsettled INTEGER GENERATED ALWAYS AS (
        CASE
            WHEN released THEN 0
            WHEN standing = 'frozen' THEN 1
            WHEN standing = 'active'
                THEN scim_id IS NULL OR NOT pushed_active OR attributes IS NOT pushed_attributes
            ELSE scim_id IS NOT NULL AND pushed_active
        END
    ) VIRTUAL
);
CREATE INDEX users_wish ON users (okta_id, standing, revision, digest);
CREATE INDEX users_unsettled ON users (okta_id) WHERE unsettled = 1;
CREATE INDEX users_not_active ON users (okta_id) WHERE standing <> 'active';
CREATE INDEX users_name_key ON users (name_key);
CREATE INDEX users_folded_name ON users (folded_name);
CREATE UNIQUE INDEX users_scim_id ON users (scim_id) WHERE scim_id IS NOT NULL;
CREATE INDEX users_pushed_folded_name ON users (pushed_folded_name) WHERE pushed_folded_name IS NOT NULL;
"""

_GROUPS = """
CREATE TABLE groups (
    okta_id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('pushed', 'frozen', 'gone')),
    wish TEXT NOT NULL,
    revision INTEGER NOT NULL,
    members_stamp TEXT,
    list_revision INTEGER,
    released INTEGER NOT NULL DEFAULT 0,
    scim_id TEXT,
    pushed_name TEXT
);
CREATE UNIQUE INDEX groups_scim_id ON groups (scim_id) WHERE scim_id IS NOT NULL;

-- What Okta lists and what the target was given, side by side: they differ in few rows, and those are indexed.
CREATE TABLE members (
    group_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    listed INTEGER NOT NULL,
    pushed INTEGER NOT NULL,
    PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id, group_id, listed, pushed);
CREATE INDEX members_open ON members (group_id, user_id) WHERE listed <> pushed;
"""

_JOURNAL = """
CREATE TABLE journal (
    sequence INTEGER NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    run_id TEXT,
    entry TEXT NOT NULL CHECK (entry IN ('intent', 'outcome', 'note')),
    refers INTEGER,
    kind TEXT,
    okta_id TEXT,
    group_id TEXT,
    applied INTEGER,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE UNIQUE INDEX journal_outcomes ON journal (refers) WHERE entry = 'outcome';
CREATE INDEX journal_applied ON journal (at, kind) WHERE applied = 1;
CREATE INDEX journal_runs ON journal (run_id);
CREATE TABLE open_intents (sequence INTEGER NOT NULL PRIMARY KEY);
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
-- Rows older than a checkpoint that the same transaction wrote down may be pruned.
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
WHEN OLD.sequence >= coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'journal_checkpoint'), 0)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_no_replace BEFORE INSERT ON journal
WHEN EXISTS (SELECT 1 FROM journal WHERE sequence = NEW.sequence)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
"""

_REST = """
CREATE TABLE facts (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    run_id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT,
    status TEXT,
    summary TEXT NOT NULL DEFAULT '{}',
    error TEXT
);
CREATE INDEX runs_started ON runs (started);
CREATE TABLE failures (
    object_key TEXT NOT NULL PRIMARY KEY,
    change_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    okta_id TEXT NOT NULL,
    group_id TEXT,
    name TEXT NOT NULL,
    message TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first_failed TEXT NOT NULL,
    next_attempt TEXT NOT NULL
);
CREATE TABLE writer (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    token TEXT NOT NULL,
    owner TEXT NOT NULL,
    host TEXT NOT NULL,
    boot TEXT NOT NULL,
    pid INTEGER NOT NULL,
    born TEXT NOT NULL,
    since TEXT NOT NULL,
    expires TEXT NOT NULL
);
CREATE TABLE holds (
    id TEXT NOT NULL PRIMARY KEY,
    check_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    way_out TEXT NOT NULL,
    numbers TEXT NOT NULL,
    raised_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    state TEXT NOT NULL
);
CREATE TABLE hold_changes (
    hold_id TEXT NOT NULL REFERENCES holds (id) ON DELETE CASCADE,
    change_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    okta_id TEXT NOT NULL,
    group_id TEXT,
    document TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (hold_id, change_id)
) WITHOUT ROWID;
CREATE INDEX hold_changes_by_change ON hold_changes (change_id);
CREATE TABLE decisions (
    id INTEGER NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decision TEXT NOT NULL,
    hold_id TEXT,
    change_id TEXT NOT NULL,
    object_key TEXT NOT NULL,
    expires_at TEXT
);
CREATE INDEX decisions_by_change ON decisions (change_id);
"""

_WAITING = """
CREATE TABLE waiting (
    object_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    since TEXT NOT NULL,
    looks INTEGER NOT NULL,
    next_look TEXT,
    PRIMARY KEY (object_key, kind)
) WITHOUT ROWID;
CREATE INDEX waiting_due ON waiting (next_look) WHERE next_look IS NOT NULL;
CREATE TABLE waits_for (
    name TEXT NOT NULL,
    object_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (name, object_key, kind)
) WITHOUT ROWID;
"""


@migrations()  # type: ignore[untyped-decorator]
def m001_initial(db: Database) -> None:
    """Everything the first version needs."""
    db.execute("CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    for script in (_USERS, _GROUPS, _JOURNAL, _REST):
        for statement in _statements(script):
            db.execute(statement)
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
    for statement in _statements(_LEARNED):
        db.execute(statement)


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
    for statement in _statements(_WAITING):
        db.execute(statement)


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
    for statement in _statements(_SEALED):
        db.execute(statement)


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
    for statement in _statements(_WATCHED):
        db.execute(statement)


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


def _statements(script: str) -> list[str]:
    """One statement each: `executescript` would commit the migration's transaction."""
    found, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    return found


def database(conn: sqlite3.Connection) -> Database:
    """The connection as sqlite-utils sees it, without whatever plugins happen to be installed."""
    return Database(conn, execute_plugins=False)


def unknown_migrations(db: Database) -> list[str]:
    """Names of applied migrations that this version does not have: a newer version made the store."""
    ours = {migration.name for migration in migrations._migrations}  # noqa: SLF001  (it offers no public list)
    return [migration.name for migration in migrations.applied(db) if migration.name not in ours]


def pending_migrations(db: Database) -> list[str]:
    return [migration.name for migration in migrations.pending(db)]


def migrate(db: Database) -> None:
    """Applies what is pending, each migration in a transaction of its own."""
    migrations.apply(db)
