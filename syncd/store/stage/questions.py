"""The staging area of one cycle, as `ports.Stage` names its questions.

Answers that may be long are first written down as ids (a queue) and then handed out a page at a time, so
that no question stays open while the caller goes on staging, and no population lives in Python's memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from syncd.core.names import Likeness, likeness, look_alike_key
from syncd.model import (
    GroupCase,
    KnownGroup,
    KnownUser,
    MemberCase,
    Standing,
    UserCase,
)
from syncd.ports.stage import BetterKnown
from syncd.store.rows import (
    KNOWN_GROUP_COLUMNS,
    KNOWN_USER_COLUMNS,
    Row,
    asked_of,
    columns,
    known_group,
    known_user,
    searchable,
    wanted_group,
    wanted_user,
)
from syncd.store.stage.answers import StagedAnswers
from syncd.store.stage.doubts import Doubts
from syncd.store.stage.members import Extent, MemberQuestions
from syncd.store.stage.session import StageSession

_KNOWN_USER = columns(KNOWN_USER_COLUMNS, "k")
_KNOWN_GROUP = columns(KNOWN_GROUP_COLUMNS, "k")
_STAGED_USER = columns(("standing", "wish", "attributes", "digest"), "s")

# Whether somebody else, of whom the stage or the store knows, may want the name that this case is about; by index.
_SHARES_NAME = " OR ".join(
    f"EXISTS (SELECT 1 FROM {table} o WHERE o.standing = 'active' AND o.okta_id <> q.a"  # noqa: S608  (constants)
    f" AND o.{name} = coalesce(s.{name}, k.{name}))"
    for table in ("main.users", "store.users")
    for name in ("name_key", "folded_name")
)

_CANDIDATES = """
SELECT okta_id FROM fresh_users
UNION
SELECT okta_id FROM store.users WHERE unsettled = 1
UNION
SELECT okta_id FROM main.nominated
ORDER BY 1
"""
_CANDIDATES_FEW = """
SELECT l.okta_id FROM main.limit_users l
LEFT JOIN store.users k ON k.okta_id = l.okta_id
LEFT JOIN main.nominated n ON n.okta_id = l.okta_id
WHERE EXISTS (SELECT 1 FROM fresh_users f WHERE f.okta_id = l.okta_id)
    OR k.unsettled = 1 OR n.okta_id IS NOT NULL
    OR EXISTS (SELECT 1 FROM main.asked_users a WHERE a.okta_id = l.okta_id)
ORDER BY 1
"""
_DEPARTURES = """
SELECT okta_id FROM main.nominated
UNION
SELECT k.okta_id FROM store.users k WHERE k.standing = 'absent'
    AND (k.unsettled = 1 OR EXISTS (SELECT 1 FROM store.members m WHERE m.user_id = k.okta_id AND m.pushed = 1))
    AND NOT EXISTS (SELECT 1 FROM main.seen e WHERE e.okta_id = k.okta_id)
ORDER BY 1
"""
_DEPARTURES_FEW = """
SELECT k.okta_id FROM main.limit_users l CROSS JOIN store.users k ON k.okta_id = l.okta_id
LEFT JOIN main.nominated n ON n.okta_id = l.okta_id
WHERE n.okta_id IS NOT NULL OR (k.standing = 'absent'
    AND (k.unsettled = 1 OR EXISTS (SELECT 1 FROM store.members m WHERE m.user_id = k.okta_id AND m.pushed = 1))
    AND NOT EXISTS (SELECT 1 FROM main.seen e WHERE e.okta_id = k.okta_id))
