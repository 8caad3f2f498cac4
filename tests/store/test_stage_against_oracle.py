"""The stage's set-based answers equal naive ones on small random worlds."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.core.change import ChangeKind
from syncd.model import GroupState, PushedGroup, PushedUser, Standing, WantedUser
from syncd.ports import GroupPushed, MemberPushed, Settled, Stage, Store, UserPushed
from tests.store.making import NOON, Place, absorb, change, fill, group, wanted
from tests.store.oracle import StoredGroup, StoredUser, World

USERS = ("u1", "u2", "u3", "u4")
GROUPS = ("g1", "g2", "g3")
STRANGER = "scim-stranger"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  (many stores in a row: disks are slow)
STANDINGS = (Standing.ACTIVE, Standing.INACTIVE, Standing.FROZEN)
SETS = st.frozensets(st.sampled_from(USERS))


def wishes(okta_id: str) -> st.SearchStrategy[WantedUser]:
    """u1 and u2 may both want the name "shared"."""
    return st.builds(
        lambda standing, shared: wanted(okta_id, standing, name="shared" if shared else okta_id),
        st.sampled_from(STANDINGS),
        st.booleans() if okta_id in USERS[:2] else st.just(False),
    )


@st.composite
def stored_users(draw: st.DrawFn, okta_id: str) -> StoredUser:
    linked = draw(st.booleans())
    user = StoredUser(
        wanted=draw(wishes(okta_id)),
        scim_id=f"scim-{okta_id}" if linked else None,
        up_to_date=linked and draw(st.booleans()),
        active=linked and draw(st.booleans()),
        released=not linked and draw(st.booleans()),
    )
    if draw(st.integers(0, 3)) == 0:
        user.released = False
        user.wanted = wanted(okta_id, Standing.ABSENT)
    return user


@st.composite
def stored_groups(draw: st.DrawFn, okta_id: str) -> StoredGroup:
    linked = draw(st.booleans())
    return StoredGroup(
        state=draw(st.sampled_from((GroupState.PUSHED, GroupState.PUSHED, GroupState.FROZEN))),
        scim_id=f"scim-{okta_id}" if linked else None,
        released=not linked and draw(st.booleans()),
        listed=draw(st.none() | SETS),
    )


def some(draw: st.DrawFn, keys: tuple[str, ...]) -> list[str]:
    return sorted(draw(st.frozensets(st.sampled_from(keys))))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World(
        users={key: draw(stored_users(key)) for key in some(draw, USERS)},
        groups={key: draw(stored_groups(key)) for key in some(draw, GROUPS)},
    )
    linked_users = [key for key, user in world.users.items() if user.scim_id]
    for group_id, stored in world.groups.items():
        if stored.scim_id:
            world.pushed |= {(group_id, key) for key in linked_users if draw(st.booleans())}
    for key in some(draw, USERS):
        same = key in world.users and world.users[key].wanted.standing is not Standing.ABSENT
        world.staged[key] = world.users[key].wanted if same and draw(st.booleans()) else draw(wishes(key))
    world.absent = {key for key in USERS if key not in world.staged and draw(st.integers(0, 3)) == 0}
    world.users_whole, world.groups_whole = draw(st.booleans()), draw(st.booleans())
    world.staged_groups = {key: draw(st.sampled_from(GroupState)) for key in some(draw, GROUPS)}
    world.lists = {key: draw(SETS) for key in some(draw, GROUPS)}
    world.partial = {key: draw(SETS) for key in some(draw, GROUPS) if key not in world.lists}
    if draw(st.booleans()):
        world.own_groups = {draw(st.sampled_from(USERS)): frozenset(some(draw, GROUPS))}
    unlinked = [key for key in GROUPS if key not in world.groups or not world.groups[key].scim_id]
    ids = st.frozensets(st.sampled_from((*(f"scim-{key}" for key in USERS), STRANGER)))
    world.remote = {key: draw(ids) for key in unlinked if draw(st.booleans())}
    world.links = {f"scim-{key}": key for key in USERS if key not in linked_users and draw(st.booleans())}
    world.still_users, world.still_groups = (
        frozenset(some(draw, USERS)[:1]),
        frozenset(some(draw, GROUPS)[:1]),
    )
    if draw(st.booleans()):
        sides = (draw(st.none() | st.just(some(draw, USERS))), draw(st.none() | st.just(some(draw, GROUPS))))
        world.limit = None if sides == (None, None) else sides
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
            store.release_user(key)
    for key, stored in world.groups.items():
        if stored.released:
            store.release_group(key)


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
    cases = [(case.okta_id, case.wanted and case.wanted.standing) for case in stage.user_cases()]
    assert cases == world.user_cases()
    members = [
        (case.group_id, case.user_id, case.wanted, case.listed, case.standing)
        for case in stage.member_cases()
    ]
    assert members == world.member_cases(USERS)
    for key in GROUPS:
        assert stage.wanted_count(key) == world.wanted_count(key, USERS), key
        assert stage.pushed_count(key) == world.pushed_count(key), key
    for key in world.remote:
        assert stage.remote_strangers(key) == world.strangers(key), key
    for key in USERS[:2]:
        assert list(stage.rivals("shared", key)) == world.rivals("shared", key)


def compare_store(world: World, store: Store, confirmed: Mapping[str, object]) -> None:
    for key, wish in world.wishes_after(confirmed).items():
        known = store.user(key)
        assert known is not None
        assert known.wanted.standing is wish if isinstance(wish, Standing) else known.wanted == wish
        assert (known.left_at is not None) is isinstance(wish, Standing)
    for group_id, user_id in world.pushed:
        assert (user_id in store.pushed_members(group_id)) is (store.group(group_id) is not None)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(worlds())
def test_the_stage_answers_like_the_naive_one(world: World) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        place = Place(Path(directory) / "state" / "x.db")
        with place.open() as store:
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
