"""The questions of an audit report in SQL: counted there, and streamed where the answer is long.

Text from outside is never taken out of JSON by SQLite: it may hold lone surrogates, which are no UTF-8. Whole bodies
come back instead and are decoded here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from syncd.core.change import GROUP_KINDS, MEMBERSHIPS, ChangeKind
from syncd.model import Standing
from syncd.ports.history import DayCount, Done, Grant, Latencies, Outage, Reach, Trouble
from syncd.ports.store import RunRecord
from syncd.store.db import Db, Rows
from syncd.store.entries import entry_of
from syncd.store.packs import COLUMNS as JOURNAL_COLUMNS
from syncd.store.packs import OUTCOMES, RowsAt, contents_at, outcomes_at, rows_at
from syncd.store.rows import Row, at_moment, columns, moment

_RUN = "SELECT run_id, kind, started, finished, status, summary, error FROM runs"
# A part of the summary that counts something, in canonical JSON.
_TELLS = """(status IS NULL OR status <> 'succeeded' OR instr(summary, ':{"'))"""
_RESULT = """CASE WHEN applied = 1 THEN 'applied'
    WHEN json_valid(body) AND json_extract(body, '$.deferred') IS NOT NULL THEN 'deferred' ELSE 'failed' END"""


def _quoted(kinds: Sequence[str]) -> str:
    return ", ".join(f"'{kind}'" for kind in sorted(kinds))


_FAMILY = (
    f"CASE WHEN kind IN ({_quoted(list(MEMBERSHIPS))}) THEN 'member'"
    f" WHEN kind IN ({_quoted(list(GROUP_KINDS))}) THEN 'group' ELSE 'user' END"
)


def _within(reach: Reach, at: str, run: str = "run_id") -> tuple[str, list[str]]:
    """Conditions with their values; always at least one condition."""
    wheres, values = ["1 = 1"], []
    if reach.since is not None:
        wheres.append(f"{at} >= ?")
        values.append(moment(reach.since))
    if reach.run_id is not None:
        wheres.append(f"{run} = ?")
        values.append(reach.run_id)
    return " AND ".join(wheres), values


def run_record(row: Row) -> RunRecord:
    """A row of `runs`, in the columns' order; `finished` is None for a run that is under way or died."""
    run_id, kind, started, finished, status, summary, error = row
    return RunRecord(
        run_id=run_id,
        kind=kind,
        started=at_moment(started),
        finished=None if finished is None else at_moment(finished),
        status=status,
        summary=json.loads(summary),
        error=None if error is None else json.loads(error),
    )


def run(conn: Db, run_id: str) -> RunRecord | None:
    """None where no run has this id."""
    row = conn.execute(f"{_RUN} WHERE run_id = ?", (run_id,)).fetchone()
    return None if row is None else run_record(row)


def run_counts(conn: Db, reach: Reach) -> dict[str, int]:
    """How many runs began within reach, by status; those without an end count as "unfinished"."""
    where, values = _within(reach, "started")
    rows = conn.execute(
        f"SELECT coalesce(status, 'unfinished'), count(*) FROM runs WHERE {where} GROUP BY 1 ORDER BY 1",  # noqa: S608
        values,
    )
    return dict(rows.fetchall())


def told_runs(conn: Db, reach: Reach, limit: int) -> list[RunRecord]:
    """Without quiet ones, unless one run is asked for; the youngest first, up to `limit`."""
    where, values = _within(reach, "started")
    tells = "1 = 1" if reach.run_id is not None else _TELLS
    rows = conn.execute(
        f"{_RUN} WHERE {where} AND {tells} ORDER BY started DESC, rowid DESC LIMIT ?", (*values, limit)
    )
    return [run_record(row) for row in rows.fetchall()]


# Runs in a row that have as many runs before them which did not fail belong to one outage.
_OUTAGES = """
WITH numbered AS (
    SELECT started, finished, status, error, rowid AS place,
        count(*) FILTER (WHERE status <> 'failed') OVER (ORDER BY started, rowid) AS island
    FROM runs WHERE status <> 'interrupted'),
islands AS (
    SELECT min(started) AS first, max(started) AS youngest, max(coalesce(finished, started)) AS last,
        count(*) AS runs, max(place) AS place
    FROM numbered WHERE status = 'failed' GROUP BY island)
SELECT first, last,
    (SELECT min(r.started) FROM runs r WHERE r.status NOT IN ('failed', 'interrupted') AND r.started > youngest),
    runs, (SELECT r.error FROM runs r WHERE r.rowid = place)
FROM islands ORDER BY first
"""


