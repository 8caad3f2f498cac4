"""Renderer for `syncd.doctor/1`: one text for support."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from syncd.core.counting import counted
from syncd.report.lines import BLANK, Line, Span, line, safe, strong, verbatim
from syncd.report.text import check_lines, status_lines


def doctor_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """A `syncd.doctor/1` document."""
    yield line(strong(f"syncd doctor: {safe(document['connection'])}"), f", {safe(document['created_at'])}")
    yield from _titled("Versions", _pairs(document["versions"]))
    if document["settings"] is not None:
        yield from _titled("Settings", _tables(document["settings"]))
    if document["check"] is not None:
        yield from _titled("Check", check_lines(document["check"]))
    if document["status"] is not None:
        yield from _titled("Status", status_lines(document["status"]))
        yield from _titled("Left out", _left_out(document["status"]["left_out"]))
    if document["store"] is not None:
        yield from _titled("Store", _store(document["store"]))
    yield from _titled("Last errors", _errors(document))
    yield from _titled("Secrets", _secrets(document))


def _titled(title: str, lines: Iterator[Line]) -> Iterator[Line]:
    yield BLANK
    yield line(strong(title))
    yield from lines


def _pairs(values: Mapping[str, Any]) -> Iterator[Line]:
    for key, value in sorted(values.items()):
        if isinstance(value, Mapping):
            yield line(
                f"  {safe(key)}: ", ", ".join(f"{safe(k)} {safe(v)}" for k, v in sorted(value.items()))
            )
        else:
            yield line(f"  {safe(key)}: ", safe(value))


def _tables(settings: Mapping[str, Any]) -> Iterator[Line]:
    for table, values in settings.items():
        if isinstance(values, Mapping):
            yield line(f"  [{safe(table)}]")
            for key, value in values.items():
                yield line(f"  {safe(key)} = ", safe(json.dumps(value)))
        else:
            yield line(f"  {safe(table)} = ", safe(json.dumps(values), 4000))


def _left_out(left_out: Mapping[str, Any]) -> Iterator[Line]:
    yield line(f"  {counted(left_out['count'], 'object')} left alone")


def _store(store: Mapping[str, Any]) -> Iterator[Line]:
    size = "not there yet" if store["bytes"] is None else counted(store["bytes"], "byte")
    yield line("  ", safe(store["path"]), f": {size}")
    if store["error"]:
        yield line("  ", Span(safe(store["error"]), "bad"))
    found = store["integrity"]
    if found is None:
        return
    if found["intact"]:
        whole = f"  pages, audit trail and seals are whole, {counted(found['rows'], 'row')}, head "
        yield line(Span(whole, "good"), safe(found["head"]))
        return
    if found["problem"]:
        yield line(
            Span(f"  the audit trail is broken at row {found['broken_at']}: ", "bad"), safe(found["problem"])
        )
    for each in found["altered"]:
        yield line(Span(f"  {safe(each['table'])}: ", "bad"), safe(each["problem"]))


def _errors(document: Mapping[str, Any]) -> Iterator[Line]:
    if not document["errors"]:
        yield line("  none")
    for error in document["errors"]:
        yield line(
            f"  {safe(error['started'])} {safe(error['kind'])} {safe(error['status'])}: ",
            verbatim(error["message"]),
        )


def _secrets(document: Mapping[str, Any]) -> Iterator[Line]:
    for each in document["secrets"]:
        how = (
            "searched for in this text, and not found"
            if each["searched"]
            else "cannot be read, so not searched for"
        )
        yield line(f"  {safe(each['setting'])}: {how}")
    if not document["secrets"]:
        yield line("  the settings cannot be used: there was none to search for")
