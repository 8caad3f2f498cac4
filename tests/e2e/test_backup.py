"""`syncd backup` and `syncd restore`: whole while others write, back where it belongs, no empty store by accident."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from syncd.settings import load
from syncd.store import open_store
from syncd.wiring import open_for_writing, utc_now
from tests.e2e.rig import Rig, crew, synced_crew


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    with synced_crew(tmp_path, people=12, members=5) as made:
        yield made


def backed_up(made: Rig, name: str = "saved.backup") -> Path:
    file = made.folder / name
    made.run("backup", str(file))
    return file


def refused(made: Rig, file: Path, *, code: int = 3) -> str:
    """What restore says; the store is the one that it was."""
    before = made.store.read_bytes()
    said = made.run("restore", str(file), code=code).stderr
    assert made.store.read_bytes() == before
    assert not list(made.store.parent.glob("*.replaced-*"))
    return " ".join(said.split())


def _rows(file: Path) -> int:
    with closing(sqlite3.connect(file)) as copy:
        [count] = copy.execute("SELECT count(*) FROM journal").fetchone()
        return int(count)


def test_a_backup_made_while_a_sync_writes_is_whole_and_elsewhere_the_next_sync_writes_nothing(
    tmp_path: Path,
) -> None:
    with crew(tmp_path, people=60, members=20) as made:
        made.split.faults.add("delay", path=r"/Users", count=-1, seconds=0.05)
        made.sync("--user", "p00@example.com")
        command = [sys.executable, "-m", "syncd", "sync", "-c", str(made.config)]
        files: list[Path] = []
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as writer:
            while writer.poll() is None:
                files.append(backed_up(made, f"saved-{len(files)}"))
        assert writer.returncode == 0
        whole = made.run("audit", "verify", "--json").document["rows"]
        early = [file for file in files if 1 < _rows(file) < whole]  # the last ones were made while it ended

        made.split.faults.clear()
        made.run("restore", str(early[-1]))

        assert made.run("audit", "verify", "--json").document["intact"]
        made.run("resume")
        made.forget()
        made.sync()
        assert made.writes() == []
        result = made.sync()
        assert result["summary"]["applied"] == {}
        made.assert_exact()


def test_what_was_done_after_the_copy_was_made_is_not_written_again(tmp_path: Path) -> None:
    with synced_crew(tmp_path, people=60, members=50) as made:
        file, world = backed_up(made), made.okta.world
        world.unassign("p00@example.com")
        world.update_profile("p01@example.com", lastName="Married")
        world.remove_member("Crew", "p02@example.com")
        world.add_member("Crew", "p55@example.com")
        made.sync_to_exact()
        world.add_member("Crew", "p56@example.com")

        made.run("restore", str(file))
        made.run("resume")
        made.forget()
        planned = {kind: n for kind, n in made.plan()["summary"].items() if n}
        assert made.sync()["summary"]["applied"] == planned
        assert len(made.writes()) == 1  # the new member

        made.forget()
        assert made.sync()["summary"]["applied"] == {}
        made.assert_exact()
        world.add_member("Crew", "p57@example.com")
        made.forget()
        made.sync()
        looked = [r for r in made.split.requests if r.method == "GET"]
        assert len(made.writes()) == 1
        assert looked == []  # nothing is looked for any more


def test_what_is_held_after_a_restore_is_looked_for_too_once_it_is_approved(tmp_path: Path) -> None:
    with synced_crew(tmp_path, people=60, members=5) as made:
        file, world = backed_up(made), made.okta.world
        for n in range(30):
            world.unassign(f"p{n:02}@example.com")
        [hold] = made.sync(code=3)["holds"]
        made.run("approve", hold["id"], "--now")
        made.assert_exact()

        made.run("restore", str(file))
        made.run("resume")
        [hold] = made.sync(code=3)["holds"]
        made.forget()
        made.run("approve", hold["id"], "--now")
        assert made.writes() == []
        made.assert_exact()

        assert made.sync()["summary"]["applied"] == {}
        made.okta.world.unassign("p30@example.com")
        made.forget()
        made.sync()
        assert [r.method for r in made.split.requests] == ["PATCH"]  # nothing is looked for any more


def test_a_backup_is_one_private_file_that_needs_no_other_program(synced: Rig) -> None:
    file = synced.folder / "saved.backup"
    document = synced.run("backup", str(file), "--json").document

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert document["bytes"] == file.stat().st_size
    assert document["head"] == synced.run("audit", "verify", "--json").document["head"]
    assert [path.name for path in synced.folder.iterdir() if path.name.startswith((".", "saved"))] == [
        file.name
    ]


def test_a_backup_overwrites_nothing(synced: Rig) -> None:
    file = synced.folder / "saved.backup"
    file.write_text("somebody's")

    said = synced.run("backup", str(file), code=1).stderr

    assert "exists and is left as it is" in said
    assert file.read_text() == "somebody's"


def test_no_backup_is_made_of_a_store_that_was_changed_by_hand(synced: Rig) -> None:
    with closing(sqlite3.connect(synced.store)) as conn:
        conn.execute("UPDATE users SET pushed_active = 0")
        conn.commit()

    said = synced.run("backup", str(synced.folder / "saved.backup"), code=1).stderr

    assert "audit verify" in said
    assert not (synced.folder / "saved.backup").exists()


def test_no_backup_is_made_where_there_is_no_store(tmp_path: Path) -> None:
    with crew(tmp_path, people=1, members=1) as made:
        made.run("backup", str(tmp_path / "saved.backup"), code=1)
        assert not (tmp_path / "saved.backup").exists()
        assert not made.store.exists()


def test_a_backup_into_the_directory_of_the_stores_is_no_store_of_somebody(synced: Rig) -> None:
    said = synced.run("backup", str(synced.store.with_name("other.db")), code=1).stderr
    assert "Name another file" in said


def test_a_restore_keeps_the_store_that_was_there_and_says_so_in_the_trail(synced: Rig) -> None:
    file = backed_up(synced)
    synced.okta.world.unassign("p11@example.com")
    synced.sync()

    document = synced.run("restore", str(file), "--json").document

    kept = Path(document["kept"])
    assert kept.parent == synced.store.parent
    assert stat.S_IMODE(synced.store.stat().st_mode) == 0o600
    assert not list(synced.store.parent.glob("*-wal"))
    rows = [row for row in synced.run("audit", "export").stdout.splitlines() if '"restore"' in row]
    assert len(rows) == 1
    assert synced.run("audit", "verify", "--json").document["intact"]
    kept.rename(synced.folder / "kept")
    synced.run("restore", str(synced.folder / "kept"))
    synced.run("resume")
    assert synced.sync()["summary"]["applied"] == {}


def test_a_restore_is_refused_while_somebody_has_the_writers_lock(synced: Rig) -> None:
    file = backed_up(synced)
    [settings] = load([synced.config], environ=os.environ).connections
    with open_for_writing(settings, owner="the other one"):
        said = synced.run("restore", str(file), code=3).stderr
    assert "the other one" in said
    synced.run("restore", str(file))


def test_a_restore_is_refused_while_somebody_has_the_file_open(synced: Rig) -> None:
    file = backed_up(synced)
    with closing(open_store(synced.store, connection="acme", clock=utc_now)):
        synced.run("restore", str(file), code=1)
    assert synced.sync()["summary"]["applied"] == {}


def test_a_damaged_backup_is_refused(synced: Rig) -> None:
    file = backed_up(synced)
    data = bytearray(file.read_bytes())
    data[len(data) // 2 :] = os.urandom(len(data) - len(data) // 2)
    file.write_bytes(data)
    assert "is not restored" in refused(synced, file)


@pytest.mark.parametrize("data", [b"", b"text", b"SQLite format 3\0" + bytes(4080)])
def test_what_is_no_backup_is_refused(synced: Rig, data: bytes) -> None:
    file = synced.folder / "saved.backup"
    file.write_bytes(data)
    assert str(file) in refused(synced, file)


def test_a_file_that_is_not_there_and_a_directory_are_refused(synced: Rig) -> None:
    assert "there is no file" in refused(synced, synced.folder / "nothing", code=64)
    assert "a directory" in refused(synced, synced.folder, code=64)


def test_a_backup_that_was_changed_by_hand_is_refused(synced: Rig) -> None:
    file = backed_up(synced)
    with closing(sqlite3.connect(file)) as conn:
        conn.execute("UPDATE users SET pushed_active = 0")
        conn.commit()
    assert "users" in refused(synced, file)


def test_a_backup_of_a_newer_version_is_refused(synced: Rig) -> None:
    file = backed_up(synced)
    with closing(sqlite3.connect(file)) as conn:
        conn.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('syncd', 'm999_later', '')"
        )
        conn.commit()
    assert "newer syncd" in refused(synced, file)


@pytest.mark.parametrize(
    ("said", "other", "named"),
    [
        ('name = "acme"', 'name = "other"', "belongs to acme"),
        ("/scim/v2", "/scim/other", "/scim/v2"),
        ('app_id = "', 'app_id = "x', "the app "),
    ],
)
def test_a_backup_of_another_connection_app_or_target_is_refused(
    synced: Rig, said: str, other: str, named: str
) -> None:
    file = backed_up(synced)
    text = synced.config.read_text()
    assert said in text
    synced.config.write_text(text.replace(said, other))
    assert named in " ".join(synced.run("restore", str(file), code=3).stderr.split())
    synced.config.write_text(text)
    assert synced.sync()["summary"]["applied"] == {}


def test_a_damaged_store_is_moved_away_with_its_log_for_a_backup(synced: Rig) -> None:
    file = backed_up(synced)
    synced.store.write_bytes(b"damaged" * 1000)
    synced.store.with_name("acme.db-wal").write_bytes(b"also")

    kept = Path(synced.run("restore", str(file), "--json").document["kept"])

    assert kept.read_bytes() == b"damaged" * 1000
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"also"
    assert synced.run("audit", "verify", "--json").document["intact"]
    synced.run("resume")
    assert synced.sync()["summary"]["applied"] == {}


def test_what_another_program_copied_with_its_log_is_restored_whole(synced: Rig) -> None:
    with closing(sqlite3.connect(synced.store)) as conn:
        conn.execute("BEGIN")
        conn.execute("SELECT count(*) FROM journal").fetchone()
        synced.okta.world.unassign("p11@example.com")
        synced.sync()
        for end in ("", "-wal"):
            shutil.copy(f"{synced.store}{end}", f"{synced.folder / 'copied'}{end}")
    head = synced.run("audit", "verify", "--json").document["head"]

    assert synced.run("restore", str(synced.folder / "copied"), "--json").document["head"] == head


# what was asked for in the copy may have been done since


LEAVERS = ("p10@example.com", "p11@example.com")


def active(made: Rig) -> set[str]:
    """Of those who leave and come back."""
    return {user.user_name for user in made.split.world.users.values() if user.active} & set(LEAVERS)


def leave(made: Rig) -> None:
    for each in LEAVERS:
        made.okta.world.unassign(each)


def come_back(made: Rig) -> None:
    for each in LEAVERS:
        made.okta.world.assign(each)


def test_after_a_restore_nothing_is_written_until_somebody_has_looked(synced: Rig) -> None:
    file = backed_up(synced)
    leave(synced)
    made_at = [row["at"] for row in trail(synced)][-1]

    answer = synced.run("restore", str(file), "--json")
    paused = synced.run("status", "--json").document["pause"]
    synced.forget()
    synced.sync(code=None)

    assert answer.document["paused"] == paused
    assert paused["until"] is None
    assert paused["reason"] == (
        f"restored from a backup of {made_at}: look at syncd plan and syncd drift, then syncd resume"
    )
    assert synced.writes() == []
    synced.run("resume")
    synced.sync()
    assert active(synced) == set()


def trail(made: Rig) -> list[dict[str, Any]]:
    return [json.loads(row) for row in made.run("audit", "export").stdout.splitlines()]


def test_a_request_that_was_open_in_the_backup_is_withdrawn(synced: Rig) -> None:
    synced.write_config(safety="max_deactivations = 0")
    leave(synced)
    synced.run("sync", "--allow", "deactivations=2", "--no-wait")
    file = backed_up(synced)

    said = synced.run("restore", str(file)).stdout

    assert "1 request" in said
    assert [each["state"] for each in synced.run("status", "--json").document["requests"]] == ["withdrawn"]
    assert trail(synced)[-1]["details"]["asked"][0] == "requests=1"
    assert synced.run("audit", "verify", "--json").document["intact"]


def test_a_request_that_somebody_had_taken_in_the_backup_is_withdrawn_too(synced: Rig) -> None:
    synced.run("sync", "--allow", "deactivations=2", "--no-wait")
    [settings] = load([synced.config], environ=os.environ).connections
    with open_for_writing(settings) as store:
        [waiting] = store.requests_to_take()
        assert store.take_request(waiting.id) is not None
    file = backed_up(synced)

    document = synced.run("restore", str(file), "--json").document

    assert document["ended"] == {"requests": 1, "approvals": 0, "expectations": 0}
    with open_for_writing(settings) as store:
        assert list(store.requests_to_take()) == []


def backed_up_after(synced: Rig, decision: str) -> Path:
    """More people left than the limit allows, and somebody decided about all of them."""
    synced.write_config(safety="max_deactivations = 1")
    leave(synced)
    synced.sync(code=3)
    synced.run(decision, "--all")
    return backed_up(synced)


def test_an_approval_of_the_backup_does_not_count_a_second_time(synced: Rig) -> None:
    file = backed_up_after(synced, "approve")
    synced.sync()
    come_back(synced)
    synced.sync()

    document = synced.run("restore", str(file), "--json").document
    synced.run("resume")
    leave(synced)
    synced.sync(code=3)

    assert document["ended"]["approvals"] >= len(LEAVERS)
    assert active(synced) == set(LEAVERS)
    assert synced.run("held", "--decided", "--json").document["decided"] == []
    assert synced.run("audit", "verify", "--json").document["intact"]
    synced.run("approve", "--all")
    synced.sync()
    assert active(synced) == set()


def test_a_rejection_of_the_backup_still_counts(synced: Rig) -> None:
    file = backed_up_after(synced, "reject")

    synced.run("restore", str(file))
    synced.run("resume")
    synced.sync(code=None)

    assert active(synced) == set(LEAVERS)
    assert {each["decision"] for each in synced.run("held", "--decided", "--json").document["decided"]} == {
        "reject"
    }


def test_an_expectation_of_the_backup_is_revoked(synced: Rig) -> None:
    synced.write_config(safety="max_deactivations = 1")
    synced.run("expect", "deactivations=2", "--on", f"{utc_now():%Y-%m-%d}", "--reason", "two leave")
    file = backed_up(synced)

    document = synced.run("restore", str(file), "--json").document
    synced.run("resume")
    leave(synced)
    synced.sync(code=3)

    assert document["ended"] == {"requests": 0, "approvals": 0, "expectations": 1}
    assert synced.run("held", "--json").document["expected"] == []
    assert active(synced) == set(LEAVERS)


# a settings file that was renamed


def nameless(made: Rig, file: str) -> Path:
    text = made.config.read_text().replace('name = "acme"\n', "")
    path = made.folder / file
    path.write_text(text)
    return path


def renamed(made: Rig, *, name: str | None = None) -> Rig:
    """The connection, its settings file under another name, with or without a `name` in it."""
    said = "" if name is None else f'name = "{name}"\n'
    text = made.config.read_text().replace('name = "acme"\n', said)
    made.config.unlink()
    (made.folder / "renamed.toml").write_text(text)
    return Renamed(made.okta, made.split, made.folder)


class Renamed(Rig):
    @property
    def config(self) -> Path:
        return self.folder / "renamed.toml"


@pytest.mark.parametrize("command", ["sync", "plan", "status", "retry", "drift", "backup x"])
def test_a_renamed_settings_file_begins_no_empty_store(synced: Rig, command: str) -> None:
    said = renamed(synced).run(*command.split(), code=78).stderr

    assert 'write name = "acme" into it' in " ".join(said.split())
    assert [path.name for path in synced.store.parent.glob("*.db")] == ["acme.db"]


def test_check_says_so_too(synced: Rig) -> None:
    document = renamed(synced).run("check", "--json", code=78).document

    [line] = [each for each in document["checks"] if each["name"] == "store" and each["state"] == "fail"]
    assert "acme.db" in line["detail"]


def test_a_renamed_settings_file_that_says_its_name_goes_on(synced: Rig) -> None:
    assert renamed(synced, name="acme").sync()["summary"]["applied"] == {}


def test_whoever_wants_a_new_store_says_so_by_its_name(synced: Rig) -> None:
    renamed(synced, name="renamed").sync()
    assert synced.store.with_name("renamed.db").exists()


def test_a_file_beside_the_store_of_another_target_is_nobodys_business(synced: Rig) -> None:
    synced.config.write_text(synced.config.read_text().replace("/scim/v2", "/scim/other"))
    document = renamed(synced).run("check", "--json", code=None).document

    assert [each["state"] for each in document["checks"] if each["name"] == "store"] == ["ok"]


def test_the_store_of_a_version_that_did_not_say_whose_it_is_is_told_by_its_target(synced: Rig) -> None:
    [settings] = load([synced.config], environ=os.environ).connections
    with open_for_writing(settings) as store:
        store.remember("belongs_to", None)

    renamed(synced).run("sync", code=78)


def test_a_backup_is_restored_on_a_machine_that_never_had_the_store(synced: Rig) -> None:
    file = backed_up(synced)
    elsewhere = synced.folder / "elsewhere"
    text = synced.config.read_text().replace('name = "acme"', f'name = "acme"\nstate = "{elsewhere}"')
    synced.config.write_text(text)

    document = synced.run("restore", str(file), "--json").document

    assert document["kept"] is None
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
    assert synced.run("audit", "verify", "--json").document["intact"]
    synced.run("resume")
    synced.forget()
    assert synced.sync()["summary"]["applied"] == {}
    assert synced.writes() == []
