"""`syncd pause`: nothing is written until somebody resumes, or a time comes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.deciding import decider
from syncd.cli.expect import REASON_AT_MOST
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.errors import UsageError
from syncd.report.held_text import paused_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_TIMES = "give 2h, 18:00 (by this machine's clock), 2026-12-01T06:00Z or 2026-12-01T06:00+01:00"

reason_option = click.option("--reason", metavar="TEXT", help="Why; it stands in the audit trail.")


@click.command(name="pause", cls=Command)
@click.option("--until", "said", metavar="TIME", help="When it ends by itself: 2h, 18:00, 2026-12-01T06:00Z.")
@reason_option
@json_option
@click.pass_context
def command(ctx: click.Context, said: str | None, reason: str | None, *, as_json: bool) -> int:
    """Write nothing until syncd resume, or a time.

    Reading, planning and looking for drift go on, and what Okta wants waits. It counts at once, also for a run that is
    writing now and for the daemon, which is told nothing else. Who paused and why goes into the audit trail.
    """
    now = datetime.now(UTC)
    until = None if said is None else end_of(said, now)
    why = reason_of(reason)
    with Session(globals_of(ctx), as_json=as_json) as session:
        from syncd.answers.decisions import pause  # noqa: PLC0415  (the engine)
        from syncd.core.pausing import Pause  # noqa: PLC0415
        from syncd.wiring import open_for_deciding  # noqa: PLC0415

        def work(settings: ConnectionSettings) -> Answer:
            session.learn(settings)
            made = Pause(decider(), now, until, session.redactor.kept(why))
            with open_for_deciding(settings, redactor=session.redactor) as store:
                document = pause(store, settings.name, made)
            return Answer(document, exits.DONE, paused_lines(document))

        return session.each(work)


def reason_of(said: str | None) -> str:
    """Raises UsageError for one that is too long."""
    why = " ".join((said or "").split())
    if len(why) > REASON_AT_MOST:
        raise click.UsageError(f"--reason is too long: at most {REASON_AT_MOST} characters")
    return why


def end_of(said: str, now: datetime) -> datetime:
    """The moment that is meant, UTC and to the second. A time without a zone is this machine's. Raises UsageError for
    what is no time, or past.
    """
    if found := re.fullmatch(r"([0-9]{1,5})([mhd])", said):
        end = now + timedelta(**{_UNITS[found[2]]: int(found[1])})
    elif found := re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", said):
        end = _next_at(int(found[1]), int(found[2]), now)
    else:
        try:
            end = datetime.fromisoformat(said).astimezone(UTC)
        except (ValueError, OverflowError):
            raise UsageError(f"--until {said} is no time", hint=_TIMES) from None
    if end <= now:
        raise UsageError(f"--until {said} is past: it is {now:%Y-%m-%dT%H:%M:%SZ}", hint=_TIMES)
    return end.replace(microsecond=0)


def _next_at(hour: int, minute: int, now: datetime) -> datetime:
    """Today, or tomorrow where it is later than that, by this machine's clock."""
    try:
        at = time(hour, minute)
    except ValueError:
        raise UsageError(f"--until {hour}:{minute:02} is no time of a day", hint=_TIMES) from None
    today = now.astimezone().date()
    ends = (datetime.combine(today + timedelta(days=days), at).astimezone(UTC) for days in (0, 1))
    return next(end for end in ends if end > now)
