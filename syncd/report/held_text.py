"""Renderers for what is held and what people decide: `syncd.held/1` and the decisions on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncd.core.counting import counted
from syncd.report.lines import BLANK, Line, Span, facts, faint, line, safe, strong
from syncd.report.plan_text import change_lines

SHOWN_OF_A_HOLD = 20
_RELEASED_USER = (
    "It stays at the target as it is. It is managed again once syncd link --user ties it, or it has left the"
    " app, a sync has seen that, and it has come back."
)
_RELEASED_GROUP = (
    "It stays at the target as it is, and its members too. No sync takes it back, whatever becomes of the group"
    " in Okta or of its push rule; syncd link does."
)


def held_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """A `syncd.held/1` document."""
    holds = document["holds"]
    for hold in holds:
        yield line(Span("Held ", "warn"), strong(safe(hold["id"])), f"  {safe(hold['reason'])}")
        if hold["numbers"]:
            yield line("  ", faint(f"numbers: {facts(hold['numbers'])}"))
        yield line("  ", faint(f"since {hold['raised_at']}, expires {hold['expires_at']}"))
        yield line("  ", faint("way out: "), safe(hold["way_out"]))
        changes = hold["changes"]
        for change in changes[:SHOWN_OF_A_HOLD]:
            yield line("    ", faint(safe(change["id"])))
            yield from change_lines(change, indent="      ")
        if len(changes) > SHOWN_OF_A_HOLD:
            yield line(
                f"    … and {len(changes) - SHOWN_OF_A_HOLD:,} more ", faint("(use --json to see all)")
            )
        yield BLANK
    for each in document["expected"]:
        yield line("Expected ", strong(safe(each["id"])), f": {_expectation(each)}")
        yield line("  ", faint(f"{safe(each['by'])} at {each['at']}: {safe(each['reason'])}"))
    if document["expected"]:
        yield BLANK
    yield from _decisions(document.get("decided", ()))
    if holds:
        total = sum(len(hold["changes"]) for hold in holds)
        yield line(
            strong(f"{safe(document['connection'])}: "),
            f"{counted(total, 'change')} held. Decide with syncd approve ID or syncd reject ID.",
        )
    else:
        yield line(strong(f"{safe(document['connection'])}: "), "nothing is held.")


def _decisions(decided: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """What people decided and counts, and how each is taken back."""
    for each in decided:
        word, style, back = _DECIDED[each["decision"]]
        where = f" in {safe(each['group'])}" if each["group"] else ""
        yield line(
            Span(f"{word} ", style),
            strong(safe(each["id"])),
            f"  {safe(each['kind'])} {safe(each['name'])}{where}",
        )
        until = f", until {each['expires_at']}" if each["expires_at"] else ""
        why = f": {safe(each['reason'])}" if each["reason"] else ""
        yield line("  ", faint(f"{safe(each['by'])} at {each['at']}{until}{why}"))
        yield line("  ", faint("take it back: "), f"syncd {back} {safe(each['id'])}")
    if decided:
        yield BLANK


_DECIDED: Mapping[str, tuple[str, str, str]] = {
    "approve": ("Approved", "good", "reject"),
    "reject": ("Rejected", "warn", "approve"),
}


def _expectation(each: Mapping[str, Any]) -> str:
    days = each["on"] if each["on"] == each["until"] else f"{each['on']} to {each['until']}"
    return f"up to {each['number']:,} {safe(each['limit']).replace('_', ' ')}, {days} (UTC)"


def expected_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """An expectation that was made or revoked."""
    for each in document["expected"]:
        yield line(strong(f"{safe(document['decision'])}: "), f"{safe(each['id'])}, {_expectation(each)}.")


def paused_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """The decision to pause or to resume."""
    pause, ends = document["pause"], document["decision"] == "resume"
    if ends:
        text = "it was not paused." if pause is None else "writing goes on with the next cycle."
    else:
        until = "until somebody resumes" if pause["until"] is None else f"until {safe(pause['until'])}"
        text = f"nothing is written {until}; reading and planning go on."
    yield line(strong(f"{safe(document['connection'])}: "), text)
    if not ends:
        yield line("  ", faint("to end it: "), "syncd resume")


def decided_lines(
    document: Mapping[str, Any], after: str, nothing: str = "nothing is held."
) -> Iterator[Line]:
    """A decision on held or failed changes; `after` says what follows from it, `nothing` that there were none."""
    items = document["items"]
    for item in items[:SHOWN_OF_A_HOLD]:
        yield line("  · ", f"{safe(item['kind'])} {safe(item['name'])}")
    if len(items) > SHOWN_OF_A_HOLD:
        yield line(f"  … and {len(items) - SHOWN_OF_A_HOLD:,} more")
    text = f"{counted(len(items), 'change')}. {after}" if items else nothing
    yield line(strong(f"{safe(document['decision'])}: "), text)


def retried_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """The decision to try again."""
    sick = document.get("quarantine")
    if sick is None or document["items"]:
        yield from decided_lines(document, "The next sync tries again.", "nothing has failed.")
    if sick is None:
        return
    if sick["side"] == "relink":
        text = "it waits for syncd relink, and nothing else ends it."
    else:
        side = str(sick["side"]).capitalize()
        text = f"{side} is asked at once whether it is over: by the daemon's next look, or the next sync."
    yield line(strong("quarantine: "), text)


def released_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """The decision to release objects, and what becomes of each."""
    for item in document["items"]:
        yield line(
            f"{'Untied' if document['decision'] == 'unlink' else 'Released'} {safe(item['object'])} ",
            strong(str(item["name"])),
            "  ",
            faint(f"{item['okta_id']}, {document['connection']}"),
        )
        yield line(faint(_RELEASED_GROUP if item["object"] == "group" else _RELEASED_USER))
