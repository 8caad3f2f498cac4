"""Whether each write at a target was written down before, and was not done yet by what the trail says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg

from syncd.simulators.exchange import RequestRecord
from tests.fleet_long.figures import UNIX
from tests.fleet_long.park import Park, Site

_INTENTS = """
SELECT i.connection, i.okta_id, i.group_id, extract(epoch FROM i.at::timestamptz)::float8,
       extract(epoch FROM min(o.at)::timestamptz)::float8
  FROM syncd.journal_t i
  LEFT JOIN syncd.journal_t o ON o.connection = i.connection AND o.refers = i.sequence AND o.entry = 'outcome'
 WHERE i.entry = 'intent' GROUP BY 1, 2, 3, 4, i.sequence
"""
_TICK = 0.005
"""Seconds: readings of two clocks are compared."""
Span = tuple[float, float]


def not_journalled(park: Park) -> list[str]:
    """Writes that were acknowledged by a target while no intent about their object was open."""
    spans = _open_intents(park.url)
    found = []
    for site in park.sites:
        of = spans.get(site.number, {})
        for each in site.split.requests:
            if each.method == "GET" or not 200 <= each.status < 300:
                continue
            owner, at = _owner(site, each), each.started + UNIX
            if not any(begin - _TICK <= at <= end + _TICK for begin, end in of.get(owner, ())):
                found.append(f"{site.name} {each.method} {each.path} of {owner} at {at:.3f}")
    return found


def _open_intents(url: str) -> Mapping[int, Mapping[str, Sequence[Span]]]:
    """From when until when, in Unix time: by connection and Okta id, of people and of groups."""
    found: dict[int, dict[str, list[Span]]] = {}
    with psycopg.connect(url) as session:
        for connection, person, group, begin, end in session.execute(_INTENTS):
            for each in {person, group} - {None}:
                spans = found.setdefault(connection, {}).setdefault(each, [])
                spans.append((begin, float("inf") if end is None else end))
    return found


def _owner(site: Site, request: RequestRecord) -> str:
    """The Okta id of what is written."""
    if request.method == "POST":
        return str(request.body.get("externalId"))
    kind, _, identity = request.path.partition("?")[0].rpartition("/scim/v2/")[2].partition("/")
    with site.split.world.lock:
        held = site.split.world.users if kind == "Users" else site.split.world.groups
        return str(held[identity].external_id) if identity in held else ""
