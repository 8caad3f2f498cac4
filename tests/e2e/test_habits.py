"""What a server makes of values is known once it was seen: no drift, nothing written again, and real changes found."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from syncd.simulators.split import SplitKnobs
from syncd.simulators.split_world import SplitWorld
from tests.connection_text import STANDARD_ATTRIBUTES
from tests.e2e.rig import Rig, rig
from tests.e2e.test_drift import drift, ours

EXTENSION = "urn:example:params:scim:schemas:extension:acme:2.0:User"
MAPPED = f'{STANDARD_ATTRIBUTES}"{EXTENSION}:level" = "level"\n'
NFD = unicodedata.normalize("NFD", "Zoé")
HABITS: list[dict[str, Any]] = [
    {"lowercase_names": True},
    {"lowercase_values": True},
    {"trim": True},
    {"nfc": True},
    {"numbers_as_text": True},
    {"untyped_email": True},
    {"lowercase_values": True, "trim": True, "nfc": True, "numbers_as_text": True, "untyped_email": True},
]
METHODS: list[dict[str, Any]] = [
    {},
    {"patch_204": True},
    {"patch_users": False},
    {"pathless_ignored": True},
]
every_habit = pytest.mark.parametrize("habits", HABITS, ids=lambda some: "+".join(some))
every_method = pytest.mark.parametrize("method", METHODS, ids=str)


def place(folder: Path, knobs: Mapping[str, Any], flavor: str = "scim") -> Any:
    return rig(
        folder,
        users=0,
        groups=0,
        pushed=["Crew"],
        split=SplitWorld(flavor=flavor),
        knobs=SplitKnobs(**knobs),
    )


def people(made: Rig) -> list[str]:
    world = made.okta.world
    ids = [
        world.add_user("Ann.Lee@Example.com", " Ann ", "Lee", login="a@x.com", assign=True),
        world.add_user("zoe@example.com", NFD, "Ünal", login="z@x.com", assign=True),
        world.add_user("plain@example.com", "plain", "person", login="p@x.com", assign=True),
    ]
    for number, person in enumerate(ids):
        world.update_profile(person, directory=False, level=number + 1)
    world.create_group("Crew", members=ids[:2])
    made.write_config(attributes=MAPPED)
    return ids


def assert_quiet(made: Rig) -> None:
    """No drift of ours, a repair writes nothing, and the next sync is silent."""
    assert ours(drift(made, "--detailed-exitcode")) == []
    made.forget()
    drift(made, "--fix")
    made.sync()
    assert made.writes() == []


@every_habit
@every_method
def test_what_the_writer_accepted_is_no_drift(
    habits: dict[str, Any], method: dict[str, Any], tmp_path: Path
) -> None:
    with place(tmp_path, {**habits, **method}) as made:
        ids = people(made)
        made.sync()
        assert_quiet(made)

        made.okta.world.update_profile(ids[0], firstName=" Anna ", email="Anna.Lee@Example.com")
        made.okta.world.update_profile(ids[1], lastName=f"{NFD}-ÜNAL")
        made.sync()
        assert_quiet(made)
        for user in made.split.world.users.values():
            assert len(user.attributes["emails"]) == 1


@every_habit
def test_a_change_by_hand_is_found_all_the_same(habits: dict[str, Any], tmp_path: Path) -> None:
    with place(tmp_path, habits) as made:
        ids = people(made)
        made.sync()
        split = made.split.world
        (user,) = (user for user in split.users.values() if user.external_id == ids[2])
        split.edit_user(user.id, displayName="tampered")

        [item] = ours(drift(made))

        assert (item["kind"], item["found"]) == ("changed_user", {"displayName": "tampered"})
        made.forget()
        assert drift(made, "--fix")["run"]["status"] == "succeeded"
        assert len(made.writes()) == 1
        assert_quiet(made)


def test_letter_case_that_was_changed_by_hand_is_found_where_the_server_keeps_it(tmp_path: Path) -> None:
    with place(tmp_path, {}) as made:
        ids = people(made)
        made.sync()
        split = made.split.world
        (ann,) = (user for user in split.users.values() if user.external_id == ids[0])
        split.edit_user(ann.id, displayName="ann lee", userName="ann.lee@example.com")

        [item] = ours(drift(made))

        assert item["kind"] == "changed_user"
        assert set(item["found"]) == {"displayName", "userName"}
        drift(made, "--fix")
        assert (ann.user_name, ann.attributes["displayName"]) == ("Ann.Lee@Example.com", "Ann Lee")
        assert_quiet(made)


@every_habit
def test_a_store_that_was_lost_is_rebuilt_and_then_quiet(habits: dict[str, Any], tmp_path: Path) -> None:
    with place(tmp_path, habits) as made:
        people(made)
        made.sync()
        for file in made.store.parent.glob("acme.db*"):
            file.unlink()
        made.sync()
        items = ours(drift(made))
        assert {item["kind"] for item in items} <= {"unknown"}
        made.forget()
        drift(made, "--fix")
        made.sync()
        assert made.writes() == []


@pytest.mark.parametrize("flavor", ["scim", "split", "harness"])
def test_an_account_made_by_hand_in_another_form_is_written_once_and_no_second_e_mail_beside_it(
    flavor: str, tmp_path: Path
) -> None:
    for method in METHODS:
        folder = tmp_path / "+".join([*method, "x"])
        folder.mkdir()
        with place(folder, {"untyped_email": True, **method}, flavor) as made:
            there = made.split.world.create_local_user("ann@example.com", "Old", "Name")
            made.split.world.edit_user(there, emails=[{"value": "old@example.com", "primary": True}])
            ann = made.okta.world.add_user("ann@example.com", "Ann", "Lee", assign=True)
            made.okta.world.create_group("Crew", members=[ann])

            made.sync()
            made.sync()

            user = made.split.world.users[there]
            assert [mail["value"] for mail in user.attributes["emails"]] == ["ann@example.com"], method
            made.okta.world.update_profile("ann@example.com", email="new@example.com")
            made.sync()
            assert [mail["value"] for mail in user.attributes["emails"]] == ["new@example.com"], method
            assert_quiet(made)


def test_names_that_only_lists_show_are_no_drift_and_by_id_nobody_can_tell(tmp_path: Path) -> None:
    with place(tmp_path, {"names_by_id": False}) as made:
        ids = people(made)
        made.sync()
        assert_quiet(made)
        split = made.split.world
        (ann,) = (user for user in split.users.values() if user.external_id == ids[0])
        split.edit_user(ann.id, displayName="tampered")

        [item] = ours(drift(made))
        assert item["found"] == {"displayName": "tampered"}
        drift(made, "--fix")
        [item] = ours(drift(made, "--user", ids[0]))
        assert item["kind"] == "unknown"
        assert "name.givenName is not shown" in item["reason"]


def test_what_nobody_shows_is_said_once_and_is_neither_missing_nor_written_again(tmp_path: Path) -> None:
    with place(tmp_path, {"names_shown": False}) as made:
        people(made)
        made.sync()
        found = drift(made)
        assert ours(found) == []
        assert sum("name.givenName" in note for note in found["notes"]) == 1
        assert_quiet(made)


class TestInvitations:
    """An account is shown inactive until its invitation is accepted, whatever is written."""

    KNOBS: Mapping[str, Any] = {"inactive_until_accepted": True}

    @every_method
    def test_whoever_has_not_accepted_yet_is_no_drift(self, method: dict[str, Any], tmp_path: Path) -> None:
        with place(tmp_path, {**self.KNOBS, **method}) as made:
            ids = people(made)
            made.sync()
            assert_quiet(made)
            made.okta.world.update_profile(ids[0], lastName="Married")
            made.sync()
            assert_quiet(made)

    @every_method
    def test_who_leaves_before_accepting_is_deactivated_all_the_same(
        self, method: dict[str, Any], tmp_path: Path
    ) -> None:
        with place(tmp_path, {**self.KNOBS, **method}) as made:
            ids = people(made)
            made.write_config(safety='max_deactivations = "90%"\nmax_member_removals = "90%"')
            made.sync()
            made.okta.world.unassign(ids[2])

            assert made.sync()["summary"]["applied"] == {"deactivate_user": 1}

            (left,) = (user for user in made.split.world.users.values() if user.external_id == ids[2])
            made.split.world.accept_invitation(left.id)
            assert not left.active
            assert_quiet(made)

    def test_who_returns_before_accepting_is_active_again(self, tmp_path: Path) -> None:
        with place(tmp_path, self.KNOBS) as made:
            ids = people(made)
            made.sync()
            made.okta.world.unassign(ids[2])
            made.sync()
            made.okta.world.assign(ids[2])

            assert made.sync()["summary"]["applied"] == {"reactivate_user": 1}

            (back,) = (user for user in made.split.world.users.values() if user.external_id == ids[2])
            assert back.active
            assert_quiet(made)

    def test_who_was_seen_active_and_is_not_any_more_is_drift(self, tmp_path: Path) -> None:
        with place(tmp_path, self.KNOBS) as made:
            ids = people(made)
            made.sync()
            users = {user.external_id: user for user in made.split.world.users.values()}
            made.split.world.accept_invitation(users[ids[0]].id)
            drift(made, "--fix")  # sees the account active, and remembers it
            made.split.world.set_active(users[ids[0]].id, active=False)

            [item] = ours(drift(made))

            assert (item["kind"], item["object"]["okta_id"]) == ("wrongly_inactive_user", ids[0])
            drift(made, "--fix")
            assert users[ids[0]].active
            assert_quiet(made)

    def test_a_server_that_does_not_activate_an_account_seen_active_before_is_an_error(
        self, tmp_path: Path
    ) -> None:
        with place(tmp_path, {}) as made:
            ids = people(made)
            made.sync()
            made.okta.world.unassign(ids[2])
            made.sync()
            (user,) = (user for user in made.split.world.users.values() if user.external_id == ids[2])
            user.accepted = False
            made.okta.world.assign(ids[2])

            assert made.sync(code=4)["summary"]["failed"] == {"reactivate_user": 1}


def test_a_group_whose_letter_case_was_changed_by_hand_is_found(tmp_path: Path) -> None:
    with place(tmp_path, {}) as made:
        people(made)
        made.sync()
        made.split.world.rename_group("Crew", "crew")

        [item] = ours(drift(made))

        assert (item["kind"], item["found"]) == ("renamed_group", {"displayName": "crew"})


def test_who_is_alike_after_a_relink_needs_no_write(tmp_path: Path) -> None:
    """Ids are new, and what the server made of the values is still known."""
    with place(tmp_path, {"lowercase_values": True, "trim": True}) as made:
        people(made)
        made.sync()
        for user in list(made.split.world.users.values()):
            made.split.world.drop_user(user)
            made.split.world.insert_user(user.attributes, active=True, managed=True)
        made.forget()

        made.run("relink", "--yes", "--json")
        made.sync(code=None)

        assert [write for write in made.writes() if "/Users" in write] == []
