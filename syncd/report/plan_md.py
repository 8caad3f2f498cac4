"""A saved plan as Markdown (GitHub's), for a pull request. Long lists are cut; the file has them whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from syncd.report.lines import facts, shown_of
from syncd.report.plan_text import change_title, heading_of, summary_text
from syncd.report.report_md import cell
from syncd.report.size_text import size_sentence

SHOWN_OF_A_KIND = 100


def plan_markdown(document: Mapping[str, Any], most: int = SHOWN_OF_A_KIND) -> Iterator[str]:
    """`document` is a `syncd.plan/1`; at most `most` changes of a kind are shown."""
    yield f"# Plan for {cell(document['connection'])}\n\n"
    if "size" in document:
        yield f"**{cell(size_sentence(document['size']))}.**\n\n"
    yield f"{cell(summary_text(document))} Made {cell(document['created_at'])}, kind {cell(document['kind'])}, "
    yield f"digest {cell(document['digest'])}.\n"
    for hold in document["holds"]:
        yield f"\n## Held: {cell(hold['check'])} ({len(hold['changes']):,})\n\n"
        yield f"{cell(hold['reason'])}\n\n- {cell(facts(hold['numbers']))}\n- way out: {cell(hold['way_out'])}\n"
        yield from _tables(hold["changes"], most, level=3)
    yield from _tables(document["changes"], most, level=2)
    if document["skipped"]:
        yield f"\n## Skipped ({len(document['skipped']):,})\n\n"
        rows = [
            (each["name"] or each["okta_id"], each["kind"], each["reason"]) for each in document["skipped"]
        ]
        yield from _table(("Who", "Kind", "Reason"), rows, most)


def _tables(changes: Iterable[Mapping[str, Any]], most: int, *, level: int) -> Iterator[str]:
    for kind, group in groupby(changes, key=lambda change: str(change["kind"])):
        rows = [(change_title(each), _differences(each), each["reason"]) for each in group]
        yield f"\n{'#' * level} {cell(heading_of(kind))} ({len(rows):,})\n\n"
        yield from _table(("Who", "What", "Why"), rows, most)


def _differences(change: Mapping[str, Any]) -> str:
    before, after = change["before"], change["after"]
    if not before or change.get("group") is not None:
        return ""
    return "; ".join(
        f"{path}: {shown_of(path, before.get(path))} → {shown_of(path, after.get(path))}"
        for path in sorted({*before, *after})
    )


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]], most: int) -> Iterator[str]:
    yield f"| {' | '.join(head)} |\n|{' --- |' * len(head)}\n"
    for row in rows[:most]:
        yield f"| {' | '.join(cell(each) for each in row)} |\n"
    if len(rows) > most:
        yield f"\n… and {len(rows) - most:,} more, in the file.\n"
