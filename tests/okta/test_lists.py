"""Groups, members and push mappings, against the simulator and against scripted answers."""

from __future__ import annotations

import threading

import pytest

from syncd.errors import AccessDenied, IncompleteRead, NotFound
from syncd.okta.credentials import Ssws
from syncd.okta.reader import OktaReader
from syncd.ports import MemberPage
from syncd.simulators.okta import OktaKnobs, OktaSimulator
from syncd.simulators.world import OktaWorld, generate_okta
from tests.okta.fakes import APP, FakeOkta, Reply, Seen, okta_error, reader


def reader_of(okta: OktaSimulator, parallel: int = 8) -> OktaReader:
    return OktaReader(
        org_url=okta.url,
        app_id=okta.world.app.id,
        credentials=Ssws(lambda: okta.token),
        rate_limit_share=0.5,
        timeout=10,
        parallel=parallel,
    )


@pytest.fixture(scope="module")
def world() -> OktaWorld:
    return generate_okta(users=1200, groups=9, seed=7)


@pytest.mark.parametrize(
    "knobs",
    [
        OktaKnobs(),
        OktaKnobs(link_style="joined"),
        OktaKnobs(link_style="next_first"),
        OktaKnobs(extra_empty_page=True, gzip=False),
    ],
)
def test_every_list_of_an_org_arrives_whole(world: OktaWorld, knobs: OktaKnobs) -> None:
    with OktaSimulator(world, knobs=knobs) as okta, reader_of(okta) as source:
        users, app_groups, groups = source.app_users(), source.app_groups(), source.groups()
        found_users = [user.okta_id for page in users for user in page.records]
        found_app_groups = [group for page in app_groups for group in page.records]
        found_groups = {group.okta_id: group.name for page in groups for group in page.records}

        assert sorted(found_users) == sorted(world.app_users)
        assert sorted(found_app_groups) == sorted(world.app_groups)
        assert found_groups == {group.id: group.name for group in world.groups.values()}
        assert users.proof.records == len(world.app_users)
        assert app_groups.proof.records == len(world.app_groups)
        assert set(source.requests()) == {"GET 200"}


def test_members_of_many_groups_are_read_in_parallel_and_each_is_proven(world: OktaWorld) -> None:
    wanted = {group.id: set(group.members) for group in world.groups.values()}
    with OktaSimulator(world, knobs=OktaKnobs(latency_seconds=0.01)) as okta, reader_of(okta) as source:
        found: dict[str, set[str]] = {group_id: set() for group_id in wanted}
        proven = []
        for page in source.members(list(wanted)):
            assert page.failed is None
            found[page.group_id].update(page.user_ids)
            if page.proof is not None:
                proven.append(page.group_id)

    assert found == wanted
    assert sorted(proven) == sorted(wanted)


def test_no_groups_have_no_members() -> None:
    with FakeOkta(lambda seen, before: Reply([])) as okta, reader(okta) as source:
        assert list(source.members([])) == []

    assert okta.seen == []


def by_group(pages: list[MemberPage]) -> dict[str, list[MemberPage]]:
    found: dict[str, list[MemberPage]] = {}
    for page in pages:
        found.setdefault(page.group_id, []).append(page)
    return found


def test_one_groups_failure_leaves_the_other_groups_alone() -> None:
    def script(seen: Seen, before: int) -> Reply:
        group_id = seen.path.split("/")[4]
        match group_id:
            case "00gBroken":
                if "after" in seen.path:
                    return Reply(b"", 500)
                return Reply([{"id": "00u1"}], headers=[okta.link("/api/v1/groups/00gBroken/users?after=1")])
            case "00gGone":
                return Reply(
                    okta_error("E0000007", "Not found: Resource not found: 00gGone (UserGroup)"), 404
                )
            case "00gHidden":
                return Reply(okta_error("E0000006", "no permission"), 403)
            case "00gOdd":
                return Reply([{"id": "00u1"}, {"login": "who?"}])
        return Reply([{"id": "00u1"}, {"id": "00u2"}])

    groups = ["00gBroken", "00gGone", "00gHidden", "00gOdd", "00gGood", "..", "00gFine"]
    with (okta := FakeOkta(script)), reader(okta, parallel=3) as source:
        found = by_group(list(source.members(groups)))

    assert set(found) == set(groups)
    causes = {group_id: pages[-1].failed for group_id, pages in found.items()}
    assert isinstance(causes["00gBroken"], IncompleteRead)
    assert causes["00gBroken"].page == 2
    assert "00gBroken" in causes["00gBroken"].message
    assert isinstance(causes["00gGone"], NotFound)
    assert isinstance(causes["00gHidden"], AccessDenied)
    assert isinstance(causes["00gOdd"], IncompleteRead)
    assert causes[".."] is not None
    assert [page.user_ids for page in found["00gBroken"]] == [["00u1"], ()]
    for group_id in ("00gGood", "00gFine"):
        (only,) = found[group_id]
        assert only.proof is not None
        assert (only.proof.records, only.user_ids) == (2, ["00u1", "00u2"])
    assert all(page.proof is None for group_id in groups[:4] for page in found[group_id])


