"""Renderers for who is left out: `syncd.skipped/1`, and the same items in `syncd.status/1`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.core.counting import counted
from syncd.report.lines import BLANK, Line, Span, faint, line, safe, strong

SHOWN = 1000
"""A list is read, searched and copied from; beyond that `--json` has the rest."""


def skipped_document_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """A `syncd.skipped/1` document: how many there are of each kind, then each with its reason and its way out."""
    items = document["items"]
    if not items:
        yield line(strong(f"{safe(document['connection'])}: "), "nobody and nothing is left out.")
        return
    kinds = ", ".join(f"{count:,} {_words(kind)}" for kind, count in document["by_kind"].items())
    for item in items[:SHOWN]:
        yield from left_out_lines(item)
    if len(items) > SHOWN:
        yield line(f"  … and {len(items) - SHOWN:,} more ", faint("(use --json to see all)"))
    yield BLANK
    yield line(
        strong(f"{safe(document['connection'])}: "), f"{counted(len(items), 'object')} left out ({kinds})."
    )


def left_out_lines(item: Mapping[str, Any]) -> Iterator[Line]:
    """Who, why; since when, what has to be done first; and the command to copy, alone on its line."""
    yield line("  - ", Span(_who(item), "warn"), f"  {_words(item['kind'])}: {safe(item['reason'], 1000)}")
    again = f", looked at again {item['next_look']}" if item["next_look"] else ""
    first = f"; {item['advice']}" if item["advice"] else ""
    yield line("      ", faint(f"since {item['since']}{again}{first}"))
    yield line("      ", safe(item["way_out"], 1000))


def _who(item: Mapping[str, Any]) -> str:
    where = f" in {safe(item['group'])}" if item.get("group") else ""
    return f"{safe(item['object'])}{where} ({safe(item['okta_id'])})"


def _words(kind: object) -> str:
    return safe(kind).replace("_", " ")
