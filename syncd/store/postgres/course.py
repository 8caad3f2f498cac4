"""Which course of its database a session is with: another one after a failover, after a restore, on another server.

A standby that takes over begins a new timeline, and so does a recovery to an earlier moment; a restart, also after a
crash, goes on with its own. What was not copied to a standby by then is in the old course alone.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import tuple_row

# An ordinary role may ask both. The timeline of the last checkpoint stays the old one for a while after a promotion;
# what is written goes to the new one at once.
_ASKED = b"""
SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
"""


def history_of(conn: psycopg.Connection[Any]) -> str | None:
    """Empty where the server does not tell, for not every provider keeps a log of PostgreSQL's kind; None as long as it
    follows another one. The session is in no transaction.
    """
    try:
        row = conn.cursor(row_factory=tuple_row).execute(_ASKED).fetchone()
    except psycopg.errors.ObjectNotInPrerequisiteState:
        return None
    except (psycopg.ProgrammingError, psycopg.NotSupportedError, psycopg.InternalError):
        return ""
    return "" if row is None else str(row[0])
