"""The tables of a staging file. It is private to one cycle and never outlives it: it needs no durability. The store is
attached to the stage's connection read-only as `store`; TEMP views may see both.
"""

from __future__ import annotations

from syncd.store.stage.tables import HELD, LEAVES, OF_GROUP, OWNER, SPOOL_KEY, STEPS

TABLES = """
-- The store's revision when the stage began, and the time before which an answer by id stands in every list by now.
CREATE TABLE began (base INTEGER NOT NULL, lists_show TEXT NOT NULL);
-- Users and groups that Okta answered for by id in this stage, whatever the answer was.
CREATE TABLE by_id (okta_id TEXT NOT NULL PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE seen (okta_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE users (
    okta_id TEXT NOT NULL PRIMARY KEY,
    standing TEXT NOT NULL,
    wish TEXT NOT NULL,
    attributes TEXT NOT NULL,
    name_key TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    digest BLOB NOT NULL
);
CREATE TABLE groups (
    okta_id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    wish TEXT NOT NULL
);
CREATE TABLE asked_users (okta_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE asked (okta_id TEXT NOT NULL PRIMARY KEY, what TEXT NOT NULL, asked TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE lists (
    group_id TEXT NOT NULL PRIMARY KEY,
    complete INTEGER NOT NULL DEFAULT 0,
    stamp TEXT
);
CREATE TABLE listed (
    group_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
CREATE TABLE absent (okta_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE user_lists (
    user_id TEXT NOT NULL PRIMARY KEY,
    base INTEGER NOT NULL,
    at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE user_groups (
    group_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (user_id, group_id)
) WITHOUT ROWID;
CREATE TABLE nominated (okta_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE unlisted (okta_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE doubts (object_key TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE limit_users (okta_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE limit_groups (okta_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE still_users (okta_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE still_groups (okta_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
-- `taken`: whose change of this plan adopts the account.
CREATE TABLE links (scim_id TEXT NOT NULL PRIMARY KEY, okta_id TEXT NOT NULL, taken TEXT) WITHOUT ROWID;
CREATE TABLE remote_lists (group_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE remote_members (
    group_id TEXT NOT NULL,
    scim_id TEXT NOT NULL,
    PRIMARY KEY (group_id, scim_id)
) WITHOUT ROWID;
CREATE TABLE remote_users (
    scim_id TEXT NOT NULL PRIMARY KEY,
    external_id TEXT,
    folded_name TEXT NOT NULL,
    mail TEXT,
    document TEXT NOT NULL
);
-- Of what else the listing is looked at by: an attribute with a value, as `core.match_rules` writes it.
CREATE TABLE remote_keys (
    key TEXT NOT NULL,
    scim_id TEXT NOT NULL,
    PRIMARY KEY (key, scim_id)
) WITHOUT ROWID;
CREATE TABLE skipped (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    okta_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX skipped_of_object ON skipped (okta_id);
-- Has no index, and maybe a wish twice, until somebody asks: made at once, indexes cost a third.
CREATE TABLE spool (
    id TEXT NOT NULL,
    rank INTEGER NOT NULL,
    in_group TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    okta_id TEXT NOT NULL,
    group_id TEXT,
    hold_id TEXT,
    document TEXT NOT NULL,
    phase INTEGER NOT NULL,
    turn INTEGER NOT NULL DEFAULT 0,
    step INTEGER NOT NULL DEFAULT 0,
    via INTEGER NOT NULL DEFAULT 0,
    -- For which limits it counts, a bit for each.
    counts INTEGER NOT NULL,
    -- Of users' changes that take a userName or leave one: whose, which, and in the form that searches fold it to.
    owner TEXT,
    takes TEXT,
    takes_folded TEXT,
    leaves_folded TEXT
);
CREATE INDEX users_name_key ON users (name_key);
CREATE INDEX users_folded_name ON users (folded_name);
CREATE INDEX users_not_active ON users (okta_id) WHERE standing <> 'active';
CREATE INDEX links_okta_id ON links (okta_id);
CREATE INDEX remote_users_external_id ON remote_users (external_id);
CREATE INDEX remote_users_folded_name ON remote_users (folded_name);
CREATE INDEX remote_users_mail ON remote_users (mail) WHERE mail IS NOT NULL;
"""

SPOOL_TWICE = "DELETE FROM main.spool WHERE rowid NOT IN (SELECT max(rowid) FROM main.spool GROUP BY id)"
SPOOL_INDEXES = {
    SPOOL_KEY: "CREATE UNIQUE INDEX IF NOT EXISTS main.spool_id ON spool (id)",
    HELD: "CREATE INDEX IF NOT EXISTS main.spool_held ON spool (hold_id, rank)",
    OF_GROUP: "CREATE INDEX IF NOT EXISTS main.spool_of_group ON spool (group_id, rank) WHERE group_id IS NOT NULL",
    OWNER: "CREATE INDEX IF NOT EXISTS main.spool_owner ON spool (owner) WHERE owner IS NOT NULL",
    STEPS: "CREATE INDEX IF NOT EXISTS main.spool_steps ON spool (turn, step) WHERE step > 0",
    LEAVES: "CREATE INDEX IF NOT EXISTS main.spool_leaves ON spool (leaves_folded) WHERE leaves_folded IS NOT NULL",
}
