"""What a limit stops is held, explained, and released by a person: exactly that, once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.core.change import Change
from syncd.store import holds, rows
from syncd.store.stage import spool
from tests.e2e.rig import Rig, rig, synced_crew


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    with synced_crew(tmp_path, people=40, members=20) as made:
        made.assert_exact()
        yield made


def unassign(made: Rig, *numbers: int) -> None:
    for number in numbers:
        made.okta.world.unassign(f"p{number:02}@example.com")


def come_back_and_leave(made: Rig, numbers: Iterable[int]) -> None:
    for number in numbers:
        made.okta.world.assign(f"p{number:02}@example.com")
    made.sync()
    unassign(made, *numbers)


def active(made: Rig) -> set[str]:
    return set(made.actual_people())


def held(made: Rig) -> list[dict[str, Any]]:
    holds = made.run("held", "--json").document["holds"]
    assert isinstance(holds, list)
    return holds


def test_sixty_percent_unassigned_by_mistake_are_held_and_approved_exactly(synced: Rig) -> None:
    before = active(synced)
    unassign(synced, *range(16, 40))

    result = synced.sync(code=3)

    assert active(synced) == before
    assert result["status"] == "refused"
    [hold] = held(synced)
    assert hold["check"] == "deactivations"
    assert (hold["numbers"]["planned"], hold["numbers"]["allowed"]) == (24, 4)
    assert "24 users would be removed" in synced.run("held").stdout

    synced.okta.world.assign("p39@example.com")
    unassign(synced, 0)
    synced.run("approve", hold["id"], "--json")
    result = synced.sync(code=None)

    assert result["summary"]["applied"]["deactivate_user"] == 23
    assert {"p39@example.com", "p00@example.com"} <= active(synced)
    assert not {f"p{n:02}@example.com" for n in range(16, 39)} & active(synced)


def test_the_same_people_in_small_portions_meet_the_same_limit(synced: Rig) -> None:
    codes = []
    for number in range(30, 40):
        unassign(synced, number)
        codes.append(synced.run("sync", "--json", code=None).exit_code)
    assert codes == [0, 0, 0, 0, 3, 3, 3, 3, 3, 3]
    assert len(active(synced)) == 36


def test_an_emptied_group_is_held_whatever_the_limits(synced: Rig) -> None:
    synced.write_config(safety='max_member_removals = "100%"\nmax_member_removals_per_group = "100%"')
    members = synced.actual_groups()["Crew"]
    for number in range(20):
        synced.okta.world.remove_member("Crew", f"p{number:02}@example.com")

    synced.sync(code=3)

    assert synced.actual_groups()["Crew"] == members
    [hold] = held(synced)
    assert hold["check"] == "emptied_group"
    synced.run("approve", "--all", "--now", "--json")
    assert synced.actual_groups()["Crew"] == []
    assert held(synced) == []


def test_an_approval_is_good_for_one_application(synced: Rig) -> None:
    unassign(synced, *range(30, 40))
    synced.sync(code=3)
    synced.run("approve", "--all")
    synced.sync()
    come_back_and_leave(synced, range(30, 40))

    synced.sync(code=3)

    assert len(active(synced)) == 40


def test_an_approval_survives_a_try_that_failed(synced: Rig) -> None:
    synced.write_config(safety="max_deactivations = 0")
    unassign(synced, *range(30, 40))
    synced.sync(code=3)
    synced.run("approve", "--all")
    [refused] = [user for user in synced.split.world.users.values() if user.user_name == "p35@example.com"]
    for method in ("PATCH", "PUT"):
        synced.split.faults.add("status", status=400, method=method, path=f"/Users/{refused.id}", count=-1)
    synced.sync(code=4)
    assert "p35@example.com" in active(synced)

    synced.sync(code=4)  # it waits for its next try, and a complete cycle has looked at everything
    synced.split.reset_faults()
    synced.run("retry")
    synced.sync()

    assert len(active(synced)) == 30
    assert held(synced) == []


@pytest.mark.parametrize("approve", ["approve", "approve --now", "--allow"])
def test_what_a_person_decided_does_not_use_up_the_limit_of_the_next_day(synced: Rig, approve: str) -> None:
    unassign(synced, *range(30, 40))
    if approve == "--allow":
        synced.sync("--allow", "deactivations=10")
    else:
        synced.sync(code=3)
        synced.run(*approve.split(), "--all", code=None)
        synced.sync()
    assert len(active(synced)) == 30

    unassign(synced, 29)
    synced.sync()  # an ordinary leaver
    assert len(active(synced)) == 29
    unassign(synced, *range(25, 29))
    synced.sync(code=3)  # more of them than a day has
    assert len(active(synced)) == 29


def test_raised_limits_count_what_was_done_under_raised_limits(synced: Rig) -> None:
    """A timer that always allows forty allows forty in a day."""
    for number in range(30, 34):
        unassign(synced, number)
        synced.sync("--allow", "deactivations=4")
    unassign(synced, 34)
    synced.sync("--allow", "deactivations=4", code=3)
    assert len(active(synced)) == 36
    synced.sync()


def test_allowing_fewer_than_a_limit_does_lowers_no_limit(synced: Rig) -> None:
    unassign(synced, *range(37, 40))
    assert synced.plan("--allow", "deactivations=1")["holds"] == []

    synced.sync("--allow", "deactivations=1")

    assert len(active(synced)) == 37
    unassign(synced, 36, 35)
    synced.sync("--allow", "deactivations=4", code=3)
    [hold] = held(synced)
    assert (hold["numbers"]["allowed"], hold["numbers"]["limit"]) == (4, "10%")


def test_a_limit_that_was_raised_for_all_memberships_still_counts_for_each_group(synced: Rig) -> None:
    synced.write_config(safety='max_member_removals = 2\nmax_member_removals_per_group = "50%"')
    for number in range(9):
        synced.okta.world.remove_member("Crew", f"p{number:02}@example.com")
    synced.sync("--allow", "member_removals=9")
    assert len(synced.actual_groups()["Crew"]) == 11

    synced.okta.world.remove_member("Crew", "p09@example.com")
    synced.sync()
    synced.okta.world.remove_member("Crew", "p10@example.com")
    synced.sync(code=3)

    [hold] = held(synced)
    assert hold["check"] == "member_removals_per_group"


def test_a_single_change_may_be_approved(synced: Rig) -> None:
    unassign(synced, *range(30, 40))
    synced.sync(code=3)
    change = next(c for c in held(synced)[0]["changes"] if c["name"] == "p35@example.com")
    document = synced.run("approve", change["id"], "--now", "--json").document
    assert document["summary"]["applied"] == {"deactivate_user": 1}
    assert len(active(synced)) == 39
    assert "p35@example.com" not in active(synced)
    assert len(held(synced)[0]["changes"]) == 9


@pytest.mark.parametrize("decision", ["approve", "approve --now", "reject"])
def test_the_rest_of_a_hold_that_was_decided_in_part_waits_on_though_it_is_under_the_limit(
    synced: Rig, decision: str
) -> None:
    unassign(synced, *range(34, 40))
    synced.sync(code=3)
    [hold] = held(synced)
    some = [change["id"] for change in hold["changes"][:3]]
    synced.run(*decision.split(), *some, code=None)

    for _ in range(2):
        synced.sync(code=3)
    assert len(active(synced)) == (40 if decision == "reject" else 37)
    [rest] = held(synced)
    assert (rest["id"], len(rest["changes"])) == (hold["id"], 3)

    unassign(synced, 33)  # an ordinary leaver, who makes four with those who wait
    synced.sync(code=3)
    synced.run("approve", rest["id"])
    synced.sync()
    assert held(synced) == []
    assert len(active(synced)) == (36 if decision == "reject" else 33)


def test_what_was_rejected_is_not_raised_again_until_the_world_changes(synced: Rig) -> None:
    unassign(synced, *range(30, 40))
    synced.sync(code=3)
    synced.run("reject", held(synced)[0]["id"])

    result = synced.sync()
    assert result["summary"]["skipped"]["rejected"] == 10
    assert held(synced) == []

    come_back_and_leave(synced, range(30, 40))
    synced.sync(code=3)
    assert len(active(synced)) == 40


def test_a_hold_whose_reason_is_gone_is_gone(synced: Rig) -> None:
    unassign(synced, *range(30, 40))
    synced.sync(code=3)
    for number in range(30, 40):
        synced.okta.world.assign(f"p{number:02}@example.com")
    synced.sync()
    assert held(synced) == []


def test_a_plan_never_raises_a_hold(synced: Rig) -> None:
    unassign(synced, *range(30, 40))
    plan = synced.plan(code=3)
    assert plan["holds"][0]["check"] == "deactivations"
    assert held(synced) == []


def test_a_saved_plan_that_holds_everything_applies_nothing_and_says_what_is_held(synced: Rig) -> None:
    unassign(synced, *range(30, 40))
    file = synced.folder / "the.plan"
    planned = synced.run("plan", "-o", str(file), code=3)
    synced.forget()

    answer = synced.run("apply", str(file), code=3)
    result = synced.run("apply", str(file), "--json", code=3).document

    assert "10 users would be removed" in answer.stdout
    assert "Sync refused: nothing applied; 10 held." in answer.stdout
    for said in (planned, answer):
        assert "approve ID" in said.stderr
    assert (result["status"], result["summary"]["held"]) == ("refused", {"deactivate_user": 10})
    assert [hold["changes"] for hold in result["holds"]] == [10]
    assert synced.run("status", "--json").document["runs"][0]["status"] == "refused"
    assert synced.writes() == []


def test_a_saved_plan_applies_what_it_does_not_hold(synced: Rig) -> None:
    unassign(synced, *range(30, 40))
    synced.okta.world.add_user("fresh@example.com", "Fre", "Sh", assign=True)
    file = synced.folder / "the.plan"
    synced.run("plan", "-o", str(file), code=3)

    result = synced.run("apply", str(file), "--json", code=3).document

    assert result["summary"]["applied"] == {"create_user": 1}
    assert result["summary"]["held"] == {"deactivate_user": 10}
    assert len(active(synced)) == 41


def test_a_plan_under_a_raised_limit_shows_it_and_is_applied_under_it(synced: Rig) -> None:
    unassign(synced, *range(30, 40))
    file = synced.folder / "the.plan"

    planned = synced.run("plan", "--allow", "deactivations=10", "-o", str(file))
    result = synced.run("apply", str(file), "--json").document

    assert "Limits raised for this plan: deactivations 10." in planned.stdout
    assert result["summary"]["applied"] == {"deactivate_user": 10}
    assert len(active(synced)) == 30


def test_a_saved_plan_decides_on_no_change_of_settings(synced: Rig) -> None:
    synced.okta.world.set_user_status("p30@example.com", "SUSPENDED")
    synced.sync()
    synced.write_config(provisioning='suspended_users = "deactivate"')
    file = synced.folder / "the.plan"
    synced.run("plan", "-o", str(file), code=3)

    synced.run("apply", str(file), code=3)

    synced.sync(code=3)
    assert [hold["check"] for hold in held(synced)] == ["scope_change"]
    assert "p30@example.com" in active(synced)


def test_removals_that_new_settings_bring_are_held_under_the_limits(synced: Rig) -> None:
    synced.okta.world.set_user_status("p30@example.com", "SUSPENDED")
    synced.sync()
    synced.write_config(provisioning='suspended_users = "deactivate"')

    synced.sync(code=3)

    [hold] = held(synced)
    assert hold["check"] == "scope_change"
    assert "p30@example.com" in active(synced)
    synced.run("approve", hold["id"])
    synced.sync()
    assert "p30@example.com" not in active(synced)
    synced.okta.world.set_user_status("p31@example.com", "SUSPENDED")
    synced.sync()
    assert "p31@example.com" not in active(synced)


def test_a_change_of_concurrency_is_no_change_of_scope(synced: Rig) -> None:
    synced.write_config(split="concurrency = 2")
    unassign(synced, 30)
    synced.sync()
    assert "p30@example.com" not in active(synced)


def test_an_inactive_account_is_adopted_only_with_approval(synced: Rig) -> None:
    asleep = synced.split.world.create_local_user("asleep@example.com")
    synced.split.world.set_active(asleep, active=False)
    synced.okta.world.add_user("asleep@example.com", "A", "Sleep", assign=True)
    synced.sync(code=3)
    assert "asleep@example.com" not in active(synced)
    synced.run("approve", "--all", "--now")
    assert "asleep@example.com" in active(synced)
    assert synced.split.world.users[asleep].external_id


def test_unknown_ids_are_a_usage_error(synced: Rig) -> None:
    synced.run("approve", "h000000000000", code=64)
    synced.run("approve", code=64)
    synced.run("reject", "--all", "x", code=64)


def test_who_decided_stands_in_the_journal(synced: Rig) -> None:
    unassign(synced, *range(30, 40))
    synced.sync(code=3)
    document = synced.run("approve", "--all", "--json").document
    assert document["schema"] == "syncd.decision/1"
    assert "@" in document["decided_by"]
    assert len(document["items"]) == 10


def test_a_run_for_one_person_leaves_them_held_unless_the_limit_is_raised(synced: Rig) -> None:
    unassign(synced, *range(30, 40))
    synced.sync(code=3)
    [before] = held(synced)

    synced.run("sync", "--user", "p35@example.com", "--json", code=3)

    assert len(active(synced)) == 40
    assert [hold["id"] for hold in held(synced)] == [before["id"]]
    synced.run("sync", "--user", "p35@example.com", "--allow", "deactivations=10", "--json")
    assert "p35@example.com" not in active(synced)


@pytest.fixture
def read_changes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by each change that is read back from a stage or a hold."""
    found: list[str] = []
    real = rows.change_of

    def counted(text: str) -> Change:
        found.append(text)
        return real(text)

    for module in (spool, holds):
        monkeypatch.setattr(module, "change_of", counted)
    return found


