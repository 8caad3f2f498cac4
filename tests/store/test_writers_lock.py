"""One writer: whom the file lock, the row and the clocks take for living and for dead, and what a loser says."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import ConfigurationError, LockLost, LockWatched, RefusedError
from syncd.store import SqliteStore, file_lock, lease, lock, mounts, process
from syncd.store.process import Holder
from tests.store.locking import LASTS, Steady, Watcher, mounted_as, rewrite_row, without_file_locks
from tests.store.making import Clock, Place, absorb, wanted

HOUR = timedelta(hours=1)
ANN = wanted("00u-ann")
OTHER_BOOT = "UPDATE writer SET boot = '0b00-another-boot'"
CONTAINER = "UPDATE writer SET namespace = 'pid:[1] time:[2]', pid = 1"
NO_SUCH_PROCESS = "UPDATE writer SET pid = 4194304"  # above any pid_max
GONE_FILE = "UPDATE writer SET guard = '1:1'"


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Steady:
    return Steady.on(monkeypatch)


@pytest.fixture
def unlockable(monkeypatch: pytest.MonkeyPatch) -> None:
    without_file_locks(monkeypatch)


@pytest.fixture
def frozen(place: Place, steady: Steady, unlockable: None) -> SqliteStore:
    """A writer whose silence alone can tell that it is gone."""
    store = place.open()
    store.lock("syncd run", expires_in=LASTS)
    return store


# the file lock


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
@pytest.mark.parametrize("seen", ["", OTHER_BOOT, CONTAINER, NO_SUCH_PROCESS, GONE_FILE])
def test_who_has_the_file_locked_lives_whatever_the_clocks_and_its_row_say(
    place: Place, clock: Clock, jump: timedelta, seen: str
) -> None:
    with place.open() as first, place.open() as second:
        first.lock("syncd run", expires_in=LASTS)
        if seen:
            rewrite_row(place.path, seen)
        clock.advance(jump)
        with pytest.raises(RefusedError):
            second.lock("syncd sync", expires_in=LASTS)
        first.permit()


def test_it_is_free_again_when_it_is_given_back(place: Place) -> None:
    with place.open() as first, place.open() as second:
        first.lock("syncd run", expires_in=LASTS)
        first.unlock()
        second.lock("syncd sync", expires_in=LASTS)
        with pytest.raises(RefusedError, match="syncd sync"):
            first.lock("syncd run", expires_in=LASTS)


def test_opening_and_reading_the_store_beside_its_owner_lose_nothing(place: Place) -> None:
    """A POSIX lock would be gone with the first descriptor that this process closes."""
    with place.open() as first:
        first.lock("syncd run", expires_in=LASTS)
        file_lock.place(place.path).read_bytes()
        with place.open() as second, pytest.raises(RefusedError):
            second.lock("syncd sync", expires_in=LASTS)
        with place.open() as third, pytest.raises(RefusedError):
            third.lock("syncd sync", expires_in=LASTS)


def test_its_file_is_private_and_stays(place: Place) -> None:
    with place.open() as store:
        store.lock("syncd run", expires_in=LASTS)
        made = file_lock.place(place.path).stat()
        assert stat.S_IMODE(made.st_mode) == 0o600
        assert made.st_size == 0
    assert file_lock.place(place.path).stat().st_ino == made.st_ino


def link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize("make", [link, os.mkfifo, Path.mkdir])
def test_what_is_no_ordinary_file_in_its_place_is_refused(place: Place, make: Callable[[Path], None]) -> None:
    with place.open() as store:
        make(file_lock.place(place.path))
        with pytest.raises(ConfigurationError, match="no ordinary file"):
            store.lock("syncd sync", expires_in=LASTS)
    assert not place.path.with_name("elsewhere").exists()


def test_who_holds_nothing_but_the_file_is_no_writer_with_a_name(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    with place.open() as store:
        held = file_lock.FileLock.take(place.path)
        assert held is not None
        with closing(held), pytest.raises(RefusedError, match=r"split-prod\.db\.lock locked"):
            store.lock("syncd sync", expires_in=LASTS)
        store.lock("syncd sync", expires_in=LASTS)


# a free file lock is a proof only where it is everybody's


def left_behind(place: Place, change: str) -> None:
    """The row of a process that ended without giving it back."""
    with place.open() as store:
        store.lock("syncd run", expires_in=LASTS)
        rewrite_row(place.path, change)
        rewrite_row(place.path, "CREATE TABLE kept AS SELECT * FROM writer")
    rewrite_row(place.path, "INSERT INTO writer SELECT * FROM kept")
    rewrite_row(place.path, "DROP TABLE kept")


@pytest.mark.parametrize(
    ("change", "system", "at_once"),
    [
        (CONTAINER, "nfs4", True),  # one kernel, which says so
        (OTHER_BOOT, "ext4", True),  # the same machine, started again
        (OTHER_BOOT, "nfs4", False),  # perhaps another machine, whose locks are its own affair
        ("UPDATE writer SET boot = ''", "nfs4", False),
        ("UPDATE writer SET boot = ''", "xfs", True),  # a hardened service sees no boot id
        (GONE_FILE + ", boot = ''", "ext4", False),  # it had another file locked
        ("UPDATE writer SET guard = '', boot = ''", "ext4", False),  # it had none
        (OTHER_BOOT, "", False),
    ],
)
def test_a_free_file_lock_proves_the_end_of_its_owner_only_where_one_kernel_speaks_for_all(
    place: Place, monkeypatch: pytest.MonkeyPatch, steady: Steady, change: str, system: str, *, at_once: bool
) -> None:
    left_behind(place, change)
    mounted_as(monkeypatch, system)
    with place.open() as store:
        watcher = Watcher(store, steady)
        assert watcher.look() == at_once
        assert watcher.looks_for(LASTS.total_seconds())


def test_the_lock_file_may_be_deleted_under_a_living_owner(place: Place, steady: Steady) -> None:
    with place.open() as first, place.open() as second:
        first.lock("syncd run", expires_in=LASTS)
        rewrite_row(place.path, "UPDATE writer SET boot = ''")  # as a hardened service
        file_lock.place(place.path).unlink()
        with pytest.raises(LockWatched, match="had locked another split-prod"):
            second.lock("syncd sync", expires_in=LASTS)
        first.renew_lock()
        with pytest.raises(RefusedError, match="syncd run") as refused:
            second.lock("syncd sync", expires_in=LASTS)
        assert not isinstance(refused.value, LockWatched)


def test_only_one_of_several_watches(place: Place, steady: Steady, monkeypatch: pytest.MonkeyPatch) -> None:
    left_behind(place, OTHER_BOOT)
    mounted_as(monkeypatch, "nfs4")
    with place.open() as first, place.open() as second:
        with pytest.raises(LockWatched):
            first.lock("syncd run", expires_in=LASTS)
        with pytest.raises(RefusedError) as refused:
            second.lock("syncd sync", expires_in=LASTS)
        assert not isinstance(refused.value, LockWatched)


def test_the_type_of_a_file_system_is_that_of_the_nearest_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "mountinfo"
    told.write_text(
        "22 1 254:0 / / rw shared:1 - ext4 /dev/root rw\n"
        f"23 22 0:40 / {tmp_path}/with\\040space rw - nfs4 server:/x rw\n"
        f"24 22 0:41 / {tmp_path}/with rw - tmpfs tmpfs rw\n"
        "garbage\n"
    )
    monkeypatch.setattr(mounts, "_MOUNTS", told)
    for name, kind in (("with space", "nfs4"), ("with", "tmpfs"), ("without", "ext4")):
        assert mounts.file_system(tmp_path / name) == kind
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "none")
    assert mounts.file_system(tmp_path) == ""


# where there are no file locks


def test_without_file_locks_a_second_writer_waits_and_says_why(place: Place, frozen: SqliteStore) -> None:
    with frozen, place.open() as second, pytest.raises(LockWatched, match="has no file locks") as watched:
        second.lock("syncd sync", expires_in=LASTS)
    assert watched.value.left == LASTS
    assert watched.value.exit_code == 3


@contextmanager
def almost_over(place: Place, steady: Steady, frozen: SqliteStore) -> Iterator[Watcher]:
    """Somebody has watched the frozen owner for as long as its silence may last, but for a second."""
    with frozen, place.open() as second:
        watcher = Watcher(second, steady)
        assert not watcher.looks_for(LASTS.total_seconds() - 1)
        yield watcher


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
@pytest.mark.parametrize("seen", ["", OTHER_BOOT, CONTAINER])
def test_age_counts_only_when_no_renewal_was_seen_for_the_whole_lease(
    place: Place, clock: Clock, steady: Steady, frozen: SqliteStore, jump: timedelta, seen: str
) -> None:
    """Neither a wall clock nor a number that means nothing here shortens it."""
    if seen:
        rewrite_row(place.path, seen)
    clock.advance(jump)
    with almost_over(place, steady, frozen) as watcher:
        clock.advance(-2 * jump)
        assert watcher.looks_for(1)
        with pytest.raises(LockLost):
            frozen.renew_lock()


@pytest.mark.parametrize("after", [1, 299])
def test_one_renewal_at_any_moment_shows_that_the_owner_lives(
    place: Place, steady: Steady, frozen: SqliteStore, after: int
) -> None:
    with frozen, place.open() as second:
        watcher = Watcher(second, steady)
        assert not watcher.looks_for(after)
        frozen.renew_lock()
        with pytest.raises(RefusedError, match="syncd run"):
            watcher.looks_for(LASTS.total_seconds())
        frozen.permit()


def test_a_renewal_between_the_last_look_and_the_takeover_counts(
    place: Place, steady: Steady, frozen: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with almost_over(place, steady, frozen) as watcher:
        steady.now += 1
        why = lock.why_it_ended

        def slowly(*args: object) -> str:
            frozen.renew_lock()
            return why(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(lock, "why_it_ended", slowly)
        with pytest.raises(RefusedError, match="syncd run"):
            watcher.look()
        frozen.permit()


def test_who_stood_still_while_it_watched_has_seen_nothing(
    place: Place, steady: Steady, frozen: SqliteStore
) -> None:
    """The owner may have stood still with it: two containers that were paused, a machine that was."""
    with frozen, place.open() as second:
        watcher = Watcher(second, steady)
        assert not watcher.look()
        steady.now += 7200
        assert not watcher.looks_for(LASTS.total_seconds() - 10)


def test_a_transaction_longer_than_the_lease_ends_with_a_renewal(
    place: Place, steady: Steady, frozen: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could renew the lock while it lasted."""
    with almost_over(place, steady, frozen) as watcher:
        later = lease.elapsed() + 600
        monkeypatch.setattr(lease, "elapsed", lambda: later)
        absorb(frozen, users=[ANN])
        with pytest.raises(RefusedError, match="syncd run"):
            watcher.looks_for(1)


