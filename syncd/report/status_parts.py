"""Parts of what people read of a connection's status: what keeps it from writing, and what was found at the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.report.lines import Line, Span, faint, line, safe, strong


def pause_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """Of a `syncd.status/1` document: why nothing is written though all is well."""
    pause, windows = document.get("pause"), document.get("windows")
    if pause:
        until = f", until {safe(pause['until'])}" if pause["until"] else ""
        why = f": {safe(pause['reason'])}" if pause["reason"] else ""
        yield line(
            Span("Paused", "warn"), f" by {safe(pause['by'])} since {safe(pause['since'])}{until}{why}"
        )
        yield line("  ", faint("to end it: "), "syncd resume. Nothing is written until then.")
    if windows:
        named = safe(", ".join(windows["said"]))
        if windows["open"]:
            yield line(faint("writing until "), f"{windows['closes']} ", faint(f"({named})"))
        else:
            yield line(
                Span("Outside the windows", "warn"),
                f": nothing is written before {windows['opens']} ({named})",
            )


def drift_way_out(drift: Mapping[str, Any]) -> str:
    """Of a status document's `drift`: what syncd may give back, if any of it."""
    if drift["counts"]["to_give_back"]:
        return (
            "syncd drift shows all; syncd drift --fix gives back what is syncd's to give, under the limits."
        )
    return "syncd drift shows all; none of what is left is syncd's to give back."


def drift_found_lines(drift: Mapping[str, Any] | None) -> Iterator[Line]:
    """What the last comparison with the target found; nothing before there was one."""
    if not drift:
        return
    when = f"compared {drift['compared_at']}{'' if drift['complete'] else ', not everything'}"
    if not drift["differs"]:
        yield line(faint("drift: "), safe(drift["told"]), faint(f" ({when})"))
        return
    yield line(strong("Drift"), f"  {safe(drift['told'])} ", faint(f"({when})"))
    for item in drift["items"]:
        named = f"{safe(item['object'])} in {safe(item['group'])}" if item["group"] else safe(item["object"])
        yield line(
            "  ~ ", Span(named, "warn"), f"  {safe(item['kind']).replace('_', ' ')}: {safe(item['reason'])}"
        )
    if (more := drift["differs"] - len(drift["items"])) > 0:
        yield line(f"  … and {more:,} more")
    yield line(
        "  ",
        faint("what to do: "),
        drift_way_out(drift),
    )
