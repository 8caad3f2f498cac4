"""`syncd check`: the "Test connector configuration" button."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli.choices import json_option
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.text import check_lines

if TYPE_CHECKING:
    from syncd.answers.check.check import Checked
    from syncd.settings import ConnectionSettings, Problem


@click.command(name="check", cls=Command)
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> int:
    """Test the connection on both sides; changes nothing.

    One line for each probe: settings, secrets, store, Okta (token, app, scopes, rate limits, push rules), Split (token,
    users, groups, PATCH or PUT, token age), the clock, what nobody can probe, and whether syncd could create users,
    update attributes and push groups. Exit 1 when a probe fails, 78 for settings and secrets.
    """
    with Session(globals_of(ctx), as_json=as_json) as session:

        def work(settings: ConnectionSettings) -> Answer:
            from syncd.answers.check.check import check  # noqa: PLC0415  (the engine)
            from syncd.wiring import bench  # noqa: PLC0415

            with session.watcher(settings) as observer:
                found = [_without_file(one) for one in session.warnings if _same(one.file, settings.path)]
                observer.phase("checking")
                return _answer(check(bench(settings, found, observer=observer, redactor=session.redactor)))

        def broken(name: str, problems: list[Problem]) -> Answer:
            from syncd.answers.check.check import settings_failed  # noqa: PLC0415  (the engine)

            return _answer(settings_failed(name, [str(problem) for problem in problems]))

        session.listen()
        return session.each(work, broken=broken)


def _answer(result: Checked) -> Answer:
    return Answer(result.document, result.exit_code, check_lines(result.document))


def _same(file: Path, path: Path) -> bool:
    return file.absolute() == path


def _without_file(problem: Problem) -> str:
    place = "" if problem.line is None else f"line {problem.line} "
    return f"{place}{problem.path}: {problem.message}" if problem.path else problem.message
