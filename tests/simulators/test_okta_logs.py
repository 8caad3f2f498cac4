"""The System Log: polling that never ends, bounded queries that do."""

from syncd.simulators.okta import OktaSimulator
from syncd.simulators.world import OktaWorld
from tests.simulators.conftest import Client

LOGS = "/api/v1/logs"


def types(answer: list[dict[str, object]]) -> list[object]:
    return [event["eventType"] for event in answer]


def test_a_poll_always_has_a_next_link_that_goes_on_where_it_ended(
    reader: Client, okta_world: OktaWorld
) -> None:
    start = reader.get(LOGS, limit=10)
    assert start.json() == []

    again = reader.get(start.links["next"]["url"])
    assert again.json() == []

    okta_world.unassign("ben@example.com")
    okta_world.rename_group("Sales", "Revenue")
    news = reader.get(again.links["next"]["url"])
    assert types(news.json()) == ["application.user_membership.remove", "group.profile.update"]
    assert reader.get(news.links["next"]["url"]).json() == []


def test_a_poll_pages_by_its_limit_and_keeps_its_filter(reader: Client, okta_world: OktaWorld) -> None:
    for name in ("one", "two", "three"):
        okta_world.create_group(name)
    okta_world.add_member("one", "eve@example.com")

    first = reader.get(LOGS, limit=2, filter='eventType eq "group.lifecycle.create"')
    second = reader.get(first.links["next"]["url"])

    assert len(first.json()) == 2
    assert types(second.json()) == ["group.lifecycle.create"]


def test_targets_are_found_by_filter(reader: Client, okta_world: OktaWorld) -> None:
    eve = okta_world.user("eve@example.com").id
    okta_world.add_member("Sales", "eve@example.com")
    okta_world.add_member("Sales", "ben@example.com")

    found = reader.get(LOGS, filter=f'target.id eq "{eve}" and outcome.result eq "SUCCESS"').json()

    assert types(found) == ["group.user_membership.add"]
    assert {target["type"] for target in found[0]["target"]} == {"User", "UserGroup"}


def test_an_event_of_an_assignment_names_app_and_user(reader: Client, okta_world: OktaWorld) -> None:
    okta_world.assign("eve@example.com")

    targets = {target["type"]: target["id"] for target in reader.get(LOGS).json()[0]["target"]}

    assert targets["AppInstance"] == okta_world.app.id
    assert targets["User"] == okta_world.user("eve@example.com").id
    assert targets["AppUser"].startswith("0ua")


def test_a_late_event_is_polled_where_it_was_persisted_and_sorted_where_it_happened(
    reader: Client, okta_world: OktaWorld
) -> None:
    okta_world.create_group("now")
    cursor = reader.get(LOGS).links["next"]["url"]
    okta_world.late_event(
        "user.lifecycle.suspend", published="2026-02-01T00:00:00.000Z", user="ada@example.com"
    )

    assert types(reader.get(cursor).json()) == ["user.lifecycle.suspend"]
    bounded = reader.get(LOGS, since="2026-01-01T00:00:00Z", until="2100-01-01T00:00:00Z")
    assert types(bounded.json()) == ["user.lifecycle.suspend", "group.lifecycle.create"]
    assert "next" not in bounded.links


def test_a_bounded_query_pages_and_ends(reader: Client, okta_world: OktaWorld) -> None:
    for number in range(5):
        okta_world.create_group(f"Group {number}")

    pages = reader.pages(f"{LOGS}?since=2026-01-01T00:00:00Z&until=2100-01-01T00:00:00Z&limit=2")
    newest = reader.get(LOGS, sortOrder="DESCENDING", limit=1).json()

    assert [len(page) for page in pages] == [2, 2, 1]
    assert newest[0]["target"][0]["displayName"] == "Group 4"


def test_an_event_may_be_delivered_twice(okta: OktaSimulator, reader: Client, okta_world: OktaWorld) -> None:
    okta.set_knobs(log_duplicates=True)
    okta_world.create_group("twice")

    events = reader.get(LOGS).json()

    assert len(events) == 2
    assert events[0]["uuid"] == events[1]["uuid"]


def test_events_may_be_slow_to_arrive(okta: OktaSimulator, reader: Client, okta_world: OktaWorld) -> None:
    okta.set_knobs(log_delay_seconds=3600)
    okta_world.create_group("later")
    waiting = reader.get(LOGS)
    assert waiting.json() == []

    okta.set_knobs(log_delay_seconds=0)

    assert types(reader.get(waiting.links["next"]["url"]).json()) == ["group.lifecycle.create"]


def test_bad_queries_are_refused_with_their_codes(reader: Client) -> None:
    codes = [
        reader.get(LOGS, **query).json()["errorCode"]
        for query in (
            {"since": "yesterday"},
            {"since": "2026-01-01T00:00:00Z", "after": "x"},
            {"filter": 'published gt "2026"'},
            {"filter": "eventType zz 1"},
            {"q": "x" * 41},
        )
    ]

    assert codes == ["E0000001", "E0000001", "E0000053", "E0000031", "E0000001"]
