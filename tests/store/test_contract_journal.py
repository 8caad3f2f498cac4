"""The contract of `ports.Store`: runs, intents and outcomes, failures, the writer's lock."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from syncd.core.change import Change, ChangeKind, revised
from syncd.core.plan import Hold
from syncd.errors import LockLost, RefusedError
from syncd.model import PushedUser
from syncd.ports import Intent, RecentlyApplied, RunRecord, Settled, Store, UserPushed
from tests.store.locking import LASTS, Steady, Watcher, without_file_locks
from tests.store.making import (
    NOON,
    ONLY_SQLITE,
    Clock,
    Place,
    absorb,
    apply,
    change,
    group,
    push_member,
    push_user,
    wanted,
)

ANN = wanted("00u-ann")
UPDATE = change(ChangeKind.UPDATE_USER, "00u-ann", title="Dr")


def fail(store: Store, failing: Change = UPDATE, message: str = "the target answers 400") -> None:
    apply(store, failing, error=message)


def test_an_intent_stays_open_until_it_is_settled(store: Store) -> None:
    run_id = store.begin_run("full")
    changes = [
        UPDATE,
        change(ChangeKind.REMOVE_MEMBER, "00u-ann", group_id="g1", member=False),
    ]
    first, second = store.intend(run_id, changes)
    assert [(each.sequence, each.run_id, each.change.id) for each in store.open_intents()] == [
        (first, run_id, changes[0].id),
        (second, run_id, changes[1].id),
    ]
    store.settle([Settled(first, changes[0])])
    assert [each.sequence for each in store.open_intents()] == [second]


def test_an_open_intent_carries_its_whole_change(store: Store) -> None:
    run_id = store.begin_run("full")
    (sequence,) = store.intend(run_id, [UPDATE])
    (entry,) = store.journal_entries()
    assert store.open_intents() == [Intent(sequence, run_id, UPDATE, entry.at)]


def test_what_was_settled_before_stays_as_it_is_and_comes_back(store: Store) -> None:
    absorb(store, users=[ANN])
    run_id = store.begin_run("full")
    first, second = store.intend(run_id, [UPDATE, UPDATE])
    effect = UserPushed(ANN.okta_id, PushedUser("scim-1", {}, active=True))
    assert store.settle([Settled(first, UPDATE)]) == []
    late = Settled(first, UPDATE, [effect])
    rows = len(list(store.journal_entries()))

    assert store.settle([late, Settled(second, UPDATE)]) == [late]

    assert len(list(store.journal_entries())) == rows + 1, "the one that was open"
    assert store.open_intents() == []
    known = store.user(ANN.okta_id)
    assert known is not None
    assert known.pushed is None


def test_an_outcome_without_an_intent_is_an_error_and_changes_nothing(store: Store) -> None:
    run_id = store.begin_run("full")
    (sequence,) = store.intend(run_id, [UPDATE])
    with pytest.raises(ValueError, match="no open intent"):
        store.settle([Settled(sequence, UPDATE), Settled(sequence + 7, UPDATE)])
    assert len(store.open_intents()) == 1


def test_nothing_to_intend_or_settle_writes_nothing(store: Store) -> None:
    run_id = store.begin_run("full")
    assert list(store.intend(run_id, [])) == []
    store.settle([])
    assert store.open_intents() == []


def test_runs_are_listed_the_youngest_first_with_their_results(store: Store, clock: Clock) -> None:
    first = store.begin_run("full")
    clock.advance(timedelta(minutes=1))
    second = store.begin_run("targeted")
    store.finish_run(first, status="partial", summary={"applied": {"create_user": 2}}, error="one failed")
    runs = store.runs()
    assert runs == [
        RunRecord(second, "targeted", clock.now, None, None, {}, None),
        RunRecord(first, "full", NOON, clock.now, "partial", {"applied": {"create_user": 2}}, "one failed"),
    ]
    assert [run.run_id for run in store.runs(limit=1)] == [second]


def test_a_failure_waits_longer_every_time_it_repeats(store: Store, clock: Clock) -> None:
    waits = []
    for _ in range(7):
        fail(store)
        (failure,) = store.failures()
        waits.append((failure.attempts, failure.next_attempt - clock.now))
        clock.advance(timedelta(hours=1))
    minutes = [1, 5, 30, 120, 360, 1440, 1440]
    assert waits == [(n, timedelta(minutes=wait)) for n, wait in enumerate(minutes, 1)]
    assert failure.first_failed == NOON
    assert (failure.object_key, failure.kind, failure.name, failure.message) == (
        "user:00u-ann",
        ChangeKind.UPDATE_USER,
        "00u-ann@example.com",
        "the target answers 400",
    )


def test_a_newer_wish_replaces_the_failed_one_and_starts_afresh(store: Store, clock: Clock) -> None:
    fail(store)
    fail(store)
    clock.advance(timedelta(hours=1))
    newer = change(ChangeKind.DEACTIVATE_USER, "00u-ann", active=False)
    fail(store, newer, "the target answers 500")
    (failure,) = store.failures()
    assert (failure.change_id, failure.attempts, failure.first_failed) == (newer.id, 1, clock.now)


def test_success_ends_the_failure_of_that_object_only(store: Store) -> None:
    other = change(ChangeKind.UPDATE_USER, "00u-bob", title="x")
    fail(store)
    fail(store, other)
    apply(store, change(ChangeKind.UPDATE_USER, "00u-ann", title="other"))
    assert [failure.object_key for failure in store.failures()] == [other.object_key]


def test_a_deferred_outcome_counts_as_no_failure(store: Store) -> None:
    fail(store)
    run_id = store.begin_run("full")
    (sequence,) = store.intend(run_id, [UPDATE])
    store.settle([Settled(sequence, UPDATE, error="stopped", deferred=True)])
    (failure,) = store.failures()
    assert failure.attempts == 1
    assert store.open_intents() == []


def test_a_person_makes_one_failure_or_all_due(store: Store, clock: Clock) -> None:
    fail(store)
    fail(store, change(ChangeKind.CREATE_GROUP, "g1"))
    assert store.retry_now("user:nobody") == 0
    assert store.retry_now("group:g1") == 1
    due = {failure.object_key: failure.next_attempt <= clock.now for failure in store.failures()}
    assert due == {"group:g1": True, "user:00u-ann": False}
    assert store.retry_now(None) == 2
    assert all(failure.next_attempt <= clock.now for failure in store.failures())


def test_a_failure_ends_when_nobody_wishes_for_it_any_more(store: Store) -> None:
    absorb(store, users=[ANN, wanted("00u-bob")], groups=[group("g1")], lists={"g1": ["00u-bob"]})
    push_user(store, ANN)
    changed = wanted("00u-ann", attributes={"title": "Dr"})
    absorb(store, users=[changed, wanted("00u-bob")])
    fail(store)
    fail(store, change(ChangeKind.ADD_MEMBER, "00u-bob", group_id="g1", member=True))
    absorb(store, users=[changed, wanted("00u-bob")])
    assert [failure.object_key for failure in store.failures()] == ["member:g1:00u-bob", "user:00u-ann"]
    absorb(store, users=[ANN, wanted("00u-bob")], lists={"g1": []})
    assert store.failures() == []


@ONLY_SQLITE
def test_what_looks_like_a_credential_is_not_stored_with_an_error(store: Store, place: Place) -> None:
    fail(store, message="401 for Authorization: Bearer abc123secret456")
    (failure,) = store.failures()
    assert "abc123secret456" not in failure.message
    files = [path for path in place.path.parent.iterdir() if path.is_file()]
    assert [path.name for path in files if b"abc123secret456" in path.read_bytes()] == []


def test_removals_in_the_window_are_counted_over_all_runs(store: Store, clock: Clock) -> None:
    remove = ChangeKind.REMOVE_MEMBER
    apply(store, change(ChangeKind.DEACTIVATE_USER, "00u-old", active=False))
    clock.advance(timedelta(hours=30))
    apply(store, change(ChangeKind.DEACTIVATE_USER, "00u-new", active=False))
    apply(store, change(ChangeKind.DEACTIVATE_USER, "00u-bad", active=False), error="500")
    apply(store, change(ChangeKind.DELETE_GROUP, "g9"))
    apply(store, change(ChangeKind.UNLINK_GROUP, "g8"))
    for group_id, user_id in (("g1", "a"), ("g1", "b"), ("g2", "a")):
        apply(store, change(remove, user_id, group_id=group_id, member=False))
    push_member(store, "g1", "c")
    by_group = {"g1": 2, "g2": 1}
    expected = RecentlyApplied(
        {
            "deactivations": 1,
            "group_deletions": 1,
            "member_removals": 3,
            "member_removals_per_group": 3,
            "member_additions": 1,
            "protected_additions": 1,
        },
        {
            "member_removals": by_group,
            "member_removals_per_group": by_group,
            "member_additions": {"g1": 1},
            "protected_additions": {"g1": 1},
        },
    )
    assert store.applied_since(clock.now - timedelta(hours=24)) == expected
    assert store.applied_since(NOON).of("deactivations") == 2
    assert store.applied_since(clock.now - timedelta(hours=24)) == expected


def test_what_is_not_a_removal_is_counted_by_what_it_does(store: Store) -> None:
    """A row that is exempt, or a step on the way, counts for nothing, nor does an account that is only tied."""
    made, tied = (
        change(ChangeKind.CREATE_USER, "00u-a", userName="a@example.com"),
        change(ChangeKind.ADOPT_USER, "00u-b", externalId="00u-b"),
    )
    moved = revised(
        change(ChangeKind.UPDATE_USER, "00u-c", userName="c@example.com", title=None),
        before={"userName": "old@example.com", "title": "Dr"},
    )
    first = change(ChangeKind.CREATE_USER, "00u-d", userName="d@example.com")
    run_id = store.begin_run("full")
    sequences = store.intend(run_id, [made, tied, moved, first, UPDATE], exempt={first.id})
    store.settle(
        [
            Settled(sequence, each, step=each is UPDATE)
            for sequence, each in zip(sequences, (made, tied, moved, first, UPDATE), strict=True)
        ]
    )

    assert store.applied_since(NOON).totals == {
        "creations": 1,
        "updates": 1,
        "identity_changes": 1,
        "blanked": 1,
    }


def test_what_another_process_applied_counts_at_once(store: Store, place: Place, clock: Clock) -> None:
    with place.open() as other:
        apply(store, UPDATE)
        assert other.applied_since(NOON).of("updates") == 1
        apply(store, UPDATE)
        assert other.applied_since(NOON).of("updates") == 2
        clock.advance(timedelta(hours=25))
        assert other.applied_since(clock.now - timedelta(hours=24)).of("updates") == 0
        assert other.applied_since(NOON).of("updates") == 2


def test_removals_that_a_person_decided_on_do_not_count(store: Store, clock: Clock) -> None:
    waits, freely, raised = (
        change(ChangeKind.DEACTIVATE_USER, okta_id, active=False) for okta_id in ("00u-a", "00u-b", "00u-c")
    )
    member = change(ChangeKind.REMOVE_MEMBER, "00u-d", group_id="g1", member=False)
    store.raise_holds([(Hold("h1", "deactivations", "r", "w", {}, 1), [waits])], whole=True)
    store.decide(["h1"], "approve", "eve@host")
    run_id = store.begin_run("full")
    under = {"deactivations", "member_removals"}
    sequences = [
        *store.intend(run_id, [waits, freely]),
        *store.intend(run_id, [raised, member], allow=under),
    ]
    store.settle(
        [
            Settled(sequence, each)
            for sequence, each in zip(sequences, (waits, freely, raised, member), strict=True)
        ]
    )

    ordinary = store.applied_since(NOON)
    assert (ordinary.of("deactivations"), ordinary.of("member_removals")) == (1, 0)
    assert ordinary.in_groups("member_removals_per_group") == {"g1": 1}
    assert store.applied_since(NOON, under={"deactivations"}).of("deactivations") == 2
    assert store.applied_since(NOON, under={"member_removals"}).of("member_removals") == 1


@ONLY_SQLITE
def test_a_second_writer_is_refused_and_told_who_and_since_when(place: Place, clock: Clock) -> None:
    with place.open() as first, place.open() as second:
        first.lock("syncd run", expires_in=timedelta(minutes=5))
        clock.advance(timedelta(minutes=1))
        with pytest.raises(
            RefusedError, match=r"syncd run \(process \d+ on .*\).* since 2026-03-01T12:00:00Z"
        ):
            second.lock("syncd sync", expires_in=timedelta(minutes=5))
        first.unlock()
        second.lock("syncd sync", expires_in=timedelta(minutes=5))


def test_closing_gives_the_lock_back(place: Place) -> None:
    with place.open() as first:
        first.lock("syncd run", expires_in=timedelta(minutes=5))
    with place.open() as second:
        second.lock("syncd sync", expires_in=timedelta(minutes=5))


@ONLY_SQLITE
def test_who_lost_the_lock_writes_nothing_more_but_how_its_run_ended(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had sent is an open intent: its successor asks the target, which knows better."""
    without_file_locks(monkeypatch)
    steady = Steady.on(monkeypatch)
    with place.open() as first, place.open() as second:
        absorb(first, users=[ANN])
        run_id = first.begin_run("full")
        first.lock("stalled", expires_in=timedelta(minutes=5))
        (sequence,) = first.intend(run_id, [UPDATE])
        assert Watcher(second, steady).looks_for(LASTS.total_seconds())
        with pytest.raises(LockLost, match="syncd sync"):
            first.intend(run_id, [UPDATE])
        with pytest.raises(LockLost, match="took it over"):
            first.renew_lock()
        with pytest.raises(LockLost):
            absorb(first, users=[])
        for write in (
            lambda: first.settle([Settled(sequence, UPDATE)]),
            lambda: first.remember("log_cursor", "old"),
            lambda: first.note({"decision": "x"}),
            lambda: first.forget_decisions(["c1"]),
            lambda: first.retry_now(None),
            lambda: first.begin_run("delta"),
            first.permit,
        ):
            with pytest.raises(LockLost, match="took it over"):
                write()
        assert [intent.sequence for intent in second.open_intents()] == [sequence]
        assert second.recall("log_cursor") is None
        first.finish_run(run_id, status="failed", summary={}, error="the lock was lost")
        assert second.runs()[0].status == "failed"
        first.unlock()
        with pytest.raises(RefusedError), place.open() as third:
            third.lock("third", expires_in=timedelta(minutes=5))


