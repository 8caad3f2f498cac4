"""Charts as inline SVG: no library, no style of their own, and a sentence for whoever cannot see them.

Every text in them is ours or a number; colours come from classes of the page's style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 440, 190
_LEFT, _BOTTOM, _TOP = 44, 24, 10
"""Of a chart and its margins, in pixels."""
_MOST_BARS = 60
"""In one chart; of a longer time a bar is several days."""


_STYLES: Mapping[str, str] = {"added": "add", "changed": "change", "removed": "remove"}
"""The parts of a bar from below, and the class of the page by which each has its colour."""


@dataclass(frozen=True, slots=True)
class Bar:
    """`label` below it; `parts` by name."""

    label: str
    parts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.parts.values())


def changes_over_time(days: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """A bar for each day from the first to the last; days are gathered when there are more than fit."""
    if not days:
        return []
    by_day = {date.fromisoformat(day["day"]): day for day in days}
    first, last = min(by_day), max(by_day)
    step = days_a_bar(first, last)
    label = "%m-%d" if first.year == last.year else "%Y-%m"
    bars = []
    start = first
    while start <= last:
        within = [by_day[day] for day in (start + timedelta(at) for at in range(step)) if day in by_day]
        parts = {
            "added": sum(int(one["people_added"]) + int(one["members_added"]) for one in within),
            "changed": sum(int(one["people_changed"]) + int(one["groups_changed"]) for one in within),
            "removed": sum(int(one["people_removed"]) + int(one["members_removed"]) for one in within),
        }
        bars.append(Bar(start.strftime(label), parts))
        start += timedelta(step)
    return bars


def days_a_bar(first: date, last: date) -> int:
    return -(-((last - first).days + 1) // _MOST_BARS)


def stacked(bars: Sequence[Bar], title: str) -> Markup:
    """Bars side by side; "" when there is nothing to draw."""
    top = max((bar.total for bar in bars), default=0)
    if not top:
        return Markup()
    ceiling = _round_up(top)
    room, height = _WIDTH - _LEFT, _HEIGHT - _BOTTOM - _TOP
    pitch = room / len(bars)
    width = min(max(pitch * 0.72, 1.5), 64)
    parts = [_axis(ceiling, height)]
    every = -(-len(bars) // 6)
    for at, bar in enumerate(bars):
        x = _LEFT + pitch * at + (pitch - width) / 2
        y = float(_TOP + height)
        for name, style in _STYLES.items():
            tall = height * bar.parts.get(name, 0) / ceiling
            if tall:
                y -= tall
                parts.append(_rect(x, y, width, tall, style))
        if at % every == 0:
            middle = x + width / 2
            parts.append(
                f'<text x="{middle:.1f}" y="{_HEIGHT - 7}" text-anchor="middle">{escape(bar.label)}</text>'
            )
    said = ", ".join(f"{sum(bar.parts.get(name, 0) for bar in bars):,} {name}" for name in _STYLES)
    return _svg(parts, f"{title}: {said}", _HEIGHT)


def lying(rows: Sequence[tuple[str, int]], style: str, title: str) -> Markup:
    """A bar for each row, the longest as long as there is room; "" when all are empty."""
    top = max((count for _, count in rows), default=0)
    if not top:
        return Markup()
    pitch, label = 26, 150
    room = _WIDTH - label - 64
    parts = []
    for at, (name, count) in enumerate(rows):
        y = at * pitch + 4
        parts.append(f'<text x="{label - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        wide = room * count / top
        if count:
            parts.append(_rect(label, y, max(wide, 1.5), 18, style))
        parts.append(f'<text x="{label + wide + 8:.1f}" y="{y + 14}" class="value">{count:,}</text>')
    said = ", ".join(f"{name} {count:,}" for name, count in rows)
    return _svg(parts, f"{title}: {said}", pitch * len(rows) + 6)


def _axis(ceiling: int, height: int) -> str:
    lines = []
    for share in (0.0, 0.5, 1.0):
        y = _TOP + height * (1 - share)
        value = ceiling * share
        text = f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
        lines.append(f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        lines.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    return "".join(lines)


def _rect(x: float, y: float, width: float, height: float, style: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{style}"/>'


def _svg(parts: Sequence[str], said: str, height: int) -> Markup:
    return Markup(  # noqa: S704  (numbers, constants and escaped text)
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(said)}">{"".join(parts)}</svg>'
    )


def _round_up(value: int) -> int:
    """The next 1, 2, 5, 10, 20, 50, ... so that the axis has whole numbers."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if value <= step * power:
                return step * power
        power *= 10