def test_a_number_without_a_process_in_the_same_namespace_is_a_dead_owner(
    place: Place, frozen: SqliteStore
) -> None:
    rewrite_row(place.path, NO_SUCH_PROCESS)
    with frozen, place.open() as second:
        second.lock("syncd sync", expires_in=LASTS)
        said = said_by(frozen).message
    assert "because its process had ended: there was no process 4194304 any more" in said


def test_an_owner_of_the_version_before_is_watched_for_its_five_minutes(
    place: Place, steady: Steady, frozen: SqliteStore
) -> None:
    """Its row has nothing but the time of its expiry, which it moves."""
    rewrite_row(
        place.path, "UPDATE writer SET namespace = '', guard = '', beat = 0, lasts = 300, expires = '2020'"
    )
    with frozen, place.open() as second:
        watcher = Watcher(second, steady)
        assert not watcher.looks_for(299)
        rewrite_row(place.path, "UPDATE writer SET expires = '2021'")
        with pytest.raises(RefusedError, match="syncd run"):
            watcher.looks_for(1)


def test_a_row_that_asks_for_no_patience_is_watched_all_the_same(
    place: Place, steady: Steady, frozen: SqliteStore
) -> None:
    rewrite_row(place.path, "UPDATE writer SET lasts = 0")
    with frozen, place.open() as second:
        assert not Watcher(second, steady).looks_for(LASTS.total_seconds() - 1)