def outages(conn: Db, since: datetime | None) -> list[Outage]:
    """Oldest first."""
    found = [
        Outage(
            first=at_moment(first),
            last=at_moment(last),
            ended=None if ended is None else at_moment(ended),
            runs=runs,
            error=None if error is None else json.loads(error),
        )
        for first, last, ended, runs, error in conn.execute(_OUTAGES).fetchall()
    ]
    return [one for one in found if since is None or one.ended is None or one.ended >= since]


# A relink gives nobody access: who had it has it under another id, since when and why they had it.
_RELINKS = "(SELECT run_id FROM runs WHERE kind = 'relink')"
_NOT_FOUND_AFRESH = f"coalesce(run_id, '') NOT IN {_RELINKS}"
_KIND = f"CASE WHEN run_id IN {_RELINKS} THEN 'relinked' ELSE kind END"

_GIVEN = _quoted([ChangeKind.CREATE_USER, ChangeKind.ADOPT_USER, ChangeKind.REACTIVATE_USER])
_ENDED = _quoted([ChangeKind.UNLINK_GROUP, ChangeKind.DELETE_GROUP])
_MADE = _quoted([ChangeKind.CREATE_GROUP, ChangeKind.LINK_GROUP])
_SINCE = "e.okta_id = j.okta_id AND e.sequence < j.sequence AND e.applied = 1"
_BETWEEN = "d.applied = 1 AND d.sequence > e.sequence AND d.sequence < j.sequence"
# Who was given it before, and from whom nobody took it since.
_AGAIN = f"""CASE
WHEN j.applied = 1 AND j.kind IN ({_GIVEN}) THEN EXISTS (
    SELECT 1 FROM {OUTCOMES} e WHERE {_SINCE} AND e.kind IN ({_GIVEN}) AND NOT EXISTS (
        SELECT 1 FROM {OUTCOMES} d WHERE {_BETWEEN} AND d.okta_id = j.okta_id AND d.kind = 'deactivate_user'))
WHEN j.applied = 1 AND j.kind = 'add_member' THEN EXISTS (
    SELECT 1 FROM {OUTCOMES} e WHERE {_SINCE} AND e.kind = 'add_member' AND e.group_id = j.group_id AND NOT EXISTS (
        SELECT 1 FROM {OUTCOMES} d WHERE {_BETWEEN} AND (
            (d.okta_id = j.okta_id AND d.kind = 'remove_member' AND d.group_id = j.group_id)
            OR (d.okta_id = j.group_id AND d.kind IN ({_ENDED})))))
ELSE 1 = 0 END"""  # noqa: S608  (constants)


def change_counts(conn: Db, reach: Reach) -> list[DayCount]:
    """Outcomes within reach by day (UTC), kind and result, in that order."""
    where, values = _within(reach, "j.at", "j.run_id")
    rows = conn.execute(
        f"SELECT substr(j.at, 1, 10), {_KIND}, {_RESULT}, count(*), {_AGAIN} FROM {OUTCOMES} j"  # noqa: S608  (constants)
        f" WHERE j.kind IS NOT NULL AND {where} GROUP BY 1, 2, 3, 5 ORDER BY 1, 2, 3, 5",
        values,
    )
    return [
        DayCount(day, kind, result, count, bool(again)) for day, kind, result, count, again in rows.fetchall()
    ]


