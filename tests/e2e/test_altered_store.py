"""Whoever writes into the store by hand lets no removal pass: it is held, and the trail names nobody who asked."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from syncd.errors import ConfigurationError
from syncd.store.sqlite.opening import open_store
from syncd.wiring import utc_now
from tests.e2e.rig import Rig, synced_crew


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    with synced_crew(tmp_path, people=40, members=20) as made:
        yield made


def by_hand(made: Rig, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(made.store)) as conn:
        assert conn.execute(statement, values).rowcount != 0
        conn.commit()


def checks(document: dict[str, list[dict[str, str]]]) -> set[str]:
    return {hold["check"] for hold in document["holds"]}


PEOPLE_WHO_DO_NOTHING = """
WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 2000)
INSERT INTO users (okta_id, standing, wish, attributes, name_key, folded_name, digest, revision, released,
    scim_id, pushed_attributes, pushed_active, invited)
SELECT 'x' || n, 'frozen', (SELECT wish FROM users LIMIT 1), '{}', 'x' || n, 'x' || n, x'00', 0, 1, 's' || n, '{}', 1, 0
FROM number
"""


def test_people_added_by_hand_raise_no_limit(synced: Rig) -> None:
    for number in range(16, 40):
        synced.okta.world.unassign(f"p{number:02}@example.com")
    assert checks(synced.sync(code=3)) == {"deactivations"}
    by_hand(synced, PEOPLE_WHO_DO_NOTHING)
    synced.forget()

    result = synced.sync(code=3)

    assert checks(result) == {"altered_store"}
    assert synced.writes() == []
    assert len(synced.actual_people()) == 40


def test_a_scope_forgotten_by_hand_decides_no_change_of_settings(synced: Rig) -> None:
    synced.okta.world.set_user_status("p30@example.com", "SUSPENDED")
    synced.sync()
    synced.write_config(provisioning='suspended_users = "deactivate"')
    assert checks(synced.sync(code=3)) == {"scope_change"}
    by_hand(synced, "DELETE FROM facts WHERE key = 'scope'")

    assert checks(synced.plan(code=3)) == {"altered_store"}
    assert checks(synced.sync(code=3)) == {"altered_store"}

    assert "p30@example.com" in synced.actual_people()
    altered = synced.run("audit", "verify", "--json", code=1).document["altered"]
    assert {each["table"] for each in altered} == {"facts"}


def test_an_unlinking_that_nobody_asked_for_names_nobody(synced: Rig) -> None:
    with closing(sqlite3.connect(synced.store)) as conn:
        (scim_id,) = conn.execute("SELECT scim_id FROM groups").fetchone()
    asked = json.dumps(["unlink", "boss@host", scim_id, "Crew", None])
    by_hand(synced, "UPDATE groups SET asked = ?", asked)

    assert checks(synced.sync(code=3)) == {"altered_store"}

    assert "boss@host" not in synced.run("audit", "export").stdout


def test_a_person_may_let_them_pass(synced: Rig) -> None:
    synced.okta.world.unassign("p30@example.com")
    by_hand(synced, "DELETE FROM facts WHERE key = 'scope'")
    [hold] = synced.sync(code=3)["holds"]
    assert "behind syncd's back" in hold["reason"]

    synced.run("approve", hold["id"], "--now", "--json")

    assert "p30@example.com" not in synced.actual_people()


def test_who_comes_and_changes_is_not_stopped_by_it(synced: Rig) -> None:
    by_hand(synced, "DELETE FROM facts WHERE key = 'scope'")
    synced.okta.world.add_user("new@example.com", "N", "ew", assign=True)
    assert synced.sync()["summary"]["applied"] == {"create_user": 1}


# --- what acts in the store or answers for it -------------------------------------------------------

A_CROWD_WITH_EVERY_RUN = """
CREATE TRIGGER helpful AFTER INSERT ON runs BEGIN
    INSERT OR IGNORE INTO users (okta_id, standing, wish, attributes, name_key, folded_name, digest, revision, released,
        scim_id, pushed_attributes, pushed_active, invited)
    SELECT 'x' || n, 'frozen', wish, '{}', 'x', 'x', x'00', 0, 1, 's' || n, '{}', 1, 0
    FROM (SELECT a.rowid || '-' || b.rowid AS n, a.wish FROM users a, users b);
