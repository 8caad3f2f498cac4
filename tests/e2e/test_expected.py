"""An approval in advance: one limit raised for a window, by a person, with a reason, in the audit trail."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncd.core.expectation import Expectation, widest
from syncd.engine.cycles.delta import delta, follow
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import sync
from syncd.engine.reading.selection import Selection
from syncd.simulators.world import OktaWorld
from tests.chaos.arena import arena
from tests.e2e.rig import Rig, synced_crew
from tests.e2e.test_delta import opened

REASON = "reorganisation CHG-12"


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    with synced_crew(tmp_path, people=40, members=20) as made:
        yield made


def today(days: int = 0) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def expect(made: Rig, said: str, *, on: str | None = None, until: str | None = None) -> str:
    """Its id."""
    days = ["--on", on or today(-1), "--until", until or today(1)]
    document = made.run("expect", said, *days, "--reason", REASON, "--json").document
    return str(document["expected"][0]["id"])


def unassign(made: Rig, *numbers: int) -> None:
    for number in numbers:
        made.okta.world.unassign(f"p{number:02}@example.com")


def test_what_is_expected_passes_in_all_its_days_together_and_no_more(synced: Rig) -> None:
    expect(synced, "deactivations=10")
    unassign(synced, *range(30, 36))
    assert synced.sync()["summary"]["applied"]["deactivate_user"] == 6
    unassign(synced, *range(26, 30))
    assert synced.sync()["summary"]["applied"]["deactivate_user"] == 4

    unassign(synced, 25)
    result = synced.sync(code=3)

    [hold] = result["holds"]
    assert (hold["check"], hold["numbers"]["last_24_hours"], hold["numbers"]["allowed"]) == (
        "deactivations",
        10,
        10,
    )


def test_it_raises_one_limit_and_lowers_none(synced: Rig) -> None:
    expect(synced, "deactivations=1")
    expect(synced, "creations=200")
    unassign(synced, 36, 37)
    synced.sync()
    unassign(synced, *range(30, 36))
    synced.sync(code=3)


def test_what_came_as_expected_does_not_use_up_the_limit_of_the_next_day(synced: Rig) -> None:
    made = expect(synced, "deactivations=10")
    unassign(synced, *range(30, 40))
    synced.sync()
    synced.run("expect", "--revoke", made, "--json")

    unassign(synced, 29)
    synced.sync()
    unassign(synced, *range(25, 29))
    synced.sync(code=3)


def move(made: Rig, *numbers: int) -> None:
    for number in numbers:
        made.okta.world.update_profile(f"p{number:02}@example.com", email=f"moved{number:02}@example.org")


def retitle(made: Rig, *numbers: int) -> None:
    for number in numbers:
        made.okta.world.update_profile(f"p{number:02}@example.com", lastName="Other")


@pytest.fixture
def few_updates(synced: Rig) -> Rig:
    """Four people may be changed a day, and two get another userName."""
    synced.write_config(safety="max_updates = 4\nmax_identity_changes = 2")
    return synced


def test_an_expected_identity_change_is_not_held_as_an_update_of_the_same_person(few_updates: Rig) -> None:
    made = few_updates
    expect(made, "identity_changes=10")
    move(made, *range(10))

    assert made.sync()["summary"]["applied"] == {"update_user": 10}

    retitle(made, *range(10, 14))
    assert made.sync()["summary"]["applied"] == {"update_user": 4}
    made.run("audit", "verify")
    made.assert_exact()


def test_what_came_as_expected_is_no_update_of_the_next_day_either(few_updates: Rig) -> None:
    made = few_updates
    expected = expect(made, "identity_changes=10")
    move(made, *range(10))
    made.sync()
    made.run("expect", "--revoke", expected, "--json")

    retitle(made, *range(10, 14))
    assert made.sync()["summary"]["applied"] == {"update_user": 4}
    retitle(made, 14)

    [hold] = made.sync(code=3)["holds"]

    assert (hold["check"], hold["numbers"]["last_24_hours"]) == ("updates", 4)


def test_beside_what_is_expected_too_many_other_updates_are_held_alone(few_updates: Rig) -> None:
    made = few_updates
    expect(made, "identity_changes=10")
    move(made, *range(10))
    retitle(made, *range(10, 15))

    result = made.sync(code=3)

    assert result["summary"]["applied"] == {"update_user": 10}
    [hold] = result["holds"]
    assert (hold["check"], hold["changes"], hold["numbers"]["planned"]) == ("updates", 5, 5)


def test_as_many_as_are_expected_are_no_updates_and_those_beyond_are(few_updates: Rig) -> None:
    """Ten may get another userName by the setting, three are expected: seven are updates like others."""
    made = few_updates
    made.write_config(safety="max_updates = 4\nmax_identity_changes = 10")
    expect(made, "identity_changes=3")
    move(made, *range(10))

    result = made.sync(code=3)

    [hold] = result["holds"]
    assert (hold["check"], hold["changes"], result["summary"]["applied"]) == (
        "updates",
        7,
        {"update_user": 3},
    )


def test_an_expected_loss_of_values_is_not_held_as_updates(few_updates: Rig) -> None:
    made = few_updates
    made.write_config(safety="max_updates = 4\nmax_blanked = 2")
    expect(made, "blanked=10")
    for number in range(10):
        made.okta.world.update_profile(f"p{number:02}@example.com", lastName="")
    assert made.sync()["summary"]["applied"] == {"update_user": 10}


def test_it_counts_in_its_window_only(synced: Rig) -> None:
    expect(synced, "deactivations=10", on=today(2), until=today(3))
    unassign(synced, *range(30, 40))
    synced.sync(code=3)


def test_a_hold_that_a_person_expects_after_all_is_over_with_the_next_run(synced: Rig) -> None:
    unassign(synced, *range(30, 40))
    synced.sync(code=3)
    expect(synced, "deactivations=10")

    assert synced.sync()["summary"]["applied"]["deactivate_user"] == 10
    assert synced.run("held", "--json").document["holds"] == []


def test_held_lists_what_is_expected_with_who_and_why_and_no_longer_once_it_is_revoked(synced: Rig) -> None:
    made = expect(synced, "deactivations=10", on=today(), until=today(1))
    [listed] = synced.run("held", "--json").document["expected"]

    assert (listed["id"], listed["limit"], listed["number"]) == (made, "deactivations", 10)
    assert (listed["on"], listed["until"], listed["reason"]) == (today(), today(1), REASON)
    assert "@" in listed["by"]
    said = synced.run("held").stdout
    assert f"up to 10 deactivations, {today()} to {today(1)} (UTC)" in said
    assert REASON in said

    synced.run("expect", "--revoke", made)
    assert synced.run("held", "--json").document["expected"] == []
    synced.run("expect", "--revoke", made, code=64)
    unassign(synced, *range(30, 40))
    synced.sync(code=3)


def test_it_stands_in_the_audit_trail_and_the_trail_is_intact(synced: Rig) -> None:
    made = expect(synced, "deactivations=10")
    synced.run("expect", "--revoke", made)

    rows = [line for line in synced.run("audit", "export").stdout.splitlines() if REASON in line]
    assert len(rows) == 1
    assert '"kind": "expect"' in rows[0] or '"kind":"expect"' in rows[0]
    assert synced.run("audit", "verify", "--json").document["intact"] is True


def test_one_that_was_written_into_the_trail_by_hand_raises_nothing(synced: Rig) -> None:
    expect(synced, "deactivations=2")
    synced.sync()
    with closing(sqlite3.connect(synced.store)) as conn, conn:
        conn.execute("DROP TRIGGER journal_no_update")
        conn.execute(
            "UPDATE journal SET body = replace(body, '\"deactivations\",2,', '\"deactivations\",20,')"
            " WHERE body LIKE '%\"expected\":%'"
        )
        conn.execute(
            "CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal\n"
            "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
        )
    unassign(synced, *range(30, 40))

    synced.sync(code=3)

    assert synced.run("held", "--json").document["expected"] == []


def test_it_outlives_the_pruning_of_its_row(tmp_path: Path) -> None:
    okta = OktaWorld()
    for n in range(40):
        okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True)
    with arena(tmp_path, okta) as made:
        with opened(made) as job:
            follow(job)
            assert sync(job, Selection()).exit_code == 0
            first = made.clock().date() + timedelta(days=60)
            ahead = Expectation.of_days(
                "deactivations", 12, first, first, by="eve@host", at=made.clock(), reason=REASON
            )
            job.store.expect(ahead)
        made.later(timedelta(days=60))
        with opened(made) as job:
            assert job.store.prune(timedelta(days=1)) > 0
        for n in range(12):
            okta.unassign(f"p{n:02}@example.com")
        with opened(made) as job:
            assert [each.id for each in job.store.expectations()] == [ahead.id]
            found = delta(job, Seen())
            assert job.store.verify_journal().intact
        assert found.result is not None
        assert sum(found.result.applied.values()) == 12, "the daemon's deltas use it too"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["deactivations=10", "--on", "2020-01-01", "--reason", "x"], "is past"),
        (["deactivations=10", "--on", "2999-01-02", "--until", "2999-01-01", "--reason", "x"], "lies before"),
        (["departures=10", "--on", "2999-01-01", "--reason", "x"], "there is no limit of this name"),
        (["deactivations=-1", "--on", "2999-01-01", "--reason", "x"], "whole number"),
        (["deactivations", "--on", "2999-01-01", "--reason", "x"], "whole number"),
        (["deactivations=10", "--reason", "x"], "--on DATE"),
        (["deactivations=10", "--on", "2999-01-01"], "--reason TEXT"),
        (["deactivations=10", "--on", "2999-01-01", "--reason", " "], "--reason TEXT"),
        (["deactivations=10", "--on", "tomorrow", "--reason", "x"], "tomorrow"),
        (["--revoke", "e000000000000"], "no expectation is called"),
        (["--revoke", "e0", "--on", "2999-01-01"], "takes --reason and nothing else"),
        ([], "NAME=N"),
    ],
)
def test_what_cannot_be_expected_is_a_usage_error(synced: Rig, args: list[str], said: str) -> None:
    answer = synced.run("expect", *args, code=64)
    assert said in answer.stderr


def test_of_several_the_one_that_expects_most_counts() -> None:
    now = datetime(2026, 12, 1, 12, tzinfo=UTC)
    day, after = now.date(), now.date() + timedelta(days=1)
    few, many, later = (
        Expectation.of_days("updates", number, first, first, by="eve", at=now, reason="x")
        for number, first in ((10, day), (20, day), (30, after))
    )

    assert widest([few, many, later], now) == {"updates": many}
    assert widest([few], now + timedelta(hours=12)) == {}
    assert few.in_force(datetime(2026, 12, 1, tzinfo=UTC))


def test_why_an_expectation_is_taken_back_stands_in_the_trail_and_the_report(tmp_path: Path) -> None:
    with synced_crew(tmp_path, people=3, members=2) as made:
        day = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
        document = made.run(
            "expect", "deactivations=40", "--on", day, "--reason", "a move", "--json"
        ).document
        [expected] = document["expected"]

        revoked = made.run(
            "expect", "--revoke", expected["id"], "--reason", "it is put off", "--json"
        ).document

        assert revoked["reason"] == "it is put off"
        decisions = made.run("report", "--format", "json").document["decisions"]
        assert ("revoke", "it is put off") in [(row["decision"], row["reason"]) for row in decisions]
