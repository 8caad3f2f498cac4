"""Nobody's change is undone by a PUT that was built on an older read: entity tags, weak ones too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncd.errors import PermanentError
from syncd.scim.split import ScimTarget
from tests.scim.conftest import Bench

MakeBench = Callable[..., Bench]
PUT = {"update_method": "put"}
TAGS: list[dict[str, Any]] = [
    {"etag": True},
    {"etag": True, "weak_etag": True},
    {"etag": True, "weak_etag": True, "discovery": False},
]


def with_an_administrator(made: Bench, change: Callable[[], object], *, times: int = 1) -> None:
    """Right before our first PUTs, somebody changes the same object at the target."""
    simulator, left = made.simulator, [times]
    answer = simulator.answer

    def answered(call: Any) -> Any:
        if call.method == "PUT" and left[0]:
            left[0] -= 1
            change()
        return answer(call)

    simulator.answer = answered  # type: ignore[method-assign]


@pytest.mark.parametrize("knobs", TAGS, ids=str)
def test_an_administrators_change_of_a_user_survives_our_put(knobs: dict[str, Any], bench: MakeBench) -> None:
    made = bench(PUT, **knobs)
    [ann] = made.people("ann")
    user = made.world.users[ann]

    def rename() -> None:
        made.world.replace_user(user, {**user.attributes, "nickName": "Annie"}, active=True)

    with_an_administrator(made, rename)

    made.target.update_user(ann, {"displayName": "Ann Test"}, {"displayName": "B"})

    assert (user.attributes["displayName"], user.attributes["nickName"]) == ("B", "Annie")


@pytest.mark.parametrize("knobs", TAGS, ids=str)
def test_a_member_whom_an_administrator_adds_survives_our_put(
    knobs: dict[str, Any], bench: MakeBench
) -> None:
    made = bench(PUT, **knobs)
    ann, bob, cy = made.people("ann", "bob", "cy")
    group = made.group_of(ann)
    entity = made.world.groups[group]
    with_an_administrator(made, lambda: made.world.set_members(entity, [ann, cy]))

    made.target.change_members(group, add=[bob], remove=())

    assert made.members(group) == {ann, bob, cy}


def test_a_server_that_refuses_every_weak_tag_is_written_to_without_them(bench: MakeBench) -> None:
    made = bench(PUT, etag=True, weak_etag=True, etag_compares_strongly=True)
    [ann] = made.people("ann")

    made.target.update_user(ann, {"displayName": "Ann Test"}, {"displayName": "B"})
    made.simulator.reset_requests()
    made.target.update_user(ann, {"displayName": "B"}, {"displayName": "C"})

    assert made.world.users[ann].attributes["displayName"] == "C"
    assert made.target.learned()["etag"] == "no"
    assert [request.method for request in made.simulator.requests] == ["GET", "PUT"]


def test_a_server_that_cannot_read_a_weak_tag_gets_the_put_without_it(bench: MakeBench) -> None:
    made = bench(PUT, etag=True, weak_etag=True)
    [ann] = made.people("ann")
    answer = made.simulator.answer

    def choosy(call: Any) -> Any:
        if call.method == "PUT" and "if-match" in call.headers:
            return made.simulator.error(400, "invalidSyntax", "If-Match")
        return answer(call)

    made.simulator.answer = choosy  # type: ignore[method-assign]

    made.target.update_user(ann, {"displayName": "Ann Test"}, {"displayName": "B"})

    assert made.world.users[ann].attributes["displayName"] == "B"
    assert made.target.learned()["etag"] == "no"


def test_a_server_that_denies_entity_tags_gets_none(bench: MakeBench) -> None:
    made = bench(PUT)
    [ann] = made.people("ann")
    made.simulator.faults.add("set_field", path="/Users/", count=-1, field="meta.version", value='W/"1"')

    made.target.update_user(ann, {"displayName": "Ann Test"}, {"displayName": "B"})

    assert made.target.learned()["etag"] == "no"
    assert isinstance(made.target, ScimTarget)


def test_an_object_that_is_refused_with_412_tag_or_no_tag_says_nothing_about_tags(bench: MakeBench) -> None:
    """Harness answers 412 to any PUT of a group that it does not like."""
    made = bench(PUT, etag=True)
    ann, bob = made.people("ann", "bob")
    made.simulator.faults.add("status", method="PUT", path=f"/Users/{ann}", count=-1, status=412)

    with pytest.raises(PermanentError):
        made.target.update_user(ann, {"displayName": "Ann Test"}, {"displayName": "B"})
    user = made.world.users[bob]
    with_an_administrator(
        made,
        lambda: made.world.replace_user(user, {**user.attributes, "nickName": "Bobby"}, active=True),
    )
    made.target.update_user(bob, {"displayName": "Bob Test"}, {"displayName": "B"})

    assert made.target.learned()["etag"] != "no"
    assert (user.attributes["displayName"], user.attributes["nickName"]) == ("B", "Bobby")
