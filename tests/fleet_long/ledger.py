"""What the database itself saw: who owned what from when on, and in which epoch each transaction believed at its end.

Triggers of the test's own, on the tables of the stores. The check is deferred to the commit: what a transaction was
when it began says nothing of what it was when it counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

_TABLES = """
CREATE TABLE public.owned (
    number bigint GENERATED ALWAYS AS IDENTITY, connection bigint, epoch bigint, worker text, clean boolean,
    at timestamptz DEFAULT clock_timestamp(), expired timestamptz
);
CREATE TABLE public.wrote (
    tx bigint PRIMARY KEY, connection bigint, believed bigint, epoch bigint, kind text, rows bigint DEFAULT 1,
    at timestamptz DEFAULT clock_timestamp()
);
CREATE FUNCTION public.note_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.epoch <> OLD.epoch THEN
        INSERT INTO public.owned (connection, epoch, worker, clean, expired)
        SELECT NEW.connection, NEW.epoch, NEW.worker, OLD.worker IS NULL,
               (SELECT expires FROM syncd.worker WHERE id = OLD.worker);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER noted AFTER UPDATE ON syncd.owner FOR EACH ROW EXECUTE FUNCTION public.note_owner();
CREATE FUNCTION public.note_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said text := current_setting('witness.epoch', true);
    mine bigint := current_setting('syncd.connection', true)::bigint;
BEGIN
    IF coalesce(said, '') = '' THEN RETURN NULL; END IF;
    INSERT INTO public.wrote (tx, connection, believed, epoch, kind)
    SELECT txid_current(), mine, said::bigint, o.epoch, current_setting('witness.kind', true)
      FROM syncd.owner o WHERE o.connection = mine
    ON CONFLICT (tx) DO UPDATE SET rows = wrote.rows + 1, epoch = excluded.epoch;
    RETURN NULL;
END $$;
"""
_STORES = "SELECT tablename FROM pg_tables WHERE schemaname = 'syncd' AND tablename LIKE '%\\_t' ORDER BY 1"
_WATCH = """
CREATE CONSTRAINT TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON syncd.{} DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION public.note_row()
"""


@dataclass(frozen=True)
class Owned:
    """From `at` on (Unix time) `worker` had the connection. `expired`: when the lease of whoever had it before ran out,
    where it was not given back.
    """

    connection: int
    epoch: int
    worker: str
    clean: bool
    at: float
    expired: float


@dataclass(frozen=True)
class Wrote:
    """Transactions and rows by whether whoever wrote owned the connection at the commit."""

    fenced: int
    fenced_rows: int
    stale: int
    stale_rows: int
    settled_late: int
    """Outcomes at the target that an old owner told of, which it may as long as nobody settled them."""


def prepare(url: str) -> None:
    with psycopg.connect(url) as session:
        session.execute(_TABLES)
        for (table,) in session.execute(_STORES).fetchall():
            session.execute(_WATCH.format(table).encode())


def owners(url: str) -> Sequence[Owned]:
    asked = """
    SELECT connection, epoch, worker, clean, extract(epoch FROM at)::float8,
           coalesce(extract(epoch FROM expired), 0)::float8
      FROM owned ORDER BY number
    """
    with psycopg.connect(url) as session:
        return [Owned(*row) for row in session.execute(asked)]


def written(url: str) -> Wrote:
    asked = """
    SELECT count(*) FILTER (WHERE kind = 'writes'), coalesce(sum(rows) FILTER (WHERE kind = 'writes'), 0)::bigint,
           count(*) FILTER (WHERE kind = 'writes' AND believed <> epoch),
           coalesce(sum(rows) FILTER (WHERE kind = 'writes' AND believed <> epoch), 0)::bigint,
           count(*) FILTER (WHERE kind = 'settles' AND believed <> epoch)
      FROM wrote
    """
    with psycopg.connect(url) as session:
        row = session.execute(asked).fetchone()
    assert row is not None
    return Wrote(*row)
