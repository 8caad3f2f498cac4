"""Renaming and deleting groups, reading single objects, and what `check` asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scim2_models import Context, Group, PatchOp

from syncd.errors import (
    AccessDenied,
    ConnectionSick,
    NotFound,
    PermanentError,
    RefusedError,
    Scope,
    TemporaryError,
)
from tests.scim.conftest import Bench, MakeTarget
from tests.scim.scripted import Reply, Script, ScriptedServer, Seen, in_turn, listing, problem

Serve = Callable[[Script], ScriptedServer]
MakeBench = Callable[..., Bench]


@pytest.mark.parametrize("method", ["auto", "put"])
@pytest.mark.parametrize(
    "knobs",
    [{}, {"patch_204": True}, {"patch_groups": False}, {"pathless_ignored": True}, {"etag": True}],
    ids=str,
)
def test_a_group_is_renamed_and_keeps_its_members(
    method: str, knobs: dict[str, Any], bench: MakeBench
) -> None:
    made = bench({"update_method": method}, **knobs)
    people = made.people("ann", "bob")
    group = made.group_of(*people)

    applied = made.target.rename_group(group, "Renamed")

    assert (applied.scim_id, applied.verified) == (group, True)
    assert made.world.groups[group].name == "Renamed"
    assert made.members(group) == set(people)


def test_a_rename_is_one_request_without_the_id(bench: MakeBench) -> None:
    made = bench()
    group = made.group_of()

    made.target.rename_group(group, "Renamed")

    (request,) = made.simulator.requests
    body = request.body
    assert isinstance(body, dict)
    assert body["Operations"] == [{"op": "replace", "value": {"displayName": "Renamed"}}]
    PatchOp[Group].model_validate(body, scim_ctx=Context.RESOURCE_PATCH_REQUEST)


def test_a_rename_without_body_is_read_back_once_and_then_trusted(bench: MakeBench) -> None:
    made = bench(patch_204=True)
    group = made.group_of()

    for name in ("B", "C"):
        made.target.rename_group(group, name)

    assert made.spent() == ["PATCH 204", "GET 200", "PATCH 204"]
    assert made.world.groups[group].name == "C"


def test_a_rename_that_is_accepted_but_not_done_is_an_error(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(lambda _seen: Reply(200, {"id": "g1", "displayName": "Old", "members": [{"value": "x"}]}))

    with pytest.raises(PermanentError, match="keeps the old one"):
        make_target(server.base_url).rename_group("g1", "New")


def test_a_server_without_a_route_for_patch_is_not_taken_for_a_missing_group(
    serve: Serve, make_target: MakeTarget
) -> None:
    group: dict[str, Any] = {"id": "g1", "displayName": "Old", "members": [{"value": "x"}]}

    def script(seen: Seen) -> Reply:
        if seen.method == "PATCH":
            return Reply(404, "Cannot PATCH /Groups/g1")
        if seen.method == "PUT":
            group.update(seen.body)
        return Reply(200, group)

    target = make_target(serve(script).base_url)
    target.rename_group("g1", "New")
    outcome = target.change_members("g1", add=["y"], remove=["x"])

    assert dict(outcome.failed) == {}
    assert (group["displayName"], group["members"]) == ("New", [{"value": "y"}])


class OneGroup:
    """A server with one group. `astray`: methods that answer 404 though the group is there."""

    def __init__(self, *astray: str) -> None:
        self.group: dict[str, Any] = {"id": "g1", "displayName": "Old", "members": [{"value": "x"}]}
        self.astray = set(astray)
        self.bodies: list[Any] = []

    def __call__(self, seen: Seen) -> Reply:
        if seen.method in self.astray:
            return Reply(404, "page not found")
        self.bodies.append(seen.body)
        if seen.method == "PUT":
            self.group = {**seen.body, "id": "g1"}
        for operation in seen.body["Operations"] if seen.method == "PATCH" else ():
            if operation["op"] == "add":
                self.group["members"] += operation["value"]
            elif operation["op"] == "remove":
                gone = operation["path"].split('"')[1]
                self.group["members"] = [m for m in self.group["members"] if m["value"] != gone]
            else:
                self.group.update(operation["value"])
        return Reply(200, self.group)


@pytest.mark.parametrize(
    ("method", "astray"), [("patch", ["PATCH"]), ("put", ["PUT"]), ("auto", ["PATCH", "PUT"])], ids=str
)
@pytest.mark.parametrize(
    "learned", [{}, {"group_rename": "pathless", "members_add": "path", "members_remove": "filter"}], ids=str
)
def test_a_group_that_can_be_read_is_never_called_gone_whatever_a_write_answers(
    method: str, astray: list[str], learned: dict[str, str], serve: Serve, make_target: MakeTarget
) -> None:
    site = OneGroup(*astray, "DELETE")
    target = make_target(serve(site).base_url, update_method=method, learned=learned)

    with pytest.raises(TemporaryError, match="but the group is there") as caught:
        target.rename_group("g1", "New")
    with pytest.raises(TemporaryError, match="but the group is there"):
        target.delete_group("g1")
    outcome = target.change_members("g1", add=["y"], remove=["x"])

    assert caught.value.status == 404
    assert set(outcome.failed) == {"x", "y"}
    assert all(isinstance(error, TemporaryError) for error in outcome.failed.values())


def test_a_rename_that_goes_astray_once_is_sent_as_put_and_patch_stays_what_works(
    serve: Serve, make_target: MakeTarget
) -> None:
    site = OneGroup()
    server = serve(site)
    target = make_target(server.base_url)
    target.rename_group("g1", "A")
    site.astray = {"PATCH"}
    target.rename_group("g1", "B")
    renamed = site.group["displayName"]
    site.astray = set()
    server.forget()

    target.rename_group("g1", "C")

    assert (renamed, site.group["displayName"]) == ("B", "C")
    assert server.lines == ["PATCH /Groups/g1"]


def test_a_removal_that_goes_astray_is_never_sent_in_the_form_that_may_empty_the_group(
    serve: Serve, make_target: MakeTarget
) -> None:
    site = OneGroup("PATCH", "PUT")
    server = serve(site)

    make_target(server.base_url, update_method="patch").change_members("g1", add=(), remove=["x"])

    sent = [seen.body["Operations"] for seen in server.seen if seen.method == "PATCH"]
    assert sent
    assert all("[" in operation["path"] for operations in sent for operation in operations)


@pytest.mark.parametrize("known", [True, False])
def test_members_changed_by_put_for_once_are_changed_by_patch_again_where_patch_is_known(
    known: bool, serve: Serve, make_target: MakeTarget
) -> None:
    site = OneGroup()
    server = serve(site)
    target = make_target(server.base_url)
    if known:
        target.rename_group("g1", "A")
    site.astray = {"PATCH"}
    assert target.change_members("g1", add=["y"], remove=["x"]).added == {"y"}
    site.astray = set()
    server.forget()

    target.change_members("g1", add=["z"], remove=["y"])

    assert ("PUT /Groups/g1" in server.lines) is not known
    assert [member["value"] for member in site.group["members"]] == ["z"]


def test_a_put_that_could_lose_hidden_members_is_not_sent(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(lambda _seen: Reply(200, {"id": "g1", "displayName": "Old"}))
    target = make_target(server.base_url, update_method="put", learned={"hidden:members": "yes"})

    with pytest.raises(PermanentError, match="could lose them"):
        target.rename_group("g1", "New")

    assert all(seen.method == "GET" for seen in server.seen)


def test_a_rename_of_a_missing_group_is_not_found(bench: MakeBench) -> None:
    with pytest.raises(NotFound):
        bench().target.rename_group("nothing", "New")


@pytest.mark.parametrize("status", [200, 202, 204, 404, 410])
def test_a_deleted_group_is_gone_however_the_server_says_it(
    status: int, serve: Serve, make_target: MakeTarget
) -> None:
    """And it is seen to be gone."""
    answers = {"DELETE": Reply(status, {} if status != 204 else None), "GET": problem(404)}
    server = serve(lambda seen: listing([]) if seen.path.endswith("/Users") else answers[seen.method])

    assert make_target(server.base_url).delete_group("g1").scim_id is None
    looks = ["GET /Users"] if status >= 400 else []
    assert server.lines == ["DELETE /Groups/g1", "GET /Groups/g1", *looks]


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_group_that_is_there_after_its_deletion_was_accepted_is_not_deleted(
    status: int, serve: Serve, make_target: MakeTarget
) -> None:
    answers = {"DELETE": Reply(status), "GET": Reply(200, {"id": "g1", "displayName": "Eng"})}
    server = serve(lambda seen: answers[seen.method])

    with pytest.raises(PermanentError, match="accepts the deletion"):
        make_target(server.base_url).delete_group("g1")


def test_a_deletion_that_cannot_be_looked_at_is_unverified(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(lambda seen: Reply(204) if seen.method == "DELETE" else Reply(200, {}))

    applied = make_target(server.base_url).delete_group("g1")

    assert (applied.scim_id, applied.verified) == (None, False)


def without_users(*, get: Reply, delete: Reply) -> Callable[[Seen], Reply]:
    """A target that lists no users, and answers so about a group."""

    def script(seen: Seen) -> Reply:
        if seen.path.endswith("/Users"):
            return listing([])
        return get if seen.method == "GET" else delete

    return script


@pytest.mark.parametrize("status", [400, 401, 403, 422, 500])
def test_a_group_that_cannot_be_read_any_more_is_deleted_whatever_the_delete_was_answered(
    status: int, serve: Serve, make_target: MakeTarget
) -> None:
    """Harness answers 401 INVALID_TOKEN to a DELETE of a group that is gone."""
    server = serve(without_users(get=problem(404), delete=problem(status)))

    deleted = make_target(server.base_url).delete_group("g1")

    assert deleted.scim_id is None
    assert "already gone" in deleted.note


@pytest.mark.parametrize("status", [401, 403])
def test_a_delete_that_is_refused_for_a_group_that_is_there_is_that_groups_refusal(
    status: int, serve: Serve, make_target: MakeTarget
) -> None:
    server = serve(without_users(get=Reply(200, {"id": "g1"}), delete=problem(status)))

    with pytest.raises(AccessDenied) as caught:
        make_target(server.base_url).delete_group("g1")

    assert caught.value.scope is Scope.OBJECT


def test_a_group_is_not_taken_for_deleted_when_the_whole_target_answers_404(
    serve: Serve, make_target: MakeTarget
) -> None:
    with pytest.raises(ConnectionSick):
        make_target(serve(in_turn(problem(404))).base_url).delete_group("g1")


def test_a_delete_that_goes_astray_once_is_sent_again(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(in_turn(problem(404), Reply(200, {"id": "g1"}), Reply(204), problem(404)))

    make_target(server.base_url).delete_group("g1")

    assert [line.split()[0] for line in server.lines] == ["DELETE", "GET", "DELETE", "GET"]


def test_a_delete_whose_answer_was_lost_is_done(serve: Serve, make_target: MakeTarget) -> None:
    answers = in_turn(Reply(drop=True), problem(404))
    server = serve(lambda seen: listing([]) if seen.path.endswith("/Users") else answers(seen))

    assert "already gone" in make_target(server.base_url).delete_group("g1").note


def test_a_server_that_cannot_delete_says_so(bench: MakeBench) -> None:
    made = bench(delete_status=405)
    group = made.group_of()

    with pytest.raises(PermanentError, match="405"):
        made.target.delete_group(group)


@pytest.mark.parametrize(("flavor", "name"), [("split", "Administrators"), ("harness", "All FME Admins")])
def test_a_reserved_group_is_neither_renamed_nor_deleted(flavor: str, name: str, bench: MakeBench) -> None:
    made = bench(flavor=flavor)
    group = made.world.create_local_group(name) if flavor == "split" else "_fme_admins"
    assert made.target.group(group).name == name
    made.spent()

    with pytest.raises(RefusedError):
        made.target.delete_group(group)
    with pytest.raises(RefusedError):
        made.target.rename_group(group, "Other")

    assert made.spent() == []


def test_an_empty_member_list_that_is_left_out_is_empty_once_members_were_seen(
    serve: Serve, make_target: MakeTarget
) -> None:
    full = {"id": "g1", "displayName": "A", "members": [{"value": "1"}]}
    empty = {"id": "g2", "displayName": "B"}
    server = serve(lambda seen: Reply(200, full if seen.path.endswith("g1") else empty))
    target = make_target(server.base_url)

    before = target.group("g2").members
    target.group("g1")

    assert before is None
    assert target.group("g2").members == frozenset()


@pytest.mark.parametrize("body", [{"id": "other"}, {}, [], {"totalResults": 0}])
def test_an_answer_that_shows_something_else_says_nothing_about_the_object(
    body: Any, serve: Serve, make_target: MakeTarget
) -> None:
    """A maintenance page in JSON is no proof that somebody is gone."""
    target = make_target(serve(in_turn(Reply(200, body))).base_url)

    with pytest.raises(TemporaryError, match="something else"):
        target.user("u1")
    with pytest.raises(TemporaryError, match="something else"):
        target.group("g1")


def test_a_user_is_read_with_the_mapped_attributes(bench: MakeBench) -> None:
    made = bench()
    (ann,) = made.people("ann")

    user = made.target.user(ann)

    assert (user.external_id, user.active) == ("00uann", True)
    assert user.attributes["name.givenName"] == "Ann"
    assert user.attributes["emails[work].value"] == "ann@example.com"


def test_the_probe_asks_what_the_test_button_asks(bench: MakeBench) -> None:
    made = bench(etag=True)

    found = made.target.probe()

    assert [request.path.partition("/v2")[2] for request in made.simulator.requests] == [
        "/Users?startIndex=1&count=2",
        "/Groups?startIndex=1&count=100",
        "/ServiceProviderConfig",
    ]
    assert (found.users_listed, found.groups_listed, found.patch, found.etag) == (True, True, True, True)
    assert found.date is not None
    assert made.target.learned()["etag"] == "yes"


def test_the_probe_lives_without_discovery(bench: MakeBench) -> None:
    found = bench(discovery=False).target.probe()

    assert (found.users_listed, found.patch, found.filter, found.etag) == (True, None, None, None)


def test_the_probe_tells_what_is_wrong_with_groups(serve: Serve, make_target: MakeTarget) -> None:
    def script(seen: Seen) -> Reply:
        return listing([]) if seen.path.endswith("/Users") else problem(403, None, "no groups for you")

    found = make_target(serve(script).base_url).probe()

    assert (found.users_listed, found.groups_listed) == (True, False)
    assert "no groups for you" in found.detail


def test_the_probe_raises_on_a_wrong_token(serve: Serve, make_target: MakeTarget) -> None:
    with pytest.raises(AccessDenied):
        make_target(serve(in_turn(Reply(401))).base_url).probe()


def test_a_large_group_whose_members_are_left_out_loses_nobody_by_a_put(
    serve: Serve, make_target: MakeTarget
) -> None:
    """A server that lists members, also none of them, and leaves the list out where it is long."""
    groups: dict[str, list[str]] = {"small": ["u1"], "none": [], "large": [f"u{n}" for n in range(30)]}

    def script(seen: Seen) -> Reply:
        name = seen.path.rpartition("/")[2]
        if name not in groups:
            return listing([])
        if seen.method == "PUT":
            groups[name] = [entry["value"] for entry in seen.body.get("members", [])]
        members = [{"value": each} for each in groups[name]]
        shown = {"id": name, "displayName": name} | ({"members": members} if len(members) < 25 else {})
        return Reply(200, shown)

    target = make_target(serve(script).base_url, update_method="put")
    for name in ("small", "none"):
        assert target.change_members(name, add=["u9"], remove=()).added == {"u9"}

    outcome = target.change_members("large", add=["u99"], remove=())

    assert len(groups["large"]) >= 30
    assert "u99" in outcome.failed
    assert target.group("large").members is None
    many = [f"u{n}" for n in range(100, 140)]
    grown = target.change_members("none", add=many, remove=())
    assert grown.added == set(many), "taken, and not shown any more"
    assert len(groups["none"]) == 41
