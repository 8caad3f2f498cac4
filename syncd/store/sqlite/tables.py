"""The SQL text of the tables that the first migrations make (`schema` says which and when). Never changed: a migration
that has run somewhere is history, and what comes later is a migration of its own.
"""

from __future__ import annotations

USERS = """
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

GROUPS = """
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

JOURNAL = """
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

REST = """
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

WAITING = """
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

REQUESTS = """
CREATE TABLE requests (
    id TEXT NOT NULL PRIMARY KEY,
    place INTEGER NOT NULL,
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    arguments TEXT NOT NULL,
    settings TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'taken', 'ended', 'withdrawn')),
    takings INTEGER NOT NULL DEFAULT 0,
    taken_by TEXT,
    owner TEXT,
    taken_at TEXT,
    phase TEXT NOT NULL DEFAULT '',
    total INTEGER,
    done INTEGER NOT NULL DEFAULT 0,
    stop_asked INTEGER NOT NULL DEFAULT 0,
    ended_at TEXT,
    exit_code INTEGER,
    outcome TEXT
);
CREATE INDEX requests_open ON requests (place) WHERE state IN ('waiting', 'taken');
-- Who has the lock says whether it carries requests out; those that took it before this version do not.
ALTER TABLE writer ADD COLUMN serves INTEGER NOT NULL DEFAULT 0;
"""
