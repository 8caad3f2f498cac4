"""What Okta says, as it comes into a stage: pages of lists, and answers by id, which no page overrules."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from syncd.model import Asked, WantedGroup, WantedUser
from syncd.ports.source import LISTS_LAG
from syncd.store.db import Db
from syncd.store.rows import USER_WISH_COLUMNS, asked_of, asked_text, group_wish, moment, wish_row
from syncd.store.stage.adopting import Adopting
from syncd.store.stage.session import StageSession
from syncd.store.stage.writer import insert_rows

_PUT_USERS = f"INSERT OR REPLACE INTO main.users (okta_id, {', '.join(USER_WISH_COLUMNS)})"


class StagedAnswers(Adopting):
    """The staging half of `ports.Stage`."""

    def __init__(self, file: StageSession, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        super().__init__(file)
        self._bodies = self._absent = self._answers = False
        self._asked_users: set[str] = set()
        self._nominated_at: int | None = None
        self.users_whole = self.groups_whole = False
        self.base = file.revision()
        """The store's revision when this stage began: everything read into it is as old as that."""
        with file.short() as conn:
            conn.execute("INSERT INTO main.began VALUES (?, ?)", (self.base, moment(clock() - LISTS_LAG)))

    def put_users(self, users: Sequence[WantedUser], *, by_id: bool = False) -> None:
        """See `ports.Stage.put_users`."""
        latest = {user.okta_id: user for user in users}
        with self._file.short() as conn:
            if by_id:
                self._answered(conn, list(latest))
            else:
                latest = {okta_id: latest[okta_id] for okta_id in self._unanswered(conn, list(latest))}
            ids = json.dumps(list(latest))
            known = dict(
                conn.execute(
                    "SELECT k.okta_id, k.digest FROM json_each(?) j"
                    " CROSS JOIN store.users k INDEXED BY users_wish ON k.okta_id = j.value",
                    (ids,),
                ).fetchall()
            )
            changed = [wish_row(user) for user in latest.values() if known.get(user.okta_id) != user.digest]
            conn.execute("INSERT OR IGNORE INTO main.seen SELECT value FROM json_each(?)", (ids,))
            if self._absent:
                conn.execute(
                    "DELETE FROM main.absent WHERE okta_id IN (SELECT value FROM json_each(?))", (ids,)
                )
            if self._bodies:
                conn.execute(
                    "DELETE FROM main.users WHERE okta_id IN (SELECT value FROM json_each(?))", (ids,)
                )
            if changed:
                self._bodies = True
                insert_rows(conn, _PUT_USERS, changed)
            self._nominated_at = None

    def users_read_whole(self) -> None:
        """See `ports.Stage.users_read_whole`."""
        self.users_whole, self._nominated_at = True, None

    def put_absent(self, okta_ids: Sequence[str]) -> None:
        """The last answer by id counts: a user staged before is no longer, and one staged afterwards is again."""
        ids = json.dumps(list(okta_ids))
        with self._file.short() as conn:
            self._answered(conn, okta_ids)
            self._absent, self._nominated_at = True, None
            for table in ("seen", "users", "groups"):
                conn.execute(
                    f"DELETE FROM main.{table} WHERE okta_id IN (SELECT value FROM json_each(?))",  # noqa: S608
                    (ids,),
                )
            conn.execute("INSERT OR IGNORE INTO main.absent SELECT value FROM json_each(?)", (ids,))

    def put_disbelieved(self, okta_id: str) -> None:
        """See `ports.Stage.put_disbelieved`."""
        with self._file.short() as conn:
            self._answered(conn, [okta_id])
            conn.execute("DELETE FROM main.users WHERE okta_id = ?", (okta_id,))
            conn.execute("INSERT OR IGNORE INTO main.seen VALUES (?)", (okta_id,))
            self._nominated_at = None

    def _answered(self, conn: Db, okta_ids: Sequence[str]) -> None:
        self._answers = True
        conn.execute(
            "INSERT OR REPLACE INTO main.by_id SELECT value, ? FROM json_each(?)",
            (moment(self._clock()), json.dumps(list(okta_ids))),
        )

    def _unanswered(self, conn: Db, okta_ids: Sequence[str]) -> list[str]:
        """Those for whom a list may speak: an answer by id, earlier or later, is the better one."""
        if not self._answers:
            return list(okta_ids)
        rows = conn.execute(
            "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT okta_id FROM main.by_id)",
            (json.dumps(list(okta_ids)),),
        )
        return [okta_id for (okta_id,) in rows.fetchall()]

    def revision(self) -> int:
        """See `ports.Stage.revision`."""
        return self._file.revision()

    def put_user_groups(self, user_id: str, group_ids: Iterable[str], *, asked: int | None = None) -> None:
        """See `ports.Stage.put_user_groups`."""
        base = self.base if asked is None else asked
        with self._file.short() as conn:
            at = moment(self._clock())
            conn.execute("INSERT OR REPLACE INTO main.user_lists VALUES (?, ?, ?)", (user_id, base, at))
            conn.execute("DELETE FROM main.user_groups WHERE user_id = ?", (user_id,))
            conn.execute(
                "INSERT OR IGNORE INTO main.user_groups (user_id, group_id) SELECT ?, value FROM json_each(?)",
                (user_id, json.dumps(list(group_ids))),
            )

    def put_groups(self, groups: Sequence[WantedGroup], *, by_id: bool = False) -> None:
        """See `ports.Stage.put_groups`."""
        with self._file.short() as conn:
            ids = [group.okta_id for group in groups]
            if by_id:
                self._answered(conn, ids)
            else:
                ids = self._unanswered(conn, ids)
            conn.executemany(
                "INSERT OR REPLACE INTO main.groups (okta_id, state, wish) VALUES (?, ?, ?)",
                [
                    (group.okta_id, group.state.value, group_wish(group))
                    for group in groups
                    if group.okta_id in set(ids)
                ],
            )

    def groups_read_whole(self) -> None:
        """See `ports.Stage.groups_read_whole`."""
        self.groups_whole = True

    def ask_group(self, group_id: str, asked: Asked) -> None:
        """See `ports.Stage.ask_group`."""
        with self._file.short() as conn:
            conn.execute(
                "INSERT OR REPLACE INTO main.asked VALUES (?, ?, ?)",
                (group_id, asked.what, asked_text(asked)),
            )

    def ask_user(self, okta_id: str) -> None:
        """See `ports.Stage.ask_user`."""
        self._asked_users.add(okta_id)
        with self._file.short() as conn:
            conn.execute("INSERT OR IGNORE INTO main.asked_users VALUES (?)", (okta_id,))

    def links_asked(self) -> Mapping[str, str]:
        """See `ports.Stage.links_asked`."""
        with self._file.short() as conn:
            rows = conn.execute(
                "SELECT k.okta_id, k.asked, k.pushed_name FROM store.groups k WHERE k.asked IS NOT NULL"
                " UNION ALL SELECT a.okta_id, a.asked, NULL FROM main.asked a"
            ).fetchall()
        asked = [(okta_id, asked_of(text), name) for okta_id, text, name in rows]
        return {
            okta_id: json.loads(name) if name else each.name
            for okta_id, each, name in asked
            if each is not None and each.what == "link"
        }

    def put_members(self, group_id: str, user_ids: Sequence[str]) -> None:
        """See `ports.Stage.put_members`: of a list that is never whole nobody asks."""
        with self._file.asking() as conn:
            conn.execute(
                "INSERT OR IGNORE INTO main.listed SELECT ?, value FROM json_each(?)",
                (group_id, json.dumps(list(user_ids))),
            )

    def members_read_whole(self, group_id: str, stamp: str | None) -> None:
        """See `ports.Stage.members_read_whole`."""
        with self._file.asking() as conn:
            conn.execute(
                "INSERT OR REPLACE INTO main.lists (group_id, complete, stamp) VALUES (?, 1, ?)",
                (group_id, stamp),
            )
