"""The audit report as one self-contained HTML file. Nothing is loaded, nothing is sent, everything is escaped.

The page allows itself exactly its own style and its own script, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import islice
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from syncd.core.counting import counted
from syncd.report import charts
from syncd.report.page import environment, heading, template
from syncd.report.text import done_words, duration
from syncd.report.view import (
    DRIFT_KINDS,
    Report,
    Row,
    Unavailable,
    differences,
    period_words,
    row_object,
    when,
)
from syncd.report.words import drift_object, named, shown_at, shown_value, why

SHOWN = 20_000
"""Rows of one table; JSON and CSV have them all."""
SECTIONS = (
    ("access", "Who has access"),
    ("nogroup", "People without a group"),
    ("changes", "What changed"),
    ("decisions", "Who approved what"),
    ("drift", "Changes behind syncd's back"),
    ("failures", "Failures"),
    ("safety", "Safety events"),
    ("runs", "Runs"),
    ("trail", "Check this report"),
)
DAYS = (
    "people_added",
    "people_changed",
    "people_removed",
    "members_added",
    "members_removed",
    "groups_changed",
    "failed",
)
"""What is counted of each day, in the order of the columns."""
_REMOVING = frozenset({"remove_member", "deactivate_user", "unlink_group", "delete_group"})
_ADDING = frozenset(
    {"create_user", "reactivate_user", "adopt_user", "create_group", "link_group", "add_member"}
)


def html(reports: Sequence[Report | Unavailable], made_at: str) -> Iterator[str]:
    """The page piece by piece; `made_at` as in the document ("2026-03-01T10:00:00Z")."""
    names = ", ".join(one.connection for one in reports)
    page = _template()
    style, script = _source("page.css") + _source("report.css"), _source("report.js")
    yield from page.generate(
        reports=reports,
        made_at=made_at,
        title=f"syncd audit report: {names}",
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        sections=SECTIONS,
        day_columns=DAYS,
        SHOWN=SHOWN,
    )


@dataclass(frozen=True, slots=True)
class Excerpt:
    """As many rows as a page bears, and how many there are besides."""

    rows: Sequence[Row]
    more: int


def first_of(rows: Iterable[Row], most: int) -> Excerpt:
    walk = iter(rows)
    return Excerpt(list(islice(walk, most)), sum(1 for _ in walk))


def last_of(rows: Iterable[Row], most: int) -> Excerpt:
    """The youngest first."""
    kept: deque[Row] = deque(maxlen=most)
    total = 0
    for row in rows:
        kept.append(row)
        total += 1
    return Excerpt(list(reversed(kept)), total - len(kept))


@cache
def _template() -> Template:
    filters = {
        "counted": counted,
        "differences": differences,
        "did": _did,
        "drift_chart": _drift_chart,
        "drift_object": drift_object,
        "duration": duration,
        "first_of": first_of,
        "last_of": last_of,
        "named": named,
        "object": row_object,
        "over_time": lambda days: charts.stacked(charts.changes_over_time(days), "Changes over time"),
        "period": period_words,
        "shown": shown_value,
        "shown_at": shown_at,
        "step": _step,
        "tone": _tone,
        "value": shown_value,
        "waits_chart": _waits_chart,
        "when": when,
        "why": why,
    }
    return template("report.html.j2", filters)


def _source(name: str) -> Markup:
    loader = environment().loader
    assert loader is not None  # noqa: S101  (page.environment has one)
    return Markup(loader.get_source(environment(), name)[0])  # noqa: S704  (our own file)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _tone(kind: str) -> str:
    return "remove" if kind in _REMOVING else "add" if kind in _ADDING else "change"


def _did(run: Row) -> str:
    summary = run["summary"]
    parts = [done_words(summary.get("applied", {}))]
    parts += [
        f"{sum(summary[part].values()):,} {part}"
        for part in ("found", "failed", "held", "skipped")
        if summary.get(part)
    ]
    parts.append(str(run["error"] or ""))
    return "; ".join(part for part in parts if part)


def _drift_chart(drift: Mapping[str, Any]) -> Markup:
    return charts.lying(
        [(heading(kind), drift["found"][kind]) for kind in DRIFT_KINDS if drift["found"].get(kind)],
        "change",
        "Drift by kind",
    )


def _waits_chart(rows: Sequence[Mapping[str, Any]]) -> Markup:
    told = []
    for row in rows:
        end = row["up_to_seconds"]
        name = "longer" if end is None else f"up to {duration(end)}"
        told.append((name, row["changes"]))
    return charts.lying(told, "plain", "Time to apply")


def _step(report: Report) -> str:
    """What a bar stands for: "day", or "3 days" when more days than fit are gathered."""
    days = [date.fromisoformat(day["day"]) for day in report.facts["days"]]
    step = charts.days_a_bar(min(days), max(days)) if days else 1
    return "day" if step == 1 else f"{step} days"
