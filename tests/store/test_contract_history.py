"""The contract of `ports.History`: what an audit report asks a store."""

from __future__ import annotations

from datetime import timedelta

from syncd.core.change import ChangeKind
from syncd.core.plan import Hold
from syncd.ports import Settled, Store
from syncd.ports.history import DayCount, Reach
from tests.store import making
from tests.store.making import NOON, Clock

ANN, BEN = making.wanted("00u-ann", reason="assigned through group Eng"), making.wanted("00u-ben")
EVERYTHING = Reach()
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def two_people_in_a_group(store: Store, clock: Clock) -> None:
    making.absorb(store, users=[ANN, BEN], groups=[making.group("g1")], lists={"g1": [ANN.okta_id]})
    making.push_user(store, ANN)
    making.push_user(store, BEN)
    making.push_group(store, "g1")
    clock.advance(MINUTE)
    making.push_member(store, "g1", ANN.okta_id)


def test_access_says_who_since_when_and_by_which_change(store: Store, clock: Clock) -> None:
    two_people_in_a_group(store, clock)

    [grant] = store.grants()

    assert (grant.group, grant.user_name, grant.active) == ("Group g1", "00u-ann@example.com", True)
    assert (grant.since, grant.kind) == (NOON + MINUTE, "add_member")
    assert (grant.reason, grant.assigned) == ("for a test", "assigned through group Eng")
    assert grant.run_id == next(iter(store.runs())).run_id


def test_who_left_and_came_back_has_access_since_the_return(store: Store, clock: Clock) -> None:
    two_people_in_a_group(store, clock)
    clock.advance(DAY)
    making.push_member(store, "g1", ANN.okta_id, present=False)
    assert list(store.grants()) == []
    clock.advance(DAY)
    making.push_member(store, "g1", ANN.okta_id)

    assert [grant.since for grant in store.grants()] == [NOON + MINUTE + 2 * DAY]


def test_a_member_that_came_with_a_linked_group_has_access_since_the_link(store: Store, clock: Clock) -> None:
    making.absorb(store, users=[ANN], groups=[making.group("g1")], lists={"g1": [ANN.okta_id]})
    making.push_user(store, ANN)
    clock.advance(DAY)
    making.push_group(store, "g1", [ANN.okta_id])

    assert [(grant.since, grant.kind) for grant in store.grants()] == [(NOON + DAY, "create_group")]


def test_active_accounts_in_no_group_are_told_with_the_time_they_were_given(
    store: Store, clock: Clock
) -> None:
    two_people_in_a_group(store, clock)

    [alone] = store.without_group()
    assert (alone.user_name, alone.since, alone.group) == ("00u-ben@example.com", NOON, None)
    assert store.people_without_group() == 1


def test_a_failure_lasts_from_the_first_try_to_the_one_that_went_well(store: Store, clock: Clock) -> None:
    making.absorb(store, users=[ANN])
    making.push_user(store, ANN)
    update = making.change(ChangeKind.UPDATE_USER, ANN.okta_id, title="Dr")
    making.apply(store, update, error="the target answers 503")
    clock.advance(MINUTE)
    making.apply(store, update, error="the target answers 500")
    clock.advance(MINUTE)
    making.apply(store, update)
    clock.advance(MINUTE)
    making.apply(store, update, error="once more")

    over, still = store.troubles(EVERYTHING)
    assert (over.attempts, over.error, over.end) == (2, "the target answers 500", "recovered")
    assert (over.first, over.last, over.ended) == (
        NOON,
        NOON + MINUTE,
        NOON + 2 * MINUTE,
    )
    assert over.asked is not None
    assert over.asked["name"] == "00u-ann@example.com"
    assert (still.attempts, still.end, still.ended) == (1, "open", None)


def test_failures_of_one_object_are_not_those_of_another(store: Store, clock: Clock) -> None:
    making.absorb(store, users=[ANN], groups=[making.group("g1")], lists={"g1": [ANN.okta_id]})
    making.push_user(store, ANN)
    making.push_group(store, "g1")
    making.apply(
        store, making.change(ChangeKind.ADD_MEMBER, ANN.okta_id, group_id="g1", member=True), error="no"
    )
    clock.advance(MINUTE)
    making.apply(store, making.change(ChangeKind.UPDATE_USER, ANN.okta_id, title="Dr"))

    [trouble] = store.troubles(EVERYTHING)
    assert (trouble.kind, trouble.group_id, trouble.end) == ("add_member", "g1", "open")


