"""Harness as its public source says it is: the whole life of people and groups there, in both generations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from syncd.simulators.split import HarnessKnobs
from syncd.simulators.split_world import SplitWorld
from tests.e2e.rig import Rig, rig
from tests.e2e.test_drift import drift

GENERATIONS = ("2026", "2023")
NAMES = ("Eng Core", "Eng.Data", "Eng-Ops", "Café", "2026 Sales", "R&D", "Team (EU)", "plain")
OLD_ACCOUNT = ("_account_all_users", "_fme_admins")
both = pytest.mark.parametrize("generation", GENERATIONS)


@contextmanager
def at_harness(
    folder: Path, generation: str = "2026", *, people: int = 60, names: Any = NAMES, **knobs: Any
) -> Iterator[Rig]:
    """So many people assigned, p00 and on, in groups of these names; nothing synced yet."""
    made_of = HarnessKnobs(generation=generation, **knobs)  # type: ignore[arg-type]
    with rig(
        folder, users=0, groups=0, pushed=names, split=SplitWorld(flavor="harness"), harness=made_of
    ) as made:
        made.write_config(provisioning='deactivation_grace = "0s"')
        hire(made, people, names, every=7)
        yield made


def hire(made: Rig, people: int, names: Sequence[str], *, every: int) -> None:
    """So many people, p00 and on, are assigned, and groups of these names made, each of every so manyth person."""
    world = made.okta.world
    ids = [
        world.add_user(f"p{n:02}@Example.com", f"First{n}", f"Last{n}", assign=True) for n in range(people)
    ]
    for place, name in enumerate(names):
        world.create_group(name, members=ids[place::every])


def people_there(made: Rig) -> dict[str, tuple[str, str, str]]:
    """Everybody in the account: e-mail to names."""
    found = {}
    for user in made.split.world.users.values():
        name = user.attributes.get("name", {})
        found[user.user_name] = (
            str(user.attributes.get("displayName")),
            str(name.get("givenName")),
            str(name.get("familyName")),
        )
    return found


def assert_as_wanted(made: Rig) -> None:
    wanted = {
        email.lower(): (f"{first} {last}", first, last)
        for email, (first, last) in made.wanted_people().items()
    }
    assert people_there(made) == wanted
    groups = {
        group.name: made.split.world.members(group.id)
        for group in made.split.world.groups.values()
        if group.id not in OLD_ACCOUNT
    }
    assert groups == {
        name: sorted(member.lower() for member in members) for name, members in made.wanted_groups().items()
    }


def assert_quiet(made: Rig) -> None:
    """Nothing is left to do, nothing drifts, and nothing is repaired."""
    made.forget()
    assert made.sync()["summary"].get("applied", {}) == {}
    items = [item for item in drift(made)["items"] if not item["kind"].startswith("unmanaged")]
    assert items == []
    drift(made, "--fix")
    assert made.writes() == []


@both
def test_the_whole_life_is_exact_and_then_silent(tmp_path: Path, generation: str) -> None:
    with at_harness(tmp_path, generation) as made:
        world = made.okta.world
        made.sync()
        assert_as_wanted(made)
        assert_quiet(made)

        ids = {str(row.profile["email"]): row.id for row in world.app_users.values()}
        world.update_profile(ids["p01@Example.com"], firstName="Renamed", lastName="Person")
        world.update_profile(ids["p02@Example.com"], email="New.Mail@Example.com")
        world.unassign(ids["p03@Example.com"])
        world.add_member("R&D", ids["p04@Example.com"])
        world.remove_member("Eng Core", ids["p07@Example.com"])
        world.add_user("late@example.com", "Late", "Comer", assign=True)
        made.sync()
        assert_as_wanted(made)
        assert_quiet(made)

        world.assign(ids["p03@Example.com"])
        made.sync()
        assert_as_wanted(made)
        assert_quiet(made)


@pytest.mark.parametrize(
    "knobs",
    [
        {"new_scim_standards": True},
        {"page_length_totals": False},
        {"adoption_compares": "all_names"},
        {"adoption_imports": True},
        {"active_enables": False},
        {"delta_order": "removals_first"},
        {"delete_unknown_user_status": 401},
        {"count_zero_is_all": False},
        {"gateway_authenticates": True},
        {"generation": "2023", "user_deletion_v2": False},
        {"generation": "2023", "put_removal_shows": "person"},
        {"generation": "2023", "put_removal_shows": "null"},
    ],
    ids=str,
)
def test_what_nobody_is_sure_of_makes_no_difference(tmp_path: Path, knobs: dict[str, Any]) -> None:
    with at_harness(tmp_path, people=8, names=("Eng Core", "2026 Sales"), **knobs) as made:
        world = made.okta.world
        made.sync()
        ids = {str(row.profile["email"]): row.id for row in world.app_users.values()}
        world.update_profile(ids["p01@Example.com"], firstName="Renamed", lastName="Person")
        world.unassign(ids["p03@Example.com"])
        world.remove_member("Eng Core", ids["p07@Example.com"])
        made.sync()
        assert_as_wanted(made)
        assert_quiet(made)


def hand_made(made: Rig, name: str, members: int) -> str:
    world = made.split.world
    there = [
        world.create_local_user(f"{name.lower()}{n}@example.com", "By", f"Hand{n}") for n in range(members)
    ]
    return world.create_local_group(name, members=there)


def test_a_group_made_by_hand_is_a_conflict_and_keeps_its_fifty(tmp_path: Path) -> None:
    with at_harness(tmp_path, people=10, names=("Engineering",)) as made:
        group = hand_made(made, "Engineering", 50)
        before = made.split.world.members(group)

        [skipped] = [skip for skip in made.plan()["skipped"] if skip["kind"] == "conflict"]
        made.forget()
        made.sync()

        assert '"Engineering" with 50 members' in skipped["reason"]
        assert "syncd link" in skipped["reason"]
        assert made.split.world.members(group) == before
        assert [each for each in made.writes() if "Groups" in each] == []
        assert len(people_there(made)) == 60


def test_a_group_made_by_hand_is_linked_with_everybody_in_it(tmp_path: Path) -> None:
    with at_harness(tmp_path, people=10, names=("Engineering",)) as made:
        group = hand_made(made, "Engineering", 50)
        before = made.split.world.members(group)
        made.sync()

        made.run("link", "Engineering", "Engineering", "--yes")

        joined = [member.lower() for member in made.wanted_groups()["Engineering"]]
        assert made.split.world.members(group) == sorted([*before, *joined])
        assert made.split.world.group(group).managed
        made.forget()
        made.sync()
        assert made.writes() == []


def test_drift_names_hand_made_members_of_a_linked_group_whom_no_list_shows(tmp_path: Path) -> None:
    with at_harness(tmp_path, people=6, names=("Engineering",)) as made:
        group = hand_made(made, "Engineering", 5)
        strangers = set(made.split.world.members(group))
        made.sync()
        made.run("link", "Engineering", "Engineering", "--yes")

        found = [item for item in drift(made)["items"] if item["kind"] == "extra_member"]

        assert {item["object"]["name"] for item in found} == strangers
        managed = made.run("status", "--json").document["managed"]
        assert drift(made)["compared"]["memberships"] == managed["memberships"]


def test_a_group_that_was_let_go_and_comes_back_is_a_conflict_until_it_is_linked(tmp_path: Path) -> None:
    """Nothing at Harness tells whose a group is: what the store has let go of is anybody's."""
    with at_harness(tmp_path, people=8, names=("Eng", "Ops")) as made:
        world = made.okta.world
        made.write_config(rules='[[push_groups]]\nsource = { name_starts_with = "Eng" }')
        made.sync()
        world.rename_group("Eng", "Old Eng")
        made.sync()
        world.rename_group("Old Eng", "Eng")
        gone = min(world.group("Eng").members)
        world.remove_member("Eng", gone)
        before = made.split.world.members("Eng")

        document = made.sync()

        [skipped] = [skip for skip in document["skipped"] if skip["kind"] == "conflict"]
        assert '"Eng"' in skipped["reason"]
        assert made.split.world.members("Eng") == before
        made.run("link", "Eng", "Eng", "--yes")
        made.sync()
        assert made.split.world.members("Eng") == sorted(
            member.lower() for member in made.wanted_groups()["Eng"]
        )