def latencies(conn: Db, reach: Reach, bounds: Sequence[float]) -> Latencies:
    """`bounds` in seconds, from the beginning of the run to the outcome."""
    where, values = _within(reach, "j.at", "j.run_id")
    steps = " ".join(f"WHEN took <= {float(bound)} THEN {at}" for at, bound in enumerate(bounds))
    rows = conn.execute(
        f"SELECT CASE {steps} ELSE {len(bounds)} END, count(*) FROM ("  # noqa: S608  (numbers and constants)
        " SELECT (julianday(j.at) - julianday(r.started)) * 86400 AS took"
        f" FROM {OUTCOMES} j JOIN runs r ON r.run_id = j.run_id"
        f" WHERE j.applied = 1 AND {where}) applied GROUP BY 1",
        values,
    )
    found = dict(rows.fetchall())
    return Latencies(tuple(bounds), tuple(found.get(at, 0) for at in range(len(bounds) + 1)))


_DONE = (
    f"SELECT j.sequence, r.started FROM {OUTCOMES} j"  # noqa: S608  (constants)
    " LEFT JOIN runs r ON r.run_id = j.run_id WHERE {where} ORDER BY j.sequence"
)
_NOTES = (
    f"SELECT {columns(JOURNAL_COLUMNS, 'j')}, j.hash, NULL FROM journal j"  # noqa: S608  (constants)
    " WHERE j.entry = 'note' AND {where} ORDER BY j.sequence"
)


def outcomes(conn: Db, reach: Reach) -> Rows:
    """Rows for `done`, oldest first."""
    where, values = _within(reach, "j.at", "j.run_id")
    return conn.stream(_DONE.format(where=where), values)


def done(conn: Db, rows: Sequence[Row]) -> list[Done]:
    """From rows of `outcomes`. Raises PermanentError for an unreadable one."""
    written = _written(conn, [sequence for sequence, _ in rows], rows_at)
    found = []
    for sequence, begun in rows:
        outcome, intent = written[sequence]
        found.append(
            Done(
                entry=entry_of((*outcome, None if intent is None else intent[9])),
                intended_at=None if intent is None else at_moment(intent[1]),
                run_started=None if begun is None else at_moment(begun),
            )
        )
    return found


def _written(
    conn: Db, sequences: Sequence[int], at: RowsAt = contents_at
) -> dict[int, tuple[Row, Row | None]]:
    """These outcomes as the trail has them, each with its intent. Raises PermanentError for an unreadable one."""
    rows = outcomes_at(conn, sequences, at)
    intents = contents_at(conn, [row[4] for row in rows.values() if row[4] is not None])
    found = {}
    for sequence, row in rows.items():
        intent = intents.get(row[4])
        found[sequence] = row, intent if intent is not None and intent[3] == "intent" else None
    return found


def notes(conn: Db, reach: Reach) -> Rows:
    """Rows of the trail that are notes, read as they are needed: `conn` is busy until the last one."""
    where, values = _within(reach, "j.at", "j.run_id")
    return conn.stream(_NOTES.format(where=where), values)


def comparisons(conn: Db, reach: Reach) -> int:
    """How many comparisons came to an end."""
    where, values = _within(reach, "started")
    (count,) = conn.execute(
        f"SELECT count(*) FROM runs WHERE kind = 'drift' AND status NOT IN ('failed', 'interrupted') AND {where}",  # noqa: S608
        values,
    ).fetchone()
    return int(count)


def repairs(conn: Db, reach: Reach) -> dict[str, int]:
    """Changes that `drift --fix` applied, by kind."""
    where, values = _within(reach, "j.at", "j.run_id")
    rows = conn.execute(
        f"SELECT j.kind, count(*) FROM {OUTCOMES} j JOIN runs r ON r.run_id = j.run_id"  # noqa: S608  (constants)
        f" WHERE j.applied = 1 AND r.kind = 'drift' AND {where} GROUP BY 1 ORDER BY 1",
        values,
    )
    return dict(rows.fetchall())