def test_a_trouble_that_was_over_before_is_not_told(store: Store, clock: Clock) -> None:
    making.absorb(store, users=[ANN])
    update = making.change(ChangeKind.UPDATE_USER, ANN.okta_id, title="Dr")
    making.apply(store, update, error="no")
    making.apply(store, update)

    assert len(list(store.troubles(Reach(since=NOON)))) == 1
    assert list(store.troubles(Reach(since=NOON + MINUTE))) == []


def test_runs_that_fail_in_a_row_are_one_outage_until_one_does_not(store: Store, clock: Clock) -> None:
    for status in ("succeeded", "failed", "interrupted", "failed", "partial", "failed", "interrupted"):
        run_id = store.begin_run("full")
        clock.advance(MINUTE)
        store.finish_run(run_id, status=status, summary={}, error=status if status == "failed" else None)

    first, second = store.outages(None)
    assert (first.first, first.ended, first.runs) == (NOON + MINUTE, NOON + 4 * MINUTE, 2)
    assert (second.first, second.ended, second.error) == (NOON + 5 * MINUTE, None, "failed")


def test_changes_are_counted_by_day_kind_and_result(store: Store, clock: Clock) -> None:
    making.absorb(store, users=[ANN, BEN])
    making.push_user(store, ANN)
    clock.advance(DAY)
    making.push_user(store, BEN)
    making.apply(store, making.change(ChangeKind.UPDATE_USER, ANN.okta_id, title="Dr"), error="no")

    assert store.change_counts(EVERYTHING) == [
        DayCount("2026-03-01", "create_user", "applied", 1),
        DayCount("2026-03-02", "create_user", "applied", 1),
        DayCount("2026-03-02", "update_user", "failed", 1),
    ]
    assert [one.day for one in store.change_counts(Reach(since=NOON + MINUTE))] == ["2026-03-02"] * 2
    first_run = list(store.runs())[-1].run_id
    assert [one.kind for one in store.change_counts(Reach(run_id=first_run))] == ["create_user"]


def test_the_time_to_apply_counts_from_the_beginning_of_the_run(store: Store, clock: Clock) -> None:
    making.absorb(store, users=[ANN])
    done = making.change(ChangeKind.CREATE_USER, ANN.okta_id)
    run_id = store.begin_run("full")
    clock.advance(timedelta(seconds=3))
    (sequence,) = store.intend(run_id, [done])
    store.settle([Settled(sequence, done)])

    assert store.latencies(EVERYTHING, (1.0, 5.0)).counts == (0, 1, 0)


def test_a_hold_tells_what_became_of_it(store: Store, clock: Clock) -> None:
    held = [making.change(ChangeKind.DEACTIVATE_USER, each, active=False) for each in ("00u-ann", "00u-ben")]
    store.raise_holds(
        [(Hold("h1", "deactivations", "too many", "wait", {"planned": 2}, 2), held)], whole=True
    )
    assert [(one.state, one.waiting) for one in store.hold_stories(None)] == [("waiting", 2)]

    store.decide([held[0].id], "approve", "ann")
    store.decide([held[1].id], "reject", "ben")

    [story] = store.hold_stories(None)
    assert (story.state, story.approved, story.rejected) == ("decided", 1, 1)
    assert store.known_changes([held[0].id])[held[0].id]["name"] == "00u-ann@example.com"
    notes = [note.body for note in store.notes(EVERYTHING) if "decision" in note.body]
    assert [body["by"] for body in notes] == ["ann", "ben"]


def test_quiet_runs_are_counted_and_not_told(store: Store, clock: Clock) -> None:
    quiet = store.begin_run("full")
    store.finish_run(quiet, status="succeeded", summary={"applied": {}, "held": {}}, error=None)
    busy = store.begin_run("full")
    store.finish_run(busy, status="succeeded", summary={"applied": {"create_user": 1}}, error=None)

    assert [run.run_id for run in store.told_runs(EVERYTHING, limit=10)] == [busy]
    assert [run.run_id for run in store.told_runs(Reach(run_id=quiet), limit=10)] == [quiet]
    assert store.run_counts(EVERYTHING) == {"succeeded": 2}


def test_hostile_names_come_back_as_they_are(store: Store, clock: Clock) -> None:
    odd = making.wanted("00u-odd", name="=cmd\ud800|<b>@example.com")
    making.absorb(store, users=[odd])
    making.push_user(store, odd)

    assert [one.user_name for one in store.without_group()] == ["=cmd\ud800|<b>@example.com"]


def test_what_is_read_in_one_moment_does_not_change_meanwhile(store: Store, clock: Clock) -> None:
    two_people_in_a_group(store, clock)

    with store.one_moment():
        before = store.journal_head()
        assert len(list(store.grants())) == 1
        assert store.journal_head() == before
    making.push_user(store, BEN)
