"""Renderer of `syncd.groups/1`: the target's groups beside what is linked to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.core.counting import counted
from syncd.report.lines import BLANK, Line, Span, columns, faint, line, safe, strong

_STYLES: Mapping[str, str] = {
    "linked": "good",
    "by_hand": "good",
    "unlinking": "warn",
    "frozen": "warn",
    "waiting": "warn",
    "missing": "bad",
    "released": "faint",
    "not_linked": "faint",
}


def groups_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """One row for each group: name, link state, owner, members in Okta and at the target, the Okta group."""
    rows = [[faint(each) for each in ("group", "link", "owner", "members Okta/Split", "Okta group", "id")]]
    for item in document["items"]:
        link, members = str(item["link"]), item["members"]
        rows.append(
            [
                Span(safe(item["name"])),
                Span(link.replace("_", " "), _STYLES.get(link, "")),
                Span(safe(item["owner"])),
                Span(f"{_number(members['okta'])}/{_number(members['target'])}"),
                Span(safe(item["okta_name"]) if item["okta_name"] is not None else "-"),
                faint(safe(item["scim_id"] or "-")),
            ]
        )
    yield from columns(rows)
    yield BLANK
    managed = sum(item["owner"] == "syncd" for item in document["items"])
    yield line(
        strong(f"{safe(document['connection'])}: "),
        f"{counted(len(document['items']), 'group')}, {managed:,} managed. ",
        faint("To tie one by hand: syncd link GROUP TARGET"),
    )


def _number(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"
