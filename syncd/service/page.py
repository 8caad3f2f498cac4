"""The status page: one HTML text without script, and the policy that lets a browser do nothing else with it. Pure."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from urllib.parse import quote

from jinja2 import Template, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

import syncd
from syncd.core.counting import counted
from syncd.core.token_age import warning_mark
from syncd.core.whole_commands import whole
from syncd.redact import clip, strip_controls
from syncd.report.page import templates_of
from syncd.report.text import duration
from syncd.service.board import RateHeadroom
from syncd.service.cards import Ran, overview
from syncd.service.headroom import share_left
from syncd.service.health import View

FASTEST_REFRESH, SLOWEST_REFRESH = 5, 3600
SHOWN = 50
"""Rows of a table; the rest is counted."""
_LONGEST_TEXT = 500
_BAR_HEIGHT = 32


@dataclass(frozen=True, slots=True)
class StatusPage:
    """`policy` is the Content-Security-Policy: this page's own style sheet and nothing else."""

    html: str
    policy: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One run in the sparkline; `height` in the drawing's units, at least 1."""

    x: int
    height: float
    ill: bool


def status_page(view: View, *, refresh: str = "") -> StatusPage:
    """`refresh` is what the visitor wrote: seconds, else the page does not load itself again."""
    style, policy = style_of()
    html = _template().render(
        overview=overview(view),
        now=view.now.astimezone(UTC),
        refresh=_seconds(refresh),
        style=style,
        version=syncd.__version__,
        limit=SHOWN,
    )
    return StatusPage(html, policy)


def connection_address(name: str) -> str:
    """The path of a connection's own page, relative to this one."""
    return f"connections/{quote(name, safe='')}"


def _seconds(said: str) -> int | None:
    if not (said.isascii() and said.isdigit() and len(said) <= 6):
        return None
    return min(max(int(said), FASTEST_REFRESH), SLOWEST_REFRESH)


@cache
def style_of(*, form_action: str = "'none'") -> tuple[Markup, str]:
    """The style sheet, and the policy that lets it in; `form_action`: whither a form on the page may send."""
    text = (files("syncd.service") / "status.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none';"
        f" form-action {form_action}; frame-ancestors 'none'"
    )
    return Markup(text), policy  # noqa: S704  (our own file)


@cache
def _template() -> Template:
    environment = templates_of("syncd.service", harmless, last_newline=False)
    environment.filters |= {
        "address": connection_address,
        "ago": _ago,
        "ahead": _ahead,
        "moment": in_utc,
        "stamp": lambda at: in_utc(at).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "short": lambda at: in_utc(at).strftime("%d %b %H:%M"),
        "duration": duration,
        "counted": counted,
        "number": lambda number: f"{number:,}",
        "words": lambda text: text.replace("_", " "),
        "whole": whole,
        "bars": _bars,
        "warning_mark": warning_mark,
        "told": _told,
        "percent": lambda headroom: round(100 * share_left(headroom)),
        "lowest": _lowest,
    }
    return environment.get_template("status.html.j2")


def harmless(value: object) -> object:
    """Names and messages of others: no control characters, and never endless."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return clip(strip_controls(value), _LONGEST_TEXT)
    return value


def in_utc(value: datetime | str) -> datetime:
    """In UTC."""
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


@pass_context
def _ago(context: Context, moment: datetime | str) -> str:
    seconds = (context["now"] - in_utc(moment)).total_seconds()
    return "now" if seconds < 1 else f"{duration(seconds)} ago"


@pass_context
def _ahead(context: Context, moment: datetime | str) -> str:
    seconds = (in_utc(moment) - context["now"]).total_seconds()
    return "now" if seconds < 1 else f"in {duration(seconds)}"


def _bars(runs: Sequence[Ran]) -> list[Bar]:
    """As high as the logarithm of the changes: two of them beside a first sync of thousands are still seen."""
    most = math.log1p(max((run.applied for run in runs), default=0) or 1)
    return [
        Bar(
            x=6 * place,
            height=round(max(math.log1p(run.applied) / most * _BAR_HEIGHT, 1.0), 1),
            ill=run.status == "failed" or run.failed > 0,
        )
        for place, run in enumerate(runs)
    ]


def _told(runs: Sequence[Ran]) -> str:
    """The sparkline in words."""
    total = sum(run.applied for run in runs)
    said = f"{counted(total, 'change')} in the last {counted(len(runs), 'run')}"
    if len(runs) > 1:
        said += f", at most {max(run.applied for run in runs):,} in one"
    ill = sum(1 for run in runs if run.status == "failed" or run.failed)
    return f"{said}, {ill:,} with failures" if ill else said


def _lowest(headroom: Mapping[str, RateHeadroom]) -> int:
    """Percent left in the emptiest bucket."""
    return round(100 * min(share_left(one) for one in headroom.values()))
