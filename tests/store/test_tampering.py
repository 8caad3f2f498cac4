"""Each table and each trigger of the store altered by hand: the check names it, or docs/audit.md says why not."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from syncd.core.canonical import canonical
from syncd.core.change import ChangeKind
from syncd.errors import PermanentError
from syncd.model import PushedUser
from syncd.ports import Settled, UserForgotten, UserPushed
from syncd.ports.trail import GENESIS, Head
from syncd.store import account, open_for_reading, packs, seals, starting
from syncd.store.packs import row_hash
from syncd.store.sqlite import sealing
from syncd.store.sqlite.connection import SqliteDb
from syncd.store.sqlite.sealing import Watch
from tests.store.lived import CAL, DOCS, HELD, by_hand, checked, live, named
from tests.store.making import NOON, Place, apply, change, push_group, push_member, push_user

TAMPERING = {
    "packed": (
        "DELETE FROM packed WHERE okta_id = '00u-crowd0003'",
        "UPDATE packed SET okta_id = '00u-else' WHERE okta_id = '00u-crowd0003'",
        "INSERT INTO packed VALUES ('00u-else', 30, 21)",
    ),
    "users": (
        "DELETE FROM users WHERE okta_id = '00u-ann'",
        "UPDATE users SET scim_id = 'other' WHERE okta_id = '00u-ann'",
        "UPDATE users SET pushed_active = 0 WHERE okta_id = '00u-ann'",
        "UPDATE users SET invited = 1 WHERE okta_id = '00u-ann'",
        "UPDATE users SET pushed_attributes = '{\"userName\":\"z\"}' WHERE okta_id = '00u-ann'",
        "UPDATE users SET scim_id = 'mine' WHERE okta_id = '00u-cal'",
        "UPDATE users SET scim_id = NULL WHERE okta_id = '00u-ann'",
        "UPDATE users SET standing = 'absent', left_at = '2026-01-01' WHERE okta_id = '00u-ben'",
        "UPDATE users SET attributes = '{\"userName\":\"z\"}' WHERE okta_id = '00u-ann'",
        "UPDATE users SET wish = replace(wish, 'directly', 'by nobody') WHERE okta_id = '00u-ann'",
        "UPDATE users SET released = 1 WHERE okta_id = '00u-ann'",
    ),
    "groups": (
        "DELETE FROM groups",
        "UPDATE groups SET scim_id = 'other'",
        "UPDATE groups SET pushed_name = '\"Admins\"'",
        "UPDATE groups SET wish = replace(wish, 'name = ', 'not name = ')",
        "UPDATE groups SET released = 1",
        (
            "INSERT INTO groups (okta_id, state, wish, revision, scim_id, pushed_name)"
            " SELECT '00g-x', state, wish, 0, 'x', pushed_name FROM groups"
        ),
    ),
    "members": (
        "DELETE FROM members WHERE user_id = '00u-ann'",
        "UPDATE members SET pushed = 0 WHERE user_id = '00u-ann'",
        "UPDATE members SET user_id = '00u-cal' WHERE user_id = '00u-ann'",
        "INSERT INTO members VALUES ('00g-dev', '00u-cal', 0, 1)",
        "INSERT INTO members VALUES ('00g-dev', '00u-cal', 1, 0)",
        "UPDATE members SET listed = 0 WHERE user_id = '00u-ann'",
    ),
    "runs": (
        "DELETE FROM runs WHERE finished IS NOT NULL",
        "DELETE FROM runs WHERE finished IS NULL",
        "UPDATE runs SET status = 'failed' WHERE finished IS NOT NULL",
        "UPDATE runs SET summary = '{}' WHERE finished IS NOT NULL",
        (
            "INSERT INTO runs SELECT 'forged', kind, started, finished, status, summary, error FROM runs"
            " WHERE finished IS NOT NULL"
        ),
    ),
    "failures": (
        "DELETE FROM failures WHERE okta_id = '00u-ben'",
        "UPDATE failures SET message = 'all is well'",
        (
            "INSERT INTO failures SELECT 'user:x', change_id, kind, 'x', group_id, name, message, attempts,"
            " first_failed, next_attempt FROM failures WHERE okta_id = '00u-ben'"
        ),
    ),
    "holds": (
        "DELETE FROM holds",
        "UPDATE holds SET reason = 'harmless'",
        "INSERT INTO holds SELECT 'h2', check_name, reason, way_out, numbers, raised_at, expires_at, state FROM holds",
    ),
    "hold_changes": (
        "DELETE FROM hold_changes WHERE state = 'held'",
        "UPDATE hold_changes SET state = 'approve'",
        (
            "INSERT INTO hold_changes SELECT hold_id, 'x', kind, okta_id, group_id, document, state FROM hold_changes"
            " WHERE state = 'held'"
        ),
    ),
    "decisions": (
        "DELETE FROM decisions WHERE decision = 'reject'",
        "UPDATE decisions SET decided_by = 'boss@host'",
        (
            "INSERT INTO decisions (at, decided_by, decision, change_id, object_key)"  # noqa: S608
            f" VALUES ('2026-03-01', 'boss@host', 'approve', '{HELD[2].id}', 'user:00u-held2')"
        ),
    ),
    "unproven": (
        "DELETE FROM unproven",
        "UPDATE unproven SET scim_id = 'other'",
        "INSERT INTO unproven SELECT 'group', okta_id, scim_id, body, since FROM unproven",
    ),
    "requests": (
        "DELETE FROM requests",
        'UPDATE requests SET arguments = \'{"allow": {"deactivations": 99}}\'',
        "UPDATE requests SET state = 'withdrawn'",
        (
            "INSERT INTO requests (id, version, kind, arguments, settings, asked_by, reason, asked_at, state, place)"
            " SELECT 'r2', version, kind, arguments, settings, asked_by, reason, asked_at, state, 2 FROM requests"
        ),
    ),
    "open_intents": ("DELETE FROM open_intents", "INSERT INTO open_intents VALUES (1)"),
    "seals": (
        "DELETE FROM seals WHERE name LIKE 'members#%'",
        "UPDATE seals SET total = zeroblob(128) WHERE name LIKE 'members#%'",
        "UPDATE seals SET sequence = 1 WHERE name LIKE 'members#%'",
        "UPDATE seals SET total = 'text' WHERE name LIKE 'members#%'",
    ),
    **{
        f"trigger {name}": (f"DROP TRIGGER {name}",)
        for name in ("journal_no_update", "journal_no_delete", "journal_no_replace")
    },
    "trigger quiet": ("CREATE TRIGGER quiet AFTER INSERT ON journal BEGIN DELETE FROM members; END",),
    "view quiet": ("CREATE VIEW quiet AS SELECT 1",),
    "index quiet": ("CREATE UNIQUE INDEX quiet ON groups (state)",),
    "facts": (
        "DELETE FROM facts WHERE key = 'scope'",
        "UPDATE facts SET value = '\"settings-2\"' WHERE key = 'scope'",
        "INSERT INTO facts VALUES ('last_drift', '\"{}\"')",
    ),
}
BREAKS_THE_CHAIN = {
    "meta": (
        "UPDATE meta SET value = '1:' || substr(value, -64) WHERE key = 'journal_head'",
        "INSERT INTO meta VALUES ('journal_checkpoint', '3')",
    ),
    "journal": (
        (
            "INSERT INTO journal SELECT 99, at, run_id, entry, NULL, kind, okta_id, group_id, applied, body,"
            " previous, hash FROM journal WHERE sequence = 1"
        ),
    ),
    "packs": (
        (
            "INSERT INTO packs SELECT 900, 900 + last - first, at, run_id, entry, kind, group_id, previous,"
            " hash, rows FROM packs LIMIT 1"
        ),
    ),
}
NOT_COMPARED = {
    "waiting",
    "waits_for",
    "doubts",
    "tombstones",
    "writer",
    "_sqlite_migrations",
}


@pytest.mark.parametrize(
    ("table", "statement"),
    [(table, statement) for table, statements in TAMPERING.items() for statement in statements],
)
def test_the_check_names_what_was_altered(lived: Place, table: str, statement: str) -> None:
    by_hand(lived, statement)
    assert table in named(lived)


@pytest.mark.parametrize("statement", [each for rows in BREAKS_THE_CHAIN.values() for each in rows])
def test_the_chain_shows_what_was_done_to_it(lived: Place, statement: str) -> None:
    by_hand(lived, statement)
    assert checked(lived).broken_at is not None


def test_a_pack_that_cannot_be_read_is_said_to_whoever_asks_and_breaks_the_chain(lived: Place) -> None:
    by_hand(lived, "DROP TRIGGER packs_no_update", "UPDATE packs SET rows = X'00'")
    assert checked(lived).problem == "its content was changed"
    with open_for_reading(lived.path, connection="split-prod", clock=lived.clock) as store:
        with pytest.raises(PermanentError, match="cannot be read"):
            list(store.journal_entries())
        with pytest.raises(PermanentError, match="cannot be read"):
            store.last_changes("00u-crowd0003", limit=1)


def test_a_changed_trigger_is_named(lived: Place) -> None:
    by_hand(
        lived,
        "DROP TRIGGER journal_no_update",
        "CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT 1; END",
    )
    assert named(lived) == {"trigger journal_no_update"}


def test_every_table_is_compared_or_the_page_says_why_not(lived: Place) -> None:
    with closing(sqlite3.connect(lived.path)) as conn:
        tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    compared = {table for table in TAMPERING if " " not in table} | BREAKS_THE_CHAIN.keys()
    assert tables == compared | NOT_COMPARED
    told = set(re.findall(r"`(\w+)`", DOCS.read_text(encoding="utf-8")))
    assert tables <= told


@pytest.mark.parametrize("table", ["users", "groups", "members", "runs", "failures", "holds", "decisions"])
def test_what_was_altered_stays_named_when_syncd_writes_on(lived: Place, table: str) -> None:
    by_hand(lived, TAMPERING[table][0])
    with lived.open() as store:
        push_user(store, CAL)
        push_group(store, "00g-ops", ["00u-cal"])
        apply(store, change(ChangeKind.UPDATE_USER, "00u-cal", title="z"), error="no")
        store.finish_run(store.begin_run("delta"), status="succeeded", summary={}, error=None)
    assert table in named(lived)


def test_a_sum_changed_with_its_table_is_never_signed(lived: Place) -> None:
    """Whoever puts the right sum beside the wrong rows does not get the next row of the trail to seal it."""
    with closing(sqlite3.connect(lived.path, factory=SqliteDb)) as conn:
        conn.execute("DELETE FROM members WHERE user_id = '00u-ann'")
        guard = next(each for each in seals.GUARDS if each.table == "members")
        total = seals.sum_of(conn, guard).to_bytes(128, "little")
        conn.execute("UPDATE seals SET total = ? WHERE name = ?", (total, guard.name))
        conn.commit()
    with lived.open() as store:
        push_member(store, "00g-dev", "00u-cal")
        push_member(store, "00g-dev", "00u-cal", present=False)
    assert "members" in named(lived)


@pytest.mark.parametrize(
    ("table", "statement", "who"),
    [
        ("members", "DELETE FROM members WHERE user_id = '00u-ann'", "00u-ann in 00g-dev"),
        ("users", "UPDATE users SET pushed_active = 0 WHERE okta_id = '00u-ann'", "00u-ann"),
        ("groups", "UPDATE groups SET scim_id = 'other'", "00g-dev"),
        ("runs", "UPDATE runs SET status = 'failed' WHERE finished IS NOT NULL", "is not as row"),
        ("runs", "DELETE FROM runs WHERE finished IS NOT NULL", "is not as row"),
        ("decisions", "DELETE FROM decisions WHERE decision = 'reject'", HELD[1].id),
    ],
)
def test_a_forged_seal_does_not_hide_what_the_rows_say(
    lived: Place, table: str, statement: str, who: str
) -> None:
    """With a seal added behind the head that was noted: the rows that told of it are still there."""
    with lived.open() as store:
        noted = Head.parse(store.journal_head()[1])
    with closing(sqlite3.connect(lived.path, isolation_level=None, factory=SqliteDb)) as conn:
        forge(conn, statement, noted)
    report = checked(lived, noted)
    assert report.broken_at is None
    assert {each.table for each in report.altered} == {table}
    assert any(who in each.problem for each in report.altered)


def test_a_second_starting_point_takes_no_word_back(lived: Place) -> None:
    with lived.open() as store:
        store.forget_decisions([HELD[0].id, HELD[1].id])
        noted = Head.parse(store.journal_head()[1])
    with closing(sqlite3.connect(lived.path, isolation_level=None, factory=SqliteDb)) as conn:
        said = {"starting_point": {"rows": noted.sequence}}
        forge(conn, "DELETE FROM members WHERE user_id = '00u-ann'", noted, said)
    assert named(lived) == {"members"}


def forge(conn: SqliteDb, statement: str, head: Head, said: Mapping[str, object] | None = None) -> None:
    """Changes a table, and writes the row of the trail that seals it, as who has read the code does."""
    forger = seals.Seals(conn)
    Watch(conn, forger).begin()
    conn.execute("BEGIN")
    conn.execute(statement)
    sequence = head.sequence + 1
    body = canonical({**(said or {}), **forger.handed_over(sequence)})
    values = [
        sequence,
        "2026-03-01T12:00:00.000000Z",
        None,
        "note",
        None,
        None,
        None,
        None,
        None,
        body,
        head.hash,
    ]
    digest = row_hash(values)
    conn.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, digest))
    conn.execute("UPDATE meta SET value = ? WHERE key = 'journal_head'", (f"{sequence}:{digest}",))
    conn.execute("COMMIT")


def test_an_index_that_was_left_behind_hides_nothing(lived: Place) -> None:
    """The check may read an index instead of its table; and the trail tells no more of what was pruned."""
    settle_and_prune(lived)
    with closing(sqlite3.connect(lived.path)) as conn:
        conn.execute("PRAGMA writable_schema = ON")
        row = conn.execute("SELECT * FROM sqlite_master WHERE name = 'members_by_user'").fetchone()
        conn.execute("DELETE FROM sqlite_master WHERE name = 'members_by_user'")
        conn.commit()
    by_hand(lived, "DELETE FROM members WHERE user_id = '00u-ann'")
    with closing(sqlite3.connect(lived.path)) as conn:
        conn.execute("PRAGMA writable_schema = ON")
        conn.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)
        conn.commit()
    assert "file" in named(lived)


def test_what_other_tools_keep_in_the_file_is_no_tampering(lived: Place) -> None:
    by_hand(lived, "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)", "ANALYZE")
    with closing(sqlite3.connect(lived.path)) as conn:
        conn.execute("VACUUM")
        conn.execute("PRAGMA user_version = 7")
    assert checked(lived).intact


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("members", "UPDATE members SET user_id = CAST(x'ff41' AS TEXT) WHERE user_id = '00u-ann'"),
        ("members", "UPDATE members SET user_id = x'41' WHERE user_id = '00u-ann'"),
        ("users", "UPDATE users SET okta_id = CAST(x'ff41' AS TEXT) WHERE okta_id = '00u-ann'"),
        ("users", "UPDATE users SET okta_id = x'41' WHERE okta_id = '00u-ann'"),
        ("groups", "UPDATE groups SET okta_id = x'41'"),
        ("groups", "UPDATE groups SET scim_id = CAST(x'ff41' AS TEXT)"),
        ("runs", "UPDATE runs SET run_id = x'41' WHERE finished IS NOT NULL"),
        ("runs", "UPDATE runs SET run_id = CAST(x'ff41' AS TEXT) WHERE finished IS NOT NULL"),
        ("decisions", "UPDATE decisions SET change_id = CAST(x'ff41' AS TEXT)"),
        ("holds", "UPDATE holds SET reason = CAST(x'ff41' AS TEXT)"),
        ("facts", "UPDATE facts SET key = CAST(x'ff41' AS TEXT) WHERE key = 'scope'"),
        ("seals", "UPDATE seals SET name = CAST(x'ff41' AS TEXT) WHERE name LIKE 'members#%'"),
    ],
)
def test_what_is_no_text_is_named_in_text(lived: Place, table: str, statement: str) -> None:
    by_hand(lived, statement)
    report = checked(lived)
    assert table in {each.table for each in report.altered}
    for each in report.altered:
        each.problem.encode("utf-8")


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("users", "UPDATE users SET revision = 1000000000 WHERE okta_id = '00u-ann'"),
        ("users", "UPDATE users SET own_list_revision = 1000000000 WHERE okta_id = '00u-ann'"),
        ("groups", "UPDATE groups SET list_revision = 1000000000"),
        ("tombstones", "INSERT INTO tombstones VALUES ('00u-ann', 1000000000, '')"),
        ("users", "UPDATE meta SET value = '0' WHERE key = 'revision'"),
        ("meta", "UPDATE meta SET value = 'young' WHERE key = 'revision'"),
    ],
)
def test_nobody_is_younger_than_the_store(lived: Place, table: str, statement: str) -> None:
    """What Okta says would count for them no more, their leaving either."""
    by_hand(lived, statement)
    assert table in named(lived)


def test_a_run_that_has_not_ended_has_no_result(lived: Place) -> None:
    by_hand(lived, "UPDATE runs SET status = 'succeeded' WHERE finished IS NULL")
    assert named(lived) == {"runs"}


def settle_and_prune(place: Place) -> None:
    place.clock.advance(timedelta(days=3))
    with place.open() as store:
        for intent in store.open_intents():
            store.settle([Settled(intent.sequence, intent.change, (), status=200)])
    place.clock.advance(timedelta(days=40))
    with place.open() as store:
        assert store.prune(timedelta(days=30)) > 0


def test_pruning_washes_no_trace_of_a_table_that_went_with_its_seal(lived: Place) -> None:
    by_hand(lived, "DELETE FROM failures", "DELETE FROM seals WHERE name LIKE 'failures#%'")
    with lived.open() as store:
        apply(store, change(ChangeKind.UPDATE_USER, "00u-cal", title="z"), error="no")
    settle_and_prune(lived)
    assert "failures" in named(lived)


# what lets a removal pass


def test_a_store_that_was_altered_says_so_until_it_is_whole_again(lived: Place) -> None:
    with lived.open() as store:
        assert store.altered() == set()
        push_member(store, "00g-dev", "00u-cal")
        assert store.altered() == set()
        by_hand(lived, "DELETE FROM facts WHERE key = 'scope'")
        assert store.altered() == {"facts"}
        store.remember("scope", "settings-2")
        assert store.altered() == {"facts"}
        by_hand(lived, "INSERT INTO members VALUES ('00g-dev', '00u-x', 0, 1)")
        assert store.altered() == {"facts", "members"}
        by_hand(lived, "DELETE FROM seals")
        assert store.altered() >= {"facts", "members", "users"}


def test_a_reader_says_so_too(lived: Place) -> None:
    with open_for_reading(lived.path, connection="split-prod", clock=lived.clock) as store:
        assert store.altered() == set()
        by_hand(lived, "UPDATE users SET scim_id = x'ff' WHERE okta_id = '00u-ann'")
        assert store.altered() == {"users"}


def test_a_store_that_nothing_sealed_yet_is_not_called_altered(lived: Place) -> None:
    as_0_1_0_left_it(lived)
    with open_for_reading(lived.path, connection="split-prod", clock=lived.clock) as store:
        assert store.altered() == set()


# what releases a change


def test_a_decision_written_by_hand_releases_nothing(lived: Place) -> None:
    by_hand(lived, TAMPERING["decisions"][2])
    with lived.open() as store:
        assert HELD[2].id not in store.decided().approved
        apply(store, HELD[2])
        intent = [row for row in store.journal_entries() if row.entry == "intent"][-1]
    assert "approved" not in intent.body


def test_nor_does_a_decision_that_names_somebody_elses_row(lived: Place) -> None:
    by_hand(
        lived,
        "INSERT INTO decisions (at, decided_by, decision, hold_id, change_id, object_key, expires_at, sequence)"  # noqa: S608
        f" SELECT at, decided_by, 'approve', hold_id, '{HELD[2].id}', 'user:00u-held2', expires_at, sequence"
        " FROM decisions",
        "DELETE FROM decisions WHERE decision = 'reject'",
    )
    with lived.open() as store:
        assert store.decided().approved == {HELD[0].id}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE decisions SET decided_by = 'boss@host'",
        "UPDATE decisions SET expires_at = '2036-01-01T00:00:00.000000Z'",
        "UPDATE decisions SET decision = 'approve'",
        "DELETE FROM decisions",
    ],
)
def test_a_decision_counts_as_it_was_made_whatever_was_done_to_its_row(lived: Place, statement: str) -> None:
    by_hand(lived, statement)
    with lived.open() as store:
        assert (store.decided().approved, store.decided().rejected) == ({HELD[0].id}, {HELD[1].id})
        store.forget_decisions([HELD[1].id])
        assert store.decided().rejected == set()
        apply(store, HELD[0])
        intent = [row for row in store.journal_entries() if row.entry == "intent"][-1]
        assert store.decided().approved == set()
    assert intent.body["approved"]["by"] == "eve@host"
    assert "decisions" in named(lived)


KEPT = "CREATE TABLE kept AS SELECT * FROM decisions WHERE decision = 'approve'"
BACK = ("INSERT INTO decisions SELECT * FROM kept", "DROP TABLE kept")


def put_back(lived: Place) -> None:
    with closing(sqlite3.connect(lived.path)) as conn:
        for statement in BACK:
            conn.execute(statement)
        conn.commit()


def test_an_approval_that_was_used_is_not_used_again(lived: Place) -> None:
    with closing(sqlite3.connect(lived.path)) as conn:
        conn.execute(KEPT)
    with lived.open() as store:
        apply(store, HELD[0], [UserForgotten("00u-held0")])
    put_back(lived)
    with lived.open() as store:
        assert store.decided().approved == set()
    assert named(lived) == {"decisions"}


def test_nor_one_about_a_change_that_nobody_wanted_any_more(lived: Place) -> None:
    with closing(sqlite3.connect(lived.path)) as conn:
        conn.execute(KEPT)
    with lived.open() as store:
        store.forget_decisions([HELD[0].id, "unknown"])
        assert store.verify_journal().intact
    put_back(lived)
    with lived.open() as store:
        assert store.decided().approved == set()


def test_a_stage_goes_by_the_trail_too(lived: Place) -> None:
    by_hand(lived, TAMPERING["decisions"][2])
    with lived.open() as store, closing(store.stage()) as stage:
        for each in HELD:
            stage.add_change(each)
        assert stage.decided_changes("approve", NOON) == {HELD[0].id}
        assert stage.decided_changes("reject", NOON) == {HELD[1].id}


# pruning, older stores, copies


def test_decisions_outlive_the_rows_that_made_them(lived: Place) -> None:
    settle_and_prune(lived)
    with lived.open() as store:
        assert store.decided().rejected == {HELD[1].id}
        push_member(store, "00g-dev", "00u-ann", present=False)
        assert store.verify_journal().intact
    by_hand(lived, "DELETE FROM members WHERE user_id = '00u-ben'")
    assert named(lived) == {"members"}


def test_whoever_was_tied_before_the_trail_begins_may_be_tied_to_another_account(lived: Place) -> None:
    """Their memberships go with the old one, and no row is left that told which that was."""
    settle_and_prune(lived)
    with lived.open() as store:
        push_member(store, "00g-dev", "00u-ann", present=False)
        push_member(store, "00g-dev", "00u-ann")
        renamed = PushedUser("another-account", {"userName": "x"}, active=True)
        apply(store, change(ChangeKind.UPDATE_USER, "00u-ann", title="z"), [UserPushed("00u-ann", renamed)])
    assert checked(lived).intact


def as_0_1_0_left_it(place: Place) -> None:
    """Without packs, and without seals, in table and trail alike."""
    with closing(sqlite3.connect(place.path, factory=SqliteDb)) as conn:
        made = conn.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            conn.execute(f"DROP TRIGGER {name}")
        rows = list(packs.in_order(conn))
        conn.execute("DELETE FROM journal")
        conn.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        for table in ("packs", "packed"):
            conn.execute(f"DROP TABLE {table}")
        conn.execute("UPDATE journal SET body = json_remove(body, '$.seals', '$.decided')")
        previous = GENESIS
        columns = "sequence, at, run_id, entry, refers, kind, okta_id, group_id, applied, body"
        for row in conn.execute(f"SELECT {columns} FROM journal ORDER BY sequence").fetchall():  # noqa: S608
            digest = row_hash((*row, previous))
            conn.execute(
                "UPDATE journal SET previous = ?, hash = ? WHERE sequence = ?", (previous, digest, row[0])
            )
            previous = digest
        conn.execute("UPDATE meta SET value = ? WHERE key = 'journal_head'", (f"{row[0]}:{previous}",))
        conn.execute("DELETE FROM meta WHERE key = 'sealed_since'")
        conn.execute("DROP TABLE seals")
        for index in ("journal_notes", "journal_decisions"):
            conn.execute(f"DROP INDEX {index}")
        conn.execute("ALTER TABLE decisions DROP COLUMN sequence")
        conn.execute("DELETE FROM _sqlite_migrations WHERE name IN ('m009_sealed', 'm014_packs')")
        for (sql,) in made:
            if " ON packs" not in sql:
                conn.execute(sql)
        conn.commit()


def test_an_older_store_is_sealed_as_it_is_found(lived: Place) -> None:
    as_0_1_0_left_it(lived)
    with lived.open() as store:
        last = list(store.journal_entries())[-1]
        assert last.body["starting_point"] == {"rows": last.sequence - 1}
        assert {seals.table_of(name) for name in last.body["seals"]} >= {
            "users",
            "members",
            "runs",
            "decisions",
        }
        assert store.decided().approved == {HELD[0].id}
        assert store.decided().rejected == {HELD[1].id}
        assert store.verify_journal().intact
    assert checked(lived).intact
    by_hand(lived, "DELETE FROM members WHERE user_id = '00u-ann'")
    assert named(lived) == {"members"}


def test_decisions_of_an_older_store_need_their_row_of_the_trail_too(lived: Place) -> None:
    as_0_1_0_left_it(lived)
    by_hand(lived, TAMPERING["decisions"][2])
    with lived.open() as store:
        assert store.decided().approved == {HELD[0].id}


@pytest.fixture
def sealed_otherwise(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A store that a version made which sealed neither facts nor all of the people."""
    older = tuple(
        replace(guard, name="users#older", columns=guard.columns[:2])
        if guard.name.startswith("users#")
        else guard
        for guard in seals.GUARDS
        if guard.table != "facts"
    )
    with monkeypatch.context() as patch:
        for module in (seals, account, starting, sealing):
            patch.setattr(module, "GUARDS", older)
        with place.open() as store:
            live(store)
            assert store.verify_journal().intact
    return place


