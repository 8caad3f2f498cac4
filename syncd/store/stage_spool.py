"""The spool of planned changes, and the target's listing to match against: both too long for memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from syncd.core.change import RANK, Change, ChangeKind
from syncd.core.names import look_alike_key
from syncd.core.plan import Hold
from syncd.model import RemoteUser
from syncd.store.rows import Row, change_of, change_text, remote_user, remote_user_document, searchable
from syncd.store.stage_file import StageFile
from syncd.store.stage_judged import JudgedChanges

_BUFFER = 500


class ChangeSpool:
    """Planned changes on disk, in order of application."""

    def __init__(self, file: StageFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._buffer: list[Row] = []

    def add(self, change: Change) -> None:
        rank, in_group, name, change_id = change.order
        row = (
            change_id,
            rank,
            searchable(in_group),
            searchable(name),
            change.kind.value,
            change.okta_id,
            change.group_id,
            change_text(change),
        )
        with self._lock:
            self._buffer.append(row)
            full = len(self._buffer) >= _BUFFER
        if full:
            self.flush()

    def flush(self) -> None:
        """Whoever asks the table itself calls this first."""
        with self._lock:
            rows, self._buffer = self._buffer, []
        if rows:
            with self._file.short() as conn:
                conn.executemany(
                    "INSERT OR REPLACE INTO main.spool (id, rank, in_group, name, kind, okta_id, group_id, document)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    rows,
                )

    def hold(self, change_ids: Iterable[str], hold_id: str) -> None:
        self.flush()
        given = [(hold_id, change_id) for change_id in change_ids]
        with self._file.short() as conn:
            conn.executemany("UPDATE main.spool SET hold_id = ? WHERE id = ?", given)

    def changes(self, hold_id: str | None, kinds: Iterable[ChangeKind] | None) -> Iterator[Change]:
        self.flush()
        ranks = json.dumps(sorted(RANK[kind] for kind in (ChangeKind if kinds is None else kinds)))
        held = "hold_id IS NULL AND ? IS NULL" if hold_id is None else "hold_id = ?"
        pages = self._file.pages(
            f"SELECT id FROM main.spool WHERE {held} AND rank IN (SELECT value FROM json_each(?))"  # noqa: S608
            " ORDER BY rank, in_group, name, id",
            (hold_id, ranks),
            "SELECT q.n, s.document FROM {queue} q JOIN main.spool s ON s.id = q.a",
        )
        for page in pages:
            yield from (change_of(document) for _, document in page)

    def has(self, change_id: str) -> bool:
        self.flush()
        with self._file.short() as conn:
            return conn.execute("SELECT 1 FROM main.spool WHERE id = ?", (change_id,)).fetchone() is not None

    def counts(self, hold_id: str | None) -> Mapping[ChangeKind, int]:
        self.flush()
        with self._file.short() as conn:
            rows = conn.execute(
                "SELECT kind, count(*) FROM main.spool WHERE hold_id IS ? GROUP BY rank", (hold_id,)
            ).fetchall()
        return {ChangeKind(kind): count for kind, count in rows}


class RemoteUsers:
    """The complete listing of the target's users."""

    def __init__(self, file: StageFile) -> None:
        self._file = file

    def put(self, users: Sequence[RemoteUser]) -> None:
        rows = [
            (
                user.scim_id,
                None if user.external_id is None else searchable(user.external_id),
                searchable(look_alike_key(user.user_name)),
                remote_user_document(user),
            )
            for user in users
        ]
        with self._file.short() as conn:
            conn.executemany(
                "INSERT OR REPLACE INTO main.remote_users (scim_id, external_id, folded_name, document)"
                " VALUES (?, ?, ?, ?)",
                rows,
            )

    def candidates(self, okta_id: str, user_name: str) -> Sequence[RemoteUser]:
        with self._file.short() as conn:
            rows = conn.execute(
                "SELECT scim_id, document FROM main.remote_users WHERE external_id = ?"
                " UNION SELECT scim_id, document FROM main.remote_users WHERE folded_name = ? ORDER BY 1",
                (okta_id, searchable(look_alike_key(user_name))),
            ).fetchall()
        return [remote_user(scim_id, document) for scim_id, document in rows]

    def one(self, scim_id: str) -> RemoteUser | None:
        with self._file.short() as conn:
            row = conn.execute(
                "SELECT document FROM main.remote_users WHERE scim_id = ?", (scim_id,)
            ).fetchone()
        return None if row is None else remote_user(scim_id, row[0])

    def everyone(self) -> Iterator[RemoteUser]:
        pages = self._file.pages(
            "SELECT scim_id FROM main.remote_users ORDER BY 1",
            (),
            "SELECT q.n, q.a, r.document FROM {queue} q JOIN main.remote_users r ON r.scim_id = q.a",
        )
        for page in pages:
            yield from (remote_user(scim_id, document) for _, scim_id, document in page)


class PlannedAndListed:
    """The stage's planned changes and the target's listing, as `ports.Stage` names them."""

    def __init__(self, file: StageFile) -> None:
        self._spool = ChangeSpool(file)
        self._judged = JudgedChanges(file, self._spool.flush)
        self._remote = RemoteUsers(file)

    def put_remote_users(self, users: Sequence[RemoteUser]) -> None:
        self._remote.put(users)

    def remote_user(self, scim_id: str) -> RemoteUser | None:
        return self._remote.one(scim_id)

    def remote_users(self) -> Iterator[RemoteUser]:
        return self._remote.everyone()

    def remote_candidates(self, *, okta_id: str, user_name: str) -> Sequence[RemoteUser]:
        return self._remote.candidates(okta_id, user_name)

    def add_change(self, change: Change) -> None:
        self._spool.add(change)

    def hold_changes(self, change_ids: Iterable[str], hold_id: str) -> None:
        self._spool.hold(change_ids, hold_id)

    def changes(
        self, *, hold_id: str | None = None, kinds: Iterable[ChangeKind] | None = None
    ) -> Iterator[Change]:
        return self._spool.changes(hold_id, kinds)

    def has_change(self, change_id: str) -> bool:
        return self._spool.has(change_id)

    def change_counts(self, *, hold_id: str | None = None) -> Mapping[ChangeKind, int]:
        return self._spool.counts(hold_id)

    def change_keys(self, kind: ChangeKind, *, group_id: str | None = None) -> Sequence[tuple[str, str]]:
        return self._judged.keys(kind, group_id)

    def changes_by_group(self, kind: ChangeKind) -> Mapping[str, int]:
        return self._judged.by_group(kind)

    def decided_changes(self, decision: str, now: datetime) -> AbstractSet[str]:
        return self._judged.decided(decision, now)

    def waiting_changes(self, now: datetime) -> Sequence[tuple[Hold, Sequence[str]]]:
        return self._judged.waiting(now)

    def waiting_elsewhere(
        self,
        kinds: Iterable[ChangeKind],
        now: datetime,
        *,
        besides: AbstractSet[tuple[str, str]],
    ) -> Mapping[tuple[ChangeKind, str | None], int]:
        return self._judged.waiting_elsewhere(kinds, now, besides)
