"""Many rows of the trail in one of the database: whoever reads the trail sees no difference."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from syncd.core.change import Change, ChangeKind
from syncd.core.plan import Hold
from syncd.model import GroupState, PushedUser
from syncd.ports import MemberPushed, Settled, Store, UserPushed
from syncd.ports.history import Reach
from syncd.store import entries, open_for_reading, packs
from syncd.store.db import Db
from tests.store import making
from tests.store.making import Clock, Place

MINUTE, KEEP = timedelta(minutes=1), timedelta(days=30)
EVERYTHING = Reach()
PEOPLE = [f"00u-{number:03}" for number in range(60)]
GROUPS = ["g1", "g2"]


def numbered() -> Callable[[int], str]:
    """For ids of runs that two stores have alike."""
    made = count()
    return lambda _: f"{next(made):06x}"


def effects_of(change: Change) -> tuple[Any, ...]:
    if change.group_id is not None:
        return (MemberPushed(change.group_id, change.okta_id, present=change.kind is ChangeKind.ADD_MEMBER),)
    name = change.after.get("userName", f"{change.okta_id}@example.com")
    return (
        UserPushed(
            change.okta_id, PushedUser(f"scim-{change.okta_id}", {"userName": str(name)}, active=True)
        ),
    )


def wished(chance: random.Random) -> list[Change]:
    """Changes of a kind, of as many objects as a draw says."""
    people = sorted(chance.sample(PEOPLE, chance.randrange(1, len(PEOPLE))))
    kind = chance.choice(["create", "update", "add", "remove"])
    if kind == "create":
        return [making.change(ChangeKind.CREATE_USER, each, userName=f"{each}@x") for each in people]
    if kind == "update":
        return [making.change(ChangeKind.UPDATE_USER, each, title=str(chance.random())) for each in people]
    what = ChangeKind.ADD_MEMBER if kind == "add" else ChangeKind.REMOVE_MEMBER
    group = chance.choice(GROUPS)
    return [making.change(what, each, group_id=group, member=kind == "add") for each in people]


def wrote(store: Store, clock: Clock, seed: int) -> None:
    """A course of a random life: some of it no limit counts, some of it fails, some is never answered."""
    chance = random.Random(seed)  # noqa: S311  (no secret)
    making.absorb(
        store,
        users=[making.wanted(each) for each in PEOPLE],
        groups=[making.group(each) for each in GROUPS],
        lists=dict.fromkeys(GROUPS, PEOPLE),
    )
    for each in GROUPS:
        making.push_group(store, each)
    for _ in range(12):
        clock.advance(MINUTE * chance.randrange(0, 600))
        run_id = store.begin_run("full")
        changes = wished(chance)
        exempt = {each.id for each in changes if chance.random() < 0.97} if chance.random() < 0.8 else set()
        sequences = store.intend(run_id, changes, exempt=exempt)
        clock.advance(MINUTE)
        answered = [pair for pair in zip(sequences, changes, strict=True) if chance.random() < 0.97]
        if chance.random() < 0.3:
            chance.shuffle(answered)
        store.settle(
            [
                Settled(sequence, change, (), status=400, error="no")
                if chance.random() < 0.02
                else Settled(sequence, change, effects_of(change), status=200)
                for sequence, change in answered
            ]
        )
        store.finish_run(run_id, status="succeeded", summary={}, error=None)


def told(store: Any) -> dict[str, Any]:
    """All that is read of the trail."""
    runs = {entry.run_id for entry in store.journal_entries()}
    return {
        "head": store.journal_head(),
        "entries": list(store.journal_entries()),
        "of runs": {run: list(store.journal_entries(run_id=run)) for run in sorted(map(str, runs))},
        "pages": [list(store.journal_entries(after=after, until=after + 90)) for after in (0, 7, 130, 999)],
        "open": list(store.open_intents()),
        "of people": {each: list(store.last_changes(each, limit=5)) for each in [*PEOPLE[::7], *GROUPS]},
        "former": [known.okta_id for each in PEOPLE[::9] for known in store.find_former_users(f"{each}@x")],
        "counts": list(store.change_counts(EVERYTHING)),
        "latencies": store.latencies(EVERYTHING, [30, 90]),
        "outcomes": list(store.outcomes(EVERYTHING)),
        "troubles": list(store.troubles(EVERYTHING)),
        "grants": list(store.grants()),
        "without": list(store.without_group()),
        "repairs": store.repairs(EVERYTHING),
        "recently": store.applied_since(making.NOON),
    }


def packed(store: Any) -> int:
    """How many packs the store has."""
    with store._reading() as conn:
        (number,) = conn.execute("SELECT count(*) FROM packs").fetchone()
    return int(number)


@pytest.mark.parametrize("seed", range(6))
def test_whoever_reads_the_trail_sees_no_difference(
    seed: int, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_place = Place(tmp_path / "plain" / "split-prod.db")
    with place.open() as store, plain_place.open() as plain:
        for each, clock, least in ((plain, plain_place.clock, 10**9), (store, place.clock, 5)):
            monkeypatch.setattr("secrets.token_hex", numbered())
            monkeypatch.setattr(packs, "FROM", least)
            monkeypatch.setattr(packs, "AT_MOST", 20)
            wrote(each, clock, seed)
        assert packed(store) > 5
        assert packed(plain) == 0
        assert told(store) == told(plain)
        assert store.verify_journal().intact
        for each, clock in ((plain, plain_place.clock), (store, place.clock)):
            for intent in each.open_intents():
                each.settle([Settled(intent.sequence, intent.change, (), error="interrupted", deferred=True)])
            clock.advance(KEEP + timedelta(days=1))
        assert told(store) == told(plain)
        whole = store.journal_head()[0]
        assert store.prune(KEEP) > 0
        left = [entry.sequence for entry in store.journal_entries()]
        assert left == list(range(left[0], whole + 2))
        assert store.verify_journal().intact


def crowd(store: Store, number: int = packs.FROM + 1) -> list[Change]:
    making.absorb(store, users=[making.wanted("00u-ann")], groups=[making.group("g1")], lists={"g1": []})
    making.push_group(store, "g1")
    return making.push_crowd(store, "g1", number)


def test_a_few_rows_are_no_pack(store: Store) -> None:
    crowd(store, packs.FROM - 1)
    assert packed(store) == 0


def test_what_a_limit_counts_is_in_no_pack(store: Store) -> None:
    making.absorb(store, users=[making.wanted("00u-ann")], groups=[making.group("g1")], lists={"g1": []})
    making.push_group(store, "g1")
    changes = [
        making.change(ChangeKind.ADD_MEMBER, f"00u-{number}", group_id="g1", member=True)
        for number in range(2 * packs.FROM)
    ]
    sequences = store.intend(store.begin_run("full"), changes)
    store.settle(
        [
            Settled(sequence, change, effects_of(change), status=200)
            for sequence, change in zip(sequences, changes, strict=True)
        ]
    )
    assert packed(store) == 0


def test_intents_in_a_pack_are_settled_after_an_interruption(place: Place) -> None:
    with place.open() as store:
        crowd(store)
        changes = [
            making.change(ChangeKind.ADD_MEMBER, f"00u-late{number}", group_id="g1", member=True)
            for number in range(packs.FROM)
        ]
        store.intend(store.begin_run("full"), changes, exempt={each.id for each in changes})
    with place.open() as store:
        assert [intent.change for intent in store.open_intents()] == changes
        for intent in store.open_intents():
            late = store.settle([Settled(intent.sequence, intent.change, (), error="gone", deferred=True)])
            assert not late
            assert store.settle([Settled(intent.sequence, intent.change, (), error="again", deferred=True)])
        assert store.open_intents() == []
        assert store.verify_journal().intact


def names_of_a_crowd(store: Store) -> list[str]:
    """Groups that are being made, so many that their intents are one pack, and of which nobody knows how it ended."""
    names = [f"00g-{number:02}" for number in range(packs.FROM)]
    making.absorb(store, groups=[making.group(each) for each in names])
    changes = [making.change(ChangeKind.CREATE_GROUP, each, displayName=each) for each in names]
    store.intend(store.begin_run("full"), changes, exempt={each.id for each in changes})
    assert packed(store) == 1
    return names


def test_groups_whose_making_is_in_a_pack_are_not_forgotten_before_it_ended(store: Store) -> None:
    names = names_of_a_crowd(store)
    making.absorb(store, groups=[])
    assert [each.okta_id for each in store.groups()] == names


def test_groups_that_are_gone_are_not_forgotten_before_their_making_in_a_pack_ended(store: Store) -> None:
    names = names_of_a_crowd(store)
    making.absorb(store, groups=[making.group(each, GroupState.GONE) for each in names])
    assert [each.okta_id for each in store.groups()] == names


def test_a_page_of_the_trail_is_of_one_moment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows beside packs and packs are asked for one after the other: nothing comes in between."""
    ask, written = entries._found, list[int]()
    with place.open() as store, another_reader(place) as reader:
        crowd(store)

        def asked(conn: Db, query: str, *rest: Any) -> list[Any]:
            found = ask(conn, query, *rest)
            if query == packs.ROWS and not written:
                written.append(store.note({"decision": "noted"}))
                making.push_crowd(store, "g1", packs.FROM + 1)
            return found

        monkeypatch.setattr(entries, "_found", asked)
        found = [entry.sequence for entry in reader.journal_entries()]
        assert written
        assert found == list(range(1, store.journal_head()[0] + 1))


