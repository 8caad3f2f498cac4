"""`syncd report`: runs, changes, decisions, drift, failures and who has access, for auditors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import click

from syncd.cli import exits
from syncd.cli.choices import output_option
from syncd.cli.deciding import knows_run, placed_one
from syncd.cli.files import OutputFile
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Session
from syncd.errors import SyncdError, UsageError
from syncd.report import jsondoc

if TYPE_CHECKING:
    from syncd.report.view import Report, Unavailable
    from syncd.settings import ConnectionSettings


class Format(StrEnum):
    """What a report is written as; the value is also the file's suffix, except for text."""

    TEXT = "text"
    HTML = "html"
    MD = "md"
    JSON = "json"
    CSV = "csv"


_SUFFIXES = {
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".md": Format.MD,
    ".markdown": Format.MD,
    ".json": Format.JSON,
    ".csv": Format.CSV,
    ".txt": Format.TEXT,
}


@click.command(name="report", cls=Command)
@click.option(
    "--format",
    "form",
    type=click.Choice([each.value for each in Format]),
    help="Default: by the suffix of FILE, else text.",
)
@click.option(
    "--since", metavar="TIME", help="Only what happened since: 7d, 12h, or a date (2026-03-01, UTC)."
)
@click.option("--run", "run_id", metavar="ID", help="Only this run.")
@output_option
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_context
def command(
    ctx: click.Context,
    form: str | None,
    since: str | None,
    run_id: str | None,
    output: Path | None,
    *,
    as_json: bool,
) -> int:
    """Write the audit report: who has access, since when, why.

    Runs, changes, who approved what, drift, failures and how long they lasted, safety events, and current access by
    group. Reads only the store, also while a sync runs. A file is whole or not there. Access and what is open are
    always as of now; --since and --run narrow what happened.
    """
    chosen = _format(form, output, as_json=as_json)
    if since is not None and run_id is not None:
        raise click.UsageError("--since and --run exclude each other: a run has its own time")
    with Session(globals_of(ctx), as_json=chosen is Format.JSON) as session:
        now = datetime.now(UTC)
        begin = None if since is None else _moment(since, now)
        file = None
        if output is not None:
            file = OutputFile(output, "the report", instead="Leave -o out for the report on stdout.")
            for settings in session.load().connections:
                file.spare(settings)
        with ExitStack() as stores:
            reports, codes = _reports(session, stores, now, begin, run_id)
            if file is None:
                _show(session, chosen, reports, now)
            elif any(code == exits.DONE for code in codes):
                file.write(_file_pieces(chosen, reports, now))
                session.note(f"The report is written to {file.path}")
        return exits.worst(codes)


def _format(form: str | None, output: Path | None, *, as_json: bool) -> Format:
    """Raises click.UsageError when two things are asked for at once."""
    if as_json:
        if form not in (None, Format.JSON):
            raise click.UsageError(f"--json and --format {form} exclude each other")
        return Format.JSON
    if form is not None:
        return Format(form)
    if output is None:
        return Format.TEXT
    found = _SUFFIXES.get(output.suffix.lower())
    if found is None:
        raise click.UsageError(
            f"the suffix of {output} names no format: add --format, or use one of its suffixes"
        )
    return found


def _moment(text: str, now: datetime) -> datetime | None:
    """Reads a duration before now, or a date; None for what is longer ago than any store. Raises UsageError, also for
    a date that is still to come.
    """
    from syncd.settings.values import read_duration  # noqa: PLC0415  (pydantic)

    said = text.strip()
    with suppress(ValueError):
        begin = datetime.combine(date.fromisoformat(said), time(), UTC)
        if begin > now:
            raise UsageError(
                f"--since {said:.40} is still to come", hint=f"Dates are in UTC, where it is {now:%Y-%m-%d}."
            )
        return _worth(begin)
    try:
        reach: timedelta = read_duration(said)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--since {text:.40} is neither a duration nor a date",
            hint="Write a whole number and one unit (12h, 7d), or a date like 2026-03-01.",
        ) from None
    try:
        return _worth(now - reach)
    except OverflowError:
        return None


