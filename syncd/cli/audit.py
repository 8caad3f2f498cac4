"""`syncd audit`: is the audit trail whole, and what stands in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli import exits
from syncd.cli.choices import json_option, output_option
from syncd.cli.files import OutputFile
from syncd.cli.options import Command, globals_of, group_of
from syncd.cli.session import Answer, Session
from syncd.core.counting import counted
from syncd.errors import UsageError
from syncd.report import jsondoc
from syncd.report.audit_text import verification_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


command = group_of(
    "audit",
    {
        "verify": "Check the hash chain; name the first broken row.",
        "export": "Write the trail as JSON Lines.",
    },
    description="""Check or export the audit trail.

    Every write is recorded before and after, in rows that each carry the hash of the one before.
    """,
)


@click.command(name="verify", cls=Command)
@click.option(
    "--head", metavar="SEQUENCE:HASH", help="A head noted earlier: finds a cut or rewritten end too."
)
@json_option
@click.pass_context
def verify(ctx: click.Context, head: str | None, *, as_json: bool) -> int:
    """Check the hash chain; name the first broken row.

    Reads only the store, also while a sync runs. A cut end that was signed anew is found with --head, the head that
    a run's result, a report or an earlier check named. Exit 0 when the trail is intact, 1 when it is broken.
    """

    def work(settings: ConnectionSettings) -> Answer:
        from syncd.answers.audit import verification  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_status  # noqa: PLC0415

        with open_for_status(settings) as store:
            document = verification(store, settings.name, noted)
        code = exits.DONE if document["intact"] else exits.FAILED
        return Answer(document, code, verification_lines(document))

    with Session(globals_of(ctx), as_json=as_json) as session:
        from syncd.answers.audit import noted_head  # noqa: PLC0415  (the engine)

        noted = None if head is None else noted_head(head)
        if noted is not None:
            session.only_connection("audit verify --head")
        return session.each(work)


@click.command(name="export", cls=Command)
@click.option("--since", metavar="DURATION", help="Only rows of this last time: 12h, 7d.")
@click.option("--run", "run_id", metavar="ID", help="Only rows of this run.")
@output_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead; with -o, about the file.")
@click.pass_context
def export(
    ctx: click.Context, since: str | None, run_id: str | None, output: Path | None, *, as_json: bool
) -> int:
    """Write the trail as JSON Lines.

    One object for each row, oldest first: what was to change and why, on what evidence, who approved it, and what
    the target answered. To stdout, or with -o into a file that is whole or not there. Secrets are never in it.
    """
    with Session(globals_of(ctx), as_json=as_json) as session:
        settings = session.only_connection("audit export")
        file = None
        if output is not None:
            file = OutputFile(output, "the audit trail", instead="Leave -o out for the trail on stdout.")
            file.spare(settings)
        reach = None if since is None else _duration(since)
        session.learn(settings)
        from syncd.answers.audit import SCHEMA, exported  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_status  # noqa: PLC0415

        with open_for_status(settings) as store:
            rows = _Counted(
                exported(
                    store,
                    settings.name,
                    session.redactor,
                    now=datetime.now(UTC),
                    since=reach,
                    run_id=run_id,
                )
            )
            about: dict[str, Any] = {"schema": SCHEMA, "connection": settings.name}
            if file is not None:
                file.write(_lines(rows))
                if as_json:
                    session.console.data([jsondoc.dumps(about | {"file": str(output), "rows": rows.count})])
                session.note(f"{counted(rows.count, 'row')} of the audit trail written to {output}")
            elif as_json:
                session.console.data(jsondoc.pieces(about | {"entries": iter(rows)}))
            else:
                session.console.data(_lines(rows))
            if run_id is not None and not rows.count:
                session.note(f"no row of the audit trail belongs to a run {run_id}", "warn")
    return exits.DONE


class _Counted:
    """The documents, and how many of them passed."""

    def __init__(self, documents: Iterable[Mapping[str, Any]]) -> None:
        self._documents = documents
        self.count = 0

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for document in self._documents:
            self.count += 1
            yield document


def _lines(documents: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for document in documents:
        yield json.dumps(document, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def _duration(text: str) -> timedelta:
    from syncd.settings.values import read_duration  # noqa: PLC0415  (pydantic)

    try:
        return read_duration(text.strip())
    except (ValueError, OverflowError):
        raise UsageError(
            f"--since {text:.40} is not a duration", hint="Write a whole number and one unit: 30m, 12h, 7d."
        ) from None
