"""A sick connection writes no more, asks once per probe, and recovers by itself."""

from __future__ import annotations

from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.rig import SPLIT_TOKEN, Rig


def test_a_revoked_token_costs_one_failed_request_and_one_look_then_one_per_probe_and_heals(
    synced: Rig,
) -> None:
    synced.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    synced.split.world.regenerate_token("another-token-entirely")
    before = synced.actual_people()
    synced.run("sync", "--json", code=1)
    assert [r.method for r in synced.split.requests] == ["GET", "GET"], (
        "what was refused, and a harmless read"
    )

    first = synced.run("status", "--json").document["quarantine"]["next_probe"]
    for _ in range(3):
        synced.forget()
        answer = synced.run("sync", "--json", code=1)
        assert "token" in answer.document["errors"][0]["message"]
        assert [r.method for r in synced.split.requests] == ["GET"]
        assert synced.okta.requests == []
    status = synced.run("status", "--json").document
    assert status["state"] == "quarantined"
    assert (status["quarantine"]["side"], status["quarantine"]["probes"]) == ("split", 0)
    assert status["quarantine"]["next_probe"] == first, "a person who asks puts off no probe"
    assert synced.actual_people() == before

    synced.split.world.regenerate_token(SPLIT_TOKEN)
    synced.sync()
    synced.assert_exact()
    status = synced.run("status", "--json").document
    assert status["quarantine"] is None
    assert status["state"] == "left_out", "two of its groups want one name"


def test_a_token_revoked_while_writing_stops_the_rest_without_blaming_anybody(synced: Rig) -> None:
    synced.write_config(safety=FREE_TO_CHANGE)
    for number in range(60):
        synced.okta.world.add_user(f"n{number}@example.com", "N", str(number), assign=True)
    synced.split.faults.add("status", method="POST", path="/Users", nth=10, count=-1, status=401)
    synced.split.faults.add(
        "status", path=r"/Users\?.*count=1(&|$)", count=-1, status=401
    )  # the harmless read

    result = synced.sync(code=1)

    assert result["quarantine"]["side"] == "split"
    assert result["summary"]["failed"] == {}
    assert len(synced.writes()) < 30
    synced.split.faults.clear()
    synced.sync()
    synced.assert_exact()


def test_when_most_writes_fail_the_rest_is_not_tried(synced: Rig) -> None:
    synced.write_config(safety=FREE_TO_CHANGE)
    for number in range(80):
        synced.okta.world.add_user(f"n{number}@example.com", "N", str(number), assign=True)
    synced.split.faults.add("status", method="POST", path="/Users", count=-1, status=400)

    result = synced.sync(code=1)

    assert "writes failed" in result["errors"][-1]["message"]
    assert len(synced.writes()) < 45
    assert len(synced.actual_people()) == len(synced.wanted_people()) - 80


def test_one_failing_object_waits_alone_and_is_tried_again_when_asked(synced: Rig) -> None:
    for name in ("bad@example.com", "good@example.com"):
        synced.okta.world.add_user(name, "N", "N", assign=True, groups=["Product"])
    synced.split.faults.add("status", method="POST", path="/Users", nth=1, count=1, status=400)

    result = synced.sync(code=4)
    assert result["summary"]["failed"] == {"create_user": 1}
    assert result["errors"][0]["next_attempt"]
    synced.forget()
    again = synced.sync(code=4)
    assert again["summary"]["skipped"]["quarantined"] == 1
    assert synced.writes() == []

    synced.run("retry", result["errors"][0]["object"])
    synced.sync()
    synced.assert_exact()


def test_a_deactivation_is_not_dropped_because_an_update_failed(synced: Rig) -> None:
    world = synced.okta.world
    someone = world.add_user("moody@example.com", "Mo", "Ody", assign=True)
    synced.sync()
    synced.split.faults.add("status", method="PATCH", path="/Users/", count=1, status=400)
    synced.split.faults.add("status", method="PUT", path="/Users/", count=-1, status=400)
    synced.split.faults.add("status", method="PATCH", path="/Users/", count=6, status=400)
    world.update_profile(someone, firstName="Moved")
    synced.sync(code=4)
    synced.split.faults.clear()
    world.unassign(someone)

    result = synced.sync()

    assert result["summary"]["applied"] == {"deactivate_user": 1}
    assert "moody@example.com" not in synced.actual_people()


def test_a_membership_whose_removal_failed_is_removed_later_though_the_account_is_inactive(
    synced: Rig,
) -> None:
    world = synced.okta.world
    someone = world.add_user("leaver@example.com", "Lea", "Ver", assign=True, groups=["Product"])
    synced.sync()
    members = synced.split.world.members("Product")
    for method in ("PATCH", "PUT"):
        synced.split.faults.add("status", method=method, path="/Groups/", count=-1, status=403)
    world.unassign(someone)
    synced.sync(code=4)
    assert "leaver@example.com" not in synced.actual_people()
    assert synced.split.world.members("Product") == members

    synced.split.faults.clear()
    synced.run("retry")
    synced.sync()

    assert "leaver@example.com" not in synced.split.world.members("Product")