def test_what_another_version_sealed_otherwise_is_sealed_anew(sealed_otherwise: Place) -> None:
    assert checked(sealed_otherwise).intact
    with open_for_reading(
        sealed_otherwise.path, connection="split-prod", clock=sealed_otherwise.clock
    ) as store:
        assert store.altered() == set()
    with sealed_otherwise.open() as store:
        last = list(store.journal_entries())[-1]
        assert last.body["sealed_anew"] == ["facts", "users"]
        assert store.altered() == set()
        push_user(store, CAL)
        assert store.verify_journal().intact
    sealed_otherwise.open().close()
    assert checked(sealed_otherwise).rows == last.sequence + 2, "once"
    by_hand(sealed_otherwise, "UPDATE users SET invited = 1 WHERE okta_id = '00u-ann'")
    assert named(sealed_otherwise) == {"users"}


def test_what_was_sealed_once_is_not_sealed_anew_because_somebody_removed_the_seal(lived: Place) -> None:
    by_hand(lived, "DELETE FROM facts WHERE key = 'scope'", "DELETE FROM seals WHERE name LIKE 'facts#%'")
    lived.open().close()
    assert named(lived) == {"facts", "seals"}


def test_who_removes_the_mark_gets_no_second_starting_point(lived: Place) -> None:
    by_hand(
        lived,
        "DELETE FROM meta WHERE key = 'sealed_since'",
        "DELETE FROM seals",
        "DELETE FROM members WHERE user_id = '00u-ann'",
    )
    lived.open().close()
    assert {"members", "seals"} <= named(lived)
