"""What real SCIM servers do, one test for each finding. The finer points have tests of their own beside these."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from syncd.errors import AlreadyExists, NotFound, PermanentError, SyncdError, TemporaryError
from syncd.scim.http import ScimHttp
from tests.scim.conftest import Bench, MakeTarget, person
from tests.scim.scripted import Reply, Script, ScriptedServer, Seen, in_turn, listing, problem

Serve = Callable[[Script], ScriptedServer]
MakeBench = Callable[..., Bench]
STRANGER = {"id": "stranger", "userName": "annxlee@e.com", "active": True, "externalId": "00uOTHER"}


def test_trap_1_a_hit_is_compared_and_a_stranger_is_never_taken(
    serve: Serve, make_target: MakeTarget
) -> None:
    """A filter answers everybody, or treats eq as a regular expression."""
    server = serve(lambda seen: listing([STRANGER] if seen.query.get("startIndex") == "1" else [], 1))
    target = make_target(server.base_url)

    assert list(target.find_users(okta_id="00u1", user_name="ann.lee@e.com")) == []
    assert list(target.find_groups(okta_id="00g1", name="Eng")) == []


def test_trap_1_a_post_answered_with_somebody_who_was_there_takes_nobody(
    serve: Serve, make_target: MakeTarget
) -> None:
    """200 and not 201: the server found somebody by e-mail and shows them instead."""
    known = {"id": "7", "userName": "other@e.com", "active": False, "emails": [{"value": "ann@e.com"}]}
    server = serve(lambda seen: Reply(200, known) if seen.method == "POST" else listing([]))

    with pytest.raises(AlreadyExists, match=r"other@e\.com"):
        make_target(server.base_url).create_user("00uann", person("ann"))

    assert {line.split()[0] for line in server.lines} == {"POST"}


def test_trap_2_where_external_ids_are_not_indexed_no_search_proves_an_absence(bench: MakeBench) -> None:
    made = bench(case_sensitive=False, filter_external_id=False)
    made.people("ann", "bob")

    assert not made.target.search_is_whole("new@example.com")
    made.spent()
    assert not made.target.search_is_whole("other@example.com")
    assert made.spent() == []


def test_trap_2_a_404_to_every_filter_proves_no_absence(bench: MakeBench) -> None:
    made = bench(case_sensitive=False, filter_mode="unsupported_404")
    made.people("ann", "bob")

    assert not made.target.search_is_whole("new@example.com")


def test_trap_2_an_empty_search_after_exists_is_looked_into_and_the_post_not_repeated(
    serve: Serve, make_target: MakeTarget
) -> None:
    """The filters find nothing because of a plus sign, yet the POST says 409."""
    ours = {"id": "1", "userName": "ANN+1@e.com", "externalId": "00u1"}

    def script(seen: Seen) -> Reply:
        if seen.method == "POST":
            return problem(409)
        return listing([] if "filter" in seen.query or seen.query["startIndex"] != "1" else [ours], 0)

    server = serve(script)

    applied = make_target(server.base_url).create_user("00u1", {"userName": "ann+1@e.com"})

    assert applied.scim_id == "1"
    filters = [seen.query["filter"] for seen in server.seen if "filter" in seen.query]
    assert filters == ['externalId eq "00u1"', 'userName eq "ann+1@e.com"', 'emails.value eq "ann+1@e.com"']
    assert [line.split()[0] for line in server.lines].count("POST") == 1


@pytest.mark.parametrize(
    "knobs",
    [
        {"conflict_status": 409, "conflict_scim_type": False},
        {"conflict_status": 409, "filter_mode": "unsupported_404"},
        {"conflict_status": 500},
        {"duplicates": "twin"},
    ],
    ids=str,
)
def test_trap_3_duplicates_are_no_twins_however_the_server_says_it(
    knobs: dict[str, Any], bench: MakeBench
) -> None:
    """409 with or without scimType, 500, or 201 and a second one: a lost answer is searched for first."""
    made = bench(**knobs)
    made.people("zoe")
    made.simulator.faults.add("drop", method="POST", path="/Users", after_effect=True)

    applied = made.target.create_user("00uann", person("ann"))

    assert [user.id for user in made.world.users.values() if user.user_name == "ann@example.com"] == [
        applied.scim_id
    ]


def test_trap_3_one_person_has_never_two_creates_in_flight(serve: Serve, make_target: MakeTarget) -> None:
    gate = threading.Semaphore(1)
    overlaps: list[str] = []

    def script(seen: Seen) -> Reply:
        if seen.method != "POST":
            return listing([])
        if not gate.acquire(blocking=False):
            overlaps.append(seen.line)
            return problem(409)
        threading.Event().wait(0.02)
        gate.release()
        return Reply(201, {"id": "1", **seen.body})

    target = make_target(serve(script).base_url)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _n: target.create_user("00u1", person("ann")), range(3)))

    assert overlaps == []


def test_trap_4_many_groups_of_one_name_and_a_dropped_external_id(bench: MakeBench) -> None:
    made = bench(duplicates="twin", keep_group_external_id=False)
    ours = made.target.create_group("00g1", "Eng").scim_id
    other = made.world.create_local_group("Eng")

    found = made.target.find_groups(okta_id="00g1", name="Eng")

    assert ours is not None
    assert {group.scim_id for group in found} == {ours, other}
    assert made.target.group(ours).name == "Eng"


@pytest.mark.parametrize(
    ("knobs", "complete"),
    [
        ({"max_count": 2}, True),
        ({"total_is_page_length": True, "max_count": 2}, True),
        ({"total_cap": 3, "max_count": 2}, True),
        ({"cursor_paging": True, "max_count": 2}, True),
        ({"ignore_paging": True, "max_count": 2}, False),
    ],
    ids=str,
)
def test_trap_5_a_listing_is_complete_only_if_it_provably_is(
    knobs: dict[str, Any], complete: bool, bench: MakeBench
) -> None:
    made = bench(**knobs)
    people = made.people(*(f"p{n}" for n in range(7)))
    users = made.target.list_users()

    seen = [user.scim_id for page in users for user in page]

    assert users.complete is complete
    assert (sorted(seen) == sorted(people)) is complete


@pytest.mark.parametrize("knobs", [{"members_in_lists": False}, {"members_listed": 1}], ids=str)
def test_trap_6_members_are_read_by_id_and_never_from_a_list(knobs: dict[str, Any], bench: MakeBench) -> None:
    made = bench(**knobs)
    people = made.people("ann", "bob", "cy")
    group = made.group_of(*people)

    listed = [found for page in made.target.list_groups() for found in page]

    assert [found.members for found in listed] == [None]
    assert made.target.group(group).members == frozenset(people)


def test_trap_7_a_success_without_effect_is_none(serve: Serve, make_target: MakeTarget) -> None:
    """PUT and PATCH answer 200 and change nothing."""
    user = {"id": "1", "userName": "a@e.com", "displayName": "Old"}
    group = {"id": "1", "displayName": "Old", "members": [{"value": "x"}]}
    target = make_target(serve(lambda seen: Reply(200, user if "/Users/" in seen.path else group)).base_url)

    with pytest.raises(PermanentError):
        target.update_user("1", {"displayName": "Old"}, {"displayName": "New"})
    with pytest.raises(PermanentError):
        target.rename_group("1", "New")
    outcome = target.change_members("1", add=["y"], remove=["x"])

    assert set(outcome.failed) == {"x", "y"}


def test_trap_7_a_server_that_showed_its_answers_is_not_believed_when_it_falls_silent(
    serve: Serve, make_target: MakeTarget
) -> None:
    """An empty 200 of something in between, after answers with the whole object: it is looked at, not trusted."""
    user: dict[str, Any] = {"id": "1", "userName": "a@e.com", "active": True}
    group: dict[str, Any] = {"id": "1", "displayName": "A", "members": [{"value": "x"}]}
    silent = False

    def script(seen: Seen) -> Reply:
        thing = user if "/Users/" in seen.path else group
        if silent and seen.method == "PATCH":
            return Reply(200, "")
        for operation in seen.body["Operations"] if seen.method == "PATCH" else ():
            if operation.get("path") == "members":
                thing["members"] = [*thing["members"], *operation["value"]]
            else:
                thing.update(operation["value"])
        return Reply(200, thing)

    target = make_target(serve(script).base_url, update_method="patch")
    target.update_user("1", {"active": False}, {"active": True})
    target.rename_group("1", "B")
    target.change_members("1", add=["y"], remove=())
    silent = True

    with pytest.raises(PermanentError):
        target.deactivate_user("1")
    with pytest.raises(PermanentError):
        target.rename_group("1", "C")
    assert set(target.change_members("1", add=["z"], remove=()).failed) == {"z"}


def test_trap_7_members_that_are_not_shown_are_not_lost_by_a_put(
    serve: Serve, make_target: MakeTarget
) -> None:
    """A group that was there before, on a server without PATCH that shows no members of any group."""
    members = {"stranger"}

    def script(seen: Seen) -> Reply:
        if seen.method == "PUT":
            members.clear()
            members.update(entry["value"] for entry in seen.body.get("members", []))
        group = {"id": "g1", "displayName": "Eng"}
        return listing([group]) if seen.path.endswith("/Groups") else Reply(200, group)

    target = make_target(serve(script).base_url, update_method="put")

    outcome = target.change_members("g1", add=["ann"], remove=())
    with pytest.raises(PermanentError, match="could lose"):
        target.rename_group("g1", "New")

    assert set(outcome.failed) == {"ann"}
    assert members == {"stranger"}


@pytest.mark.parametrize("listed", [True, False])
def test_trap_7_a_group_without_members_is_changed_by_put_where_another_shows_its_own(
    listed: bool, serve: Serve, make_target: MakeTarget
) -> None:
    """The server leaves empty lists out, and perhaps every list out of its lists."""
    groups: dict[str, dict[str, Any]] = {
        "g1": {"id": "g1", "displayName": "Eng"},
        "g2": {"id": "g2", "displayName": "Ops", "members": [{"value": "x"}]},
    }

    def script(seen: Seen) -> Reply:
        name = seen.path.rpartition("/")[2]
        if name == "Groups":
            bare = [{"id": key, "displayName": group["displayName"]} for key, group in groups.items()]
            return listing(list(groups.values()) if listed else bare)
        if seen.method == "PUT":
            groups[name] = {**seen.body, "id": name}
        return Reply(200, groups[name])

    outcome = make_target(serve(script).base_url, update_method="put").change_members(
        "g1", add=["ann"], remove=()
    )

    assert outcome.added == {"ann"}


@pytest.mark.parametrize("by_values", ["works", "ignored", "clears", "refused_400"])
@pytest.mark.parametrize("by_filter", ["refused_400", "refused_501", "ignored"])
def test_trap_8_members_are_removed_by_whatever_form_works_and_nobody_else_is_lost(
    by_filter: str, by_values: str, bench: MakeBench
) -> None:
    made = bench(remove_by_filter=by_filter, remove_by_values=by_values)
    people = made.people("ann", "bob", "cy", "dee")
    group = made.group_of(*people)

    outcome = made.target.change_members(group, add=(), remove=people[:2])

    assert outcome.removed == set(people[:2])
    assert made.members(group) == set(people[2:])


def test_trap_9_members_are_sent_as_differences_in_batches(bench: MakeBench) -> None:
    made = bench({"member_batch": 2}, replace_only_adds=True)
    people = made.people("ann", "bob", "cy")
    group = made.group_of(*people)

    made.target.change_members(group, add=(), remove=people)

    bodies = [request.body for request in made.simulator.requests]
    operations = [body["Operations"] for body in bodies if isinstance(body, dict)]
    assert [len(batch) for batch in operations] == [2, 1]
    assert all(operation["op"] == "remove" for batch in operations for operation in batch)
    assert made.members(group) == set()


def test_trap_10_deactivation_works_without_patch(bench: MakeBench) -> None:
    made = bench(patch_users=False)
    (ann,) = made.people("ann")

    made.target.deactivate_user(ann)

    assert not made.world.users[ann].active


@pytest.mark.parametrize("knobs", [{"put_without_active_enables": True}, {"put_without_active_drops": True}])
def test_trap_11_a_put_always_sends_active(knobs: dict[str, Any], bench: MakeBench) -> None:
    made = bench({"update_method": "put"}, **knobs)
    (ann,) = made.people("ann")
    made.target.deactivate_user(ann)

    made.target.update_user(ann, {"displayName": "Ann Test"}, {"displayName": "Left"})

    assert not made.world.users[ann].active
    assert made.target.user(ann).attributes["displayName"] == "Left"


def test_trap_12_no_id_no_null_no_empty_value_and_whole_sub_objects(bench: MakeBench) -> None:
    made = bench()
    made.target.create_user("00uann", {**person("ann"), "title": "", "urn:x:1.0:User:cost": ""})
    (ann,) = made.world.users
    after = {"name.givenName": "Bea", "title": None}

    made.target.update_user(ann, {"name.givenName": "Ann", "title": "x"}, after, person("ann"))

    bodies = [request.body for request in made.simulator.requests if request.body]
    text = json.dumps(bodies)
    assert '"id"' not in text
    assert "null" not in text
    assert "urn:x" not in text
    assert "familyName" in json.dumps(bodies[-1])


@pytest.mark.parametrize("statuses", [(200, 204), (204, 200)])
def test_trap_13_an_answer_with_or_without_a_body_is_the_same(
    statuses: tuple[int, int], serve: Serve, make_target: MakeTarget
) -> None:
    turns = list(statuses)
    user = {"id": "1", "userName": "a@e.com"}

    def script(seen: Seen) -> Reply:
        if seen.method == "PATCH":
            user.update(seen.body["Operations"][0]["value"])
            return Reply(204) if turns.pop(0) == 204 else Reply(200, user)
        return Reply(200, user)

    target = make_target(serve(script).base_url)

    assert all(target.update_user("1", {"title": "A"}, {"title": text}).verified for text in ("B", "C"))


def test_trap_14_ids_with_at_and_plus_and_wrong_locations(serve: Serve, make_target: MakeTarget) -> None:
    strange = "ann+1@e.com"
    body = {"id": strange, "userName": strange, "active": True}
    server = serve(
        lambda seen: Reply(
            201 if seen.method == "POST" else 200, body, {"Location": "http://wrong.invalid/x"}
        )
    )
    target = make_target(server.base_url)

    applied = target.create_user("00u1", {"userName": strange})
    target.user(str(applied.scim_id))

    assert server.lines == ["POST /Users", "GET /Users/ann%2B1%40e.com"]


def test_trap_14_an_account_that_got_another_id_with_its_name_is_to_be_looked_for(
    serve: Serve, make_target: MakeTarget
) -> None:
    """Ids made of e-mail addresses: the old one is gone with the old address, and the answer says so."""
    moved = {"id": "bea@e.com", "userName": "bea@e.com", "active": True}
    server = serve(
        lambda seen: Reply(200, moved) if seen.method == "PATCH" or "bea" in seen.path else problem(404)
    )

    with pytest.raises(NotFound, match=r"bea@e\.com"):
        make_target(server.base_url).update_user(
            "ann@e.com", {"userName": "ann@e.com"}, {"userName": "bea@e.com"}
        )


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, "<html><h1>Bad Request</h1></html>"),
        Reply(400, "<html></html>", {"Content-Type": "application/scim+json"}),
        Reply(400, "plain"),
        Reply(400),
        Reply(400, {"detail": ["a", "b"], "status": 400}),
        Reply(500, {"detail": None}),
    ],
)
def test_trap_15_errors_of_every_shape_are_read(reply: Reply, serve: Serve, make_target: MakeTarget) -> None:
    server = serve(in_turn(reply))
    target = make_target(server.base_url)

    for act in (
        lambda: target.user("1"),
        lambda: target.create_group("00g1", "Eng"),
        lambda: list(target.list_users()),
        lambda: target.rename_group("1", "New"),
    ):
        with pytest.raises((PermanentError, TemporaryError)) as caught:
            act()
        assert isinstance(caught.value, SyncdError)
    assert len(server.seen) < 45


@pytest.mark.parametrize(
    "headers",
    [{"x-retry-after": "0"}, {"X-RateLimit-Reset-Seconds-Org": "0", "X-RateLimit-Reset-Seconds-IP": "0"}, {}],
)
def test_trap_16_every_429_is_waited_for(
    headers: dict[str, str], serve: Serve, make_http: Callable[..., ScimHttp]
) -> None:
    server = serve(in_turn(Reply(429, headers=headers), Reply(429, headers=headers), listing([])))

    assert make_http(server.base_url).send("GET", ["Users"]).status == 200


@pytest.mark.parametrize("refused", ["application/scim+json", "application/json"])
def test_trap_17_either_content_type_may_be_refused_and_no_slash_trails(
    refused: str, serve: Serve, make_target: MakeTarget
) -> None:
    def script(seen: Seen) -> Reply:
        if seen.path.endswith("/"):
            return Reply(308, headers={"Location": seen.path.rstrip("/")})
        if seen.method == "POST" and seen.headers["Content-Type"] == refused:
            return Reply(415)
        return listing([]) if seen.method == "GET" else Reply(201, {"id": "1", **seen.body})

    assert make_target(serve(script).base_url + "/").create_group("00g1", "Eng").scim_id == "1"


def test_trap_18_discovery_that_lies_is_not_believed(bench: MakeBench) -> None:
    made = bench(discovery_lies=True)
    (ann,) = made.people("ann")
    found = made.target.probe()
    made.spent()

    assert (found.filter, found.patch) == (False, False)
    assert [user.scim_id for user in made.target.find_users(okta_id="00uann", user_name="x")] == [ann]
    made.target.deactivate_user(ann)
    assert made.spent() == ["GET 200", "PATCH 200"]


def test_trap_19_a_version_is_sent_only_where_it_is_honoured(bench: MakeBench) -> None:
    made = bench({"update_method": "put"}, etag=True)
    (ann,) = made.people("ann")

    made.target.update_user(ann, {"displayName": "Ann Test"}, {"displayName": "B"})

    assert made.target.user(ann).attributes["displayName"] == "B"


def test_trap_20_a_deleted_user_who_stays_in_a_group_disturbs_nobody(bench: MakeBench) -> None:
    made = bench(deleted_stay_members=True)
    people = made.people("ann", "bob", "cy")
    group = made.group_of(*people[:2])
    made.world.delete_user(people[0])

    outcome = made.target.change_members(group, add=people[2:], remove=people[:2])

    assert dict(outcome.failed) == {}
    assert made.members(group) == {people[2]}


def test_a_conflict_is_never_answered_by_a_second_post(bench: MakeBench) -> None:
    made = bench()
    made.world.create_local_user("ann@example.com")

    with pytest.raises(AlreadyExists):
        made.target.create_user("00uann", person("ann"))

    assert made.spent().count("POST 409") == 1
