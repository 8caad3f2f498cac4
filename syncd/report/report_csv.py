"""The audit report as one CSV table (RFC 4180): a row for each thing, told apart by its first column `section`.

A spreadsheet must never take a name for a formula: what begins like one gets an apostrophe before it, also behind a
semicolon, which many of them take for the delimiter. (Tabs are written as escapes.)
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncd.redact import strip_controls
from syncd.report.view import Report, Row, Unavailable
from syncd.report.words import drift_object, named

COLUMNS = (
    "section",
    "connection",
    "at",
    "until",
    "seconds",
    "kind",
    "user",
    "group",
    "okta_id",
    "group_id",
    "scim_id",
    "result",
    "before",
    "after",
    "reason",
    "evidence",
    "by",
    "approved_by",
    "run_id",
    "change",
    "count",
    "error",
)
_FORMULA = re.compile(
    "(?:\\A|;)[\\s\"']*"  # where a cell may begin
    "(?=[=+\\-@\t\r\n|%\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b])"  # full-width and small forms work too
)
BOM = "\ufeff"
"""Begins a file, so that Excel reads it as UTF-8."""


def csv_text(reports: Sequence[Report | Unavailable]) -> Iterator[str]:
    """The header, then rows of all connections, section by section."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in reports:
        for row in _rows(one):
            writer.writerow([safe_cell(row.get(column)) for column in COLUMNS])
            if buffer.tell() > 1 << 16:
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
    yield buffer.getvalue()


def safe_cell(value: object) -> object:
    """Numbers as they are; text on one line that no spreadsheet computes."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    text = json.dumps(value, sort_keys=True) if isinstance(value, Mapping | list) else str(value)
    return strip_controls(_FORMULA.sub(_apostrophe, text))


def _apostrophe(found: re.Match[str]) -> str:
    """Before a whole cell, so that its text stays as it is; before the formula elsewhere."""
    return f"{found[0]}'" if found[0].startswith(";") else f"'{found[0]}"


def _rows(one: Report | Unavailable) -> Iterator[Mapping[str, Any]]:
    name = {"connection": one.connection}
    if isinstance(one, Unavailable):
        yield {"section": "unavailable", **name, "error": one.document["message"]}
        return
    facts = one.facts
    audit = facts["audit"]
    yield {
        "section": "audit_trail",
        **name,
        "at": facts["created_at"],
        "result": "intact" if audit["intact"] else "broken",
        "count": audit["length"],
        "reason": audit["head"],
    }
    sections = (
        ("access", map(_grant, one.access())),
        ("without_group", map(_grant, one.without_group())),
        ("change", map(_change, one.changes())),
        ("decision", map(_decision, facts["decisions"])),
        ("drift", map(_drift, facts["drift"]["last"]["items"] if facts["drift"]["last"] else ())),
        ("failure", map(_failure, facts["failures"])),
        ("outage", map(_outage, facts["outages"])),
        ("safety", map(_hold, facts["safety"])),
        ("day", _days(facts["days"])),
        ("run", map(_run, facts["runs"])),
    )
    for section, rows in sections:
        for row in rows:
            yield {"section": section, **name, **row}


def _grant(row: Row) -> Row:
    return {
        **row,
        "at": row["since"],
        "kind": row["by"],
        "by": None,
        "result": "active" if row["active"] else "inactive",
        "evidence": row["assigned"],
    }


def _change(row: Row) -> Row:
    return {**row, "user": row["user"] or (row["object"] if "user" in row["kind"] else None)} | (
        {"group": row["object"]} if row["group"] is None and "group" in row["kind"] else {}
    )


def _decision(row: Row) -> Row:
    return {
        "at": row["at"],
        "kind": row["decision"],
        "by": row["by"],
        "run_id": row["run_id"],
        "count": len(row["changes"]),
        "reason": "; ".join(
            each for each in (row["reason"], named(row["changes"], len(row["changes"]))) if each
        ),
        "change": " ".join(str(each) for each in row["asked"]),
    }


def _drift(item: Row) -> Row:
    found = item.get("object")
    known = found if isinstance(found, Mapping) else {}
    return {
        "kind": item.get("kind"),
        "user": drift_object(item),
        "group": known.get("group"),
        "okta_id": known.get("okta_id"),
        "scim_id": known.get("scim_id"),
        "before": item.get("wanted"),
        "after": item.get("found"),
        "reason": item.get("reason"),
        "result": item.get("repair"),
    }


def _renamed(row: Row, **columns: str) -> Row:
    """Of each column: what stands in the row under that key."""
    return {column: row[key] for column, key in columns.items()}


def _failure(row: Row) -> Row:
    return {**row, **_renamed(row, at="first", until="ended", result="end", count="attempts", user="object")}


def _outage(row: Row) -> Row:
    return {**row, **_renamed(row, at="first", until="ended", count="runs")}


def _hold(row: Row) -> Row:
    told = _renamed(
        row, at="raised_at", until="expires_at", kind="check", result="state", reason="reason", change="id"
    )
    return {**told, "count": row["waiting"] + row["approved"] + row["rejected"]}


def _days(days: Sequence[Row]) -> Iterator[Row]:
    for day in days:
        for key, count in day.items():
            if key != "day" and count:
                yield {"at": day["day"], "kind": key, "count": count}


def _run(row: Row) -> Row:
    return {**row, "at": row["started"], "until": row["finished"], "result": row["status"]}
