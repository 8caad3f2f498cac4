"""What event hooks name, as rows of the fleet's database: implements `ports.hook_events.HookEvents`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any

from syncd.closing import Closing
from syncd.core.canonical import read_canonical
from syncd.errors import TemporaryError
from syncd.model import LogEvent
from syncd.ports.fleet import Ownership
from syncd.ports.hook_events import WaitingEvents
from syncd.store.postgres.quick import Ear, QuickSession

CHANNEL = "syncd_hooks"
"""Its notifications carry the id of a connection. Not the registry's: nobody else is to look because of a hook."""
WAITING_AT_MOST = 20_000
"""Events, and names in them, that wait for one connection."""
LEFT_OUT = "syncd.left_out"
"""The kind of a row that names nobody: its size is how many names had no room."""
# A paused connection needs none: whoever has it afterwards goes on with the System Log.
_PUT = """
WITH mine AS (
    SELECT c.id FROM connection c WHERE c.org_key = %(org)s AND NOT c.paused
), room AS (
    SELECT mine.id FROM mine
     WHERE (SELECT coalesce(sum(h.size), 0) FROM hook_event h
             WHERE h.connection = mine.id AND h.kind <> %(left_out)s) <= %(at_most)s
), put AS (
    INSERT INTO hook_event (connection, uuid, kind, targets, size, published)
    SELECT room.id, e.uuid, e.kind, e.targets, e.size, e.published
      FROM room CROSS JOIN unnest(%(uuid)s::text[], %(kind)s::text[], %(targets)s::text[], %(size)s::integer[],
                                  %(published)s::timestamptz[]) AS e(uuid, kind, targets, size, published)
), crammed AS (
    SELECT mine.id FROM mine WHERE mine.id NOT IN (SELECT id FROM room) AND EXISTS (SELECT 1 FROM room)
), more AS (
    UPDATE hook_event h SET size = least(h.size::bigint + %(names)s, 2000000000)::integer
      FROM crammed WHERE h.connection = crammed.id AND h.kind = %(left_out)s
), first AS (
    INSERT INTO hook_event (connection, uuid, kind, targets, size)
    SELECT crammed.id, '', %(left_out)s, '[]', %(names)s FROM crammed
     WHERE NOT EXISTS (SELECT 1 FROM hook_event h WHERE h.connection = crammed.id AND h.kind = %(left_out)s)
), told AS (
    SELECT pg_notify(%(channel)s, room.id::text) FROM room
)
SELECT (SELECT count(*) FROM mine) AS connections, (SELECT count(*) FROM told) AS told
"""
_WAITING = """
SELECT connection, place, uuid, kind, targets, size, published FROM hook_event
 WHERE connection = ANY(%(connections)s) ORDER BY connection, place
"""
_TAKEN = """
DELETE FROM hook_event h USING owner o
 WHERE h.connection = %(connection)s AND h.place = ANY(%(places)s) AND o.connection = h.connection
   AND o.epoch = %(epoch)s AND o.token = %(token)s::uuid
"""
_REMEMBERED = """
SELECT f.value FROM facts_t f JOIN connection c ON c.id = f.connection WHERE c.org_key = %(org)s AND f.key = %(key)s
"""


class PostgresHookEvents(Closing):
    """In sessions of its own, beside that of the heartbeats. Safe to share between threads, but `heard` is of one of
    them.
    """

    def __init__(self, url: str) -> None:
        self._ear = Ear(url, "syncd hooks", CHANNEL)
        self._session = QuickSession(url, "syncd hooks", lost=self._ear.doubt)

    def close(self) -> None:
        """May be called twice."""
        self._session.close()
        self._ear.close()

    def put(self, org: str, events: Sequence[LogEvent]) -> None:
        """See `ports.hook_events.HookEvents.put`."""
        given = {
            "org": org,
            "channel": CHANNEL,
            "at_most": WAITING_AT_MOST,
            "left_out": LEFT_OUT,
            "names": max(1, sum(len(each.targets) for each in events)),
            "uuid": [each.uuid for each in events],
            "kind": [each.kind for each in events],
            "targets": [json.dumps(list(each.targets)) for each in events],
            "size": [1 + len(each.targets) for each in events],
            "published": [each.published for each in events],
        }
        with self._session.acting() as session:
            found = session.execute(_PUT, given).fetchone()
        if found is not None and found["connections"] and not found["told"]:
            raise TemporaryError("too many event hooks wait for the owners of their connections")

    def heard(self, seconds: float) -> AbstractSet[int]:
        """See `ports.hook_events.HookEvents.heard`."""
        return self._ear.heard(seconds)

    def waiting(self, connections: Iterable[int]) -> Mapping[int, WaitingEvents]:
        """See `ports.hook_events.HookEvents.waiting`."""
        found: dict[int, list[Mapping[str, Any]]] = {}
        with self._session.acting() as session:
            for row in session.execute(_WAITING, {"connections": list(connections)}):
                found.setdefault(row["connection"], []).append(row)
        return {connection: _told_by(rows) for connection, rows in found.items()}

    def taken(self, ownership: Ownership, places: Sequence[int]) -> None:
        """See `ports.hook_events.HookEvents.taken`."""
        given = {
            "connection": ownership.connection,
            "places": list(places),
            "epoch": ownership.epoch,
            "token": ownership.token,
        }
        with self._session.acting() as session:
            session.execute(_TAKEN, given)

    def remembered(self, org: str, key: str) -> Sequence[str]:
        """See `ports.hook_events.HookEvents.remembered`."""
        with self._session.acting() as session:
            found = session.execute(_REMEMBERED, {"org": org, "key": key}).fetchall()
            return [str(read_canonical(row["value"])) for row in found]


def _told_by(rows: Sequence[Mapping[str, Any]]) -> WaitingEvents:
    left_out = sum(row["size"] for row in rows if row["kind"] == LEFT_OUT)
    told = [_event(row) for row in rows if row["kind"] != LEFT_OUT]
    events = [each for each in told if each is not None]
    return WaitingEvents([row["place"] for row in rows], events, left_out, len(told) - len(events))


def _event(row: Mapping[str, Any]) -> LogEvent | None:
    """None for what was not written by a worker."""
    with suppress(ValueError, TypeError, RecursionError):
        targets = [(str(of_kind), str(okta_id)) for of_kind, okta_id in json.loads(row["targets"])]
        return LogEvent(row["uuid"], row["kind"], targets, row["published"])
    return None
