"""What tests and people do to a simulated Harness account outside SCIM."""

from __future__ import annotations

import pytest

from syncd.simulators.server import build, describe
from syncd.simulators.split import HarnessKnobs, SplitSimulator
from syncd.simulators.world import SplitWorld, WorldError, default_split
from tests.simulators.conftest import ADA, Client, values


def test_an_account_comes_back_from_its_fixture_with_what_no_resource_shows(
    harness: SplitSimulator, account: Client, ada: str, people: list[str]
) -> None:
    world = harness.world
    account.post("/Groups", {"displayName": "Team", "members": values(ada)})
    far = world.create_elsewhere("far@x.com", "Far", "Away", external_id="00ufar")
    assert world.account.elsewhere[far].attributes["displayName"] == "Far Away"
    world.join_elsewhere(ada)
    world.half_remove_user("b@x.com")
    world.leave_invite("left@x.com")
    world.make_admin_group("Team")
    world.link_to_sso("Team")
    account.patch(f"/Users/{ada}", {"op": "replace", "value": {"displayName": "Copied"}})
    document = world.to_fixture()

    again = SplitWorld.from_fixture(document)

    assert again.to_fixture() == document
    assert again.account.elsewhere[ada] is again.users[ada]
    assert again.copied_name(ada) == "Copied"
    with SplitSimulator(again) as served:
        assert served.world.to_fixture() == document


@pytest.mark.parametrize("behind", [{"x": 1}, {"admins": "ada"}, {"elsewhere": [{}]}, {"invites": [1]}, []])
def test_a_fixture_with_a_wrong_account_is_refused(behind: object) -> None:
    with pytest.raises(WorldError, match="harness"):
        SplitWorld.from_fixture({"flavor": "harness", "harness": behind})


def test_e_mails_are_small_letters_however_they_came(harness: SplitSimulator, account: Client) -> None:
    world = harness.world
    local = world.create_local_user("Big@X.com", "Big", "Letters")
    world.edit_user(local, userName="Bigger@X.com", displayName="Bigger")

    shown = account.get(f"/Users/{local}").json()

    assert world.user("BIGGER@x.com").id == local
    assert (shown["userName"], shown["displayName"]) == ("bigger@x.com", "Bigger")
    assert shown["emails"] == [{"value": "bigger@x.com", "primary": True}]
    with pytest.raises(WorldError, match="already"):
        world.create_local_user("BIGGER@x.com")
    fixture = {"flavor": "harness", "users": [{"userName": "Ada@X.com"}]}
    assert SplitWorld.from_fixture(fixture).user("ada@x.com").user_name == "ada@x.com"


def test_a_hand_made_group_has_the_identifier_of_its_name_or_the_one_that_was_typed(
    harness_world: SplitWorld,
) -> None:
    assert harness_world.create_local_group("R&D") == "RD"
    assert harness_world.create_local_group("日本", identifier="japan") == "japan"
    for name, identifier in (("RD", None), ("日本", None), ("New", "japan"), ("New", "1x")):
        with pytest.raises(WorldError, match="identifier"):
            harness_world.create_local_group(name, identifier=identifier)


def test_what_happens_by_hand_is_seen_by_the_client(
    harness: SplitSimulator, account: Client, ada: str, people: list[str]
) -> None:
    world = harness.world
    account.post("/Groups", {"displayName": "Team", "members": values(*people[:2])})
    world.edit_user("ada@x.com", displayName="Changed")
    world.set_active("a@x.com", active=False)
    world.rename_group("Team", "Gang")
    world.add_member("Gang", "ada@x.com")
    world.remove_member("Gang", "b@x.com")
    world.delete_user("c@x.com")

    group = account.get("/Groups/Team").json()

    assert (group["displayName"], [m["display"] for m in group["members"]]) == (
        "Gang",
        ["a@x.com", "ada@x.com"],
    )
    assert account.get(f"/Users/{ada}").json()["displayName"] == "Changed"
    assert world.copied_name(ada) == "Changed"
    assert account.get(f"/Users/{people[0]}").json()["active"] is False
    assert account.get(f"/Users/{people[2]}").status_code == 404
    world.set_externally_managed("Team", managed=False)
    assert account.get("/Groups").json()["Resources"] == []
    world.delete_group("Team")
    assert account.get("/Groups/Team").status_code == 404


def test_acts_and_knobs_are_in_the_control_interface(
    harness: SplitSimulator, account: Client, ada: str
) -> None:
    control = Client(f"{harness.url}/_control", "", "application/json")

    elsewhere = control.post("/act", {"act": "create_elsewhere", "email": "far@x.com"}).json()["result"]
    knobs = control.post(
        "/knobs", {"generation": "2023", "missing_rights": ["user_invite"], "seats": 9}
    ).json()
    state = control.get("/state").json()

    assert [record["id"] for record in state["world"]["harness"]["elsewhere"]] == [elsewhere]
    assert state["knobs"] == knobs
    assert (knobs["generation"], knobs["missing_rights"], knobs["seats"]) == ("2023", ["user_invite"], 9)
    assert set(knobs) == {*HarnessKnobs.__slots__, "seats", "latency_seconds", "requests_per_second"}
    assert control.post("/knobs", {"generation": "2024"}).status_code == 400


def test_a_lost_answer_is_a_fault_like_elsewhere(harness: SplitSimulator, account: Client) -> None:
    harness.faults.add("empty", status=502, method="POST", path="/Users", after_effect=True)

    assert account.post("/Users", ADA).status_code == 502
    assert account.post("/Users", ADA).status_code == 201
    assert len(account.get("/Users").json()["Resources"]) == 1


def test_the_acts_of_harness_change_nothing_that_another_flavor_shows() -> None:
    world = default_split(flavor="scim")
    before = world.to_fixture()

    world.make_account_admin("admin@example.com")
    world.leave_invite("x@x.com")
    world.create_elsewhere("far@x.com")
    world.deliver_events()

    assert world.to_fixture() == before


def test_who_starts_it_alone_is_told_where_harness_has_it() -> None:
    simulator = build("split", flavor="harness")
    assert isinstance(simulator, SplitSimulator)
    with simulator:
        said = describe(simulator)
        place = next(line.split()[-1] for line in said.splitlines() if "also at" in line)
        client = Client(place.replace("<any>", "acc"), f"Bearer {simulator.token}")

        assert client.get("/Groups/_fme_admins").status_code == 200
