"""How lists are asked for page by page: links that lost parameters, and the size of a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import PermanentError
from syncd.okta.listing import carried_over
from syncd.okta.reader import OktaReader
from syncd.simulators.okta import OktaKnobs, OktaSimulator
from syncd.simulators.world import OktaWorld, generate_okta
from tests.okta.fakes import USERS, FakeOkta, FakeTime, Reply, Seen, app_user_json, okta_error, reader
from tests.okta.test_lists import reader_of

GROUP = "/api/v1/groups/00g1/users"


@pytest.fixture(scope="module")
def world() -> OktaWorld:
    return generate_okta(users=1200, groups=3, seed=11)


@pytest.mark.parametrize("dropped", [("expand",), ("expand", "limit")])
def test_a_next_link_that_lost_parameters_gets_them_back(world: OktaWorld, dropped: tuple[str, ...]) -> None:
    """As Okta was recorded: without `expand` later pages do not show whether a user is active."""
    with OktaSimulator(world, knobs=OktaKnobs(next_drops=dropped)) as okta, reader_of(okta) as source:
        found = [user for page in source.app_users() for user in page.records]
        asked = len(okta.requests)

    assert len(found) == len(world.app_users)
    assert [user.okta_id for user in found if user.user_status is None] == []
    assert asked == 3


def test_what_a_next_link_says_itself_is_left_as_it_is() -> None:
    following = f"{USERS}?after=x%2B%2Fy&limit=7"

    def script(seen: Seen, before: int) -> Reply:
        if "after" in seen.path:
            return Reply([app_user_json(2)])
        return Reply([app_user_json(1)], headers=[okta.link(following)])

    with (okta := FakeOkta(script)), reader(okta) as source:
        list(source.app_users())

    assert okta.paths()[1] == f"{following}&expand=user"


_names = st.sampled_from(["after", "limit", "expand", "filter", "x"])
_queries = st.dictionaries(_names, st.text("ab+%2C", max_size=4).map(lambda text: text.replace("%", "%25")))


@given(of_link=_queries, asked=_queries, fragment=st.sampled_from(["", "#top"]))
def test_a_link_keeps_its_own_parameters_and_gets_those_that_it_lacks(
    of_link: dict[str, str], asked: dict[str, str], fragment: str
) -> None:
    def url(query: dict[str, str]) -> str:
        return (
            "https://o.example/api/v1/things"
            + ("?" if query else "")
            + "&".join(f"{name}={value}" for name, value in query.items())
        )

    found = carried_over(url(of_link) + fragment, url(asked), but=("after",))

    assert found.startswith(url(of_link))
    assert found.endswith(fragment)
    wanted = {**{name: value for name, value in asked.items() if name != "after"}, **of_link}
    shown = parse_qs(urlsplit(found).query, keep_blank_values=True)
    assert shown == parse_qs(urlsplit(url(wanted)).query, keep_blank_values=True)


def test_a_log_whose_next_link_lost_its_filter_is_followed_with_it() -> None:
    def script(seen: Seen, before: int) -> Reply:
        return Reply([], headers=[okta.link("/api/v1/logs?after=1")])

    with (okta := FakeOkta(script)), reader(okta) as source:
        cursor = source.log_cursor().cursor
        again = source.log_page(cursor).cursor

    asked = parse_qs(urlsplit(okta.paths()[0]).query)
    for each in (cursor, again):
        followed = parse_qs(urlsplit(each).query)
        assert followed["after"] == ["1"]
        assert {name: followed[name] for name in ("filter", "limit", "sortOrder")} == {
            name: asked[name] for name in ("filter", "limit", "sortOrder")
        }
        assert "since" not in followed, "which a request with a cursor may not have"


@pytest.mark.parametrize("cap", [10, 50, 100])
def test_a_log_that_caps_its_pages_is_followed_to_its_end_at_once(cap: int) -> None:
    """The next link is there always, so the number of events alone says that there may be more."""
    events = [
        {"uuid": f"e{number}", "eventType": "user.lifecycle.create", "target": []}
        for number in range(2 * cap + 3)
    ]

    def script(seen: Seen, before: int) -> Reply:
        start = int(parse_qs(urlsplit(seen.path).query).get("after", ["0"])[0])
        page = events[start : start + cap]
        return Reply(page, headers=[okta.link(f"/api/v1/logs?after={start + len(page)}")])

    with (okta := FakeOkta(script)), reader(okta) as source:
        page = source.log_cursor()
        found = [*page.events]
        while page.full:
            page = source.log_page(page.cursor)
            found += page.events

    assert [event.uuid for event in found] == [event["uuid"] for event in events]


def test_a_log_without_a_next_link_is_asked_again_at_the_same_place() -> None:
    events: list[dict[str, object]] = []

    def script(seen: Seen, before: int) -> Reply:
        return Reply(list(events))

    with FakeOkta(script) as okta, reader(okta) as source:
        begun = source.log_cursor()
        events.append({"uuid": "e1", "eventType": "user.lifecycle.create", "target": []})
        page = source.log_page(begun.cursor)
        events.extend([{"uuid": "e2", "eventType": "user.lifecycle.create", "target": []}] * 99)
        with pytest.raises(PermanentError, match="no next page"):
            source.log_page(page.cursor)  # what follows a whole page nobody can ask for

    assert "since=" in begun.cursor
    assert (page.cursor, page.full) == (begun.cursor, False)
    assert [event.uuid for event in page.events] == ["e1"]


@pytest.mark.parametrize("cap", [1000, 30])
def test_a_log_that_never_has_a_next_link_is_followed_for_as_long_as_it_goes_on(cap: int) -> None:
    """Also where its pages are cut and nothing says so: what was shown last is where the next question begins."""
    began = datetime.now(UTC)
    events: list[dict[str, object]] = []

    def script(seen: Seen, before: int) -> Reply:
        del before
        since = parse_qs(urlsplit(seen.path).query)["since"][0]
        return Reply([each for each in events if str(each["published"]) >= since][:cap], date=False)

    fake_time = FakeTime()
    with FakeOkta(script) as okta, reader(okta, fake_time=fake_time) as source:
        place = source.log_cursor().cursor
        found: set[str] = set()
        for number in range(400):
            fake_time.offset += 20
            at = (began + timedelta(seconds=fake_time.offset)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            kind = {"eventType": "user.lifecycle.create", "target": [], "published": at}
            events.append({"uuid": f"e{number}", **kind})
            if number % 10 == 9:
                page = source.log_page(place)
                found |= {event.uuid for event in page.events}
                place = page.cursor

    assert found == {f"e{number}" for number in range(400)}


def test_a_log_without_a_next_link_is_never_asked_from_a_moment_that_is_still_to_come() -> None:
    ahead = (datetime.now(UTC) + timedelta(days=300)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    event = {"uuid": "e1", "eventType": "user.lifecycle.create", "target": [], "published": ahead}
    with FakeOkta(lambda _seen, _before: Reply([event])) as okta, reader(okta) as source:
        place = source.log_page(source.log_cursor().cursor).cursor
    assert parse_qs(urlsplit(place).query)["since"][0] < datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _members(source: OktaReader, *groups: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {group: set() for group in groups}
    for page in source.members(groups):
        assert page.failed is None, page.failed
        found[page.group_id] |= set(page.user_ids)
    return found


def test_the_members_of_a_group_come_a_thousand_at_a_time(world: OktaWorld) -> None:
    everyone = str(world.create_group("All of them", members=sorted(world.users)))
    members = set(world.group(everyone).members)
    with OktaSimulator(world) as okta, reader_of(okta) as source:
        assert _members(source, everyone) == {everyone: members}
        assert len(okta.requests) == -(-len(members) // 1000)


def test_a_server_that_takes_no_page_of_a_thousand_is_asked_for_smaller_ones_from_then_on(
    world: OktaWorld,
) -> None:
    groups = sorted(world.groups)
    knobs = OktaKnobs(members_limit=200)
    with OktaSimulator(world, knobs=knobs) as okta, reader_of(okta, parallel=1) as source:
        found = _members(source, *groups)
        refused = [request.status for request in okta.requests].count(400)

    assert found == {group: set(world.group(group).members) for group in groups}
    assert refused == 1


@pytest.mark.parametrize("kind", ["members", "groups"])
def test_a_page_that_is_not_ready_in_time_is_asked_for_in_smaller_ones(kind: str) -> None:
    record = {"id": "00u1"} if kind == "members" else {"id": "00g1", "profile": {"name": "Crew"}}

    def script(seen: Seen, before: int) -> Reply:
        return Reply([record], delay=0.3 if "limit=1000" in seen.path else 0.0)

    with FakeOkta(script) as okta, reader(okta, fake_time=FakeTime(), timeout=0.1) as source:
        if kind == "members":
            assert _members(source, "00g1") == {"00g1": {"00u1"}}
        else:
            assert [group.okta_id for page in source.groups() for group in page.records] == ["00g1"]


def test_a_list_that_is_refused_in_every_size_is_an_error_and_not_asked_for_ever() -> None:
    def script(seen: Seen, before: int) -> Reply:
        return Reply(okta_error("E0000001", "Api validation failed"), 400)

    with FakeOkta(script) as okta, reader(okta) as source:
        [page] = source.members(["00g1"])

    assert page.failed is not None
    assert okta.paths() == [f"{GROUP}?limit=1000", f"{GROUP}?limit=200"]
