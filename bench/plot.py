"""The tables as pictures: how far each number is from its goal, and how each grows. Plain SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from bench.rows import Row

_LINE, _LEFT, _WIDTH = 24, 560, 360


def _share(row: Row) -> float:
    """1 is exactly the goal, less is better."""
    assert row.goal is not None
    if row.at_least:
        return row.goal / row.value if row.value else 9.0
    if not row.goal:
        return 9.0 if row.value else 0.0
    return row.value / row.goal


def svg(rows: Sequence[Row]) -> str:
    judged = [row for row in rows if row.goal is not None]
    height = _LINE * (len(judged) + 2)
    total = _LEFT + _WIDTH + 160
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{height}" '
            f'viewBox="0 0 {total} {height}" font-family="sans-serif" font-size="12" role="img">'
        ),
        "<title>Measured against the goal: shorter is better, the line is the goal</title>",
        f'<rect width="{total}" height="{height}" fill="#ffffff"/>',
    ]
    for place, row in enumerate(judged):
        top = _LINE * (place + 1)
        width = min(_share(row), 1.25) / 1.25 * _WIDTH
        colour = "#2e7d32" if row.met else "#c62828"
        parts += [
            f'<text x="{_LEFT - 8}" y="{top + 13}" text-anchor="end" fill="#222222">{escape(row.what)}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_LINE - 8}" fill="{colour}"/>',
            (
                f'<text x="{_LEFT + _WIDTH + 8}" y="{top + 13}" fill="#222222">'
                f"{row.value:,.4g} {escape(row.unit)} (goal {'≥' if row.at_least else '≤'} {row.goal:g})</text>"
            ),
        ]
    goal = _LEFT + _WIDTH / 1.25
    parts.append(
        f'<line x1="{goal}" y1="8" x2="{goal}" y2="{height - _LINE + 4}" stroke="#222222" stroke-dasharray="4 3"/>'
    )
    return "\n".join([*parts, "</svg>", ""])


_PANELS = {
    "seconds": "time, s",
    "cpu": "CPU, s",
    "peak_mb": "peak memory, MB",
    "okta_requests": "requests to Okta",
    "target_requests": "requests to the target",
    "store_mb": "store, MB",
}
_COLOURS = {"first": "#1565c0", "full": "#2e7d32", "quiet delta": "#c62828"}
_PANEL_WIDTH, _PANEL_HEIGHT, _GAP, _COLUMNS = 240, 170, 70, 3
_DECADES = (3, 6)
"""Users, from 1,000 to 1,000,000, as powers of ten."""


def growth_svg(points: Sequence[Mapping[str, Any]]) -> str:
    """One panel for each number, over users; both axes by powers of ten. What is zero is not drawn."""
    width = _COLUMNS * (_PANEL_WIDTH + _GAP) + _GAP // 2
    height = 2 * (_PANEL_HEIGHT + _GAP) + 30
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" role="img">'
        ),
        "<title>What a cycle costs by number of users, both axes by powers of ten</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for place, (cycle, colour) in enumerate(_COLOURS.items()):
        parts.append(f'<text x="{_GAP + 130 * place}" y="20" fill="{colour}">— {cycle}</text>')
    for place, (name, title) in enumerate(_PANELS.items()):
        row, column = divmod(place, _COLUMNS)
        left, top = _GAP + column * (_PANEL_WIDTH + _GAP), 50 + row * (_PANEL_HEIGHT + _GAP)
        parts += _panel(points, name, title, left, top)
    return "\n".join([*parts, "</svg>", ""])


def _power(of_ten: int) -> str:
    return f"{10**of_ten:,}" if of_ten >= 0 else f"{10.0**of_ten:g}"


def _panel(
    points: Sequence[Mapping[str, Any]], name: str, title: str, left: float, top: float
) -> Iterator[str]:
    values = [point[name] for point in points if point[name] > 0]
    least = math.floor(math.log10(min(values)))
    most = max(math.ceil(math.log10(max(values))), least + 1)

    def across(users: float) -> float:
        return left + (math.log10(users) - _DECADES[0]) / (_DECADES[1] - _DECADES[0]) * _PANEL_WIDTH

    def down(value: float) -> float:
        return top + (most - math.log10(value)) / (most - least) * _PANEL_HEIGHT

    yield f'<text x="{left}" y="{top - 8}" fill="#222222" font-weight="bold">{title}</text>'
    for power in range(least, most + 1):
        height = down(10**power)
        yield f'<line x1="{left}" y1="{height:.1f}" x2="{left + _PANEL_WIDTH}" y2="{height:.1f}" stroke="#dddddd"/>'
        yield f'<text x="{left - 6}" y="{height + 4:.1f}" text-anchor="end" fill="#555555">{_power(power)}</text>'
    for power in range(_DECADES[0], _DECADES[1] + 1):
        below = top + _PANEL_HEIGHT + 16
        yield f'<text x="{across(10**power):.1f}" y="{below}" text-anchor="middle" fill="#555555">{10**power:,}</text>'
    for cycle, colour in _COLOURS.items():
        line = [
            (point["users"], point[name]) for point in points if point["cycle"] == cycle and point[name] > 0
        ]
        path = " ".join(f"{across(users):.1f},{down(value):.1f}" for users, value in line)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for users, value in line:
            yield f'<circle cx="{across(users):.1f}" cy="{down(value):.1f}" r="3" fill="{colour}"/>'
