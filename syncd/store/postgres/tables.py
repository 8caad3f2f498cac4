"""The tables of all connections' stores, as PostgreSQL has them: the columns of the store on SQLite, with one more,
`connection`, that leads every key. A view with the store's own name for each shows one connection's rows, so that the
SQL text of the store is the same on both.

Times and ids are compared as text: every text is ordered by its bytes (COLLATE "C"), as SQLite orders it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` as lines of a CREATE TABLE, the names first on each; `key` and `indexes` without the connection."""

    name: str
    columns: str
    key: str
    indexes: tuple[str, ...] = ()
    """`[UNIQUE] NAME (COLUMNS) [WHERE ...]`."""
    constraints: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, the connection aside, that can be written."""
        lines = (line for line in self.columns.strip().splitlines() if line[:1].isalpha())
        return tuple(line.split()[0] for line in lines if "GENERATED ALWAYS" not in line)

    def statements(self) -> Iterator[str]:
        """What makes it: the table with a connection in each key, the view of one connection, the indexes."""
        columns = re.sub(r"\bTEXT\b", 'text COLLATE "C"', self.columns.strip().rstrip(","))
        names = [line.split()[0] for line in self.columns.strip().splitlines() if line[:1].isalpha()]
        more = f",\n{self.constraints}" if self.constraints else ""
        yield (
            f"CREATE TABLE syncd.{self.name}_t (\n{columns},\n"
            "connection bigint NOT NULL DEFAULT current_setting('syncd.connection')::bigint,\n"
            f"PRIMARY KEY (connection, {self.key}){more}\n)"
        )
        yield (
            f"CREATE VIEW syncd.{self.name} AS SELECT {', '.join(names)}, connection FROM syncd.{self.name}_t"
            " WHERE connection = current_setting('syncd.connection')::bigint"
        )
        for index in self.indexes:
            unique, name, rest = re.fullmatch(r"(UNIQUE )?(\w+) \((.*)", index, re.DOTALL).groups()  # type: ignore[union-attr]
            yield f"CREATE {unique or ''}INDEX {name} ON syncd.{self.name}_t (connection, {rest}"


_UNSETTLED = """unsettled integer GENERATED ALWAYS AS (CASE
    WHEN released = 1 THEN 0
    WHEN standing = 'frozen' THEN 1
    WHEN standing = 'active' THEN CASE WHEN scim_id IS NULL OR coalesce(pushed_active, 0) = 0
        OR attributes IS DISTINCT FROM pushed_attributes THEN 1 ELSE 0 END
    ELSE CASE WHEN scim_id IS NOT NULL AND pushed_active <> 0 THEN 1 ELSE 0 END
    END) STORED"""

TABLES = (
    Table("meta", "key TEXT NOT NULL,\nvalue TEXT NOT NULL", "key"),
    Table(
        "users",
        f"""
okta_id TEXT NOT NULL,
standing TEXT NOT NULL CHECK (standing IN ('active', 'inactive', 'frozen', 'absent')),
wish TEXT NOT NULL,
attributes TEXT NOT NULL,
name_key TEXT NOT NULL,
folded_name TEXT NOT NULL,
digest bytea NOT NULL,
revision bigint NOT NULL,
left_at TEXT,
released integer NOT NULL DEFAULT 0,
scim_id TEXT,
pushed_attributes TEXT,
pushed_active integer,
pushed_folded_name TEXT,
{_UNSETTLED},
asked_at TEXT,
own_list_revision bigint NOT NULL DEFAULT 0,
own_list_at TEXT,
invited integer NOT NULL DEFAULT 0,
""",
        "okta_id",
        (
            "users_wish (okta_id, standing, revision, digest)",
            "users_unsettled (okta_id) WHERE unsettled = 1",
            "users_not_active (okta_id) WHERE standing <> 'active'",
            "users_name_key (name_key)",
            "users_folded_name (folded_name)",
            "UNIQUE users_scim_id (scim_id) WHERE scim_id IS NOT NULL",
            "users_pushed_folded_name (pushed_folded_name) WHERE pushed_folded_name IS NOT NULL",
            "users_released (okta_id) WHERE released = 1",
        ),
    ),
    Table(
        "groups",
        """
okta_id TEXT NOT NULL,
state TEXT NOT NULL CHECK (state IN ('pushed', 'frozen', 'gone')),
wish TEXT NOT NULL,
revision bigint NOT NULL,
members_stamp TEXT,
list_revision bigint,
released integer NOT NULL DEFAULT 0,
scim_id TEXT,
pushed_name TEXT,
asked TEXT,
asked_at TEXT,
known_since bigint NOT NULL DEFAULT 0,
""",
        "okta_id",
        ("UNIQUE groups_scim_id (scim_id) WHERE scim_id IS NOT NULL",),
    ),
    Table(
        "members",
        "group_id TEXT NOT NULL,\nuser_id TEXT NOT NULL,\nlisted integer NOT NULL,\npushed integer NOT NULL",
        "group_id, user_id",
        (
            "members_by_user (user_id, group_id, listed, pushed)",
            "members_open (group_id, user_id) WHERE listed <> pushed",
        ),
    ),
    Table(
        "journal",
        """
