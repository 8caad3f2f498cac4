"""Options that several commands share: what to look at, which limits to raise, how to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from syncd.core.safety import LIMIT_NAMES
from syncd.engine.reading.selection import Selection

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr."
)
detailed_option = click.option(
    "--detailed-exitcode", "detailed", is_flag=True, help="Exit 2 when there is something to change."
)


def output_to(help: str) -> Callable[[F], F]:  # noqa: A002  (click's name)
    """-o FILE: given to the command as `output`."""
    return click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help=help)


output_option = output_to("Write to FILE (mode 0600).")


REASON_AT_MOST = 400


def _reason(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Raises click.UsageError for one that says nothing, or too much."""
    del ctx, param
    if value is None:
        return None
    if not value.strip():
        raise click.UsageError("--reason needs a text")
    if len(value) > REASON_AT_MOST:
        raise click.UsageError(f"--reason is too long: at most {REASON_AT_MOST} characters")
    return value.strip()


reason_option = click.option(
    "--reason", metavar="TEXT", callback=_reason, help="Why; it stands in the audit trail and the report."
)


def selection_options(command: F) -> Callable[..., int]:
    """--user, --group and --full: given to the command as one `selection`. Raises click.UsageError for an empty name,
    and for --full beside names.
    """

    @wraps(command)
    def selecting(
        *args: object, users: tuple[str, ...], groups: tuple[str, ...], full: bool, **options: object
    ) -> int:
        return int(command(*args, selection=selected(users, groups, full=full), **options))

    full_option = click.option(
        "--full",
        is_flag=True,
        help="Also re-read every member list, moved or not; not with --user or --group.",
    )
    return object_options(full_option(selecting))


def object_options(command: F) -> F:
    """--user and --group: given to the command as `users` and `groups`."""
    command = click.option(
        "--group", "groups", multiple=True, metavar="NAME", help="Only this group (name or id). Repeatable."
    )(command)
    return click.option(
        "--user", "users", multiple=True, metavar="EMAIL", help="Only this user (e-mail or id). Repeatable."
    )(command)


def selected(users: tuple[str, ...], groups: tuple[str, ...], *, full: bool) -> Selection:
    """Raises click.UsageError for what `selection_options` refuses."""
    if any(not text.strip() for text in (*users, *groups)):
        raise click.UsageError("--user and --group need a name")
    if full and (users or groups):
        raise click.UsageError("--full is about the whole app: leave it out, or --user and --group")
    return Selection(users, groups, full)


def _limits(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> Mapping[str, int]:
    """Reads NAME=N. Raises click.UsageError, naming the limits there are."""
    del ctx, param
    return dict(limit_of(value, "--allow") for value in values)


def limit_of(value: str, where: str) -> tuple[str, int]:
    """Reads NAME=N; `where` it stands, for errors. Raises click.UsageError, naming the limits there are."""
    name, sign, number = value.partition("=")
    name = name.strip()
    if name not in LIMIT_NAMES:
        raise click.UsageError(
            f"{where} {value}: there is no limit of this name; there are {', '.join(LIMIT_NAMES)}"
        )
    if not sign or not (number.isascii() and number.isdigit()) or len(number) > 9:
        raise click.UsageError(f"{where} {value}: write {where} {name}=N with a whole number N, 0 or more")
    return name, int(number)


allow_option = click.option(
    "--allow",
    multiple=True,
    metavar="NAME=N",
    callback=_limits,
    help=f"Raise one limit for this run: {', '.join(LIMIT_NAMES)}. Repeatable.",
)


def planning_options(command: F) -> F:
    """--allow, --detailed-exitcode and --json: what whatever makes a plan takes."""
    return allow_option(detailed_option(json_option(command)))
