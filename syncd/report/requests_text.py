"""What was asked of the daemon, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncd.report.lines import Line, Span, columns, faint, line, safe, strong

_NAMES = 3


def request_lines(requests: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """Those of a `syncd.status/1` document."""
    if requests:
        yield line(strong("Asked for"))
        yield from columns([_row(each) for each in requests])


def _row(request: Mapping[str, Any]) -> tuple[Span, ...]:
    names = list(_names(request["arguments"] or {}))
    about = ", ".join(map(safe, names[:_NAMES])) + (", …" if len(names) > _NAMES else "")
    what = f"{safe(request['kind'])} {about}".rstrip()
    asked = f"{safe(request['asked_at'])} by {safe(request['by'])}"
    return Span(f"  {safe(request['id'])}"), Span(what), faint(asked), _now(request)


def _names(arguments: Mapping[str, Any]) -> Iterator[str]:
    """What it is about."""
    for name, value in sorted(arguments.items()):
        if isinstance(value, str) and name != "digest":
            yield value
        elif isinstance(value, list | tuple):
            yield from value


def _now(request: Mapping[str, Any]) -> Span:
    match request["state"]:
        case "ended":
            code = int(request["exit_code"])
            return Span(f"ended with exit code {code}", "bad" if code == 1 else "warn" if code else "")
        case "taken":
            return Span(f"taken by {safe(request['owner'])}")
        case "withdrawn":
            return faint("withdrawn")
        case _:
            return Span("nobody has taken it yet", "warn")