def test_an_older_server_that_lets_nobody_take_a_group_over_says_so(tmp_path: Path) -> None:
    with at_harness(tmp_path, "2023", people=10, names=("Engineering",)) as made:
        group = hand_made(made, "Engineering", 5)
        before = made.split.world.members(group)
        made.sync()
        answer = made.run("link", "Engineering", "Engineering", "--yes", "--json", code=4)
        [error] = answer.document["errors"]
        assert "cannot be used" in error["message"]
        assert made.split.world.members(group) == before


@both
def test_two_names_of_one_identifier_never_meet(tmp_path: Path, generation: str) -> None:
    with at_harness(tmp_path, generation, people=14, names=("R&D", "RD")) as made:
        plan = made.plan()
        made.sync()

        reasons = " ".join(skip["reason"] for skip in plan["skipped"])
        assert "R&D" in reasons
        assert 'identifier "RD"' in reasons
        assert "rename one of them in Okta" in reasons
        assert [g.id for g in made.split.world.groups.values() if g.id not in OLD_ACCOUNT] == []


@both
def test_nor_do_they_when_one_is_renamed_into_the_other_later(tmp_path: Path, generation: str) -> None:
    with at_harness(tmp_path, generation, people=14, names=("R&D", "Research")) as made:
        world = made.okta.world
        made.write_config(rules='[[push_groups]]\nsource = { name_starts_with = "R" }\nrename = true')
        made.sync()
        before = {g.id: made.split.world.members(g.id) for g in made.split.world.groups.values()}

        world.rename_group("R&D", "Rest")
        world.rename_group("Research", "RD")
        third = world.create_group("R&D", members=[next(iter(world.app_users))])
        made.sync()

        assert {g.id: made.split.world.members(g.id) for g in made.split.world.groups.values()} == before
        assert made.split.world.groups["RD"].name == "Rest"
        assert made.split.world.groups["Research"].name == "RD"
        [skip] = [skip for skip in made.plan()["skipped"] if skip["okta_id"] == third]
        assert '"RD"' in skip["reason"]


