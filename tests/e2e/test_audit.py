"""The audit trail through the command line: is it whole, what stands in it, and who approved what."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.simulators.world import OktaWorld
from syncd.store import open_store
from tests.chaos.arena import arena
from tests.e2e.rig import OKTA_TOKEN, SPLIT_TOKEN, Rig, rig, synced_crew

ROWS = 2 * (20 + 1 + 4) + 5
"""Of `synced`: intents and outcomes, the seals of what the read left in the tables and of what was learned from it (the
scope, what the target can do, the complete read), the end of the run.
"""


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    with synced_crew(tmp_path, people=20, members=4) as made:
        yield made


def verified(made: Rig, *args: str, code: int = 0) -> dict[str, Any]:
    return made.run("audit", "verify", "--json", *args, code=code).document


def rows_in(text: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in text.splitlines()]
    assert all(row["schema"] == "syncd.audit/1" for row in rows)
    return rows


def exported(made: Rig, *args: str) -> list[dict[str, Any]]:
    return rows_in(made.run("audit", "export", *args).stdout)


def tamper(made: Rig, *statements: str) -> None:
    """Changes the store by hand, without its triggers."""
    with closing(sqlite3.connect(made.store)) as conn:
        for trigger in ("journal_no_update", "journal_no_delete"):
            conn.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        for statement in statements:
            conn.execute(statement)
        conn.commit()


def test_a_whole_trail_is_intact_and_names_its_length_and_head(synced: Rig) -> None:
    document = verified(synced)
    assert document["schema"] == "syncd.audit/1"
    assert document["connection"] == "acme"
    assert (document["intact"], document["broken"], document["compared"]) == (True, None, None)
    assert document["altered"] == []
    assert document["length"] == document["rows"] == ROWS
    assert document["head"].startswith(f"{document['length']}:")
    said = synced.run("audit", "verify").stdout
    assert f"intact, {ROWS} rows" in said
    assert document["head"] in said


def test_the_first_broken_row_is_named(synced: Rig) -> None:
    tamper(
        synced,
        "UPDATE journal SET body = replace(body, 'applied', 'x') || ' ' WHERE sequence = 8",
        "DELETE FROM journal WHERE sequence = 20",
    )
    assert verified(synced, code=1)["broken"] == {"sequence": 8, "problem": "its content was changed"}
    said = synced.run("audit", "verify", code=1).stdout
    assert "broken at row 8: its content was changed" in said


def test_a_table_and_a_trigger_changed_by_hand_are_named(synced: Rig) -> None:
    last = [row for row in exported(synced) if row["kind"] == "add_member"][-1]
    user, group, sequence = last["okta_id"], last["group_id"], last["sequence"]
    tamper(synced, f"DELETE FROM members WHERE user_id = '{user}'")  # noqa: S608
    document = verified(synced, code=1)
    assert (document["intact"], document["broken"]) == (False, None)
    assert [each["table"] for each in document["altered"]] == [
        *("trigger journal_no_delete", "trigger journal_no_update", "members")
    ]
    said = synced.run("audit", "verify", code=1).stdout
    assert f"members: {user} in {group}: row {sequence} of the trail says that this is a member" in said
    report = synced.run("report", "--format", "json").document
    assert any(f"members: {user}" in each["text"] for each in report["verdict"])


def test_a_decision_written_by_hand_releases_nothing_and_approves_nothing(synced: Rig) -> None:
    for number in range(8, 20):
        synced.okta.world.unassign(f"p{number:02}@example.com")
    [hold] = synced.sync(code=3)["holds"]
    with closing(sqlite3.connect(synced.store)) as conn:
        conn.execute(
            "INSERT INTO decisions (at, decided_by, decision, hold_id, change_id, object_key)"
            " SELECT '2026-01-01T00:00:00.000000Z', 'boss@host', 'approve', hold_id, change_id, 'user:' || okta_id"
            " FROM hold_changes"
        )
        conn.commit()

    again = synced.sync(code=3)

    assert again["summary"]["applied"] == {}
    assert [each["id"] for each in again["holds"]] == [hold["id"]]
    assert not [row for row in exported(synced) if row["approved_by"]]
    assert {each["table"] for each in verified(synced, code=1)["altered"]} == {"decisions"}


def test_a_cut_end_is_found_and_with_a_forged_memory_by_a_noted_head(synced: Rig) -> None:
    noted = verified(synced)["head"]
    tamper(synced, "DELETE FROM journal WHERE sequence > 40")
    assert verified(synced, code=1)["broken"]["sequence"] == 41
    tamper(
        synced,
        "UPDATE meta SET value = (SELECT sequence || ':' || hash FROM journal WHERE sequence = 40)"
        " WHERE key = 'journal_head'",
    )
    document = verified(synced, code=1)
    assert document["broken"] is None
    assert {each["table"] for each in document["altered"]} > {"runs", "seals"}
    document = verified(synced, "--head", noted, code=1)
    assert document["broken"]["sequence"] == 41
    assert f"the trail had {ROWS} rows" in document["broken"]["problem"]
    assert document["compared"] == {"head": noted, "found": "broken"}


def test_of_a_row_that_is_not_the_noted_one_only_those_before_it_are_said_to_fit(synced: Rig) -> None:
    document = verified(synced, "--head", f"20:{'0' * 64}", code=1)

    assert document["broken"]["sequence"] == 20
    assert document["rows"] == 19
    assert (
        "19 rows before it fit together"
        in synced.run("audit", "verify", "--head", f"20:{'0' * 64}", code=1).stdout
    )


def test_a_noted_head_is_still_a_row_after_more_was_written(synced: Rig) -> None:
    noted = verified(synced)["head"]
    synced.okta.world.unassign("p19@example.com")
    synced.sync()
    document = verified(synced, "--head", noted)
    assert document["compared"] == {"head": noted, "found": "row"}
    assert document["length"] > ROWS
    assert "is a row of it" in synced.run("audit", "verify", "--head", noted).stdout


@pytest.mark.parametrize("head", ["50", "50:abc", "x:" + "0" * 64, ":" + "0" * 64, "-1:" + "0" * 64])
def test_a_head_that_is_none_is_a_usage_error(synced: Rig, head: str) -> None:
    assert "SEQUENCE:HASH" in synced.run("audit", "verify", "--head", head, code=64).stderr


def test_verifying_and_exporting_leave_the_store_untouched_and_work_on_a_copy(
    synced: Rig, tmp_path: Path
) -> None:
    original = synced.store.read_bytes()
    expected = exported(synced), verified(synced)
    assert synced.store.read_bytes() == original
    copy = tmp_path / "copy"
    (copy / "state").mkdir(parents=True)
    (copy / "state" / "acme.db").write_bytes(original)
    (copy / "acme.toml").write_text(synced.config.read_text())
    (copy / "state" / "acme.db").chmod(0o400)
    moved = Rig(synced.okta, synced.split, copy)
    assert (exported(moved), verified(moved)) == expected
    assert sorted(path.name for path in (copy / "state").iterdir()) == ["acme.db"]


def test_a_store_that_was_never_written_has_an_empty_trail(tmp_path: Path) -> None:
    with rig(tmp_path, users=0, groups=0, pushed=[]) as made:
        assert verified(made)["length"] == 0
        assert exported(made) == []
        assert "is empty" in made.run("audit", "verify").stdout
        assert not made.store.exists()
        noted = f"7:{'a' * 64}"
        assert verified(made, "--head", noted, code=1)["broken"]["sequence"] == 1


def test_help_is_shown_without_a_subcommand(synced: Rig) -> None:
    for name in ("verify", "export"):
        assert name in synced.run("audit", "--help").stdout
    assert "verify" in synced.run("audit", code=64).stderr


# export


def test_the_export_tells_of_every_row_in_order_what_when_why_and_with_what_answer(synced: Rig) -> None:
    rows = exported(synced)
    assert [row["sequence"] for row in rows] == list(range(1, ROWS + 1))
    assert all(len({*row} ^ {*rows[0]}) == 0 for row in rows)
    intent = next(row for row in rows if row["kind"] == "create_user" and row["object"] == "p03@example.com")
    outcome = next(row for row in rows if row["refers"] == intent["sequence"])
    assert (intent["entry"], outcome["entry"]) == ("intent", "outcome")
    assert intent["after"]["userName"] == "p03@example.com"
    assert intent["reason"] == "assigned directly"
    assert datetime.fromisoformat(intent["at"]) <= datetime.now(UTC)
    for key in ("change", "object", "before", "after", "reason", "okta_id", "run_id"):
        assert outcome[key] == intent[key] is not None
    assert (outcome["status"], outcome["applied"], outcome["error"]) == (201, True, None)
    assert outcome["effects"][0]["user"] == outcome["okta_id"]
    member = next(row for row in rows if row["kind"] == "add_member")
    assert member["object"] == "p00@example.com in Crew"
    assert [row["previous"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]


def test_the_trail_names_the_requests_that_were_sent_as_the_target_saw_them(synced: Rig) -> None:
    world = synced.okta.world
    for number in (4, 5, 6):
        world.update_profile(f"p{number:02}@example.com", lastName="Renamed")
    world.unassign("p07@example.com")
    world.remove_member("Crew", "p00@example.com")
    world.add_member("Crew", "p09@example.com")
    world.add_user("new@example.com", "N", "New", assign=True)
    synced.split.faults.add("status", method="PATCH", path="/Users", count=1, status=503)
    synced.sync()
    world.assign("p07@example.com")
    world.add_user("bad@example.com", "B", "Bad", assign=True)
    synced.split.faults.add("status", method="POST", path="/Users", count=1, status=400)
    synced.sync(code=4)

    rows = exported(synced)

    told = {row["kind"]: row["request"] for row in rows if row["entry"] == "outcome"}
    assert set(told) == {
        *("create_user", "update_user", "deactivate_user", "reactivate_user"),
        *("create_group", "add_member", "remove_member"),
    }
    asked = {request for row in rows for request in (row["request"] or "").split(", ") if request}
    assert asked == {write.replace("/scim/v2", "") for write in synced.writes()}
    assert all((row["request"] is None) is (row["entry"] != "outcome") for row in rows)
    reports = synced.run("report", "--format", "json").document
    assert {row["request"] for row in reports["changes"]} <= {row["request"] for row in rows}


def test_nothing_that_was_not_sent_is_named_as_sent(synced: Rig) -> None:
    """A write that waits for somebody else's, and one whose end was found out by asking."""
    world = synced.okta.world
    world.add_user("new@example.com", "N", "New", assign=True)
    world.add_member("Crew", "new@example.com")
    synced.split.faults.add("status", method="POST", path="/Users", count=1, status=400)
    synced.sync(code=4)

    rows = {row["kind"]: row for row in exported(synced) if row["entry"] == "outcome"}

    assert rows["create_user"]["request"] == "POST /Users"
    assert (rows["add_member"]["deferred"], rows["add_member"]["request"]) == (True, None)


