"""The stage's set-based answers equal naive ones on small random worlds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from syncd.core.change import ChangeKind
from syncd.model import GroupState, PushedGroup, PushedUser, Standing, WantedUser
from syncd.ports import GroupPushed, MemberPushed, Settled, Stage, Store, UserPushed
from syncd.store.postgres.opening import Pools
from tests.postgres.making import PostgresPlace
from tests.store.making import NOON, Place, absorb, change, fill, group, wanted
from tests.store.oracle import StoredGroup, StoredUser, World

USERS = ("u1", "u2", "u3", "u4")
GROUPS = ("g1", "g2", "g3")
STRANGER = "scim-stranger"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  (many stores in a row: disks are slow)
STANDINGS = (Standing.ACTIVE,) * 4 + (Standing.INACTIVE, Standing.FROZEN)
STATES = (GroupState.PUSHED,) * 5 + (GroupState.FROZEN, GroupState.GONE)


class Dice:
    """Draws from a seed: Hypothesis' own draws are too fond of small values to fill a world."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent

    def some(self, keys: Sequence[str], percent: int = 50) -> list[str]:
        return [key for key in keys if self.chance(percent)]

    def wish(self, okta_id: str) -> WantedUser:
        """u1 and u2 may both want the name "shared"."""
        shared = okta_id in USERS[:2] and self.chance(50)
        return wanted(okta_id, self._random.choice(STANDINGS), name="shared" if shared else okta_id)

    def stored_user(self, okta_id: str) -> StoredUser:
        linked, absent = self.chance(75), self.chance(15)
        return StoredUser(
            wanted=wanted(okta_id, Standing.ABSENT) if absent else self.wish(okta_id),
            scim_id=f"scim-{okta_id}" if linked else None,
            up_to_date=linked and self.chance(60),
            active=linked and self.chance(80),
            released=not linked and not absent and self.chance(50),
        )

    def stored_group(self, okta_id: str) -> StoredGroup:
        linked = self.chance(75)
        return StoredGroup(
            state=GroupState.PUSHED if self.chance(85) else GroupState.FROZEN,
            scim_id=f"scim-{okta_id}" if linked else None,
            released=not linked and self.chance(40),
            listed=frozenset(self.some(USERS, 60)) if self.chance(80) else None,
        )

    def state(self) -> GroupState:
        return self._random.choice(STATES)


def world_from(random: Random) -> World:
    dice = Dice(random)
    world = World(
        users={key: dice.stored_user(key) for key in dice.some(USERS, 80)},
        groups={key: dice.stored_group(key) for key in dice.some(GROUPS, 85)},
    )
    linked_users = [key for key, user in world.users.items() if user.scim_id]
    for group_id, stored in world.groups.items():
        if stored.scim_id:
            world.pushed |= {(group_id, key) for key in dice.some(linked_users, 60)}
    for key in dice.some(USERS, 60):
        known = world.users.get(key)
        same = known and known.wanted.standing is not Standing.ABSENT and dice.chance(50)
        world.staged[key] = known.wanted if known and same else dice.wish(key)
    world.absent = {key for key in dice.some(USERS, 20) if key not in world.staged}
    world.users_whole, world.groups_whole = dice.chance(60), dice.chance(50)
    world.staged_groups = {key: dice.state() for key in dice.some(GROUPS, 60)}
    world.lists = {key: frozenset(dice.some(USERS)) for key in dice.some(GROUPS, 40)}
    world.partial = {
        key: frozenset(dice.some(USERS)) for key in dice.some(GROUPS, 20) if key not in world.lists
    }
    world.own_groups = {key: frozenset(dice.some(GROUPS)) for key in dice.some(USERS, 10)}
    unlinked = [key for key in GROUPS if key not in world.groups or not world.groups[key].scim_id]
    ids = [*(f"scim-{key}" for key in USERS), STRANGER]
    world.remote = {key: frozenset(dice.some(ids)) for key in dice.some(unlinked, 60)}
    world.links = {f"scim-{key}": key for key in dice.some(USERS) if key not in linked_users}
    world.still_users = frozenset(dice.some(USERS, 10))
    world.still_groups = frozenset(dice.some(GROUPS, 10))
    if dice.chance(30):
        users = dice.some(USERS) if dice.chance(70) else None
        world.limit = (users, dice.some(GROUPS) if users is None or dice.chance(60) else None)
    return world