@both
def test_the_last_administrator_stays_and_that_is_a_failure(tmp_path: Path, generation: str) -> None:
    with at_harness(tmp_path, generation, people=6, names=()) as made:
        made.sync()
        made.split.world.make_account_admin("p01@example.com")
        ids = {str(row.profile["email"]): row.id for row in made.okta.world.app_users.values()}
        made.okta.world.unassign(ids["p01@Example.com"])

        document = made.sync(code=4)

        [error] = document["errors"]
        assert "still there" in error["message"]
        person = made.split.world.user("p01@example.com")
        assert person.active
        assert document["summary"].get("applied", {}) == {}


@both
def test_name_changes_after_the_first_arrive_too(tmp_path: Path, generation: str) -> None:
    with at_harness(tmp_path, generation, people=3, names=()) as made:
        made.sync()
        ids = {str(row.profile["email"]): row.id for row in made.okta.world.app_users.values()}
        for first, last in (("Ann", "One"), ("Bea", "Two"), ("Cid", "Three")):
            made.okta.world.update_profile(ids["p01@Example.com"], firstName=first, lastName=last)
            made.forget()
            made.sync()
            assert people_there(made)["p01@example.com"] == (f"{first} {last}", first, last)
        assert len(made.split.requests) <= 3


def test_a_group_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    with at_harness(tmp_path, people=6, names=("Eng", "Ops")) as made:
        made.write_config(
            rules='[[push_groups]]\nsource = { name = "Eng" }\non_removal = "delete"\n'
            '[[push_groups]]\nsource = { name = "Ops" }',
            safety="max_group_deletions = 5",
        )
        made.sync()
        made.split.world.delete_group("Eng")
        made.okta.world.delete_group("Eng")
        made.okta.world.add_user("new@example.com", "New", "One", assign=True)
        document = made.sync()
        assert document["summary"]["applied"] == {"create_user": 1, "delete_group": 1}
        assert document["status"] == "succeeded"


def test_with_a_full_licence_leavers_are_out_in_the_first_run(tmp_path: Path) -> None:
    with at_harness(tmp_path, people=40, names=()) as made:
        made.sync()
        made.split.set_knobs(seats=40)
        world = made.okta.world
        ids = [row.id for row in world.app_users.values()]
        for okta_id in ids[:2]:
            world.unassign(okta_id)
        for number in range(30):
            world.add_user(f"hire{number:02}@example.com", "New", f"Hire{number}", assign=True)
        document = made.sync(code=4)
        there = people_there(made)
        assert document["summary"]["applied"]["deactivate_user"] == 2
        assert not {"p00@example.com", "p01@example.com"} & there.keys()
        assert len(there) == 40
        assert "licen" in document["errors"][0]["message"].lower()


