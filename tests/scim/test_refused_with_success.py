"""Some servers, and gateways before them, say "no" with status 200: a SCIM Error message is no success."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from syncd.errors import SyncdError, TemporaryError
from syncd.scim.split import ScimTarget
from tests.scim.conftest import MakeTarget, person
from tests.scim.scripted import Reply, Script, ScriptedServer, Seen, listing

Serve = Callable[[Script], ScriptedServer]
NO = {
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
    "status": "403",
    "detail": "this one is read only",
}
ANN = {"id": "u1", "userName": "ann@example.com", "displayName": "Ann", "active": True}
ENG = {"id": "g1", "displayName": "Eng", "members": [{"value": "u1"}]}
TRUSTED = {
    "update_method": "patch",
    "silent:users": "yes",
    "silent:groups": "yes",
    "shown:members": "yes",
    "members_add": "path",
    "members_remove": "filter",
    "group_rename": "pathless",
    **{f"trusted:combined:{path}": "yes" for path in ("active", "displayName")},
}
"""A server that answers every write without a body, and was seen to do what it was asked."""
WRITES: Mapping[str, Callable[[ScimTarget], object]] = {
    "update": lambda target: target.update_user("u1", {"displayName": "Ann"}, {"displayName": "Bea"}),
    "deactivate": lambda target: target.deactivate_user("u1"),
    "rename": lambda target: target.rename_group("g1", "New"),
    "delete": lambda target: target.delete_group("g1"),
    "create a user": lambda target: target.create_user("00u2", person("bob")),
    "create a group": lambda target: target.create_group("00g2", "Ops"),
}


def saying_no(seen: Seen) -> Reply:
    if seen.method != "GET":
        return Reply(200, NO)
    if seen.path.endswith("/u1"):
        return Reply(200, ANN)
    return Reply(200, ENG) if seen.path.endswith("/g1") else listing([])


@pytest.mark.parametrize("write", WRITES)
def test_an_error_with_status_200_is_no_success(write: str, serve: Serve, make_target: MakeTarget) -> None:
    target = make_target(serve(saying_no).base_url, learned=TRUSTED)

    with pytest.raises(SyncdError, match="read only"):
        WRITES[write](target)


@pytest.mark.parametrize("adding", [True, False])
def test_members_who_are_refused_with_status_200_are_not_changed(
    adding: bool, serve: Serve, make_target: MakeTarget
) -> None:
    target = make_target(serve(saying_no).base_url, learned=TRUSTED)
    who = ["u2"] if adding else ["u1"]

    outcome = target.change_members("g1", add=who if adding else (), remove=() if adding else who)

    assert not outcome.added | outcome.removed
    assert list(outcome.failed) == who


def test_nobody_is_gone_because_of_an_error_with_status_200(serve: Serve, make_target: MakeTarget) -> None:
    gone = {**NO, "status": "404", "detail": "no such user"}
    target = make_target(serve(lambda _: Reply(200, gone)).base_url)

    with pytest.raises(TemporaryError, match="no such user"):
        target.user("u1")
