"""What `release` and `unlink --user` share: somebody is let go, alone or by whoever has the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from syncd.cli import exits
from syncd.cli.deciding import knows_object, placed_one
from syncd.cli.interrupts import Stop
from syncd.cli.requesting import carried_out, shown_answer
from syncd.cli.session import Answer, Session
from syncd.report.held_text import released_lines

if TYPE_CHECKING:
    from syncd.core.request import ReleaseRequest, RequestResult, UnlinkUserRequest
    from syncd.ports import Store


def let_go(
    session: Session,
    whom: str,
    act: Callable[[Store, str], dict[str, Any]],
    request: ReleaseRequest | UnlinkUserRequest,
    *,
    no_wait: bool,
    reason: str | None,
) -> int:
    """`whom` names somebody of one of the connections; `act` gets its store and its name, and answers the decision
    document.
    """
    settings = placed_one(session, whom, knows_object)

    def alone() -> Answer:
        from syncd.wiring import open_for_writing  # noqa: PLC0415  (the engine)

        with open_for_writing(settings, redactor=session.redactor, event=session.event) as store:
            document = act(store, settings.name)
        return Answer(document, exits.DONE, released_lines(document))

    def shown(result: RequestResult) -> Answer:
        answer = shown_answer(session, settings, result)
        return replace(answer, lines=released_lines(answer.document))

    with Stop(session.note) as stop:
        return session.one(
            carried_out(
                session, settings, stop, lambda: request, alone, shown, no_wait=no_wait, reason=reason
            )
        )
