"""`syncd init`: a starter configuration, never over an existing file."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from syncd.cli.exits import DONE
from syncd.cli.options import Command
from syncd.cli.session import Session
from syncd.errors import PermanentError, UsageError
from syncd.report.lines import BLANK, line, strong

_NEXT = (
    "edit the three lines marked (1) to (3)",
    "export the two variables named in it: OKTA_API_TOKEN and SPLIT_SCIM_TOKEN",
    "syncd check      tests both sides and changes nothing",
    "syncd plan       shows what would change",
    "syncd sync       does it",
)
_COMMAND = re.compile(r"^syncd \w+")


@click.command(name="init", cls=Command)
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.pass_context
def command(ctx: click.Context, path: Path | None) -> int:
    """Write a commented starter configuration.

    PATH is the file to write (default: that of --config, else config.toml), or a directory to write config.toml into.
    An existing file is never overwritten.
    """
    from syncd.cli.options import globals_of  # noqa: PLC0415
    from syncd.settings import starter  # noqa: PLC0415  (pydantic)

    with Session(globals_of(ctx)) as session:
        place = _place(path, session.said.configs)
        target = place / "config.toml" if place.is_dir() else place
        _write(target, _named(starter(), target))
        found = target == Path("config.toml") and "SYNCD_CONFIG" not in os.environ
        named = "" if found else f" --config {shlex.quote(str(target))}"
        steps = [_COMMAND.sub(rf"\g<0>{named}", text) for text in _NEXT]
        session.console.answer(
            [line("Wrote ", strong(str(target)), "."), BLANK, line("Next:")]
            + [line(f"  {number}. {text}") for number, text in enumerate(steps, 1)]
        )
        return DONE


def _place(path: Path | None, configs: Sequence[Path]) -> Path:
    """Where the file goes: the argument, else --config. Raises UsageError for several places."""
    places = list(dict.fromkeys([*([path] if path else []), *configs]))
    if len(places) > 1:
        named = ", ".join(map(str, places))
        raise UsageError(
            f"init writes one file, and there are {len(places)}: {named}", hint="Name one of them."
        )
    return places[0] if places else Path("config.toml")


def _named(text: str, path: Path) -> str:
    """The starter with the name of its file, where that is one and tells anything."""
    stem = path.stem
    if stem == "config" or stem.endswith(".db") or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", stem):
        return text
    return text.replace('name = "split-prod"', f'name = "{stem}"', 1)


def _write(path: Path, text: str) -> None:
    """Raises PermanentError when the file exists or cannot be made."""
    try:
        # Exclusive: whatever is there, a link included, stays as it is. Readable by its owner only, because
        # people do write secrets into settings in spite of all advice.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise PermanentError(
            f"{path} exists and is left as it is", hint="Give another path: syncd init PATH"
        ) from None
    except OSError as error:
        raise PermanentError(
            f"{path} cannot be written: {error.strerror}", hint="Check the path and its rights."
        ) from None
    except ValueError as error:
        raise PermanentError(f"the path cannot be used: {error}", hint="Give another path.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
