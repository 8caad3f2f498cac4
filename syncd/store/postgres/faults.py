"""What PostgreSQL and the way to it say, in sentences for people: what happened, may a retry help, what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

from syncd.core.canonical import Unreadable
from syncd.errors import ConfigurationError, PermanentError, SyncdError, TemporaryError

_UNREADABLE = (Unreadable, json.JSONDecodeError, UnicodeDecodeError)
"""Only stored values are decoded here: what arrives from elsewhere is values already."""
_OURS_TO_MEND = (psycopg.ProgrammingError, psycopg.IntegrityError, psycopg.DataError)
_AGAIN = "it is tried again by itself; what was not written to the target is still wanted"
# libpq gives no code for what a server answers before a session begins.
_CHECK = f"check the server, and `database` with its user, password and sslmode; {_AGAIN}"
_PREPARE = "run `syncd fleet migrate` once, with a role that may create tables"
# SQLSTATE classes and codes: PostgreSQL, appendix A.
_LOST = ("08", "57P", "25P03")
_BUSY = ("40001", "40P01", "55P03", "57014")
_FULL = ("53100", "53200", "53300", "53400")


def named(url: str) -> str:
    """The database as people know it: where and which, without user or password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        return "the fleet's database"
    host = parts.get("host") or parts.get("hostaddr") or "this machine"
    return f"the fleet's database {parts.get('dbname') or parts.get('user') or ''} on {host}".replace(
        "  ", " "
    )


def _spoken(text: str) -> str:
    """What happened, of the lines of libpq: without what it explains at length. Of several servers what each said."""
    lines = [
        line for line in text.splitlines() if line[:1].strip() and not line.startswith(("DETAIL:", "HINT:"))
    ]
    each_said = [line.partition("connection failed: ")[2] for line in lines if line.startswith("- host: ")]
    return "; ".join(each_said or lines[-1:]).strip().removeprefix("connection failed: ")


def explain(url: str, error: psycopg.Error) -> SyncdError:
    """The error that says the same as PostgreSQL's, with a way out."""
    state, place = error.sqlstate or "", named(url)
    what = error.diag.message_primary or _spoken(str(error)) or type(error).__name__
    if state in ("28P01", "28000"):
        return ConfigurationError(
            f"{place} refuses the user: {what}", hint="check the user and the password in `database`"
        )
    if state == "3D000":
        return ConfigurationError(f"{place} is not there: {what}", hint="create it, or mend `database`")
    if state in ("42P01", "3F000"):
        return ConfigurationError(f"{place} is not prepared for syncd: {what}", hint=_PREPARE)
    if state == "42501":
        return ConfigurationError(
            f"{place} does not let syncd do that: {what}",
            hint="grant the role of `database` what docs/fleet.md names, or use the one that prepared it",
        )
    if state == "53100":
        return PermanentError(
            f"the disk is full: {place} cannot record what is about to be written",
            hint="make room there and run again; nothing is written to the target before it is recorded",
        )
    if state == "25006":
        return TemporaryError(
            f"{place} is read-only: a standby, or one that is failing over",
            hint=f"`database` has to lead to the primary (target_session_attrs=read-write); {_AGAIN}",
        )
    if state in _BUSY:
        return TemporaryError(f"{place} gave up on a statement: {what}", hint=_AGAIN)
    if state in _FULL:
        return TemporaryError(f"{place} has no room for more: {what}", hint=f"see max_connections; {_AGAIN}")
    if state.startswith(_LOST) or (
        not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    ):
        return TemporaryError(f"{place} cannot be reached: {what}", hint=_AGAIN if state else _CHECK)
    return PermanentError(f"{place} failed: {what}", hint="look into PostgreSQL's own log")


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turns what psycopg raises, and what a stored value that is no JSON raises, into `SyncdError`. Mistakes of the
    program pass through as they are, but for what says that nobody prepared the database.
    """
    try:
        yield
    except _UNREADABLE as error:
        raise PermanentError(
            f"a value in {named(url)} cannot be read: {error}",
            hint="`syncd audit verify` says what was changed behind syncd's back",
        ) from error
    except _OURS_TO_MEND as error:
        if error.sqlstate in ("42P01", "3F000", "42501", "3D000", "28000", "28P01"):
            raise explain(url, error) from error
        raise
    except psycopg.Error as error:
        raise explain(url, error) from error
