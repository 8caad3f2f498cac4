"""What event hooks name, as rows of the fleet's database: implements `ports.hook_events.HookEvents`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

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
# A paused connection needs none: whoever has it afterwards goes on with the System Log.
_PUT = """
WITH mine AS (
    SELECT c.id FROM connection c WHERE c.org_key = %(org)s AND NOT c.paused
), room AS (
    SELECT mine.id FROM mine
     WHERE (SELECT coalesce(sum(h.size), 0) FROM hook_event h WHERE h.connection = mine.id) <= %(at_most)s
), put AS (
    INSERT INTO hook_event (connection, uuid, kind, targets, size, published)
    SELECT room.id, e.uuid, e.kind, e.targets, e.size, e.published
      FROM room CROSS JOIN unnest(%(uuid)s::text[], %(kind)s::text[], %(targets)s::text[], %(size)s::integer[],
                                  %(published)s::timestamptz[]) AS e(uuid, kind, targets, size, published)
), told AS (
    SELECT pg_notify(%(channel)s, room.id::text) FROM room
)
SELECT (SELECT count(*) FROM mine) AS connections, (SELECT count(*) FROM told) AS told
"""
_WAITING = """
SELECT connection, place, uuid, kind, targets, published FROM hook_event
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
        found: dict[int, tuple[list[int], list[LogEvent]]] = {}
        with self._session.acting() as session:
            for row in session.execute(_WAITING, {"connections": list(connections)}):
                places, events = found.setdefault(row["connection"], ([], []))
                places.append(row["place"])
                events.append(_event(row["uuid"], row["kind"], row["targets"], row["published"]))
        return {connection: WaitingEvents(*each) for connection, each in found.items()}

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


def _event(uuid: str, kind: str, targets: str, published: datetime | None) -> LogEvent:
    return LogEvent(
        uuid, kind, [(str(of_kind), str(okta_id)) for of_kind, okta_id in json.loads(targets)], published
    )
