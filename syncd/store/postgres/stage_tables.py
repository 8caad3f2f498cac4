"""The tables of a stage: temporary ones of one session, made once for it and emptied for each cycle. Nothing of them is
written ahead, nobody else sees them, and they go with the session.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from syncd.store.stage.tables import REMOTE_VIEW, SCRATCH, views


@dataclass(frozen=True, slots=True)
class StageTable:
    """`columns` as of a CREATE TABLE, one a line; `key` "" for one that may have a row twice."""

    name: str
    columns: str
    key: str

    @property
    def names(self) -> tuple[str, ...]:
        lines = self.columns.strip().splitlines()
        return tuple(line.split()[0] for line in lines if "GENERATED" not in line)

    def statement(self) -> str:
        columns = re.sub(r"\bTEXT\b", 'text COLLATE "C"', self.columns.strip().replace("\n", ",\n"))
        key = f",\nPRIMARY KEY ({self.key})" if self.key else ""
        return f"CREATE TEMP TABLE s_{self.name} (\n{columns}{key}\n)"


def _ids(name: str, column: str = "okta_id") -> StageTable:
    return StageTable(name, f"{column} TEXT", column)


def _pairs(name: str, first: str, second: str, key: str = "") -> StageTable:
    return StageTable(name, f"{first} TEXT\n{second} TEXT", key or f"{first}, {second}")


TABLES = (
    StageTable("began", "base bigint NOT NULL\nlists_show TEXT NOT NULL", ""),
    StageTable("by_id", "okta_id TEXT\nat TEXT NOT NULL", "okta_id"),
    _ids("seen"),
    StageTable(
        "users",
        "okta_id TEXT\nstanding TEXT NOT NULL\nwish TEXT NOT NULL\nattributes TEXT NOT NULL\nname_key TEXT NOT NULL\n"
        "folded_name TEXT NOT NULL\ndigest bytea NOT NULL",
        "okta_id",
    ),
    StageTable("groups", "okta_id TEXT\nstate TEXT NOT NULL\nwish TEXT NOT NULL", "okta_id"),
    _ids("asked_users"),
    StageTable("asked", "okta_id TEXT\nwhat TEXT NOT NULL\nasked TEXT NOT NULL", "okta_id"),
    StageTable("lists", "group_id TEXT\ncomplete integer NOT NULL DEFAULT 0\nstamp TEXT", "group_id"),
    _pairs("listed", "group_id", "user_id"),
    _ids("absent"),
    StageTable("user_lists", "user_id TEXT\nbase bigint NOT NULL\nat TEXT NOT NULL", "user_id"),
    _pairs("user_groups", "group_id", "user_id", "user_id, group_id"),
    _ids("nominated"),
    _ids("unlisted"),
    _ids("doubts", "object_key"),
    _ids("limit_users"),
    _ids("limit_groups"),
    _ids("still_users"),
    _ids("still_groups"),
    StageTable("links", "scim_id TEXT\nokta_id TEXT NOT NULL\ntaken TEXT", "scim_id"),
    _ids("remote_lists", "group_id"),
    _pairs("remote_members", "group_id", "scim_id"),
    StageTable(
        "remote_users",
        "scim_id TEXT\nexternal_id TEXT\nfolded_name TEXT NOT NULL\nmail TEXT\ndocument TEXT NOT NULL",
        "scim_id",
    ),
    _pairs("remote_keys", "key", "scim_id"),
    StageTable(
        "skipped",
        "kind TEXT NOT NULL\nname TEXT NOT NULL\nokta_id TEXT NOT NULL\nreason TEXT NOT NULL\n"
        "document TEXT NOT NULL\nrowid bigint GENERATED ALWAYS AS IDENTITY",
        "",
    ),
    StageTable(
        "spool",
        "id TEXT\nrank integer NOT NULL\nin_group TEXT NOT NULL\nname TEXT NOT NULL\nkind TEXT NOT NULL\n"
        "okta_id TEXT NOT NULL\ngroup_id TEXT\nhold_id TEXT\ndocument TEXT NOT NULL\nphase integer NOT NULL\n"
        "turn integer NOT NULL DEFAULT 0\nstep integer NOT NULL DEFAULT 0\nvia integer NOT NULL DEFAULT 0\n"
        "counts bigint NOT NULL\nowner TEXT\ntakes TEXT\ntakes_folded TEXT\nleaves_folded TEXT\n"
        "rowid bigint GENERATED ALWAYS AS IDENTITY",
        "id",
    ),
)
_INDEXES = (
    "s_users (name_key)",
    "s_users (folded_name)",
    "s_users (okta_id) WHERE standing <> 'active'",
    "s_listed (user_id, group_id)",
    "s_links (okta_id)",
    "s_remote_users (external_id)",
    "s_remote_users (folded_name)",
    "s_remote_users (mail) WHERE mail IS NOT NULL",
    "s_skipped (okta_id)",
    "s_spool (rowid)",
    "s_spool (hold_id, rank)",
    "s_spool (group_id, rank) WHERE group_id IS NOT NULL",
    "s_spool (owner) WHERE owner IS NOT NULL",
    "s_spool (turn, step) WHERE step > 0",
    "s_spool (leaves_folded) WHERE leaves_folded IS NOT NULL",
)


def made() -> Iterator[str]:
    """Once for a session, in PostgreSQL's words; the views are in the stage's own text."""
    for table in TABLES:
        yield table.statement()
    for name, columns in SCRATCH.items():
        yield f"CREATE TEMP TABLE {name} ({columns})".replace(" TEXT", ' text COLLATE "C"')
    for index in _INDEXES:
        yield f"CREATE INDEX ON {index}"
    yield _emptying()


def laid_over() -> list[str]:
    """The views, in the stage's own text."""
    return [
        view.replace("CREATE TEMP VIEW IF NOT EXISTS", "CREATE TEMP VIEW").strip().rstrip(";")
        for view in (*views("main", "store"), REMOTE_VIEW)
    ]


def analyzed() -> str:
    """Has PostgreSQL look at how much is in them."""
    names = [f"pg_temp.s_{table.name}" for table in TABLES] + [f"pg_temp.{name}" for name in SCRATCH]
    return f"ANALYZE {', '.join(names)}"


EMPTIED = "SELECT pg_temp.empty_the_stage()"
"""For the next cycle."""
_TRUNCATED_FROM = 64 * 1024
"""Bytes. TRUNCATE makes new files of a table and of its indexes, each time; what DELETE leaves of a few rows is used
again by the next ones.
"""


def _emptying() -> str:
    """A function, whose statements are planned once for a session."""
    names = [f"pg_temp.s_{table.name}" for table in TABLES] + [f"pg_temp.{name}" for name in SCRATCH]
    each = "".join(
        f"IF pg_table_size('{name}') > {_TRUNCATED_FROM} THEN TRUNCATE {name}; ELSE DELETE FROM {name}; END IF;\n"
        for name in names
    )
    return (
        f"CREATE FUNCTION pg_temp.empty_the_stage() RETURNS void LANGUAGE plpgsql AS $$ BEGIN\n{each}END $$"
    )
