"""A finished plan as a document and as lines for people, neither of which holds all its changes in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from syncd.core.change import change_document
from syncd.core.plan import digest_of, plan_document, skipped_document
from syncd.report.lines import Line
from syncd.report.plan_text import plan_lines

if TYPE_CHECKING:
    from syncd.engine.planned import Planned


def plan_document_of(planned: Planned) -> dict[str, Any]:
    """The contract's plan document with its changes as an iterator (`jsondoc.pieces`): they stay on disk."""
    header = planned.header
    held = {hold.id: list(planned.held(hold.id)) for hold in header.holds}
    whole = plan_document(header, (), held)
    digest = digest_of({**whole, "changes": map(change_document, planned.changes())})
    return {**whole, "changes": map(change_document, planned.changes()), "digest": digest}


def shown_lines(planned: Planned) -> list[Line]:
    """The plan for people; bounded, however many changes there are."""
    header = planned.header
    parts: dict[str, Any] = {
        "summary": {kind.value: count for kind, count in header.summary.items()},
        "skipped": [skipped_document(skip) for skip in header.skipped],
        "allow": header.allow,
    }
    holds = [
        (
            {
                "id": hold.id,
                "reason": hold.reason,
                "way_out": hold.way_out,
                "numbers": hold.numbers,
                "count": hold.changes,
            },
            map(change_document, planned.held(hold.id)),
        )
        for hold in header.holds
    ]
    return list(plan_lines(parts, map(change_document, planned.changes()), holds))
