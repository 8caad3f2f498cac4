"""Files, permissions, damage, versions, and reading that leaves no trace."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.errors import ConfigurationError, PermanentError, RefusedError, SyncdError
from syncd.store import open_for_reading, open_store, private, process
from syncd.store.sqlite.faults import explain
from syncd.store.sqlite.schema import APPLICATION_ID
from syncd.store.sqlite.stage import SqliteStage
from syncd.store.sqlite.stage_file import StageFile
from tests.store.locking import mounted_as, without_file_locks
from tests.store.making import Place, absorb, fill, group, push_user, wanted

ANN = wanted("00u-ann")
FOREVER = timedelta(days=9999)
FILES = ("split-prod.db", "split-prod.db-wal", "split-prod.db-shm")


def modes(directory: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in directory.iterdir() if path.is_file()}


def trace(directory: Path) -> dict[str, bytes]:
    """Everything in the directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


@pytest.fixture(params=["writing", "reading"])
def opening(request: pytest.FixtureRequest, place: Place) -> Callable[[], object]:
    how = open_store if request.param == "writing" else open_for_reading
    return lambda: how(place.path, connection="split-prod", clock=place.clock).close()


def test_the_directory_and_every_file_are_private_whatever_the_umask(place: Place) -> None:
    before = os.umask(0)
    try:
        with place.open() as store:
            absorb(store, users=[ANN])
            assert place.path.parent.stat().st_mode & 0o777 == 0o700
            assert modes(place.path.parent) == dict.fromkeys(FILES, "0o600")
    finally:
        os.umask(before)


def test_what_a_group_may_do_with_files_of_ours_in_a_directory_of_our_own_is_taken_away(place: Place) -> None:
    """Kubernetes widens what is in a volume at each mount, for the group that it gives the volume to."""
    killed_after(place, 'open_store(path, connection="split-prod", clock=clock)')
    assert set(modes(place.path.parent)) == set(FILES)
    for name in FILES:
        place.path.with_name(name).chmod(0o660)
    place.path.parent.chmod(0o2775)
    with place.open():
        assert modes(place.path.parent) == dict.fromkeys(FILES, "0o600")
        assert place.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_directory_shared_with_other_things_keeps_its_mode(place: Place) -> None:
    place.path.parent.mkdir()
    place.path.parent.chmod(0o755)
    (place.path.parent / "config.toml").touch()
    place.open().close()
    assert place.path.parent.stat().st_mode & 0o777 == 0o755
    assert place.path.stat().st_mode & 0o777 == 0o600


def test_a_directory_below_a_file_cannot_be_made(tmp_path: Path, place: Place) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written: Not a directory") as caught:
        open_store(tmp_path / "file" / "x.db", connection="x", clock=place.clock)
    assert "`state`" in caught.value.hint


def is_left_alone(place: Place, opening: Callable[[], object]) -> None:
    place.path.chmod(0o600)
    before = trace(place.path.parent)
    with pytest.raises(ConfigurationError, match="is not a store of syncd"):
        opening()
    assert trace(place.path.parent) == before


def test_a_file_that_is_not_sqlite_is_left_alone(place: Place, opening: Callable[[], object]) -> None:
    place.path.parent.mkdir()
    place.path.write_bytes(b"these are my notes, not a database " * 200)
    is_left_alone(place, opening)


def test_somebody_elses_database_is_left_alone(place: Place, opening: Callable[[], object]) -> None:
    place.path.parent.mkdir()
    with closing(sqlite3.connect(place.path)) as conn:
        conn.execute("CREATE TABLE users (name TEXT)")
    is_left_alone(place, opening)


def test_a_store_of_a_newer_version_is_refused(place: Place, opening: Callable[[], object]) -> None:
    place.open().close()
    with closing(sqlite3.connect(place.path)) as conn:
        conn.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('syncd', 'm999_later', '')"
        )
        conn.commit()
    with pytest.raises(ConfigurationError, match=r"made by a newer syncd .*m999_later"):
        opening()


def test_a_store_of_another_connection_is_refused(place: Place) -> None:
    place.open("split-prod").close()
    for how in (open_store, open_for_reading):
        with pytest.raises(ConfigurationError, match="belongs to split-prod, not to split-test"):
            how(place.path, connection="split-test", clock=place.clock)


