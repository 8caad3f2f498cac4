"""Every command beside `syncd run`: the daemon does it, and the command ends as it does alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.rig import Rig
from tests.requests.asking import beside, running


def test_a_person_is_provisioned_by_the_daemon_when_a_sync_asks_for_them(made: Rig) -> None:
    with running(made) as daemon:
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)

        document = made.run("sync", "--user", "ada@example.com", "--json").document

        assert document["schema"] == "syncd.run/1"
        assert document["status"] == "succeeded"
        assert document["summary"]["applied"] == {"create_user": 1}
        daemon.logs("request carried out", exit_code=0)
    made.assert_exact()


def test_a_sync_of_everything_is_a_full_cycle_of_the_daemon(made: Rig) -> None:
    with running(made) as daemon:
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)

        answer = made.run("sync", "--full", "--detailed-exitcode", "--json", code=2)

        assert answer.document["summary"]["applied"]["create_user"] == 1
        daemon.logs("cycle done", times=2, cycle="full")
    made.assert_exact()


def test_a_saved_plan_is_applied_exactly(made: Rig, tmp_path: Path) -> None:
    with running(made):
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)
        made.run("plan", "-o", str(tmp_path / "plan.json"))

        document = made.run("apply", str(tmp_path / "plan.json"), "--json").document

        assert document["summary"]["applied"] == {"create_user": 1}
        again = made.run("apply", str(tmp_path / "plan.json"), "--json", code=3)
        assert "the plan is stale" in again.stderr
    made.assert_exact()


def test_drift_is_repaired(made: Rig) -> None:
    with running(made):
        made.split.world.edit_user("p00@example.com", name={"givenName": "Changed", "familyName": "00"})

        document = made.run("drift", "--fix", "--json").document

        assert document["schema"] == "syncd.drift/1"
        assert document["run"]["summary"]["applied"] == {"update_user": 1}
    made.assert_exact()


def test_a_group_is_linked_and_unlinked(made: Rig) -> None:
    with running(made):
        made.okta.world.create_group("Support")
        made.split.world.create_local_group("Helpdesk")

        linked = made.run("link", "Support", "Helpdesk", "--yes", "--json").document
        assert linked["summary"]["applied"] == {"link_group": 1}

        unlinked = made.run("unlink", "Support", "--keep", "--yes", "--json").document
        assert unlinked["summary"]["applied"] == {"unlink_group": 1}


def test_an_unknown_object_is_the_same_error_as_alone(made: Rig) -> None:
    commands = (
        ["sync", "--user", "nobody@example.com"],
        ["link", "Nothing", "Nowhere", "--yes"],
        ["unlink", "Nothing", "--keep", "--yes"],
        ["release", "nobody@example.com"],
        ["undo", "20260101T000000Z-abcdef", "--yes"],
    )
    made.sync()
    alone = [made.run(*each, "--json", code=None) for each in commands]
    with running(made):
        there = [made.run(*each, "--json", code=None) for each in commands]
    assert [each.exit_code for each in there] == [each.exit_code for each in alone]
    for one, other in zip(alone, there, strict=True):
        if one.document["schema"] == "syncd.error/1":
            assert one.document == other.document
        else:
            assert one.document["errors"] == other.document["errors"]


def test_somebody_is_released(made: Rig) -> None:
    with running(made):
        name = "p07@example.com"

        document = made.run("release", name, "--json").document

        assert document["schema"] == "syncd.decision/1"
        assert [item["name"] for item in document["items"]] == [name]
        assert made.run("release", name, "--json", code=64).document["exit_code"] == 64


def test_a_person_is_untied_and_tied_again_with_the_reason_in_the_trail(made: Rig) -> None:
    with running(made):
        name = "p07@example.com"

        untied = made.run("unlink", "--user", name, "--reason", "moves away", "--json").document
        tied = made.run("link", "--user", name, "--yes", "--reason", "stays after all", "--json").document

        assert untied["decision"] == "unlink"
        assert tied["summary"]["applied"] == {"adopt_user": 1}
    trail = made.run("audit", "export").stdout
    assert '"moves away"' in trail
    assert '"stays after all"' in trail
    made.assert_exact()


def test_a_run_is_given_back(made: Rig) -> None:
    with running(made):
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)
        run = made.run("sync", "--user", "ada@example.com", "--json").document

        undone = made.run("undo", run["run_id"], "--yes", "--json").document

        assert undone["summary"]["applied"] == {"deactivate_user": 1}


def test_what_was_held_is_approved_and_applied_at_once(tmp_path: Path) -> None:
    with beside(tmp_path, safety=FREE_TO_CHANGE + "max_deactivations = 0") as made, running(made):
        made.okta.world.unassign("p11@example.com")
        held = made.sync(code=3)

        document = made.run("approve", held["holds"][0]["id"], "--now", "--json").document

        assert document["summary"]["applied"] == {"deactivate_user": 1}
        made.assert_exact()


def test_what_failed_is_tried_again_at_once(made: Rig) -> None:
    with running(made):
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)
        made.split.faults.add("status", method="POST", path="/Users", count=-1, status=400)
        made.sync("--user", "ada@example.com", code=4)
        made.split.reset_faults()

        document = made.run("retry", "ada@example.com", "--now", "--json").document

        assert document["summary"]["applied"] == {"create_user": 1}
    made.assert_exact()


def test_everybody_is_matched_afresh(made: Rig) -> None:
    with running(made):
        document = made.run("relink", "--yes", "--json").document

        assert document["kind"] == "relink"
        runs = made.run("status", "--json").document["runs"]
        assert [run["status"] for run in runs if run["kind"] == "relink"] == ["succeeded"]


def test_without_waiting_the_request_is_the_answer(made: Rig) -> None:
    with running(made) as daemon:
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)

        document = made.run("sync", "--user", "ada@example.com", "--no-wait", "--json").document

        assert document["schema"] == "syncd.request/1"
        assert document["kind"] == "sync"
        assert document["state"] == "waiting"
        daemon.logs("request carried out", request=document["id"], exit_code=0)
    made.assert_exact()


@pytest.mark.parametrize("arguments", [["retry"], ["approve", "--all"], ["drift"]])
def test_there_is_nothing_to_wait_for_where_nothing_is_written(made: Rig, arguments: list[str]) -> None:
    answer = made.run(*arguments, "--no-wait", code=64)

    assert "--no-wait" in json.dumps(answer.stderr)


def test_one_person_does_not_wait_for_a_read_of_everybody(made: Rig) -> None:
    """Deltas do not either; a sync of everything takes its turn."""
    with running(made) as daemon:
        made.okta.faults.add("hold", path=r"/users(\?|$)", count=-1, latch="everybody")
        everything = made.run("sync", "--no-wait", "--json").document
        made.okta.latches.wait_for("everybody", seconds=30)
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)

        document = made.run("sync", "--user", "ada@example.com", "--json").document

        assert document["summary"]["applied"] == {"create_user": 1}
        assert not [
            each for each in daemon.events("request carried out") if each["request"] == everything["id"]
        ]
        made.okta.reset_faults()
        made.okta.latches.release("everybody")
        daemon.logs("request carried out", request=everything["id"], exit_code=0)
    made.assert_exact()
