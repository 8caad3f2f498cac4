"""`syncd init`: the settings of a new connection, by asking or as a starter to edit; never over an existing file."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.asking import can_ask
from syncd.cli.exits import DONE
from syncd.cli.options import Command
from syncd.cli.session import Session
from syncd.errors import PermanentError, UsageError
from syncd.report.lines import BLANK, line, strong

if TYPE_CHECKING:
    from syncd.settings.filled import Reply

_EDIT = (
    "edit the three lines marked (1) to (3)",
    "export the two variables named in it: OKTA_API_TOKEN and SPLIT_SCIM_TOKEN",
)
_NEXT = (
    "syncd check      tests both sides and changes nothing",
    "syncd plan       shows what would change",
    "syncd sync       does it",
)
_COMMAND = re.compile(r"^syncd \w+")
_NEEDED = ("org_url", "app_id", "base_url")


@click.command(name="init", cls=Command)
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--org-url", default="", metavar="URL", help="The Okta org.")
@click.option("--app-id", default="", metavar="ID", help="The Okta app to provision from.")
@click.option(
    "--client-id", default="", metavar="ID", help="Sign in with this service app (needs --key-file)."
)
@click.option(
    "--key-file", type=click.Path(path_type=Path), metavar="FILE", help="Its private key (PEM or JWK)."
)
@click.option("--okta-token-file", type=click.Path(path_type=Path), metavar="FILE", help="Okta's API token.")
@click.option("--base-url", default="", metavar="URL", help="Split's SCIM connector base URL.")
@click.option("--split-token-file", type=click.Path(path_type=Path), metavar="FILE", help="Its access token.")
@click.option(
    "--token-created", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="When that was made."
)
@click.option("--flavor", type=click.Choice(["split", "harness", "scim"]), help="Default: split.")
@click.option(
    "--push-group", "push_groups", multiple=True, metavar="NAME", help="A group to push. Repeatable."
)
@click.option(
    "--name", default="", metavar="NAME", help="Of the connection. Default: the file's, if it has one."
)
@click.option("--starter", is_flag=True, help="Ask nothing: write the commented starter.")
@click.pass_context
def command(ctx: click.Context, /, path: Path | None, *, starter: bool, **options: Any) -> int:
    """Set up a connection by asking, or write a starter.

    PATH is the file to write (default: that of --config, else config.toml), or a directory to write config.toml into.
    An existing file is never overwritten. On a terminal it asks, tries each answer at once, writes the secrets into
    files of their own (0600), and ends with syncd check. Without one, or with --starter, it writes the commented
    starter; with options that say what it needs, that filled in.
    """
    from syncd.cli.options import globals_of  # noqa: PLC0415

    with Session(globals_of(ctx)) as session:
        place = _place(path, session.said.configs)
        target = place / "config.toml" if place.is_dir() else place
        _refuse_taken(target)
        if starter and any(options.values()):
            raise UsageError("--starter stands alone", hint="Leave it out, or the other options.")
        if starter or not (can_ask() or any(options.values())):
            return _starter(session, target)
        given = _given(options)
        if not can_ask():
            return _from_options(session, target, given)
        okta = options["key_file"] or options["okta_token_file"]
        return _asked(ctx, session, target, given, (okta, options["split_token_file"]))


# without asking


def _starter(session: Session, target: Path) -> int:
    from syncd.settings import starter  # noqa: PLC0415  (pydantic)

    text = starter().replace('name = "split-prod"', f'name = "{_stem(target)}"', 1)
    _write(target, text)
    _told(session, target, _EDIT)
    return DONE


def _from_options(session: Session, target: Path, given: Reply) -> int:
    """Raises UsageError when they do not say enough, ConfigurationError when what they say does not go together."""
    from syncd.settings import parse  # noqa: PLC0415  (pydantic)
    from syncd.settings.filled import OKTA_VARIABLE, SPLIT_VARIABLE, filled  # noqa: PLC0415

    missing = [f"--{key.replace('_', '-')}" for key in _NEEDED if not getattr(given, key)]
    if missing:
        raise UsageError(
            f"init needs {', '.join(missing)} too", hint="On a terminal it asks for what is missing."
        )
    given = replace(given, name=given.name or _stem(target), flavor=given.flavor or "split")
    text = filled(given)
    parse(text, file=target, environ=os.environ)
    _write(target, text)
    secrets = {OKTA_VARIABLE: "OKTA_API_TOKEN", SPLIT_VARIABLE: "SPLIT_SCIM_TOKEN"}
    named = [secrets[each] for each in (given.okta_secret, given.split_secret) if each in secrets]
    _told(session, target, [f"export {' and '.join(named)}"] if named else [])
    return DONE


def _given(said: Mapping[str, Any]) -> Reply:
    """What the options say. Raises UsageError for what is wrong, or does not go together."""
    from syncd.settings.filled import OKTA_VARIABLE, SPLIT_VARIABLE, Reply, judged, quoted  # noqa: PLC0415

    def reference(file: Path | None, otherwise: str) -> str:
        return otherwise if file is None else f"{{ file = {quoted(str(file.absolute()))} }}"

    if bool(said["client_id"]) != bool(said["key_file"]):
        raise UsageError("--client-id and --key-file belong together: a service app signs in with both")
    if said["client_id"] and said["okta_token_file"]:
        raise UsageError(
            "--okta-token-file is an API token's, and --client-id a service app's: leave one out"
        )
    values = {}
    for key in ("org_url", "app_id", "base_url", "name"):
        try:
            values[key] = judged(key, said[key]) if said[key] else ""
        except UsageError as error:
            raise UsageError(f"--{key.replace('_', '-')}: {error.message}", hint=error.hint) from None
    created = said["token_created"]
    return Reply(
        **values,
        client_id=said["client_id"],
        okta_secret=reference(said["key_file"] or said["okta_token_file"], OKTA_VARIABLE),
        split_secret=reference(said["split_token_file"], SPLIT_VARIABLE),
        flavor=said["flavor"] or "",
        token_created=created.date() if created else None,
        push_groups=said["push_groups"],
    )


# by asking


def _asked(
    ctx: click.Context, session: Session, target: Path, given: Reply, named: tuple[Path | None, Path | None]
) -> int:
    """Ends with what check says, and with its exit code."""
    from syncd.cli.check import command as check  # noqa: PLC0415
    from syncd.cli.interview import Interview, SecretFiles  # noqa: PLC0415  (pydantic)
    from syncd.settings.filled import filled, quoted  # noqa: PLC0415

    def files(name: str) -> tuple[Path, Path]:
        return target.with_name(f"{name}.okta-token"), target.with_name(f"{name}.split-token")

    def refuse_taken_names(name: str) -> None:
        for file in files(name):
            _refuse_taken(file, "Choose another name, or move that file away.")

    session.listen()
    reply, secrets = Interview(session, target, given, SecretFiles(*named), refuse_taken_names).answers()
    okta, split = files(reply.name)
    if secrets.okta:
        _write(okta, f"{secrets.okta}\n")
        reply = replace(reply, okta_secret=f"{{ file = {quoted(okta.name)} }}")
    if secrets.split:
        _write(split, f"{secrets.split}\n")
        reply = replace(reply, split_secret=f"{{ file = {quoted(split.name)} }}")
    _write(target, filled(reply))
    wrote = [file.name for file, value in ((okta, secrets.okta), (split, secrets.split)) if value]
    beside = f", and the secrets into {' and '.join(wrote)} beside it (0600)" if wrote else ""
    session.console.answer([line("Wrote ", strong(str(target)), f"{beside}."), BLANK])
    session.said.configs[:] = [target]
    code = int(ctx.invoke(check, as_json=False))
    _told(
        session,
        target,
        ["syncd check      once what failed above is mended"] if code else [],
        steps=_NEXT[1:],
    )
    return code


# both


def _told(session: Session, target: Path, first: Sequence[str], steps: Sequence[str] = _NEXT) -> None:
    found = target == Path("config.toml") and "SYNCD_CONFIG" not in os.environ
    named = "" if found else f" --config {shlex.quote(str(target))}"
    wrote = [line("Wrote ", strong(str(target)), ".")] if steps is _NEXT else []
    numbered = enumerate([_COMMAND.sub(rf"\g<0>{named}", text) for text in (*first, *steps)], 1)
    session.console.answer(
        [*wrote, BLANK, line("Next:"), *(line(f"  {number}. {text}") for number, text in numbered)]
    )


def _stem(path: Path) -> str:
    """The name of the file where it tells anything, and is fit for one."""
    stem = path.stem
    unfit = stem == "config" or stem.endswith(".db")
    return "split-prod" if unfit or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", stem) else stem


def _place(path: Path | None, configs: Sequence[Path]) -> Path:
    """Where the file goes: the argument, else --config. Raises UsageError for several places."""
    places = list(dict.fromkeys([*([path] if path else []), *configs]))
    if len(places) > 1:
        named = ", ".join(map(str, places))
        raise UsageError(
            f"init writes one file, and there are {len(places)}: {named}", hint="Name one of them."
        )
    return places[0] if places else Path("config.toml")


def _refuse_taken(path: Path, hint: str = "Give another path: syncd init PATH") -> None:
    """Raises PermanentError when something is there."""
    if "\0" not in str(path) and os.path.lexists(path):
        raise PermanentError(f"{path} exists and is left as it is", hint=hint)


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