@pytest.mark.parametrize("size", [5000, 40000])
def test_a_truncated_store_is_damaged(place: Place, opening: Callable[[], object], size: int) -> None:
    with place.open() as store:
        absorb(store, users=[ANN], groups=[group("g1")])
    with place.path.open("r+b") as file:
        file.truncate(size)
    with pytest.raises(PermanentError, match="is damaged") as caught:
        opening()
    assert "backup" in caught.value.hint


def test_a_store_with_garbage_inside_is_damaged(place: Place, opening: Callable[[], object]) -> None:
    with place.open() as store:
        absorb(store, users=[wanted(f"00u{number}") for number in range(200)])
    with place.path.open("r+b") as file:
        for page in range(3, 30):
            file.seek(page * 4096)
            file.write(b"\xee" * 4096)
    with pytest.raises(PermanentError, match="is damaged"):
        opening()


def test_an_empty_file_becomes_a_store(place: Place) -> None:
    place.path.parent.mkdir()
    place.path.touch(0o600)
    with place.open() as store:
        assert store.revision() == 0


@pytest.mark.parametrize(
    ("said", "kind", "expected"),
    [
        ("database or disk is full", PermanentError, "disk is full"),
        ("database is locked", SyncdError, "locked"),
        ("disk I/O error", PermanentError, "disk I/O error"),
        ("attempt to write a readonly database", ConfigurationError, "cannot be written"),
        ("unable to open database file", ConfigurationError, "cannot be written"),
    ],
)
def test_what_sqlite_says_becomes_a_sentence_with_a_way_out(
    tmp_path: Path, said: str, kind: type[SyncdError], expected: str
) -> None:
    explained = explain(tmp_path / "x.db", sqlite3.OperationalError(said))
    assert isinstance(explained, kind)
    assert expected in explained.message
    assert str(tmp_path) in explained.message
    assert explained.hint


def test_a_full_disk_is_an_error_before_anything_is_written_at_the_target(place: Place) -> None:
    with place.open() as store:
        pages = store._conn.execute("PRAGMA page_count").fetchone()[0]
        store._conn.execute(f"PRAGMA max_page_count = {pages + 3}")
        stage = store.stage()
        fill(stage, users=[wanted(f"00u{number}") for number in range(500)])
        with pytest.raises(PermanentError, match="the disk is full"):
            store.absorb(stage, confirmed_absent={})
        assert store.user("00u1") is None
        assert store.revision() == 0


def test_a_full_disk_under_the_temporary_files_is_not_blamed_on_the_store(place: Place) -> None:
    with place.open() as store:
        stage = store.stage()
        assert isinstance(stage, SqliteStage)
        assert isinstance(stage._file, StageFile)
        pages = stage._file._conn.execute("PRAGMA page_count").fetchone()[0]
        stage._file._conn.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(PermanentError, match="the disk is full") as caught:
            fill(stage, users=[wanted(f"00u{number}") for number in range(500)])

    assert f"the directory {place.path.parent} for temporary files" in caught.value.message
    assert place.path.name not in caught.value.message
    assert "TMPDIR" in caught.value.hint


def test_a_temporary_directory_that_is_none_is_named(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "a-file"
    nowhere.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(nowhere))

    with pytest.raises(ConfigurationError, match=f"the directory {nowhere} for temporary files") as caught:
        open_for_reading(place.path, connection="x", clock=place.clock)

    assert "TMPDIR" in caught.value.hint


# reading


def test_reading_where_no_store_is_yet_creates_nothing(place: Place, tmp_path: Path) -> None:
    with open_for_reading(place.path, connection="x", clock=place.clock) as store:
        stage = store.stage()
        fill(stage, users=[ANN], groups=[group("g1")], lists={"g1": [ANN.okta_id]})
        assert [case.okta_id for case in stage.user_cases()] == [ANN.okta_id]
        assert [case.user_id for case in stage.member_cases()] == [ANN.okta_id]
        assert store.runs() == []
        assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_reading_a_closed_store_changes_no_byte_and_leaves_no_file(place: Place) -> None:
    with place.open() as store:
        absorb(store, users=[ANN])
    before = trace(place.path.parent)
    with open_for_reading(place.path, connection="split-prod", clock=place.clock) as reader:
        stage = reader.stage()
        fill(stage, users=[])
        assert [known.okta_id for known in stage.departures()] == [ANN.okta_id]
    assert trace(place.path.parent) == before


