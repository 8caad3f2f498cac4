"""`syncd retry`: what failed, once more, without waiting for its delay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from syncd.cli import exits
from syncd.cli.choices import json_option, reason_option
from syncd.cli.deciding import decider, placed, retriable
from syncd.cli.interrupts import Stop
from syncd.cli.options import Command, globals_of
from syncd.cli.requesting import carried_out, no_wait_option
from syncd.cli.session import Answer, Session
from syncd.cli.sync import run_answer, shown_run
from syncd.core.request import RetryRequest
from syncd.report.held_text import retried_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


@click.command(name="retry", cls=Command)
@click.argument("name", required=False, metavar="[ID]")
@reason_option
@click.option("--now", "at_once", is_flag=True, help="Try it at once instead of in the next cycle.")
@json_option
@no_wait_option
@click.pass_context
def command(
    ctx: click.Context, name: str | None, reason: str | None, *, at_once: bool, as_json: bool, no_wait: bool
) -> int:
    """Try what failed again at the next sync.

    ID is the e-mail (also a former one), the group's name or the Okta id of what failed or waits for another look (see
    syncd skipped); without it, everything that failed is due. With --now only that is synced at once.
    While the whole connection is quarantined, the daemon asks at once whether that is over.
    """
    if no_wait and not at_once:
        raise click.UsageError("nothing is waited for: --no-wait goes with --now")
    with Session(globals_of(ctx), as_json=as_json) as session:
        from syncd.answers.decisions import retry  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_deciding, utc_now  # noqa: PLC0415

        def work(settings: ConnectionSettings, asked: tuple[str, ...] = ()) -> Answer:
            with open_for_deciding(settings, redactor=session.redactor) as store:
                document = retry(
                    store, settings.name, asked[0] if asked else None, decider(), utc_now(), reason
                )
            if at_once and document["items"]:
                with Stop(session.note) as stop:
                    return _sync(session, stop, settings, document["items"], no_wait=no_wait, reason=reason)
            lines = retried_lines(document)
            return Answer(document, exits.DONE, lines)

        if name is None:
            return session.each(work)
        return session.some(work, placed(session, (name,), retriable))


def _sync(
    session: Session,
    stop: Stop,
    settings: ConnectionSettings,
    items: Sequence[Mapping[str, Any]],
    *,
    no_wait: bool,
    reason: str | None,
) -> Answer:
    """A membership is looked at with its user and its group."""
    users = {item["okta_id"] for item in items if item["object"] != "group"}
    groups = {item["okta_id"] for item in items if item["object"] == "group"}
    groups |= {item["group_id"] for item in items if item["group_id"] is not None}
    request = RetryRequest(tuple(sorted(users)), tuple(sorted(groups)))

    def alone() -> Answer:
        from syncd.engine.cycles.sync import sync  # noqa: PLC0415  (the engine)
        from syncd.engine.reading.selection import Selection  # noqa: PLC0415

        with session.writing(settings, stop) as (job, _):
            result = sync(job, Selection(request.users, request.groups))
            session.tell(job, "targeted", result.status, result.problems)
        return run_answer(session, result, stop)

    session.listen()
    shown = partial(shown_run, session, settings)
    return carried_out(session, settings, stop, lambda: request, alone, shown, no_wait=no_wait, reason=reason)