sequence bigint NOT NULL,
at TEXT NOT NULL,
run_id TEXT,
entry TEXT NOT NULL CHECK (entry IN ('intent', 'outcome', 'note')),
refers bigint,
kind TEXT,
okta_id TEXT,
group_id TEXT,
applied integer,
body TEXT NOT NULL,
previous TEXT NOT NULL,
hash TEXT NOT NULL,
""",
        "sequence",
        (
            "UNIQUE journal_outcomes (refers) WHERE entry = 'outcome'",
            "journal_applied (at, kind) WHERE applied = 1",
            "journal_runs (run_id)",
            "journal_of_object (okta_id, sequence) WHERE entry = 'outcome'",
            "journal_of_group (group_id, sequence) WHERE entry = 'outcome'",
            "journal_notes (sequence) WHERE entry = 'note'",
            (
                "journal_decisions (sequence) WHERE entry = 'note'"
                " AND (syncd.instr(body, '\"decided\":') OR syncd.instr(body, '\"over\":'))"
            ),
            (
                "journal_expected (sequence) WHERE entry = 'note'"
                " AND (syncd.instr(body, '\"expected\":') OR syncd.instr(body, '\"revoked\":'))"
            ),
            "journal_counted (at, kind) WHERE applied = 1 AND NOT syncd.instr(body, '\"uncounted\":')",
            (
                "journal_releases (sequence) WHERE entry = 'note'"
                ' AND (syncd.instr(body, \'"release":\') OR syncd.instr(body, \'"decision":"unlink"\'))'
            ),
        ),
    ),
    Table(
        "packs",
        """
first bigint NOT NULL,
last bigint NOT NULL CHECK (last >= first),
at TEXT NOT NULL,
run_id TEXT,
entry TEXT NOT NULL CHECK (entry IN ('intent', 'outcome')),
kind TEXT,
group_id TEXT,
previous TEXT NOT NULL,
hash TEXT NOT NULL,
rows bytea NOT NULL,
""",
        "first",
        ("packs_runs (run_id)", "packs_of_group (group_id, first) WHERE entry = 'outcome'"),
    ),
    Table(
        "packed",
        "okta_id TEXT NOT NULL,\nsequence bigint NOT NULL,\nfirst bigint NOT NULL",
        "okta_id, sequence",
    ),
    Table("open_intents", "sequence bigint NOT NULL", "sequence"),
    Table("facts", "key TEXT NOT NULL,\nvalue TEXT NOT NULL", "key"),
    Table(
        "runs",
        """
run_id TEXT NOT NULL,
kind TEXT NOT NULL,
started TEXT NOT NULL,
finished TEXT,
status TEXT,
summary TEXT NOT NULL DEFAULT '{}',
error TEXT,
rowid bigint GENERATED BY DEFAULT AS IDENTITY,
""",
        "run_id",
        ("runs_started (started)",),
    ),
    Table(
        "failures",
        """
object_key TEXT NOT NULL,
change_id TEXT NOT NULL,
kind TEXT NOT NULL,
okta_id TEXT NOT NULL,
group_id TEXT,
name TEXT NOT NULL,
message TEXT NOT NULL,
attempts integer NOT NULL,
first_failed TEXT NOT NULL,
next_attempt TEXT NOT NULL,
""",
        "object_key",
    ),
    Table(
        "writer",
        """
id integer NOT NULL CHECK (id = 1),
token TEXT NOT NULL,
owner TEXT NOT NULL,
host TEXT NOT NULL,
boot TEXT NOT NULL,
pid bigint NOT NULL,
born TEXT NOT NULL,
since TEXT NOT NULL,
expires TEXT NOT NULL,
namespace TEXT NOT NULL DEFAULT '',
guard TEXT NOT NULL DEFAULT '',
lasts double precision NOT NULL DEFAULT 300,
beat bigint NOT NULL DEFAULT 0,
serves integer NOT NULL DEFAULT 0,
""",
        "id",
    ),
    Table(
        "holds",
        """
id TEXT NOT NULL,
check_name TEXT NOT NULL,
reason TEXT NOT NULL,
way_out TEXT NOT NULL,
numbers TEXT NOT NULL,
raised_at TEXT NOT NULL,
expires_at TEXT NOT NULL,
state TEXT NOT NULL,
""",
        "id",
    ),
    Table(
        "hold_changes",
        """
