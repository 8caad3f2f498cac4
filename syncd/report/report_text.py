"""The audit report for a terminal: what a person wants to know first, with the youngest of each list."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from syncd.core.counting import counted
from syncd.report.lines import BLANK, Line, Span, columns, faint, line, safe, strong, verbatim
from syncd.report.text import done_words, duration
from syncd.report.view import Report, Row, Unavailable, differences, period_words, row_object, when
from syncd.report.words import drift_object, named, shown_at, why

SHOWN = 30
_RESULT = {"applied": "good", "failed": "bad", "deferred": "warn"}


def report_lines(one: Report | Unavailable) -> Iterator[Line]:
    if isinstance(one, Unavailable):
        yield line(Span("unavailable", "bad"), f": {safe(one.document['message'])}")
        return
    facts = one.facts
    yield line(strong(f"Audit report of {one.connection}"), "  ", faint(period_words(facts["period"])))
    for said in facts["verdict"]:
        mark = {"good": "✓", "warn": "!", "bad": "✗"}[said["level"]]
        yield line(Span(f"  {mark} ", said["level"]), safe(said["text"]))
    yield BLANK
    yield from columns([(faint(name), Span(safe(text))) for name, text in summary_rows(facts)])
    yield from _section("Changes per day", _days(facts["days"]), len(facts["days"]))
    yield from _changes(one.changes())
    yield from _section("Who approved what", _decisions(facts["decisions"]), len(facts["decisions"]))
    yield from _drift(facts["drift"])
    yield from _failures(facts["failures"], facts["outages"])
    yield from _section("Safety events", _safety(facts["safety"]), len(facts["safety"]))
    yield from _access(one)
    yield BLANK
    yield line(strong("Audit trail"), f"  {'intact' if facts['audit']['intact'] else 'BROKEN'}, head:")
    yield line("  ", safe(facts["audit"]["head"]))
    yield line(faint("  check it later: syncd audit verify --head HEAD"))


def summary_rows(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of each number of the summary, for text and Markdown."""
    token = facts["token"]
    return [
        *_people_rows(facts["summary"], facts["current"]),
        *_work_rows(facts["summary"], facts["drift"]),
        *_event_rows(facts["event_to_write"]),
        (
            "Split token",
            f"{counted(token['expires_in_days'], 'day')} left" if token else "its date is not set",
        ),
    ]


