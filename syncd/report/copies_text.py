"""Renderer for `syncd.backup/1`, `syncd.restore/1` and `syncd.store-copy/1`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.core.counting import counted
from syncd.report.lines import Line, Span, faint, line, safe, strong


def backup_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """A `syncd.backup/1` document."""
    yield _done(
        document, "the backup is whole", f": {safe(document['file'])}, {counted(document['bytes'], 'byte')}."
    )
    yield line(
        f"  Chain and seals were checked in it: {counted(document['rows'], 'row')} of the audit trail."
    )
    yield line("  head: ", safe(document["head"]))
    yield line("  ", faint("It holds names and addresses, no secret: keep it as private as the store."))


def restore_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """A `syncd.restore/1` document."""
    rows = counted(document["rows"], "row")
    yield _done(document, "restored", f" from {safe(document['file'])}, with {rows} of the audit trail.")
    if document["kept"] is None:
        yield line("  There was no store before.")
    else:
        yield line(f"  The store that was there lies in {safe(document['kept'])}.")
    yield from _ended_lines(document["ended"])
    yield line(
        "  What people decided since the backup is not in it: repeat each release and each rejection before you resume."
    )
    yield line("  ", Span("Paused", "warn"), ": nothing is written until somebody has looked.")
    yield line("  Next: syncd plan, syncd drift, then syncd resume")


def store_copy_lines(document: Mapping[str, Any], *, into_fleet: bool) -> Iterator[Line]:
    """A `syncd.store-copy/1` document."""
    tables = document["tables"]
    yield _done(document, "moved", f" from {safe(document['from'])} to {safe(document['to'])}.")
    yield line(
        f"  {counted(tables['users'], 'user')}, {counted(tables['groups'], 'group')},"
        f" {counted(tables['members'], 'membership')}, {counted(document['rows'], 'row')} of the audit trail;"
        " rows, chain and seals were compared."
    )
    yield line("  head: ", safe(document["head"]))
    if document["kept"] is not None:
        yield line(f"  What was left behind there before lies in {safe(document['kept'])}.")
    yield line("  ", faint("The place it came from refuses from now on, and says where it is."))
    # A file is worked with by its own settings, not through the fleet.
    plan = "syncd plan there" if into_fleet else "syncd -c SETTINGS plan, with the settings of that file"
    yield line(f"  Next: {plan}, which is empty when nothing changed meanwhile.")


def _done(document: Mapping[str, Any], what: str, more: str) -> Line:
    return line(strong(f"{safe(document['connection'])}: "), Span(what, "good"), more)


def _ended_lines(ended: Mapping[str, int]) -> Iterator[Line]:
    """Of the backup: it may all have been done after it was made."""
    said = [counted(number, kind[:-1]) for kind, number in ended.items() if number]
    if said:
        yield line(
            f"  Of the backup does not count any more: {', '.join(said)}. Ask, approve and expect anew what is still"
            " wanted."
        )
