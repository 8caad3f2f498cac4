"""The spool of planned changes, which are too many for memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from syncd.core.change import KINDS, PHASE, RANK, Change, ChangeKind, change_text
from syncd.core.diff import Skipped
from syncd.core.match_rules import MatchRule, Sought
from syncd.model import RemoteUser
from syncd.ports.judged import OpenHold, WaitingElsewhere
from syncd.ports.stage import Contested, Leaving, Taking
from syncd.store.rows import Row, change_of, pushed_name, searchable
from syncd.store.stage.judged import JudgedChanges, bits_of
from syncd.store.stage.left import SkippedSpool
from syncd.store.stage.remote import RemoteUsers
from syncd.store.stage.session import StageSession
from syncd.store.stage.tables import HELD, LEAVES, OWNER, SPOOL_KEY, STEPS
from syncd.store.stage.writer import WriteBehind

_COLUMNS = (
    "id",
    "rank",
    "in_group",
    "name",
    "kind",
    "okta_id",
    "group_id",
    "document",
    "phase",
    "counts",
    "owner",
    "takes",
    "takes_folded",
    "leaves_folded",
)
_ADD = f"INSERT OR REPLACE INTO main.spool ({', '.join(_COLUMNS)})"
_IN_ORDER = "turn, phase, step, rank, in_group, name, id"

# Who wants a userName that somebody else has: by what was pushed, or as an adoption leaves it. With what that
# somebody does in this plan, if anything. Each after the question whether there is any such somebody.
_ANY_HOLDER = "SELECT EXISTS (SELECT 1 FROM store.users WHERE pushed_folded_name IS NOT NULL)"
_CONTESTED = """
SELECT t.id, t.owner, t.kind, t.takes, h.okta_id, h.pushed_attributes, NULL, x.id, x.kind, x.takes
FROM main.spool t JOIN store.users h ON h.pushed_folded_name = t.takes_folded AND h.okta_id <> t.owner
LEFT JOIN main.spool x ON x.owner = h.okta_id AND x.hold_id IS NULL
WHERE t.takes IS NOT NULL AND t.hold_id IS NULL
"""
_ANY_ADOPTED = f"""
SELECT EXISTS (SELECT 1 FROM main.spool
    WHERE hold_id IS NULL AND rank = {RANK[ChangeKind.ADOPT_USER]} AND leaves_folded IS NOT NULL)
"""  # noqa: S608  (constants)
_CONTESTED_BY_ADOPTED = """
SELECT t.id, t.owner, t.kind, t.takes, x.owner, NULL, x.document, x.id, x.kind, x.takes
FROM main.spool x INDEXED BY spool_leaves
JOIN main.spool t ON t.takes_folded = x.leaves_folded AND t.owner <> x.owner
WHERE x.kind = 'adopt_user' AND x.leaves_folded IS NOT NULL AND x.hold_id IS NULL
    AND t.takes IS NOT NULL AND t.hold_id IS NULL
"""
_LATE_MEMBERS = """
UPDATE main.spool SET turn = ?1 WHERE phase IN (?2, ?3) AND turn < ?1
    AND (okta_id = ?4 OR group_id = ?4)
"""
_HOLD_MEMBERS = """
UPDATE main.spool SET hold_id = ?1 WHERE phase IN (?2, ?3) AND hold_id IS NULL
    AND (okta_id = ?4 OR group_id = ?4)
