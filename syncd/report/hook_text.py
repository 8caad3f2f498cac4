"""Renderer of `syncd.hook/1`: what a super administrator enters in Okta. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.report.lines import BLANK, Line, Span, columns, faint, line, safe, strong


def hook_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """The form of the admin console, field by field; or, after a test, what was proven."""
    if (found := document.get("test")) is not None:
        yield line(
            Span("\u2713 ", "good"),
            f"{safe(found['url'])}: verified, a sample stored, a wrong secret refused",
        )
        return
    first = document["connections"][0]
    if document["connection"] != first:
        yield line("the hook of ", strong(safe(first)), ": one serves all connections of an org")
        return
    names = ", ".join(map(safe, document["connections"]))
    yield line(strong(f"An event hook for {safe(document['org_url'])}"), faint(f"  ({names})"))
    if not document["listen"]:
        yield line(
            Span("hooks.listen is not set here: nobody hears it on this machine. ", "warn"),
            "See docs/event-hooks.md.",
        )
    yield line("Okta admin console, as a super administrator: Workflow, Event Hooks, Create Event Hook")
    secret = (
        f"what hooks.secret refers to: {safe(document['secret'])}"
        if document["secret"]
        else "not set: hooks.secret"
    )
    yield from columns(
        [
            [faint("Endpoint URL"), Span(safe(document["url"]))],
            [faint("Authentication field"), Span(safe(document["header"]))],
            [faint("Authentication secret"), Span(secret)],
        ],
        widest=120,
    )
    yield line("Subscribe to these events, and no others:")
    for event in document["events"]:
        yield line(f"  {safe(event)}")
    yield BLANK
    yield line(faint("Then Verify. One hook serves all connections of the org. To try it: syncd hook test"))
