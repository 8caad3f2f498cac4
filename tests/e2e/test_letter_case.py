"""A person whose account differs only in letter case never gets a second one, whatever the server's filter does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.simulators.split import SplitKnobs
from syncd.simulators.split_world import SplitWorld
from tests.e2e.rig import Rig, rig

NAME = "mixed.case@example.com"
THEIRS = "Mixed.Case@example.com"


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    """A target whose filter and uniqueness both take letter case seriously, pages of 10."""
    with rig(tmp_path, users=30, groups=2, knobs=SplitKnobs(max_count=10)) as made:
        made.sync()
        made.forget()
        yield made


def conflicts(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(skip["name"], skip["reason"]) for skip in document["skipped"] if skip["kind"] == "conflict"]


def listings(made: Rig) -> int:
    """How often the whole list of users was begun."""
    return sum("/Users?startIndex=1&" in r.path and "filter" not in r.path for r in made.split.requests)


def test_an_account_in_other_letters_is_a_conflict_though_the_filter_does_not_find_it(synced: Rig) -> None:
    synced.split.world.create_local_user(THEIRS)
    synced.okta.world.add_user(NAME, "Mixed", "Case", assign=True)
    synced.okta.world.add_user("other@example.com", "Other", "One", assign=True)

    result = synced.sync()

    [(name, reason)] = conflicts(result)
    assert name == NAME
    assert f"{THEIRS}, which differs from {NAME} only in letter case" in reason
    assert result["summary"]["applied"] == {"create_user": 1}
    assert NAME not in {user.user_name for user in synced.split.world.users.values()}


def test_where_letters_do_not_matter_the_account_is_adopted(tmp_path: Path) -> None:
    with rig(tmp_path, users=10, groups=2, split=SplitWorld(flavor="scim")) as made:
        made.sync()
        made.split.world.create_local_user(THEIRS)
        made.okta.world.add_user(NAME, "Mixed", "Case", assign=True)

        assert made.sync()["summary"]["applied"] == {"adopt_user": 1}
        assert made.split.world.user(NAME).external_id


def test_the_list_is_read_once_for_all_who_are_new_and_not_at_all_without_them(synced: Rig) -> None:
    synced.sync()
    change = min(synced.okta.world.app_users)
    synced.okta.world.update_profile(change, firstName="Renamed")
    synced.sync()
    assert listings(synced) == 0
    for number in range(3):
        synced.okta.world.add_user(f"new{number}@example.com", "New", "Hire", assign=True)
    synced.forget()

    synced.sync()

    assert listings(synced) == 1
    synced.assert_exact()


def test_a_filter_that_folds_letters_is_tried_once_and_then_believed(tmp_path: Path) -> None:
    with rig(tmp_path, users=30, groups=2, knobs=SplitKnobs(max_count=10, case_sensitive=False)) as made:
        made.sync()
        made.okta.world.add_user("first@example.com", "First", "Hire", assign=True)
        made.sync()
        made.split.world.create_local_user(THEIRS)
        made.okta.world.add_user("second@example.com", "Second", "Hire", assign=True)
        made.okta.world.add_user(NAME, "Mixed", "Case", assign=True)
        made.forget()

        result = made.sync()

        assert [name for name, _ in conflicts(result)] == [NAME]
        assert [r.method for r in made.split.requests].count("GET") == 4, "two searches each"
        assert all("filter" in r.path for r in made.split.requests if r.method == "GET")


def test_a_creation_that_waits_for_its_next_try_costs_no_list(synced: Rig) -> None:
    synced.okta.world.add_user("bad@example.com", "B", "Ad", assign=True)
    synced.split.faults.add("status", method="POST", path="/Users", count=-1, status=400)
    synced.sync(code=4)
    synced.forget()

    synced.sync(code=4)

    assert listings(synced) == 0


def test_without_creations_nobody_looks_through_the_list(synced: Rig) -> None:
    synced.write_config(provisioning="create_users = false")
    synced.okta.world.add_user("new@example.com", "New", "Hire", assign=True)

    result = synced.sync()

    assert "create_off" in [skip["kind"] for skip in result["skipped"]]
    assert listings(synced) == 0


def test_where_external_ids_are_not_indexed_an_account_under_an_old_address_is_found_all_the_same(
    tmp_path: Path,
) -> None:
    """The store is lost, and meanwhile somebody was married."""
    with rig(tmp_path, users=20, groups=2, knobs=SplitKnobs(filter_external_id=False)) as made:
        someone = made.okta.world.add_user("maiden@example.com", "Ma", "Iden", assign=True)
        made.sync()
        for file in made.store.parent.glob("acme.db*"):
            file.unlink()
        made.okta.world.update_profile(someone, email="married@example.com")
        made.split.set_knobs(case_sensitive=False)

        made.sync()

        assert [u.user_name for u in made.split.world.users.values() if u.external_id == someone] == [
            "married@example.com"
        ]
        made.assert_exact()
