"""`syncd reject`: held changes that shall not happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import json_option, reason_option
from syncd.cli.deciding import all_option, asked_for, decidable, decider, ids_argument, placed
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.held_text import decided_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


@click.command(name="reject", cls=Command)
@ids_argument
@all_option
@reason_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, ids: tuple[str, ...], reason: str | None, *, everything: bool, as_json: bool
) -> int:
    """Drop held changes until the world moves.

    ID is a hold or a single change (see syncd held), or whom it is about: an e-mail, a group's name, an Okta id. What
    was approved and not applied yet is rejected likewise. A rejected change is not raised again while it stays the same
    wish; once it is no longer wanted, the rejection is forgotten. Who is not to be deactivated keeps their memberships
    too: with a deactivation the same person's held removals are rejected.
    """
    asked = asked_for(ids, everything=everything)
    with Session(globals_of(ctx), as_json=as_json) as session:
        from syncd.answers.decisions import decide  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_deciding  # noqa: PLC0415

        def work(settings: ConnectionSettings, asked: tuple[str, ...] = ()) -> Answer:
            with open_for_deciding(settings, redactor=session.redactor) as store:
                document, _ = decide(store, settings.name, asked, "reject", decider(), reason)
            lines = decided_lines(document, "They are not raised again until the world changes.")
            return Answer(document, exits.DONE, lines)

        if everything:
            return session.each(work)
        return session.some(work, placed(session, asked, decidable("reject")))
