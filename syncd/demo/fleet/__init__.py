"""`make fleet-demo`: a PostgreSQL, three workers and thirty connections on this machine, and what goes wrong there."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from syncd.demo.fleet.customers import customers
from syncd.demo.fleet.postgresql import USER, binaries, running
from syncd.demo.fleet.story import FleetStory, tell
from syncd.demo.fleet.workers import fleet_folder
from syncd.demo.folder import output_folder
from syncd.demo.telling import Narrator
from syncd.errors import SyncdError
from syncd.fleets import fleet_database, open_registry
from syncd.redact import Redactor
from syncd.settings.fleet import load_fleet

CONNECTIONS = 30
TERMS = 'lease = "9s"\nrenew = "2s"\nmargin = "2s"\n'
"""Shorter than the defaults, so that the story is."""


def main() -> int:
    """Tells the story and returns the exit code: 0 when every Split ended exactly as its Okta wants it, else 1.

    Writes to ./demo-output, or to a temporary directory; PostgreSQL's own files are gone afterwards.
    """
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    signal.signal(signal.SIGTERM, _leave)
    if binaries() is None:
        console.print(
            "There is no PostgreSQL server on this machine: apt-get install postgresql", soft_wrap=True
        )
        return 1
    try:
        with output_folder(Path.cwd()) as folder:
            return perform(console, folder, connections=CONNECTIONS)
    except SyncdError as error:
        console.print(f"The story came to no end: {error.message}", soft_wrap=True)
        console.print(f"  → {error.hint}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130


def _leave(number: int, _frame: object) -> None:
    """What was started is ended on the way out."""
    raise SystemExit(128 + number)


def perform(
    console: Console,
    folder: Path,
    *,
    connections: int,
    terms: str = TERMS,
    prepared: Callable[[str], Callable[[str], None]] = lambda _url: lambda _name: None,
) -> int:
    """The story on this console, with this empty directory for its files. `prepared` is given the database's
    URL, and what comes back is told the name of a worker that was killed: for whoever has no time to wait for a lease.
    """
    redactor, password = Redactor(), secrets.token_urlsafe(24)
    redactor.add(password)
    narrator = Narrator(console, redactor)
    for name in ("connections", "tokens"):
        (folder / name).mkdir(mode=0o700)
    with running(password=password, tcp=True) as server, customers(connections) as all_of_them:
        narrator.say(f"PostgreSQL of {server.bin_}, on 127.0.0.1:{server.port}, of an ordinary user")
        url = f"postgresql://{USER}:{password}@127.0.0.1:{server.port}/postgres"
        for customer in all_of_them:
            customer.write_settings(folder / "connections", folder / "tokens")
        with fleet_folder(folder, url, terms, narrator) as fleet:
            database, _ = fleet_database(load_fleet(fleet.file, environ=os.environ), redactor)
            with open_registry(database) as registry:
                told = FleetStory(fleet, all_of_them, registry, narrator, killed=prepared(url))
                code = tell(told)
    narrator.say(f"The workers' settings and logs: {folder}")
    return code
