"""A finished plan as a document and as lines for people, neither of which holds all its changes in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from syncd.core.canonical import CanonicalTexts
from syncd.core.plan import Hold, Signature, hold_document, plan_frame
from syncd.report.lines import Line
from syncd.report.plan_text import plan_lines

if TYPE_CHECKING:
    from syncd.engine.planning.planned import Planned


def plan_document_of(planned: Planned) -> dict[str, Any]:
    """The contract's plan document for `jsondoc.pieces`: its long lists stay on disk and are read once, so that the
    digest is known when its turn comes.
    """
    signature = Signature(_document(planned))
    changes = CanonicalTexts(signature.over(planned.stage.change_texts()))
    return {**_document(planned), "changes": changes, "digest": signature.digest}


def _document(planned: Planned) -> dict[str, Any]:
    """Without changes and digest."""
    header, stage = planned.header, planned.stage

    def held(hold: Hold) -> CanonicalTexts:
        return CanonicalTexts(stage.change_texts(hold_id=hold.id))

    return {
        **plan_frame(header),
        "holds": (hold_document(hold, held(hold)) for hold in header.holds),
        "skipped": header.skipped.documents,
    }


def shown_lines(planned: Planned, *, everything: bool = False) -> list[Line]:
    """The plan for people; bounded, however many changes there are, but with `everything`."""
    header = planned.header
    parts: dict[str, Any] = {
        "summary": {kind.value: count for kind, count in header.summary.items()},
        "skipped": header.skipped.documents,
        "allow": header.allow,
        "size": header.size.document() if header.size else None,
        "undoes": header.undoes,
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
            planned.stage.change_documents(hold_id=hold.id),
        )
        for hold in header.holds
    ]
    return list(plan_lines(parts, planned.stage.change_documents(), holds, everything=everything))
