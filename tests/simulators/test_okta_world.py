"""What acts do to a simulated Okta org: rows, stamps and events."""

import pytest

from syncd.simulators.world import OktaWorld, WorldError, generate_okta


def event_types(world: OktaWorld) -> list[str]:
    return [event.body["eventType"] for event in world.events]


def scope_of(world: OktaWorld, login: str) -> str | None:
    row = world.app_users.get(world.user(login).id)
    return None if row is None else row.scope


def test_the_same_seed_gives_the_same_world() -> None:
    one = generate_okta(users=60, groups=6, seed=3).to_fixture()
    two = generate_okta(users=60, groups=6, seed=3).to_fixture()

    assert one == two
    assert one != generate_okta(users=60, groups=6, seed=4).to_fixture()


def test_a_generated_world_has_every_kind_of_assignment_and_status() -> None:
    world = generate_okta(users=400, groups=12, seed=1)

    assert len(world.users) == 400
    assert {row.scope for row in world.app_users.values()} == {"USER", "GROUP"}
    assert {"ACTIVE", "SUSPENDED", "DEPROVISIONED"} <= {user.status for user in world.users.values()}
    assert 0 < len(world.app_users) < 400
    assert len(world.mappings) == 2
    assert world.app.features == ()


def test_ids_carry_their_kind_and_are_unique() -> None:
    world = generate_okta(users=50, groups=5, seed=1)

    assert {user[:3] for user in world.users} == {"00u"}
    assert {group[:3] for group in world.groups} == {"00g"}
    assert world.app.id.startswith("0oa")
    assert all(len(user) == 20 for user in world.users)


def test_a_fixture_comes_back_as_it_was_written() -> None:
    document = generate_okta(users=80, groups=8, seed=2).to_fixture()

    assert OktaWorld.from_fixture(document).to_fixture() == document


def test_new_ids_never_repeat_those_of_a_fixture() -> None:
    world = OktaWorld.from_fixture(generate_okta(users=20, groups=2, seed=2).to_fixture())

    world.add_user("new@example.com")

    assert len(world.users) == 21


def test_no_id_is_given_again_after_its_object_went() -> None:
    world = OktaWorld.from_fixture(generate_okta(users=20, groups=2, seed=2).to_fixture())
    before = {group.id for group in world.groups.values() if group.type == "OKTA_GROUP"}
    assert before
    for group in before:
        world.delete_group(group)

    assert not before & {world.create_group(f"g{number}") for number in range(100)}


@pytest.mark.parametrize(
    "document",
    [{"schema": "other/1"}, {"people": []}, {"users": [{"firstName": "No login"}]}, {"groups": [{}]},
     {"assignments": [{"user": "nobody@example.com"}]}, {"users": [{"email": "a@x.com"}, {"email": "A@x.com"}]}],
)  # fmt: skip
def test_a_wrong_fixture_is_refused_by_name(document: dict[str, object]) -> None:
    with pytest.raises(WorldError):
        OktaWorld.from_fixture(document)


def test_a_direct_assignment_wins_over_a_group_and_falls_back_to_it(okta_world: OktaWorld) -> None:
    assert scope_of(okta_world, "ada@example.com") == "USER"

    okta_world.unassign("ada@example.com")

    assert scope_of(okta_world, "ada@example.com") == "GROUP"
    assert event_types(okta_world) == ["application.user_membership.update"]


def test_a_group_assignment_is_only_taken_away_with_the_group(okta_world: OktaWorld) -> None:
    with pytest.raises(WorldError, match="by group"):
        okta_world.unassign("cleo@example.com")

    okta_world.unassign("cleo@example.com", everywhere=True)

    assert scope_of(okta_world, "cleo@example.com") is None
    assert "cleo@example.com" not in {
        okta_world.users[m].login for m in okta_world.group("Engineering").members
    }


def test_joining_an_assigned_group_assigns_and_leaving_it_unassigns(okta_world: OktaWorld) -> None:
    okta_world.add_member("Engineering", "dan@example.com")
    assert scope_of(okta_world, "dan@example.com") == "GROUP"

    okta_world.remove_member("Engineering", "dan@example.com")

    assert scope_of(okta_world, "dan@example.com") is None
    assert event_types(okta_world) == [
        "group.user_membership.add",
        "application.user_membership.add",
        "group.user_membership.remove",
        "application.user_membership.remove",
    ]


def test_assigning_and_unassigning_a_group_moves_its_members(okta_world: OktaWorld) -> None:
    okta_world.assign_group("Sales")
    assert scope_of(okta_world, "dan@example.com") == "GROUP"

    okta_world.unassign_group("Sales")

    assert scope_of(okta_world, "dan@example.com") is None


def test_a_membership_moves_only_the_membership_stamp(okta_world: OktaWorld) -> None:
    group = okta_world.group("Sales")
    before = group.last_updated, group.last_membership_updated

    okta_world.add_member("Sales", "eve@example.com")
    first = group.last_membership_updated
    okta_world.remove_member("Sales", "eve@example.com")

    assert group.last_updated == before[0]
    assert before[1] < first < group.last_membership_updated


