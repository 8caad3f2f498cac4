"""What the commands of decisions share: who decides, and which ids are meant."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from syncd.errors import UsageError

if TYPE_CHECKING:
    from syncd.cli.session import Session
    from syncd.ports import Store
    from syncd.settings import ConnectionSettings


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
        raise UsageError(
            "give the ids of holds or changes, or whom they are about, or --all",
            hint="`syncd held` lists them",
        )
    return ids


Knows = Callable[["Store", str], bool]
"""Whether a connection's store knows what a word names."""


def placed(
    session: Session, words: Sequence[str], knows: Knows
) -> Sequence[tuple[ConnectionSettings, tuple[str, ...]]]:
    """Which connection each word is about: with several given, the one that knows it. Raises UsageError for a word that
    none of them knows, or several do.
    """
    connections = session.connections()
    if len(connections) == 1:
        return [(connections[0], tuple(words))]
    from syncd.wiring import open_for_status  # noqa: PLC0415  (the engine)

    found: dict[str, list[ConnectionSettings]] = {word: [] for word in words}
    for settings in connections:
        with open_for_status(settings) as store:
            for word in words:
                if knows(store, word):
                    found[word].append(settings)
    for word, those in found.items():
        names = ", ".join(each.name for each in those or connections)
        if not those:
            raise UsageError(f"none of these connections knows {word}: {names}")
        if len(those) > 1:
            raise UsageError(
                f"several connections know {word}: {names}", hint=f"name one with {session.naming}"
            )
    return [
        (settings, asked)
        for settings in connections
        if (asked := tuple(word for word in words if settings in found[word]))
    ]


def placed_one(session: Session, word: str, knows: Knows) -> ConnectionSettings:
    """The connection that this word is about, as `placed`."""
    [(settings, _)] = placed(session, (word,), knows)
    return settings


def knows_run(store: Store, word: str) -> bool:
    """Whether it is the id of a run."""
    return store.run(word) is not None


def knows_object(store: Store, word: str) -> bool:
    """Whether a user or group is called so."""
    from syncd.answers.named import objects_named  # noqa: PLC0415  (the engine)

    return bool(objects_named(store, word))


def decidable(decision: str) -> Knows:
    """Whether something of that name can be decided so."""

    def knows(store: Store, word: str) -> bool:
        from syncd.answers.named import is_decidable  # noqa: PLC0415  (the engine)

        return is_decidable(store, word, decision)

    return knows


def retriable(store: Store, word: str) -> bool:
    """Whether something of that name failed, or waits for another look."""
    from syncd.answers.named import is_retriable  # noqa: PLC0415  (the engine)

    return is_retriable(store, word)


ids_argument = click.argument("ids", nargs=-1, metavar="[ID]...")
all_option = click.option("--all", "everything", is_flag=True, help="Decide on every open hold.")
