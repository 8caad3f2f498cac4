"""The audit report as Markdown (GitHub's): for a ticket or a wiki. Long lists are cut; JSON and CSV have them whole.

Somebody else's text can neither leave its cell, nor become a link, an image or HTML, nor call anybody by `@name`, on
GitHub or on GitLab.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from syncd.redact import clip, strip_controls
from syncd.report.report_html import DAYS, first_of, last_of
from syncd.report.report_text import summary_rows
from syncd.report.text import duration
from syncd.report.view import Report, Row, Unavailable, period_words, row_object, when
from syncd.report.words import drift_object, given, named, shown_value, why

SHOWN = 200
_LONGEST = 500
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")
_NOTHING = "\u200b"
"""A character of no width."""
_CALLS = re.compile(
    r"@|#(?=\w)|\bGH-(?=\d)"  # addresses and mentions, issues
    r"|[!$&](?=\d)|[%~](?=[\w\"])"  # what else GitLab refers to ("GitLab-specific references")
    r"|\bwww(?=\.)|[:/](?=/)"  # bare links
    r"|:(?=[+-]\d+:|[\w+-]*[a-z][\w+-]*:)",  # pictures, but no times
    re.IGNORECASE,
)
_MARKS = {"good": "✓", "warn": "⚠", "bad": "✗"}
_OF_DAYS = ("day", *DAYS)


def cell(value: object) -> str:
    """Any text on one line without a meaning in Markdown or HTML."""
    text = clip(strip_controls("" if value is None else str(value)), _LONGEST)
    # Most of it is looked for where entities are decoded and backslashes gone: only a character between parts it.
    text = _CALLS.sub(rf"\g<0>{_NOTHING}", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\1", text).replace(_NOTHING, "&#8203;")


def markdown(reports: Sequence[Report | Unavailable], made_at: str) -> Iterator[str]:
    yield f"# syncd audit report: {cell(', '.join(one.connection for one in reports))}\n\n"
    yield f"Made {when(made_at)} UTC. All times are UTC.\n"
    for one in reports:
        if len(reports) > 1:
            yield f"\n# {cell(one.connection)}\n"
        if isinstance(one, Unavailable):
            yield f"\n**Unavailable:** {cell(one.document['message'])}\n"
        else:
            yield from _one(one)


def _one(one: Report) -> Iterator[str]:
    facts = one.facts
    yield f"\nCovers {cell(period_words(facts['period']))}.\n\n"
    yield from (f"- {_MARKS[said['level']]} {cell(said['text'])}\n" for said in facts["verdict"])
    yield from _table("Summary", ("", ""), summary_rows(facts))
    yield from _table(
        "Groups",
        ("Group", "People", "Rule"),
        [(g["group"], g["members"], g["rule"]) for g in facts["groups"]],
    )
    access = first_of(one.access(), SHOWN)
    yield from _table(
        "Who has access",
        ("Group", "Person", "Since", "Why", "Given by"),
        [(row["group"], row["user"], _since(row), why(row), given(row)) for row in access.rows],
        access.more,
    )
    alone = first_of(one.without_group(), SHOWN)
    yield from _table(
        "People without a group",
        ("Person", "Since", "Why", "Given by"),
        [(row["user"], _since(row), why(row), given(row)) for row in alone.rows],
        alone.more,
    )
    yield from _past(one)
    audit = facts["audit"]
    yield "\n## Check this report against the store\n\n"
    yield f"The audit trail was {'intact' if audit['intact'] else '**broken**'}. Its head:\n\n"
    yield f"```\nsyncd audit verify --head {audit['head']}\n```\n"


def _past(one: Report) -> Iterator[str]:
    facts = one.facts
    yield from _table(
        "Changes per day",
        ("Day", "People added", "changed", "removed", "Memberships added", "removed", "Groups", "Failed"),
        [tuple(day[column] for column in _OF_DAYS) for day in facts["days"]],
    )
    changes = last_of(one.changes(), SHOWN)
    yield from _table(
        "Changes, the youngest first",
        ("Time", "Change", "Of", "Result", "Why", "Approved by"),
        [
            (*_what(row, "at"), row["result"], row["error"] or row["reason"], row["approved_by"])
            for row in changes.rows
        ],
        changes.more,
    )
    yield from _table(
        "Who approved what",
        ("Time", "By", "Decision", "On", "Why"),
        [
            (
                when(row["at"]),
                row["by"] or "syncd",
                row["decision"],
                named(row["changes"]) or row["asked"],
                row["reason"],
            )
            for row in facts["decisions"]
        ],
    )
    yield from _troubles(facts)


def _troubles(facts: Mapping[str, Any]) -> Iterator[str]:
    """What was found changed behind syncd's back, what failed, and what the safety checks stopped."""
    last = facts["drift"]["last"]
    yield from _table(
        "Listed by the last comparison with Split" + (f": {cell(last['told'])}" if last else ""),
        ("Kind", "Of", "Wanted", "Found", "Repair, or why not"),
        [
            (
                item.get("kind"),
                drift_object(item),
                shown_value(item.get("wanted")),
                shown_value(item.get("found")),
                item.get("reason"),
            )
            for item in islice(last["items"] if last else (), SHOWN)
        ],
        max(len(last["items"]) - SHOWN, 0) if last else 0,
    )
    yield from _table(
        "Failures",
        ("First", "Change", "Of", "Error", "Lasted", "End"),
        [
            (*_what(row, "first"), row["error"], duration(row["seconds"]), row["end"])
            for row in facts["failures"]
        ],
    )
    yield from _table(
        "Runs that failed in a row",
        ("From", "Until", "Runs", "Error"),
        [
            (when(row["first"]), when(row["ended"]) or "not over", row["runs"], row["error"])
            for row in facts["outages"]
        ],
    )
    yield from _table(
        "Safety events",
        ("Raised", "Hold", "Check", "Reason", "State"),
        [
            (when(row["raised_at"]), row["id"], row["check"], row["reason"], row["state"])
            for row in facts["safety"]
        ],
    )


def _since(row: Row) -> str:
    return when(row["since"]) or "before this trail"


def _what(row: Mapping[str, Any], since: str) -> tuple[object, object, object]:
    """Time, kind and object of a change."""
    return when(row[since]), row["kind"], row_object(row)


def _table(
    title: str, heads: Sequence[str], rows: Iterable[Sequence[object]], more: int = 0
) -> Iterator[str]:
    """Nothing for an empty list; at most `SHOWN` rows, and how many there are besides."""
    told = list(rows)
    if not told:
        return
    yield f"\n## {title}\n\n| {' | '.join(heads)} |\n|{' --- |' * len(heads)}\n"
    for row in told[:SHOWN]:
        yield f"| {' | '.join(cell(value) for value in row)} |\n"
    left = more + max(len(told) - SHOWN, 0)
    if left:
        yield f"\n… and {left:,} more, in the JSON and CSV reports.\n"