def test_people_whom_no_list_shows_are_adopted_and_it_says_what_was_found(tmp_path: Path) -> None:
    with at_harness(tmp_path, people=5, names=("Eng",)) as made:
        world = made.split.world
        same = world.create_local_user("p01@example.com", "First1", "Last1")
        other = world.create_local_user("p02@example.com", "Old", "Name")
        elsewhere = world.create_elsewhere("p03@example.com", "Else", "Where", external_id="00uForeign")
        made.sync()
        assert_as_wanted(made)
        assert world.user("p01@example.com").id == same
        assert world.user("p02@example.com").id == other
        assert world.user("p03@example.com").id == elsewhere
        made.forget()
        made.sync()
        items = [item for item in drift(made)["items"] if not item["kind"].startswith("unmanaged")]
        # Nothing differed, so nothing was written, and no list shows them: their names cannot be told.
        assert [(item["kind"], item["object"]["name"]) for item in items] == [("unknown", "p01@Example.com")]
        drift(made, "--fix")
        assert made.writes() == []
        notes = made.run("audit", "export").stdout
        assert notes.count("adopted under the values of the create") >= 3
        assert "00uForeign" in notes


def test_people_whom_a_list_shows_without_our_externalid_are_adopted(tmp_path: Path) -> None:
    """Whoever was adopted before, once the store is lost: of somebody who is there Harness takes no externalId."""
    with at_harness(tmp_path, people=4, names=("Eng",)) as made:
        world = made.split.world
        world.create_local_user("p01@example.com", "Old", "Name")
        world.create_elsewhere("p02@example.com", "Else", "Where", external_id="00uForeign")
        made.sync()
        before = people_there(made), set(world.users)
        made.store.unlink()

        document = made.sync()

        assert document["summary"]["applied"]["adopt_user"] == 4
        assert (people_there(made), set(world.users)) == before
        assert_as_wanted(made)


def test_the_group_of_the_administrators_is_taken_over_on_request_and_never_emptied(tmp_path: Path) -> None:
    with at_harness(tmp_path, people=6, names=("_fme_admins",)) as made:
        world = made.split.world
        old = world.create_local_user("old.admin@example.com", "Old", "Admin")
        world.add_member("_fme_admins", old)
        plan = made.plan()
        assert [c["kind"] for c in plan["changes"] if "group" in c["kind"]] == ["link_group"]
        made.sync()
        group = world.groups["_fme_admins"]
        members = [name.lower() for name in made.wanted_groups()["_fme_admins"]]
        assert world.members(group.id) == sorted([*members, "old.admin@example.com"])
        assert (group.name, group.managed) == ("All FME Admins", True)

        for member in list(made.okta.world.group("_fme_admins").members):
            made.okta.world.remove_member("_fme_admins", member)
        made.sync(code=3)
        assert world.members(group.id) == sorted([*members, "old.admin@example.com"])


def test_check_does_not_warn_of_the_administrators_that_a_plan_takes_over(tmp_path: Path) -> None:
    with at_harness(tmp_path, people=6, names=("_fme_admins",)) as made:
        checks = made.run("check", "--json").document["checks"]
        assert [check["state"] for check in checks if check["name"] == "push rules"] == ["ok"]


@pytest.mark.parametrize("operation", ["member_patch", "group_rename", "user_put", "user_patch"])
def test_what_is_answered_and_not_done_is_reported_as_failed(tmp_path: Path, operation: str) -> None:
    with at_harness(tmp_path, people=6, names=("Eng",)) as made:
        made.write_config(rules='[[push_groups]]\nsource = { name_starts_with = "Eng" }\nrename = true')
        made.sync()
        made.split.set_knobs(swallowed=[operation])
        world = made.okta.world
        ids = {str(row.profile["email"]): row.id for row in world.app_users.values()}
        match operation:
            case "member_patch":
                world.add_member("Eng", ids["p03@Example.com"])
            case "group_rename":
                world.rename_group("Eng", "Engineers")
            case "user_put":
                world.update_profile(ids["p03@Example.com"], firstName="Other")
            case _:
                world.unassign(ids["p03@Example.com"])
        document = made.sync(code=4)
        assert document["summary"].get("applied", {}) == {}
        made.split.set_knobs(swallowed=[])
        made.run("retry", code=None)
        made.sync()
        if operation != "group_rename":
            assert_as_wanted(made)
        assert_quiet(made)


