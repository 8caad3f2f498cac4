"""Whoever lost access waits neither for others in a delta, nor for a full cycle or a first sync that is writing."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from syncd.core.nomination import Nominations
from syncd.engine.cycles.leavers import LeaverCycles
from syncd.engine.cycles.seen import Seen
from syncd.simulators.world import OktaWorld
from tests.e2e.rig import Rig
from tests.e2e.test_delta import exact, one_delta, opened, quiet
from tests.hooks.hooked_daemon import RARELY, hearing, leaves
from tests.hooks.test_merging import Both
from tests.service.supervisor import eventually

LONG = 0.08
"""Seconds for each write: some ten for all."""


def many(people: int = 300) -> OktaWorld:
    okta = OktaWorld()
    for number in range(people):
        okta.add_user(f"p{number:03}@example.com", "P", f"{number:03}", assign=True)
    return okta


def move(okta: OktaWorld, numbers: range) -> None:
    """These people get another name."""
    for number in numbers:
        okta.update_profile(f"p{number:03}@example.com", lastName="Moved")


def test_in_a_delta_leavers_are_written_before_many_others_are_read(tmp_path: Path) -> None:
    okta = many(40)
    with quiet(tmp_path, okta, tables={"safety": 'max_updates = "100%"'}) as made:
        move(okta, range(1, 20))
        okta.set_user_status("p039@example.com", "DEPROVISIONED")
        seen = Seen()

        first = one_delta(made, seen)
        gone, moved = made.split.world.user("p039@example.com"), made.split.world.user("p005@example.com")
        assert first.more
        assert first.result is not None
        assert not gone.active
        assert moved.attributes["name"]["familyName"] == "005"

        assert not one_delta(made, seen).more
        assert exact(made)


def test_hooks_without_end_that_name_leavers_keep_others_waiting_once(tmp_path: Path) -> None:
    """Whoever has the secret can name anybody, again and again."""
    okta = many(40)
    with quiet(tmp_path, okta, tables={"safety": 'max_updates = "100%"'}) as made:
        both = Both(made)
        move(okta, range(1, 30))
        user, app = okta.user("p039@example.com").id, okta.app.id
        target = [{"type": "User", "id": user}, {"type": "AppInstance", "id": app}]
        leaves = {"uuid": "e1", "eventType": "application.user_membership.remove", "target": target}

        waited = []
        for _ in range(3):
            both.post([leaves])
            waited.append(both.delta().more)

        assert waited == [True, False, False]
        assert exact(made)


def test_a_full_cycle_gives_hooks_without_end_a_third_of_its_time(tmp_path: Path) -> None:
    okta = many(40)
    with quiet(tmp_path, okta) as made:
        both = Both(made)
        user, app = okta.user("p039@example.com").id, okta.app.id
        target = [{"type": "User", "id": user}, {"type": "AppInstance", "id": app}]
        leaves = {"uuid": "e1", "eventType": "application.user_membership.remove", "target": target}
        seconds = itertools.count()
        giving = LeaverCycles(both.seen, both.hooked, lambda _: None, clock=lambda: float(next(seconds)))

        def in_between() -> int:
            with opened(made) as job:
                return len(giving.job(job).give_way(job, frozenset()))

        looked = []
        for _ in range(9):
            both.now += 100.0
            both.post([leaves])
            looked.append(in_between())

        # A look takes one of these seconds, and two in which a write begins follow.
        assert looked == [1, 0, 1, 0, 1, 0, 1, 0, 1]

        okta.set_user_status("p039@example.com", "DEPROVISIONED")
        both.seen.name(Nominations(frozenset({user})), leaving={("user", user)})
        assert in_between() == 1


def test_few_others_go_together_with_leavers(tmp_path: Path) -> None:
    okta = many(20)
    with quiet(tmp_path, okta) as made:
        okta.update_profile("p001@example.com", lastName="Moved")
        okta.set_user_status("p019@example.com", "DEPROVISIONED")

        assert not one_delta(made, Seen()).more
        assert exact(made)


def test_leavers_of_a_storm_are_written_at_once_though_a_full_cycle_is_owed(tmp_path: Path) -> None:
    okta = many(80)
    with quiet(tmp_path, okta, tables={"safety": 'max_updates = "100%"'}) as made:
        move(okta, range(1, 70))
        okta.set_user_status("p079@example.com", "DEPROVISIONED")

        found = one_delta(made, Seen())

        assert found.everything
        assert not made.split.world.user("p079@example.com").active


@pytest.mark.parametrize("by", ["hook", "log"])
def test_a_leaver_during_a_first_sync_does_not_wait_for_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    every = RARELY if by == "hook" else 'delta = "1s"\nfull = "12h"\ndrift = "24h"'
    with hearing(
        tmp_path,
        monkeypatch,
        okta=many(),
        every=every,
        split_latency=LONG,
        synced=False,
        events=None if by == "hook" else (),
    ) as (made, daemon, _):
        split = made.split.world
        eventually(lambda: len(split.users) > 20, "the first sync writes")
        created = sorted(u.user_name for u in list(split.users.values()) if u.user_name[0] == "p")[:2]
        waiting = "p299@example.com"
        made.okta.world.set_user_status(created[0], "DEPROVISIONED")
        leaves(made, created[0])
        made.okta.world.unassign(created[1])
        made.okta.world.unassign(waiting)
        leaves(made, created[1])

        assert not daemon.events("cycle done", cycle="full")
        daemon.logs("cycle done", cycle="full")
        eventually(lambda: active(made) == everybody(made), "all")
        assert waiting not in active(made)
        assert made.run("audit", "verify").exit_code == 0


def test_who_was_looked_at_in_between_gets_what_the_full_cycle_had_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Suspended people keep their access, and their groups are made after all accounts; who left a group does not get
    into it by the older plan.
    """
    okta = many(120)
    okta.create_group("push-crew", members=[f"p{number:03}@example.com" for number in range(20)])
    with hearing(
        tmp_path, monkeypatch, okta=okta, split_latency=LONG, synced=False, pushed=["push-crew"]
    ) as (made, daemon, _):
        split = made.split.world
        made_first = [f"p{number:03}@example.com" for number in range(4)]
        eventually(lambda: set(made_first) <= active(made), "the first accounts are made")
        okta.set_user_status(made_first[0], "SUSPENDED")
        okta.remove_member("push-crew", made_first[1])
        eventually(lambda: daemon.daemon._served["acme"].hooks.hooked.due() == {}, "both were looked at")

        daemon.logs("cycle done", cycle="full")
        wanted = {f"p{number:03}@example.com" for number in range(20)} - {made_first[1]}
        eventually(lambda: set(split.members("push-crew")) == wanted, "all others are members")


def everybody(made: Rig) -> set[str]:
    world = made.okta.world
    return {
        str(row.profile["email"])
        for row in world.app_users.values()
        if world.users[row.id].status == "ACTIVE"
    }


def active(made: Rig) -> set[str]:
    """Of those that come from Okta."""
    people = list(made.split.world.users.values())
    return {user.user_name for user in people if user.active and user.user_name[0] == "p"}