hold_id TEXT NOT NULL,
change_id TEXT NOT NULL,
kind TEXT NOT NULL,
okta_id TEXT NOT NULL,
group_id TEXT,
document TEXT NOT NULL,
state TEXT NOT NULL,
""",
        "hold_id, change_id",
        ("hold_changes_by_change (change_id)",),
        "FOREIGN KEY (connection, hold_id) REFERENCES syncd.holds_t (connection, id) ON DELETE CASCADE",
    ),
    Table(
        "decisions",
        """
id bigint GENERATED BY DEFAULT AS IDENTITY,
at TEXT NOT NULL,
decided_by TEXT NOT NULL,
decision TEXT NOT NULL,
hold_id TEXT,
change_id TEXT NOT NULL,
object_key TEXT NOT NULL,
expires_at TEXT,
sequence bigint NOT NULL DEFAULT 0,
""",
        "id",
        ("decisions_by_change (change_id)",),
    ),
    Table("tombstones", "okta_id TEXT NOT NULL,\nrevision bigint NOT NULL,\nat TEXT NOT NULL", "okta_id"),
    Table(
        "doubts",
        "object_key TEXT NOT NULL,\nrowid bigint GENERATED BY DEFAULT AS IDENTITY",
        "object_key",
    ),
    Table(
        "unproven",
        """
kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
okta_id TEXT NOT NULL,
scim_id TEXT,
body TEXT NOT NULL,
since TEXT NOT NULL,
""",
        "kind, okta_id",
    ),
    Table(
        "waiting",
        """
object_key TEXT NOT NULL,
kind TEXT NOT NULL,
name TEXT NOT NULL,
reason TEXT NOT NULL,
since TEXT NOT NULL,
looks integer NOT NULL,
next_look TEXT,
""",
        "object_key, kind",
        ("waiting_due (next_look) WHERE next_look IS NOT NULL",),
    ),
    Table(
        "waits_for",
        "name TEXT NOT NULL,\nobject_key TEXT NOT NULL,\nkind TEXT NOT NULL",
        "name, object_key, kind",
    ),
    Table("seals", "name TEXT NOT NULL,\ntotal bytea NOT NULL,\nsequence bigint NOT NULL", "name"),
    Table(
        "requests",
        """
id TEXT NOT NULL,
place bigint NOT NULL,
version integer NOT NULL,
kind TEXT NOT NULL,
arguments TEXT NOT NULL,
settings TEXT NOT NULL,
asked_by TEXT NOT NULL,
reason TEXT NOT NULL,
asked_at TEXT NOT NULL,
state TEXT NOT NULL CHECK (state IN ('waiting', 'taken', 'ended', 'withdrawn')),
takings integer NOT NULL DEFAULT 0,
taken_by TEXT,
owner TEXT,
taken_at TEXT,
phase TEXT NOT NULL DEFAULT '',
total bigint,
done bigint NOT NULL DEFAULT 0,
stop_asked integer NOT NULL DEFAULT 0,
ended_at TEXT,
exit_code integer,
outcome TEXT,
""",
        "id",
        ("requests_open (place) WHERE state IN ('waiting', 'taken')",),
    ),
)
"""In an order in which they can be made."""
OF_PACKS = frozenset({"packs", "packed"})
"""Tables that the first schema lacked."""

# Functions that the store's SQL text calls and PostgreSQL lacks. Escapes that are no text here (a lone surrogate, NUL)
# are left as words of their own: what is taken out of JSON is compared, and shown to nobody. What is no JSON is NULL.
FUNCTIONS = (
    """CREATE FUNCTION syncd.instr(said text, part text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT strpos(said, part) > 0'""",
    r"""CREATE FUNCTION syncd.as_json(said text) RETURNS json LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF strpos(said, '\ud') > 0 OR strpos(said, '\u0000') > 0 THEN
        RETURN regexp_replace(said, '\\u(d[89a-f][0-9a-f]{2}|0000)', '%u\1', 'g')::json;
    END IF;
    RETURN said::json;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$""",
    """CREATE FUNCTION syncd.json_valid(said text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT syncd.as_json(said) IS NOT NULL'""",
    """CREATE FUNCTION syncd.json_type(said text, path text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT json_typeof(syncd.as_json(said) #> string_to_array(substr(path, 3), ''.''))'""",
    """CREATE FUNCTION syncd.json_extract(said text, path text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT nullif(btrim((syncd.as_json(said) #> string_to_array(substr(path, 3), ''.''))::text, ''"''), ''null'')'""",
    """CREATE FUNCTION syncd.julianday(said text) RETURNS double precision LANGUAGE sql STABLE PARALLEL SAFE AS
    'SELECT extract(epoch FROM said::timestamptz)::double precision / 86400 + 2440587.5'""",
    """CREATE FUNCTION syncd.ids(given text[]) RETURNS TABLE (value text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100 AS 'SELECT unnest(given)'""",
)
