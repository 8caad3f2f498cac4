"""Styled lines: what people read, before a terminal (or no terminal) decides about colour."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from syncd.redact import clip, strip_controls

LONGEST_VALUE = 120


@dataclass(frozen=True, slots=True)
class Span:
    """`style` is a meaning (good, warn, bad, add, change, remove, strong, faint), "" for plain. `verbatim`: somebody
    else's words, in which a command is not one of ours.
    """

    text: str
    style: str = ""
    verbatim: bool = field(default=False, compare=False)


Line = tuple[Span, ...]
BLANK: Line = ()


def line(*parts: str | Span) -> Line:
    """A line of our own words (plain) and spans."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def strong(text: str) -> Span:
    return Span(safe(text), "strong", verbatim=True)


def faint(text: str) -> Span:
    return Span(safe(text), "faint")


def verbatim(text: object, length: int = 400, style: str = "") -> Span:
    """What a server or a person said, as `safe`, and never changed."""
    return Span(safe(text, length), style, verbatim=True)


def safe(text: object, length: int = 400) -> str:
    """Somebody else's text, harmless and of bounded length."""
    return clip(strip_controls(str(text)), length)


def who_is_left(skip: Mapping[str, Any]) -> str:
    """Who or what is left alone; the name alone does not say it where two want one name."""
    name, okta_id = safe(skip["name"]), safe(skip["okta_id"])
    if skip["kind"] == "conflict" and name and okta_id:
        return f"{name} ({okta_id})"
    return name or okta_id or "(no name)"


def shown(value: object) -> str:
    """An attribute's value: text in quotes, None as (not set)."""
    if value is None:
        return "(not set)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(clip(strip_controls(value), LONGEST_VALUE), ensure_ascii=False).replace(
            "\\\\", "\\"
        )
    return safe(value, LONGEST_VALUE)


def shown_of(path: str, value: object) -> str:
    """An attribute's value in its own words: an account is active or inactive."""
    if path == "active" and isinstance(value, bool):
        return "active" if value else "inactive"
    return shown(value)


def plain(lines: Iterable[Line]) -> str:
    """The lines without any style, each ended by a line break."""
    return "".join("".join(span.text for span in one) + "\n" for one in lines)


def facts(numbers: Mapping[str, object]) -> str:
    """Numbers of a check: "allowed 3, planned 12"."""
    return ", ".join(
        f"{safe(key).replace('_', ' ')} {_number(value)}" for key, value in sorted(numbers.items())
    )


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else safe(value)


def columns(rows: Sequence[Sequence[Span]], *, indent: int = 2, widest: int = 48) -> list[Line]:
    """Rows as aligned columns; a cell wider than `widest` pushes the rest of its own row only."""
    if not rows:
        return []
    widths = [
        max((len(row[at].text) for row in rows if at < len(row) and len(row[at].text) <= widest), default=0)
        for at in range(max(len(row) for row in rows))
    ]
    result: list[Line] = []
    for row in rows:
        spans: list[Span] = [Span(" " * indent)]
        for at, cell in enumerate(row):
            spans.append(cell)
            if at < len(row) - 1:
                spans.append(Span(" " * (max(widths[at] - len(cell.text), 0) + 2)))
        result.append(tuple(spans))
    return result


def skipped_lines(skipped: Collection[Mapping[str, Any]], most: int) -> Iterator[Line]:
    """A heading with how many were skipped, and so many of them; documents as in a plan."""
    yield line(strong("Skipped"), f" ({len(skipped):,})")
    for skip in islice(skipped, most):
        yield line("  · ", who_is_left(skip), "  ", faint(f"{skip['kind']}: {skip['reason']}"))