@contextmanager
def another_reader(place: Any) -> Iterator[Any]:
    """As another process has it open."""
    if isinstance(place, Place):
        with open_for_reading(place.path, connection="split-prod", clock=place.clock) as reader:
            yield reader
    else:
        with place.open() as reader:
            yield reader


def test_the_last_changes_of_a_group_are_found_in_packs_and_beside_them(store: Store) -> None:
    crowd(store, 2 * packs.FROM)
    making.push_member(store, "g1", "00u-ann")
    told = [entry.sequence for entry in store.journal_entries() if entry.entry == "outcome"]
    assert packed(store) > 1
    for limit in (1, 2, packs.FROM + 3, 1000):
        found = [entry.sequence for entry in store.last_changes("g1", limit=limit)]
        assert found == sorted(told, reverse=True)[:limit]


def test_whoever_was_let_go_before_the_trail_begins_was_so_when_its_oldest_row_was_written(
    place: Place,
) -> None:
    with place.open() as store:
        crowd(store)
        store.release_group("g1", "eve@host")
        place.clock.advance(KEEP + timedelta(days=1))
        begins = place.clock()
        changes = [
            making.change(ChangeKind.ADD_MEMBER, f"00u-late{number}", group_id="g1", member=True)
            for number in range(packs.FROM)
        ]
        sequences = store.intend("run", changes, exempt={each.id for each in changes})
        place.clock.advance(MINUTE)
        store.settle(
            [Settled(sequence, change, ()) for sequence, change in zip(sequences, changes, strict=True)]
        )
        assert store.prune(KEEP) > 0
        assert next(iter(store.journal_entries())).entry == "intent"
        (release,) = store.releases()
        assert release.since == begins


