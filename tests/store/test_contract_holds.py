"""The contract of `ports.Store`: holds, what waits in them, and what a stage asks about both."""

from __future__ import annotations

from datetime import timedelta

from syncd.core.change import Change, ChangeKind, Json, revised
from syncd.core.plan import Hold, hold_id
from syncd.ports import Stage, Store
from tests.store.making import Clock, Place, change

KEEP = timedelta(days=30)


def leaver(name: str) -> Change:
    return change(ChangeKind.DEACTIVATE_USER, f"00u-{name}", active=False)


def removal(name: str, group: str) -> Change:
    return change(ChangeKind.REMOVE_MEMBER, f"00u-{name}", group_id=group, member=False)


ANN, BEN, CID = leaver("ann"), leaver("ben"), leaver("cid")


def hold(*changes: Change) -> tuple[Hold, list[Change]]:
    identity = hold_id("deactivations:", [each.id for each in changes])
    return Hold(identity, "deactivations", "too many", "approve", {}, len(changes)), list(changes)


def waiting(store: Store) -> list[list[str]]:
    return [sorted(each.id for each in record.changes) for record in store.holds()]


def staged(store: Store, *changes: Change) -> Stage:
    stage = store.stage()
    for each in changes:
        stage.add_change(each)
    return stage


def test_the_same_hold_is_stored_once(store: Store, place: Place, clock: Clock) -> None:
    store.raise_holds([hold(ANN, BEN)], whole=True)
    [first] = store.holds()
    clock.advance(timedelta(hours=6))

    store.raise_holds([hold(ANN, BEN)], whole=True)

    assert store.holds() == [first]
    assert place.count("hold_changes") == 2


def test_a_hold_that_grew_takes_over_what_waited_and_nothing_is_stored_twice(
    store: Store, place: Place
) -> None:
    store.raise_holds([hold(ANN, BEN)], whole=True)
    store.raise_holds([hold(CID)], whole=False)

    store.raise_holds([hold(ANN, BEN, CID)], whole=True)

    assert waiting(store) == [sorted([ANN.id, BEN.id, CID.id])]
    assert (place.count("holds"), place.count("hold_changes")) == (1, 3)


def test_what_was_decided_stays_in_the_hold_where_it_was_decided(store: Store, place: Place) -> None:
    before = hold(ANN, BEN, CID)
    store.raise_holds([before], whole=True)
    store.decide([ANN.id], "approve", "eve@host")

    store.raise_holds([hold(BEN, CID)], whole=True)

    stories = {story.id: (story.state, story.approved, story.waiting) for story in store.hold_stories(None)}
    assert stories == {before[0].id: ("decided", 1, 0), hold(BEN, CID)[0].id: ("waiting", 0, 2)}
    assert place.count("hold_changes") == 3
    assert store.decided().approved == {ANN.id}


def test_what_expired_and_is_held_anew_waits_a_week_again(store: Store, clock: Clock) -> None:
    store.raise_holds([hold(ANN, BEN)], whole=True)
    clock.advance(timedelta(days=8))
    assert store.holds() == []

    store.raise_holds([hold(ANN)], whole=False)

    assert waiting(store) == [[ANN.id]]
    assert store.holds()[0].expires_at == clock.now + timedelta(days=7)


def test_old_holds_go_and_what_waits_or_was_decided_lately_stays(
    store: Store, place: Place, clock: Clock
) -> None:
    store.raise_holds([hold(ANN)], whole=True)
    store.decide([ANN.id], "approve", "eve@host")
    store.raise_holds([hold(BEN)], whole=False)  # nobody ever decides on it
    store.decide([BEN.id], "reject", "eve@host")
    clock.advance(timedelta(days=25))
    store.raise_holds([hold(CID)], whole=False)
    store.prune(KEEP)
    assert place.count("holds") == 3

    clock.advance(timedelta(days=13))
    store.prune(KEEP)

    assert (place.count("holds"), place.count("hold_changes")) == (1, 1)
    assert store.decided().rejected == {BEN.id}, "a rejection counts until the world moves"
    assert place.count("decisions") == 1


def test_a_stage_knows_in_which_holds_its_changes_wait(store: Store, clock: Clock) -> None:
    first, second = hold(ANN, BEN), hold(CID)
    store.raise_holds([first], whole=True)
    store.raise_holds([second], whole=False)
    with_both = staged(store, BEN, CID, leaver("new"))

    found = with_both.waiting_changes(clock.now)

    waiting = {each.hold.id: (list(each.change_ids), each.begun) for each in found}
    assert waiting == {first[0].id: ([BEN.id], False), second[0].id: ([CID.id], False)}
    store.decide([ANN.id], "reject", "eve@host")
    assert [each.begun for each in with_both.waiting_changes(clock.now)] == [True, False]
    clock.advance(timedelta(days=8))
    assert with_both.waiting_changes(clock.now) == []
    with_both.close()


