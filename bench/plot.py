"""The table as a picture: how far each number is from its goal. Plain SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

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
