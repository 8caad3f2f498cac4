"""A quiet delta is one request, whatever waits, failed, was decided or cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.engine.cycles.delta import follow
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import sync
from syncd.engine.reading.selection import Selection
from syncd.errors import PermanentError
from syncd.scim.split import ScimTarget
from syncd.simulators.world import OktaWorld
from tests.chaos.arena import Arena, arena
from tests.e2e.test_delta import exact, forget, okta_reads, one_delta, opened
from tests.e2e.test_waiting import failing, waits

DELTAS = 12
"""More than an object is tried that cannot be read."""


@contextmanager
def company(folder: Path, **tables: str) -> Iterator[Arena]:
    """Thirty people, p00 alone in a pushed group; followed, synced and quiet."""
    okta = OktaWorld()
    for number in range(30):
        okta.add_user(f"p{number:02}@example.com", "P", f"{number:02}", assign=True)
    okta.create_group("push-one", members=["p00@example.com"])
    with arena(folder, okta, tables=tables, attempts=2) as made:
        with opened(made) as job:
            follow(job)
            assert sync(job, Selection()).exit_code == 0
        one_delta(made, Seen())
        yield made


def becomes_quiet(made: Arena, seen: Seen) -> bool:
    for _ in range(DELTAS):
        one_delta(made, seen)
    forget(made)
    before = _stored(made)
    one_delta(made, seen)
    return _stored(made) == before and okta_reads(made) == {"logs": 1} and not made.split.requests


def _stored(made: Arena) -> list[object]:
    with opened(made) as job:
        store = job.store
        return [store.revision(), store.journal_head(), list(store.waiting()), list(store.runs(limit=3))]


def forbid(made: Arena, login: str) -> Callable[[], None]:
    """Okta does not let this person be read, until the answer is called."""
    okta_id = made.okta.world.user(login).id
    made.okta.faults.add("status", path=f"/users/{okta_id}", count=-1, status=403)
    return made.okta.reset_faults


def test_a_rejected_leaver_whose_grace_is_over(tmp_path: Path) -> None:
    tables = {"provisioning": 'deactivation_grace = "1h"', "safety": "max_deactivations = 0"}
    with company(tmp_path, **tables) as made:
        seen = Seen()
        made.okta.world.unassign("p20@example.com")
        one_delta(made, seen)
        made.later(timedelta(hours=2))
        one_delta(made, seen)
        assert len(made.holds()) == 1
        made.decide("reject")
        made.cycle()

        assert becomes_quiet(made, seen)


def test_an_approval_that_a_protected_group_stops(tmp_path: Path) -> None:
    with company(tmp_path) as made:
        seen = Seen()
        safety = made.settings.safety.model_copy(update={"protected_groups": ["push-one"]})
        made.settings = made.settings.model_copy(update={"safety": safety})
        made.okta.world.remove_member("push-one", "p00@example.com")
        one_delta(made, seen)
        assert made.holds()
        made.decide("approve")
        one_delta(made, seen)
        assert [each.kind for each in waits(made)] == ["last_member"]

        assert becomes_quiet(made, seen)

        assert made.split.world.members("push-one") == ["p00@example.com"]
        made.okta.world.add_member("push-one", "p01@example.com")
        one_delta(made, seen)
        made.later(timedelta(days=1))
        one_delta(made, seen)
        assert made.split.world.members("push-one") == ["p01@example.com"], "the approval still counts"


def test_who_failed_and_cannot_be_read(tmp_path: Path) -> None:
    with company(tmp_path) as made:
        seen = Seen()
        for method in ("PATCH", "PUT"):
            made.split.faults.add("status", method=method, path="/Users/", count=-1, status=400)
        made.okta.world.update_profile("p20@example.com", lastName="Married")
        one_delta(made, seen)
        assert failing(made) == ["p20@example.com"]
        allow = forbid(made, "p20@example.com")
        made.later(timedelta(minutes=2))

        assert becomes_quiet(made, seen)

        allow()
        made.split.faults.clear()
        made.later(timedelta(days=1))
        one_delta(made, seen)
        assert exact(made)


def test_who_left_and_cannot_be_read_when_the_grace_is_over(tmp_path: Path) -> None:
    with company(tmp_path, provisioning='deactivation_grace = "1h"') as made:
        seen = Seen()
        made.okta.world.unassign("p20@example.com")
        one_delta(made, seen)
        allow = forbid(made, "p20@example.com")
        made.later(timedelta(hours=2))

        assert becomes_quiet(made, seen)

        allow()
        made.later(timedelta(days=1))
        one_delta(made, seen)
        assert exact(made)


def test_who_is_in_doubt_and_cannot_be_read_keeps_nobody_else_in_doubt(tmp_path: Path) -> None:
    """More of them than one delta looks at."""
    with company(tmp_path) as made:
        seen = Seen()
        with opened(made) as job:
            stage = job.store.stage()
            stage.doubt(users=sorted(row.id for row in made.okta.world.app_users.values()))
            job.store.absorb(stage, confirmed_absent={})
            stage.close()
        made.okta.faults.add("status", path="/apps/[^/]+/users/", count=26, status=403)

        assert becomes_quiet(made, seen)

        made.okta.reset_faults()
        made.later(timedelta(days=1))
        one_delta(made, seen)
        assert waits(made) == []
        assert becomes_quiet(made, seen)


@pytest.mark.parametrize(
    "refused", ["p01@example.com", "p02@example.com", "+syncd-"], ids=["one", "other", "detour"]
)
def test_a_ring_that_the_target_refuses_is_tried_less_and_less_and_ends_when_it_can(
    tmp_path: Path, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its detours and ways back, which succeed, say nothing about the write that fails. Ten hours of deltas."""
    with company(tmp_path) as made:
        seen, okta, split = Seen(), made.okta.world, made.split.world
        before = {split.user(f"p0{n}@example.com").id: f"p0{3 - n}@example.com" for n in (1, 2)}
        update_user = ScimTarget.update_user

        def refuses(self: ScimTarget, scim_id: str, was: Any, after: Any, *rest: Any, **options: Any) -> Any:
            name = str(after.get("userName"))
            if refused in name and (name == before[scim_id] or "+syncd-" in name):
                raise PermanentError(f"{name} is refused", status=403)
            return update_user(self, scim_id, was, after, *rest, **options)

        monkeypatch.setattr(ScimTarget, "update_user", refuses)
        okta.update_profile("p01@example.com", email="p02@example.com")
        okta.update_profile("p02@example.com", email="p01@example.com")
        forget(made)
        for _ in range(60):
            one_delta(made, seen)
            made.later(timedelta(minutes=10))
        assert okta_reads(made)["apps/*/users/*"] <= 2 * 6, (
            "at first, and after 1 min, 5 min, 30 min, 2 h, 6 h"
        )
        assert len(failing(made)) == 1

        monkeypatch.setattr(ScimTarget, "update_user", update_user)
        for _ in range(2):
            made.later(timedelta(days=1))
            one_delta(made, seen)
        assert exact(made)
        assert {scim_id: split.users[scim_id].user_name for scim_id in before} == before
        assert becomes_quiet(made, seen)