@pytest.mark.parametrize(
    "nonsense", ["lasts = 'x', pid = 'x', beat = 'x'", "lasts = 9e999, pid = 9223372036854775807", "pid = -1"]
)
def test_nonsense_in_the_row_keeps_nobody_out_for_ever(
    place: Place, steady: Steady, frozen: SqliteStore, nonsense: str
) -> None:
    rewrite_row(place.path, f"UPDATE writer SET {nonsense}")  # noqa: S608
    with frozen, place.open() as second:
        watcher = Watcher(second, steady)
        assert not watcher.look()
        assert watcher.looks_for(3600)


def test_a_stage_needs_no_file_locks(place: Place, unlockable: None) -> None:
    with place.open() as store:
        absorb(store, users=[ANN])
        assert store.user(ANN.okta_id)


# what a loser says


def taken_over(place: Place, steady: Steady) -> SqliteStore:
    successor = place.open()
    assert Watcher(successor, steady).looks_for(LASTS.total_seconds())
    return successor


def said_by(loser: SqliteStore) -> LockLost:
    with pytest.raises(LockLost) as lost:
        loser.renew_lock()
    return lost.value


def test_a_loser_says_when_why_and_by_whom(
    place: Place, clock: Clock, steady: Steady, frozen: SqliteStore
) -> None:
    clock.advance(timedelta(minutes=7))
    with frozen, taken_over(place, steady):
        said = said_by(frozen).message
        assert "another process took it over at 2026-03-01T12:07:00Z, because" in said
        assert "because no renewal of it had been seen for 300 s (syncd sync, process" in said


