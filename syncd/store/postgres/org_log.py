"""What workers share of the System Logs of their orgs, in a fleet's database: implements `ports.org_log.Trunks`.

Whoever has the asking alone may append, and only at the end where it asked, under the lock of the trunk's row: the
order of the pages is that of the log. The tables are unlogged: a crash or a failover empties them, and nobody waits for
a disk or a standby because of them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg

from syncd.closing import Closing
from syncd.errors import SyncdError, TemporaryError
from syncd.model import LogEvent
from syncd.ports import LogPage
from syncd.ports.org_log import ASKING_LASTS, Trunk
from syncd.store.postgres.quick import Connection, Ear, QuickSession

CHANNEL = "syncd_org_log"
"""Its notifications carry the number of an org."""
HANDED_AT_MOST = 1000
"""Events handed at once, before those of a last page."""
EVENTS_KEPT, PAGES_KEPT = 10_000, 1_000
_KEPT_FOR = "interval '1 hour'"
_AWAY_FOR = 5.0
"""Seconds for which nobody tries again after the database was not to be had."""
_WAITS_FOR_ITS_TURN = 1.0

_LASTS = f"interval '{ASKING_LASTS} s'"
# An end that is further away than any can be was set by a clock that went back.
_FREE = (
    "(l.asking_until IS NULL"
    f" OR l.asking_until NOT BETWEEN clock_timestamp() AND clock_timestamp() + {_LASTS})"
)
_TRUNK = """
SELECT clock_timestamp() AS now, l.place AS end, l.since, l.asked, coalesce(l.more, false) AS more
  FROM (SELECT %(org)s::bigint AS org) AS given LEFT JOIN org_log l ON l.org = given.org
"""
_FOLLOWS = """
WITH first AS (
    SELECT p.serial, p.before FROM org_log_page p WHERE p.org = %(org)s AND p.place = %(place)s
     ORDER BY p.serial DESC LIMIT 1
)
SELECT p.cursor, p.events, p.serial = l.serial AS is_last
  FROM first JOIN org_log l ON l.org = %(org)s
  JOIN org_log_page p ON p.org = l.org AND p.serial >= first.serial AND p.before - first.before < %(at_most)s
 ORDER BY p.serial
"""
_TAKE = f"""
UPDATE org_log l SET asker = gen_random_uuid(), asking_from = clock_timestamp(),
       asking_until = clock_timestamp() + {_LASTS}
 WHERE l.org = %(org)s AND l.place = %(place)s AND l.asked IS NOT DISTINCT FROM %(asked)s::timestamptz AND {_FREE}
RETURNING l.asker::text AS asker
"""
_DEAD = f"""
DELETE FROM org_log l
 WHERE l.org = %(org)s AND coalesce(l.asked, l.since) NOT BETWEEN %(dead)s AND clock_timestamp() AND {_FREE}
"""
_START = f"""
INSERT INTO org_log (org, place, since, asker, asking_from, asking_until)
VALUES (%(org)s, %(place)s, clock_timestamp(), gen_random_uuid(), clock_timestamp(), clock_timestamp() + {_LASTS})
ON CONFLICT DO NOTHING RETURNING asker::text AS asker
"""
# The page that is put there is not seen by what takes away old ones.
_TOLD = f"""
WITH mine AS (
    UPDATE org_log SET place = %(cursor)s, asked = asking_from, more = %(more)s, asker = NULL, asking_until = NULL,
           since = CASE WHEN place = %(cursor)s THEN since ELSE clock_timestamp() END,
           serial = serial + %(moved)s, events = events + %(size)s
     WHERE org = %(org)s AND asker = %(asker)s::uuid AND place = %(place)s
    RETURNING org, serial, events
), put AS (
    INSERT INTO org_log_page (org, serial, place, cursor, told, before, events)
    SELECT org, serial, %(place)s, %(cursor)s, clock_timestamp(), events - %(size)s, %(events)s
      FROM mine WHERE %(moved)s = 1
), gone AS (
    DELETE FROM org_log_page p USING mine
     WHERE p.org = mine.org AND (p.serial <= mine.serial - %(pages_kept)s
           OR p.before < mine.events - %(events_kept)s OR p.told < clock_timestamp() - {_KEPT_FOR})
)
SELECT CASE WHEN %(size)s > 0 THEN pg_notify(%(channel)s, org::text) END FROM mine
"""
_RELEASE = """
UPDATE org_log SET asker = NULL, asking_until = NULL WHERE org = %(org)s AND asker = %(asker)s::uuid
"""
_REFUSED = """
DELETE FROM org_log l WHERE l.org = %(org)s AND (l.place = %(place)s
    OR EXISTS (SELECT 1 FROM org_log_page p WHERE p.org = l.org AND p.place = %(place)s))
"""
_LED = """
SELECT CASE WHEN l.since <= %(before)s THEN l.place ELSE (
           SELECT p.cursor FROM org_log_page p WHERE p.org = l.org AND p.told <= %(before)s
            ORDER BY p.serial DESC LIMIT 1) END AS place
  FROM org_log l
 WHERE l.org = %(org)s AND l.place <> %(cursor)s
   AND NOT EXISTS (SELECT 1 FROM org_log_page p WHERE p.org = l.org AND p.place = %(cursor)s)
