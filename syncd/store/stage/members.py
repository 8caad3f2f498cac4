"""Memberships in the staging area: which pairs of group and user differ between wish and target."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from syncd.core.canonical import read_canonical
from syncd.model import MemberCase
from syncd.store.db import Db
from syncd.store.rows import STANDINGS, Row
from syncd.store.stage.session import StageSession
from syncd.store.stage.tables import (
    CANDIDATES_FULL,
    CANDIDATES_OF_GROUPS,
    CANDIDATES_OF_USERS,
    MEMBER_CASES,
    MEMBER_REMOVALS,
    SCRATCH,
    WANTED_COUNT,
    WANTED_MEMBERS,
)

_PAGE = """
SELECT q.n, q.a, q.b, q.c, q.d, coalesce(s.wish, u.wish), u.pushed_attributes, u.scim_id,
    (SELECT l.scim_id FROM main.links l WHERE l.okta_id = q.b)
FROM {queue} q LEFT JOIN store.users u ON u.okta_id = q.b
LEFT JOIN main.users s ON s.okta_id = q.b AND q.c >= 2
"""


@dataclass(frozen=True, slots=True)
class Extent:
    """How far the stage's questions reach."""

    limited: bool
    groups_whole: bool


class MemberQuestions:
    """Which memberships differ, how large a group is on either side, who in it is a stranger."""

    def __init__(self, file: StageSession) -> None:
        self._file = file

    def put_remote(self, group_id: str, scim_ids: Iterable[str]) -> None:
        """Replaces what was given for this group before."""
        given = json.dumps(list(scim_ids))
        with self._file.short() as conn:
            conn.execute("INSERT OR IGNORE INTO main.remote_lists VALUES (?)", (group_id,))
            conn.execute("DELETE FROM main.remote_members WHERE group_id = ?", (group_id,))
            conn.execute(
                "INSERT OR IGNORE INTO main.remote_members SELECT ?, value FROM json_each(?)",
                (group_id, given),
            )

    def strangers(self, group_id: str) -> int:
        """Remote members that belong to nobody known or just matched."""
        with self._file.short() as conn:
            (count,) = conn.execute(
                "SELECT count(*) FROM main.remote_members r WHERE group_id = ?"
                " AND NOT EXISTS (SELECT 1 FROM main.links l WHERE l.scim_id = r.scim_id)"
                " AND NOT EXISTS (SELECT 1 FROM store.users k WHERE k.scim_id = r.scim_id)",
                (group_id,),
            ).fetchone()
        return int(count)

    def wanted_count(self, group_id: str, extent: Extent) -> int:
        """How many members the group is to have, without naming them."""
        with self._file.short() as conn:
            self._scratch(conn, extent)
            _collect(conn, CANDIDATES_OF_GROUPS.format(groups="(SELECT ? AS okta_id)"), (group_id,))
            (count,) = conn.execute(WANTED_COUNT).fetchone()
        return int(count)

    def wanted(self, group_id: str, extent: Extent) -> frozenset[str]:
        """Okta ids of the members that the group is to have."""
        with self._file.short() as conn:
            self._scratch(conn, extent)
            _collect(conn, CANDIDATES_OF_GROUPS.format(groups="(SELECT ? AS okta_id)"), (group_id,))
            return frozenset(user_id for (user_id,) in conn.execute(WANTED_MEMBERS).fetchall())

    def pushed_count(self, group_id: str) -> int:
        """What `put_remote` gave, strangers included, else the pushed memberships."""
        with self._file.short() as conn:
            remote = conn.execute(
                "SELECT 1 FROM main.remote_lists WHERE group_id = ?", (group_id,)
            ).fetchone()
            table = "main.remote_members WHERE" if remote else "store.members WHERE pushed = 1 AND"
            (count,) = conn.execute(
                f"SELECT count(*) FROM {table} group_id = ?",  # noqa: S608  (constants)
                (group_id,),
            ).fetchone()
        return int(count)

    def cases(self, extent: Extent, *, removals: bool = False) -> Iterator[MemberCase]:
        """All of them, or only those that are not wanted."""
        asked = MEMBER_REMOVALS if removals else MEMBER_CASES
        pages = self._file.pages(asked, (), _PAGE, prepare=lambda conn: self._fill(conn, extent))
        for page in pages:
            for row in page:
                yield _case(row)

    def _fill(self, conn: Db, extent: Extent) -> None:
        self._scratch(conn, extent)
        if extent.limited:
            _collect(conn, CANDIDATES_OF_USERS)
            _collect(conn, CANDIDATES_OF_GROUPS.format(groups="main.limit_groups"))
        else:
            _collect(conn, CANDIDATES_FULL)

    def _scratch(self, conn: Db, extent: Extent) -> None:
        for table in SCRATCH:
            conn.execute(f"DELETE FROM temp.{table}")  # noqa: S608  (constants)
        conn.execute("INSERT INTO temp.fresh_list_ids SELECT group_id FROM fresh_lists")
        conn.execute("INSERT INTO temp.fresh_group_ids SELECT okta_id FROM fresh_groups")
        conn.execute("INSERT INTO temp.fresh_own_ids SELECT user_id FROM fresh_own_lists")
        conn.execute("INSERT OR IGNORE INTO temp.remote_pairs SELECT group_id, user_id FROM remote_known")
        if extent.groups_whole:
            narrow = "WHERE okta_id IN (SELECT okta_id FROM main.limit_groups)" if extent.limited else ""
            conn.execute(
                f"INSERT INTO temp.gone_groups SELECT okta_id FROM unnamed_groups {narrow}"  # noqa: S608  (constants)
            )


def _collect(conn: Db, selects: str, given: Sequence[str] = ()) -> None:
    for select in selects.split(";"):
        conn.execute(f"INSERT OR IGNORE INTO temp.candidate {select}", given)


def _case(row: Row) -> MemberCase:
    _, group_id, user_id, marks, standing, wish, pushed, scim_id, linked = row
    listed = marks % 2 == 1
    wished = read_canonical(wish)[0] if wish else ""
    held = read_canonical(pushed).get("userName") if pushed else ""
    # Nobody wishes for who is absent: what the target calls them comes first.
    name = (held or wished) if standing == "absent" else (wished or held)
    return MemberCase(
        group_id=group_id,
        user_id=user_id,
        wanted=listed and standing == "active",
        listed=listed,
        standing=STANDINGS[standing],
        user_name=str(name or ""),
        user_scim_id=scim_id or linked,
    )
