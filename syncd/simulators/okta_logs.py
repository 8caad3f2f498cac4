"""GET /api/v1/logs: polling and bounded queries (Okta's System Log query page)."""

from datetime import datetime, timedelta
from typing import Any

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.okta_entities import moment, stamp
from syncd.simulators.okta_events import LogEvent
from syncd.simulators.okta_state import OktaState
from syncd.simulators.okta_wire import (
    OktaError,
    OktaKnobs,
    cursor_for,
    filter_of,
    invalid,
    limit_of,
    linked,
    next_url,
    position_of,
)

_DEFAULT_WINDOW = timedelta(days=7)
_SINCE = frozenset({"since"})


def logs(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """One page of events.

    Without `until` and ascending it is a poll: every event in the order in which it was persisted, and a
    next link always, which points past the last event once the reader has caught up. With `until`, or
    descending, it is a bounded query in order of `published` that ends.
    """
    query = call.query
    if "since" in query and "after" in query:
        raise invalid("after", "'since' and 'after' are mutually exclusive.")
    limit = limit_of(call, 100, 0, 1000)
    descending = query.get("sortOrder", "ASCENDING").upper() == "DESCENDING"
    wanted = _wanted(query.get("filter"), query.get("q"))
    with world.lock:
        events = _visible(world, knobs)
        if "until" in query or descending:
            return _bounded(events, call, knobs, limit, wanted, descending=descending, clock=world.clock())
        start = _start(world, query, len(events), knobs)
        return _poll(events, call, limit, wanted, start, knobs)


def _visible(world: OktaState, knobs: OktaKnobs) -> list[LogEvent]:
    if not knobs.log_delay_seconds:
        return world.events
    latest = stamp(world.clock() - timedelta(seconds=knobs.log_delay_seconds))
    return [event for event in world.events if event.persisted <= latest]


def _wanted(expression: str | None, q: str | None) -> Any:
    predicates = []
    if expression:
        if "published" in expression:
            raise OktaError(400, "E0000053", "Invalid filter: published cannot be filtered on")
        predicates.append(filter_of(expression))
    if q:
        words = q.lower().split()
        if len(words) > 10 or any(len(word) > 40 for word in words):
            raise invalid("q", "at most 10 keywords of at most 40 characters")
        predicates.append(lambda event: all(word in str(event).lower() for word in words))
    return lambda event: all(predicate(event) for predicate in predicates)


def _when(name: str, text: str) -> str:
    try:
        return stamp(moment(text))
    except ValueError:
        raise invalid(name, "The date format is not valid.") from None


def _start(world: OktaState, query: Any, visible: int, knobs: OktaKnobs) -> int:
    """Where a poll begins: at the cursor, or with what was persisted at or after `since`."""
    if "after" in query:
        position = position_of(query["after"])
        if not position.isdecimal():
            raise invalid("after", "The cursor is invalid.")
        return int(position)
    since = _when("since", query["since"]) if "since" in query else stamp(world.clock() - _DEFAULT_WINDOW)
    start = min(world.events_since(since), visible)
    return start * 2 if knobs.log_duplicates else start


def _poll(events: list[LogEvent], call: Call, limit: int, wanted: Any, start: int, knobs: OktaKnobs) -> Reply:
    """Positions count deliveries: with duplicates every event has two."""
    copies = 2 if knobs.log_duplicates else 1
    found: list[Any] = []
    position = start
    while position < len(events) * copies and len(found) < limit:
        body = events[position // copies].body
        if wanted(body):
            found.append(body)
        position += 1
    following = next_url(call, cursor_for(str(position)), knobs, without=_SINCE)
    return linked(Reply(payload=found), call, following, knobs)


def _bounded(
    events: list[LogEvent],
    call: Call,
    knobs: OktaKnobs,
    limit: int,
    wanted: Any,
    *,
    descending: bool,
    clock: datetime,
) -> Reply:
    """The cursor carries `since`, which a request with `after` may not repeat."""
    query = call.query
    until = _when("until", query["until"]) if "until" in query else stamp(clock + timedelta(seconds=1))
    since = _when("since", query["since"]) if "since" in query else stamp(moment(until) - _DEFAULT_WINDOW)
    start = 0
    if "after" in query:
        position, _, since = position_of(query["after"]).partition("|")
        start = int(position) if position.isdecimal() else 0
    matching = [e.body for e in events if since <= e.body["published"] < until and wanted(e.body)]
    matching.sort(key=lambda body: body["published"])
    if descending:
        matching.reverse()
    found = matching[start : start + limit]
    following = None
    if found and start + len(found) < len(matching):
        following = next_url(call, cursor_for(f"{start + len(found)}|{since}"), knobs, without=_SINCE)
    return linked(Reply(payload=found), call, following, knobs)