def test_no_more_groups_are_read_at_once_than_asked_for() -> None:
    with (
        FakeOkta(lambda seen, before: Reply([{"id": "00u1"}], delay=0.02)) as okta,
        reader(okta, parallel=3) as source,
    ):
        pages = list(source.members([f"00g{number}" for number in range(15)]))

    assert len(pages) == 15
    assert 1 < okta.most_at_once <= 3


def test_a_consumer_that_stops_stops_the_reading() -> None:
    with FakeOkta(lambda seen, before: Reply([{"id": "00u1"}])) as okta, reader(okta, parallel=2) as source:
        pages = source.members([f"00g{number}" for number in range(500)])
        next(pages)
        del pages
        asked = len(okta.seen)
        threading.Event().wait(0.1)

    assert asked < 50
    assert len(okta.seen) <= asked + 2


def mappings_script(seen: Seen, before: int) -> Reply:
    if "/group-push/" in seen.path:
        return Reply(
            [
                {"id": "gPm1", "sourceGroupId": "00g1", "targetGroupId": "00gNamed", "status": "ACTIVE"},
                {"id": "gPm2", "sourceGroupId": "00g2", "targetGroupId": "00gGone", "status": "ERROR"},
                {"id": "gPm3", "sourceGroupId": "00g3", "targetGroupId": "00gHidden", "status": "INACTIVE"},
                {"id": "gPm4", "sourceGroupId": "00g4", "targetGroupId": "00gNamed", "status": "ACTIVE"},
                {"id": "gPm5", "sourceGroupId": "00g5", "targetGroupId": None, "status": "ACTIVE"},
                {"mappingId": "gPm6", "sourceGroupId": "00g6", "status": "ACTIVE"},
            ]
        )
    if seen.path.endswith("00gNamed"):
        return Reply({"id": "00gNamed", "type": "APP_GROUP", "profile": {"name": "Target"}})
    if seen.path.endswith("00gHidden"):
        return Reply(okta_error("E0000006", "no permission"), 403)
    if seen.path.endswith("00gGone"):
        return Reply(okta_error("E0000007", "Not found: Resource not found: 00gGone (UserGroup)"), 404)
    return Reply(b"", 500)


def test_push_mappings_come_with_the_names_of_their_targets_where_these_can_be_read() -> None:
    with FakeOkta(mappings_script) as okta, reader(okta) as source:
        listing = source.mappings()
        (page,) = listing

    names = {mapping.source_group_id: mapping.target_name for mapping in page.records}
    assert names == {"00g1": "Target", "00g2": None, "00g3": None, "00g4": "Target", "00g5": None}
    assert len(page.bad) == 1
    assert listing.proof.records == 6
    assert sum(path.endswith("00gNamed") for path in okta.paths()) == 1, "one name, one request"


def test_a_target_whose_name_does_not_arrive_makes_the_list_incomplete() -> None:
    def script(seen: Seen, before: int) -> Reply:
        return Reply(b"", 500) if seen.path.endswith("00gNamed") else mappings_script(seen, before)

    with FakeOkta(script) as okta, reader(okta) as source, pytest.raises(IncompleteRead, match="00gNamed"):
        list(source.mappings())


def test_the_proof_carries_the_servers_time_of_the_first_page() -> None:
    with (
        FakeOkta(
            lambda seen, before: Reply([], headers=[("Date", "Tue, 10 Sep 2024 01:49:39 GMT")], date=False)
        ) as okta,
        reader(okta) as source,
    ):
        listing = source.groups()
        list(listing)

    assert listing.proof.at.isoformat() == "2024-09-10T01:49:39+00:00"


def test_an_app_without_users_is_a_complete_empty_list() -> None:
    with FakeOkta(lambda seen, before: Reply([])) as okta, reader(okta) as source:
        listing = source.app_users()
        pages = list(listing)

    assert [page.records for page in pages] == [[]]
    assert listing.proof.records == 0
    assert okta.paths() == [f"/api/v1/apps/{APP}/users?limit=500&expand=user"]
