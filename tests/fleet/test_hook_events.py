"""What event hooks name waits in the database for the owner of the connection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from syncd.errors import TemporaryError
from syncd.model import LogEvent
from syncd.ports.fleet import Ownership
from syncd.store.postgres import hook_events
from syncd.store.postgres.hook_events import PostgresHookEvents
from syncd.store.postgres.registry import PostgresRegistry
from syncd.store.postgres.sessions import connect
from tests.fleet.making import applicant, enrolment, ids

ORG, OTHER_ORG = "https://example.okta.com", "https://other.okta.com"
WHEN = datetime(2026, 3, 1, 10, 0, 0, 123000, tzinfo=UTC)
EVENTS = [
    LogEvent("uuid-1", "user.lifecycle.suspend", [("User", "00u1"), ("AppInstance", "0oa1")], WHEN),
    LogEvent("", "group.profile.update", [("UserGroup", "00g1")], None),
]


@pytest.fixture
def events(database: str) -> Iterator[PostgresHookEvents]:
    with PostgresHookEvents(database) as one:
        yield one


@pytest.fixture
def numbers(registry: PostgresRegistry) -> dict[str, int]:
    """Two connections of one org, a third that is paused, and one of another org."""
    registry.enrol([enrolment(name, org=ORG) for name in ("a", "b", "idle")], "ada")
    registry.enrol([enrolment("foreign", org=OTHER_ORG)], "ada")
    registry.pause("idle", "ada", paused=True)
    return ids(registry.look())


def owner(registry: PostgresRegistry, worker: str, connection: int) -> Ownership:
    registry.join(applicant(worker))
    [found] = registry.claim(worker, [connection])
    return found


def test_it_waits_as_it_came_for_all_connections_of_the_org_and_their_owners_are_told(
    database: str, events: PostgresHookEvents, numbers: dict[str, int]
) -> None:
    with PostgresHookEvents(database) as owners:
        assert owners.heard(0.0) == frozenset()  # from here on it listens
        events.put(ORG, EVENTS)
        heard = set(owners.heard(30.0))
        while heard != {numbers["a"], numbers["b"]}:
            found = owners.heard(30.0)
            assert found, "two are told"
            heard |= found
        waiting = owners.waiting(numbers.values())
    assert waiting.keys() == {numbers["a"], numbers["b"]}
    assert [[*each.events] for each in waiting.values()] == [EVENTS, EVENTS]


def test_an_org_without_connections_has_nothing_to_keep(
    events: PostgresHookEvents, numbers: dict[str, int]
) -> None:
    events.put("https://nobody.okta.com", EVENTS)
    assert events.waiting(numbers.values()) == {}


def test_it_goes_by_the_word_of_the_owner_alone(
    events: PostgresHookEvents, registry: PostgresRegistry, numbers: dict[str, int]
) -> None:
    number = numbers["a"]
    before = owner(registry, "one", number)
    events.put(ORG, EVENTS)
    registry.release([before])
    now = owner(registry, "two", number)
    places = events.waiting([number])[number].places

    events.taken(before, places)
    events.taken(replace(now, token=before.token), places)
    assert list(events.waiting([number])[number].places) == list(places)

    events.put(ORG, EVENTS[:1])  # after it was read
    events.taken(now, places)
    assert list(events.waiting([number])[number].events) == EVENTS[:1]
    assert len(events.waiting([numbers["b"]])[numbers["b"]].events) == 3, "of another connection"


def test_no_more_waits_than_there_is_room_for(
    events: PostgresHookEvents,
    registry: PostgresRegistry,
    numbers: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hook_events, "WAITING_AT_MOST", 4)  # the two events weigh 3 and 2
    events.put(ORG, EVENTS)
    with pytest.raises(TemporaryError, match="too many"):
        events.put(ORG, EVENTS)

    first = owner(registry, "one", numbers["a"])
    events.taken(first, events.waiting([numbers["a"]])[numbers["a"]].places)
    events.put(ORG, EVENTS[:1])
    waiting = events.waiting(numbers.values())
    assert [len(waiting[numbers[name]].events) for name in ("a", "b")] == [1, 2], (
        "what one cannot keep another can"
    )


def test_what_had_no_room_is_counted_for_the_owner_until_that_has_taken_it_up(
    events: PostgresHookEvents,
    registry: PostgresRegistry,
    numbers: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hook_events, "WAITING_AT_MOST", 4)
    events.put(ORG, EVENTS)
    first, second = owner(registry, "one", numbers["a"]), owner(registry, "two", numbers["b"])
    for _ in range(2):
        events.taken(first, events.waiting([numbers["a"]])[numbers["a"]].places)
        events.put(ORG, EVENTS)
    crowded = events.waiting([numbers["b"]])[numbers["b"]]
    assert (list(crowded.events), crowded.left_out) == (EVENTS, 6), "twice three names"
    assert events.waiting([numbers["a"]])[numbers["a"]].left_out == 0
    events.taken(second, crowded.places)
    events.put(ORG, EVENTS)
    again = events.waiting([numbers["b"]])[numbers["b"]]
    assert (list(again.events), again.left_out) == (EVENTS, 0)


@pytest.mark.parametrize("targets", ["{", "[1]", '[["User"]]', "7", '[["User", "00u1", "x"]]'])
def test_a_row_that_nobody_can_read_is_counted_and_hides_no_other(
    database: str, events: PostgresHookEvents, numbers: dict[str, int], targets: str
) -> None:
    events.put(ORG, EVENTS)
    with connect(database) as session:
        spoilt = "UPDATE syncd.hook_event SET targets = $1 WHERE connection = $2 AND uuid = 'uuid-1'"
        session.execute(spoilt.encode(), (targets, numbers["a"]))
    found = events.waiting(numbers.values())
    spoilt_one, other = found[numbers["a"]], found[numbers["b"]]
    assert (list(spoilt_one.events), spoilt_one.unreadable, len(spoilt_one.places)) == (EVENTS[1:], 1, 2)
    assert (list(other.events), other.unreadable) == (EVENTS, 0)


def test_what_stores_of_the_org_remember_is_found(
    database: str, events: PostgresHookEvents, numbers: dict[str, int]
) -> None:
    with connect(database) as session:
        for name, value in (("a", '"one"'), ("foreign", '"two"')):
            session.execute("SELECT set_config('syncd.connection', $1, false)", (str(numbers[name]),))
            session.execute("INSERT INTO facts (key, value) VALUES ('org_urls', $1)", (value,))
    assert list(events.remembered(ORG, "org_urls")) == ["one"]
    assert list(events.remembered(ORG, "another")) == []
