"""Who lives and who owns what, on PostgreSQL: implements `ports.fleet.Registry`.

A lease that ran out counts as over once somebody wrote that down (`worker.ended`), in a row that a renewal has to
update as well: so either the renewal came first, and nobody takes anything, or it finds itself too late. No lease comes
back to life after somebody acted on its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any

import psycopg

from syncd.closing import Closing
from syncd.errors import NotFound, RefusedError, UsageError
from syncd.ports.fleet import ConnectionRecord, Enrolment, Fleet, LivingWorker, Ownership, WorkerRecord
from syncd.store.postgres.course import history_of
from syncd.store.postgres.quick import Connection, Ear, QuickSession
from syncd.store.postgres.store import WRITERS

CHANNEL = "syncd_wakes"
"""Its notifications carry the id of a connection."""
_ONE_TARGET = "one_owner_of_a_target"

_JOIN = """
INSERT INTO worker (id, host, version, mode, capacity, lasts, quiet, expires)
VALUES (%(name)s, %(host)s, %(version)s, %(mode)s, %(capacity)s, %(lasts)s, %(quiet)s, clock_timestamp() + %(lasts)s)
ON CONFLICT DO NOTHING
"""
_RENEW = """
UPDATE worker SET expires = clock_timestamp() + lasts, waiting = %(waiting)s WHERE id = %(worker)s AND ended IS NULL
"""
# The order of its connections counts until others have them all.
_FORGET = """
UPDATE worker SET waiting = DEFAULT WHERE ended IS NOT NULL AND waiting <> '{}'
   AND NOT EXISTS (SELECT 1 FROM owner o WHERE o.worker = worker.id)
"""
BURY = "UPDATE worker SET ended = clock_timestamp() WHERE ended IS NULL AND expires <= clock_timestamp()"
# Whoever was frozen between two parts of one statement is not idle in its transaction, as PostgreSQL sees it, and would
# keep its locks: it is sent away once others were told that its lease ran out.
_EVICT = """
SELECT pg_terminate_backend(l.pid)
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN owner o ON o.connection = l.objid::bigint
  JOIN worker w ON w.id = o.worker AND w.ended IS NOT NULL
 WHERE l.locktype = 'advisory' AND l.classid = %(writers)s AND l.objsubid = 2 AND l.granted
   AND a.datname = current_database() AND a.usename = current_user
   AND o.connection = ANY(%(connections)s) AND a.xact_start < clock_timestamp() - interval '4 s'
"""
_RESIZE = "UPDATE worker SET capacity = %(capacity)s WHERE id = %(worker)s AND ended IS NULL"
_LEAVE = "UPDATE worker SET ended = clock_timestamp() WHERE id = %(worker)s AND ended IS NULL"
_LIVING = """
SELECT id AS name, host, version, mode, capacity, draining, started,
       extract(epoch FROM expires - clock_timestamp())::float8 AS left
  FROM worker WHERE ended IS NULL ORDER BY id
"""
_CONNECTIONS = """
SELECT c.id, c.name, c.digest, c.org_key AS org, c.split_key AS target, c.weight, c.paused, c.bound_for,
       coalesce(o.worker, '') AS owner, (w.ended IS NOT NULL OR w.expires <= clock_timestamp()) IS TRUE AS silent,
       o.epoch, o.since,
       greatest(0, extract(epoch FROM clock_timestamp() - CASE
           WHEN w.ended IS NOT NULL OR w.expires <= clock_timestamp() THEN least(w.ended, w.expires)
           ELSE coalesce(o.since, c.updated_at) END))::float8 AS seconds,
       CASE WHEN w.ended IS NOT NULL OR w.expires <= clock_timestamp() THEN coalesce(array_position(w.waiting, c.id), 0)
           ELSE 0 END AS turn,
       c.updated_at, c.updated_by
  FROM connection c JOIN owner o ON o.connection = c.id LEFT JOIN worker w ON w.id = o.worker
 ORDER BY c.name
