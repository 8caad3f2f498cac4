"""`syncd expect`: an approval in advance, of one limit for a window ahead."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import json_option, limit_of
from syncd.cli.deciding import decider
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.errors import UsageError
from syncd.report.held_text import expected_lines

if TYPE_CHECKING:
    from syncd.core.expectation import Expectation
    from syncd.ports import Store
    from syncd.settings import ConnectionSettings

_DAY = click.DateTime(formats=["%Y-%m-%d"])
REASON_AT_MOST = 400


@click.command(name="expect", cls=Command)
@click.argument("raised", required=False, metavar="[NAME=N]")
@click.option("--on", "first", type=_DAY, metavar="DATE", help="The day, in UTC: 2026-12-01.")
@click.option("--until", "last", type=_DAY, metavar="DATE", help="The last day, if there are several.")
@click.option("--reason", metavar="TEXT", help="Why; it stands in the audit trail.")
@click.option("--revoke", "revoked", metavar="ID", help="Take an expectation back (see syncd held).")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    raised: str | None,
    first: datetime | None,
    last: datetime | None,
    reason: str | None,
    revoked: str | None,
    *,
    as_json: bool,
) -> int:
    """Raise one limit for a window ahead.

    So that a great day that is known before is not held: at most N of what the limit counts pass in all the days
    together, in every run and in the daemon. syncd held lists what is expected; --revoke takes it back, with --reason.
    """
    if (raised is None) == (revoked is None):
        raise click.UsageError("give NAME=N with --on and --reason, or --revoke ID")
    if revoked is not None and (first or last):
        raise click.UsageError("--revoke takes --reason and nothing else")
    expectation = None if raised is None else _expectation(raised, first, last, reason)
    with Session(globals_of(ctx), as_json=as_json) as session:
        from syncd.answers.decisions import expect, revoke  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_deciding  # noqa: PLC0415

        def answered(store: Store, settings: ConnectionSettings) -> Answer:
            if expectation is not None:
                document = expect(store, settings.name, expectation)
            else:
                document = revoke(store, settings.name, revoked or "", decider(), reason)
            return Answer(document, exits.DONE, expected_lines(document))

        settings = session.only_connection("expect")
        with open_for_deciding(settings, redactor=session.redactor) as store:
            answer = answered(store, settings)
        return session.one(answer)


def _expectation(
    raised: str, first: datetime | None, last: datetime | None, reason: str | None
) -> Expectation:
    """Raises UsageError for what is incomplete, or over."""
    from syncd.core.expectation import Expectation  # noqa: PLC0415

    name, number = limit_of(raised, "expect")
    if first is None:
        raise click.UsageError("--on DATE says when it is expected")
    if reason is None or not reason.strip():
        raise click.UsageError("--reason TEXT says why; it stands in the audit trail")
    if len(reason) > REASON_AT_MOST:
        raise click.UsageError(f"--reason is too long: at most {REASON_AT_MOST} characters")
    begins, ends = first.date(), (last or first).date()
    now = datetime.now(UTC)
    _refuse_no_window(begins, ends, now.date())
    return Expectation.of_days(name, number, begins, ends, by=decider(), at=now, reason=reason.strip())


def _refuse_no_window(begins: date, ends: date, today: date) -> None:
    if ends < begins:
        raise UsageError(f"--until {ends} lies before --on {begins}", hint="swap them")
    if ends < today:
        raise UsageError(f"{ends} is past: today is {today} (UTC)", hint="an expectation is about what comes")
