"""`syncd worker` that says with everything it writes in which epoch it believes: `python -m tests.fleet_long....`.

To the target by the User-Agent, to the database by a setting of the transaction that triggers of the test's own read
(ledger.py). FLEET_LONG_DELIVERED, in seconds, stands for the time that a request may take to arrive: who takes over
waits as long, and many pauses would be many waits.
"""

from __future__ import annotations

import os
import time
from collections import UserDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from syncd.__main__ import main as run
from syncd.core import lease
from syncd.scim.http import Link, ScimHttp
from syncd.store.postgres.connection import PostgresDb
from syncd.store.postgres.store import PostgresStore

DELIVERED = "FLEET_LONG_DELIVERED"
_SAID = "SELECT set_config('witness.epoch', $1, true), set_config('witness.kind', $2, true)"


class _Told(UserDict[str, str]):
    """Headers; the User-Agent says by the monotonic clock, which all processes of a machine share, when it was read."""

    def __getitem__(self, name: str) -> str:
        said = super().__getitem__(name)
        return f"{said} at {time.monotonic():.3f}" if name == "User-Agent" else said


def witness() -> None:
    """From here on this process tells."""
    began, transaction, writing = ScimHttp.__init__, PostgresStore._transaction, PostgresStore._writing

    def begin(self: ScimHttp, link: Link, *args: Any, **options: Any) -> None:
        began(self, link, *args, **options)
        claim = getattr(getattr(link.permit, "__self__", None), "_claim", None)
        if claim is not None:
            said = {"User-Agent": f"syncd epoch {claim.epoch} of {os.getpid()}"}
            self._headers = _Told(self._headers | said)  # type: ignore[assignment]  # as good as a dict

    def say(db: PostgresDb, store: PostgresStore, kind: str) -> None:
        claim = store._claim
        if claim is not None:
            db.session.conn.execute(_SAID, (str(claim.epoch), kind))

    @contextmanager
    def told(self: PostgresStore) -> Iterator[PostgresDb]:
        with transaction(self) as db:
            say(db, self, "settles")
            yield db

    @contextmanager
    def fenced(self: PostgresStore) -> Iterator[PostgresDb]:
        with writing(self) as db:
            say(db, self, "writes")
            yield db

    ScimHttp.__init__ = begin  # type: ignore[method-assign]  # a witness beside the real thing
    PostgresStore._transaction = told  # type: ignore[method-assign]
    PostgresStore._writing = fenced  # type: ignore[method-assign]


def main() -> None:
    if DELIVERED in os.environ:
        lease.REQUEST_LASTS = float(os.environ[DELIVERED])
    witness()
    run()


if __name__ == "__main__":
    main()
