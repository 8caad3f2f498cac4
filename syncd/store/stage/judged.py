"""What the safety checks ask about the planned changes: ids and counts, against the store's holds and decisions.

Answered from indexes, without reading a single change: many holds cost no more than many changes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import cache

from syncd.core.change import GROUP_KINDS, RANK, ChangeKind, Json
from syncd.core.plan import Hold
from syncd.core.safety import JUDGED_BY_VALUES, LIMIT_NAMES, counts_for, limits_of_kind
from syncd.ports.judged import OpenHold, WaitingElsewhere
from syncd.store.decisions import Rulings
from syncd.store.rows import moment
from syncd.store.stage.session import StageSession
from syncd.store.stage.tables import HELD, OF_GROUP

_OURS = "SELECT id FROM main.spool WHERE id IN (SELECT value FROM json_each(?))"
_WAITING = """
SELECT h.id, h.check_name, h.reason, h.way_out, h.numbers, s.id,
    EXISTS (SELECT 1 FROM store.hold_changes d WHERE d.hold_id = h.id AND d.state <> 'held')
FROM main.spool s CROSS JOIN store.hold_changes c ON c.change_id = s.id AND c.state = 'held'
CROSS JOIN store.holds h ON h.id = c.hold_id AND h.state = 'open' AND h.expires_at > ?
WHERE s.hold_id IS NULL
ORDER BY h.raised_at, h.id
"""
# What is planned and not held is judged in this plan; what was looked at and is not planned is over. A change waits in
# one hold alone.
_WAITING_ELSEWHERE = """
SELECT h.check_name, c.kind, CASE WHEN c.kind IN (SELECT value FROM json_each(:by_values)) THEN c.document END,
    c.group_id, count(*)
FROM store.holds h CROSS JOIN store.hold_changes c ON c.hold_id = h.id AND c.state = 'held'
LEFT JOIN main.spool s ON s.id = c.change_id
WHERE h.state = 'open' AND h.expires_at > :now AND c.kind IN (SELECT value FROM json_each(:kinds))
    AND CASE
        WHEN s.id IS NOT NULL THEN s.hold_id IS NOT NULL
        WHEN c.kind IN (SELECT value FROM json_each(:of_groups))
            THEN c.okta_id NOT IN (SELECT value FROM json_each(:groups))
        ELSE c.okta_id NOT IN (SELECT value FROM json_each(:users))
    END
GROUP BY 1, 2, 3, 4
"""
_BITS = {name: 1 << place for place, name in enumerate(LIMIT_NAMES)}


def bits_of(kind: ChangeKind, before: Mapping[str, Json], after: Mapping[str, Json]) -> int:
    """For which limits a change counts, as the spool keeps it."""
    return _bits(counts_for(kind, before, after))


@cache
def _bits(limits: tuple[str, ...]) -> int:
    return sum(_BITS[name] for name in limits)


def _limits_of(kind: str, document: str | None) -> frozenset[str]:
    """Names of the limits that a change counts for, given as its document where its values tell (`JUDGED_BY_VALUES`);
    all of its kind when that is unreadable.
    """
    if document is None:
        return frozenset(limits_of_kind(ChangeKind(kind))) if kind in RANK else frozenset()
    try:
        said = json.loads(document)
        return frozenset(counts_for(ChangeKind(kind), said["before"], said["after"]))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return frozenset(limits_of_kind(ChangeKind(kind))) if kind in RANK else frozenset()


_COUNTED = """
FROM main.spool WHERE hold_id IS ? AND rank IN (SELECT CAST(value AS INTEGER) FROM json_each(?))
    AND (counts & ?) <> 0
