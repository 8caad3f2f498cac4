"""`/Groups` of the simulated Split, its connector as a whole, and its switch."""

import pytest

from syncd.simulators.split import SplitKnobs, SplitSimulator
from syncd.simulators.world import SplitWorld, WorldError, default_split
from tests.simulators.conftest import Client


@pytest.fixture
def people(scim: Client) -> list[str]:
    return [str(scim.post("/Users", {"userName": f"{n}@x.com"}).json()["id"]) for n in ("a", "b", "c")]


def values(*ids: str) -> list[dict[str, str]]:
    return [{"value": identity} for identity in ids]


@pytest.fixture
def team(scim: Client, people: list[str]) -> str:
    body = {"displayName": "Team", "externalId": "00gteam", "members": values(*people[:2])}
    answer = scim.post("/Groups", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_pushed_group_is_shown_with_its_members_and_in_its_users(
    scim: Client, team: str, people: list[str]
) -> None:
    group = scim.get(f"/Groups/{team}").json()
    user = scim.get(f"/Users/{people[0]}").json()

    assert [(m["value"], m["display"]) for m in group["members"]] == [
        (people[0], "a@x.com"),
        (people[1], "b@x.com"),
    ]
    assert group["externalId"] == "00gteam"
    assert user["groups"] == [{"value": team, "display": "Team", "type": "direct"}]
    assert scim.get("/Groups", filter='displayName eq "Team"').json()["totalResults"] == 1
    assert scim.get("/Groups", filter='externalId eq "00gteam"').json()["totalResults"] == 1


def test_member_deltas_work_by_filter_path_and_by_values(
    scim: Client, team: str, people: list[str], split_world: SplitWorld
) -> None:
    scim.patch(
        f"/Groups/{team}",
        {"op": "remove", "path": f'members[value eq "{people[0]}"]'},
        {"op": "add", "path": "members", "value": values(people[2], people[1])},
    )
    assert split_world.members("Team") == ["b@x.com", "c@x.com"]

    scim.patch(f"/Groups/{team}", {"op": "Remove", "path": "members", "value": values(people[1])})
    assert split_world.members("Team") == ["c@x.com"]

    scim.patch(f"/Groups/{team}", {"op": "replace", "path": "members", "value": values(people[0])})
    assert split_world.members("Team") == ["a@x.com"]

    scim.patch(f"/Groups/{team}", {"op": "remove", "path": "members"})
    assert split_world.members("Team") == []


def test_one_bad_operation_spoils_the_whole_patch(
    scim: Client, team: str, people: list[str], split_world: SplitWorld
) -> None:
    answer = scim.patch(
        f"/Groups/{team}",
        {"op": "add", "path": "members", "value": values(people[2])},
        {"op": "add", "path": "members", "value": values("nobody")},
    )

    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
    assert split_world.members("Team") == ["a@x.com", "b@x.com"]


def test_okta_renames_without_a_path_and_with_the_id_inside(scim: Client, team: str) -> None:
    answer = scim.patch(f"/Groups/{team}", {"op": "replace", "value": {"id": team, "displayName": "Crew"}})

    assert answer.json()["displayName"] == "Crew"
    assert len(answer.json()["members"]) == 2


def test_put_replaces_name_and_members(scim: Client, team: str, people: list[str]) -> None:
    answer = scim.put(f"/Groups/{team}", {"displayName": "Crew", "members": values(people[2])}).json()

    assert answer["displayName"] == "Crew"
    assert [member["value"] for member in answer["members"]] == [people[2]]
    assert "externalId" not in answer


@pytest.mark.parametrize(("length", "status"), [(24, 201), (25, 400)])
def test_a_group_name_has_fewer_than_25_characters(scim: Client, length: int, status: int) -> None:
    assert scim.post("/Groups", {"displayName": "x" * length}).status_code == status


def test_a_long_name_is_refused_in_a_rename_too(scim: Client, team: str) -> None:
    answer = scim.patch(f"/Groups/{team}", {"op": "replace", "path": "displayName", "value": "x" * 25})

    assert answer.status_code == 400
    assert scim.get(f"/Groups/{team}").json()["displayName"] == "Team"


def test_an_existing_name_must_be_linked_not_created(scim: Client) -> None:
    answer = scim.post("/Groups", {"displayName": "Release Managers"})

    assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")


def test_administrators_cannot_be_created_renamed_deleted_or_emptied(
    scim: Client, split_world: SplitWorld, team: str
) -> None:
    group = split_world.group("Administrators").id
    admin = split_world.user("admin@example.com").id

    refused = [
        scim.post("/Groups", {"displayName": "Administrators"}),
        scim.patch(f"/Groups/{group}", {"op": "replace", "value": {"displayName": "Admins"}}),
        scim.delete(f"/Groups/{group}"),
        scim.patch(f"/Groups/{group}", {"op": "remove", "path": f'members[value eq "{admin}"]'}),
        scim.patch(f"/Groups/{group}", {"op": "replace", "path": "members", "value": []}),
        scim.put(f"/Groups/{group}", {"displayName": "Administrators", "members": []}),
        scim.patch(f"/Groups/{team}", {"op": "replace", "value": {"displayName": "Administrators"}}),
    ]

    assert [answer.status_code for answer in refused] == [409, 400, 400, 400, 400, 400, 409]
    assert split_world.members("Administrators") == ["admin@example.com"]


def test_administrators_may_change_while_one_active_member_stays(
    scim: Client, split_world: SplitWorld, people: list[str]
) -> None:
    group = split_world.group("Administrators").id
    admin = split_world.user("admin@example.com").id
    scim.patch(f"/Users/{people[0]}", {"op": "replace", "value": {"active": False}})
    gone = {"op": "remove", "path": f'members[value eq "{admin}"]'}

    asleep = scim.patch(
        f"/Groups/{group}", {"op": "add", "path": "members", "value": values(people[0])}, gone
    )
    awake = scim.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": values(people[1])}, gone)

    assert (asleep.status_code, awake.status_code) == (400, 200)
    assert split_world.members("Administrators") == ["b@x.com"]


def test_a_deleted_group_leaves_its_users(scim: Client, team: str, people: list[str]) -> None:
    assert scim.delete(f"/Groups/{team}").status_code == 204
    assert scim.get(f"/Groups/{team}").status_code == 404
    assert scim.get(f"/Users/{people[0]}").json()["groups"] == []


# --- knobs ------------------------------------------------------------------------------------------


def test_members_may_be_left_out_of_lists_cut_or_never_shown(
    scim: Client, split: SplitSimulator, team: str
) -> None:
    def listed() -> object:
        found = scim.get("/Groups", filter='displayName eq "Team"').json()["Resources"][0]
        return len(found["members"]) if "members" in found else None

    assert listed() == 2
    split.set_knobs(members_listed=1)
    assert listed() == 1
    split.set_knobs(members_in_lists=False)
    assert listed() is None
    assert len(scim.get(f"/Groups/{team}").json()["members"]) == 2
    split.set_knobs(members_shown=False)
    assert "members" not in scim.get(f"/Groups/{team}").json()
    split.set_knobs(members_shown=True)
    assert "members" not in scim.get(f"/Groups/{team}", excludedAttributes="members").json()
    assert "members" not in scim.get(f"/Groups/{team}", attributes="displayName").json()


@pytest.mark.parametrize(
    ("mode", "status", "left"),
    [
        ("works", 200, 1),
        ("ignored", 200, 2),
        ("clears", 200, 0),
        ("refused_400", 400, 2),
        ("refused_501", 501, 2),
    ],
)
@pytest.mark.parametrize("form", ["remove_by_filter", "remove_by_values"])
def test_removing_a_member_has_no_universal_form(
    scim: Client,
    split: SplitSimulator,
    team: str,
    people: list[str],
    form: str,
    mode: str,
    status: int,
    left: int,
) -> None:
    split.set_knobs(**{form: mode})
    by_filter = {"op": "remove", "path": f'members[value eq "{people[0]}"]'}
    by_values = {"op": "remove", "path": "members", "value": values(people[0])}

    answer = scim.patch(f"/Groups/{team}", by_filter if form == "remove_by_filter" else by_values)

    assert answer.status_code == status
    assert len(split.world.members("Team")) == left


def test_members_may_be_ignored_or_only_added(
    scim: Client, split: SplitSimulator, team: str, people: list[str]
) -> None:
    split.set_knobs(replace_only_adds=True)
    scim.patch(f"/Groups/{team}", {"op": "replace", "path": "members", "value": values(people[2])})
    assert len(split.world.members("Team")) == 3

    split.set_knobs(replace_only_adds=False, put_ignores_members=True, post_ignores_members=True)
    scim.put(f"/Groups/{team}", {"displayName": "Team", "members": []})
    assert len(split.world.members("Team")) == 3
    assert scim.post("/Groups", {"displayName": "New", "members": values(people[0])}).json()["members"] == []


def test_deleted_users_may_stay_in_groups(
    scim: Client, split: SplitSimulator, team: str, people: list[str]
) -> None:
    split.set_knobs(deleted_stay_members=True)

    scim.delete(f"/Users/{people[0]}")

    assert [member["value"] for member in scim.get(f"/Groups/{team}").json()["members"]] == people[:2]


@pytest.mark.parametrize(("configured", "seen"), [(204, 204), (200, 200), (405, 405)])
def test_a_delete_answers_in_its_own_way(
    scim: Client, split: SplitSimulator, team: str, configured: int, seen: int
) -> None:
    split.set_knobs(delete_status=configured)

    assert scim.delete(f"/Groups/{team}").status_code == seen
    assert (team in split.world.groups) is (seen == 405)


# --- the connector ----------------------------------------------------------------------------------


def test_a_wrong_token_is_a_401_in_scim_or_in_plain_text(split: SplitSimulator) -> None:
    stranger = Client(split.base_url, "Bearer wrong")

    answer = stranger.get("/Users")
    assert (answer.status_code, answer.json()["status"]) == (401, "401")

    split.set_knobs(text_401=True)
    assert stranger.get("/Users").text == "Unauthorized"
    assert Client(split.base_url, f"SSWS {split.token}").get("/Users").status_code == 401


def test_a_token_expires_and_a_new_one_replaces_it(scim: Client, split: SplitSimulator) -> None:
    split.world.expire_token()
    assert "expired" in scim.get("/Users").json()["detail"]

    token = split.world.regenerate_token()

    assert scim.get("/Users").status_code == 401
    assert Client(split.base_url, f"Bearer {token}").get("/Users").status_code == 200


def test_switching_scim_off_makes_everything_ordinary(scim: Client, split: SplitSimulator, team: str) -> None:
    split.world.disable_scim()
    assert scim.get("/Users").status_code == 403
    split.set_knobs(disabled_status=404)
    assert scim.get(f"/Groups/{team}").status_code == 404

    again = Client(split.base_url, f"Bearer {split.world.enable_scim()}")

    group = again.get(f"/Groups/{team}").json()
    assert "externalId" not in group
    assert len(group["members"]) == 2
    assert not any(user.managed for user in split.world.users.values())


def test_discovery_tells_the_truth_lies_or_is_absent(scim: Client, split: SplitSimulator) -> None:
    assert scim.get("/ServiceProviderConfig").json()["patch"] == {"supported": True}
    split.set_knobs(discovery_lies=True)
    assert scim.get("/ServiceProviderConfig").json()["filter"]["supported"] is False
    split.set_knobs(discovery=False)
    assert scim.get("/ServiceProviderConfig").status_code == 404


def test_other_paths_methods_and_media_types_are_refused(
    scim: Client, split: SplitSimulator, team: str
) -> None:
    split.set_knobs(require_scim_type=True)

    assert scim.get("/Users/").status_code == 404
    assert scim.get("/Bulk").status_code == 404
    assert scim.delete("/Users").status_code == 405
    plain = scim.send("POST", "/Users", data="{}", headers={"Content-Type": "application/json"})
    assert plain.status_code == 415
    assert scim.send("POST", "/Users", data="{").json()["scimType"] == "invalidSyntax"


def test_requests_per_second_are_limited_with_split_s_own_headers(
    split: SplitSimulator, scim: Client
) -> None:
    split.set_knobs(requests_per_second=1)

    answers = [scim.get("/Users") for _ in range(4)]

    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].headers["X-RateLimit-Reset-Seconds-Org"] == "1"


