"""The page of one connection: all that is held, left out and drifted, whole and searchable, without script. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Template

import syncd
from syncd.core.counting import counted
from syncd.core.whole_commands import whole
from syncd.report.page import templates_of
from syncd.service.page import StatusPage, harmless, in_utc, style_of

ROWS_AT_MOST = 10_000
"""Of each list; the rest is counted."""
_LONGEST_SEARCH = 200


@dataclass(frozen=True, slots=True)
class Rows:
    """One list as it is shown: of so many in `all` so many are `matching`, and of these the first are `rows`."""

    rows: Sequence[Mapping[str, Any]]
    matching: int
    all: int


def connection_page(lists: Mapping[str, Any], now: datetime, *, search: str = "") -> StatusPage:
    """`lists` as `answers.lists` makes it; `search`: words that a row has to have, in any order and letter case."""
    words = search[:_LONGEST_SEARCH].lower().split()
    style, policy = style_of(form_action="'self'")
    html = _template().render(
        name=lists["connection"],
        named=lists["named"],
        search=" ".join(words),
        left_out=_matching(lists["left_out"], words),
        held=_matching(lists["held"], words),
        drift=_matching(lists["drift"], words),
        compared_at=lists["compared_at"],
        told=lists["drift_told"],
        now=now.astimezone(UTC),
        style=style,
        version=syncd.__version__,
    )
    return StatusPage(html, policy)


def _matching(rows: Sequence[Mapping[str, Any]], words: Sequence[str]) -> Rows:
    found = [row for row in rows if _has(row, words)] if words else rows
    return Rows(found[:ROWS_AT_MOST], len(found), len(rows))


def _has(row: Mapping[str, Any], words: Sequence[str]) -> bool:
    text = " ".join(str(value) for value in row.values() if value).lower()
    return all(word in text for word in words)


@cache
def _template() -> Template:
    environment = templates_of("syncd.service", harmless, last_newline=False)
    environment.filters |= {
        "stamp": lambda at: in_utc(at).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "short": lambda at: in_utc(at).strftime("%d %b %H:%M"),
        "counted": counted,
        "number": lambda number: f"{number:,}",
        "words": lambda text: text.replace("_", " "),
        "whole": whole,
    }
    return environment.get_template("connection.html.j2")
