"""Whatever a store lives through, pruning between all of it: the check finds nothing that nobody did by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest

from syncd.core.change import ChangeKind
from syncd.core.plan import Hold
from syncd.model import GroupState, PushedUser, Standing
from syncd.ports import CreationUnproven, GroupForgotten, MemberPushed, UserForgotten, UserPushed
from syncd.ports.outcomes import Settled
from syncd.store import SqliteStore
from tests.store.making import Place, absorb, apply, change, group, push_group, push_member, wanted

PEOPLE = [f"00u{number}" for number in range(4)]
GROUPS = [f"00g{number}" for number in range(2)]
HELD = [change(ChangeKind.DEACTIVATE_USER, okta_id, active=False) for okta_id in PEOPLE]
ACTS = 100


class Life:
    def __init__(self, place: Place, dice: Random) -> None:
        self.place, self.dice = place, dice
        self.store = place.open()
        self.accounts = 0

    def some(self, known: list[str]) -> list[str]:
        return self.dice.sample(known, self.dice.randint(0, len(known)))

    def linked_people(self) -> list[str]:
        return [each for each in PEOPLE if (known := self.store.user(each)) and known.pushed]

    def linked_groups(self) -> list[str]:
        return [known.okta_id for known in self.store.groups() if known.pushed]

    def account(self, okta_id: str) -> UserPushed:
        """At times another one than before."""
        known = self.store.user(okta_id)
        if known is None or known.pushed is None or self.dice.random() < 0.7:
            self.accounts += 1
            scim_id = f"account-{self.accounts}"
        else:
            scim_id = known.pushed.scim_id
        return UserPushed(okta_id, PushedUser(scim_id, {"userName": okta_id}, self.dice.random() < 0.8))


def read(life: Life) -> None:
    dice, people = life.dice, life.some(PEOPLE)
    standings, states = list(Standing), [GroupState.PUSHED, GroupState.PUSHED, *GroupState]
    absorb(
        life.store,
        users=[
            wanted(each, dice.choice(standings), attributes={"title": str(dice.randrange(3))})
            for each in people
        ],
        groups=[group(each, dice.choice(states)) for each in life.some(GROUPS)],
        lists={each: life.some(PEOPLE) for each in life.some(GROUPS)},
        gone={each: life.place.clock() for each in PEOPLE if each not in people and dice.random() < 0.2},
    )


def give_an_account(life: Life) -> None:
    okta_id = life.dice.choice(PEOPLE)
    kind = life.dice.choice([ChangeKind.CREATE_USER, ChangeKind.UPDATE_USER])
    apply(life.store, change(kind, okta_id, userName=okta_id), [life.account(okta_id)])


def take_an_account(life: Life) -> None:
    okta_id = life.dice.choice(PEOPLE)
    apply(life.store, change(ChangeKind.DEACTIVATE_USER, okta_id, active=False), [UserForgotten(okta_id)])


def make_a_group(life: Life) -> None:
    push_group(life.store, life.dice.choice(GROUPS), life.some(life.linked_people()))


def end_a_group(life: Life) -> None:
    okta_id = life.dice.choice(GROUPS)
    kind = life.dice.choice([ChangeKind.UNLINK_GROUP, ChangeKind.DELETE_GROUP])
    apply(life.store, change(kind, okta_id), [GroupForgotten(okta_id)])


def add_and_remove(life: Life) -> None:
    for group_id in life.linked_groups():
        for okta_id in life.some(life.linked_people()):
            push_member(life.store, group_id, okta_id, present=life.dice.random() < 0.7)


def fail(life: Life) -> None:
    okta_id = life.dice.choice(PEOPLE)
    apply(life.store, change(ChangeKind.UPDATE_USER, okta_id, title="x"), error="refused")
    doubted = CreationUnproven("user", okta_id, okta_id, "no answer")
    apply(life.store, change(ChangeKind.CREATE_USER, okta_id, userName=okta_id), [doubted], error="no answer")


def hold(life: Life) -> None:
    raised = Hold(f"h{life.dice.randrange(3)}", "deactivations", "too many", "approve", {}, 3)
    held = life.dice.sample(HELD, life.dice.randint(1, 4))
    life.store.raise_holds([(raised, held)], whole=life.dice.random() < 0.5)


def decide(life: Life) -> None:
    for record in life.store.holds():
        life.store.decide([record.id], life.dice.choice(["approve", "reject"]), "eve@host")
    for each in HELD:
        if each.id in life.store.decided().approved and life.dice.random() < 0.5:
            apply(life.store, each, [UserForgotten(each.okta_id)])
    life.store.forget_decisions([life.dice.choice(HELD).id])


def release(life: Life) -> None:
    life.store.release_user(life.dice.choice(PEOPLE), "eve@host")
    life.store.release_group(life.dice.choice(GROUPS), "eve@host")


def compare(life: Life) -> None:
    run_id = life.store.begin_run("drift")
    found: list[UserPushed | MemberPushed] = [life.account(each) for each in life.linked_people()[:1]]
    life.store.record_found(run_id, found, summary={"changed_user": 1})
    life.store.forget_links(run_id, users=life.some(PEOPLE)[:2], groups=life.some(GROUPS)[:1])
    life.store.remember_all({"last_drift": str(life.dice.random()), "log_cursor": "x"})
    if life.dice.random() < 0.8:
        life.store.finish_run(run_id, status="succeeded", summary={}, error=None)


def end(life: Life) -> None:
    for intent in life.store.open_intents():
        life.store.settle([Settled(intent.sequence, intent.change, (), status=200)])
    life.store.close()
    life.store = life.place.open()


def prune(life: Life) -> None:
    life.place.clock.advance(timedelta(days=life.dice.choice([2, 40])))
    life.store.prune(timedelta(days=life.dice.choice([1, 30])))


WAYS: tuple[Callable[[Life], None], ...] = (
    *(read, give_an_account, give_an_account, take_an_account, make_a_group, add_and_remove, add_and_remove),
    *(end_a_group, fail, hold, decide, release, compare, end, prune),
)


@pytest.mark.parametrize("seed", range(8))
def test_nothing_that_the_store_does_itself_is_called_tampering(place: Place, seed: int) -> None:
    life = Life(place, Random(seed))  # noqa: S311  (no secret)
    try:
        for number in range(ACTS):
            place.clock.advance(timedelta(minutes=1))
            act = life.dice.choice(WAYS)
            act(life)
            report, store = life.store.verify_journal(), life.store
            assert isinstance(store, SqliteStore)
            assert report.intact, (number, act.__name__, report)
            assert store.altered() == set(), (number, act.__name__)
    finally:
        life.store.close()