ORDER BY 1
"""

_LEARNED_SINCE = """
SELECT EXISTS (
    SELECT 1 FROM main.by_id b CROSS JOIN store.users k ON k.okta_id = b.okta_id
    WHERE k.revision > ?1 OR k.own_list_revision > ?1
    UNION ALL
    SELECT 1 FROM main.by_id b CROSS JOIN store.groups k ON k.okta_id = b.okta_id
    WHERE k.revision > ?1 OR k.list_revision > ?1
    UNION ALL
    SELECT 1 FROM main.by_id b CROSS JOIN store.tombstones t ON t.okta_id = b.okta_id WHERE t.revision > ?1
)
"""


class StageQuestions(StagedAnswers):
    """Implements `ports.Stage` over a session. Safe to share between threads; every call is short."""

    def __init__(self, session: StageSession, clock: Callable[[], datetime]) -> None:
        """`session` has empty tables. Raises SyncdError."""
        super().__init__(session, clock)
        self._members = MemberQuestions(self._file)
        self._doubts = Doubts(self._file)
        self._limited = False

    @property
    def limited(self) -> bool:
        """Whether the questions are narrowed to some users and groups."""
        return self._limited

    @property
    def is_overtaken(self) -> bool:
        """See `ports.Stage.is_overtaken`."""
        if self._file.whole_read() > self.base:
            return True
        if not self._limited:
            return False
        with self._file.short() as conn:
            return bool(conn.execute(_LEARNED_SINCE, (self.base,)).fetchone()[0])

    def _nominate(self) -> None:
        """Brings `nominated` up to date: known, missing from a list read whole or asked for by id, not learned about
        meanwhile. `unlisted` are those that only the list misses, and for whom it may be too old.
        """
        if self._nominated_at == self._file.revision():
            return
        with self._file.short() as conn:
            now = self._file.revision()
            conn.execute("DELETE FROM main.nominated")
            conn.execute("DELETE FROM main.unlisted")
            if self.users_whole:
                source = (
                    "main.limit_users l CROSS JOIN store.users k ON k.okta_id = l.okta_id"
                    if self._limited
                    else "store.users k INDEXED BY users_wish"
                )
                conn.execute(
                    f"INSERT INTO main.nominated SELECT k.okta_id FROM {source}"  # noqa: S608  (constants)
                    " WHERE k.standing <> 'absent' AND k.revision <= ?"
                    " AND NOT EXISTS (SELECT 1 FROM main.seen s WHERE s.okta_id = k.okta_id)",
                    (self.base,),
                )
                conn.execute(
                    "INSERT INTO main.unlisted SELECT n.okta_id"
                    " FROM main.nominated n CROSS JOIN store.users k ON k.okta_id = n.okta_id"
                    " WHERE k.asked_at > (SELECT lists_show FROM main.began)"
                    " AND NOT EXISTS (SELECT 1 FROM main.by_id b WHERE b.okta_id = n.okta_id)"
                )
                conn.execute(
                    "DELETE FROM main.nominated WHERE okta_id IN (SELECT okta_id FROM main.unlisted)"
                )
            conn.execute(
                "INSERT OR IGNORE INTO main.nominated"
                " SELECT a.okta_id FROM main.absent a CROSS JOIN store.users k ON k.okta_id = a.okta_id"
                " WHERE k.standing <> 'absent' AND k.revision <= ?",
                (self.base,),
            )
            self._nominated_at = now

    # what is asked about

    def limit_to(self, *, users: Iterable[str] | None, groups: Iterable[str] | None) -> None:
        """Replaces an earlier limit; both None lifts it. A side that is None while the other is given is empty."""
        with self._file.short() as conn:
            for table, ids in (("limit_users", users), ("limit_groups", groups)):
                conn.execute(f"DELETE FROM main.{table}")  # noqa: S608  (constants)
                conn.execute(
                    f"INSERT OR IGNORE INTO main.{table} SELECT value FROM json_each(?)",  # noqa: S608  (constants)
                    (json.dumps(list(ids or ())),),
                )
            self._limited = users is not None or groups is not None
            self._nominated_at = None

    # users

    def departures(self) -> Iterator[KnownUser]:
        """See `ports.Stage.departures`."""
        self._nominate()
        pages = self._file.pages(
            _DEPARTURES_FEW if self._limited else _DEPARTURES,
            (),
            f"SELECT q.n, {_KNOWN_USER} FROM {{queue}} q JOIN store.users k ON k.okta_id = q.a",  # noqa: S608
        )
        for page in pages:
            yield from (known_user(row[1:]) for row in page)

    def user_cases(self) -> Iterator[UserCase]:
        """See `ports.Stage.user_cases`."""
        self._nominate()
        yield from self._cases(_CANDIDATES_FEW if self._limited else _CANDIDATES)

    def _cases(self, candidates: str) -> Iterator[UserCase]:
        pages = self._file.pages(
            candidates,
            (),
            f"SELECT q.n, q.a, n.okta_id IS NOT NULL, e.okta_id IS NOT NULL, {_SHARES_NAME},"  # noqa: S608
            f" {_STAGED_USER}, {_KNOWN_USER}"
            " FROM {queue} q LEFT JOIN store.users k ON k.okta_id = q.a"
            " LEFT JOIN main.users s ON s.okta_id = q.a"
            " AND EXISTS (SELECT 1 FROM fresh_users f WHERE f.okta_id = q.a)"
            " LEFT JOIN main.nominated n ON n.okta_id = q.a LEFT JOIN main.seen e ON e.okta_id = q.a",
        )
        for page in pages:
            for row in page:
                yield self._user_case(row)

    def everyone(self) -> Iterator[UserCase]:
        """See `ports.Stage.everyone`."""
        self._nominate()
        narrow = " WHERE okta_id IN (SELECT okta_id FROM main.limit_users)" if self._limited else ""
        yield from self._cases(
            f"SELECT okta_id FROM store.users{narrow} UNION SELECT okta_id FROM fresh_users{narrow} ORDER BY 1"  # noqa: S608
        )

    def _user_case(self, row: Row) -> UserCase:
        _, okta_id, nominated, seen, shares_name, *rest = row
        staged, stored = rest[:4], tuple(rest[4:])
        known = None if stored[0] is None else known_user(stored)
        if known is not None and okta_id in self._asked_users:
            known = replace(known, released=False)
        wanted = None if known is None else known.wanted
        if staged[0] is not None:
            wanted = wanted_user(okta_id, *staged)
        elif nominated or (self.users_whole and not seen and wanted and wanted.standing is Standing.ABSENT):
            wanted = None
        return UserCase(okta_id, known, wanted, shares_name=bool(shares_name))

    def rivals(self, name_key: str, okta_id: str) -> Mapping[str, str]:
        """See `ports.Stage.rivals`."""
        self._nominate()
        with self._file.asking() as conn:
            rows = conn.execute(
                "SELECT okta_id, wish FROM fresh_users"
                " WHERE (name_key = ?1 OR folded_name = ?3) AND standing = 'active' AND okta_id <> ?2"
                " UNION SELECT k.okta_id, k.wish FROM store.users k"
                " WHERE (k.name_key = ?1 OR k.folded_name = ?3) AND k.standing = 'active' AND k.okta_id <> ?2"
                " AND NOT EXISTS (SELECT 1 FROM fresh_users f WHERE f.okta_id = k.okta_id)"
                " AND NOT EXISTS (SELECT 1 FROM main.nominated n WHERE n.okta_id = k.okta_id) ORDER BY 1",
                (searchable(name_key), okta_id, searchable(look_alike_key(name_key))),
            ).fetchall()
        named = {rival: json.loads(wish)[:2] for rival, wish in rows}
        return {
            rival: user_name
            for rival, (user_name, key) in named.items()
            if likeness(key, name_key) in (Likeness.SAME, Likeness.ALIKE)
        }

    def hold_still(self, okta_ids: Sequence[str]) -> None:
        """See `ports.Stage.hold_still`."""
        with self._file.short() as conn:
            conn.execute(
                "INSERT OR IGNORE INTO main.still_users SELECT value FROM json_each(?)",
                (json.dumps(list(okta_ids)),),
            )

    # what a list says against an answer by id

    def misses(self, okta_id: str) -> bool:
        """See `ports.Stage.misses`."""
        with self._file.short() as conn:
            seen = conn.execute("SELECT 1 FROM main.seen WHERE okta_id = ?", (okta_id,)).fetchone()
        return self.users_whole and seen is None

    def doubtful_users(self, also: Collection[str] = ()) -> Iterator[UserCase]:
        """See `ports.Stage.doubtful_users`."""
        self._nominate()
        yield from self._doubts.users(also, limited=self._limited)

    def doubtful_members(self) -> Iterator[tuple[str, str, bool]]:
        """See `ports.Stage.doubtful_members`."""
        yield from self._doubts.members(limited=self._limited)

    def better_known_groups(self) -> Mapping[str, BetterKnown]:
        """See `ports.Stage.better_known_groups`."""
        return self._doubts.groups()

    # what the store ties, now: this connection waits for no writer

    def user_by_scim_id(self, scim_id: str) -> KnownUser | None:
        """See `ports.Stage.user_by_scim_id`."""
        row = self._tied(f"SELECT {_KNOWN_USER} FROM store.users k WHERE k.scim_id = ?", scim_id)  # noqa: S608
        return None if row is None else known_user(row)

    def group_by_scim_id(self, scim_id: str) -> KnownGroup | None:
        """See `ports.Stage.group_by_scim_id`."""
        row = self._tied(f"SELECT {_KNOWN_GROUP} FROM store.groups k WHERE k.scim_id = ?", scim_id)  # noqa: S608
        return None if row is None else known_group(row)

    def _tied(self, question: str, scim_id: str) -> Row | None:
        with self._file.asking_beside() as conn:
            row: Row | None = conn.execute(question, (scim_id,)).fetchone()
        return row

    def doubt(self, *, users: Iterable[str] = (), groups: Iterable[str] = ()) -> None:
        """See `ports.Stage.doubt`."""
        self._doubts.remember([*(f"user:{each}" for each in users), *(f"group:{each}" for each in groups)])

    # groups and memberships

    def group_cases(self) -> Iterator[GroupCase]:
        """See `ports.Stage.group_cases`."""
        narrow = "WHERE okta_id IN (SELECT okta_id FROM main.limit_groups)" if self._limited else ""
        pages = self._file.pages(
            f"SELECT okta_id FROM store.groups {narrow}"  # noqa: S608  (constants)
            f" UNION SELECT okta_id FROM fresh_groups {narrow} ORDER BY 1",
            (),
            "SELECT q.n, q.a, EXISTS (SELECT 1 FROM unnamed_groups u WHERE u.okta_id = q.a), s.state, s.wish,"  # noqa: S608
            f" a.asked, {_KNOWN_GROUP} FROM {{queue}} q"
            " LEFT JOIN store.groups k ON k.okta_id = q.a LEFT JOIN main.groups s ON s.okta_id = q.a"
            " AND EXISTS (SELECT 1 FROM fresh_groups f WHERE f.okta_id = q.a)"
            " LEFT JOIN main.asked a ON a.okta_id = q.a",
        )
        for page in pages:
            for row in page:
                yield self._group_case(row)

    def _group_case(self, row: Row) -> GroupCase:
        _, okta_id, unnamed, state, wish, asked_now, *rest = row
        known = None if rest[0] is None else known_group(tuple(rest))
        asked = asked_of(asked_now) or (known.asked if known else None)
        if asked_now is not None and known is not None and asked is not None and asked.what == "link":
            known = replace(known, released=False)
        wanted = None if known is None else known.wanted
        if state is not None:
            wanted = wanted_group(okta_id, state, wish)
        elif self.groups_whole and unnamed:
            wanted = None
        return GroupCase(okta_id, known, wanted, asked)

    def hold_group_still(self, group_id: str) -> None:
        """See `ports.Stage.hold_group_still`."""
        with self._file.short() as conn:
            conn.execute("INSERT OR IGNORE INTO main.still_groups VALUES (?)", (group_id,))

    def put_remote_members(self, group_id: str, scim_ids: Iterable[str]) -> None:
        """See `ports.Stage.put_remote_members`."""
        self._members.put_remote(group_id, scim_ids)

    def remote_strangers(self, group_id: str) -> int:
        """See `ports.Stage.remote_strangers`."""
        return self._members.strangers(group_id)

    def member_cases(self) -> Iterator[MemberCase]:
        """See `ports.Stage.member_cases`."""
        self._nominate()
        yield from self._members.cases(self._extent)

    def member_removals(self) -> Iterator[MemberCase]:
        """See `ports.Stage.member_removals`."""
        self._nominate()
        yield from self._members.cases(self._extent, removals=True)

    @property
    def _extent(self) -> Extent:
        return Extent(limited=self._limited, groups_whole=self.groups_whole)

    def wanted_count(self, group_id: str) -> int:
        """See `ports.Stage.wanted_count`."""
        self._nominate()
        return self._members.wanted_count(group_id, self._extent)

    def wanted_members(self, group_id: str) -> frozenset[str]:
        """See `ports.Stage.wanted_members`."""
        self._nominate()
        return self._members.wanted(group_id, self._extent)

    def pushed_count(self, group_id: str) -> int:
        """See `ports.Stage.pushed_count`."""
        return self._members.pushed_count(group_id)

    def close(self) -> None:
        """Removes what was staged. May be called twice."""
        self._spool.close()
        self._file.close()
