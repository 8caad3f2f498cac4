"""Renderer for what a walk along the audit trail found: `syncd.audit/1`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.core.counting import counted
from syncd.report.lines import Line, Span, faint, line, safe, strong


def verification_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """A `syncd.audit/1` document of `audit verify`."""
    broken, altered = document["broken"], document["altered"]
    name = strong(f"{safe(document['connection'])}: ")
    if broken is not None:
        row = f"the audit trail is broken at row {broken['sequence']:,}: "
        yield line(name, Span(row, "bad"), safe(broken["problem"]))
        yield line("  ", f"{counted(document['rows'], 'row')} before it fit together.")
        yield line(
            "  Keep a copy of the store now, and compare it with a backup: somebody changed it by hand."
        )
    elif altered:
        rows = f"the audit trail is whole, {counted(document['length'] or 0, 'row')}, "
        yield line(name, rows, Span("but the store is not what it says:", "bad"))
    elif not document["length"]:
        yield line(name, "the audit trail is empty: nothing was ever written with this store.")
    else:
        yield line(
            name, Span("the audit trail is intact", "good"), f", {counted(document['length'], 'row')}."
        )
    for each in altered:
        yield line("  ", Span(f"{safe(each['table'])}: ", "bad"), safe(each["problem"]))
    if altered and broken is None:
        who = "the disk failed, or " if any(each["table"] == "file" for each in altered) else ""
        yield line(
            f"  Keep a copy of the store now, and go back to a backup: {who}somebody changed it by hand."
        )
    if document["pruned"]:
        until = f", none younger than {document['pruned_until']}" if document["pruned_until"] else ""
        yield line("  ", f"{counted(document['pruned'], 'row')} pruned behind a checkpoint{until}.")
    if document["head"] is not None:
        yield line("  head: ", safe(document["head"]))
    yield from _compared(document["compared"])
    if document["intact"] and document["compared"] is None and document["length"]:
        yield line(
            "  ",
            faint("Note the head elsewhere: with --head a later check finds a cut or rewritten end too."),
        )


def _compared(compared: Mapping[str, Any] | None) -> Iterator[Line]:
    found = compared["found"] if compared else ""
    if found == "row":
        yield line("  The head noted earlier is a row of it.")
    elif found == "pruned":
        yield line(
            "  ",
            Span("The head noted earlier is pruned", "warn"),
            ": nothing can be compared with it. If it is younger than the pruned rows claim to be, the checkpoint"
            " is forged.",
        )
