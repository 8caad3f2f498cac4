"""The journal cannot be changed unnoticed."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.core.change import ChangeKind
from syncd.core.plan import Hold
from syncd.core.waiting import Waiting
from syncd.errors import LockLost, PermanentError
from syncd.ports import Settled
from syncd.ports.trail import GENESIS, ChainReport, Head
from syncd.redact import Redactor
from syncd.store import SqliteStore, open_for_reading, open_store
from syncd.store.packs import row_hash
from tests.e2e.echoing import SPELLINGS, leaks
from tests.store.locking import rewrite_row
from tests.store.making import NOON, Clock, Place, apply, change


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """What a person with the sqlite3 shell has."""
    with closing(sqlite3.connect(path)) as conn:
        yield conn
        conn.commit()


COLUMNS = "sequence, at, run_id, entry, refers, kind, okta_id, group_id, applied, body, previous"
TRIGGERS = ("journal_no_update", "journal_no_delete", "journal_no_replace")


@contextmanager
def behind_the_triggers(path: Path) -> Iterator[sqlite3.Connection]:
    """Takes the triggers away and puts them back, as somebody does who wants no traces."""
    with by_hand(path) as conn:
        made = [
            conn.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
            for name in TRIGGERS
        ]
        for name in TRIGGERS:
            conn.execute(f"DROP TRIGGER {name}")
        yield conn
        for sql in made:
            conn.execute(sql)


def copied(sequence: int, to: int) -> str:
    """A statement that writes a row once more, under another number."""
    rest = COLUMNS.removeprefix("sequence, ")
    return f"INSERT INTO journal SELECT {to}, {rest}, hash FROM journal WHERE sequence = {sequence}"  # noqa: S608


def sign_again(conn: sqlite3.Connection, first: int = 1) -> Head:
    """Gives every row from `first` on the hash it should have; returns the new head."""
    query = f"SELECT {COLUMNS}, hash FROM journal ORDER BY sequence"  # noqa: S608  (constants)
    last = Head(0, GENESIS)
    for row in conn.execute(query).fetchall():
        values, digest = list(row[:-1]), row[-1]
        if row[0] >= first:
            values[-1] = last.hash
            digest = row_hash(values)
            conn.execute(
                "UPDATE journal SET previous = ?, hash = ? WHERE sequence = ?", (last.hash, digest, row[0])
            )
        last = Head(row[0], digest)
    return last


def forge_head(conn: sqlite3.Connection, head: Head) -> None:
    conn.execute("UPDATE meta SET value = ? WHERE key = 'journal_head'", (str(head),))


def checked(place: Place, noted: Head | None = None) -> ChainReport:
    with place.open() as store:
        return store.verify_journal(noted)


def head_of(store: SqliteStore) -> Head:
    length, head = store.journal_head()
    assert head.startswith(f"{length}:")
    return Head.parse(head)


@pytest.fixture
def written(place: Place) -> Place:
    with place.open() as store:
        for number in range(3):
            apply(
                store,
                change(ChangeKind.UPDATE_USER, f"00u{number}", title="x"),
                error="400" if number else None,
            )
        store.note({"decision": "approve"})
    return place


def test_every_row_follows_the_one_before(written: Place) -> None:
    with written.open() as store:
        rows = list(store.journal_entries())
        report = store.verify_journal()
    assert [row.entry for row in rows] == ["intent", "outcome"] * 3 + ["note"]
    assert [row.refers for row in rows if row.entry == "outcome"] == [1, 3, 5]
    assert [row.applied for row in rows if row.entry == "outcome"] == [True, False, False]
    assert [row.previous for row in rows] == [GENESIS, *(row.hash for row in rows[:-1])]
    assert (report.rows, report.broken_at) == (7, None)


def test_an_outcome_says_what_became_of_the_change(written: Place) -> None:
    with written.open() as store:
        intent, outcome = list(store.journal_entries())[2:4]
    assert intent.body["after"] == {"title": "x"}
    assert outcome.body.pop("seals")
    assert outcome.body == {"change": intent.body["id"], "status": 200, "effects": [], "error": "400"}
    assert (outcome.kind, outcome.okta_id, outcome.run_id) == ("update_user", "00u1", intent.run_id)


def test_entries_are_read_page_by_page_and_by_run(written: Place) -> None:
    with written.open() as store:
        everything = list(store.journal_entries())
        assert list(store.journal_entries(after=5)) == everything[5:]
        run_id = everything[2].run_id
        assert [row.sequence for row in store.journal_entries(run_id=run_id)] == [3, 4]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET body = '{}' WHERE sequence = 3",
        "DELETE FROM journal WHERE sequence = 3",
        "DELETE FROM journal",
        "REPLACE INTO journal SELECT * FROM journal WHERE sequence = 3",
    ],
)
def test_rows_can_be_neither_changed_nor_removed(written: Place, statement: str) -> None:
    with by_hand(written.path) as conn, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        conn.execute(statement)


@pytest.mark.parametrize(
    ("statement", "broken_at", "problem"),
    [
        ("UPDATE journal SET body = '{}' WHERE sequence = 3", 3, "changed"),
        ("UPDATE journal SET applied = 1 WHERE sequence = 4", 4, "changed"),
        ("DELETE FROM journal WHERE sequence = 3", 3, "missing"),
        ("DELETE FROM journal WHERE sequence = 7", 7, "end"),
        ("DELETE FROM journal WHERE sequence < 4", 4, "no checkpoint"),
        ("DELETE FROM journal", 1, "end"),
        ("UPDATE journal SET previous = 'x' WHERE sequence = 5", 5, "continue"),
        ("UPDATE journal SET body = CAST(body AS BLOB) WHERE sequence = 2", 2, "changed"),
        ("UPDATE journal SET body = CAST(X'22ff22' AS TEXT) WHERE sequence = 2", 2, "changed"),
        ("UPDATE journal SET at = '1999' WHERE sequence = 6", 6, "changed"),
        (
            copied(7, 8),
            8,
            "continue",
        ),
        (
            copied(1, 0),
            0,
            "begin at 1",
        ),
        ("UPDATE journal SET sequence = -sequence WHERE sequence IN (3, 5)", -5, "begin at 1"),
        ("UPDATE journal SET sequence = 30 WHERE sequence = 3", 3, "missing"),
        ("UPDATE meta SET value = 'nonsense' WHERE key = 'journal_head'", 7, "unreadable"),
        ("INSERT INTO meta (key, value) VALUES ('journal_checkpoint', '5')", 1, "no checkpoint says so"),
    ],
)
def test_who_takes_the_triggers_away_first_is_found_out(
    written: Place, statement: str, broken_at: int, problem: str
) -> None:
    with behind_the_triggers(written.path) as conn:
        conn.execute(statement)
    report = checked(written)
    assert report.broken_at == broken_at
    assert problem in report.problem


def test_two_rows_that_changed_places_are_found(written: Place) -> None:
    with behind_the_triggers(written.path) as conn:
        for here, there in ((3, 99), (5, 3), (99, 5)):
            conn.execute("UPDATE journal SET sequence = ? WHERE sequence = ?", (there, here))
    report = checked(written)
    assert (report.broken_at, report.problem) == (3, "it does not continue the row before it")


def test_a_forged_row_with_a_right_hash_of_its_own_breaks_the_chain_behind_it(written: Place) -> None:
    with behind_the_triggers(written.path) as conn:
        row = list(conn.execute(f"SELECT {COLUMNS} FROM journal WHERE sequence = 3").fetchone())  # noqa: S608
        row[9] = '{"forged":true}'
        conn.execute("UPDATE journal SET body = ?, hash = ? WHERE sequence = 3", (row[9], row_hash(row)))
    assert checked(written).broken_at == 4


def test_a_trail_signed_anew_from_a_forged_row_on_is_found_by_what_the_store_remembers(
    written: Place,
) -> None:
    with behind_the_triggers(written.path) as conn:
        conn.execute("UPDATE journal SET body = '{}' WHERE sequence = 3")
        sign_again(conn, 3)
    report = checked(written)
    assert (report.broken_at, report.problem) == (7, "it is not the row that the store remembers as the last")


def test_a_row_that_was_appended_behind_the_end_is_found(written: Place) -> None:
    with behind_the_triggers(written.path) as conn:
        conn.execute(copied(7, 8))
        sign_again(conn, 8)
    report = checked(written)
    assert (report.broken_at, report.problem) == (8, "the store does not remember to have written it")


@pytest.mark.parametrize(
    ("statement", "first", "broken_at", "problem"),
    [
        ("DELETE FROM journal WHERE sequence > 5", 9, 6, "rows at the end are missing: the trail had 7 rows"),
        ("DELETE FROM journal", 9, 1, "rows at the end are missing: the trail had 7 rows"),
        ("UPDATE journal SET body = '{}' WHERE sequence = 3", 3, 7, "another hash than the given head"),
    ],
)
def test_a_cut_or_rewritten_end_whose_memory_was_forged_too_is_found_by_a_head_noted_earlier(
    written: Place, statement: str, first: int, broken_at: int, problem: str
) -> None:
    with written.open() as store:
        noted = head_of(store)
    with behind_the_triggers(written.path) as conn:
        conn.execute(statement)
        forge_head(conn, sign_again(conn, first))
    assert checked(written).broken_at is None
    report = checked(written, noted)
    assert report.broken_at == broken_at
    assert problem in report.problem


def test_a_head_noted_earlier_stays_a_row_of_a_trail_that_grew(written: Place) -> None:
    with written.open() as store:
        noted = head_of(store)
        assert noted.sequence == 7
        store.note({"decision": "reject"})
        report = store.verify_journal(noted)
        assert (report.rows, report.broken_at, report.noted_pruned) == (8, None, False)
        assert report.head == head_of(store)
        assert store.verify_journal(Head(0, GENESIS)).broken_at is None
        assert store.verify_journal(replace(noted, sequence=6)).broken_at == 6


def test_the_trail_is_whole_at_every_moment_while_another_process_writes(written: Place) -> None:
    done = threading.Event()

    def write() -> None:
        with written.open() as store:
            while not done.is_set():
                apply(store, change(ChangeKind.UPDATE_USER, "00u-busy", title="x"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with open_for_reading(written.path, connection="split-prod", clock=written.clock) as reader:
            lengths: list[int] = []
            while len(set(lengths)) < 10:
                report = reader.verify_journal()
                assert report.broken_at is None
                lengths.append(report.rows)
    finally:
        done.set()
        writer.join()
    assert lengths == sorted(lengths)


def test_an_unreadable_row_is_an_error_that_names_it(written: Place) -> None:
    with behind_the_triggers(written.path) as conn:
        conn.execute("UPDATE journal SET body = '{' WHERE sequence = 4")
    with written.open() as store, pytest.raises(PermanentError, match="row 4 of the audit trail"):
        list(store.journal_entries())


# who approved


def test_an_intent_says_who_approved_it_and_only_once(place: Place, clock: Clock) -> None:
    leaver = change(ChangeKind.DEACTIVATE_USER, "00u-ann", active=False)
    other = change(ChangeKind.DEACTIVATE_USER, "00u-bob", active=False)
    hold = Hold("h1", "deactivations", "too many", "approve", {}, 2)
    with place.open() as store:
        store.raise_holds([(hold, [leaver, other])], whole=True)
        store.decide([leaver.id], "approve", "eve@host")
        store.decide([other.id], "reject", "eve@host")
        clock.advance(timedelta(minutes=1))
        for done in (leaver, other, leaver):
            apply(store, done)
        rows = list(store.journal_entries())
    approved = [row.body.get("approved") for row in rows if row.entry == "intent"]
    assert approved == [{"by": "eve@host", "at": "2026-03-01T12:00:00.000000Z"}, None, None]
    assert [row.asked["id"] for row in rows if row.entry == "outcome"] == [leaver.id, other.id, leaver.id]


def test_an_expired_approval_approves_nothing(place: Place, clock: Clock) -> None:
    leaver = change(ChangeKind.DEACTIVATE_USER, "00u-ann", active=False)
    with place.open() as store:
        store.raise_holds([(Hold("h1", "deactivations", "r", "w", {}, 1), [leaver])], whole=True)
        store.decide(["h1"], "approve", "eve@host")
        clock.advance(timedelta(days=7))
        apply(store, leaver)
        intent = list(store.journal_entries())[1]
    assert "approved" not in intent.body


def test_what_was_sent_stands_in_the_outcome_without_credentials(place: Place) -> None:
    done = change(ChangeKind.UPDATE_USER, "00u-ann", title="Dr")
    with place.open() as store:
        (sequence,) = store.intend(store.begin_run("full"), [done])
        store.settle(
            [Settled(sequence, done, status=200, request="PATCH /Users/1?access_token=abc123secret")]
        )
        outcome = list(store.journal_entries())[1]
    assert outcome.body["request"] == "PATCH /Users/1?access_token=[redacted]"


@pytest.mark.parametrize(
    "spelling", ["plain", "JSON escapes", "percent twice", "base64", "hex", "HTML decimal"]
)
def test_the_stores_door_lets_no_known_secret_in_and_keeps_500_characters(
    place: Place, spelling: str
) -> None:
    secret = "00aBcDeFgHiJkLmNoPqRsTuVwXyZ+12/3456-x_Y"
    said = "x" * 480 + " " + json.loads(f'"{SPELLINGS[spelling](secret)}"') + " y" * 500
    failing = change(ChangeKind.UPDATE_USER, "00u1", title="x")
    redactor = Redactor()
    with open_store(place.path, connection="split-prod", clock=place.clock, redactor=redactor) as store:
        redactor.add(secret)  # the secrets are read after the store was opened
        run = store.begin_run("full")
        [sequence] = store.intend(run, [failing])
        store.settle([Settled(sequence, failing, status=400, error=said)])
        store.wait([Waiting("user:00u2", "unreadable", "Ann", said, place.clock())])
        store.remember("quarantine", json.dumps({"reason": said}))
        store.finish_run(run, status="failed", summary={}, error=said)
        kept = [
            list(store.journal_entries())[1].body["error"],
            store.failures()[0].message,
            store.waiting(["unreadable"])[0].reason,
            store.runs(limit=1)[0].error or "",
        ]
        files = b"".join(path.read_bytes() for path in place.path.parent.glob(f"{place.path.name}*"))
    assert [len(text) for text in kept] == [500] * 4
    assert all(text.startswith("x" * 480 + " [redacted]") for text in kept)
    assert leaks(files, {"it": secret}) == []


# pruning

KEEP = timedelta(days=30)


def update(number: int) -> Any:
    return change(ChangeKind.UPDATE_USER, f"00u{number}", title="x")


@pytest.fixture
def old(place: Place, clock: Clock) -> Place:
    """Rows 1 to 6 and three runs from day 0, rows 7 to 10 and two runs from day 40."""
    with place.open() as store:
        for number in range(3):
            apply(store, update(number))
        clock.advance(timedelta(days=40))
        for number in range(2):
            apply(store, update(number))
    return place


def test_old_rows_and_runs_are_pruned_behind_a_checkpoint_that_vouches_for_them(old: Place) -> None:
    with old.open() as store:
        before = head_of(store)
        boundary = next(row for row in store.journal_entries() if row.sequence == 7).previous
        assert store.prune(KEEP) == 6
        rows = list(store.journal_entries())
        assert [row.sequence for row in rows] == [7, 8, 9, 10, 11]
        assert rows[-1].body["checkpoint"] == {
            "below": 7,
            "previous": boundary,
            "rows": 6,
            "until": "2026-03-01T12:00:00.000000Z",
        }
        assert len(store.runs()) == 2
        report = store.verify_journal(before)
        assert (report.rows, report.broken_at, report.pruned, report.pruned_until) == (5, None, 6, NOON)
        assert store.journal_head()[0] == 11
        assert store.prune(KEEP) == 0
        assert store.journal_head()[0] == 11
    with by_hand(old.path) as conn, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        conn.execute("DELETE FROM journal WHERE sequence = 7")


def test_a_pruned_trail_is_pruned_again_and_carries_on(old: Place) -> None:
    with old.open() as store:
        store.prune(KEEP)
        old.clock.advance(timedelta(days=40))
        apply(store, update(9))
        assert store.prune(KEEP) == 5
        assert [row.entry for row in store.journal_entries()] == ["intent", "outcome", "note"]
        report = store.verify_journal()
        assert (report.rows, report.broken_at, report.pruned) == (3, None, 11)


def test_a_checkpoint_alone_is_not_worth_another_checkpoint(old: Place) -> None:
    with old.open() as store:
        old.clock.advance(timedelta(days=40))
        assert store.prune(KEEP) == 10
        for _ in range(3):
            old.clock.advance(timedelta(days=40))
            assert store.prune(KEEP) == 0
        assert store.journal_head()[0] == 11
        assert store.verify_journal().broken_at is None


def test_a_head_that_is_pruned_can_only_be_compared_at_the_boundary(old: Place) -> None:
    with old.open() as store:
        hashes = {row.sequence: row.hash for row in store.journal_entries()}
        store.prune(KEEP)
        assert store.verify_journal(Head(6, hashes[6])).broken_at is None
        assert store.verify_journal(Head(6, hashes[5])).broken_at == 6
        pruned = store.verify_journal(Head(3, hashes[3]))
        assert (pruned.broken_at, pruned.noted_pruned) == (None, True)


def test_an_open_intent_and_what_follows_it_is_never_pruned(place: Place, clock: Clock) -> None:
    with place.open() as store:
        apply(store, update(0))
        (sequence,) = store.intend(store.begin_run("full"), [update(1)])
        apply(store, update(2))
        clock.advance(timedelta(days=400))
        assert store.prune(KEEP) == 2
        assert [row.sequence for row in store.journal_entries()][:3] == [3, 4, 5]
        assert [intent.sequence for intent in store.open_intents()] == [sequence]
        store.settle([Settled(sequence, update(1))])
        assert store.prune(KEEP) == 0, "its outcome is young, and tells nothing without it"
        clock.advance(timedelta(days=40))
        apply(store, update(3))
        assert store.prune(KEEP) == 5
        assert store.verify_journal().broken_at is None


def test_what_the_limits_count_is_never_pruned(place: Place, clock: Clock) -> None:
    with place.open() as store:
        apply(store, change(ChangeKind.DEACTIVATE_USER, "00u-ann", active=False))
        clock.advance(timedelta(hours=24))
        assert store.prune(timedelta(seconds=1)) == 0
        assert store.applied_since(clock.now - timedelta(hours=24)).of("deactivations") == 1
        clock.advance(timedelta(seconds=1))
        assert store.prune(timedelta(seconds=1)) == 2
        assert store.prune(timedelta.max) == 0


def test_rows_behind_a_clock_that_was_ahead_are_kept_in_their_place(place: Place, clock: Clock) -> None:
    with place.open() as store:
        clock.advance(timedelta(days=1000))
        apply(store, update(0))
        clock.advance(timedelta(days=-1000))
        apply(store, update(1))
        clock.advance(timedelta(days=40))
        assert store.prune(KEEP) == 0


def test_an_approval_stays_as_long_as_what_it_may_have_approved(place: Place, clock: Clock) -> None:
    with place.open() as store:
        apply(store, update(0))
        store.note({"decision": "approve", "by": "eve@host", "changes": ["x"]})
        apply(store, update(1))
        clock.advance(KEEP + timedelta(days=1))
        assert store.prune(KEEP) == 2
        clock.advance(timedelta(days=7))
        assert store.prune(KEEP) == 3


def test_a_run_with_a_row_left_is_kept(old: Place) -> None:
    with old.open() as store:
        run_id = store.begin_run("full")
        old.clock.advance(timedelta(days=40))
        store.intend(run_id, [update(5)])
        store.prune(KEEP)
        assert [run.run_id for run in store.runs()] == [run_id]


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE journal SET body = '{}' WHERE sequence = 2", 2),
        ("DELETE FROM journal WHERE sequence = 3", 3),
        ("DELETE FROM journal WHERE sequence < 3", 3),
    ],
)
def test_pruning_does_not_wash_away_the_traces_of_tampering(
    old: Place, statement: str, broken_at: int
) -> None:
    with behind_the_triggers(old.path) as conn:
        conn.execute(statement)
    with old.open() as store:
        with pytest.raises(PermanentError, match=f"broken at row {broken_at} .*nothing of it was pruned"):
            store.prune(KEEP)
        report = store.verify_journal()
        assert (report.broken_at, report.pruned) == (broken_at, 0)


@pytest.mark.parametrize(
    ("statement", "broken_at", "problem"),
    [
        (
            "UPDATE journal SET body = replace(body, '\"below\":7', '\"below\":9') WHERE sequence = 11",
            11,
            "changed",
        ),
        ("UPDATE journal SET body = '{}' WHERE sequence = 11", 7, "no checkpoint"),
        ("UPDATE meta SET value = '11' WHERE key = 'journal_checkpoint'", 11, "this checkpoint says 7"),
        ("DELETE FROM meta WHERE key = 'journal_checkpoint'", 11, "this checkpoint says 7"),
        ("DELETE FROM journal WHERE sequence = 7", 8, "no checkpoint"),
        ("DELETE FROM journal WHERE sequence = 11", 7, "no checkpoint"),
        ("UPDATE journal SET previous = hash WHERE sequence = 7", 7, "the checkpoint in row 11 vouches for"),
        ("UPDATE journal SET body = '{}' WHERE sequence = 7", 7, "changed"),
        (
            copied(7, 6),
            6,
            "was pruned",
        ),
    ],
)
def test_a_forged_boundary_is_found(old: Place, statement: str, broken_at: int, problem: str) -> None:
    with old.open() as store:
        store.prune(KEEP)
    with behind_the_triggers(old.path) as conn:
        conn.execute(statement)
    report = checked(old)
    assert report.broken_at == broken_at
    assert problem in report.problem


def test_a_row_at_the_boundary_that_was_forged_and_signed_anew_is_found(old: Place) -> None:
    with old.open() as store:
        store.prune(KEEP)
    with behind_the_triggers(old.path) as conn:
        conn.execute("UPDATE journal SET body = '{}' WHERE sequence = 7")
        forge_head(conn, sign_again(conn))
    assert checked(old).broken_at == 7


def test_pruning_needs_the_writers_lock_if_it_was_taken(old: Place) -> None:
    with old.open() as store:
        store.lock("slow", expires_in=timedelta(minutes=1))
        rewrite_row(old.path, "UPDATE writer SET token = 'another'")
        with pytest.raises(LockLost):
            store.prune(KEEP)
        assert len(list(store.journal_entries())) == 10