def test_many_holds_read_no_change_more_than_twice_and_a_run_beside_them_none(
    tmp_path: Path, read_changes: list[str]
) -> None:
    names = [f"Team {number:02}" for number in range(12)]
    with rig(tmp_path, users=0, groups=0, pushed=names) as made:
        world = made.okta.world
        people = [world.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(13)]
        for name in names:
            world.create_group(name, members=people[:6])
        made.sync()
        for name in names:
            for person in people[:6]:
                world.remove_member(name, person)
        read_changes.clear()

        assert len(made.sync(code=3)["holds"]) == 12
        assert len(read_changes) <= 2 * 72  # stored, and written into no more than one document

        world.update_profile("p12@example.com", lastName="Renamed")
        read_changes.clear()
        assert made.sync("--user", "p12@example.com")["summary"]["applied"] == {"update_user": 1}
        assert len(read_changes) == 1
        world.unassign("p12@example.com")
        read_changes.clear()
        assert made.sync("--user", "p12@example.com")["summary"]["applied"] == {"deactivate_user": 1}
        assert len(read_changes) == 1


def test_a_run_that_applied_everything_else_is_held_and_one_that_applied_nothing_is_refused(
    synced: Rig,
) -> None:
    unassign(synced, *range(16, 40))
    synced.okta.world.add_user("new@example.com", "New", "One", assign=True)
    first, second = synced.sync(code=3), synced.sync(code=3)
    assert (first["status"], first["summary"]["applied"]) == ("held", {"create_user": 1})
    assert (second["status"], second["summary"]["applied"]) == ("refused", {})
    runs = synced.run("status", "--json").document["runs"]
    assert [run["status"] for run in runs[:2]] == ["refused", "held"]
