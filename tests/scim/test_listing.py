"""A listing is complete only if it provably saw everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncd.errors import AccessDenied, ConnectionSick, IncompleteRead
from syncd.model import RemoteUser
from syncd.ports.target import RemoteListing
from tests.scim.conftest import Bench, MakeTarget
from tests.scim.scripted import Reply, Script, ScriptedServer, Seen, in_turn, listing, problem

Serve = Callable[[Script], ScriptedServer]
ALL = [{"id": str(number), "userName": f"u{number}"} for number in range(45)]


def walk(target_listing: RemoteListing[RemoteUser]) -> tuple[list[str], bool]:
    seen = [user.scim_id for page in target_listing for user in page]
    return seen, target_listing.complete


def pages(seen: Seen, *, cap: int = 20, total: Callable[[int], int] = lambda _n: len(ALL)) -> Reply:
    start = int(seen.query.get("startIndex", "1"))
    chosen = ALL[start - 1 : start - 1 + cap]
    return listing(chosen, total(len(chosen)), startIndex=start, itemsPerPage=len(chosen))


@pytest.mark.parametrize("cap", [1, 20, 45, 100])
def test_capped_pages_are_all_read(cap: int, serve: Serve, make_target: MakeTarget) -> None:
    server = serve(lambda seen: pages(seen, cap=cap))

    ids, complete = walk(make_target(server.base_url).list_users())

    assert ids == [user["id"] for user in ALL]
    assert complete
    assert server.seen[0].query == {"startIndex": "1", "count": "100"}


@pytest.mark.parametrize("total", [lambda n: n, lambda _n: 30, lambda _n: 0], ids=["page", "capped", "zero"])
def test_a_wrong_total_does_not_end_the_walk(
    total: Callable[[int], int], serve: Serve, make_target: MakeTarget
) -> None:
    server = serve(lambda seen: pages(seen, total=total))

    ids, complete = walk(make_target(server.base_url).list_users())

    assert len(ids) == len(ALL)
    assert complete


def test_a_server_that_ignores_start_index_is_no_endless_loop_and_not_complete(
    serve: Serve, make_target: MakeTarget
) -> None:
    server = serve(in_turn(listing(ALL[:20], 20)))

    ids, complete = walk(make_target(server.base_url).list_users())

    assert len(ids) == 20
    assert not complete
    assert len(server.seen) == 2


def test_fewer_than_announced_is_not_complete(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(in_turn(listing(ALL[:20], 45), listing([], 45)))

    assert walk(make_target(server.base_url).list_users())[1] is False


def test_a_record_without_an_id_makes_the_list_incomplete_and_costs_only_itself(
    serve: Serve, make_target: MakeTarget
) -> None:
    server = serve(in_turn(listing([ALL[0], {"userName": "x"}, ALL[1]]), listing([], 3)))

    ids, complete = walk(make_target(server.base_url).list_users())

    assert ids == ["0", "1"]
    assert not complete


def test_an_empty_target_is_complete_after_one_request(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(in_turn(Reply(body={"schemas": ["x"], "totalResults": 0})))

    assert walk(make_target(server.base_url).list_users()) == ([], True)
    assert len(server.seen) == 1


def test_a_user_that_shows_up_twice_is_listed_once(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(in_turn(listing(ALL[:3], 4), listing(ALL[2:4], 4), listing([], 4)))

    assert walk(make_target(server.base_url).list_users()) == (["0", "1", "2", "3"], True)


@pytest.mark.parametrize("status", [400, 404, 416])
def test_a_refused_page_behind_the_last_is_the_end(
    status: int, serve: Serve, make_target: MakeTarget
) -> None:
    server = serve(in_turn(listing(ALL[:2]), problem(status)))

    assert walk(make_target(server.base_url).list_users()) == (["0", "1"], True)


@pytest.mark.parametrize("status", [400, 500, 501])
def test_a_refused_count_is_left_out_and_remembered(
    status: int, serve: Serve, make_target: MakeTarget
) -> None:
    server = serve(lambda seen: problem(status) if "count" in seen.query else pages(seen))
    target = make_target(server.base_url)

    ids, complete = walk(target.list_users())
    server.forget()
    walk(target.list_users())

    assert (len(ids), complete) == (45, True)
    assert all("count" not in seen.query for seen in server.seen)
    assert target.learned()["count"] == "refused"


def test_an_echoed_zero_based_start_index_changes_nothing(serve: Serve, make_target: MakeTarget) -> None:
    def script(seen: Seen) -> Reply:
        reply = pages(seen)
        reply.body["startIndex"] -= 1
        return reply

    assert walk(make_target(serve(script).base_url).list_users())[1] is True


def test_cursors_are_followed_to_the_end(serve: Serve, make_target: MakeTarget) -> None:
    def script(seen: Seen) -> Reply:
        start = int(seen.query.get("cursor", "0"))
        more: dict[str, Any] = {"nextCursor": str(start + 20)} if start < 40 else {}
        return listing(ALL[start : start + 20], len(ALL), **more)

    server = serve(script)

    ids, complete = walk(make_target(server.base_url).list_users())

    assert (len(ids), complete) == (45, True)
    assert [seen.query.get("cursor") for seen in server.seen] == [None, "20", "40"]
    assert "startIndex" not in server.seen[1].query


def test_a_cursor_that_repeats_is_not_complete(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(in_turn(listing(ALL[:20], 45, nextCursor="x")))

    assert walk(make_target(server.base_url).list_users())[1] is False
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "broken", [problem(500), Reply(body="[1, 2"), Reply(drop=True), Reply(body={"error": 1})]
)
def test_a_page_that_fails_is_named(broken: Reply, serve: Serve, make_target: MakeTarget) -> None:
    server = serve(in_turn(listing(ALL[:20], 45), broken))
    target_listing = make_target(server.base_url).list_users()
    walking = iter(target_listing)

    assert len(next(walking)) == 20
    with pytest.raises(IncompleteRead) as caught:
        next(walking)

    assert (caught.value.what, caught.value.page) == ("Split users", 2)
    assert not target_listing.complete


def test_a_target_without_a_list_of_users_is_not_there(serve: Serve, make_target: MakeTarget) -> None:
    with pytest.raises(ConnectionSick) as caught:
        walk(make_target(serve(in_turn(problem(404))).base_url).list_users())

    assert "base_url" in caught.value.hint


def test_a_refused_token_is_access_denied(serve: Serve, make_target: MakeTarget) -> None:
    with pytest.raises(AccessDenied):
        walk(make_target(serve(in_turn(problem(401))).base_url).list_users())


def test_groups_are_listed_without_members(serve: Serve, make_target: MakeTarget) -> None:
    group = {"id": "g", "displayName": "Eng", "members": [{"value": "1"}]}
    server = serve(in_turn(listing([group]), listing([], 1)))
    target_listing = make_target(server.base_url).list_groups()

    groups = [group for page in target_listing for group in page]

    assert [group.members for group in groups] == [None]
    assert server.seen[0].query["excludedAttributes"] == "members"


def test_refused_excluded_attributes_are_left_out(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(lambda seen: problem(400) if "excludedAttributes" in seen.query else listing([], 0))
    target = make_target(server.base_url)

    assert list(target.list_groups()) == []
    assert target.learned()["excluded_attributes"] == "refused"


def test_a_listing_can_be_walked_twice(bench: Callable[..., Bench]) -> None:
    made = bench(max_count=2)
    made.people("ann", "bob", "cy")
    target_listing = made.target.list_users()

    assert [len(walk(target_listing)[0]) for _ in range(2)] == [3, 3]
    assert target_listing.complete
