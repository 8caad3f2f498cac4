"""People at Harness: POST, GET, PUT and DELETE of `/Users`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncd.simulators.split import SplitSimulator
from syncd.simulators.split_world import SplitWorld
from tests.simulators.conftest import ADA, Client, is_platform_error, is_scim_error, values

LOCAL = {"userName": "local@x.com", "displayName": "Lo Cal"}


@pytest.fixture
def local(harness_world: SplitWorld) -> str:
    """Somebody who was here before SCIM."""
    return harness_world.create_local_user("Local@x.com", "Lo", "Cal")


def listed(account: Client) -> dict[str, dict[str, Any]]:
    return {user["userName"]: user for user in account.get("/Users", count=0).json()["Resources"]}


def person(account: Client, identity: str) -> dict[str, Any]:
    answer = account.get(f"/Users/{identity}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# --- POST -------------------------------------------------------------------------------------------


def test_the_key_is_the_user_name_in_small_letters_and_emails_are_not_read(account: Client, ada: str) -> None:
    assert person(account, ada)["userName"] == "ada@x.com"
    assert person(account, ada)["emails"] == [{"value": "ada@x.com", "primary": True}]
    assert account.post("/Users", {"userName": "ADA@x.com", "emails": []}).json()["id"] == ada


@pytest.mark.parametrize(
    "body", [{}, {"userName": ""}, {"userName": None}, {"emails": [{"value": "a@x.com"}]}]
)
def test_without_a_user_name_there_is_nobody(account: Client, body: dict[str, Any]) -> None:
    assert is_scim_error(account.post("/Users", body), 409)


def test_an_e_mail_that_is_in_the_account_is_adopted_with_201_and_never_a_409(
    account: Client, local: str, harness_world: SplitWorld
) -> None:
    answer = account.post("/Users", {**LOCAL, "displayName": "Other Name", "externalId": "00u1"})

    assert (answer.status_code, answer.json()["id"]) == (201, local)
    assert answer.json()["displayName"] == "Other Name"
    assert "externalId" not in answer.json()
    assert harness_world.user("local@x.com").managed
    assert "local@x.com" in listed(account)


def test_where_the_display_name_is_the_same_nothing_is_written_and_the_person_stays_invisible(
    harness: SplitSimulator, account: Client, local: str
) -> None:
    body = {**LOCAL, "name": {"givenName": "Quite", "familyName": "Other"}}

    assert account.post("/Users", body).json()["id"] == local
    assert listed(account) == {}
    assert harness.world.user(local).attributes["name"] == {"givenName": "Lo", "familyName": "Cal"}

    harness.set_knobs(adoption_compares="all_names")
    assert account.post("/Users", body).status_code == 201
    assert listed(account)["local@x.com"]["name"] == body["name"]


def test_who_is_adopted_may_be_listed_whatever_was_written(
    harness: SplitSimulator, account: Client, local: str
) -> None:
    harness.set_knobs(adoption_imports=True)

    account.post("/Users", LOCAL)

    assert list(listed(account)) == ["local@x.com"]


@pytest.mark.parametrize("enables", [True, False])
def test_adoption_makes_active(harness: SplitSimulator, account: Client, local: str, enables: bool) -> None:
    harness.set_knobs(active_enables=enables)
    harness.world.set_active(local, active=False)

    assert account.post("/Users", {**LOCAL, "active": False}).json()["active"] is enables


def test_who_is_known_in_another_account_keeps_id_parts_and_external_id(
    account: Client, harness_world: SplitWorld
) -> None:
    elsewhere = harness_world.create_elsewhere("ada@x.com", "Augusta", "King", external_id="00uother")
    assert account.get(f"/Users/{elsewhere}").json()["detail"].endswith("does not exist in NG")

    created = account.post("/Users", ADA)

    assert (created.status_code, created.json()["id"]) == (201, elsewhere)
    assert (created.json()["displayName"], created.json()["externalId"]) == ("Ada Lovelace", "00uother")
    assert listed(account)["ada@x.com"]["name"] == {"givenName": "Augusta", "familyName": "King"}


def test_who_was_half_removed_comes_back_as_they_were(
    account: Client, ada: str, harness_world: SplitWorld
) -> None:
    harness_world.half_remove_user("ada@x.com")
    assert account.get(f"/Users/{ada}").json()["detail"].endswith("does not exist in NG")

    assert account.post("/Users", ADA).json()["id"] == ada
    assert list(listed(account)) == ["ada@x.com"]


def test_role_set_up_takes_its_time_inside_the_request_and_only_for_who_is_new(
    harness: SplitSimulator, account: Client, ada: str
) -> None:
    harness.set_knobs(role_setup_seconds=1.0)

    started = time.monotonic()
    account.post("/Users", ADA)
    adopted = time.monotonic() - started
    account.post("/Users", {"userName": "new@x.com"})

    assert adopted < 1.0 <= time.monotonic() - started


def test_where_role_set_up_fails_it_is_a_409_and_the_account_exists(
    harness: SplitSimulator, account: Client
) -> None:
    harness.set_knobs(role_setup_fails=True)

    assert is_scim_error(account.post("/Users", ADA), 409)
    assert list(listed(account)) == ["ada@x.com"]


def test_an_invite_that_was_left_over_makes_nobody_until_it_goes(
    account: Client, harness_world: SplitWorld
) -> None:
    harness_world.leave_invite("Ada@x.com")

    assert [account.post("/Users", ADA).status_code for _ in range(2)] == [404, 404]
    harness_world.withdraw_invite("ada@x.com")
    assert account.post("/Users", ADA).status_code == 201


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ({"displayName": " Ada L. "}, "Ada L."),
        ({"displayName": "Ada L.", "name": {"givenName": "A", "familyName": "B"}}, "Ada L."),
        ({"name": {"givenName": "Ada", "familyName": "Lovelace"}}, "Ada Lovelace"),
        ({"displayName": "", "name": {"givenName": "Ada", "familyName": "Lovelace"}}, "Ada Lovelace"),
        ({}, "x@x.com"),
        ({"displayName": "x" * 255}, "x" * 255),
        ({"name": {"givenName": "Ada"}}, None),
        ({"name": {"familyName": "Lovelace"}}, None),
        ({"name": {}}, None),
        ({"displayName": "Ada L.", "name": {"givenName": "Ada"}}, None),
    ],
)
def test_the_display_name_is_given_or_composed_or_the_e_mail_or_a_null_pointer(
    account: Client, names: dict[str, Any], shown: str | None
) -> None:
    answer = account.post("/Users", {"userName": "x@x.com", **names})

    if shown is None:
        assert is_scim_error(answer, 409)
        assert answer.json()["detail"] is None
    else:
        assert (answer.status_code, answer.json()["displayName"]) == (201, shown)


def test_who_is_new_and_has_no_given_name_has_the_display_name_twice(account: Client) -> None:
    account.post("/Users", {"userName": "x@x.com", "displayName": "Prince"})

    assert listed(account)["x@x.com"]["name"] == {"givenName": "Prince", "familyName": "Prince"}


@pytest.mark.parametrize("letter", list(":<>=/"))
@pytest.mark.parametrize("where", ["displayName", "givenName", "familyName"])
def test_names_have_neither_of_five_letters(account: Client, ada: str, where: str, letter: str) -> None:
    wrong = f"a{letter}b"
    body = (
        {**ADA, "displayName": wrong}
        if where == "displayName"
        else {**ADA, "name": {**ADA["name"], where: wrong}}
    )

    assert is_scim_error(account.post("/Users", {**body, "userName": "new@x.com"}), 409)
    assert is_scim_error(account.put(f"/Users/{ada}", body), 404)


def test_a_name_of_256_characters_is_too_long(account: Client, ada: str) -> None:
    body = {**ADA, "displayName": "x" * 256}

    assert account.post("/Users", {**body, "userName": "new@x.com"}).status_code == 409
    assert account.put(f"/Users/{ada}", body).status_code == 404


def test_a_full_licence_is_a_409_with_text_for_who_is_new(
    harness: SplitSimulator, account: Client, ada: str
) -> None:
    harness.set_knobs(seats=2)

    answer = account.post("/Users", {"userName": "new@x.com"})

    assert is_scim_error(answer, 409)
    assert "licence" in answer.json()["detail"]
    assert account.post("/Users", ADA).status_code == 201
    account.patch(f"/Users/{ada}", {"op": "replace", "value": {"active": False}})
    assert account.post("/Users", {"userName": "new@x.com"}).status_code == 201


# --- GET --------------------------------------------------------------------------------------------


def test_who_is_nowhere_at_harness_does_not_exist_there(account: Client) -> None:
    assert "does not exist in Harness" in account.get("/Users/nobody").json()["detail"]


# --- PUT --------------------------------------------------------------------------------------------


def test_put_stores_names_and_e_mail_and_nothing_else_for_ever(account: Client, ada: str) -> None:
    body = {
        "userName": "Augusta@X.com",
        "displayName": "Augusta King",
        "name": {"givenName": "Augusta", "familyName": "King"},
        "externalId": "00uother",
        "emails": [{"value": "more@x.com"}],
        "title": "Countess",
        "active": True,
    }

    answer = account.put(f"/Users/{ada}", body)

    assert (answer.status_code, answer.json()) == (200, person(account, ada))
    assert answer.json()["id"] == ada
    assert answer.json()["externalId"] == "00uada"
    assert answer.json()["emails"] == [{"value": "augusta@x.com", "primary": True}]
    assert "title" not in answer.json()
    assert listed(account)["augusta@x.com"]["name"] == body["name"]


def test_a_put_that_changes_something_imports_and_one_that_changes_nothing_does_not(
    account: Client, local: str
) -> None:
    names = {"givenName": "Lo", "familyName": "Cal"}
    assert account.put(f"/Users/{local}", {**LOCAL, "name": names, "active": True}).status_code == 200
    assert listed(account) == {}

    account.put(f"/Users/{local}", {**LOCAL, "name": {**names, "familyName": "Call"}, "active": True})
    assert list(listed(account)) == ["local@x.com"]


def test_put_without_active_is_a_null_pointer(account: Client, ada: str) -> None:
    answer = account.put(f"/Users/{ada}", {"userName": "ada@x.com", "displayName": "New"})

    assert is_scim_error(answer, 404)
    assert answer.json()["detail"] is None
    assert person(account, ada)["displayName"] == "Ada Lovelace"


def test_put_composes_the_name_and_leaves_it_where_there_is_none(account: Client, ada: str) -> None:
    account.put(f"/Users/{ada}", {"userName": "ada@x.com", "active": True})
    assert person(account, ada)["displayName"] == "Ada Lovelace"

    name = {"givenName": "Augusta", "familyName": "King"}
    account.put(f"/Users/{ada}", {"userName": "ada@x.com", "name": name, "active": True})
    assert person(account, ada)["displayName"] == "Augusta King"

    assert is_scim_error(account.put(f"/Users/{ada}", {"name": {"givenName": "A"}, "active": True}), 404)


def test_an_e_mail_of_somebody_anywhere_at_harness_is_refused(
    account: Client, ada: str, local: str, harness_world: SplitWorld
) -> None:
    harness_world.create_elsewhere("far@x.com")
    for taken in ("local@x.com", "FAR@x.com"):
        answer = account.put(f"/Users/{ada}", {**ADA, "userName": taken})
        assert is_scim_error(answer, 404)
        assert answer.json()["detail"] == "Error occurred while performing this operation."
    assert person(account, ada)["userName"] == "ada@x.com"


def test_inactive_is_removed_with_200_and_no_body_and_the_directory_keeps_the_old_name(
    account: Client, ada: str, harness_world: SplitWorld
) -> None:
    harness_world.join_elsewhere("ada@x.com")

    answer = account.put(f"/Users/{ada}", {**ADA, "displayName": "New Name", "active": False})

    assert (answer.status_code, answer.content) == (200, b"")
    assert account.get(f"/Users/{ada}").status_code == 404
    record = harness_world.account.record(ada)
    assert record is not None
    assert record.attributes["displayName"] == "Ada Lovelace"


@pytest.mark.parametrize(
    ("knobs", "status", "left"),
    [
        ({"put_removal_shows": "nothing"}, 200, False),
        ({"put_removal_shows": "null"}, 200, False),
        ({"put_removal_shows": "person"}, 200, False),
        ({"deactivation": "disabled"}, 200, False),
        ({"user_deletion_v2": False, "deactivation": "removed"}, 200, False),
        ({"user_deletion_v2": False, "deactivation": "disabled"}, 200, True),
    ],
)
def test_in_2023_what_an_inactive_put_does_and_shows_depends_on_flags(
    harness: SplitSimulator, account: Client, ada: str, knobs: dict[str, Any], status: int, left: bool
) -> None:
    harness.set_knobs(generation="2023", **knobs)

    answer = account.put(f"/Users/{ada}", {**ADA, "active": False})

    assert answer.status_code == status
    assert (ada in harness.world.users) is left
    shown = knobs.get("put_removal_shows", "nothing")
    if left or shown == "person":
        assert (answer.json()["id"], answer.json()["active"]) == (ada, False)
    else:
        assert answer.text == {"nothing": "", "null": "null"}[shown]


@pytest.mark.parametrize("enables", [True, False])
def test_an_active_put_ends_a_disablement(
    harness: SplitSimulator, account: Client, ada: str, enables: bool
) -> None:
    harness.set_knobs(active_enables=enables)
    harness.world.set_active(ada, active=False)

    assert account.put(f"/Users/{ada}", ADA).json()["active"] is enables


def test_a_swallowed_put_answers_and_does_nothing(harness: SplitSimulator, account: Client, ada: str) -> None:
    harness.set_knobs(swallowed=["user_put"])

    assert account.put(f"/Users/{ada}", {**ADA, "displayName": "New"}).status_code == 200
    assert account.put(f"/Users/{ada}", {**ADA, "active": False}).status_code == 200
    assert person(account, ada)["displayName"] == "Ada Lovelace"


# --- leaving ----------------------------------------------------------------------------------------


def test_delete_removes(account: Client, ada: str) -> None:
    answer = account.delete(f"/Users/{ada}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert account.get(f"/Users/{ada}").status_code == 404


@pytest.mark.parametrize(("status", "code"), [(400, "INVALID_REQUEST"), (401, "INVALID_TOKEN")])
def test_deleting_nobody_is_an_error_of_the_platform(
    harness: SplitSimulator, account: Client, status: int, code: str
) -> None:
    harness.set_knobs(delete_unknown_user_status=status)

    assert is_platform_error(account.delete("/Users/nobody"), status, code)


def test_who_comes_back_is_another_id_unless_another_account_kept_the_record(
    account: Client, ada: str, harness_world: SplitWorld
) -> None:
    account.delete(f"/Users/{ada}")
    second = account.post("/Users", {**ADA, "externalId": "00usecond"}).json()
    assert second["id"] != ada
    assert second["externalId"] == "00usecond"

    harness_world.join_elsewhere(second["id"])
    account.delete(f"/Users/{second['id']}")
    third = account.post("/Users", {**ADA, "externalId": "00uthird"}).json()
    assert (third["id"], third["externalId"]) == (second["id"], "00usecond")


def test_the_last_account_admin_is_not_removed_by_a_put_nor_by_a_delete(
    harness: SplitSimulator, account: Client, ada: str
) -> None:
    admin = harness.world.user("admin@example.com").id
    inactive = {"userName": "admin@example.com", "active": False}

    refused = account.put(f"/Users/{admin}", inactive)
    assert is_scim_error(refused, 404)
    assert "last Account Admin" in refused.json()["detail"]
    assert is_platform_error(account.delete(f"/Users/{admin}"), 400, "INVALID_REQUEST")
    harness.set_knobs(last_admin_delete="swallowed")
    assert account.delete(f"/Users/{admin}").status_code == 204
    assert person(account, admin)["active"] is True

    harness.world.make_account_admin("ada@x.com")
    assert account.put(f"/Users/{admin}", inactive).status_code == 200
    assert account.get(f"/Users/{admin}").status_code == 404


def test_an_account_admin_by_group_counts_as_one(harness: SplitSimulator, account: Client, ada: str) -> None:
    admin = harness.world.user("admin@example.com").id
    account.post("/Groups", {"displayName": "Owners", "members": values(ada)})
    harness.world.make_admin_group("Owners")

    assert account.delete(f"/Users/{admin}").status_code == 204
    assert account.delete(f"/Users/{ada}").status_code == 400
    harness.set_knobs(last_admin_kept=False)
    assert account.delete(f"/Users/{ada}").status_code == 204


# --- groups forget later ----------------------------------------------------------------------------


@pytest.fixture
def team(account: Client, ada: str, people: list[str]) -> str:
    account.post("/Groups", {"displayName": "Team", "members": values(ada, people[0])})
    return "Team"


def shown_members(account: Client, group: str) -> list[str]:
    return [member["value"] for member in account.get(f"/Groups/{group}").json()["members"]]


def test_groups_forget_who_was_removed(account: Client, ada: str, people: list[str], team: str) -> None:
    account.delete(f"/Users/{ada}")

    assert shown_members(account, team) == [people[0]]


def test_where_groups_forget_later_the_id_is_kept_and_not_shown(
    harness: SplitSimulator, account: Client, ada: str, people: list[str], team: str
) -> None:
    harness.set_knobs(group_removal_lag_seconds=-1)

    account.delete(f"/Users/{ada}")

    assert list(harness.world.groups[team].members) == [ada, people[0]]
    assert shown_members(account, team) == [people[0]]
    assert harness.world.members(team) == ["a@x.com"]
    harness.world.deliver_events()
    assert list(harness.world.groups[team].members) == [people[0]]


def test_every_save_of_a_group_drops_who_is_not_in_the_account(
    harness: SplitSimulator, account: Client, ada: str, people: list[str], team: str
) -> None:
    harness.set_knobs(group_removal_lag_seconds=-1)
    account.delete(f"/Users/{ada}")

    account.patch(f"/Groups/{team}", {"op": "add", "path": "members", "value": values(people[1])})

    assert list(harness.world.groups[team].members) == people[:2]


@pytest.mark.parametrize("lag", [-1, 600])
def test_a_membership_that_is_given_back_meanwhile_goes_with_the_late_event(
    harness: SplitSimulator, account: Client, ada: str, people: list[str], team: str, lag: float
) -> None:
    harness.world.join_elsewhere(ada)
    harness.set_knobs(group_removal_lag_seconds=lag)
    account.delete(f"/Users/{ada}")
    assert ada in shown_members(account, team)  # the record is kept, by the other account
    assert account.post("/Users", ADA).json()["id"] == ada
    account.patch(f"/Groups/{team}", {"op": "add", "path": "members", "value": values(ada)})
    assert ada in shown_members(account, team)

    if lag < 0:
        harness.world.deliver_events()
    else:
        later = datetime.now(UTC) + timedelta(seconds=lag)
        harness.world.clock = lambda: later

    assert shown_members(account, team) == [people[0]]
    assert person(account, ada)["active"] is True