def test_a_rename_moves_only_the_profile_stamp(okta_world: OktaWorld) -> None:
    group = okta_world.group("Sales")
    before = group.last_updated, group.last_membership_updated

    okta_world.rename_group("Sales", "Revenue")

    assert okta_world.group("Revenue").id == group.id
    assert group.last_updated > before[0]
    assert group.last_membership_updated == before[1]
    with pytest.raises(WorldError):
        okta_world.group("Sales")


def test_deactivation_takes_assignments_and_memberships_and_activation_gives_none_back(
    okta_world: OktaWorld,
) -> None:
    group = okta_world.group("Engineering")
    before = group.last_membership_updated

    okta_world.set_user_status("ada@example.com", "DEPROVISIONED")

    assert scope_of(okta_world, "ada@example.com") is None
    assert okta_world.user("ada@example.com").groups == set()
    assert group.last_membership_updated > before
    assert event_types(okta_world)[0] == "user.lifecycle.deactivate"

    okta_world.set_user_status("ada@example.com", "ACTIVE")

    assert scope_of(okta_world, "ada@example.com") is None


def test_a_suspended_user_keeps_the_assignment(okta_world: OktaWorld) -> None:
    okta_world.set_user_status("ada@example.com", "SUSPENDED")

    assert scope_of(okta_world, "ada@example.com") == "USER"
    assert event_types(okta_world) == ["user.lifecycle.suspend"]


def test_a_profile_change_reaches_both_profiles_and_the_user_name(okta_world: OktaWorld) -> None:
    okta_world.update_profile("ada@example.com", lastName="Lovelace", email="ada.l@example.com")

    row = okta_world.app_users[okta_world.user("ada@example.com").id]
    assert okta_world.user("ada@example.com").profile["lastName"] == "Lovelace"
    assert row.profile == {
        "email": "ada.l@example.com",
        "givenName": "Ada",
        "familyName": "Lovelace",
        "displayName": "Ada Lovelace",
    }
    assert row.user_name == "ada.l@example.com"
    assert "application.user_membership.change_username" in event_types(okta_world)


def test_an_app_attribute_can_change_alone_and_be_taken_away(okta_world: OktaWorld) -> None:
    okta_world.update_profile("ada@example.com", directory=False, displayName="The Countess", familyName=None)

    row = okta_world.app_users[okta_world.user("ada@example.com").id]
    assert row.profile == {"email": "ada@example.com", "givenName": "Ada", "displayName": "The Countess"}
    assert okta_world.user("ada@example.com").profile["lastName"] == "Test"


def test_deleting_a_group_removes_every_trace_of_it(okta_world: OktaWorld) -> None:
    okta_world.add_mapping("Engineering")
    group = okta_world.groups[next(iter(okta_world.mappings.values())).source_group_id]

    okta_world.delete_group(group.id)

    assert group.id not in okta_world.groups
    assert okta_world.mappings == {}
    assert group.id not in okta_world.user("ada@example.com").groups
    assert scope_of(okta_world, "cleo@example.com") is None
    assert scope_of(okta_world, "ada@example.com") == "USER"


def test_the_target_of_a_mapping_cannot_be_deleted(okta_world: OktaWorld) -> None:
    mapping = okta_world.mappings[okta_world.add_mapping("Engineering", target="eng")]

    assert okta_world.groups[mapping.target_group_id].type == "APP_GROUP"
    with pytest.raises(WorldError, match="push mapping"):
        okta_world.delete_group(mapping.target_group_id)


def test_mappings_go_by_id_or_by_their_source(okta_world: OktaWorld) -> None:
    mapping = okta_world.add_mapping("Sales")

    okta_world.set_mapping_status("Sales", "ERROR", "the group is gone")
    assert okta_world.mappings[mapping].error_summary == "the group is gone"

    okta_world.remove_mapping(mapping)
    with pytest.raises(WorldError):
        okta_world.remove_mapping("Sales")


def test_a_login_is_unique_whatever_its_case(okta_world: OktaWorld) -> None:
    with pytest.raises(WorldError):
        okta_world.add_user("ADA@example.com")
    with pytest.raises(WorldError):
        okta_world.update_profile("ben@example.com", login="Ada@Example.com")


def test_a_staged_user_gets_group_assignments_with_activation(okta_world: OktaWorld) -> None:
    okta_world.add_user("new@example.com", "New", "Comer", status="STAGED", groups=["Engineering"])
    assert scope_of(okta_world, "new@example.com") is None

    okta_world.set_user_status("new@example.com", "ACTIVE")

    assert scope_of(okta_world, "new@example.com") == "GROUP"


def test_a_deleted_user_is_gone(okta_world: OktaWorld) -> None:
    okta_world.delete_user("ben@example.com")

    assert okta_world.find_user("ben@example.com") is None
    assert event_types(okta_world)[-1] == "user.lifecycle.delete.completed"