def test_reading_sees_what_a_living_writer_has_committed(place: Place) -> None:
    with place.open() as writer:
        absorb(writer, users=[ANN])
        with open_for_reading(place.path, connection="split-prod", clock=place.clock) as reader:
            assert reader.user(ANN.okta_id) == writer.user(ANN.okta_id)
            push_user(writer, ANN)
            assert reader.user(ANN.okta_id) == writer.user(ANN.okta_id)
            stage = reader.stage()
            fill(stage, users=[])
            assert [known.okta_id for known in stage.departures()] == [ANN.okta_id]
        absorb(writer, users=[])


def test_a_reader_cannot_write(place: Place) -> None:
    place.open().close()
    with open_for_reading(place.path, connection="split-prod", clock=place.clock) as reader:
        for act in (
            lambda: reader.remember("key", "value"),
            lambda: reader.begin_run("full"),
            lambda: reader.lock("plan", expires_in=FOREVER),
            lambda: absorb(reader, users=[ANN]),
        ):
            with pytest.raises(ConfigurationError, match="cannot be written"):
                act()
        assert reader.user(ANN.okta_id) is None


def test_an_older_store_is_read_from_a_private_copy_and_migrated_by_a_writer(place: Place) -> None:
    place.path.parent.mkdir()
    with closing(sqlite3.connect(place.path)) as conn:
        conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute(
            "CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set, name, applied_at)"
        )
    place.path.chmod(0o600)
    before = trace(place.path.parent)
    with open_for_reading(place.path, connection="split-prod", clock=place.clock) as reader:
        assert reader.revision() == 0
        assert list(reader.stage().group_cases()) == []
    assert trace(place.path.parent) == before
    with place.open() as writer:
        absorb(writer, users=[ANN])


# other processes


def run(code: str, path: Path, *, stdin: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=stdin,
    )


OPEN = """
import sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from syncd.store import open_for_reading, open_store, private
from tests.store.making import *
path = Path(sys.argv[1])
clock = lambda: NOON
"""


def killed_after(place: Place, code: str) -> None:
    """Runs the code in a process of its own, which is killed once it prints."""
    with run(
        OPEN + textwrap.dedent(code) + "\nprint('ready', flush=True)\ntime.sleep(60)", place.path
    ) as child:
        assert child.stdout is not None
        said = child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        _, errors = child.communicate()
    assert said == "ready\n", errors


def test_a_kill_between_intent_and_outcome_leaves_the_intent_open(place: Place) -> None:
    killed_after(
        place,
        """
        store = open_store(path, connection="split-prod", clock=clock)
        absorb(store, users=[wanted("00u-ann")])
        store.lock("syncd sync", expires_in=timedelta(minutes=5))
        stage = store.stage()
        stage.put_users([wanted("00u-bob")])
        store.intend(store.begin_run("full"), [change(ChangeKind.CREATE_USER, "00u-ann", userName="a")])
        """,
    )
    with place.open() as store:
        (intent,) = store.open_intents()
        assert (intent.change.okta_id, intent.change.after) == ("00u-ann", {"userName": "a"})
        assert store.user("00u-ann") is not None
        assert store.verify_journal().intact


def owner_is_killed(place: Place) -> None:
    killed_after(
        place,
        """
        store = open_store(path, connection="split-prod", clock=clock)
        store.lock("syncd run", expires_in=timedelta(days=1))
        """,
    )


def test_a_dead_owners_lock_is_taken_over_at_once(place: Place) -> None:
    owner_is_killed(place)
    with place.open() as store:
        store.lock("syncd sync", expires_in=timedelta(minutes=5))