END
"""


def change_schema(made: Rig, statement: str) -> None:
    with closing(sqlite3.connect(made.store)) as conn:
        conn.execute(statement)
        conn.commit()


def leave_behind(made: Rig, index: str) -> None:
    """The index has none of the rows that it is to have; its text is as it was."""
    with closing(sqlite3.connect(made.store)) as conn:
        (text,) = conn.execute("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        head, _, where = text.partition(" WHERE ")
        conn.execute(f"DROP INDEX {index}")
        conn.execute(f"{head} WHERE ({where}) AND sequence < 0" if where else f"{head} WHERE sequence < 0")
        conn.execute("PRAGMA writable_schema = ON")
        conn.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (text, index))
        conn.commit()


@pytest.mark.parametrize(
    "statement",
    [A_CROWD_WITH_EVERY_RUN, "CREATE VIEW who AS SELECT * FROM users", "CREATE TABLE json_each (value, key)"],
    ids=["a trigger", "a view", "a table in the place of a function"],
)
def test_nothing_of_somebody_elses_acts_in_what_syncd_writes_and_seals(synced: Rig, statement: str) -> None:
    for number in range(16, 40):
        synced.okta.world.unassign(f"p{number:02}@example.com")
    change_schema(synced, statement)
    synced.forget()

    for _ in range(2):
        synced.run("sync", code=78)

    assert synced.writes() == []
    assert synced.run("audit", "verify", code=1).stdout.count("syncd did not make it") == 1


def test_a_trigger_that_comes_under_a_running_writer_is_noticed_by_the_next_transaction(synced: Rig) -> None:
    with open_store(synced.store, connection="acme", clock=utc_now) as store:
        store.remember("before", "1")
        change_schema(synced, A_CROWD_WITH_EVERY_RUN)
        with pytest.raises(ConfigurationError, match="trigger helpful"):
            store.begin_run("sync")
    with closing(sqlite3.connect(synced.store)) as conn:
        assert conn.execute("SELECT count(*) FROM users WHERE okta_id LIKE 'x%'").fetchone() == (0,)


def test_an_index_that_was_left_behind_raises_no_limit(synced: Rig) -> None:
    synced.okta.world.unassign("p39@example.com")
    synced.sync()
    synced.okta.world.unassign("p38@example.com")
    leave_behind(synced, "journal_applied")

    assert checks(synced.sync(code=3)) == {"altered_store"}

    assert "p38@example.com" in synced.actual_people()


def test_an_approval_for_another_reason_is_none_for_an_altered_store(synced: Rig) -> None:
    for number in range(16, 40):
        synced.okta.world.unassign(f"p{number:02}@example.com")
    [hold] = synced.sync(code=3)["holds"]
    by_hand(synced, "DELETE FROM facts WHERE key = 'scope'")
    synced.run("approve", hold["id"])

    result = synced.sync(code=3)

    assert checks(result) == {"altered_store"}
    assert len(synced.actual_people()) == 40
    synced.run("approve", result["holds"][0]["id"])
    synced.sync()
    assert len(synced.actual_people()) == 16


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE holds SET reason = 'a test with bots'",
        "UPDATE hold_changes SET document = replace(document, '@example.com', '@bots.example')",
        "UPDATE hold_changes SET document = replace(document, 'deactivate_user', 'delete_group')",
    ],
    ids=["its reason", "its names", "what it does"],
)
def test_nobody_approves_what_a_hold_was_made_to_show(synced: Rig, statement: str) -> None:
    for number in range(16, 40):
        synced.okta.world.unassign(f"p{number:02}@example.com")
    [hold] = synced.sync(code=3)["holds"]
    by_hand(synced, statement)

    shown = synced.run("held", code=None)
    said = synced.run("approve", hold["id"], "--now", code=None)

    assert "behind syncd's back" in shown.stderr
    assert said.exit_code in (1, 3)
    assert "behind syncd's back" in said.stderr
    assert len(synced.actual_people()) == 40
