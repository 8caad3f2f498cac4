"""What people read of drift: the syncd.drift document in, styled lines out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from syncd.core.counting import counted
from syncd.core.drift_news import tally
from syncd.report.lines import BLANK, Line, Span, faint, line, safe, shown_of, strong

SHOWN_OF_A_KIND = 50
_KINDS: Mapping[str, tuple[str, str, str]] = {
    "missing_user": ("-", "remove", "Users that are missing at the target"),
    "wrongly_active_user": ("!", "bad", "Users that are active and should not be"),
    "wrongly_inactive_user": ("!", "warn", "Users that are inactive and should not be"),
    "changed_user": ("~", "change", "Users with other values"),
    "missing_group": ("-", "remove", "Groups that are missing at the target"),
    "renamed_group": ("~", "change", "Groups with another name"),
    "missing_member": ("-", "remove", "Members that are missing"),
    "extra_member": ("+", "add", "Members that were added"),
    "unmanaged_user": ("·", "faint", "Users that nobody manages (reported, never touched)"),
    "unmanaged_group": ("·", "faint", "Groups that nobody manages (reported, never touched)"),
    "unknown": ("?", "warn", "Cannot tell"),
}
"""By kind: a symbol, a style, a heading; in the order in which they are shown."""


def drift_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """At most 50 items of a kind, then how many more there are."""
    order = list(_KINDS)
    items = sorted(document["items"], key=lambda item: order.index(item["kind"]))
    for kind, group in groupby(items, key=lambda item: str(item["kind"])):
        found = list(group)
        yield line(strong(_KINDS[kind][2]), f" ({len(found):,})")
        for item in found[:SHOWN_OF_A_KIND]:
            yield from _item_lines(item)
        if len(found) > SHOWN_OF_A_KIND:
            yield line(f"  … and {len(found) - SHOWN_OF_A_KIND:,} more ", faint("(use --json to see all)"))
        yield BLANK
    for note in document["notes"]:
        yield line(Span("note: ", "warn"), safe(note))
    yield _summary(document)


def _item_lines(item: Mapping[str, Any]) -> Iterator[Line]:
    symbol, style, _ = _KINDS[item["kind"]]
    about = item["object"]
    name = safe(about["name"])
    if about["group"] is not None:
        name += f" {'in' if item['kind'] == 'extra_member' else 'out of'} {safe(about['group'])}"
    yield line("  ", Span(f"{symbol} {name}", style), "  ", faint(safe(item["reason"])))
    if item["kind"] in ("changed_user", "wrongly_active_user", "wrongly_inactive_user", "renamed_group"):
        yield from _sides(item)
    if item["repair"]:
        yield line("      ", faint("repair: "), safe(item["repair"]))


def _sides(item: Mapping[str, Any]) -> Iterator[Line]:
    """Each value on all three sides."""
    sides = [(word, item[word]) for word in ("wanted", "remembered", "found") if item[word] is not None]
    for key in sorted({key for _, side in sides for key in side}):
        values = ", ".join(f"{word} {shown_of(key, side.get(key))}" for word, side in sides)
        yield line("      ", f"{safe(key)}: ", values)


def _number_of(kind: str, count: int) -> str:
    noun = kind.replace("_", " ")
    return counted(count, noun, noun if kind == "unknown" else "")


def _summary(document: Mapping[str, Any]) -> Line:
    compared = document["compared"]
    looked = (
        f"compared {counted(compared.get('users', 0), 'user')}, {counted(compared.get('groups', 0), 'group')},"
        f" {counted(compared.get('memberships', 0), 'membership')}"
    )
    if not document["complete"]:
        return line(Span("Drift: not everything could be read", "bad"), f"; {looked}.")
    counts = tally(document)
    kinds = ", ".join(_number_of(kind, count) for kind, count in document["summary"].items())
    listed = f" ({kinds})" if kinds else ""
    if not counts.found and not counts.never_written:
        return line(Span("No drift", "good"), f": what syncd manages is as it left it{listed}; {looked}.")
    return line(Span("Drift", "warn"), f": {counts}{listed}; {looked}.")
