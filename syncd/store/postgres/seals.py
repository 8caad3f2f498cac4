"""The seals of a store on PostgreSQL: what the triggers of its session gathered (`sealing`) is counted here."""

from __future__ import annotations

import json
from typing import Any

from syncd.store.postgres.connection import PostgresDb
from syncd.store.postgres.sealing import MOVES
from syncd.store.postgres.sessions import Session
from syncd.store.seals import GUARDS, Seals

_GATHERED = "DELETE FROM pg_temp.sealed_moves RETURNING guard, sign, said"
# Columns of bytes, which JSON has as text (`\\x` and hexadecimal).
_BYTES = {guard.name: [at for at, name in enumerate(guard.columns) if name == "digest"] for guard in GUARDS}


def watch(session: Session) -> None:
    """From now on every change of a guarded row by this session counts."""
    if not session.has_moves:
        session.conn.execute(MOVES.encode())
        session.has_moves = True


class PostgresSeals(Seals):
    """`conn` is the session of the transaction under way."""

    conn: PostgresDb

    def _gather(self) -> None:
        for name, sign, said in self.conn.session.conn.execute(_GATHERED.encode()).fetchall():
            values: list[Any] = json.loads(said)
            for at in _BYTES.get(name, ()):
                values[at] = bytes.fromhex(values[at][2:])
            (self.came if sign > 0 else self.went)(name, *values)