def _worth(moment: datetime) -> datetime | None:
    return moment if moment.year >= 2000 else None


def _reports(
    session: Session, stores: ExitStack, now: datetime, since: datetime | None, run_id: str | None
) -> tuple[Sequence[Report | Unavailable], Sequence[int]]:
    """Every connection asked for, sorted by name, and an exit code for each; their stores stay open with `stores`."""
    from syncd.answers.report import report  # noqa: PLC0415  (the engine)
    from syncd.ports.history import Reach  # noqa: PLC0415
    from syncd.report.view import Unavailable  # noqa: PLC0415
    from syncd.settings import configuration_error  # noqa: PLC0415  (pydantic)
    from syncd.wiring import open_for_status  # noqa: PLC0415

    loaded = session.load()
    if loaded.problems:
        raise configuration_error(loaded.problems)
    connections = loaded.connections
    if run_id is not None and len(connections) > 1:
        connections = (placed_one(session, run_id, knows_run),)
    session.several = len(connections) > 1

    def one(settings: ConnectionSettings) -> tuple[Report | Unavailable, int]:
        session.learn(settings)
        try:
            store = stores.enter_context(open_for_status(settings))
            stores.enter_context(store.one_moment())
            made = report(store, settings, session.redactor, now=now, reach=Reach(since, run_id))
        except SyncdError as error:
            session.fail(error, connection=settings.name if session.several else "")
            said = session.redactor
            document = jsondoc.error_document(
                said.text(error.message), said.text(error.hint), error.exit_code, connection=settings.name
            )
            return Unavailable(document), error.exit_code
        return made, exits.DONE

    told = [one(settings) for settings in sorted(connections, key=lambda each: each.name)]
    return [made for made, _ in told], [code for _, code in told]


def _show(session: Session, form: Format, reports: Sequence[Report | Unavailable], now: datetime) -> None:
    """On stdout; an error has been said already and is no answer for people."""
    from syncd.report.view import Report  # noqa: PLC0415

    told = (
        reports if session.several or form is Format.JSON else [r for r in reports if isinstance(r, Report)]
    )
    if form is Format.TEXT:
        from syncd.report.report_text import report_lines  # noqa: PLC0415

        for one in told:
            session.console.answer(report_lines(one))
    elif told:
        session.console.data(_pieces(form, told, now))


def _file_pieces(form: Format, reports: Sequence[Report | Unavailable], now: datetime) -> Iterator[str]:
    if form is Format.CSV:
        from syncd.report.report_csv import BOM  # noqa: PLC0415

        yield BOM
    yield from _pieces(form, reports, now)


def _pieces(form: Format, reports: Sequence[Report | Unavailable], now: datetime) -> Iterable[str]:
    from syncd.core.plan import timestamp  # noqa: PLC0415

    made_at = timestamp(now)
    match form:
        case Format.HTML:
            from syncd.report.report_html import html  # noqa: PLC0415  (jinja2)

            return html(reports, made_at)
        case Format.MD:
            from syncd.report.report_md import markdown  # noqa: PLC0415

            return markdown(reports, made_at)
        case Format.CSV:
            from syncd.report.report_csv import csv_text  # noqa: PLC0415

            return csv_text(reports)
        case Format.JSON:
            documents = (_document(one) for one in reports)
            return jsondoc.pieces(next(documents)) if len(reports) == 1 else jsondoc.list_pieces(documents)
        case Format.TEXT:
            from syncd.report.lines import plain  # noqa: PLC0415
            from syncd.report.report_text import report_lines  # noqa: PLC0415

            return (plain(report_lines(one)) for one in reports)
        case _:
            assert_never(form)


def _document(one: Report | Unavailable) -> Mapping[str, Any]:
    from syncd.report.view import Report  # noqa: PLC0415

    return one.document() if isinstance(one, Report) else one.document
