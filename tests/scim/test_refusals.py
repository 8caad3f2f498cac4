"""Whose refusal is it? One user is listed; and what is refused about an object that is gone is no refusal."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncd.errors import AccessDenied, ConnectionSick, NotFound, Scope, SyncdError, TemporaryError
from syncd.scim.answers import ScimAnswer
from syncd.scim.http import ScimHttp
from syncd.scim.refusals import LASTS, Refusals
from syncd.scim.split import ScimTarget
from tests.scim.conftest import MakeTarget
from tests.scim.scripted import Reply, Script, ScriptedServer, Seen, in_turn, listing, problem

Serve = Callable[[Script], ScriptedServer]
MakeHttp = Callable[..., ScimHttp]
WRITES: Mapping[str, Callable[[ScimTarget], object]] = {
    "update": lambda target: target.update_user("1", {"displayName": "A"}, {"displayName": "B"}),
    "create a user": lambda target: target.create_user("00u1", {"userName": "ann@e.com"}),
    "create a group": lambda target: target.create_group("00g1", "Eng"),
    "rename": lambda target: target.rename_group("1", "New"),
    "delete": lambda target: target.delete_group("1"),
    "members": lambda target: target.change_members("1", add=["7"], remove=()),
    "read": lambda target: target.user("1"),
    "find": lambda target: target.find_users(okta_id="00u1", user_name="ann@e.com"),
}


def harmless(seen: Seen) -> bool:
    return seen.method == "GET" and seen.path.endswith("/Users") and "filter" not in seen.query


def refusing(status: int, *, everything: bool) -> Script:
    def script(seen: Seen) -> Reply:
        if harmless(seen) and not everything:
            return listing([])
        if seen.method == "GET" and seen.path.endswith("/Groups/1") and not everything:
            return Reply(200, {"id": "1", "displayName": "Old", "members": []})
        return problem(status)

    return script


def raised(target: ScimTarget, write: str) -> SyncdError:
    with pytest.raises(SyncdError) as caught:
        WRITES[write](target)
    return caught.value


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("write", sorted(WRITES.keys() - {"members"}))
def test_while_one_user_can_be_listed_a_refusal_is_the_objects(
    write: str, status: int, serve: Serve, make_target: MakeTarget
) -> None:
    server = serve(refusing(status, everything=False))
    error = raised(make_target(server.base_url), write)

    assert isinstance(error, AccessDenied)
    assert (error.scope, error.status) == (Scope.OBJECT, status)
    assert "of this alone" in error.message
    assert sum(harmless(seen) for seen in server.seen) == 1, "one look"


@pytest.mark.parametrize("status", [401, 403])
def test_members_that_a_group_refuses_have_failed_one_by_one(
    status: int, serve: Serve, make_target: MakeTarget
) -> None:
    target = make_target(serve(refusing(status, everything=False)).base_url)

    outcome = target.change_members("1", add=["7", "8"], remove=())

    assert set(outcome.failed) == {"7", "8"}
    for error in outcome.failed.values():
        assert isinstance(error, AccessDenied)
        assert error.scope is Scope.OBJECT


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("write", WRITES)
def test_when_nobody_can_be_listed_either_it_is_the_connections(
    write: str, status: int, serve: Serve, make_target: MakeTarget
) -> None:
    error = raised(make_target(serve(refusing(status, everything=True)).base_url), write)

    assert isinstance(error, AccessDenied)
    assert (error.scope, error.status) == (Scope.CONNECTION, status)


@pytest.mark.parametrize("write", ["create a user", "create a group", "delete"])
def test_a_target_that_answers_404_to_everything_is_not_there(
    write: str, serve: Serve, make_target: MakeTarget
) -> None:
    error = raised(make_target(serve(in_turn(problem(404))).base_url), write)

    assert isinstance(error, ConnectionSick)
    assert (error.side, error.status) == ("split", 404)


def test_a_look_that_fails_otherwise_blames_nobody_else(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(lambda seen: Reply(503) if harmless(seen) else problem(403))

    error = raised(make_target(server.base_url), "create a user")

    assert isinstance(error, AccessDenied)
    assert error.scope is Scope.OBJECT


def test_a_look_decides_for_the_same_object_for_a_minute_and_for_nobody_else() -> None:
    now = [0.0]
    looks: list[float] = []

    def list_one_user() -> ScimAnswer:
        looks.append(now[0])
        return ScimAnswer(200, {}, {"Resources": []}, "")

    refusals = Refusals(list_one_user, monotonic=lambda: now[0])
    denied = AccessDenied("no", side="split", status=401)

    for moment, about in (
        (0.0, "Users/1"),
        (1.0, "Users/1"),
        (2.0, "Users/2"),
        (LASTS - 1, "Users/1"),
        (LASTS + 3, "Users/1"),
        (LASTS + 4, ""),
        (LASTS + 5, ""),
    ):
        now[0] = moment
        assert refusals.judge(denied, about)

    assert looks == [0.0, 2.0, LASTS + 3, LASTS + 4, LASTS + 5]


def test_one_look_decides_for_everybody_who_was_refused_before_it() -> None:
    others = 5
    arrived = threading.Semaphore(0)
    moments = itertools.count()
    looks: list[int] = []

    def monotonic() -> float:
        arrived.release()
        return next(moments)

    def list_one_user() -> ScimAnswer:
        looks.append(len(looks))
        if len(looks) == 1:
            for _ in range(2 + others):  # its own two, and then everybody is here
                assert arrived.acquire(timeout=5)
        return ScimAnswer(200, {}, {"Resources": []}, "")

    refusals = Refusals(list_one_user, monotonic=monotonic)

    with ThreadPoolExecutor(1 + others) as pool:
        denied = AccessDenied("no", side="split", status=403)
        found = list(pool.map(lambda each: refusals.judge(denied, f"Users/{each}"), range(1 + others)))

    assert all(found)
    assert len(looks) == 2, "who is refused while a look is under way shares the next one"


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_revoked_right_after_one_objects_refusal_ends_all_writing(
    status: int, serve: Serve, make_target: MakeTarget
) -> None:
    revoked: list[bool] = []

    def script(seen: Seen) -> Reply:
        if harmless(seen) and not revoked:
            return listing([])
        return problem(status)

    target = make_target(serve(script).base_url)
    first = raised(target, "delete")
    revoked.append(True)

    second = raised(target, "update")

    assert isinstance(first, AccessDenied)
    assert first.scope is Scope.OBJECT
    assert isinstance(second, AccessDenied)
    assert second.scope is Scope.CONNECTION


def test_nobody_is_taken_for_gone_by_a_target_that_went_away_a_moment_after_it_was_well(
    serve: Serve, make_target: MakeTarget
) -> None:
    """SCIM is switched off in the middle of a run: everything answers 404."""
    away: list[bool] = []

    def script(seen: Seen) -> Reply:
        if harmless(seen) and not away:
            return listing([])
        return problem(404)

    target = make_target(serve(script).base_url)
    assert target.deactivate_user("1").scim_id is None, "this one is gone"
    away.append(True)

    with pytest.raises(ConnectionSick):
        target.deactivate_user("2")


@pytest.mark.parametrize("status", [400, 401, 403, 422, 500])
@pytest.mark.parametrize("write", ["update", "rename", "members"])
def test_what_is_refused_about_an_object_that_is_gone_is_not_found(
    write: str, status: int, serve: Serve, make_target: MakeTarget
) -> None:
    """Harness: 400 "User does not exist"; many servers: 500."""

    def script(seen: Seen) -> Reply:
        if harmless(seen):
            return listing([])
        return problem(404 if seen.method == "GET" else status)

    with pytest.raises(NotFound):
        WRITES[write](make_target(serve(script).base_url))


@pytest.mark.parametrize("status", [401, 500])
def test_who_leaves_and_is_gone_already_has_left(status: int, serve: Serve, make_target: MakeTarget) -> None:
    def script(seen: Seen) -> Reply:
        if harmless(seen):
            return listing([])
        return problem(404 if seen.method == "GET" else status)

    assert make_target(serve(script).base_url).deactivate_user("1").scim_id is None


@pytest.mark.parametrize("method", ["GET", "PATCH", "POST"])
@pytest.mark.parametrize(
    "reply", [Reply(403, headers={"Retry-After": "0"}), Reply(423)], ids=["403 retry after", "423"]
)
def test_a_limit_in_the_form_of_a_403_and_a_lock_are_waited_for(
    method: str, reply: Reply, serve: Serve, make_http: MakeHttp
) -> None:
    server = serve(in_turn(reply, reply, Reply(200, {"id": "1"})))

    answer = make_http(server.base_url).send(method, ["Users", "1"], body=None if method == "GET" else {})

    assert answer.status == 200
    assert len(server.seen) == 3, "and nobody else was asked"


@pytest.mark.parametrize("status", [403, 423])
def test_a_limit_that_stays_is_temporary_and_nothing_was_done(
    status: int, serve: Serve, make_http: MakeHttp
) -> None:
    server = serve(in_turn(Reply(status, headers={"Retry-After": "0"})))

    with pytest.raises(TemporaryError) as caught:
        make_http(server.base_url).send("POST", ["Users"], body={})

    assert not caught.value.may_have_acted
