"""link and unlink by hand: planned, limited, journalled, remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import Rig, crew


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    """Crew exists on both sides, and its rule only creates: a conflict until somebody links it."""
    with crew(tmp_path, people=12, members=4) as each:
        each.split.world.create_local_group("Crew")
        each.sync()
        each.forget()
        yield each


def _kinds(result: dict[str, Any]) -> dict[str, int]:
    applied: dict[str, int] = result["summary"]["applied"]
    return applied


def _remote(made: Rig, name: str) -> set[str]:
    return set(made.split.world.members(name))


def _link(made: Rig, *args: str, code: int = 0) -> dict[str, Any]:
    return made.run("link", "--yes", "--json", *args, code=code).document


def _unlink(made: Rig, *args: str, code: int = 0) -> dict[str, Any]:
    return made.run("unlink", "--yes", "--json", *args, code=code).document


def test_what_the_rule_would_not_link_is_linked_by_hand_and_stays_managed(made: Rig) -> None:
    result = _link(made, "Crew", "Crew")
    made.okta.world.add_member("Crew", "p05@example.com")
    later = made.sync("--full")

    assert _kinds(result) == {"link_group": 1, "add_member": 4}
    assert _kinds(later) == {"add_member": 1}
    made.assert_exact()


def test_a_group_that_no_rule_names_is_managed_once_it_is_linked(made: Rig) -> None:
    made.okta.world.create_group("Others", members=["p07@example.com"])
    made.split.world.create_local_group("other people")

    _link(made, "Others", "other people")
    made.sync("--full")
    made.okta.world.add_member("Others", "p08@example.com")
    made.sync()

    assert _remote(made, "other people") == {"p07@example.com", "p08@example.com"}


def test_a_link_by_hand_outlives_its_rule_and_ends_with_the_okta_group(made: Rig) -> None:
    _link(made, "Crew", "Crew")
    made.write_config(rules="")
    made.okta.world.add_member("Crew", "p05@example.com")
    assert _kinds(made.sync(code=0)) == {"add_member": 1}

    made.okta.world.delete_group("Crew")
    result = made.sync()

    assert _kinds(result) == {"unlink_group": 1}
    assert len(_remote(made, "Crew")) == 5


def test_a_rename_in_okta_changes_no_name_at_the_target(made: Rig) -> None:
    made.split.world.create_local_group("a short name")
    _link(made, "Crew", "a short name")

    made.write_config(rules="")
    made.okta.world.rename_group("Crew", "Crew of the ship")
    made.sync()
    made.run("unlink", "--yes", "--keep", "Crew of the ship")

    assert len(_remote(made, "a short name")) == 4
    assert made.split.world.members("Crew") == []


def test_managed_people_who_are_not_wanted_are_removed_and_strangers_stay(made: Rig) -> None:
    split = made.split.world
    stranger = split.create_local_user("local@example.com", "Lo", "Cal")
    split.create_local_group("mixed", members=[stranger, split.user("p09@example.com").id])

    shown = made.run("link", "--yes", "Crew", "mixed").stdout

    assert _remote(made, "mixed") == {"local@example.com", *(f"p{n:02}@example.com" for n in range(4))}
    assert "p09@example.com from mixed" in shown
    assert "1 member at the target not managed by syncd" in shown
    assert shown.index("Plan: ") < shown.index("Sync succeeded")


def test_removals_over_a_limit_are_held_and_the_link_is_made(made: Rig) -> None:
    split = made.split.world
    split.create_local_group("full", members=[split.user(f"p{n:02}@example.com").id for n in range(4, 12)])

    result = _link(made, "Crew", "full", code=3)

    assert result["summary"]["applied"] == {"link_group": 1, "add_member": 4}
    assert result["summary"]["held"] == {"remove_member": 8}


def test_without_a_terminal_yes_is_needed_and_nothing_happens(made: Rig) -> None:
    answer = made.run("link", "Crew", "Crew", "--json", code=64)
    made.run("unlink", "Crew", "--keep", code=64)

    assert "--yes" in answer.document["message"]
    assert made.reads() == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("Crew", "Crwe"), 64, "did you mean Crew?"),
        (("Nobody", "Crew"), 64, "Okta knows no group Nobody"),
        (("", "Crew"), 64, "needs a name"),
    ],
)
def test_a_name_that_nobody_knows_is_a_usage_error(
    made: Rig, arguments: tuple[str, str], code: int, said: str
) -> None:
    assert said in made.run("link", "--yes", *arguments, code=code).stderr
    assert made.writes() == []


def test_a_group_is_linked_to_one_group_and_a_group_of_another_is_not_taken(made: Rig) -> None:
    made.split.world.create_local_group("second")
    made.okta.world.create_group("Others")
    _link(made, "Crew", "Crew")

    twice = _link(made, "Crew", "second", code=3)
    taken = _link(made, "Others", "Crew", code=3)

    assert "is linked to Crew" in twice["message"]
    assert "linked to another Okta group" in taken["message"]


def test_a_group_that_carries_somebody_elses_id_is_not_taken(made: Rig) -> None:
    split = made.split.world
    foreign = split.groups[split.create_local_group("foreign")]
    split.replace_group(foreign, name="foreign", external_id="00gOTHER")

    assert "belongs to another Okta group" in _link(made, "Crew", "foreign", code=3)["message"]
    assert made.writes() == []


@pytest.mark.parametrize("command", ["unlink", "release"])
def test_what_was_unlinked_or_released_stays_so_until_it_is_linked_again(made: Rig, command: str) -> None:
    _link(made, "Crew", "Crew")
    if command == "unlink":
        assert _kinds(_unlink(made, "Crew", "--keep")) == {"unlink_group": 1}
    else:
        made.run("release", "Crew")
    made.okta.world.add_member("Crew", "p05@example.com")
    made.forget()

    later = made.sync("--full")
    again = made.sync("--group", "Crew")
    written = made.writes()
    linked = _link(made, "Crew", "Crew")

    assert [skip["kind"] for skip in later["skipped"]] == ["released"]
    assert "syncd link" in later["skipped"][0]["reason"]
    assert [skip["kind"] for skip in again["skipped"]] == ["released"]
    assert written == []
    assert _kinds(linked) == {"link_group": 1, "add_member": 1}
    made.assert_exact()


def test_a_deletion_is_held_and_done_by_the_next_sync_once_it_is_approved(made: Rig) -> None:
    _link(made, "Crew", "Crew")

    held = _unlink(made, "Crew", "--delete", code=3)
    still = made.sync(code=3)
    made.run("approve", "--all")
    result = made.sync()
    after = made.sync()

    assert held["summary"]["held"] == {"delete_group": 1}
    assert still["summary"]["applied"] == {}
    assert _kinds(result) == {"delete_group": 1}
    assert _kinds(after) == {}
    assert "Crew" not in {group.name for group in made.split.world.groups.values()}


def test_a_deletion_under_a_raised_limit_goes_at_once_and_says_who_asked(made: Rig) -> None:
    _link(made, "Crew", "Crew")

    result = _unlink(made, "Crew", "--delete", "--allow", "group_deletions=1", "--detailed-exitcode", code=2)
    rows = made.run("audit", "export", "--json").document["entries"]
    made.sync()

    assert _kinds(result) == {"delete_group": 1}
    assert [row["kind"] for row in rows if row["kind"] in ("link", "unlink")] == ["link", "unlink"]
    assert [row["evidence"].split(" by ")[0] for row in rows if row["kind"] == "delete_group"] == [
        "asked for"
    ] * 2
    assert "Crew" not in {group.name for group in made.split.world.groups.values()}


def test_a_rejected_deletion_leaves_the_group_managed_and_can_be_asked_for_again(made: Rig) -> None:
    _link(made, "Crew", "Crew")
    _unlink(made, "Crew", "--delete", code=3)
    made.run("reject", "--all")
    made.okta.world.add_member("Crew", "p05@example.com")
    made.write_config(rules="")

    result = made.sync()
    again = _unlink(made, "Crew", "--delete", "--allow", "group_deletions=1")

    assert _kinds(result) == {"add_member": 1}
    assert _kinds(again) == {"delete_group": 1}


def test_a_protected_group_is_never_deleted(made: Rig) -> None:
    made.write_config(safety='protected_groups = ["Crew"]\nmax_protected_additions = 4')
    _link(made, "Crew", "Crew")

    refused = _unlink(made, "Crew", "--delete", code=3)

    assert "protected" in refused["message"]


def test_a_link_that_failed_is_made_by_a_later_sync_to_the_very_group_that_was_chosen(made: Rig) -> None:
    chosen, other = (made.split.world.create_local_group("twin") for _ in range(2))
    made.split.faults.add("status", path=f"/Groups/{chosen}", method="GET", status=400, nth=2, count=1)

    failed = _link(made, "Crew", chosen, code=4)
    made.run("retry")
    result = made.sync()

    assert failed["summary"]["failed"] == {"link_group": 1}
    assert _kinds(result) == {"link_group": 1, "add_member": 4}
    assert len(made.split.world.groups[chosen].members) == 4
    assert not made.split.world.groups[other].members


def test_a_group_linked_by_hand_that_vanished_is_reported_and_nothing_is_made_in_its_place(made: Rig) -> None:
    _link(made, "Crew", "Crew")
    made.split.world.delete_group("Crew")
    made.okta.world.add_member("Crew", "p05@example.com")
    made.sync(code=None)

    result = made.sync(code=None)

    assert [skip["kind"] for skip in result["skipped"]] == ["conflict"]
    assert "linked by hand, is gone" in result["skipped"][0]["reason"]
    assert "Crew" not in {group.name for group in made.split.world.groups.values()}


def test_a_name_that_two_groups_at_the_target_have_is_a_usage_error_with_their_ids(made: Rig) -> None:
    ids = sorted(made.split.world.create_local_group("twin") for _ in range(2))

    assert ", ".join(ids) in made.run("link", "--yes", "Crew", "twin", code=64).stderr


def test_unlink_wants_to_know_what_becomes_of_the_group(made: Rig) -> None:
    assert "--keep or --delete" in made.run("unlink", "Crew", "--yes", code=64).stderr
    assert "--keep or --delete" in made.run("unlink", "Crew", "--yes", "--keep", "--delete", code=64).stderr
    assert "no group that syncd manages" in made.run("unlink", "Crew", "--yes", "--keep", code=64).stderr


def _groups(made: Rig, code: int = 0) -> dict[str, dict[str, Any]]:
    document = made.run("groups", "--json", code=code).document
    assert document["schema"] == "syncd.groups/1"
    return {item["name"]: item for item in document["items"]}


def test_groups_shows_every_group_with_its_link_its_owner_and_both_counts(made: Rig) -> None:
    split = made.split.world
    foreign = split.groups[split.create_local_group("foreign")]
    split.replace_group(foreign, name="foreign", external_id="00gOTHER")
    _link(made, "Crew", "Crew")
    split.add_member("Crew", split.user("p11@example.com").id)
    split.create_local_group("plain")

    found = _groups(made)

    states = {name: (item["link"], item["owner"]) for name, item in found.items()}
    assert states["Crew"] == ("by_hand", "syncd")
    assert states["plain"] == ("not_linked", "target")
    assert states["foreign"] == ("not_linked", "okta")
    assert found["Crew"]["members"] == {"okta": 4, "pushed": 4, "target": 5}
    assert found["Crew"]["okta_name"] == "Crew"
    assert found["plain"]["members"]["target"] == 0


def test_groups_names_what_waits_is_released_is_being_deleted_and_is_gone(made: Rig) -> None:
    assert _groups(made)["Crew"]["link"] == "waiting"
    _link(made, "Crew", "Crew")
    _unlink(made, "Crew", "--delete", code=3)
    assert _groups(made)["Crew"]["link"] == "unlinking"
    _link(made, "Crew", "Crew")
    assert _groups(made)["Crew"]["link"] == "by_hand"
    made.split.world.delete_group("Crew")
    assert _groups(made)["Crew"]["link"] == "missing"
    made.run("release", "Crew")
    assert _groups(made)["Crew"]["link"] == "released"


def test_groups_for_people_is_a_table_and_reading_only(made: Rig) -> None:
    made.okta.world.rename_group("Crew", "Crew\x1b[31m")
    shown = made.run("groups").stdout

    assert "members Okta/Split" in shown
    assert "\x1b" not in shown
    assert made.writes() == []


def test_groups_without_okta_says_so_and_shows_the_rest(made: Rig) -> None:
    made.okta.faults.add("status", path="/api/v1/", count=-1, status=401)

    found = _groups(made, code=1)

    assert found["Crew"]["members"] == {"okta": None, "pushed": None, "target": 0}
