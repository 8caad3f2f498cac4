"""`syncd show`: a saved plan, for a terminal, a pull request, a browser or a script."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from syncd.cli import exits, planfile
from syncd.cli.choices import json_option, output_option
from syncd.cli.files import OutputFile
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Session
from syncd.report import jsondoc

FORMATS = ("text", "md", "html", "json")


@click.command(name="show", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="text (as it is), md for a pull request, html, json."
)
@click.option("--all", "everything", is_flag=True, help="Every line, not the first of each kind only.")
@output_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    file: Path,
    form: str | None,
    output: Path | None,
    *,
    everything: bool,
    as_json: bool,
) -> int:
    """Show a saved plan (from syncd plan -o FILE) without applying it.

    The size of it first, then what is held, then every kind of change. Needs no settings and asks nobody; an edited
    plan is refused (exit 3).
    """
    from syncd.core.plan import read_plan  # noqa: PLC0415

    if as_json and form not in (None, "json"):
        raise click.UsageError(f"--json and --format {form} exclude each other")
    chosen = "json" if as_json else form or "text"
    with Session(globals_of(ctx), as_json=chosen == "json") as session:
        text = planfile.read(file)
        read_plan(text, str(file))
        document: dict[str, Any] = json.loads(text)
        if output is not None:
            OutputFile(output, "the plan", instead="Without -o it goes to stdout.").write(
                _pieces(chosen, document, everything=everything)
            )
        elif chosen == "text":
            from syncd.report.plan_text import saved_plan_lines  # noqa: PLC0415

            session.console.answer(saved_plan_lines(document, everything=everything))
        else:
            session.console.data(_pieces(chosen, document, everything=everything))
    return exits.DONE


def _pieces(form: str, document: Mapping[str, Any], *, everything: bool) -> Iterable[str]:
    most = {"most": len(document["changes"]) + 1} if everything else {}
    if form == "json":
        return jsondoc.pieces(document)
    if form == "md":
        from syncd.report.plan_md import plan_markdown  # noqa: PLC0415

        return plan_markdown(document, **most)
    if form == "html":
        from syncd.report.html import plan_html  # noqa: PLC0415  (jinja2)

        return [plan_html(document)]
    from syncd.report.lines import plain  # noqa: PLC0415
    from syncd.report.plan_text import saved_plan_lines  # noqa: PLC0415

    return [plain(saved_plan_lines(document, everything=everything))]
