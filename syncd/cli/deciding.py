"""What the commands of decisions share: who decides, and which ids are meant."""

from __future__ import annotations

import getpass
import os
import socket

import click

from syncd.errors import UsageError


def decider() -> str:
    """Who is at the keyboard, for the audit trail: the person behind sudo, else the user, and the host."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def asked_for(ids: tuple[str, ...], *, everything: bool) -> tuple[str, ...]:
    """The ids given, or none for --all. Raises UsageError unless it is exactly one of the two."""
    if bool(ids) == everything:
        raise UsageError("give the ids of holds or changes, or --all", hint="`syncd held` lists them")
    return ids


ids_argument = click.argument("ids", nargs=-1, metavar="[ID]...")
all_option = click.option("--all", "everything", is_flag=True, help="Decide on every open hold.")
