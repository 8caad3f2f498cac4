"""Groups at Harness: POST, GET, PUT and DELETE of `/Groups`."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.simulators.split import SplitSimulator
from syncd.simulators.split_world import SplitWorld
from tests.simulators.conftest import Client, is_platform_error, is_scim_error, values


@pytest.fixture
def team(account: Client, people: list[str]) -> str:
    """A managed group of a@ and b@x.com."""
    answer = account.post("/Groups", {"displayName": "Team", "members": values(*people[:2])})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture
def crew(harness_world: SplitWorld) -> str:
    """A hand-made group of fifty who were here before SCIM."""
    ids = [harness_world.create_local_user(f"old{number}@x.com") for number in range(50)]
    return harness_world.create_local_group("Crew", members=ids)


def member_ids(answer: Any) -> list[str]:
    return [member["value"] for member in answer.json()["members"]]


def test_a_group_is_shown_with_its_members_and_without_an_external_id(
    account: Client, people: list[str], harness_world: SplitWorld
) -> None:
    body = {"displayName": "My Team", "externalId": "00g1", "members": values(people[0])}

    created = account.post("/Groups", body)

    assert created.json() == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "id": "My_Team",
        "displayName": "My Team",
        "members": [{"value": people[0], "ref": "", "display": "a@x.com"}],
    }
    assert account.get("/Groups/My_Team").json() == created.json()
    assert harness_world.groups["My_Team"].external_id is None


# --- POST -------------------------------------------------------------------------------------------


def test_a_managed_group_with_that_identifier_is_the_answer_as_it_is(
    account: Client, team: str, people: list[str]
) -> None:
    answer = account.post("/Groups", {"displayName": "Team!", "members": values(people[2])})

    assert (answer.status_code, answer.json()["id"], answer.json()["displayName"]) == (201, team, "Team")
    assert member_ids(answer) == people[:2]


@pytest.mark.parametrize("members", [0, 1, None])
def test_a_hand_made_group_is_taken_over_its_members_become_those_of_the_post_and_its_name_stays(
    account: Client, crew: str, people: list[str], harness_world: SplitWorld, members: int | None
) -> None:
    harness_world.link_to_sso(crew)
    body = {"displayName": "Crew?"}
    sent = body if members is None else {**body, "members": values(*people[:members])}

    answer = account.post("/Groups", sent)

    assert (answer.status_code, answer.json()["id"], answer.json()["displayName"]) == (201, crew, "Crew")
    assert member_ids(answer) == people[: members or 0]
    assert harness_world.groups[crew].managed
    assert crew in harness_world.account.sso_linked


@pytest.mark.parametrize("taken", ["Team", "Crew", "_fme_admins"])
def test_in_2023_an_identifier_that_is_taken_is_a_409(
    harness: SplitSimulator, account: Client, team: str, crew: str, taken: str
) -> None:
    harness.set_knobs(generation="2023")
    before = harness.world.to_fixture()

    answer = account.post("/Groups", {"displayName": taken})

    assert is_scim_error(answer, 409)
    assert f"[{taken}] cannot be used" in answer.json()["detail"]
    assert harness.world.to_fixture() == before


@pytest.mark.parametrize("name", ["", " ", None, "_account_all_users", "_account.all-users"])
def test_blank_names_and_groups_of_harness_itself_are_a_409(account: Client, name: str | None) -> None:
    assert is_scim_error(account.post("/Groups", {"displayName": name}), 409)


@pytest.mark.parametrize("name", ["a<b>:c=d/e", "x " * 60, "Ünï\u200bcode"])
def test_there_is_no_other_rule_for_names(account: Client, name: str) -> None:
    assert account.post("/Groups", {"displayName": name}).json()["displayName"] == name


def test_whoever_is_unknown_is_dropped_without_a_word(
    account: Client, people: list[str], harness_world: SplitWorld
) -> None:
    far = harness_world.create_elsewhere("far@x.com")

    answer = account.post(
        "/Groups", {"displayName": "Team", "members": values("nobody", people[0], far, people[0])}
    )

    assert (answer.status_code, member_ids(answer)) == (201, [people[0]])


def test_a_group_for_another_scope_is_answered_and_not_found_afterwards(
    account: Client, people: list[str]
) -> None:
    body = {"displayName": "Scoped", "members": values(people[0]), "harnessScopes": "acc:org:project"}

    answer = account.post("/Groups", body)

    assert (answer.status_code, answer.json()["id"], member_ids(answer)) == (201, "Scoped", [people[0]])
    assert account.get("/Groups/Scoped").status_code == 404
    assert account.delete("/Groups/Scoped").status_code == 401
    assert account.get("/Groups").json()["Resources"] == []


# --- the groups that are there from the start -------------------------------------------------------


def test_everybody_is_in_the_default_group(account: Client, ada: str, harness_world: SplitWorld) -> None:
    everybody = set(harness_world.users)

    assert set(member_ids(account.get("/Groups/_account_all_users"))) == everybody
    account.delete(f"/Users/{ada}")
    assert set(member_ids(account.get("/Groups/_account_all_users"))) == everybody - {ada}


def test_the_group_of_the_migration_has_another_name_is_not_found_before_and_pushing_takes_it_over(
    account: Client, ada: str, harness_world: SplitWorld
) -> None:
    assert account.get("/Groups/_fme_admins").json()["displayName"] == "All FME Admins"
    assert harness_world.members("_fme_admins") == ["admin@example.com"]
    for text in ('displayName eq "_fme_admins"', 'displayName eq "All FME Admins"', "all"):
        assert account.get("/Groups", filter=text).json()["Resources"] == []

    answer = account.post("/Groups", {"displayName": "_fme_admins", "members": values(ada)})

    assert (answer.json()["id"], answer.json()["displayName"]) == ("_fme_admins", "All FME Admins")
    assert harness_world.members("_fme_admins") == ["ada@x.com"]
    account.patch("/Groups/_fme_admins", {"op": "replace", "value": {"displayName": "Admins"}})
    assert account.get("/Groups").json()["Resources"][0]["displayName"] == "Admins"


def test_an_account_without_a_world_of_its_own_has_them_too() -> None:
    with SplitSimulator(SplitWorld(flavor="harness")) as bare:
        assert set(bare.world.groups) == {"_account_all_users", "_fme_admins"}
    with SplitSimulator(SplitWorld(), flavor="harness") as turned:
        assert set(turned.world.groups) == {"_account_all_users", "_fme_admins"}


# --- PUT --------------------------------------------------------------------------------------------


def test_put_replaces_name_and_members_and_echoes_what_it_was_sent(
    account: Client, team: str, people: list[str], harness_world: SplitWorld
) -> None:
    body = {"displayName": "New", "externalId": "00g1", "members": values("nobody", people[2])}

    answer = account.put(f"/Groups/{team}", body)

    assert (answer.status_code, answer.json()) == (200, body)
    assert account.put(f"/Groups/{team}", {"id": "other", **body}).json()["id"] == "other"
    assert harness_world.groups[team].name == "New"
    assert harness_world.members(team) == ["c@x.com"]


def test_a_put_without_members_leaves_nobody(account: Client, team: str, harness_world: SplitWorld) -> None:
    account.put(f"/Groups/{team}", {"displayName": "Team"})

    assert harness_world.members(team) == []


@pytest.mark.parametrize("name", ["", "  ", None])
def test_a_blank_name_is_a_412(
    account: Client, team: str, harness_world: SplitWorld, name: str | None
) -> None:
    assert is_scim_error(account.put(f"/Groups/{team}", {"displayName": name}), 412)
    assert harness_world.members(team) == ["a@x.com", "b@x.com"]


@pytest.mark.parametrize("group", ["Crew", "_fme_admins", "_account_all_users", "nobody"])
def test_what_is_not_managed_is_not_there_for_writing_though_get_shows_it(
    account: Client, crew: str, harness_world: SplitWorld, group: str
) -> None:
    before = harness_world.to_fixture()
    answers = [
        account.put(f"/Groups/{group}", {"displayName": "x", "members": []}),
        account.patch(f"/Groups/{group}", {"op": "replace", "path": "members", "value": []}),
    ]

    assert [(answer.status_code, answer.content) for answer in answers] == [(404, b"")] * 2
    assert account.get(f"/Groups/{group}").status_code == (404 if group == "nobody" else 200)
    assert harness_world.to_fixture() == before


def test_a_swallowed_put_answers_and_does_nothing(
    harness: SplitSimulator, account: Client, team: str
) -> None:
    harness.set_knobs(swallowed=["group_put"])

    assert account.put(f"/Groups/{team}", {"displayName": "New"}).json() == {"displayName": "New"}
    assert harness.world.groups[team].name == "Team"
    assert harness.world.members(team) == ["a@x.com", "b@x.com"]


# --- DELETE -----------------------------------------------------------------------------------------


def test_delete_deletes_and_a_second_one_is_a_401(account: Client, team: str) -> None:
    answer = account.delete(f"/Groups/{team}")
    again = account.delete(f"/Groups/{team}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert is_platform_error(again, 401, "INVALID_TOKEN")
    assert again.json()["message"] == "Token is not valid."
    assert is_scim_error(account.get(f"/Groups/{team}"), 404)
    assert account.get("/Groups").status_code == 200


@pytest.mark.parametrize(
    ("group", "status"), [("nobody", 401), ("Crew", 401), ("_fme_admins", 401), ("_account_all_users", 400)]
)
def test_only_managed_groups_are_deleted(
    account: Client, crew: str, harness_world: SplitWorld, group: str, status: int
) -> None:
    before = set(harness_world.groups)

    assert is_platform_error(
        account.delete(f"/Groups/{group}"), status, "INVALID_TOKEN" if status == 401 else "INVALID_REQUEST"
    )
    assert set(harness_world.groups) == before


def test_the_group_that_holds_the_last_account_admin_is_not_deleted(
    harness: SplitSimulator, account: Client, people: list[str], team: str
) -> None:
    harness.world.make_admin_group(team)
    harness.world.account.admins.clear()

    assert is_platform_error(account.delete(f"/Groups/{team}"), 400, "INVALID_REQUEST")
    harness.world.make_account_admin("c@x.com")
    assert account.delete(f"/Groups/{team}").status_code == 204


def test_in_2023_deleting_takes_the_identifier_at_every_scope(
    harness: SplitSimulator, account: Client, people: list[str]
) -> None:
    for generation, left in (("2026", {"Scoped"}), ("2023", set())):
        harness.set_knobs(generation="2026")
        account.post("/Groups", {"displayName": "Scoped", "harnessScopes": "acc:org"})
        account.post("/Groups", {"displayName": "Scoped"})
        harness.set_knobs(generation=generation)
        account.delete("/Groups/Scoped")
        assert harness.world.account.scoped_groups == left
