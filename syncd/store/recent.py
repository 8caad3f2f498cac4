"""What was applied lately and counts for the limits, as the audit trail says. Reads each row of it once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.core.change import ChangeKind, Json
from syncd.core.safety import LIMITED_KINDS, RULES, counts_for, limits_of_kind
from syncd.ports.store import RecentlyApplied
from syncd.store.db import Db
from syncd.store.rows import moment

UNCOUNTED = "uncounted"
"""In an outcome: no limit counts it, because a person approved it, or because of what it is."""
_KEPT_BEFORE = timedelta(days=1)
"""Rows so much older than what is asked for are kept for who asks for more."""
_KINDS = ", ".join(f"'{kind}'" for kind in sorted(LIMITED_KINDS))
# Answered from the index `journal_counted`, whose condition this is.
_COUNTED = f"""
SELECT o.sequence, o.at, o.kind, o.okta_id, o.group_id, i.body
FROM journal o {{by}} LEFT JOIN journal i ON i.sequence = o.refers
WHERE o.applied = 1 AND NOT instr(o.body, '"{UNCOUNTED}":') AND o.at >= ? AND o.sequence > ? AND o.kind IN ({_KINDS})
"""  # noqa: S608  (constants)
_SINCE = _COUNTED.format(by="INDEXED BY journal_counted")
_BEHIND = _COUNTED.format(by="NOT INDEXED")


@dataclass(frozen=True, slots=True)
class _Applied:
    at: str
    limits: tuple[str, ...]
    okta_id: str
    group_id: str | None
    allowed: frozenset[str]
    """Limits that were raised for its run."""


class Recently:
    """The rows of one connection's trail that count, from the beginning of the widest window that was asked for."""

    def __init__(self) -> None:
        self._rows: list[_Applied] = []
        self._since: str | None = None
        self._read = 0

    def applied(self, conn: Db, since: datetime, under: AbstractSet[str]) -> RecentlyApplied:
        """As `ports.Store.applied_since` counts."""
        stamp, kept = moment(since), moment(since - _KEPT_BEFORE)
        if self._since is None or stamp < self._since:
            self._rows, self._since, self._read = [], stamp, 0
        query = _BEHIND if self._read else _SINCE
        for sequence, at, kind, okta_id, group_id, body in conn.execute(
            query, (self._since, self._read)
        ).fetchall():
            self._read = max(self._read, sequence)
            if (row := _applied(at, ChangeKind(kind), okta_id, group_id, body)) is not None:
                self._rows.append(row)
        if self._since < kept:
            self._rows, self._since = [row for row in self._rows if row.at >= kept], kept
        totals: Counter[str] = Counter()
        by_group: dict[str, Counter[str]] = {}
        people: dict[str, set[str]] = {}
        for row in (each for each in self._rows if each.at >= stamp):
            for name in row.limits:
                if name in row.allowed and name not in under:
                    continue
                totals[name] += 1
                if row.group_id is not None:
                    by_group.setdefault(name, Counter())[row.group_id] += 1
                else:
                    people.setdefault(name, set()).add(row.okta_id)
        groups = {name: dict(found) for name, found in by_group.items()}
        return RecentlyApplied(dict(totals), groups, people)


def _applied(
    at: str, kind: ChangeKind, okta_id: str, group_id: str | None, body: str | None
) -> _Applied | None:
    """None for what a person approved. What is unreadable counts for all that its kind may count for."""
    try:
        said = json.loads(body or "")
        if "approved" in said:
            return None
        spared = frozenset(said.get("spared", ()))  # a person expected it under another limit
        limits = tuple(name for name in counts_for(kind, said["before"], said["after"]) if name not in spared)
        return _Applied(at, limits, okta_id, group_id, frozenset(said.get("allowed", ())))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return _Applied(at, limits_of_kind(kind), okta_id, group_id, frozenset())


def counts(kind: ChangeKind, before: Mapping[str, Json], after: Mapping[str, Json]) -> bool:
    """Whether any limit counts such a change."""
    return bool(counts_for(kind, before, after))


def raised_for(kind: ChangeKind, allow: AbstractSet[str]) -> list[str]:
    """Of these limits those that changes of this kind may count for."""
    return sorted(name for name in allow if kind in RULES[name].kinds)
