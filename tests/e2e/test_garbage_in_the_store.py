"""What somebody else wrote into the store: a documented error that says so, or the place is simply looked for again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.engine.facts import COMPLETE_READ, CURSOR, LAST_DRIFT, QUARANTINE
from tests.e2e.rig import Rig, rig

COMMANDS = ("status", "sync", "report")
ALL = (*COMMANDS, "plan", "held", "drift", "audit verify", "explain x@example.com")
TEXTS: dict[str, object] = {
    "nothing": "", "no JSON": "{", "bytes": b"\xff\x00", "a number": 7, "a list": "[1]", "null": "null",
    "nested without end": "[" * 100_000, "digits without end": "9" * 5000, "half a character": '"\\ud800"',
    "another text": '"x"', "another document": json.dumps('{"since": 1}'), "no document": json.dumps("[]"),
    "a last drift in the year 9999": json.dumps('{"created_at": "9999-12-31T23:59:59+00:00"}'),
    "the last day": json.dumps("9999-12-31T23:59:59Z"),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("garbage"), users=6, groups=2) as each:
        each.sync()
        each.run("drift", code=None)
        yield each


def _put(store: Path, key: str, value: object) -> None:
    with sqlite3.connect(store) as conn:
        conn.execute("INSERT OR REPLACE INTO facts (key, value) VALUES (?, ?)", (key, value))
    conn.close()


@pytest.mark.parametrize("what", TEXTS)
@pytest.mark.parametrize(
    "key", [CURSOR.key, QUARANTINE.key, LAST_DRIFT.key, COMPLETE_READ.key, "assignments", "learned"]
)
def test_garbage_ends_in_documented_errors(made: Rig, key: str, what: str) -> None:
    with sqlite3.connect(made.store) as conn:
        before = conn.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
    conn.close()
    try:
        _put(made.store, key, TEXTS[what])
        for command in ALL if what == "no JSON" else COMMANDS:
            made.forget()
            answer = made.run(*command.split(), code=None)
            assert answer.exit_code in {0, 1, 2, 3, 4, 64}, answer
            assert "unexpected" not in answer.stderr
            assert "Traceback" not in answer.stderr
    finally:
        with sqlite3.connect(made.store) as conn:
            conn.execute("DELETE FROM facts WHERE key = ?", (key,))
            if before:
                conn.execute("INSERT INTO facts (key, value) VALUES (?, ?)", (key, *before))
        conn.close()


def test_what_cannot_be_read_is_named_with_a_way_out(made: Rig) -> None:
    _put(made.store, QUARANTINE.key, "{")

    answer = made.run("status", code=1)

    assert "is damaged: a value in it cannot be read" in answer.stderr
    assert "finds whoever is assigned again" in answer.stderr
    _put(made.store, QUARANTINE.key, json.dumps("[]"))
    assert (
        "the quarantine of the connection, as the store keeps it, cannot be read"
        in made.run("status", code=1).stderr
    )