def test_every_request_may_take_time() -> None:
    with SplitSimulator(default_split(), knobs=SplitKnobs(latency_seconds=0.1)) as split:
        Client(split.base_url, f"Bearer {split.token}").get("/Users")
        record = split.requests[0]

    assert 0.1 <= record.ended - record.started < 30


def test_what_is_done_in_split_itself_is_seen_by_the_client(
    scim: Client, split: SplitSimulator, team: str
) -> None:
    world = split.world
    world.edit_user("a@x.com", displayName="Changed", userName="aa@x.com")
    world.set_active("b@x.com", active=False)
    world.rename_group("Team", "Gang")
    world.add_member("Gang", "c@x.com")
    world.remove_member("Gang", "aa@x.com")

    assert (
        scim.get("/Users", filter='userName eq "aa@x.com"').json()["Resources"][0]["displayName"] == "Changed"
    )
    assert scim.get("/Users", filter='userName eq "b@x.com"').json()["Resources"][0]["active"] is False
    assert world.members(team) == ["b@x.com", "c@x.com"]
    world.delete_group("Gang")
    world.delete_user("c@x.com")
    assert scim.get(f"/Groups/{team}").status_code == 404


def test_an_organisation_comes_back_from_its_fixture(split: SplitSimulator, team: str) -> None:
    document = split.world.to_fixture()

    assert SplitWorld.from_fixture(document).to_fixture() == document
    assert split.token not in str(document)


@pytest.mark.parametrize("document", [{"schema": "x"}, {"people": []}, {"users": [{}]}, {"flavor": "other"},
                                      {"groups": [{"displayName": "g", "members": ["nobody"]}]}])  # fmt: skip
def test_a_wrong_fixture_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(WorldError):
        SplitWorld.from_fixture(document)