"""
_TEXT = "SELECT toml, digest FROM connection WHERE id = %(connection)s"
# A row that another session claimed meanwhile is looked at again as it is then, and the join finds no ended owner.
_CLAIM = """
WITH free AS (
    SELECT o.connection, o.worker IS NULL AS clean,
           greatest(o.quiet_until, CASE WHEN o.worker IS NOT NULL THEN w.expires + w.quiet END) AS quiet_until
      FROM owner o JOIN connection c ON c.id = o.connection LEFT JOIN worker w ON w.id = o.worker
     WHERE o.connection = ANY(%(connections)s) AND NOT c.paused AND (o.worker IS NULL OR w.ended IS NOT NULL)
       AND EXISTS (SELECT 1 FROM worker AS me WHERE me.id = %(worker)s AND me.ended IS NULL AND NOT me.draining)
       FOR UPDATE OF o SKIP LOCKED
)
UPDATE owner SET worker = %(worker)s, epoch = owner.epoch + 1, token = gen_random_uuid(), since = clock_timestamp(),
       quiet_until = free.quiet_until
  FROM free JOIN connection c ON c.id = free.connection
 WHERE owner.connection = free.connection
RETURNING owner.connection, c.name, c.toml, c.digest, owner.epoch, owner.token::text AS token, free.clean,
          greatest(0, coalesce(extract(epoch FROM free.quiet_until - clock_timestamp()), 0))::float8 AS quiet
"""
_ARRIVED = "UPDATE connection SET bound_for = '' WHERE bound_for = %(worker)s AND id = ANY(%(connections)s)"
_RELEASE = """
UPDATE owner SET worker = NULL, token = NULL, since = clock_timestamp()
 WHERE connection = %(connection)s AND epoch = %(epoch)s AND token = %(token)s::uuid
"""
_DISOWN = """
UPDATE owner SET worker = NULL, token = NULL, since = clock_timestamp()
 WHERE worker = %(worker)s AND connection = ANY(%(connections)s)
"""
_WEIGH = "UPDATE connection SET weight = %(weight)s WHERE id = %(connection)s AND weight <> %(weight)s"
_ENROL = """
INSERT INTO connection (name, toml, digest, org_key, split_key, paused, updated_by)
VALUES (%(name)s, %(toml)s, %(digest)s, %(org)s, %(target)s, %(paused)s, %(by)s)
ON CONFLICT (name) DO UPDATE SET toml = excluded.toml, digest = excluded.digest, org_key = excluded.org_key,
    split_key = excluded.split_key, updated_by = excluded.updated_by, updated_at = clock_timestamp()
 WHERE connection.digest <> excluded.digest
RETURNING id
"""
_OWNABLE = "INSERT INTO owner (connection) SELECT id FROM connection ON CONFLICT DO NOTHING"
_PAUSE = """
UPDATE connection SET paused = %(paused)s, updated_by = %(by)s, updated_at = clock_timestamp() WHERE name = %(name)s
RETURNING id
"""
# After a restore: above every epoch that was given away since the copy was made, however long ago that was. Whoever had
# a lease finds it ended at its next renewal; until then, and as long as something of it may arrive, all is quiet.
_NOBODY_LIVES = "UPDATE worker SET ended = clock_timestamp() WHERE ended IS NULL"
_NOBODY_OWNS = """
UPDATE owner SET worker = NULL, token = NULL, epoch = epoch + 1000000, since = clock_timestamp(),
       quiet_until = clock_timestamp() + interval '20 s' + coalesce((SELECT max(lasts) FROM worker), interval '0')