def _people_rows(summary: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    people = f"{current['active_users']:,} in {counted(current['groups'], 'group')}"
    yield "people with access", f"{people}, {current['without_group']:,} without a group"
    changed = f"{summary['people_added']:,} added, {summary['people_changed']:,} changed"
    yield "people", f"{changed}, {summary['people_removed']:,} removed{_again(summary['people_again'])}"
    members = f"{summary['members_added']:,} added, {summary['members_removed']:,} removed"
    yield "memberships", f"{members}{_again(summary['members_again'])}"


def _again(count: int) -> str:
    return f", {count:,} given back" if count else ""


def _work_rows(summary: Mapping[str, Any], drift: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "applied", done_words(summary["applied"]) or "nothing"
    decided = summary["decisions"]
    yield (
        "decisions",
        f"{decided['approve']} approved, {decided['reject']} rejected, {decided['release']} released",
    )
    holds = summary["holds"]
    yield (
        "safety",
        f"{counted(holds['raised'], 'hold')}, {counted(holds['waiting_changes'], 'change')} waiting",
    )
    found = f"{summary['drift']['found']:,} found, {summary['drift']['repaired']:,} repaired"
    compared = f"{found} in {counted(drift['comparisons'], 'comparison')}"
    yield "drift", compared if drift["comparisons"] or drift["checks"] else "no comparison"
    failures = summary["failures"]
    yield "failures", f"{counted(failures['objects'], 'object')}, {failures['open']} still failing"
    yield "runs", ", ".join(f"{count:,} {status}" for status, count in summary["runs"].items()) or "none"


def _event_rows(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Of all kinds together; nothing where no change followed an event."""
    if rows:
        every = rows[-1]
        half = f"half of {counted(every['changes'], 'change')} within {every['p50_seconds']:.1f} s"
        yield "event to write", f"{half}, 99 in 100 within {every['p99_seconds']:.1f} s"


def _section(title: str, rows: Sequence[Sequence[Span]], total: int) -> Iterator[Line]:
    """The last rows of a list, and how many there are before."""
    if not rows:
        return
    yield BLANK
    yield line(strong(title), f" ({total:,})")
    if total > len(rows):
        yield line(faint(f"  … {total - len(rows):,} before (all of them: --format html, json or csv)"))
    yield from columns(rows)


def _days(days: Sequence[Row]) -> list[Sequence[Span]]:
    return [
        (
            Span(safe(day["day"])),
            Span(f"people +{day['people_added']} ~{day['people_changed']} -{day['people_removed']}"),
            Span(f"memberships +{day['members_added']} -{day['members_removed']}"),
            Span(f"groups ~{day['groups_changed']}"),
            Span(f"{day['failed']} failed", "bad" if day["failed"] else "faint"),
        )
        for day in days[-SHOWN:]
    ]


def _changes(changes: Iterable[Row]) -> Iterator[Line]:
    kept: deque[Row] = deque(maxlen=SHOWN)
    total = 0
    for row in changes:
        kept.append(row)
        total += 1
    rows = [
        (
            Span(when(row["at"])),
            Span(safe(row["kind"])),
            Span(safe(row_object(row))),
            Span(safe(row["result"]), _RESULT.get(row["result"], "")),
            faint(_because(row)),
        )
        for row in kept
    ]
    yield from _section("Changes", rows, total)


def _because(row: Row) -> str:
    what = ", ".join(f"{key} {shown_at(after, key)}" for key, _, after in differences(row)[:3])
    parts = [row["error"] or "", what, row["reason"] or ""]
    if row["approved_by"]:
        parts.append(f"approved by {row['approved_by']}")
    return "; ".join(part for part in parts if part)


def _decisions(decisions: Sequence[Row]) -> list[Sequence[Span]]:
    return [
        (
            Span(when(row["at"])),
            Span(safe(row["by"] or "syncd")),
            Span(safe(row["decision"])),
            Span(safe(named(row["changes"], 3) or ", ".join(map(str, row["asked"])))),
            Span(safe(row["reason"] or "")),
        )
        for row in decisions[-SHOWN:]
    ]


def _drift(drift: Mapping[str, Any]) -> Iterator[Line]:
    last = drift["last"]
    items = last["items"] if last else []
    rows = [
        (Span(safe(item.get("kind"))), Span(safe(drift_object(item))), faint(safe(item.get("reason") or "")))
        for item in items[:SHOWN]
    ]
    yield from _section("Listed by the last comparison with Split", rows, len(items))
    if last:
        yield line(faint(f"  {safe(last['told'])}"))


def _failures(failures: Sequence[Row], outages: Sequence[Row]) -> Iterator[Line]:
    rows = [
        (
            Span(when(row["first"])),
            Span(safe(row["kind"])),
            Span(safe(row_object(row))),
            Span(f"{row['end']}, {duration(row['seconds'])}", "bad" if row["end"] == "open" else ""),
            verbatim(row["error"], style="faint"),
        )
        for row in failures[-SHOWN:]
    ]
    yield from _section("Failures", rows, len(failures))
    runs = [
        (
            Span(when(row["first"])),
            Span(counted(row["runs"], "run")),
            Span(("not over, " if row["ended"] is None else "") + duration(row["seconds"])),
            verbatim(row["error"] or "", style="faint"),
        )
        for row in outages[-SHOWN:]
    ]
    yield from _section("Runs that failed in a row", runs, len(outages))


def _safety(holds: Sequence[Row]) -> list[Sequence[Span]]:
    return [
        (
            Span(when(row["raised_at"])),
            Span(safe(row["id"])),
            Span(safe(row["state"]), "warn" if row["state"] == "waiting" else ""),
            faint(row["reason"]),
        )
        for row in holds[-SHOWN:]
    ]


def _access(one: Report) -> Iterator[Line]:
    groups = one.facts["groups"]
    rows: list[Sequence[Span]] = [
        (Span(safe(row["group"])), Span(counted(row["members"], "person", "people")), faint(row["rule"]))
        for row in groups[:SHOWN]
    ]
    if rows:
        yield BLANK
        yield line(strong("Access by group"), f" ({len(groups):,})")
        yield from columns(rows)
    alone = list(islice(one.without_group(), SHOWN))
    if alone:
        total = one.facts["current"]["without_group"]
        yield BLANK
        yield line(strong("People without a group"), f" ({total:,})")
        yield from columns(
            [
                (Span(safe(row["user"])), Span(when(row["since"]) or "before this trail"), faint(why(row)))
                for row in alone
            ]
        )
        if total > len(alone):
            yield line(faint(f"  … and {total - len(alone):,} more (--format html, json or csv)"))
