"""A plan for people: what would change, why, what stops it, and one line that sums it up.

Takes the parts of a plan document (contract: JSON documents, plan); streams, so a plan of any size prints in
bounded memory.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from syncd.core.counting import counted
from syncd.report.lines import (
    BLANK,
    Line,
    Span,
    facts,
    faint,
    line,
    safe,
    shown,
    shown_of,
    skipped_lines,
    strong,
)
from syncd.report.size_text import size_sentence

SHOWN_OF_A_KIND = 50
STILL_WANTED = (
    "Okta still wants what is given back: each later sync holds it (undone, see syncd held) until somebody approves it"
    " or it changes in Okta."
)

_KINDS: Mapping[str, tuple[str, str, str, str]] = {
    # kind: (symbol, style, heading, what the summary line calls them)
    "adopt_user": ("~", "change", "Users to adopt", "to adopt"),
    "create_user": ("+", "add", "Users to create", "to create"),
    "reactivate_user": ("+", "add", "Users to reactivate", "to reactivate"),
    "update_user": ("~", "change", "Users to update", "to update"),
    "create_group": ("+", "add", "Groups to create", "group to create"),
    "link_group": ("~", "change", "Groups to link", "group to link"),
    "rename_group": ("~", "change", "Groups to rename", "group to rename"),
    "add_member": ("+", "add", "Members to add", "member to add"),
    "remove_member": ("-", "remove", "Members to remove", "member to remove"),
    "deactivate_user": ("-", "remove", "Users to deactivate", "to deactivate"),
    "unlink_group": ("-", "remove", "Groups to stop managing", "group to unlink"),
    "delete_group": ("-", "remove", "Groups to delete", "group to delete"),
}


def words_of(kind: str, count: int) -> str:
    """What the summary calls so many changes of this kind: "to create", "group to link", "groups to link"."""
    words = _KINDS[kind][3] if kind in _KINDS else safe(kind).replace("_", " ")
    return words if count == 1 else words.replace("group ", "groups ").replace("member ", "members ")


def heading_of(kind: str) -> str:
    """What stands over so many changes of this kind."""
    return _KINDS[kind][2] if kind in _KINDS else kind


def plan_lines(
    header: Mapping[str, Any],
    changes: Iterable[Mapping[str, Any]],
    holds: Sequence[tuple[Mapping[str, Any], Iterable[Mapping[str, Any]]]],
    *,
    everything: bool = False,
) -> Iterator[Line]:
    """`header` has summary, skipped and, when they are known, allow (limits that were raised), size and undoes (a run);
    `changes` come in order of application.

    The size of it comes first, and each hold with its changes. Without `everything` at most 50 changes of a kind are
    shown, then how many more there are.
    """
    most = sys.maxsize if everything else SHOWN_OF_A_KIND
    summary = header["summary"]
    if size := header.get("size"):
        yield line(strong("In short: "), f"{size_sentence(size)}.")
        yield BLANK
    for kind, group in groupby(changes, key=lambda change: str(change["kind"])):
        yield from _kind_lines(kind, int(summary.get(kind, 0)), group, most)
    for hold, held in holds:
        yield from _hold_lines(hold, held, most)
    yield from _skipped_lines(header["skipped"], most)
    if allow := header.get("allow"):
        raised = ", ".join(f"{safe(name)} {number:,}" for name, number in sorted(allow.items()))
        yield line(Span("Limits raised for this plan: ", "warn"), f"{raised}.")
    if header.get("undoes"):
        yield line(STILL_WANTED)
    yield summary_line(header, sum(int(hold["count"]) for hold, _ in holds), len(holds))


def saved_plan_lines(document: Mapping[str, Any], *, everything: bool = False) -> Iterator[Line]:
    """A `syncd.plan/1` document, as `plan_lines`."""
    holds = [({**hold, "count": len(hold["changes"])}, hold["changes"]) for hold in document["holds"]]
    return plan_lines(document, document["changes"], holds, everything=everything)


def summary_text(document: Mapping[str, Any]) -> str:
    """The last line of a `syncd.plan/1` document."""
    held = sum(len(hold["changes"]) for hold in document["holds"])
    return "".join(span.text for span in summary_line(document, held, len(document["holds"])))


def _kind_lines(kind: str, total: int, changes: Iterable[Mapping[str, Any]], most: int) -> Iterator[Line]:
    yield line(strong(heading_of(kind)), f" ({total:,})")
    yield from _some(changes, "  ", most)
    yield BLANK


def _some(changes: Iterable[Mapping[str, Any]], indent: str, most: int) -> Iterator[Line]:
    more = 0
    for number, change in enumerate(changes):
        if number < most:
            yield from change_lines(change, indent)
        else:
            more += 1
    if more:
        yield line(f"{indent}… and {more:,} more ", faint("(use --all, --json or -o FILE to see all)"))


def change_lines(change: Mapping[str, Any], indent: str = "  ") -> Iterator[Line]:
    """One change: who and why on the first line, what differs, the evidence and notes below it."""
    symbol, style, _, _ = _KINDS.get(str(change["kind"]), ("?", "", "", ""))
    yield line(indent, Span(f"{symbol} {change_title(change)}", style), "  ", faint(str(change["reason"])))
    deeper = indent + "    "
    yield from _differences(change, deeper)
    if evidence := change.get("evidence"):
        yield line(deeper, faint("evidence: "), safe(evidence))
    if note := change.get("note"):
        yield line(deeper, Span("note: ", "warn"), safe(note))


def change_title(change: Mapping[str, Any]) -> str:
    """Who, and for memberships which group."""
    if change.get("group") is None:
        return safe(change["name"])
    direction = "from" if change["kind"] == "remove_member" else "to"
    return f"{safe(change.get('user') or change['name'])} {direction} {safe(change['group'])}"


def _differences(change: Mapping[str, Any], indent: str) -> Iterator[Line]:
    before, after = change["before"], change["after"]
    if change.get("group") is not None:
        return
    if not before:
        told = {
            key: value for key, value in sorted(after.items()) if value not in (None, change["name"], True)
        }
        if told:
            yield line(indent, faint(", ".join(f"{key} {shown(value)}" for key, value in told.items())))
        return
    for key in sorted({*before, *after}):
        was, shall = (shown_of(key, values.get(key)) for values in (before, after))
        yield line(indent, *([] if key == "active" else [f"{safe(key)}: "]), was, faint(" → "), shall)


def _hold_lines(hold: Mapping[str, Any], changes: Iterable[Mapping[str, Any]], most: int) -> Iterator[Line]:
    count = int(hold["count"])
    yield line(
        Span("Held ", "warn"),
        strong(str(hold["id"])),
        f": {counted(count, 'change')}  {safe(hold['reason'])}",
    )
    if hold["numbers"]:
        yield line("  ", faint(f"numbers: {facts(hold['numbers'])}"))
    yield line("  ", faint("way out: "), safe(hold["way_out"]))
    yield from _some(changes, "    ", most)
    yield BLANK


def _skipped_lines(skipped: Collection[Mapping[str, Any]], most: int) -> Iterator[Line]:
    if not skipped:
        return
    yield from skipped_lines(skipped, most)
    if len(skipped) > most:
        yield line(f"  … and {len(skipped) - most:,} more ", faint("(use --all or --json)"))
    yield BLANK


def summary_line(header: Mapping[str, Any], held: int, holds: int) -> Line:
    """Plan: 3 to create, 1 to update, 2 to deactivate; 1 held; 2 skipped."""
    parts = [
        f"{count:,} {words_of(kind, count)}" for kind in _KINDS if (count := header["summary"].get(kind))
    ]
    text = ", ".join(parts) or "nothing to change"
    if held:
        text += f"; {held:,} held"
        if holds > 1:
            text += f" (in {holds} holds)"
    if header["skipped"]:
        text += f"; {len(header['skipped']):,} skipped"
    return line(strong("Plan: "), f"{text}.")
