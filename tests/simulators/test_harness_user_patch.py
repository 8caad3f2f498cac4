"""PATCH of people at Harness: a table of operations, two stores, and what is swallowed."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.simulators.split import SplitSimulator
from syncd.simulators.split_world import SplitWorld
from tests.simulators.conftest import ADA, Client, is_platform_error

SAME = ("ada@x.com", "Ada Lovelace", "Ada Lovelace", True)
"""E-mail, display name of the directory, that of the platform's copy, active."""
REMOVED = None


def state(world: SplitWorld, identity: str) -> tuple[str, str, str, bool] | None:
    user = world.users.get(identity)
    if user is None:
        return None
    return user.user_name, user.attributes["displayName"], world.copied_name(identity), user.active


def replacing(value: Any, path: str | None = None, op: str = "replace") -> dict[str, Any]:
    return {"op": op, "value": value} if path is None else {"op": op, "path": path, "value": value}


TABLE: list[tuple[Any, int, Any]] = [
    (replacing("New", "displayName"), 200, ("ada@x.com", "New", "New", True)),
    (replacing(" New ", "displayName"), 200, ("ada@x.com", "New", "New", True)),
    (replacing("a<b", "displayName"), 200, SAME),
    (replacing("x" * 256, "displayName"), 200, SAME),
    (replacing({"displayName": "New"}, "displayName"), 200, SAME),
    (replacing("New@X.com", "userName"), 200, ("new@x.com", "Ada Lovelace", "Ada Lovelace", True)),
    (replacing("admin@example.com", "userName"), 200, SAME),
    (replacing(False, "active"), 204, REMOVED),
    (replacing("False", "active"), 204, REMOVED),
    (replacing(True, "active"), 200, SAME),
    (replacing("maybe", "active"), 200, SAME),
    (replacing({"active": False}), 204, REMOVED),
    (replacing({"active": "false"}), 204, REMOVED),
    (replacing({"active": True}), 200, SAME),
    (replacing({"displayName": "New"}), 200, ("ada@x.com", "Ada Lovelace", "New", True)),
    (replacing({"active": False, "displayName": "New"}), 200, ("ada@x.com", "Ada Lovelace", "New", True)),
    (replacing({"active": False, "name": {"givenName": "New"}}), 200, SAME),
    (replacing({"active": False, "userName": "ada@x.com"}), 200, SAME),
    (replacing({"active": False, "emails": []}), 200, SAME),
    (replacing({"active": False, "externalId": "00uada"}), 200, SAME),
    (replacing({"active": False, "schemas": []}), 200, SAME),
    (replacing({"active": False, "id": "x"}), 200, SAME),
    (replacing({"name": {"givenName": "New", "familyName": "New"}}), 200, SAME),
    (replacing({"name.givenName": "New"}), 200, SAME),
    (replacing({}), 204, REMOVED),
    (replacing("New", "name.givenName"), 200, SAME),
    (replacing("New", "name.familyName"), 200, SAME),
    (replacing("00unew", "externalId"), 200, SAME),
    (replacing("new@x.com", 'emails[type eq "work"].value'), 200, SAME),
    (replacing({"active": False}, "title"), 204, REMOVED),
    (replacing("text"), 200, SAME),
    (replacing([{"active": False}]), 500, SAME),
    (replacing(["New"], "displayName"), 500, SAME),
    (replacing([False], "active"), 500, SAME),
    (replacing("New", "displayName", "add"), 200, ("ada@x.com", "New", "New", True)),
    (replacing({"active": False}, op="add"), 204, REMOVED),
    (replacing([{"active": False}], op="add"), 200, SAME),
    (replacing(["New"], "displayName", "Add"), 200, SAME),
    ({"op": "remove", "path": "displayName"}, 200, SAME),
    ({"op": "remove", "path": "active", "value": False}, 200, SAME),
    ({"op": "Remove", "value": {"active": False}}, 200, SAME),
    ({"op": "Replace", "value": {"active": False}}, 204, REMOVED),
]


@pytest.mark.parametrize(("operation", "status", "after"), TABLE, ids=lambda case: str(case)[:60])
def test_an_operation_does_what_the_table_says(
    account: Client, ada: str, harness_world: SplitWorld, operation: Any, status: int, after: Any
) -> None:
    answer = account.patch(f"/Users/{ada}", operation)

    assert (answer.status_code, state(harness_world, ada)) == (status, after)
    if status == 200:
        assert answer.json() == account.get(f"/Users/{ada}").json()
        assert harness_world.users[ada].attributes["name"] == ADA["name"]
        assert harness_world.users[ada].external_id == "00uada"
    elif status == 204:
        assert answer.content == b""
    else:
        assert is_platform_error(answer, 500, "UNKNOWN_ERROR")


def test_scim_goes_on_showing_the_old_name_where_only_the_copy_changed(account: Client, ada: str) -> None:
    answer = account.patch(f"/Users/{ada}", replacing({"displayName": "New"}))

    assert answer.json()["displayName"] == "Ada Lovelace"
    assert account.get("/Users").json()["Resources"][0]["displayName"] == "Ada Lovelace"


def test_the_path_active_disables_in_the_whole_directory_and_a_value_without_path_does_not(
    account: Client, ada: str, harness_world: SplitWorld
) -> None:
    harness_world.join_elsewhere(ada)
    account.patch(f"/Users/{ada}", replacing({"active": False}))
    assert harness_world.account.elsewhere[ada].active
    account.post("/Users", ADA)

    account.patch(f"/Users/{ada}", replacing(False, "active"))
    assert not harness_world.account.elsewhere[ada].active