@pytest.mark.parametrize("right", ["user_view", "user_manage", "user_invite", "group_view", "group_manage"])
def test_a_right_that_is_missing_harms_nobody(tmp_path: Path, right: str) -> None:
    with at_harness(tmp_path, people=6, names=("Eng",)) as made:
        made.sync()
        before = people_there(made)
        made.split.set_knobs(missing_rights=[right])
        world = made.okta.world
        ids = {str(row.profile["email"]): row.id for row in world.app_users.values()}
        world.add_user("new@example.com", "New", "One", assign=True)
        world.add_member("Eng", ids["p03@Example.com"])
        document = made.run("sync", "--json", code=None)
        assert document.exit_code in ((0, 1, 4) if right == "group_view" else (1, 4))
        assert people_there(made).keys() >= before.keys()
        made.split.set_knobs(missing_rights=[])
        made.run("retry")
        made.sync()
        assert_as_wanted(made)
        assert_quiet(made)


@pytest.mark.parametrize("name", ["Ann: One", "A/B", "a<b", "x" * 300])
def test_a_name_that_harness_never_takes_is_refused_in_the_plan(tmp_path: Path, name: str) -> None:
    with at_harness(tmp_path, people=3, names=()) as made:
        made.okta.world.add_user("odd@example.com", name, "Last", assign=True)
        plan = made.plan()
        [skip] = [skip for skip in plan["skipped"] if skip["kind"] == "refused_name"]
        assert skip["name"] == "odd@example.com"
        made.forget()
        made.sync()
        assert len(people_there(made)) == 3
        made.forget()
        made.sync()
        assert made.writes() == []


@both
@pytest.mark.parametrize("mark", [None, "00uForeign"])
def test_who_was_listed_already_is_adopted_though_no_external_id_is_ever_stored(
    tmp_path: Path, generation: str, mark: str | None
) -> None:
    with at_harness(tmp_path, generation, people=3, names=("Eng",)) as made:
        made.sync()  # from here on the server is known to show externalIds
        world = made.split.world
        attributes: dict[str, Any] = {
            "userName": "late@example.com",
            "displayName": "Old Name",
            "name": {"givenName": "Old", "familyName": "Name"},
        }
        if mark is not None:
            attributes["externalId"] = mark
        world.insert_user(attributes, active=True, managed=True, identity="listed_before")
        made.okta.world.add_user("Late@example.com", "Late", "Comer", assign=True)

        document = made.sync()

        assert document["summary"]["applied"] == {"adopt_user": 1}
        assert_as_wanted(made)
        assert_quiet(made)


@both
def test_who_comes_back_under_the_record_of_then_gets_the_names_of_now(
    tmp_path: Path, generation: str
) -> None:
    with at_harness(tmp_path, generation, people=3, names=("Eng",)) as made:
        made.sync()
        ids = {str(row.profile["email"]): row.id for row in made.okta.world.app_users.values()}
        made.split.world.join_elsewhere("p01@example.com")
        made.okta.world.unassign(ids["p01@Example.com"])
        made.sync()
        made.okta.world.update_profile(ids["p01@Example.com"], firstName="Renamed", lastName="Person")
        made.okta.world.assign(ids["p01@Example.com"])
        made.sync()
        assert_as_wanted(made)
        assert_quiet(made)


@both
def test_who_lacks_a_part_of_the_name_is_there_without_drift(tmp_path: Path, generation: str) -> None:
    with at_harness(tmp_path, generation, people=2, names=()) as made:
        world = made.okta.world
        only = {
            world.add_user("last@example.com", "", "Last", assign=True),
            world.add_user("first@example.com", "First", "", assign=True),
            world.add_user("nobody@example.com", "", "", assign=True),
        }
        full = world.add_user("full@example.com", "Full", "Name", assign=True)
        assert made.sync()["summary"]["applied"] == {"create_user": 6}
        assert_quiet(made)
        there = people_there(made)
        assert [there[f"{name}@example.com"] for name in ("last", "first", "nobody")] == [
            ("Last", "Last", "Last"),
            ("First", "First", "First"),
            ("nobody@example.com",) * 3,
        ]
        for okta_id in only:
            world.update_profile(okta_id, firstName="Now", lastName="Named")
        world.update_profile(full, firstName="", lastName="Name")
        made.sync()
        assert_quiet(made)
        there = people_there(made)
        assert there["last@example.com"] == ("Now Named", "Now", "Named")
        assert there["full@example.com"] == ("Name", "Name", "Name")