def test_of_a_pack_no_more_is_unpacked_than_is_asked_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for people by their names asks for rows that lie all over the trail."""
    crowd(store)
    read, line = list[str](), packs._line

    def told(text: str) -> Any:
        read.append(text)
        return line(text)

    monkeypatch.setattr(packs, "_line", told)
    with store._reading() as conn:  # type: ignore[attr-defined]
        first = conn.execute("SELECT min(first) FROM packs").fetchone()[0]
        rows = packs.contents_at(conn, [first + 3, first + 5])
    assert sorted(rows) == [first + 3, first + 5]
    assert len(read) == 2


def test_an_approval_is_used_up_by_what_is_written_down_in_a_pack(store: Store) -> None:
    """A person decided after the intent was written down, and before its outcome."""
    making.absorb(store, users=[making.wanted("00u-ann")], groups=[making.group("g1")], lists={"g1": []})
    making.push_group(store, "g1")
    changes = [
        making.change(ChangeKind.ADD_MEMBER, f"00u-{number}", group_id="g1", member=True)
        for number in range(packs.FROM + 2)
    ]
    store.raise_holds([(Hold("h1", "additions", "too many", "approve", {}, 3), changes[:3])], whole=True)
    sequences = store.intend(store.begin_run("full"), changes, exempt={each.id for each in changes})
    store.decide([changes[0].id, changes[1].id], "approve", "eve@host")
    settled = [
        Settled(sequence, change, effects_of(change), status=200)
        for sequence, change in zip(sequences, changes, strict=True)
        if change != changes[1]
    ]
    store.settle(settled)
    assert packed(store) == 2
    assert store.decided().approved == {changes[1].id}


def test_an_intent_without_an_outcome_is_kept_though_nothing_lists_it_as_open(
    store: Store, clock: Clock
) -> None:
    """That a pack of other outcomes follows it, and that `open_intents` lacks it, prove nothing."""
    making.absorb(store, users=[making.wanted("00u-ann")], groups=[making.group("g1")], lists={"g1": []})
    making.push_group(store, "g1")
    *most, last = [
        making.change(ChangeKind.ADD_MEMBER, f"00u-{number}", group_id="g1", member=True)
        for number in range(packs.FROM + 2)
    ]
    exempt = {each.id for each in [*most, last]}
    sequences = store.intend(store.begin_run("full"), most, exempt=exempt)
    (unanswered,) = store.intend(store.begin_run("full"), [last], exempt=exempt)
    store.settle(
        [
            Settled(sequence, change, effects_of(change), status=200)
            for sequence, change in zip(sequences, most, strict=True)
        ]
    )
    assert packed(store) == 2
    with store._transaction() as conn:  # type: ignore[attr-defined]
        conn.execute("DELETE FROM open_intents")
    clock.advance(KEEP + timedelta(days=1))

    store.prune(KEEP)

    kept = {entry.sequence for entry in store.journal_entries()}
    assert {*sequences, unanswered} <= kept
