"""A worker in a process of its own, as far as its lease goes: `python -m tests.fleet.sender URL NAME SECONDS ...`.

It owns the connection that it finds, waits for no quiet time, and asks for its permit a hundred times a second: what it
was permitted is a line of the table `sent`, with the epoch that it believed in, written by a session that nothing
fences, as a target is not.
"""

from __future__ import annotations

import sys
import threading
import time

import psycopg

from syncd.core.lease import LeaseTerms
from syncd.errors import LockLost
from syncd.ports.fleet import WORK, WorkerRecord
from syncd.service.fleet.tenure import Tenure
from syncd.store.postgres.registry import PostgresRegistry


def quiet(level: str, event: str, **fields: object) -> None:
    del level, event, fields


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(url: str, name: str, *seconds: str) -> None:
    terms = LeaseTerms(*map(float, seconds))
    with PostgresRegistry(url) as registry, psycopg.connect(url, autocommit=True) as target:
        tenure = Tenure(registry, WorkerRecord(name, "here", "0", WORK, 10, terms), quiet)
        tenure.begin()
        mine = None
        while mine is None:
            numbers = [each.id for each in registry.look().connections if each.charge.owner == ""]
            mine = next(iter(registry.claim(name, numbers)), None)
            time.sleep(0.05)
        say(f"owns {mine.epoch}")
        parent = threading.Thread(target=sys.stdin.read)  # ends with whoever started it
        parent.start()
        while parent.is_alive():
            try:
                tenure.permit()
            except LockLost:
                say("stopped")
                return
            target.execute("INSERT INTO sent (worker, epoch) VALUES (%s, %s)", (name, mine.epoch))
            time.sleep(0.01)


if __name__ == "__main__":
    main(*sys.argv[1:])
