"""Lists that lag behind the objects they are about, and answers that wait at a latch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncd.simulators.okta import OktaKnobs, OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import OktaWorld
from tests.simulators.conftest import Client
from tests.simulators.test_control import control

API = "/api/v1"
APP = f"{API}/apps/0oa1gjh63g214q0Hq0g4"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def later(okta_world: OktaWorld) -> Callable[[timedelta], None]:
    """Moves the clock of the world."""
    now = [datetime(2026, 11, 2, 9, tzinfo=UTC)]
    okta_world.clock = lambda: now[0]

    def move(by: timedelta) -> None:
        now[0] += by

    return move


def ids(reader: Client, path: str) -> set[str]:
    return {record["id"] for record in reader.get(path).json()}


def test_a_list_shows_the_world_as_it_was_and_the_object_as_it_is(
    okta: OktaSimulator, reader: Client, later: Callable[[timedelta], None]
) -> None:
    okta.set_knobs(list_lag={"*": 120})
    ben, sales = okta.world.user("ben@example.com").id, okta.world.group("Sales").id
    before = okta.world.group("Sales").last_membership_updated
    later(MINUTE)
    okta.world.add_member("Sales", ben)
    okta.world.unassign(ben)
    okta.world.rename_group("Sales", "Revenue")

    assert ben in ids(reader, f"{APP}/users")
    assert reader.get(f"{APP}/users/{ben}").status_code == 404
    assert ben not in ids(reader, f"{API}/groups/{sales}/users")
    assert sales in ids(reader, f"{API}/users/{ben}/groups")
    listed = {record["id"]: record for record in reader.get(f"{API}/groups").json()}[sales]
    assert (listed["profile"]["name"], listed["lastMembershipUpdated"]) == ("Sales", before)
    assert reader.get(f"{API}/groups/{sales}").json()["profile"]["name"] == "Revenue"
    later(2 * MINUTE)
    assert ben not in ids(reader, f"{APP}/users")
    assert ben in ids(reader, f"{API}/groups/{sales}/users")


def test_what_happened_step_by_step_is_seen_step_by_step(
    okta: OktaSimulator, reader: Client, later: Callable[[timedelta], None]
) -> None:
    okta.set_knobs(list_lag={"app_users": 90})
    seen = []
    for name in ("dan", "eve"):
        later(MINUTE)
        okta.world.assign(f"{name}@example.com")
    for _ in range(4):
        seen.append(len(ids(reader, f"{APP}/users")))
        later(MINUTE)

    assert seen == [3, 4, 5, 5]


def test_what_is_gone_stays_in_the_list_for_a_while(
    okta: OktaSimulator, reader: Client, later: Callable[[timedelta], None]
) -> None:
    sales = okta.world.group("Sales").id
    okta.set_knobs(list_lag={"groups": 60, "members": 60})
    later(2 * MINUTE)
    okta.world.delete_group(sales)

    assert sales in ids(reader, f"{API}/groups")
    assert reader.get(f"{API}/groups/{sales}").status_code == 404
    later(MINUTE)
    assert sales not in ids(reader, f"{API}/groups")


def test_the_list_of_a_new_group_is_empty_at_first_and_that_of_a_deleted_one_is_gone_at_once(
    okta: OktaSimulator, reader: Client, later: Callable[[timedelta], None]
) -> None:
    sales = okta.world.group("Sales").id
    okta.set_knobs(list_lag={"members": 60})
    later(2 * MINUTE)
    new = okta.world.create_group("Newcomers", members=["ben@example.com"])
    okta.world.delete_group(sales)

    assert reader.get(f"{API}/groups/{new}/users").json() == []
    assert reader.get(f"{API}/groups/{sales}/users").status_code == 404
    later(MINUTE)
    assert len(reader.get(f"{API}/groups/{new}/users").json()) == 1


def test_a_membership_stamp_may_lag_by_id_too(
    okta: OktaSimulator, reader: Client, later: Callable[[timedelta], None]
) -> None:
    sales = okta.world.group("Sales")
    okta.set_knobs(stamp_lag_seconds=24)
    before = sales.last_membership_updated
    later(MINUTE)
    okta.world.add_member("Sales", "ben@example.com")

    def shown() -> Any:
        listed = {record["id"]: record for record in reader.get(f"{API}/groups").json()}[sales.id]
        return reader.get(f"{API}/groups/{sales.id}").json()["lastMembershipUpdated"], listed[
            "lastMembershipUpdated"
        ]

    assert shown() == (before, before)
    later(timedelta(seconds=24))
    assert shown() == (sales.last_membership_updated, sales.last_membership_updated) != (before, before)


def test_the_own_groups_of_a_person_lag_only_when_named(
    okta: OktaSimulator, reader: Client, later: Callable[[timedelta], None]
) -> None:
    okta.set_knobs(list_lag={"*": 60, "own_groups": 60})
    later(2 * MINUTE)
    okta.world.add_member("Sales", "ben@example.com")

    assert reader.get(f"{API}/users/ben@example.com/groups").json() == []
    okta.set_knobs(list_lag=None)
    assert len(reader.get(f"{API}/users/ben@example.com/groups").json()) == 1


def test_a_list_that_does_not_exist_cannot_lag() -> None:
    with pytest.raises(ValueError, match="own_groups"):
        OktaKnobs().changed(list_lag={"people": 3})


def test_a_page_is_as_old_as_its_request_however_late_it_comes(okta: OktaSimulator, reader: Client) -> None:
    okta.faults.add("hold", path=r"/users\?limit=500", latch="page", after_effect=True)
    ben, came = okta.world.user("ben@example.com").id, []
    asking = threading.Thread(target=lambda: came.append(ids(reader, f"{APP}/users?limit=500")))
    asking.start()

    waiting = okta.latches.wait_for("page")
    okta.world.unassign(ben)
    assert control(okta, "GET", "latches").json() == [
        {"latch": "page", "method": "GET", "path": f"{APP}/users?limit=500"}
    ]
    assert (waiting.method, came) == ("GET", [])
    assert control(okta, "POST", "release", {"latch": "page"}).json() == {"released": 1}
    asking.join()

    assert ben in came[0]
    assert okta.latches.waiting() == []
    assert ben not in ids(reader, f"{APP}/users?limit=500")


def test_a_request_may_wait_before_it_acts(split: SplitSimulator, scim: Client) -> None:
    split.faults.add("hold", method="POST", latch="create")
    statuses: list[int] = []
    asking = threading.Thread(
        target=lambda: statuses.append(scim.post("/Users", {"userName": "late@example.com"}).status_code)
    )
    asking.start()
    split.latches.wait_for("create")
    split.world.create_local_user("late@example.com")

    split.reset_faults()
    asking.join()

    assert statuses == [409]


def test_nothing_that_came_is_said_so(okta: OktaSimulator) -> None:
    with pytest.raises(TimeoutError, match="nothing came"):
        okta.latches.wait_for("page", seconds=0.01)
    assert control(okta, "POST", "release", {}).json() == {"released": 0}