# Outcomes of one object with as many applied ones before them belong to one trouble: failures, and what ended them.
_TROUBLES = f"""
WITH outcomes AS (
    SELECT sequence, at, run_id, kind, okta_id, coalesce(group_id, '') AS group_id, {_FAMILY} AS family, applied,
        {_RESULT} = 'failed' AS failed
    FROM {OUTCOMES} j WHERE kind IS NOT NULL),
sick AS MATERIALIZED (SELECT DISTINCT okta_id, group_id, family FROM outcomes WHERE failed),
numbered AS (
    SELECT o.*, coalesce(sum(o.applied) OVER (PARTITION BY o.okta_id, o.group_id, o.family ORDER BY o.sequence
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS trouble
    FROM outcomes o JOIN sick USING (okta_id, group_id, family)),
troubles AS (
    SELECT okta_id, group_id, family, trouble, count(CASE WHEN failed THEN 1 END) AS attempts,
        min(CASE WHEN failed THEN at END) AS first, max(CASE WHEN failed THEN at END) AS last,
        max(CASE WHEN failed THEN sequence END) AS latest,
        max(CASE WHEN applied = 1 THEN at END) AS ended,
        count(CASE WHEN failed AND run_id = :run THEN 1 END) AS in_run,
        row_number() OVER (PARTITION BY okta_id, group_id, family ORDER BY trouble DESC) AS from_the_end
    FROM numbered GROUP BY okta_id, group_id, family, trouble)
SELECT t.latest, t.okta_id, nullif(t.group_id, ''), t.attempts, t.first, t.last, t.ended,
    t.from_the_end = 1 AND EXISTS (SELECT 1 FROM failures f WHERE f.object_key = CASE t.family
        WHEN 'member' THEN 'member:' || t.group_id || ':' || t.okta_id ELSE t.family || ':' || t.okta_id END)
FROM troubles t
WHERE t.attempts > 0 AND (CAST(:run AS TEXT) IS NULL OR t.in_run > 0)
    AND (CAST(:since AS TEXT) IS NULL OR t.last >= :since OR t.ended >= :since OR t.ended IS NULL)
ORDER BY t.first, t.latest
"""  # noqa: S608  (constants)


def troubles(conn: Db, reach: Reach) -> Rows:
    """What failed within reach, a row for `told_troubles` of each: `conn` is busy until the last one."""
    since = None if reach.since is None else moment(reach.since)
    return conn.stream(_TROUBLES, {"since": since, "run": reach.run_id})


def told_troubles(conn: Db, rows: Sequence[Row], since: datetime | None) -> list[Trouble]:
    """From rows of `troubles`; without those that were over before `since`, which only this can tell from open ones."""
    written = _written(conn, [row[0] for row in rows])
    found = []
    for latest, okta_id, group_id, attempts, first, last, ended, waits_still in rows:
        end = "recovered" if ended is not None else "open" if waits_still else "overtaken"
        if since is not None and end == "overtaken" and at_moment(last) < since:
            continue
        outcome, intent = written[latest]
        found.append(
            Trouble(
                kind=outcome[5],
                okta_id=okta_id,
                group_id=group_id,
                asked=None if intent is None else json.loads(intent[9]),
                error=str(json.loads(outcome[9]).get("error", "")),
                attempts=attempts,
                first=at_moment(first),
                last=at_moment(last),
                ended=None if ended is None else at_moment(ended),
                end=end,
            )
        )
    return found


