"""What an interrupted run left open is settled by what the target shows, and what it does not show is still wanted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncd.core.change import change_from_document
from syncd.simulators.split_world import SplitWorld
from syncd.store.sqlite.opening import open_store
from tests.e2e.rig import SPLIT_TOKEN, Rig, rig

LEAVERS = [f"leaver{number}@example.com" for number in range(3)]


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    """Three people have just left the app."""
    with rig(tmp_path, users=30, groups=2) as made:
        leave(made)
        yield made


def leave(made: Rig) -> None:
    for name in LEAVERS:
        made.okta.world.add_user(name, "Lea", "Ver", assign=True)
    made.sync()
    for name in LEAVERS:
        made.okta.world.unassign(name)
    made.forget()


def interrupt(made: Rig, kind: str = "deactivate_user") -> None:
    """A run that was killed after it had written down what it was about to do."""
    changes = [
        change_from_document(document) for document in made.plan()["changes"] if document["kind"] == kind
    ]
    assert changes
    store = open_store(made.store, connection="acme", clock=lambda: datetime.now(UTC))
    store.intend(store.begin_run("full"), changes)
    store.close()


def test_a_deactivation_whose_account_is_gone_is_done(synced: Rig) -> None:
    interrupt(synced)
    for name in LEAVERS:
        synced.split.world.delete_user(name)

    result = synced.sync()

    assert "deactivate_user" not in result["summary"]["applied"]
    assert synced.writes() == []
    synced.assert_exact()


def test_open_deactivations_are_not_taken_for_done_when_everybody_vanished(synced: Rig) -> None:
    interrupt(synced)
    world = synced.split.world
    world.disable_scim()
    world.enable_scim(SPLIT_TOKEN)
    for user in list(world.users.values()):
        world.delete_user(user.id)
        said = user.attributes["name"]
        world.create_local_user(
            user.user_name, said.get("givenName", ""), said.get("familyName", ""), active=user.active
        )
    managed = synced.run("status", "--json").document["managed"]

    answer = synced.run("sync", "--json", code=1)

    assert "syncd relink" in answer.document["errors"][0]["hint"]
    status = synced.run("status", "--json").document
    assert (status["state"], status["managed"]) == ("quarantined", managed)
    synced.run("relink", "--yes")
    synced.sync()
    assert not any(world.user(name).active for name in LEAVERS)


def test_on_harness_many_removed_accounts_are_no_reason_to_think_that_all_vanished(tmp_path: Path) -> None:
    with rig(tmp_path, split=SplitWorld(flavor="harness"), users=4, groups=2, pushed=[]) as made:
        made.write_config(provisioning='deactivation_grace = "0s"', safety='max_deactivations = "100%"')
        leave(made)
        interrupt(made)
        for name in LEAVERS:
            made.split.world.delete_user(name)

        made.sync()

        assert made.writes() == []
        made.assert_exact()


def test_a_deactivation_that_the_server_does_not_show_is_sent_again(synced: Rig) -> None:
    interrupt(synced)
    synced.split.faults.add("remove_field", method="GET", path=r"/Users/[^?/]+$", count=-1, field="active")

    result = synced.sync()

    assert result["summary"]["applied"] == {"deactivate_user": 3}
    assert not any(synced.split.world.user(name).active for name in LEAVERS)


def test_a_return_that_the_server_does_not_show_is_sent_again(synced: Rig) -> None:
    synced.sync()
    for name in LEAVERS:
        synced.okta.world.assign(name)
    interrupt(synced, "reactivate_user")
    synced.split.faults.add("remove_field", method="GET", path=r"/Users/[^?/]+$", count=-1, field="active")

    synced.sync()

    assert all(synced.split.world.user(name).active for name in LEAVERS)


def test_a_rename_of_a_group_that_is_gone_was_not_applied(tmp_path: Path) -> None:
    with rig(tmp_path, users=30, groups=0, pushed=["Engineering"], split=SplitWorld(flavor="scim")) as made:
        made.okta.world.create_group("Engineering", members=list(made.okta.world.app_users)[:9])
        made.write_config(rules='[[push_groups]]\nsource = { name_contains = "Engineer" }\nrename = true\n')
        made.sync()
        made.okta.world.rename_group("Engineering", "Engineers")
        made.pushed[:] = ["Engineers"]
        interrupt(made, "rename_group")
        made.split.world.delete_group("Engineering")

        made.sync(code=4)
        made.sync_to_exact()


def test_a_strangers_account_is_not_taken_for_the_one_that_was_being_made(synced: Rig) -> None:
    synced.sync()
    synced.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    interrupt(synced, "create_user")
    theirs = synced.split.world.create_local_user("new@example.com", "Some", "Body")

    result = synced.sync()

    assert result["summary"]["applied"] == {"adopt_user": 1}, "by the plan, which says so"
    assert synced.split.world.users[theirs].external_id
    synced.assert_exact()


def sync_refused_after_acting(made: Rig, path: str, status: int) -> None:
    """The first PATCH takes effect and is answered 502; from then on the server refuses, until the sync is over."""
    made.split.faults.add("status", status=502, method="PATCH", path=path, after_effect=True)
    made.split.faults.add("status", status=status, method="PATCH", path=path, nth=2, count=-1)
    made.split.faults.add("status", status=status, method="PUT", path=path, count=-1)
    made.sync(code=None)
    made.split.faults.clear()


@pytest.fixture(params=[400, 403, 409, 422])
def status(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def hired(tmp_path: Path) -> Iterator[tuple[Rig, str]]:
    """Thirty people and one more, synced; the Okta id of that one."""
    with rig(tmp_path, users=30, groups=2) as made:
        person = made.okta.world.add_user(LEAVERS[0], "Lea", "Ver", assign=True)
        made.sync()
        yield made, person


def test_a_removal_that_acted_before_it_was_refused_is_made_good_when_they_return(
    tmp_path: Path, status: int
) -> None:
    with rig(tmp_path, users=30, groups=2) as made:
        made.sync()
        world = made.okta.world
        member = min(set(world.group("Engineering").members) & set(world.app_users))
        world.remove_member("Engineering", member)
        sync_refused_after_acting(made, "/Groups/", status)
        world.add_member("Engineering", member)

        made.sync_to_exact()


def test_a_deactivation_that_acted_before_it_was_refused_locks_nobody_out_who_returns(
    hired: tuple[Rig, str], status: int
) -> None:
    made, person = hired
    made.okta.world.unassign(person)
    sync_refused_after_acting(made, "/Users/", status)
    assert LEAVERS[0] not in made.actual_people()
    made.okta.world.assign(person)

    made.sync_to_exact()


def test_an_addition_that_acted_before_it_was_refused_is_taken_back_when_they_leave(
    hired: tuple[Rig, str], status: int
) -> None:
    made, person = hired
    made.okta.world.add_member("Engineering", person)
    sync_refused_after_acting(made, "/Groups/", status)
    made.okta.world.remove_member("Engineering", person)

    made.sync_to_exact()


def test_a_group_that_was_being_made_and_is_gone_in_okta_is_removed_as_its_rule_says(tmp_path: Path) -> None:
    """Nobody knew whether it had been made when Okta lost it: what its rule says is not forgotten meanwhile."""
    with rig(tmp_path, users=10, groups=1) as made:
        rule = '[[push_groups]]\nsource = { name_starts_with = "Push " }\non_removal = "delete"'
        made.write_config(rules=rule, safety="max_group_deletions = 5")
        group = made.okta.world.create_group("Push soon gone")
        namesake = made.split.world.create_local_group("Push soon gone")
        made.sync()
        made.split.world.delete_group(namesake)
        interrupt(made, "create_group")
        with made.split.world.lock:
            made.split.world.insert_group("Push soon gone", external_id=group, managed=True)
        made.okta.world.delete_group(group)
        made.split.faults.add("status", method="GET", path="/Groups", count=-1, status=501)
        made.sync(code=None)
        made.split.faults.clear()

        result = made.sync()

        assert result["summary"]["applied"] == {"delete_group": 1}
        assert "Push soon gone" not in made.actual_groups()