def test_a_living_owner_in_another_process_keeps_the_lock(place: Place) -> None:
    code = """
    store = open_store(path, connection="split-prod", clock=clock)
    store.lock("syncd run", expires_in=timedelta(days=1))
    print("ready", flush=True)
    sys.stdin.readline()
    """
    with run(OPEN + textwrap.dedent(code), place.path, stdin=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        with place.open() as store, pytest.raises(RefusedError, match=rf"syncd run \(process {child.pid} on"):
            store.lock("syncd sync", expires_in=timedelta(minutes=5))
        child.communicate("done\n")


@pytest.mark.parametrize("hidden_from", ["the owner", "the other", "both"])
@pytest.mark.parametrize("file_locks", [True, False])
def test_a_living_owner_keeps_the_lock_when_proc_is_hidden(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden_from: str, *, file_locks: bool
) -> None:
    """ProcSubset=pid and ProtectProc=invisible in a systemd unit: no boot id, no other users' processes."""
    if not file_locks:
        without_file_locks(monkeypatch)
    with place.open() as owner, place.open() as other:
        with monkeypatch.context() as patched:
            if hidden_from != "the other":
                patched.setattr(process, "_PROC", tmp_path / "proc")
            owner.lock("syncd run", expires_in=timedelta(minutes=5))
        with monkeypatch.context() as patched:
            if hidden_from != "the owner":
                patched.setattr(process, "_PROC", tmp_path / "proc")
            with pytest.raises(RefusedError, match="syncd run"):
                other.lock("syncd sync", expires_in=timedelta(minutes=5))


def test_a_dead_owners_lock_is_taken_over_though_proc_is_hidden(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_PROC", tmp_path / "proc")
    mounted_as(monkeypatch, "ext4")
    owner_is_killed(place)
    with place.open() as store:
        store.lock("syncd sync", expires_in=timedelta(minutes=5))


def test_a_killed_cycles_scratch_is_swept_by_the_next(place: Place) -> None:
    killed_after(
        place,
        """
        store = open_store(path, connection="split-prod", clock=clock)
        store.stage().put_users([wanted("00u-ann")])
        """,
    )
    left = [path for path in place.path.parent.iterdir() if path.is_dir()]
    assert len(left) == 1
    private.sweep(place.path.parent)
    assert left[0].exists(), "too young to be sure that it is not just being made"
    before, private._GRACE_SECONDS = private._GRACE_SECONDS, 0.0
    try:
        with place.open() as living:
            stage = living.stage()
            assert not left[0].exists()
            private.sweep(place.path.parent)
            stage.put_users([ANN])
            living.absorb(stage, confirmed_absent={})
            assert living.user(ANN.okta_id) is not None
    finally:
        private._GRACE_SECONDS = before


def test_whoever_stood_still_before_it_had_locked_its_scratch_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    opens = os.open

    def opened(path: Path, flags: int) -> int:
        made.append(path)
        if len(made) == 1:
            path.rmdir()  # swept before it was opened
        descriptor = opens(path, flags)
        if len(made) == 2:
            path.rmdir()  # and before it was locked
        return descriptor

    monkeypatch.setattr(os, "open", opened)
    scratch = private.Scratch(tmp_path)
    monkeypatch.undo()

    assert (len(made), scratch.path) == (3, made[-1])
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [scratch.path]
    scratch.close()
    assert not scratch.path.exists()


@pytest.mark.parametrize("boot_id", ["another", None])
def test_scratch_that_another_machine_may_be_using_is_left_alone(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boot_id: str | None
) -> None:
    killed_after(
        place,
        """
        store = open_store(path, connection="split-prod", clock=clock)
        store.stage().put_users([wanted("00u-ann")])
        """,
    )
    (left,) = [path for path in place.path.parent.iterdir() if path.is_dir()]
    monkeypatch.setattr(private, "_GRACE_SECONDS", 0.0)
    monkeypatch.setattr(process, "_PROC", tmp_path)
    if boot_id is not None:
        (tmp_path / "sys/kernel/random").mkdir(parents=True)
        (tmp_path / "sys/kernel/random/boot_id").write_text(boot_id)
    for kind, there in (("nfs4", True), ("", True), ("ext4", False)):
        mounted_as(monkeypatch, kind)
        private.sweep(place.path.parent)
        assert left.exists() == there, kind


NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else for a test")
@pytest.mark.parametrize("how", ["open_store", "open_for_reading"])
def test_a_directory_that_may_not_be_written(place: Place, how: str, tmp_path: Path) -> None:
    with place.open() as store:
        absorb(store, users=[ANN])
    home = Path("/tmp") / f"syncd-test-{os.getpid()}-{how}"  # noqa: S108  (where another user may look)
    shutil.copytree(place.path.parent, home)
    try:
        home.chmod(0o755)
        os.chown(home / "split-prod.db", NOBODY, NOBODY)
        code = f"""
        import os
        open_for_reading(path.with_name("none.db"), connection="x", clock=clock).close()  # loads every module
        os.setgid({NOBODY}); os.setuid({NOBODY})
        try:
            store = {how}(path, connection="split-prod", clock=clock)
            print(store.user("00u-ann").okta_id, len(list(store.stage().user_cases())))
        except Exception as error:
            print(type(error).__name__, error)
        """
        with run(OPEN + textwrap.dedent(code), home / "split-prod.db") as child:
            said, errors = child.communicate()
        expected = "00u-ann 1\n" if how == "open_for_reading" else "ConfigurationError the store"
        assert said.startswith(expected), errors
        assert sorted(path.name for path in home.iterdir()) == ["split-prod.db"]
    finally:
        shutil.rmtree(home)
