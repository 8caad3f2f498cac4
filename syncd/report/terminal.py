"""Lines for a terminal: broken between words where they are too long, and with the time by the reader's clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, tzinfo

from syncd.report.lines import Line, Span

NARROWEST = 40
"""Columns: in fewer nothing is readable, and nothing is broken."""
_MOMENT = re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_WORD = re.compile(r"\s+|\S+")


def with_local_times(line: Line, zone: tzinfo | None = None) -> Line:
    """Beside each UTC time the same by the clock of `zone` (None: this machine's); nothing where that is UTC."""
    return tuple(
        replace(span, text=_MOMENT.sub(lambda found: _local(found[0], zone), span.text)) for span in line
    )


def _local(said: str, zone: tzinfo | None) -> str:
    moment = datetime.fromisoformat(said)
    try:
        here = moment.astimezone(zone)
    except (OverflowError, ValueError, OSError):  # a year that no clock of this machine has
        return said
    if not here.utcoffset():
        return said
    day = "" if here.date() == moment.date() else f"{here:%Y-%m-%d} "
    return f"{said} ({day}{here:%H:%M %Z})"


def folded(line: Line, width: int) -> Iterator[Line]:
    """The same words in lines of at most `width` columns, the further ones indented by two more. A longer word has a
    line of its own.
    """
    text = "".join(span.text for span in line)
    if width < NARROWEST or len(text) <= width:
        yield line
        return
    indent = len(text) - len(text.lstrip(" "))
    hang = " " * (min(indent, width // 2) + 2)
    row: list[Span] = []
    used = 0
    for gap, word in _words(line):
        length = sum(len(span.text) for span in word)
        if row and used > len(hang) and used + len(gap) + length > width:
            yield tuple(row)
            row, used = [Span(hang), *word], len(hang) + length
        else:
            row += [Span(gap), *word]
            used += len(gap) + length
    if row:
        yield tuple(row)


def _words(line: Line) -> Iterator[tuple[str, list[Span]]]:
    """Each word with the space before it; one may be of several styles."""
    gap, word = "", list[Span]()
    for span in line:
        for part in _WORD.findall(span.text):
            if not part.isspace():
                word.append(replace(span, text=part))
            elif word:
                yield gap, word
                gap, word = part, []
            else:
                gap += part
    if word:
        yield gap, word