def test_where_leavers_are_disabled_and_kept_that_is_their_deactivation(tmp_path: Path) -> None:
    knobs = {"user_deletion_v2": False, "deactivation": "disabled"}
    with at_harness(tmp_path, "2023", people=4, names=("Eng",), **knobs) as made:
        made.sync()
        ids = {str(row.profile["email"]): row.id for row in made.okta.world.app_users.values()}
        made.okta.world.unassign(ids["p01@Example.com"])
        assert made.sync()["summary"]["applied"]["deactivate_user"] == 1
        assert not made.split.world.user("p01@example.com").active
        assert_quiet(made)
        made.okta.world.assign(ids["p01@Example.com"])
        made.sync()
        assert made.split.world.user("p01@example.com").active
        assert_as_wanted(made)
        assert_quiet(made)


@both
@pytest.mark.parametrize("name", ["C++ dev", '100% "sure"'])
def test_a_group_of_an_odd_name_that_scim_made_is_linked_again_as_it_is(
    tmp_path: Path, generation: str, name: str
) -> None:
    with at_harness(tmp_path, generation, people=6, names=()) as made:
        made.write_config(
            rules='[[push_groups]]\nsource = { name_contains = "dev" }\n[[push_groups]]\n'
            'source = { name_contains = "sure" }'
        )
        people = list(made.okta.world.app_users)
        made.okta.world.create_group(name, members=people[:3])
        made.sync()
        made.run("unlink", name, "--keep", "--yes")
        made.forget()
        [identifier] = set(made.split.world.groups) - set(OLD_ACCOUNT)
        made.run("link", name, identifier, "--yes")
        assert made.writes() == []
        assert_quiet(made)


def test_the_group_of_the_administrators_keeps_its_name_without_a_word(tmp_path: Path) -> None:
    with at_harness(tmp_path, people=8, names=("_fme_admins", "Eng")) as made:
        made.write_config(
            rules="\n".join(
                f'[[push_groups]]\nsource = {{ name_contains = "{part}" }}\nrename = true'
                for part in ("_fme", "Eng")
            )
        )
        made.sync()
        document = made.sync()
        assert [skip for skip in document["skipped"] if skip["kind"] == "refused_name"] == []

        made.okta.world.delete_group("_fme_admins")
        made.okta.world.rename_group("Eng", "_fme_admins")
        document = made.sync(code=None)
        assert {skip["kind"] for skip in document["skipped"]} & {"refused_name", "frozen", "conflict"}
        assert made.split.world.groups["Eng"].name == "Eng"
        assert made.split.world.groups["_fme_admins"].name == "All FME Admins"


def test_groups_are_listed_whole_as_far_as_harness_lists_them(tmp_path: Path) -> None:
    with at_harness(tmp_path, people=3, names=("Eng",)) as made:
        made.sync()
        document = made.run("groups", "--json").document
        assert document["complete"]
        assert {item["name"] for item in document["items"]} == {"Eng"}


@both
def test_a_create_that_sets_up_roles_takes_longer_than_everything_else_may(
    tmp_path: Path, generation: str
) -> None:
    with at_harness(tmp_path, generation, people=2, names=()) as made:
        made.write_config(split='timeout = "1s"')
        made.split.set_knobs(role_setup_seconds=2.0)
        document = made.sync()
        assert document["summary"]["applied"] == {"create_user": 2}
        assert document["requests"]["target"]["POST 201"] == 2
        assert_as_wanted(made)


def test_a_group_that_somebody_took_out_of_scim_is_taken_over_again_and_the_trail_says_so(
    tmp_path: Path,
) -> None:
    with at_harness(tmp_path, people=4, names=("Eng",)) as made:
        made.sync()
        made.split.world.set_externally_managed("Eng", managed=False)
        late = [row.id for row in made.okta.world.app_users.values()][2]
        made.okta.world.add_member("Eng", late)
        assert made.sync()["summary"]["applied"] == {"add_member": 1}
        assert_as_wanted(made)
        assert "taken over with its 1 member" in made.run("audit", "export").stdout
