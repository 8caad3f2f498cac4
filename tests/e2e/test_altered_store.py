"""Whoever writes into the store by hand lets no removal pass: it is held, and the trail names nobody who asked."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

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