"""
_MEMBER_PHASES = (PHASE[ChangeKind.ADD_MEMBER], PHASE[ChangeKind.REMOVE_MEMBER])


class ChangeSpool:
    """Planned changes on disk, in order of application."""

    def __init__(self, file: StageSession) -> None:
        self._file = file
        self._rows = WriteBehind(file, _ADD)
        self._indexed: frozenset[str] = frozenset()

    def add(self, change: Change) -> None:
        """Keeps one change under its id and in its place in the order of writing."""
        rank, in_group, name, change_id = change.order
        row = (
            change_id,
            rank,
            searchable(in_group),
            searchable(name),
            str(change.kind),
            change.okta_id,
            change.group_id,
            change_text(change),
            PHASE[change.kind],
            bits_of(change.kind, change.before, change.after),
            *_naming(change),
        )
        self._rows.add(row)

    def flush(self, *indexes: str) -> None:
        """Whoever asks the table itself calls this first, and names those indexes that the answer wants."""
        self._rows.drain()
        missing = {SPOOL_KEY, *indexes} - self._indexed
        if missing:
            self._file.index_spool(sorted(missing))
            self._indexed |= missing

    def close(self) -> None:
        """See `ports.Stage.close`."""
        self._rows.close()

    def hold(self, change_ids: Iterable[str], hold_id: str) -> None:
        """These are held by that hold: they count with it and are not written."""
        self.flush()
        given = [(hold_id, change_id) for change_id in change_ids]
        with self._file.short() as conn:
            conn.executemany("UPDATE main.spool SET hold_id = ? WHERE id = ?", given)

    def hold_memberships(self, okta_id: str, hold_id: str) -> None:
        """See `ports.Stage.hold_memberships`."""
        self.flush()
        with self._file.short() as conn:
            conn.execute(_HOLD_MEMBERS, (hold_id, *_MEMBER_PHASES, okta_id))

    def texts(self, hold_id: str | None, kinds: Iterable[ChangeKind] | None) -> Iterator[str]:
        """The changes as canonical JSON."""
        if hold_id is None:
            return self._texts("hold_id IS NULL", (), kinds)
        return self._texts("hold_id = ?", (hold_id,), kinds, HELD)

    def changes_at(self, turn: int, step: int, kinds: Iterable[ChangeKind]) -> Iterator[Change]:
        """See `ports.Stage.changes_at`."""
        few = "step > 0 AND " if step else ""  # what the index over the few holds
        where = f"{few}hold_id IS NULL AND turn = ? AND step = ?"
        return map(change_of, self._texts(where, (turn, step), kinds, *([STEPS] if step else [])))

    def detours(self, kinds: Iterable[ChangeKind]) -> Iterator[Change]:
        """See `ports.Stage.detours`."""
        return map(change_of, self._texts("hold_id IS NULL AND via = 1", (), kinds))

    def _texts(
        self, where: str, given: Sequence[object], kinds: Iterable[ChangeKind] | None, *indexes: str
    ) -> Iterator[str]:
        if kinds is not None:
            where += " AND rank IN (SELECT CAST(value AS INTEGER) FROM json_each(?))"
            given = (*given, json.dumps(sorted(RANK[kind] for kind in kinds)))
        self.flush(*indexes, *([] if kinds is None else [HELD]))
        pages = self._file.pages(
            f"SELECT rowid FROM main.spool WHERE {where} ORDER BY {_IN_ORDER}",  # noqa: S608
            given,
            "SELECT q.n, s.document FROM {queue} q JOIN main.spool s ON s.rowid = q.a",
        )
        for page in pages:
            yield from (document for _, document in page)

    def has(self, change_id: str) -> bool:
        """Whether a change has this id, held or not."""
        self.flush()
        with self._file.asking() as conn:
            return conn.execute("SELECT 1 FROM main.spool WHERE id = ?", (change_id,)).fetchone() is not None

    def applies(self, change_id: str) -> bool:
        """See `ports.Stage.applies`."""
        self.flush()
        with self._file.short() as conn:
            query = "SELECT 1 FROM main.spool WHERE id = ? AND hold_id IS NULL"
            return conn.execute(query, (change_id,)).fetchone() is not None

    def counts(self, hold_id: str | None) -> Mapping[ChangeKind, int]:
        """How many changes of each kind; `hold_id` None: those that are not held."""
        self.flush(HELD)
        with self._file.asking() as conn:
            rows = conn.execute(
                "SELECT rank, count(*) FROM main.spool WHERE hold_id IS ? GROUP BY rank", (hold_id,)
            ).fetchall()
        return {KINDS[rank]: count for rank, count in rows}

    # names

    def of(self, okta_id: str) -> Change | None:
        """A change of this user's own, whatever its kind; None without one."""
        self.flush(OWNER)
        with self._file.short() as conn:
            row = conn.execute(
                "SELECT document FROM main.spool INDEXED BY spool_owner WHERE owner = ?", (okta_id,)
            ).fetchone()
        return None if row is None else change_of(row[0])

    def one(self, change_id: str) -> Change:
        """The change with this id, which must be there."""
        self.flush()
        with self._file.short() as conn:
            (document,) = conn.execute(
                "SELECT document FROM main.spool WHERE id = ?", (change_id,)
            ).fetchone()
        return change_of(document)

    def contested(self) -> Iterator[Contested]:
        """See `ports.Stage.contested`."""
        yield from self._contested(_ANY_HOLDER, _CONTESTED, OWNER)
        yield from self._contested(_ANY_ADOPTED, _CONTESTED_BY_ADOPTED, LEAVES)

    def _contested(self, whether: str, query: str, index: str) -> Iterator[Contested]:
        self.flush(HELD)
        with self._file.asking() as conn:
            (any_,) = conn.execute(whether).fetchone()
        if any_:
            self.flush(index)
            # Let go before anybody plans more: that is written by another thread.
            with self._file.short() as conn:
                rows = conn.execute(query).fetchall()
            yield from map(_contested, rows)

    def takers(self, user_name: str) -> Sequence[Taking]:
        """Who takes this userName, letter case aside, of the changes that are not held."""
        self.flush(HELD)
        query = "SELECT id, owner, kind, takes FROM main.spool WHERE takes_folded = ? AND hold_id IS NULL"
        with self._file.short() as conn:
            rows = conn.execute(query, (pushed_name({"userName": user_name}),)).fetchall()
        return [Taking(change_id, owner, ChangeKind(kind), takes) for change_id, owner, kind, takes in rows]

    def place(self, places: Mapping[str, tuple[int, int]], vias: Iterable[Change]) -> None:
        self.flush()
        with self._file.short() as conn:
            conn.executemany(
                "UPDATE main.spool SET turn = ?, step = ? WHERE id = ?",
                ((turn, step, change_id) for change_id, (turn, step) in places.items()),
            )
            conn.executemany(
                "UPDATE main.spool SET via = 1, document = ? WHERE id = ?",
                ((change_text(change), change.id) for change in vias),
            )
            for change_id, (turn, _) in places.items():
                if turn:
                    (owner,) = conn.execute(
                        "SELECT okta_id FROM main.spool WHERE id = ?", (change_id,)
                    ).fetchone()
                    conn.execute(_LATE_MEMBERS, (turn, *_MEMBER_PHASES, owner))


