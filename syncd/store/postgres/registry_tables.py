"""The tables of a fleet beside the store's: who lives, which connections there are, who owns them, who is to look.

`worker` has one row for each process: its heartbeat is one update of it, however many connections it owns. `owner` is
what a takeover updates and every writing transaction of a store reads `FOR SHARE`, so PostgreSQL's order is the order.
Names are compared by bytes, as everywhere in the store. A worker's row is never deleted while it owns anything: its
end is what frees that.
"""

from __future__ import annotations

TABLES = (
    """CREATE TABLE syncd.worker (
        id text COLLATE "C" PRIMARY KEY,
        host text NOT NULL,
        version text NOT NULL,
        mode text NOT NULL CHECK (mode IN ('work', 'watch')),
        capacity integer NOT NULL CHECK (capacity > 0),
        draining boolean NOT NULL DEFAULT false,
        lasts interval NOT NULL,
        quiet interval NOT NULL,
        started timestamptz NOT NULL DEFAULT clock_timestamp(),
        expires timestamptz NOT NULL,
        ended timestamptz
    ) WITH (fillfactor = 50)""",
    "CREATE INDEX worker_living ON syncd.worker (id) WHERE ended IS NULL",
    """CREATE TABLE syncd.connection (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text COLLATE "C" NOT NULL UNIQUE,
        toml text NOT NULL DEFAULT '',
        digest text NOT NULL DEFAULT '',
        org_key text COLLATE "C" NOT NULL DEFAULT '',
        split_key text COLLATE "C" CONSTRAINT one_owner_of_a_target UNIQUE DEFERRABLE INITIALLY DEFERRED,
        weight integer NOT NULL DEFAULT 1 CHECK (weight > 0),
        paused boolean NOT NULL DEFAULT false,
        bound_for text NOT NULL DEFAULT '',
        updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        updated_by text NOT NULL DEFAULT ''
    )""",
    """CREATE TABLE syncd.owner (
        connection bigint PRIMARY KEY REFERENCES syncd.connection,
        worker text COLLATE "C",
        epoch bigint NOT NULL DEFAULT 0,
        token uuid,
        since timestamptz,
        quiet_until timestamptz
    ) WITH (fillfactor = 50)""",
    "CREATE INDEX owner_worker ON syncd.owner (worker)",
    """CREATE TABLE syncd.wakes (
        connection bigint NOT NULL REFERENCES syncd.connection,
        kind text COLLATE "C" NOT NULL CHECK (kind IN ('user', 'group')),
        okta_id text COLLATE "C" NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (connection, kind, okta_id)
    )""",
)
"""In this order. `wakes` is written and read by nobody any more: what event hooks name is in `hook_event`."""

WAITING = ("ALTER TABLE syncd.worker ADD COLUMN waiting bigint[] NOT NULL DEFAULT '{}'",)
"""Its connections, as of its last heartbeat; those first whose last delta lies longest ago."""

HOOKS = (
    """CREATE TABLE syncd.hook_event (
        connection bigint NOT NULL REFERENCES syncd.connection,
        place bigint GENERATED ALWAYS AS IDENTITY,
        uuid text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        targets text NOT NULL,
        size integer NOT NULL CHECK (size > 0),
        published timestamptz,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (connection, place)
    )""",
)
"""What event hooks named, until the owner of the connection has it in its store. Their order counts for nothing."""

ORG_LOGS = (
    """CREATE UNLOGGED TABLE syncd.org_log (
        org bigint PRIMARY KEY,
        place text COLLATE "C" NOT NULL,
        since timestamptz NOT NULL,
        serial bigint NOT NULL DEFAULT 0,
        events bigint NOT NULL DEFAULT 0,
        asked timestamptz,
        more boolean NOT NULL DEFAULT false,
        asker uuid,
        asking_from timestamptz,
        asking_until timestamptz
    ) WITH (fillfactor = 50)""",
    """CREATE UNLOGGED TABLE syncd.org_log_page (
        org bigint NOT NULL REFERENCES syncd.org_log ON DELETE CASCADE,
        serial bigint NOT NULL,
        place text COLLATE "C" NOT NULL,
        cursor text COLLATE "C" NOT NULL,
        told timestamptz NOT NULL,
        before bigint NOT NULL,
        events text NOT NULL,
        PRIMARY KEY (org, serial)
    )""",
    "CREATE INDEX org_log_page_place ON syncd.org_log_page USING hash (place)",
)
"""The trunk of each org, and the pages that led to its end (see `ports.org_log`): `serial` and `events` count what was
put there, `before` the events before a page. What is in them may go at any time.
"""