def test_the_path_active_enables_and_brings_nobody_back(
    account: Client, ada: str, harness_world: SplitWorld
) -> None:
    harness_world.set_active(ada, active=False)
    assert account.patch(f"/Users/{ada}", replacing({"active": True})).json()["active"] is False
    assert account.patch(f"/Users/{ada}", replacing(True, "active")).json()["active"] is True

    account.delete(f"/Users/{ada}")
    assert account.patch(f"/Users/{ada}", replacing(True, "active")).status_code == 400


def test_what_fails_is_swallowed_and_the_rest_takes_effect(
    account: Client, ada: str, harness_world: SplitWorld
) -> None:
    answer = account.patch(
        f"/Users/{ada}",
        replacing("a<b", "displayName"),
        replacing({"x": 1}),
        replacing("new@x.com", "userName"),
    )

    assert (answer.status_code, answer.json()["userName"]) == (200, "new@x.com")


@pytest.mark.parametrize("rest", [True, False])
def test_an_array_is_a_500_at_the_end(harness: SplitSimulator, account: Client, ada: str, rest: bool) -> None:
    harness.set_knobs(array_keeps_rest=rest)

    answer = account.patch(f"/Users/{ada}", replacing("New", "displayName"), replacing([1]))

    assert answer.status_code == 500
    assert harness.world.users[ada].attributes["displayName"] == ("New" if rest else "Ada Lovelace")


@pytest.mark.parametrize(("fails", "without_path", "active"), [("active", 200, 500), ("never", 200, 200)])
def test_arrays_may_fail_at_one_path_or_never(
    harness: SplitSimulator, account: Client, ada: str, fails: str, without_path: int, active: int
) -> None:
    harness.set_knobs(array_fails=fails)

    assert account.patch(f"/Users/{ada}", replacing([1])).status_code == without_path
    assert account.patch(f"/Users/{ada}", replacing([1], "active")).status_code == active


def test_an_empty_object_may_be_nothing(harness: SplitSimulator, account: Client, ada: str) -> None:
    harness.set_knobs(empty_patch_removes=False)

    assert account.patch(f"/Users/{ada}", replacing({})).status_code == 200


@pytest.mark.parametrize("known_elsewhere", [True, False])
def test_who_is_not_in_the_account_is_a_400(
    account: Client, harness_world: SplitWorld, known_elsewhere: bool
) -> None:
    identity = harness_world.create_elsewhere("far@x.com", "Far", "Away") if known_elsewhere else "nobody"

    answer = account.patch(f"/Users/{identity}", replacing({"active": False}))

    assert is_platform_error(answer, 400, "INVALID_REQUEST")
    assert answer.json()["message"] == "Invalid request: User does not exist"
    if known_elsewhere:
        assert harness_world.account.elsewhere[identity].active


@pytest.mark.parametrize(
    "operation", [{"op": "REPLACE", "value": {}}, {"op": "test"}, {"value": {"active": False}}]
)
def test_an_unknown_op_is_a_400_of_the_mapper(account: Client, ada: str, operation: dict[str, Any]) -> None:
    answer = account.patch(f"/Users/{ada}", replacing({"active": False}), operation)

    assert is_platform_error(answer, 400, "INVALID_REQUEST")
    assert account.get(f"/Users/{ada}").status_code == 200


@pytest.mark.parametrize(
    ("operation", "active"), [(replacing({"active": False}), True), (replacing(False, "active"), False)]
)
def test_the_last_account_admin_is_answered_204_stays_and_by_path_cannot_sign_in(
    account: Client, harness_world: SplitWorld, operation: dict[str, Any], active: bool
) -> None:
    admin = harness_world.user("admin@example.com").id

    answer = account.patch(f"/Users/{admin}", operation)

    assert (answer.status_code, answer.content) == (204, b"")
    assert account.get(f"/Users/{admin}").json()["active"] is active
    assert harness_world.members("_fme_admins") == ["admin@example.com"]


def test_a_patch_imports_nobody_unless_the_knob_says_so(harness: SplitSimulator, account: Client) -> None:
    local = harness.world.create_local_user("local@x.com", "Lo", "Cal")
    account.patch(f"/Users/{local}", replacing("New", "displayName"))
    assert account.get("/Users").json()["Resources"] == []

    harness.set_knobs(patch_imports=True)
    account.patch(f"/Users/{local}", replacing("Newer", "displayName"))
    assert len(account.get("/Users").json()["Resources"]) == 1


def test_in_2023_without_the_flag_a_person_is_disabled_and_shown(
    harness: SplitSimulator, account: Client, ada: str
) -> None:
    harness.set_knobs(generation="2023", user_deletion_v2=False, deactivation="disabled")

    for operation in (replacing({"active": False}), replacing(False, "active")):
        harness.world.set_active(ada, active=True)
        answer = account.patch(f"/Users/{ada}", operation)
        assert (answer.status_code, answer.json()["active"]) == (200, False)
        assert ada in harness.world.users


def test_a_swallowed_patch_answers_as_ever(harness: SplitSimulator, account: Client, ada: str) -> None:
    harness.set_knobs(swallowed=["user_patch"])

    assert account.patch(f"/Users/{ada}", replacing({"active": False})).status_code == 204
    assert account.patch(f"/Users/{ada}", replacing("New", "displayName")).status_code == 200
    assert state(harness.world, ada) == SAME