def remember(world: World, store: Store) -> None:
    """Brings the store into the world's stored half, through the port's own acts."""
    absorb(
        store,
        users=[user.wanted for user in world.users.values() if user.wanted.standing is not Standing.ABSENT]
        + [wanted(key) for key, user in world.users.items() if user.wanted.standing is Standing.ABSENT],
        groups=[group(key, stored.state) for key, stored in world.groups.items()],
        lists={
            key: sorted(stored.listed) for key, stored in world.groups.items() if stored.listed is not None
        },
    )
    effects: list[UserPushed | GroupPushed | MemberPushed] = []
    for key, user in world.users.items():
        if user.scim_id:
            attributes = user.wanted.attributes if user.up_to_date else {"userName": "old"}
            effects.append(UserPushed(key, PushedUser(user.scim_id, attributes, user.active)))
    for key, stored in world.groups.items():
        if stored.scim_id:
            effects.append(GroupPushed(key, PushedGroup(stored.scim_id, key)))
    effects += [MemberPushed(group_id, user_id, present=True) for group_id, user_id in world.pushed]
    done = change(ChangeKind.UPDATE_USER, "any")
    (sequence,) = store.intend(store.begin_run("full"), [done])
    store.settle([Settled(sequence, done, effects)])
    gone = {key: NOON for key, user in world.users.items() if user.wanted.standing is Standing.ABSENT}
    absorb(store, gone=gone)
    for key, user in world.users.items():
        if user.released:
            store.release_user(key, "ann@host")
    for key, stored in world.groups.items():
        if stored.released:
            store.release_group(key, "ann@host")


def stage_it(world: World, stage: Stage) -> None:
    stage.put_users(list(world.staged.values()))
    stage.put_absent(sorted(world.absent))
    if world.users_whole:
        stage.users_read_whole()
    stage.put_groups([group(key, state) for key, state in world.staged_groups.items()])
    if world.groups_whole:
        stage.groups_read_whole()
    fill(stage, lists={key: sorted(members) for key, members in world.lists.items()})
    for key, members in world.partial.items():
        stage.put_members(key, sorted(members))
    for key, groups in world.own_groups.items():
        stage.put_user_groups(key, groups)
    for scim_id, key in world.links.items():
        stage.will_link_user(key, scim_id)
    for key, remote in world.remote.items():
        stage.put_remote_members(key, remote)
    stage.hold_still(sorted(world.still_users))
    for key in world.still_groups:
        stage.hold_group_still(key)
    if world.limit is not None:
        stage.limit_to(users=world.limit[0], groups=world.limit[1])


def compare_answers(world: World, stage: Stage) -> None:
    assert [known.okta_id for known in stage.departures()] == world.departures()
    users = [(case.okta_id, case.wanted and case.wanted.standing) for case in stage.user_cases()]
    assert users == world.user_cases()
    cases = list(stage.member_cases())
    members = [(case.group_id, case.user_id, case.wanted, case.listed, case.standing) for case in cases]
    assert members == world.member_cases(USERS)
    assert list(stage.member_removals()) == [case for case in cases if not case.wanted]
    for key in GROUPS:
        assert stage.wanted_count(key) == world.wanted_count(key, USERS), key
        assert stage.pushed_count(key) == world.pushed_count(key), key
    for key in world.remote:
        assert stage.remote_strangers(key) == world.strangers(key), key
    for key in USERS[:2]:
        assert list(stage.rivals("shared", key)) == world.rivals("shared", key)
    for case in stage.user_cases():
        if case.wanted is not None and not case.shares_name:
            assert world.rivals(case.wanted.name_key, case.okta_id) == [], case.okta_id


def compare_store(world: World, store: Store, confirmed: Mapping[str, object]) -> None:
    for key, wish in world.wishes_after(confirmed).items():
        known = store.user(key)
        assert known is not None
        assert known.wanted.standing is wish if isinstance(wish, Standing) else known.wanted == wish
        assert (known.left_at is not None) is isinstance(wish, Standing)
    for group_id, user_id in world.pushed:
        assert (user_id in store.pushed_members(group_id)) is (store.group(group_id) is not None)


def compare(world: World, store: Store) -> None:
    remember(world, store)
    stage = store.stage()
    stage_it(world, stage)
    compare_answers(world, stage)
    confirmed = {key: NOON for key in USERS if world.nominated(key)}
    store.absorb(stage, confirmed_absent=confirmed)
    compare_store(world, store, confirmed)
    settled = store.revision()
    store.absorb(stage, confirmed_absent=confirmed)
    assert store.revision() == settled, "absorbing twice changes nothing"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=True))
def test_the_stage_answers_like_the_naive_one(random: Random) -> None:
    world = world_from(random)
    note(str(world))
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        place = Place(Path(directory) / "state" / "x.db")
        with place.open() as store:
            compare(world, store)


@pytest.fixture(scope="session")
def pools(prepared: str) -> Iterator[Pools]:
    with closing(Pools(prepared)) as opened:
        yield opened


@pytest.mark.timeout(900)  # a busy machine answers each of some 60,000 questions late
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random=st.randoms(use_true_random=True))
def test_the_stage_on_postgresql_answers_like_the_naive_one(pools: Pools, random: Random) -> None:
    """One session after the other cycle, as a worker has it."""
    world = world_from(random)
    note(str(world))
    with PostgresPlace(pools.url, shared=pools).open() as store:
        compare(world, store)
