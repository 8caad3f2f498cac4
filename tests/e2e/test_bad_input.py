"""What bad input gets: an end before any write, a sentence that names the thing, and the contract's exit code."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import Rig, rig


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, users=10, groups=2) as each:
        yield each


def _swap(old: str, new: str) -> Callable[[Rig], None]:
    def change(made: Rig) -> None:
        text = made.config.read_text()
        assert old in text
        made.config.write_text(text.replace(old, new))

    return change


def _wrong_okta_token(made: Rig) -> None:
    _swap('{ env = "E2E_OKTA" }', '"00wrong-token-0000"')(made)


def _wrong_split_token(made: Rig) -> None:
    _swap('{ env = "E2E_SPLIT" }', '"wrong-split-token"')(made)


def _unknown_app(made: Rig) -> None:
    _swap(made.okta.world.app.id, "0oaUNKNOWN00000000")(made)


def _inactive_app(made: Rig) -> None:
    made.okta.world.set_app(status="INACTIVE")


def _web_page(made: Rig) -> None:
    made.split.faults.add("html", path="/scim/v2", count=-1, status=200)


def _nothing_there(made: Rig) -> None:
    _swap("/scim/v2", "/scim/wrong")(made)


def _plain_http(made: Rig) -> None:
    _swap(made.split.base_url, "http://split.example/scim/v2")(made)


def _unreadable_secret(made: Rig) -> None:
    _swap('{ env = "E2E_OKTA" }', '{ file = "nowhere/token" }')(made)


def _malformed(made: Rig) -> None:
    made.config.write_text('[okta\norg_url = "x')


def _missing(made: Rig) -> None:
    made.config.unlink()


def _not_sqlite(made: Rig) -> None:
    made.store.parent.mkdir(exist_ok=True)
    made.store.write_text("this is no database, " * 400)


def _newer_store(made: Rig) -> None:
    made.sync()
    made.okta.world.add_user("later@example.com", "La", "Ter", assign=True)
    made.forget()
    with sqlite3.connect(made.store) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('syncd', 'm999_future', '2030')"
        )


def _no_directory(made: Rig) -> None:
    (made.folder / "state").write_text("a file where the directory should be")


def _second_writer(made: Rig) -> None:
    made.okta.world.set_app(features=["GROUP_PUSH", "PUSH_NEW_USERS"])


BAD: dict[str, tuple[Callable[[Rig], None], set[int], str]] = {
    "a wrong Okta token": (_wrong_okta_token, {1}, "token"),
    "a wrong Split token": (_wrong_split_token, {1}, "token"),
    "an unknown app id": (_unknown_app, {1}, "0oaUNKNOWN00000000"),
    "an inactive app": (_inactive_app, {1}, "INACTIVE"),
    "a base URL that answers a web page": (_web_page, {1}, "base_url"),
    "a base URL that answers 404": (_nothing_there, {1}, "base_url"),
    "plain http": (_plain_http, {78}, "https"),
    "an unreadable secret": (_unreadable_secret, {78}, "nowhere/token"),
    "a malformed file": (_malformed, {78}, "acme.toml"),
    "a missing file": (_missing, {78}, "acme.toml"),
    "a store that is not SQLite": (_not_sqlite, {1, 78}, "acme.db"),
    "a store from a newer version": (_newer_store, {1, 78}, "newer"),
    "a state directory that cannot be": (_no_directory, {1, 78}, "state"),
    "Okta's own provisioning": (_second_writer, {3}, "coexist"),
}


@pytest.mark.parametrize("name", BAD)
def test_it_ends_before_any_write_with_a_sentence(made: Rig, name: str) -> None:
    spoil, codes, word = BAD[name]
    spoil(made)

    answer = made.run("sync", "--json", code=None)
    made.run("sync", code=answer.exit_code)

    assert answer.exit_code in codes
    said = " ".join(str(value) for value in answer.document.values())
    assert word in said
    assert answer.document["schema"] == "syncd.error/1" or answer.document["errors"]
    assert "Traceback" not in answer.stderr
    assert made.writes() == []


def test_with_coexist_two_writers_are_allowed_and_check_says_so(made: Rig) -> None:
    _second_writer(made)
    made.write_config(okta="coexist = true")
    made.sync()
    made.assert_exact()
    checks = made.run("check", "--json").document["checks"]
    assert any("provision" in check["detail"].lower() and check["state"] == "warn" for check in checks)


def test_check_passes_on_a_good_connection_and_writes_nothing(made: Rig) -> None:
    document = made.run("check", "--json").document
    assert document["ok"] is True
    names = {check["name"] for check in document["checks"]}
    assert {"create users", "update attributes", "push groups"} <= names
    assert made.writes() == []
    assert not made.store.exists()


def test_released_objects_are_left_alone(made: Rig) -> None:
    made.sync()
    world = made.okta.world
    someone = next(row.id for row in world.app_users.values() if row.direct)
    made.run("release", someone, "--json")
    made.run("release", "Engineering", "--json")
    before = made.actual_people(), made.actual_groups()
    world.unassign(someone, everywhere=True)
    world.add_member("Engineering", next(iter(world.app_users)))

    made.sync()

    assert made.actual_people() == before[0]
    assert made.actual_groups()["Engineering"] == before[1]["Engineering"]


def test_status_tells_of_runs_without_asking_anybody(made: Rig) -> None:
    made.sync()
    made.forget()
    document = made.run("status", "--json").document
    assert document["managed"]["active_users"] == len(made.wanted_people())
    assert document["runs"][0]["status"] == "succeeded"
    assert made.okta.requests == []
    assert made.split.requests == []