_NAMES_NOTHING: Row = (None, None, None, None)


def _naming(change: Change) -> Row:
    """owner, takes, takes_folded, leaves_folded."""
    if PHASE[change.kind] != 0 and change.kind is not ChangeKind.DEACTIVATE_USER:
        return _NAMES_NOTHING
    takes, leaves = change.after.get("userName"), change.before.get("userName")
    if change.kind is not ChangeKind.DEACTIVATE_USER and not isinstance(takes, str):
        return None, None, None, None
    return (
        change.okta_id,
        searchable(takes) if isinstance(takes, str) else None,
        pushed_name(change.after) if isinstance(takes, str) else None,
        pushed_name(change.before) if isinstance(leaves, str) else None,
    )


def _contested(row: Row) -> Contested:
    change_id, owner, kind, takes, holder, pushed, document, *leaving = row
    name = json.loads(pushed).get("userName", "") if pushed else change_of(document).before["userName"]
    after = None if leaving[0] is None else Leaving(leaving[0], ChangeKind(leaving[1]), leaving[2])
    return Contested(change_id, owner, ChangeKind(kind), takes, holder, searchable(str(name)), after)


class PlannedAndListed:
    """The stage's planned changes and the target's listing, as `ports.Stage` names them."""

    def __init__(self, file: StageSession) -> None:
        self._spool = ChangeSpool(file)
        self._judged = JudgedChanges(file, self._spool.flush)
        self._skipped = SkippedSpool(file)
        self._remote = RemoteUsers(file)

    def put_remote_users(self, users: Sequence[RemoteUser], by: Sequence[MatchRule] = ()) -> None:
        """See `ports.Stage.put_remote_users`."""
        self._remote.put(users, by)

    def remote_user(self, scim_id: str) -> RemoteUser | None:
        """See `ports.Stage.remote_user`."""
        return self._remote.one(scim_id)

    def remote_users(self) -> Iterator[RemoteUser]:
        """See `ports.Stage.remote_users`."""
        return self._remote.everyone()

    def remote_candidates(self, *, okta_id: str, user_name: str, also: Sought = ()) -> Sequence[RemoteUser]:
        """See `ports.Stage.remote_candidates`."""
        return self._remote.candidates(okta_id, user_name, also)

    def remote_with_mail(self, mail: str) -> Sequence[RemoteUser]:
        """See `ports.Stage.remote_with_mail`."""
        return self._remote.with_mail(mail)

    def add_skipped(self, skips: Iterable[Skipped]) -> None:
        """See `ports.Stage.add_skipped`."""
        self._skipped.add(skips)

    def skipped(self) -> Iterator[Skipped]:
        """See `ports.Stage.skipped`."""
        return self._skipped.all()

    def is_left_alone(self, okta_id: str) -> bool:
        """See `ports.Stage.is_left_alone`."""
        return self._skipped.has(okta_id)

    def add_change(self, change: Change) -> None:
        """See `ports.Stage.add_change`."""
        self._spool.add(change)

    def hold_changes(self, change_ids: Iterable[str], hold_id: str) -> None:
        """See `ports.Stage.hold_changes`."""
        self._spool.hold(change_ids, hold_id)

    def changes(
        self, *, hold_id: str | None = None, kinds: Iterable[ChangeKind] | None = None
    ) -> Iterator[Change]:
        """See `ports.Stage.changes`."""
        return map(change_of, self._spool.texts(hold_id, kinds))

    def change_documents(self, *, hold_id: str | None = None) -> Iterator[Mapping[str, Any]]:
        """See `ports.Stage.change_documents`."""
        return map(json.loads, self._spool.texts(hold_id, None))

    def change_texts(self, *, hold_id: str | None = None) -> Iterator[str]:
        """See `ports.Stage.change_texts`."""
        return self._spool.texts(hold_id, None)

    def hold_memberships(self, okta_id: str, hold_id: str) -> None:
        """See `ports.Stage.hold_memberships`."""
        self._spool.hold_memberships(okta_id, hold_id)

    def changes_at(self, turn: int, step: int, kinds: Iterable[ChangeKind]) -> Iterator[Change]:
        """See `ports.Stage.changes_at`."""
        return self._spool.changes_at(turn, step, kinds)

    def detours(self, kinds: Iterable[ChangeKind]) -> Iterator[Change]:
        """See `ports.Stage.detours`."""
        return self._spool.detours(kinds)

    def naming_change(self, okta_id: str) -> Change | None:
        """See `ports.Stage.naming_change`."""
        return self._spool.of(okta_id)

    def change(self, change_id: str) -> Change:
        """See `ports.Stage.change`."""
        return self._spool.one(change_id)

    def contested(self) -> Iterator[Contested]:
        """See `ports.Stage.contested`."""
        return self._spool.contested()

    def takers_of(self, user_name: str) -> Sequence[Taking]:
        """See `ports.Stage.takers_of`."""
        return self._spool.takers(user_name)

    def place_changes(self, places: Mapping[str, tuple[int, int]], vias: Iterable[Change]) -> None:
        """See `ports.Stage.place_changes`."""
        self._spool.place(places, vias)

    def has_change(self, change_id: str) -> bool:
        """See `ports.Stage.has_change`."""
        return self._spool.has(change_id)

    def applies(self, change_id: str) -> bool:
        """See `ports.Stage.applies`."""
        return self._spool.applies(change_id)

    def change_counts(self, *, hold_id: str | None = None) -> Mapping[ChangeKind, int]:
        """See `ports.Stage.change_counts`."""
        return self._spool.counts(hold_id)

    def change_keys(self, kind: ChangeKind, *, group_id: str | None = None) -> Sought:
        """See `ports.JudgedPlan.change_keys`."""
        return self._judged.keys(kind, group_id)

    def changes_by_group(self, kind: ChangeKind, *, hold_id: str | None = None) -> Mapping[str, int]:
        return self._judged.by_group(kind, hold_id)

    def counted(self, limit: str, kinds: Collection[ChangeKind], *, hold_id: str | None = None) -> int:
        return self._judged.counted(limit, kinds, hold_id)

    def counted_keys(self, limit: str, kinds: Collection[ChangeKind]) -> Sought:
        return self._judged.counted_keys(limit, kinds)

    def decided_changes(self, decision: str, now: datetime, *, about: str | None = None) -> AbstractSet[str]:
        return self._judged.decided(decision, now, about)

    def waiting_changes(self, now: datetime) -> Sequence[OpenHold]:
        return self._judged.waiting(now)

    def waiting_elsewhere(
        self, now: datetime, *, besides: AbstractSet[tuple[str, str]], kinds: AbstractSet[ChangeKind]
    ) -> Sequence[WaitingElsewhere]:
        return self._judged.waiting_elsewhere(now, besides, kinds)