"""


def _asked(
    limit: str, kinds: Collection[ChangeKind], hold_id: str | None = None
) -> tuple[str | None, str, int]:
    return hold_id, json.dumps([RANK[kind] for kind in kinds]), _BITS[limit]


class JudgedChanges:
    """`flush` brings what was planned lately into the table, and makes the indexes that it is given."""

    def __init__(self, file: StageSession, flush: Callable[..., None]) -> None:
        self._file = file
        self._flush = flush
        self._rulings = Rulings()

    def keys(self, kind: ChangeKind, group_id: str | None) -> list[tuple[str, str]]:
        """(change id, Okta id) of what is not held; all of this kind, or only this group's."""
        narrow = "AND CAST(? AS TEXT) IS NULL" if group_id is None else "AND group_id = ?"
        self._flush(HELD if group_id is None else OF_GROUP)
        with self._file.short() as conn:
            return conn.execute(
                f"SELECT id, okta_id FROM main.spool WHERE hold_id IS NULL AND rank = ? {narrow}",  # noqa: S608
                (RANK[kind], group_id),
            ).fetchall()

    def by_group(self, kind: ChangeKind, hold_id: str | None) -> dict[str, int]:
        """How many changes of this kind each group has, by its Okta id; `hold_id` None: those that are not held."""
        self._flush(HELD, OF_GROUP)
        with self._file.short() as conn:
            rows = conn.execute(
                "SELECT group_id, count(*) FROM main.spool"
                " WHERE hold_id IS ? AND rank = ? AND group_id IS NOT NULL GROUP BY group_id",
                (hold_id, RANK[kind]),
            ).fetchall()
        return dict(rows)

    def counted(self, limit: str, kinds: Collection[ChangeKind], hold_id: str | None) -> int:
        """How many of what is not held, or held so, of these kinds, count for the limit."""
        self._flush(HELD)
        with self._file.asking() as conn:
            (count,) = conn.execute(f"SELECT count(*) {_COUNTED}", _asked(limit, kinds, hold_id)).fetchone()
        return int(count)

    def counted_keys(self, limit: str, kinds: Collection[ChangeKind]) -> list[tuple[str, str]]:
        """(change id, Okta id) of these."""
        self._flush(HELD)
        with self._file.short() as conn:
            return conn.execute(f"SELECT id, okta_id {_COUNTED}", _asked(limit, kinds)).fetchall()

    def decided(self, decision: str, now: datetime, about: str | None) -> frozenset[str]:
        """See `ports.Store.decided`."""
        self._flush()
        with self._file.short() as conn:
            made = [
                each
                for each in self._rulings.among(conn, now)
                if each.decision == decision and about in (None, each.check)
            ]
            ids = json.dumps([each.change_id for each in made])
            rows = conn.execute(_OURS, (ids,)).fetchall() if made else []
        return frozenset(change_id for (change_id,) in rows)

    def waiting(self, now: datetime) -> list[OpenHold]:
        """See `ports.JudgedPlan.waiting_changes`."""
        self._flush()
        with self._file.short() as conn:
            rows = conn.execute(_WAITING, (moment(now),)).fetchall()
        ids: dict[str, list[str]] = {}
        found: list[OpenHold] = []
        for hold_id, check, reason, way_out, numbers, change_id, begun in rows:
            if hold_id not in ids:
                hold = Hold(hold_id, check, reason, way_out, json.loads(numbers), 0)
                found.append(OpenHold(hold, ids.setdefault(hold_id, []), bool(begun)))
            ids[hold_id].append(change_id)
        return found

    def waiting_elsewhere(
        self, now: datetime, besides: AbstractSet[tuple[str, str]], kinds: AbstractSet[ChangeKind]
    ) -> list[WaitingElsewhere]:
        """See `ports.JudgedPlan.waiting_elsewhere`."""
        self._flush()
        seen: dict[str, Sequence[str]] = {
            kind: [okta_id for each, okta_id in besides if each == kind] for kind in ("user", "group")
        }
        given = {
            "now": moment(now),
            "kinds": json.dumps(sorted(kinds)),
            "by_values": json.dumps(sorted(JUDGED_BY_VALUES)),
            "of_groups": json.dumps(sorted(GROUP_KINDS)),
            "users": json.dumps(seen["user"]),
            "groups": json.dumps(seen["group"]),
        }
        with self._file.short() as conn:
            found: Counter[tuple[str, frozenset[str], str | None]] = Counter()
            for check, kind, document, group_id, count in conn.stream(_WAITING_ELSEWHERE, given):
                found[check, _limits_of(kind, document), group_id] += count
        return [WaitingElsewhere(*key, count) for key, count in found.items()]