"""
_FORGET = f"""
DELETE FROM org_log l
 WHERE coalesce(l.asked, l.since) NOT BETWEEN clock_timestamp() - {_KEPT_FOR} AND clock_timestamp()
"""


class PostgresTrunks(Closing):
    """In sessions of its own, that are opened when they are needed. Safe to share between threads, but `heard` is of
    one of them.
    """

    def __init__(self, url: str) -> None:
        self._ear = Ear(url, "syncd log", CHANNEL)
        self._session = QuickSession(url, "syncd log", lost=self._ear.doubt)
        self._turn = threading.Lock()
        self._away_until = 0.0

    def close(self) -> None:
        """May be called twice."""
        self._session.close()
        self._ear.close()

    def look(self, org: int, place: str) -> Trunk:
        """See `ports.org_log.Trunks.look`."""
        given = {"org": org, "place": place, "at_most": HANDED_AT_MOST}
        with self._acting() as session:
            (trunk,) = self._rows(session, _TRUNK, given)
            if trunk["end"] == place:
                return Trunk(**trunk, follows=LogPage((), place, full=False))
            pages = self._rows(session, _FOLLOWS, given) if trunk["end"] is not None else []
        if not pages:
            return Trunk(**trunk)
        events = [_event(*each) for page in pages for each in json.loads(page["events"])]
        return Trunk(**trunk, follows=LogPage(events, pages[-1]["cursor"], full=not pages[-1]["is_last"]))

    def take(self, org: int, seen: Trunk) -> str | None:
        """See `ports.org_log.Trunks.take`."""
        with self._acting() as session:
            found = self._rows(session, _TAKE, {"org": org, "place": seen.end, "asked": seen.asked})
        return found[0]["asker"] if found else None

    def start(self, org: int, place: str, dead: datetime) -> str | None:
        """See `ports.org_log.Trunks.start`."""
        given = {"org": org, "place": place, "dead": dead}
        with self._acting() as session, session.transaction():
            self._rows(session, _DEAD, given)
            found = self._rows(session, _START, given)
        return found[0]["asker"] if found else None

    def told(self, org: int, asker: str, place: str, page: LogPage) -> bool:
        """See `ports.org_log.Trunks.told`."""
        events = [
            (each.uuid, each.kind, list(each.targets), each.published and each.published.isoformat())
            for each in page.events
        ]
        given = {
            "org": org,
            "asker": asker,
            "place": place,
            "cursor": page.cursor,
            "more": page.full,
            "moved": int(page.cursor != place),
            "size": len(events),
            "events": json.dumps(events),
            "pages_kept": PAGES_KEPT,
            "events_kept": EVENTS_KEPT,
            "channel": CHANNEL,
        }
        with self._acting() as session:
            return bool(self._rows(session, _TOLD, given))

    def release(self, org: int, asker: str) -> None:
        """See `ports.org_log.Trunks.release`."""
        with self._acting() as session:
            self._rows(session, _RELEASE, {"org": org, "asker": asker})

    def refused(self, org: int, place: str) -> None:
        """See `ports.org_log.Trunks.refused`."""
        with self._acting() as session:
            self._rows(session, _REFUSED, {"org": org, "place": place})

    def led(self, org: int, cursor: str, before: datetime) -> str | None:
        """See `ports.org_log.Trunks.led`."""
        with self._acting() as session:
            found = self._rows(session, _LED, {"org": org, "cursor": cursor, "before": before})
        return found[0]["place"] if found else None

    def heard(self, seconds: float) -> AbstractSet[int]:
        """See `ports.org_log.Trunks.heard`; not what was told here."""
        return self._ear.heard(seconds, but=self._session.process)

    def forget(self) -> None:
        """See `ports.org_log.Trunks.forget`."""
        with self._acting() as session:
            self._rows(session, _FORGET, {})

    @contextmanager
    def _acting(self) -> Iterator[Connection]:
        """Raises SyncdError, and at once so after it just did: nobody who may ask Okta waits for a database that is
        away, or for others who wait for it.
        """
        if time.monotonic() < self._away_until or not self._turn.acquire(timeout=_WAITS_FOR_ITS_TURN):
            raise TemporaryError("what workers share of System Logs is not to be had")
        try:
            with self._session.acting() as session:
                yield session
        except (SyncdError, psycopg.Error) as error:
            self._away_until = time.monotonic() + _AWAY_FOR
            if isinstance(error, SyncdError):
                raise
            raise TemporaryError(f"what workers share of System Logs is not to be had: {error}") from error
        finally:
            self._turn.release()

    def _rows(self, session: Connection, statement: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        done = session.execute(statement, given)
        return done.fetchall() if done.description else []


def _event(uuid: str, kind: str, targets: list[list[str]], published: str | None) -> LogEvent:
    when = datetime.fromisoformat(published) if published else None
    return LogEvent(uuid, kind, [(of_kind, okta_id) for of_kind, okta_id in targets], when)
