"""`syncd run`: the daemon."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

from syncd.cli.options import Command, globals_of
from syncd.cli.progress import Watcher
from syncd.cli.session import NEVER_IN_A_FLEET, Session
from syncd.errors import UsageError

if TYPE_CHECKING:
    from syncd.ports import Store
    from syncd.service.board import Board, CycleReport
    from syncd.service.daemon import Hooks
    from syncd.service.statuses import OpenToRead
    from syncd.settings import ConnectionSettings, Loaded

    Everybody = Callable[[], Sequence[ConnectionSettings]]


@click.command(name="run", cls=Command)
@click.pass_context
def command(ctx: click.Context) -> int:
    """Provision continuously: the daemon, for every connection given.

    A full cycle at the start and on the settings' schedule; between them the System Log says what to look at again.
    SIGTERM and Ctrl-C stop it within ten seconds, and SIGHUP reads the settings again. A connection whose settings or
    store cannot be used is reported and hides no other.
    """
    said = globals_of(ctx)
    if not said.log_format_given and is_journal(os.environ):
        said.log_format = "json"
    if said.in_fleet:
        raise UsageError("run is for stores of this machine", hint=NEVER_IN_A_FLEET["run"])
    with Session(said, service=True) as session:
        _run(session)
    leave()
    return 0


def _run(session: Session) -> None:
    from syncd.service.daemon import Daemon  # noqa: PLC0415  (the engine)
    from syncd.service.descriptors import raise_limit  # noqa: PLC0415
    from syncd.service.memory import few_arenas  # noqa: PLC0415
    from syncd.service.systemd import Notify  # noqa: PLC0415

    session.listen()
    raise_limit()
    few_arenas()
    notify = Notify.of(os.environ)
    Daemon(
        lambda: _load(session),
        event=session.event,
        redactor=session.redactor,
        notify=notify,
        hooks=hooks_of(session),
    ).run()


@contextmanager
def _served(
    session: Session,
    opens: OpenToRead | None,
    setting: str,
    address: tuple[str, int],
    board: Board,
    settings: Everybody,
) -> Iterator[None]:
    """The daemon's HTTP server."""
    from syncd.service.http import serving  # noqa: PLC0415  (the engine)
    from syncd.service.scheduler import longest_of  # noqa: PLC0415
    from syncd.service.statuses import Statuses  # noqa: PLC0415

    def full_intervals() -> Mapping[str, float]:
        return {one.name: longest_of(one.schedule.full).total_seconds() for one in settings()}

    with (
        Statuses(settings, opens=opens) as statuses,
        serving(
            address,
            board,
            statuses,
            full_intervals=full_intervals,
            observer=Watcher(session.event),
            redactor=session.redactor,
            lists_of=statuses.lists,
            setting=setting,
        ),
    ):
        yield


def hooks_of(session: Session, opens: OpenToRead | None = None, *, setting: str = "server.listen") -> Hooks:
    """What a daemon is joined with: its HTTP server, whose address stands in `setting`, and notifications. `opens`: see
    `Statuses`.
    """
    from syncd.answers.daily import daily_summary  # noqa: PLC0415  (the engine)
    from syncd.observe.notify import Notifier  # noqa: PLC0415
    from syncd.service.daemon import Hooks  # noqa: PLC0415
    from syncd.service.memory import trimmer  # noqa: PLC0415

    notifiers: dict[str, tuple[ConnectionSettings, Notifier]] = {}

    def on_cycle(settings: ConnectionSettings, store: Store, report: CycleReport) -> None:
        known = notifiers.get(settings.name)
        if known is None or known[0] is not settings:
            known = notifiers[settings.name] = (settings, Notifier(settings, session.redactor, daily_summary))
        known[1].after_cycle(
            store, report.finished, kind=report.kind, status=report.status, error=report.error
        )

    give_back = trimmer()

    def beat() -> None:
        session.logs.say_repeated()
        give_back()

    return Hooks(
        http=partial(_served, session, opens, setting),
        on_cycle=on_cycle,
        leave=leave,
        hung_up=session.said.hung_up,
        beat=beat,
        say_all=session.logs.forget_repeated,
    )


def _load(session: Session) -> Loaded:
    from syncd.settings import load  # noqa: PLC0415  (pydantic)

    loaded = load(session.said.configs, environ=os.environ)
    for warning in loaded.warnings:
        session.event("warning", "settings", warning=str(warning))
    return loaded


def is_journal(environ: Mapping[str, str]) -> bool:
    """Whether stderr goes to the journal: $JOURNAL_STREAM is its device and inode (systemd.exec(5))."""
    said = environ.get("JOURNAL_STREAM", "")
    try:
        stat = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return said == f"{stat.st_dev}:{stat.st_ino}"


def leave() -> None:
    """Ends the process now. Everything is closed; the interpreter would still wait for requests whose answers nobody
    wants any more, until they time out.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(0)
