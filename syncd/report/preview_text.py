"""Renderer of `syncd.preview/1`: what other settings would change, in numbers and names."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from syncd.core.counting import counted
from syncd.report.lines import BLANK, Line, Span, columns, faint, line, safe, shown, strong
from syncd.report.plan_text import change_lines

SHOWN = 50


def preview_lines(document: Mapping[str, Any], *, everything: bool = False) -> Iterator[Line]:
    """The numbers first, then whom they are about; of changes 50 are shown, or `everything`."""
    most = sys.maxsize if everything else SHOWN
    yield line(
        strong(str(document["connection"])),
        f": {safe(document['new'])} against {safe(document['current'])},"
        f" {counted(int(document['people']), 'person', 'people')} looked at. Nothing was written.",
    )
    yield BLANK
    yield from _settings(document["settings"])
    yield from _attributes(document["attributes"])
    yield from _standings(document["standings"])
    yield from _changes("Only with the new settings", document["appearing"], most)
    yield from _changes("No longer with the new settings", document["disappearing"], most)
    for hold in document["holds"]:
        changes = counted(int(hold["changes"]), "change")
        yield line(Span("Would be held ", "warn"), f"({changes}): {safe(hold['reason'])}")
        yield line("  ", faint("way out: "), safe(hold["way_out"]))
    yield _summary(document["counts"])


def _settings(rows: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    if not rows:
        yield line("The two settings say the same of what is planned.")
    else:
        yield line(strong("Settings"), f" ({len(rows)})")
        table = [[faint(each) for each in ("setting", "current", "new")]]
        table += [
            [Span(safe(row["setting"])), *(Span(safe(row[key] or "-", 160)) for key in ("current", "new"))]
            for row in rows
        ]
        yield from columns(table)
    yield BLANK


def _attributes(rows: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    if not rows:
        return
    yield line(strong("Attributes"))
    for row in rows:
        parts = [
            f"{int(row[key]):,} {words}"
            for key, words in (
                ("given", "would be given one"),
                ("changed", "another"),
                ("blanked", "lose theirs"),
            )
            if row[key]
        ]
        style = "warn" if row["blanked"] else "change"
        people = counted(int(row["people"]), "person", "people")
        yield line("  ", Span(safe(row["attribute"]), style), f": {people} ({', '.join(parts)})")
        for one in row["examples"]:
            yield line(f"    {safe(one['name'])}: ", shown(one["current"]), faint(" → "), shown(one["new"]))
        yield from _more(int(row["people"]) - len(row["examples"]), "    ")
    yield BLANK


def _standings(rows: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    for row in rows:
        people = counted(int(row["people"]), "person", "people")
        names = ", ".join(safe(one["name"]) for one in row["examples"])
        yield line(
            Span(f"{people} {row['current']} now, {row['new']} then", "warn"),
            f": {names}  ",
            faint(safe(row["reason"])),
        )
    if rows:
        yield BLANK


def _changes(title: str, changes: Iterable[Mapping[str, Any]], most: int) -> Iterator[Line]:
    more = 0
    for number, change in enumerate(changes):
        if number == 0:
            yield line(strong(title))
        if number < most:
            yield line("  ", faint(safe(str(change["kind"]).replace("_", " "))))
            yield from change_lines(change, "    ")
        else:
            more += 1
    yield from _more(more, "  ")


def _more(count: int, indent: str) -> Iterator[Line]:
    if count > 0:
        yield line(f"{indent}… and {count:,} more ", faint("(use --all or --json)"))


def _summary(counts: Mapping[str, Mapping[str, int]]) -> Line:
    parts = []
    for kind, count in counts.items():
        more, less = count["appearing"], count["disappearing"]
        if more or less:
            words = [f"{more:,} more" if more else "", f"{less:,} less" if less else ""]
            parts.append(f"{kind.replace('_', ' ')}: {' and '.join(word for word in words if word)}")
    return line(strong("Compared: "), f"{'; '.join(parts) or 'nothing would change'}.")
