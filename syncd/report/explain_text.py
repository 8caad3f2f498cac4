"""Renderer of `syncd.explain/1`: one object, the questions of a cycle with ticks and crosses, and what comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from syncd.report.lines import BLANK, Line, Span, columns, faint, line, safe, shown, strong, verbatim
from syncd.report.plan_text import change_lines

SHOWN = 20
LONGEST_DETAIL = 1000
_MARKS: Mapping[str, tuple[str, str]] = {"yes": ("✓", "good"), "no": ("✗", "bad"), "unknown": ("?", "warn")}
_STYLES: Mapping[str, str] = {
    "synced": "good",
    "unknown": "warn",
    "pending": "change",
    "not_assigned": "faint",
    "inactive": "faint",
    "not_in_scope": "faint",
    "unmanaged": "faint",
}
_MEMBERSHIPS: Mapping[str, str] = {"in": "yes", "to_add": "no", "to_remove": "no", "released": "unknown"}


def explain_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """The verdict first, then the steps that led to it."""
    state = str(document["state"])
    yield line(
        strong(str(document["name"])),
        f"  {safe(document['object'])} ",
        faint(", ".join(safe(each) for each in (document["okta_id"], document["scim_id"]) if each)),
    )
    yield line(
        Span(state.replace("_", " "), _STYLES.get(state, "warn")), f": {safe(document['summary'], 600)}"
    )
    yield BLANK
    width = max((len(step["question"]) for step in document["steps"]), default=0)
    for step in document["steps"]:
        mark, style = _MARKS[str(step["answer"])]
        question = f"  {safe(step['question']):<{width}}  "
        yield line("  ", Span(mark, style), question, safe(step["detail"], LONGEST_DETAIL))
    yield from _part("Attributes", document.get("attributes"), _attributes)
    yield from _part("Groups", document.get("memberships"), _memberships)
    yield from _part("The next cycle would send", document.get("next"), _next)
    yield from _held(document.get("holds") or ())
    yield from _part("Last changes", document.get("last_changes"), _last)


def _part(
    title: str,
    rows: Sequence[Mapping[str, Any]] | None,
    lines: Callable[[Sequence[Mapping[str, Any]]], Iterator[Line]],
) -> Iterator[Line]:
    """Nothing at all where there are no rows."""
    if rows:
        yield BLANK
        yield line(strong(title))
        yield from lines(rows)


def _attributes(rows: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    table = [[faint(each) for each in ("SCIM", "in Okta", "mapped by", "wanted", "pushed", "at the target")]]
    table += [
        [
            Span(safe(row["attribute"])),
            Span(_input(row.get("input") or {})),
            faint(safe(row["source"])),
            *(Span(shown(row[key])) for key in ("wanted", "pushed", "target")),
        ]
        for row in rows
    ]
    yield from columns(table)


def _input(read: Mapping[str, Any]) -> str:
    """What was read: the value alone where it is one."""
    if len(read) == 1:
        [value] = read.values()
        return shown(value)
    return ", ".join(f"{safe(name)} {shown(value)}" for name, value in read.items()) or "-"


def _memberships(rows: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    table = []
    for row in rows[:SHOWN]:
        state = str(row["state"])
        mark, style = _MARKS[_MEMBERSHIPS.get(state, "unknown")]
        words = state.replace("_", " ")
        table.append([Span(mark, style), Span(safe(row["group"])), Span(words), faint(safe(row["detail"]))])
    yield from columns(table)
    yield from _more(len(rows))


def _next(changes: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    for change in changes[:SHOWN]:
        yield line("  ", faint(safe(change["kind"])))
        yield from change_lines(change, indent="    ")
    yield from _more(len(changes))


def _held(holds: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    for hold in holds:
        yield BLANK
        yield line(Span("Held ", "warn"), strong(str(hold["id"])), f"  {safe(hold['reason'])}")
        yield line("  ", faint("way out: "), safe(hold["way_out"]))
        for change in hold["changes"][:SHOWN]:
            yield from change_lines(change, indent="    ")
        yield from _more(len(hold["changes"]))


def _last(changes: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    table = []
    for change in changes:
        mark, style = _MARKS["yes" if change["applied"] else "no"]
        told = change["reason"] or change["note"] or ""
        why = verbatim(change["error"], 160, "faint") if change["error"] else faint(safe(told, 160))
        table.append(
            [
                Span(mark, style),
                Span(safe(change["at"])),
                Span(f"{safe(change['kind'])} {safe(change['object'])}"),
                why,
                faint(safe(change["run_id"])),
            ]
        )
    yield from columns(table)


def _more(total: int) -> Iterator[Line]:
    if total > SHOWN:
        yield line(f"  … and {total - SHOWN:,} more ", faint("(use --json to see all)"))
