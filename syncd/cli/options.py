"""Options that every command understands, before or after its name, and the command classes that know them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from syncd.errors import ConfigurationError
from syncd.files import read_regular
from syncd.redact import Redactor

_LARGEST_BUNDLE = 16 * 1024 * 1024


@dataclass(slots=True)
class Globals:
    """What was said before and after the command, together."""

    configs: list[Path] = field(default_factory=list)
    fleet: Path | None = None
    connections: list[str] = field(default_factory=list)
    verbose: int = 0
    quiet: bool = False
    log_format: str = "text"
    log_format_given: bool = False
    no_color: bool = False
    redactor: Redactor = field(default_factory=Redactor)
    """Learns the secrets when they are read; everything printed afterwards passes it."""
    command: str = ""
    """Its name, once it is known."""
    on_command: Callable[[], None] = lambda: None
    """Is called then, before anything of it is imported."""
    hung_up: Callable[[], bool] = lambda: False
    """Whether SIGHUP came until now."""

    @property
    def in_fleet(self) -> bool:
        """Whether connections of a fleet are meant."""
        return self.fleet is not None or bool(self.connections)


def globals_of(ctx: click.Context) -> Globals:
    """The options before the command's name."""
    return ctx.find_root().ensure_object(Globals)


class _ConfigPath(click.Path):
    """An empty path (`-c "$UNSET"`) is a mistake, not the working directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty.", param, ctx)
        return super().convert(value, param, ctx)


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    said = globals_of(ctx)
    if param.name == "config":
        said.configs.extend(value)
    elif param.name == "fleet":
        said.fleet = value or said.fleet
    elif param.name == "connection":
        said.connections.extend(value)
    elif param.name == "verbose":
        said.verbose += value
    elif param.name == "quiet":
        said.quiet = said.quiet or value
    elif param.name == "log_format" and value is not None:
        said.log_format, said.log_format_given = value, True
    elif param.name == "no_color":
        said.no_color = said.no_color or value


def global_options() -> list[click.Option]:
    """Fresh options; each keeps what it gets in the root context's `Globals`."""

    def option(*names: str, **rest: Any) -> click.Option:
        return click.Option(names, expose_value=False, callback=_keep, **rest)

    return [
        option(
            "-c",
            "--config",
            metavar="PATH",
            multiple=True,
            type=_ConfigPath(path_type=Path),
            help="Settings file, or a directory of *.toml files. Repeatable. "
            "Default: $SYNCD_CONFIG, ./config.toml, /etc/syncd/config.toml.",
        ),
        option(
            "--fleet",
            metavar="FILE",
            type=_ConfigPath(path_type=Path),
            help="Instead of --config: fleet.toml, for the connections of a fleet.",
        ),
        option(
            "--connection",
            metavar="NAME",
            multiple=True,
            help="With --fleet: only this connection. Repeatable.",
        ),
        option("-v", "--verbose", count=True, help="Say more on stderr; -vv also shows tracebacks."),
        option("-q", "--quiet", is_flag=True, help="Only errors on stderr, no progress."),
        option("--log-format", type=click.Choice(["text", "json"]), help="Form of what goes to stderr."),
        option("--no-color", is_flag=True, help="No colour; also with NO_COLOR set or without a terminal."),
    ]


def _split_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """The command's own options, then those that every command has."""
    own: list[tuple[str, str]] = []
    everywhere: list[tuple[str, str]] = []
    for param in command.get_params(ctx):
        if not isinstance(param, click.Option):
            continue
        record = param.get_help_record(ctx)
        if record is not None:
            (everywhere if not param.expose_value and param.callback is _keep else own).append(record)
    for title, records in (("Options", own), ("Global options (before or after the command)", everywhere)):
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


class Command(click.Command):
    """A command that also takes the global options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(global_options())

    def invoke(self, ctx: click.Context) -> Any:
        """Refuses an environment in which OpenSSL would wait for a terminal."""
        _refuse_what_openssl_would_wait_for(os.environ)
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Splits them in what is the command's and what all commands take."""
        _split_options(self, ctx, formatter)


def _refuse_what_openssl_would_wait_for(environ: Mapping[str, str]) -> None:
    """Raises ConfigurationError when $SSL_CERT_FILE names something else than a file. OpenSSL opens it when aiohttp is
    imported, whatever it is, and holds the whole process while it waits; one that is not there it passes over.
    """
    if named := environ.get("SSL_CERT_FILE"):
        try:
            read_regular(Path(named), largest=_LARGEST_BUNDLE)
        except (FileNotFoundError, PermissionError):
            pass
        except OSError as error:
            raise ConfigurationError(
                f"$SSL_CERT_FILE {named} cannot be used: {error.strerror}",
                hint="Unset it, or have it name a PEM file with the certificates of the authorities to trust.",
            ) from None


def _alike(name: str, names: Iterable[str]) -> list[str]:
    """At most three of the names: those that begin like it, else those that look like it."""
    known = list(names)
    begin = [each for each in known if each.startswith(name.lower())]
    if begin:
        return begin[:3]
    from difflib import get_close_matches  # noqa: PLC0415  (only when something went wrong)

    return get_close_matches(name.lower(), known)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for.

    `lazy` maps a name to one line of help: the list of commands is shown without importing any. NAME is the `command`
    of syncd.cli.NAME, or what the module `within` calls so.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, str], within: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy, self._within = dict(lazy), within
        self.params.extend(global_options())

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command's module, and no other's."""
        del ctx
        if cmd_name not in self.lazy:
            return None
        module = importlib.import_module(f"syncd.cli.{self._within or cmd_name}")
        command = getattr(module, cmd_name if self._within else "command")
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises click.UsageError that names the command which was probably meant."""
        if args and args[0] not in self.lazy and not args[0].startswith("-"):
            meant = _alike(args[0], self.lazy)
            also = f" Did you mean {' or '.join(map(repr, meant))}?" if meant else ""
            ctx.fail(f"No such command {args[0]!r}.{also}")
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _split_options(self, ctx, formatter)
        self.format_commands_of(formatter)

    def format_commands_of(self, formatter: click.HelpFormatter) -> None:
        """All in one list."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, text in self.lazy.items()])


def group_of(name: str, commands: Mapping[str, str], *, description: str) -> LazyGroup:
    """A command of commands, which are in its own module; without one of them there is nothing to do but to say which
    ones there are.
    """

    def say_which(ctx: click.Context) -> None:
        if ctx.invoked_subcommand is None:
            raise click.exceptions.NoArgsIsHelpError(ctx)

    return LazyGroup(
        name=name,
        invoke_without_command=True,
        callback=click.pass_context(say_which),
        lazy=commands,
        within=name,
        help=description,
    )