def test_a_loser_says_so_long_after_its_successors_have_ended(
    place: Place, clock: Clock, steady: Steady, frozen: SqliteStore
) -> None:
    with frozen:
        taken_over(place, steady).close()
        clock.advance(HOUR)
        with place.open() as third:
            third.lock("syncd run", expires_in=LASTS)
            assert "took it over at 2026-03-01T12:00:00Z" in said_by(frozen).message
        assert "took it over at 2026-03-01T12:00:00Z" in said_by(frozen).message
        with pytest.raises(LockLost, match="took it over at 2026-03-01T12:00:00Z"):
            frozen.permit()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "UPDATE writer SET token = 'x', owner = 'somebody'",
            r"somebody \(process \d+ .*\) has it.*without leaving",
        ),
        ("DELETE FROM writer", "its row is gone"),
    ],
)
def test_what_nobody_wrote_down_is_not_made_up(
    place: Place, frozen: SqliteStore, change: str, said: str
) -> None:
    rewrite_row(place.path, change)
    rewrite_row(place.path, "INSERT INTO facts VALUES ('takeovers', '\"[1, {}]\"')")
    with frozen:
        lost = said_by(frozen)
        assert "took it over" not in lost.message
        with pytest.raises(LockLost, match=said):
            frozen.permit()


# numbers of processes


@pytest.fixture
def me() -> Holder:
    return process.this_process("syncd", Clock()(), LASTS, "")


def test_this_process_lives(me: Holder) -> None:
    assert not process.has_ended(me)
    assert me.token != process.this_process("syncd", Clock()(), LASTS, "").token


def test_another_start_time_is_another_process(me: Holder) -> None:
    assert process.has_ended(replace(me, born="1"))


@pytest.mark.parametrize(
    "elsewhere", [{"boot": "another"}, {"boot": ""}, {"namespace": "pid:[1]"}, {"namespace": ""}]
)
def test_a_number_says_nothing_in_another_boot_or_namespace(me: Holder, elsewhere: dict[str, Any]) -> None:
    assert not process.has_ended(replace(me, pid=4194304, born="1", **elsewhere))


def test_start_times_say_nothing_in_another_time_namespace(me: Holder) -> None:
    """/proc shows them with the offset of who looks (time_namespaces(7))."""
    pids, _, times = me.namespace.partition(" ")
    assert pids.startswith("pid:[")
    assert times.startswith("time:[")
    there = replace(me, born="1", namespace=f"{pids} time:[1]")
    assert not process.has_ended(there)
    assert "namespace" not in there.who
    assert "in another pid namespace" in replace(me, namespace=f"pid:[1] {times}").who