# Whoever is put in again, or made again, without having been taken out has access since they got it first.
_GRANTS = f"""
WITH removed AS MATERIALIZED (
    SELECT group_id, okta_id, max(sequence) AS sequence FROM {OUTCOMES} j
    WHERE applied = 1 AND kind = 'remove_member' GROUP BY 1, 2),
ended AS MATERIALIZED (
    SELECT okta_id, max(sequence) AS sequence FROM {OUTCOMES} j
    WHERE applied = 1 AND kind IN ({_ENDED}) GROUP BY 1),
added AS MATERIALIZED (
    SELECT a.group_id, a.okta_id, min(a.sequence) AS sequence FROM {OUTCOMES} a
    LEFT JOIN removed r ON r.group_id = a.group_id AND r.okta_id = a.okta_id
    LEFT JOIN ended e ON e.okta_id = a.group_id
    WHERE a.applied = 1 AND a.kind = 'add_member'
        AND a.sequence > coalesce(r.sequence, 0) AND a.sequence > coalesce(e.sequence, 0) GROUP BY 1, 2),
made AS MATERIALIZED (
    SELECT okta_id, max(sequence) AS sequence FROM {OUTCOMES} j
    WHERE applied = 1 AND kind IN ({_MADE}) AND {_NOT_FOUND_AFRESH} GROUP BY 1)
SELECT g.okta_id, g.pushed_name, g.wish, u.okta_id, u.scim_id, u.standing, u.wish, u.pushed_attributes,
    u.pushed_active, coalesce(added.sequence, made.sequence)
FROM members m
JOIN groups g ON g.okta_id = m.group_id AND g.scim_id IS NOT NULL
JOIN users u ON u.okta_id = m.user_id AND u.scim_id IS NOT NULL
LEFT JOIN added ON added.group_id = m.group_id AND added.okta_id = m.user_id
LEFT JOIN made ON made.okta_id = m.group_id
WHERE m.pushed = 1
ORDER BY lower(g.pushed_name), g.okta_id, u.pushed_folded_name, u.okta_id
"""  # noqa: S608  (constants)
_NO_GROUP = """
users u WHERE u.scim_id IS NOT NULL AND u.pushed_active = 1 AND NOT EXISTS (
    SELECT 1 FROM members m JOIN groups g ON g.okta_id = m.group_id AND g.scim_id IS NOT NULL
    WHERE m.user_id = u.okta_id AND m.pushed = 1)
"""
_WITHOUT_GROUP = f"""
WITH taken AS MATERIALIZED (
    SELECT okta_id, max(sequence) AS sequence FROM {OUTCOMES} j
    WHERE applied = 1 AND kind = 'deactivate_user' GROUP BY 1),
given AS MATERIALIZED (
    SELECT g.okta_id, min(g.sequence) AS sequence FROM {OUTCOMES} g LEFT JOIN taken t ON t.okta_id = g.okta_id
    WHERE g.applied = 1 AND g.kind IN ({_GIVEN}) AND g.sequence > coalesce(t.sequence, 0)
        AND {_NOT_FOUND_AFRESH.replace("run_id, ''", "g.run_id, ''")} GROUP BY 1)
SELECT NULL, NULL, NULL, p.okta_id, p.scim_id, p.standing, p.wish, p.pushed_attributes, p.pushed_active,
    given.sequence
FROM (SELECT * FROM {_NO_GROUP}) p
LEFT JOIN given ON given.okta_id = p.okta_id
ORDER BY p.pushed_folded_name, p.okta_id
"""  # noqa: S608  (constants)


def grants(conn: Db) -> Rows:
    """Rows for `told_grants`: who is in which group now."""
    return conn.stream(_GRANTS)


def without_group(conn: Db) -> Rows:
    """Managed people in no pushed group, read as they are needed: `conn` is busy until the last one."""
    return conn.stream(_WITHOUT_GROUP)


def people_without_group(conn: Db) -> int:
    """How many people have an account and are in no pushed group."""
    (count,) = conn.execute(f"SELECT count(*) FROM {_NO_GROUP}").fetchone()  # noqa: S608  (constants)
    return int(count)


def told_grants(conn: Db, rows: Sequence[Row]) -> list[Grant]:
    """From rows of `grants` and `without_group`. Raises PermanentError for an unreadable row of the trail."""
    written = _written(conn, [row[-1] for row in rows if row[-1] is not None])
    return [_grant(row, written.get(row[-1])) for row in rows]


def _grant(row: Row, written: tuple[Row, Row | None] | None) -> Grant:
    group_id, name, group_wish, okta_id, scim_id, standing, wish, attributes, active, _ = row
    outcome, intent = written or (None, None)
    change: Mapping[str, Any] = {} if intent is None else json.loads(intent[9])
    approved = change.get("approved")
    return Grant(
        group_id=group_id,
        group=None if name is None else json.loads(name),
        rule=None if group_wish is None else json.loads(group_wish)[5],
        okta_id=okta_id,
        scim_id=scim_id,
        user_name=str(json.loads(attributes).get("userName", "")),
        active=bool(active),
        assigned="not assigned any more" if standing == Standing.ABSENT else json.loads(wish)[2],
        kind=None if outcome is None else outcome[5],
        since=None if outcome is None else at_moment(outcome[1]),
        run_id=None if outcome is None else outcome[2],
        change_id=change.get("id"),
        reason=change.get("reason"),
        approved_by=approved.get("by") if isinstance(approved, dict) else None,
    )