def test_the_export_says_who_approved_what_and_on_what_evidence(synced: Rig) -> None:
    for number in range(8, 20):
        synced.okta.world.unassign(f"p{number:02}@example.com")
    synced.sync(code=3)
    decision = synced.run("approve", "--all", "--json").document
    synced.okta.world.unassign("p00@example.com")
    synced.sync(code=3)

    rows = exported(synced)

    note = next(row for row in rows if row["kind"] == "approve")
    assert (note["kind"], note["details"]["by"]) == ("approve", decision["decided_by"])
    removals = [row for row in rows if row["kind"] == "deactivate_user"]
    assert len(removals) == 24
    assert {row["approved_by"] for row in removals} == {decision["decided_by"]}
    assert {row["approved_at"] for row in removals} == {note["at"]}
    assert {row["change"] for row in removals} == set(note["details"]["changes"])
    assert all("404" in row["evidence"] for row in removals)
    assert {row["approved_by"] for row in rows if row["kind"] == "create_user"} == {None}


def test_a_failure_is_exported_with_its_error(synced: Rig) -> None:
    synced.okta.world.add_user("new@example.com", "N", "New", assign=True)
    synced.split.faults.add("status", method="POST", path="/Users", count=1, status=400)
    synced.sync(code=4)
    intent, outcome, end = [row for row in exported(synced) if row["run_id"]][-3:]
    assert (end["kind"], end["details"]["run"]["status"]) == ("run", "partial")
    assert (intent["object"], intent["applied"], intent["status"]) == ("new@example.com", None, None)
    assert (outcome["object"], outcome["after"]) == ("new@example.com", intent["after"])
    assert (outcome["applied"], outcome["deferred"], outcome["status"]) == (False, False, 400)
    assert "400" in outcome["error"]


