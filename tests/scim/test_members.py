"""Members are changed by what differs, verified, and never made worse."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from scim2_models import Context, Group, PatchOp

from syncd.errors import AccessDenied, NotFound, PermanentError, TemporaryError
from tests.scim.conftest import Bench, MakeTarget
from tests.scim.scripted import Reply, Script, ScriptedServer, Seen, listing, problem

Serve = Callable[[Script], ScriptedServer]
MakeBench = Callable[..., Bench]
NAMES = [f"p{n}" for n in range(7)]


def empty_group(made: Bench) -> str:
    group = made.target.create_group("00g1", "Eng").scim_id
    assert group is not None
    return group


class OneGroup:
    """A server with one group. `quirk` is called with each PATCH operation first; it may answer by itself."""

    def __init__(
        self, *members: str, quirk: Callable[[dict[str, Any]], Reply | None] | None = None, **options: Any
    ) -> None:
        self.members = list(members)
        self.quirk = quirk or (lambda _operation: None)
        self.shows: bool = options.get("shows", True)
        self.silent: bool = options.get("silent", False)
        self.bodies: list[dict[str, Any]] = []
        self.gone = False

    def shown(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"id": "g1", "displayName": "Eng"}
        return {**shown, "members": [{"value": member} for member in self.members]} if self.shows else shown

    def __call__(self, seen: Seen) -> Reply:
        if self.gone or not seen.path.endswith("/g1"):
            return problem(404)
        if seen.method == "GET":
            return Reply(200, self.shown())
        self.bodies.append(seen.body)
        if seen.method == "PUT":
            self.members = [entry["value"] for entry in seen.body.get("members", [])]
            return Reply(200, self.shown())
        before = list(self.members)
        for operation in seen.body["Operations"]:
            reply = self.quirk(operation)
            if reply is not None and reply.status >= 400:
                self.members = before
                return reply
            if reply is None:
                self._apply(operation)
        return Reply(204) if self.silent else Reply(200, self.shown())

    def _apply(self, operation: dict[str, Any]) -> None:
        value = operation.get("value")
        entries = value.get("members", []) if isinstance(value, dict) else value or []
        ids = [entry["value"] for entry in entries]
        if operation["op"] == "add":
            self.members += [member for member in ids if member not in self.members]
        elif "[" in operation["path"]:
            removed = operation["path"].split('"')[1]
            self.members = [member for member in self.members if member != removed]
        else:
            self.members = [member for member in self.members if member not in ids]


def test_a_batch_is_one_request_each_way(bench: MakeBench) -> None:
    made = bench()
    people = made.people(*NAMES)
    group = made.group_of(*people[:3])

    outcome = made.target.change_members(group, add=people[3:], remove=people[:2])

    assert made.spent() == ["PATCH 200", "PATCH 200"]
    assert outcome.added == set(people[3:])
    assert outcome.removed == set(people[:2])
    assert (dict(outcome.failed), outcome.verified) == ({}, True)
    assert made.members(group) == set(people[2:])


def test_who_was_the_last_member_is_seen_to_be_out_where_other_groups_show_theirs(bench: MakeBench) -> None:
    made = bench()
    ann, bob = made.people("ann", "bob")
    group, _other = made.group_of(ann), made.group_of(bob, name="Sales")

    outcome = made.target.change_members(group, add=[], remove=[ann])

    assert outcome.removed == {ann}
    assert (outcome.verified, outcome.note) == (True, "")


def test_additions_come_before_removals_and_in_batches(serve: Serve, make_target: MakeTarget) -> None:
    org = OneGroup("a", "b", "c")

    make_target(serve(org).base_url, member_batch=2).change_members(
        "g1", add=["d", "e", "f"], remove=["a", "b", "c"]
    )

    assert [[operation["op"] for operation in body["Operations"]] for body in org.bodies] == [
        ["add"],
        ["add"],
        ["remove", "remove"],
        ["remove"],
    ]
    assert org.bodies[0]["Operations"][0]["value"] == [{"value": "d"}, {"value": "e"}]
    assert org.bodies[2]["Operations"][0] == {"op": "remove", "path": 'members[value eq "a"]'}
    assert org.members == ["d", "e", "f"]
    for body in org.bodies:
        PatchOp[Group].model_validate(body, scim_ctx=Context.RESOURCE_PATCH_REQUEST)


KINDS: list[dict[str, Any]] = [
    {},
    {"patch_204": True},
    {"patch_groups": False},
    {"remove_by_filter": "refused_400"},
    {"remove_by_filter": "refused_501"},
    {"remove_by_filter": "refused_501", "patch_204": True},
    {"remove_by_filter": "ignored"},
    {"remove_by_filter": "ignored", "remove_by_values": "clears"},
    {"remove_by_filter": "refused_400", "remove_by_values": "ignored"},
    {"pathless_ignored": True},
    {"members_in_lists": False},
    {"etag": True},
]
NEEDS_PUT = (KINDS[2], KINDS[7], KINDS[8])


@pytest.mark.parametrize(
    ("knobs", "method"),
    [(kind, method) for kind in KINDS for method in ("auto", "put")]
    + [(kind, "patch") for kind in KINDS if kind not in NEEDS_PUT],
    ids=str,
)
def test_members_end_exactly_as_wanted_on_every_kind_of_server(
    knobs: dict[str, Any], method: str, bench: MakeBench
) -> None:
    made = bench({"update_method": method, "member_batch": 3}, **knobs)
    people = made.people(*NAMES)
    group = made.group_of(*people[:5])

    for _ in range(2):
        outcome = made.target.change_members(group, add=people[5:], remove=people[:4])
        assert dict(outcome.failed) == {}
        assert made.members(group) == {*people[4:]}
        outcome = made.target.change_members(group, add=people[:4], remove=people[5:])
        assert made.members(group) == {*people[:5]}
        assert outcome.verified


def test_members_that_are_never_shown_are_unverified(bench: MakeBench) -> None:
    made = bench(members_shown=False)
    people = made.people(*NAMES)
    group = empty_group(made)
    made.spent()

    first = made.target.change_members(group, add=people, remove=())
    second = made.target.change_members(group, add=(), remove=people[:1])

    assert (first.verified, second.verified) == (False, False)
    assert made.members(group) == set(people[1:])
    # Before the server is taken for one that hides members: the other groups, and once the other form of the addition.
    assert made.spent() == [
        *("PATCH 200", "GET 200", "GET 200", "PATCH 200", "GET 200"),
        *("PATCH 200", "GET 200"),
    ]


class Hiding(OneGroup):
    """A server that lists this group, has members in it, and shows as many of them as `shown` lets through."""

    def __init__(
        self, *members: str, shown: int = 0, groups_of_users: bool | None = None, **options: Any
    ) -> None:
        super().__init__(*members, **options)
        self.seen_at_most = shown
        self.groups_of_users = groups_of_users

    def shown(self) -> dict[str, Any]:
        shown = [{"value": member} for member in self.members[: self.seen_at_most]]
        return {"id": "g1", "displayName": "Eng", "members": shown}

    def __call__(self, seen: Seen) -> Reply:
        if seen.method == "GET" and seen.path.endswith("/Groups"):
            return listing([self.shown()] if seen.query.get("startIndex") == "1" else [], 1)
        if "/Users/" in seen.path:
            member = seen.path.rpartition("/")[2]
            groups = [{"value": "g1"}] if member in self.members else []
            return Reply(200, {"id": member, **({} if self.groups_of_users is None else {"groups": groups})})
        return super().__call__(seen)


def test_an_empty_list_from_a_server_that_never_shows_members_makes_no_addition_a_failure(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = Hiding("unmanaged")
    target = make_target(serve(org).base_url)

    outcome = target.change_members("g1", add=["a", "b"], remove=())

    assert (set(outcome.added), dict(outcome.failed), outcome.verified) == ({"a", "b"}, {}, False)
    assert org.members == ["unmanaged", "a", "b"]
    assert target.group("g1").members is None


@pytest.mark.parametrize("method", ["auto", "patch"])
def test_a_removal_is_sent_to_a_server_that_never_shows_members(
    method: str, serve: Serve, make_target: MakeTarget
) -> None:
    org = Hiding("unmanaged", "a", "b")

    outcome = make_target(serve(org).base_url, update_method=method).change_members(
        "g1", add=(), remove=["a"]
    )

    assert (set(outcome.removed), outcome.verified) == ({"a"}, False)
    assert org.members == ["unmanaged", "b"]


@pytest.mark.parametrize("status", [400, 403, 409, 422, 501])
def test_a_refused_removal_is_not_done_because_nobody_is_shown(
    status: int, serve: Serve, make_target: MakeTarget
) -> None:
    org = Hiding("unmanaged", "a", quirk=lambda _operation: problem(status))
    server = serve(lambda seen: listing([]) if seen.path.endswith("/Users") else org(seen))
    target = make_target(server.base_url)
    try:
        outcome = target.change_members("g1", add=(), remove=["a"])
    except AccessDenied:
        pass
    else:
        assert (set(outcome.removed), set(outcome.failed)) == (set(), {"a"})

    assert org.members == ["unmanaged", "a"]
    assert all("Operations" in body for body in org.bodies)


def test_a_put_never_carries_a_list_that_was_not_seen_whole(serve: Serve, make_target: MakeTarget) -> None:
    """PATCH is refused, so a PUT would be next: it would take the unmanaged member out."""
    org = Hiding("unmanaged", quirk=lambda _operation: problem(501))

    outcome = make_target(serve(org).base_url).change_members("g1", add=["a"], remove=())

    assert set(outcome.failed) == {"a"}
    assert org.members == ["unmanaged"]


@pytest.mark.parametrize(("at_most", "groups"), [(3, True), (20, None), (50, None)])
def test_who_is_added_behind_a_list_that_is_cut_short_counts_as_added(
    at_most: int, groups: bool | None, serve: Serve, make_target: MakeTarget
) -> None:
    org = Hiding("unmanaged", shown=at_most, groups_of_users=groups)
    people = [f"m{n}" for n in range(60)]
    target = make_target(serve(org).base_url, member_batch=15)

    outcome = target.change_members("g1", add=people, remove=())
    again = target.change_members("g1", add=(), remove=people[55:])

    assert (set(outcome.added), dict(outcome.failed), outcome.verified) == (set(people), {}, False)
    assert (set(again.removed), org.members) == (set(people[55:]), ["unmanaged", *people[:55]])
    assert target.group("g1").whole is False
    assert not any("members" in body for body in org.bodies), "no PUT"


def test_a_member_that_the_server_drops_is_a_failure_and_no_list_cut_short(
    serve: Serve, make_target: MakeTarget
) -> None:
    def quirk(operation: dict[str, Any]) -> Reply | None:
        if operation["op"] == "add":
            operation["value"] = [entry for entry in operation["value"] if entry["value"] != "dropped"]
        return None

    org = Hiding("x", shown=99, groups_of_users=True, quirk=quirk)
    target = make_target(serve(org).base_url, update_method="patch")

    outcome = target.change_members("g1", add=["a", "dropped"], remove=())

    assert (set(outcome.added), set(outcome.failed)) == ({"a"}, {"dropped"})
    assert target.group("g1").whole is True


def test_a_server_that_begins_to_show_members_is_believed_from_then_on(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = Hiding("a")
    target = make_target(serve(org).base_url)
    target.change_members("g1", add=["b"], remove=())
    org.seen_at_most = 99
    shown = target.group("g1").members
    org.members.clear()

    assert shown == frozenset({"a", "b"})
    assert target.group("g1").members == frozenset()
    assert "hidden:members" not in target.learned()


def test_an_answer_without_body_is_read_back_once_and_then_trusted(bench: MakeBench) -> None:
    made = bench(patch_204=True)
    people = made.people(*NAMES)
    group = empty_group(made)
    made.spent()

    for person in people[:3]:
        made.target.change_members(group, add=[person], remove=())

    assert made.spent() == ["PATCH 204", "GET 200", "PATCH 204", "PATCH 204"]


def test_a_server_that_empties_the_group_is_repaired_once_and_never_asked_so_again(
    serve: Serve, make_target: MakeTarget
) -> None:
    def quirk(operation: dict[str, Any]) -> Reply | None:
        if operation["op"] != "remove":
            return None
        if "[" in operation["path"]:
            return problem(501)
        org.members.clear()
        return Reply(200)

    org = OneGroup("a", "b", "c", "d", quirk=quirk)
    target = make_target(serve(org).base_url)

    first = target.change_members("g1", add=(), remove=["a"])
    after_first = sorted(org.members)
    org.bodies.clear()
    second = target.change_members("g1", add=(), remove=["b"])

    assert (after_first, sorted(org.members)) == (["b", "c", "d"], ["c", "d"])
    assert [set(first.removed), set(second.removed)] == [{"a"}, {"b"}]
    assert "added again" in first.note
    assert not any(
        operation.get("path") == "members" and operation["op"] == "remove"
        for body in org.bodies
        for operation in body.get("Operations", [])
    )


def test_a_removal_by_values_is_not_tried_where_the_damage_could_not_be_seen(
    serve: Serve, make_target: MakeTarget
) -> None:
    def quirk(operation: dict[str, Any]) -> Reply | None:
        return problem(501) if "[" in operation.get("path", "") else None

    org = OneGroup("a", "b", quirk=quirk, shows=False)
    server = serve(lambda seen: listing([]) if seen.path.endswith("/Users") else org(seen))

    outcome = make_target(server.base_url).change_members("g1", add=(), remove=["a"])

    assert set(outcome.failed) == {"a"}
    assert org.members == ["a", "b"]
    assert all("[" in body["Operations"][0]["path"] for body in org.bodies)


def test_what_is_accepted_but_not_done_is_a_failure(serve: Serve, make_target: MakeTarget) -> None:
    org = OneGroup("a", quirk=lambda _operation: Reply(200))

    outcome = make_target(serve(org).base_url, update_method="patch").change_members(
        "g1", add=["b"], remove=["a"]
    )

    assert set(outcome.failed) == {"a", "b"}
    assert all(isinstance(error, PermanentError) for error in outcome.failed.values())
    assert "does not add" in str(outcome.failed["b"])


@pytest.mark.parametrize("status", [400, 404, 409, 422])
@pytest.mark.parametrize("method", ["auto", "patch"])
def test_one_bad_member_fails_alone(status: int, method: str, serve: Serve, make_target: MakeTarget) -> None:
    def quirk(operation: dict[str, Any]) -> Reply | None:
        return problem(status, None, "unknown member") if "{'value': 'bad'}" in str(operation) else None

    org = OneGroup("x", quirk=quirk)
    ids = [f"m{n}" for n in range(40)]
    target = make_target(serve(org).base_url, update_method=method)
    target.change_members("g1", add=["first"], remove=())
    org.bodies.clear()

    outcome = target.change_members("g1", add=[*ids[:17], "bad", *ids[17:]], remove=())

    assert set(outcome.failed) == {"bad"}
    assert outcome.added == set(ids)
    assert set(org.members) == {"x", "first", *ids}
    assert len(org.bodies) < 20


def test_many_bad_members_do_not_cost_a_request_each(serve: Serve, make_target: MakeTarget) -> None:
    org = OneGroup("x", quirk=lambda _operation: problem(400, "invalidValue"))

    outcome = make_target(serve(org).base_url, update_method="patch").change_members(
        "g1", add=[f"m{n}" for n in range(100)], remove=()
    )

    assert len(outcome.failed) == 100
    assert len(org.bodies) < 80


def test_no_target_on_a_removal_means_look_and_go_on(serve: Serve, make_target: MakeTarget) -> None:
    def quirk(operation: dict[str, Any]) -> Reply | None:
        path = operation.get("path", "")
        gone = "[" in path and path.split('"')[1] not in org.members
        return problem(400, "noTarget") if gone else None

    org = OneGroup("a", "b", "c", quirk=quirk)
    target = make_target(serve(org).base_url)
    target.change_members("g1", add=(), remove=["c"])

    outcome = target.change_members("g1", add=(), remove=["a", "already-gone", "b"])

    assert outcome.removed == {"a", "already-gone", "b"}
    assert dict(outcome.failed) == {}
    assert org.members == []


def test_a_slow_batch_that_was_done_all_the_same_is_repeated_without_harm(
    serve: Serve, make_target: MakeTarget
) -> None:
    slow = [0.5]

    def script(seen: Seen) -> Reply:
        reply = org(seen)
        return Reply(200, reply.body, delay=slow.pop()) if slow else reply

    org = OneGroup("a")

    outcome = make_target(serve(script).base_url, timeout=0.2).change_members("g1", add=["b", "c"], remove=())

    assert outcome.added == {"b", "c"}
    assert org.members == ["a", "b", "c"]


def test_a_group_that_is_gone_is_not_found(serve: Serve, make_target: MakeTarget) -> None:
    org = OneGroup("a")
    org.gone = True

    with pytest.raises(NotFound):
        make_target(serve(org).base_url).change_members("g1", add=["b"], remove=())


def test_a_server_in_trouble_fails_the_rest_and_keeps_what_was_done(
    serve: Serve, make_target: MakeTarget
) -> None:
    trouble = False

    def script(seen: Seen) -> Reply:
        return Reply(503) if trouble or "m3" in str(seen.body) else org(seen)

    org = OneGroup("a")
    target = make_target(serve(script).base_url, member_batch=2)

    outcome = target.change_members("g1", add=["m0", "m1", "m2", "m3", "m4"], remove=["a"])

    assert outcome.added == {"m0", "m1"}
    assert set(outcome.failed) == {"m2", "m3", "m4", "a"}
    assert all(isinstance(error, TemporaryError) for error in outcome.failed.values())


def test_a_refused_token_is_raised_before_any_effect(serve: Serve, make_target: MakeTarget) -> None:
    with pytest.raises(AccessDenied):
        make_target(serve(lambda _seen: Reply(401)).base_url).change_members("g1", add=["b"], remove=())


def test_one_group_is_never_changed_twice_at_once(serve: Serve, make_target: MakeTarget) -> None:
    inside = 0
    overlaps = 0
    lock = threading.Lock()

    def script(seen: Seen) -> Reply:
        nonlocal inside, overlaps
        with lock:
            inside += 1
            overlaps += inside > 1
        time.sleep(0.01)
        reply = org(seen)
        with lock:
            inside -= 1
        return reply

    org = OneGroup("a")
    target = make_target(serve(script).base_url)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: target.change_members("g1", add=[f"m{n}"], remove=()), range(6)))

    assert overlaps == 0
    assert len(org.members) == 7


def test_a_put_keeps_members_that_nobody_named(serve: Serve, make_target: MakeTarget) -> None:
    org = OneGroup("a", "stranger")

    make_target(serve(org).base_url, update_method="put").change_members("g1", add=["b"], remove=["a"])

    assert sorted(org.members) == ["b", "stranger"]
    for body in org.bodies:
        Group.model_validate(body, scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST)


def test_the_last_administrator_stays_and_the_refusal_is_told(bench: MakeBench) -> None:
    made = bench(flavor="split")
    (ann,) = made.people("ann")
    group = made.world.create_local_group("Administrators")
    made.target.change_members(group, add=[ann], remove=())

    outcome = made.target.change_members(group, add=(), remove=[ann])

    assert "at least one member" in str(outcome.failed[ann])
    assert made.members(group) == {ann}


def test_nothing_to_change_is_no_request(bench: MakeBench) -> None:
    made = bench()

    assert made.target.change_members("g1", add=(), remove=()).added == frozenset()
    assert made.spent() == []


@pytest.mark.parametrize("adding", [True, False])
@pytest.mark.parametrize("status", [401, 403])
def test_one_member_whom_the_server_protects_keeps_nobody_else_out_or_in(
    status: int, adding: bool, serve: Serve, make_target: MakeTarget
) -> None:
    everybody = [f"u{number:02}" for number in range(60)]
    org = OneGroup(*([] if adding else everybody))

    def script(seen: Seen) -> Reply:
        if seen.path.endswith("/Users"):
            return listing([])
        touches = seen.method == "PATCH" and '"u07"' in json.dumps(seen.body).replace('\\"', '"')
        return problem(status) if touches else org(seen)

    server = serve(script)
    outcome = make_target(server.base_url).change_members(
        "g1", add=everybody if adding else (), remove=() if adding else everybody
    )

    assert list(outcome.failed) == ["u07"]
    assert isinstance(outcome.failed["u07"], AccessDenied)
    assert len(org.members) == (59 if adding else 1)
    assert len(server.seen) <= 40


def test_a_group_that_takes_nobody_is_soon_left_alone(serve: Serve, make_target: MakeTarget) -> None:
    org = OneGroup()

    def script(seen: Seen) -> Reply:
        if seen.path.endswith("/Users"):
            return listing([])
        return problem(403) if seen.method == "PATCH" else org(seen)

    server = serve(script)
    many = [f"u{number:03}" for number in range(500)]

    outcome = make_target(server.base_url, member_batch=100).change_members("g1", add=many, remove=())

    assert len(outcome.failed) == 500
    assert len(server.seen) <= 60