"""
_ALL_PAUSED = "UPDATE connection SET paused = true, updated_by = %(by)s, updated_at = clock_timestamp()"
_DRAIN = "UPDATE worker SET draining = %(draining)s WHERE id = %(worker)s AND ended IS NULL RETURNING id"
_MOVE = "UPDATE connection SET bound_for = %(worker)s WHERE name = %(name)s RETURNING id"


class PostgresRegistry(Closing):
    """Opens its two sessions when they are needed, and anew after they were lost. Safe to share between threads, but
    `woken` is of one of them.
    """

    def __init__(
        self, url: str, *, name: str = "syncd fleet", lost: Callable[[], None] | None = None
    ) -> None:
        """`url` is libpq's; `name` is shown in pg_stat_activity. `lost` is called when the way to the database was, and
        when it is back: what others had sent before that is answered no more.
        """
        self._tell, self._ear = lost, Ear(url, name, CHANNEL)
        self._session = QuickSession(url, name, lost=self._was_lost)
        self._acting = self._session.acting
        self._history: tuple[object, str] = (None, "")
        """Of the server that this session is with; no session outlives a change of it."""

    def close(self) -> None:
        """May be called twice, and waits for no answer."""
        self._session.close()
        self._ear.close()

    # of a worker

    def join(self, record: WorkerRecord) -> None:
        """See `ports.fleet.Registry.join`."""
        terms = record.terms
        given = {
            "name": record.name,
            "host": record.host,
            "version": record.version,
            "mode": record.mode,
            "capacity": record.capacity,
            "lasts": timedelta(seconds=terms.lasts),
            "quiet": timedelta(seconds=terms.quiet),
        }
        if not self._run(_JOIN, given):
            raise RefusedError(
                f"a worker called {record.name} was in this fleet before, and its name stays its own",
                hint="leave fleet.worker empty for a new name at each start, or give this one another",
            )
        self._run(_FORGET, {})

    def renew(self, worker: str, waiting: Sequence[int] = ()) -> bool:
        """See `ports.fleet.Registry.renew`."""
        return self._run(_RENEW, {"worker": worker, "waiting": list(waiting)}) == 1

    def resize(self, worker: str, capacity: int) -> None:
        """See `ports.fleet.Registry.resize`."""
        self._run(_RESIZE, {"worker": worker, "capacity": capacity})

    def leave(self, worker: str) -> None:
        """See `ports.fleet.Registry.leave`."""
        self._run(_LEAVE, {"worker": worker})

    def look(self) -> Fleet:
        """See `ports.fleet.Registry.look`."""
        with self._acting() as session:
            workers = [LivingWorker(**row) for row in session.execute(_LIVING)]
            connections = [ConnectionRecord(**row) for row in session.execute(_CONNECTIONS)]
            return Fleet(workers, connections, self._history_of(session))

    def text_of(self, connection: int) -> tuple[str, str]:
        """See `ports.fleet.Registry.text_of`."""
        with self._acting() as session:
            found = session.execute(_TEXT, {"connection": connection}).fetchone()
        if found is None:
            raise NotFound(f"there is no connection with the number {connection} in this fleet")
        return found["toml"], found["digest"]

    def claim(self, worker: str, connections: Sequence[int]) -> Sequence[Ownership]:
        """See `ports.fleet.Registry.claim`."""
        if not connections:
            return []
        given = {"worker": worker, "connections": list(connections)}
        with self._acting() as session:
            session.execute(BURY)
            session.execute(_EVICT, {**given, "writers": WRITERS})
            claims = [Ownership(**row) for row in session.execute(_CLAIM, given)]
            if claims:
                session.execute(_ARRIVED, {**given, "connections": [claim.connection for claim in claims]})
        return claims

    def release(self, claims: Sequence[Ownership]) -> None:
        """See `ports.fleet.Registry.release`."""
        with self._acting() as session, session.transaction():
            for claim in claims:
                session.execute(
                    _RELEASE, {"connection": claim.connection, "epoch": claim.epoch, "token": claim.token}
                )
            session.execute("SELECT pg_notify(%(channel)s, '')", {"channel": CHANNEL})

    def disown(self, worker: str, connections: Sequence[int]) -> None:
        """See `ports.fleet.Registry.disown`."""
        self._run(_DISOWN, {"worker": worker, "connections": list(connections)})

    def weigh(self, weights: Mapping[int, int]) -> None:
        """See `ports.fleet.Registry.weigh`."""
        with self._acting() as session:
            for connection, people in weights.items():
                session.execute(_WEIGH, {"connection": connection, "weight": people + 1})

    def wake(self, connection: int) -> None:
        """See `ports.fleet.Registry.wake`."""
        with self._acting() as session:
            session.execute(
                "SELECT pg_notify(%(channel)s, %(connection)s)",
                {"channel": CHANNEL, "connection": str(connection)},
            )

    def woken(self, seconds: float) -> AbstractSet[int]:
        """See `ports.fleet.Registry.woken`."""
        return self._ear.heard(seconds)

    # of people

    def enrol(self, enrolments: Sequence[Enrolment], by: str, *, paused: bool = False) -> None:
        """See `ports.fleet.Registry.enrol`."""
        with self._acting() as session:
            try:
                with session.transaction():
                    for each in enrolments:
                        given = {
                            "name": each.name,
                            "toml": each.toml,
                            "digest": each.digest,
                            "org": each.org,
                            "target": each.target,
                            "paused": paused,
                            "by": by,
                        }
                        changed = session.execute(_ENROL, given).fetchone()
                        if changed is not None:
                            session.execute(
                                "SELECT pg_notify(%(channel)s, %(id)s)",
                                {"channel": CHANNEL, "id": str(changed["id"])},
                            )
                    session.execute(_OWNABLE)
            except psycopg.errors.UniqueViolation as error:
                if error.diag.constraint_name != _ONE_TARGET:
                    raise
                raise RefusedError(
                    "two connections would own the same Split organisation, and undo each other's work",
                    hint="keep one of them; which they are: syncd fleet status",
                ) from error

    def pause(self, name: str, by: str, *, paused: bool) -> None:
        """See `ports.fleet.Registry.pause`."""
        self._change(_PAUSE, {"name": name, "by": by, "paused": paused}, f"connection called {name}")

    def restored(self, by: str) -> int:
        """See `ports.fleet.Registry.restored`."""
        with self._acting() as session, session.transaction():
            session.execute(_NOBODY_LIVES)
            session.execute(_NOBODY_OWNS)
            paused = session.execute(_ALL_PAUSED, {"by": by}).rowcount
            session.execute("SELECT pg_notify(%(channel)s, '')", {"channel": CHANNEL})
        return paused

    def drain(self, worker: str, *, draining: bool) -> None:
        """See `ports.fleet.Registry.drain`."""
        self._change(_DRAIN, {"worker": worker, "draining": draining}, f"worker called {worker}")

    def move(self, name: str, worker: str) -> None:
        """See `ports.fleet.Registry.move`."""
        if worker and worker not in {member.name for member in self.look().workers}:
            raise _nobody(f"worker called {worker}")
        self._change(_MOVE, {"name": name, "worker": worker}, f"connection called {name}")

    # plumbing

    def _history_of(self, session: Connection) -> str:
        """Empty where the server does not tell."""
        asked_of, told = self._history
        if asked_of is session:
            return told
        found = history_of(session)
        if found is not None:
            self._history = session, found
        return found or ""

    def _change(self, statement: str, given: Mapping[str, Any], what: str) -> None:
        with self._acting() as session, session.transaction():
            if session.execute(statement, given).fetchone() is None:
                raise _nobody(what)
            session.execute("SELECT pg_notify(%(channel)s, '')", {"channel": CHANNEL})

    def _run(self, statement: str, given: Mapping[str, Any]) -> int:
        with self._acting() as session:
            return session.execute(statement, given).rowcount

    def _was_lost(self) -> None:
        self._ear.doubt()
        if self._tell is not None:
            self._tell()


def _nobody(what: str) -> UsageError:
    return UsageError(f"there is no {what} in this fleet", hint="syncd fleet status names all")