def test_no_secret_is_exported_in_whatever_field_it_stands(
    synced: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_NOTIFY", "slack://TokenA1234567/TokenB1234567")
    crew = '[[push_groups]]\nsource = { name = "Crew" }\n'
    synced.write_config(rules=crew + '[notify]\nurls = [{ env = "E2E_NOTIFY" }]')
    synced.okta.world.update_profile("p05@example.com", givenName="slack://TokenA1234567/TokenB1234567")
    synced.okta.world.update_profile("p06@example.com", givenName="Bearer abc123secret456")
    synced.sync()

    text = synced.run("audit", "export").stdout

    assert "TokenA1234567" not in text
    assert "abc123secret456" not in text
    changes = {row["object"]: row["after"] for row in rows_in(text)}
    assert changes["p05@example.com"]["name.givenName"] == "[redacted]"
    assert changes["p06@example.com"]["name.givenName"] == "Bearer [redacted]"


def test_one_run_or_the_last_days_are_exported_alone(synced: Rig) -> None:
    synced.okta.world.unassign("p19@example.com")
    run_id = synced.sync()["run_id"]
    rows = exported(synced, "--run", run_id)
    assert [(row["entry"], row["kind"]) for row in rows] == [
        ("intent", "deactivate_user"),
        ("outcome", "deactivate_user"),
        ("note", "run"),
    ]
    assert len(exported(synced, "--since", "1h")) == ROWS + 6
    time.sleep(1.1)
    assert exported(synced, "--since", "1s") == []
    nothing = synced.run("audit", "export", "--run", "nobody")
    assert nothing.stdout == ""
    assert "no row of the audit trail belongs to a run nobody" in nothing.stderr
    assert "is not a duration" in synced.run("audit", "export", "--since", "soon", code=64).stderr


def test_a_file_is_whole_private_and_replaced_in_one_step(synced: Rig, tmp_path: Path) -> None:
    file = tmp_path / "trail.jsonl"
    file.write_text("old")
    file.chmod(0o644)
    answer = synced.run("audit", "export", "-o", str(file))
    assert answer.stdout == ""
    assert f"{ROWS} rows" in answer.stderr
    assert rows_in(file.read_text()) == exported(synced)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    document = synced.run("audit", "export", "-o", str(file), "--json").document
    assert document == {"schema": "syncd.audit/1", "connection": "acme", "file": str(file), "rows": ROWS}

    before = file.read_bytes()
    tamper(synced, "UPDATE journal SET body = '{' WHERE sequence = 9")
    assert "row 9" in synced.run("audit", "export", "-o", str(file), code=1).stderr
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acme.toml", "state", "trail.jsonl"]


def test_a_file_that_cannot_be_written_is_an_error(synced: Rig, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in ("missing/trail.jsonl", "link", "state"):
        answer = synced.run("audit", "export", "-o", str(tmp_path / path), code=1)
        assert "Name another file" in answer.stderr
    assert not (tmp_path / "elsewhere").exists()


def test_with_json_the_export_is_one_document(synced: Rig) -> None:
    document = synced.run("audit", "export", "--json").document
    assert document["schema"] == "syncd.audit/1"
    assert document["entries"] == exported(synced)


def test_the_trail_is_verified_and_exported_while_a_sync_runs(tmp_path: Path) -> None:
    with rig(tmp_path, users=100, groups=6) as made:
        made.split.faults.add("hold", method="POST", path="/Users", count=-1, latch="write")
        environment = {**os.environ, "E2E_OKTA": OKTA_TOKEN, "E2E_SPLIT": SPLIT_TOKEN}
        command = [sys.executable, "-m", "syncd", "sync", "-q", "-c", str(made.config)]
        with subprocess.Popen(command, env=environment) as process:
            lengths: list[tuple[int, int]] = []
            while len(set(lengths)) < 3:  # what was answered is stored a moment later
                made.split.latches.wait_for("write")
                lengths.append((len(exported(made)), verified(made)["rows"]))
                made.split.latches.release("write")
            made.split.faults.clear()
            while process.poll() is None:
                made.split.latches.release("write")
                lengths.append((len(exported(made)), verified(made)["rows"]))
        assert process.returncode == 0
        assert all(0 < rows <= length for rows, length in lengths)
        assert [row["sequence"] for row in exported(made)] == list(range(1, verified(made)["length"] + 1))


def test_a_pruned_trail_is_intact_until_its_boundary_is_forged(synced: Rig) -> None:
    noted = verified(synced)["head"]
    later = datetime.now(UTC) + timedelta(days=500)
    with open_store(synced.store, connection="acme", clock=lambda: later) as store:
        assert store.prune(timedelta(days=400)) == ROWS
    synced.okta.world.unassign("p19@example.com")
    synced.sync()

    document = verified(synced, "--head", noted)
    assert (document["intact"], document["rows"], document["pruned"]) == (True, 7, ROWS)
    assert document["length"] == ROWS + 7
    assert f"{ROWS} rows pruned behind a checkpoint" in synced.run("audit", "verify").stdout
    old = verified(synced, "--head", f"1:{'a' * 64}")
    assert old["compared"]["found"] == "pruned"
    assert [row["kind"] for row in exported(synced)] == [
        *("checkpoint", "seal", "deactivate_user", "deactivate_user", "seal", "run", "seal")
    ]

    checkpoint = ROWS + 1
    tamper(
        synced,
        f"UPDATE journal SET body = replace(body, '\"rows\":{ROWS}', '\"rows\":1')"  # noqa: S608
        f" WHERE sequence = {checkpoint}",
    )
    assert verified(synced, code=1)["broken"] == {
        "sequence": checkpoint,
        "problem": "its content was changed",
    }


def test_a_full_run_prunes_what_is_older_than_keep_and_ends_with_the_head_of_the_trail(
    tmp_path: Path,
) -> None:
    okta = OktaWorld()
    okta.add_user("ada@example.com", "Ada", "L", assign=True)
    with arena(tmp_path, okta, tables={"safety": "\n[audit]\nkeep = '30d'"}) as made:
        first = made.cycle().result
        assert first is not None
        assert first.audit is not None
        assert first.audit[0] == 6
        made.later(timedelta(days=40))

        last = made.cycle().result

        assert last is not None
        with open_store(made.store_path, connection="chaos", clock=made.clock) as store:
            rows = [row.body.keys() - {"seals"} for row in store.journal_entries()]
            assert rows == [set(), {"checkpoint"}, {"run"}]
            assert last.document()["audit"] == dict(
                zip(("length", "head"), store.journal_head(), strict=True)
            )