def test_a_stage_counts_what_waits_elsewhere(store: Store, clock: Clock) -> None:
    """Without what is judged here, and what was looked at and is not planned any more."""
    others = [removal("dan", "g1"), removal("dan", "g2"), removal("eve", "g1")]
    store.raise_holds([hold(ANN, BEN, CID, *others), hold(ANN, *others)], whole=True)
    stage = staged(store, BEN, CID)
    stage.hold_changes([CID.id], "still held")

    found = stage.waiting_elsewhere(
        clock.now, besides={("user", "00u-eve"), ("group", "00u-ann")}, kinds=set(ChangeKind)
    )

    of_groups = frozenset({"member_removals", "member_removals_per_group"})
    assert {(each.limits, each.group_id): each.count for each in found} == {
        (frozenset({"deactivations"}), None): 2,  # Ann, and Cid who goes on waiting
        (of_groups, "g1"): 1,
        (of_groups, "g2"): 1,
    }
    assert {each.check for each in found} == {"deactivations"}
    stage.close()


def _renamed(okta_id: str, **after: Json) -> Change:
    before: dict[str, Json] = {"userName": "old@example.com", "title": "Dr"}
    made = change(ChangeKind.UPDATE_USER, okta_id)
    return revised(made, before={path: before[path] for path in after}, after=after)


def test_a_change_counts_for_what_it_does(store: Store, clock: Clock) -> None:
    """Where it is planned as where it waits."""
    titled, emptied = _renamed("00u-a", title="Prof"), _renamed("00u-b", title=None)
    moved = _renamed("00u-c", userName="new@example.com")
    tied = revised(change(ChangeKind.ADOPT_USER, "00u-d", externalId="00u-d"), before={"externalId": None})
    stage = staged(store, titled, emptied, moved, tied)
    kinds = (ChangeKind.UPDATE_USER, ChangeKind.ADOPT_USER)

    counted = {name: stage.counted(name, kinds) for name in ("updates", "identity_changes", "blanked")}
    keys = stage.counted_keys("updates", kinds)
    stage.close()
    store.raise_holds([hold(titled, emptied, moved, tied)], whole=True)
    elsewhere = staged(store)
    waiting = elsewhere.waiting_elsewhere(clock.now, besides=set(), kinds=set(kinds))
    assert elsewhere.waiting_elsewhere(clock.now, besides=set(), kinds={ChangeKind.CREATE_USER}) == []
    elsewhere.close()

    assert counted == {"updates": 3, "identity_changes": 1, "blanked": 1}
    assert {okta_id for _, okta_id in keys} == {"00u-a", "00u-b", "00u-c"}
    for name, number in counted.items():
        assert sum(each.count for each in waiting if name in each.limits) == number


def test_a_stage_knows_what_was_decided_about_its_changes(store: Store, clock: Clock) -> None:
    store.raise_holds([hold(ANN, BEN, CID)], whole=True)
    store.decide([ANN.id], "approve", "eve@host")
    store.decide([BEN.id], "reject", "eve@host")
    stage = staged(store, ANN, BEN, leaver("new"))

    assert stage.decided_changes("approve", clock.now) == {ANN.id}
    assert stage.decided_changes("reject", clock.now) == {BEN.id}
    assert stage.decided_changes("approve", clock.now + timedelta(days=8)) == frozenset()
    stage.close()


def test_keys_and_counts_leave_out_what_is_held(store: Store) -> None:
    stage = staged(store, removal("dan", "g1"), removal("dan", "g2"), removal("eve", "g1"), ANN)
    stage.hold_changes([removal("eve", "g1").id], "h1")

    assert stage.change_keys(ChangeKind.DEACTIVATE_USER) == [(ANN.id, "00u-ann")]
    assert stage.change_keys(ChangeKind.REMOVE_MEMBER, group_id="g1") == [
        (removal("dan", "g1").id, "00u-dan")
    ]
    assert stage.changes_by_group(ChangeKind.REMOVE_MEMBER) == {"g1": 1, "g2": 1}
    assert stage.change_counts(hold_id="h1") == {ChangeKind.REMOVE_MEMBER: 1}
    stage.close()