@ONLY_SQLITE
def test_a_fresh_lock_permits_without_a_look_and_one_in_doubt_is_renewed(place: Place, clock: Clock) -> None:
    with place.open() as first, place.open() as second:
        first.lock("syncd run", expires_in=timedelta(minutes=5))
        clock.advance(timedelta(minutes=2))
        first.permit()
        clock.advance(timedelta(minutes=2))
        first.permit()
        clock.advance(timedelta(minutes=2))
        with pytest.raises(RefusedError):
            second.lock("syncd sync", expires_in=timedelta(minutes=5))


@ONLY_SQLITE
@pytest.mark.parametrize("jump", [timedelta(hours=5), timedelta(hours=-5)])
def test_a_clock_that_was_set_makes_nobody_lose_the_lock(place: Place, clock: Clock, jump: timedelta) -> None:
    with place.open() as first, place.open() as second:
        first.lock("syncd run", expires_in=timedelta(minutes=5))
        clock.advance(jump)
        first.permit()
        with pytest.raises(RefusedError):
            second.lock("syncd sync", expires_in=timedelta(minutes=5))


@ONLY_SQLITE
@pytest.mark.parametrize("told", ["by the seconds that passed", "by the wall clock"])
def test_who_stood_still_looks_into_the_store_before_it_sends(
    place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    """One of the clocks is enough: a paused virtual machine only sees its wall clock jump."""
    without_file_locks(monkeypatch)
    steady = Steady.on(monkeypatch)
    with place.open() as first, place.open() as second:
        first.lock("syncd run", expires_in=timedelta(minutes=5))
        assert Watcher(second, steady).looks_for(LASTS.total_seconds())
        first.permit()
        if told == "by the wall clock":
            clock.advance(timedelta(minutes=6))
        else:
            frozen_for = time.clock_gettime(time.CLOCK_BOOTTIME) + 360
            monkeypatch.setattr(time, "clock_gettime", lambda _clock: frozen_for)

        for _ in range(2):
            with pytest.raises(LockLost, match="syncd sync"):
                first.permit()


def test_a_lock_that_was_given_back_permits_nothing(store: Store) -> None:
    store.lock("syncd run", expires_in=timedelta(minutes=5))
    store.unlock()
    with pytest.raises(LockLost, match="given back"):
        store.permit()


def test_a_lock_that_was_never_taken_cannot_be_renewed(store: Store) -> None:
    with pytest.raises(ValueError, match="no lock"):
        store.renew_lock()
