"""`syncd schema`: the JSON Schemas of the documents, and of the settings file."""

from __future__ import annotations

import json
from importlib import resources

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Session
from syncd.errors import UsageError

SETTINGS, FLEET_SETTINGS = "settings", "fleet-settings"


@click.command(name="schema", cls=Command)
@click.argument("name", required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, name: str | None, *, as_json: bool) -> int:
    """Print the JSON Schema of a document, or of the settings.

    NAME is that of a document (plan, run, status, ...: what stands in its "schema", with or without syncd. and /1), or
    settings for a settings file and fleet-settings for fleet.toml, as editors of TOML take them. With another name, or
    none, the error lists them.
    """
    del as_json  # it is JSON anyway
    with Session(globals_of(ctx), as_json=True) as session:
        session.console.data([schema_text(name or "")])
    return exits.DONE


def schema_text(name: str) -> str:
    """Raises UsageError with the list for an unknown name."""
    short = name.removeprefix("syncd.").removesuffix("/1")
    if short == SETTINGS:
        from syncd.settings.json_schema import settings_schema  # noqa: PLC0415  (pydantic)

        return json.dumps(settings_schema(), indent=2) + "\n"
    if short == FLEET_SETTINGS:
        from syncd.settings.json_schema import fleet_schema  # noqa: PLC0415  (pydantic)

        return json.dumps(fleet_schema(), indent=2) + "\n"
    known = schema_names()
    if short not in known:
        what = f"no schema is called {name!r}" if name else "which schema is wanted?"
        raise UsageError(what, hint=f"There are: {', '.join(known)}.")
    return (_folder() / f"{short}.json").read_text(encoding="utf-8")


def schema_names() -> list[str]:
    """All of them, sorted."""
    files = [file.name for file in _folder().iterdir()]
    return sorted(
        [SETTINGS, FLEET_SETTINGS, *(file.removesuffix(".json") for file in files if file.endswith(".json"))]
    )


def _folder() -> resources.abc.Traversable:
    return resources.files("syncd.report") / "schemas"
