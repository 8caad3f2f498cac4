"""Every way in which a read can fail: outlasting the retries it removes nobody and says which page; healed it is exact.

The table follows what the Okta SDK was measured to do with each answer, and the ways in which lists lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import Rig, rig

PAGE_2 = r"/apps/[^/]+/users\?.*after="
FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "a 500 with Okta's error body": ("status", {"status": 500, "code": "E0000009"}),
    "a 500 with an empty body": ("empty", {"status": 500}),
    "a 500 with an empty body that calls itself JSON": (
        "empty",
        {"status": 500, "content_type": "application/json"},
    ),
    "a 502 with a web page": ("html", {"status": 502}),
    "a 503 without rate-limit headers": ("status", {"status": 503, "code": "E0000010"}),
    "a 504 with an empty body": ("empty", {"status": 504}),
    "a 200 with an empty body": ("empty", {"status": 200}),
    "a 200 with a web page": ("html", {"status": 200}),
    "truncated JSON": ("truncated", {}),
    "a dropped connection": ("drop", {}),
    "a 429 without a reset": ("rate_limit", {"form": "no_reset"}),
    "a 429 with a reset in the past": ("rate_limit", {"form": "reset_past"}),
    "a 429 for concurrency": ("rate_limit", {"form": "concurrency"}),
    "an object instead of a list": ("wrong_type", {}),
    "a 408": ("status", {"status": 408}),
}
ALWAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "a next link to another origin": ("next_origin", {"origin": "http://127.0.0.1:9"}),
    "a next link that repeats itself": ("next_repeats", {}),
    "a redirect": ("redirect", {"location": "http://127.0.0.1:9/elsewhere", "status": 302}),
}


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An org whose user list takes two pages, synced once; every test leaves it as it was."""
    with rig(tmp_path_factory.mktemp("faults"), users=760, groups=2) as made:
        made.sync()
        made.assert_exact()
        yield made


@pytest.fixture
def leaver(synced: Rig) -> Iterator[str]:
    """Somebody has just left the app, so that a removal is due; afterwards they are back."""
    world = synced.okta.world
    row = next(
        row
        for row in world.app_users.values()
        if row.direct
        and world.users[row.id].status == "ACTIVE"
        and not world.assigning_group(world.users[row.id])
    )
    world.unassign(row.id)
    synced.forget()
    yield row.id
    synced.okta.faults.clear()
    world.assign(row.id)
    synced.sync()
    synced.assert_exact()


@pytest.mark.parametrize("fault", [*FAULTS, *ALWAYS])
def test_a_fault_that_outlasts_the_retries_removes_nobody(synced: Rig, leaver: str, fault: str) -> None:
    action, options = {**FAULTS, **ALWAYS}[fault]
    before = synced.actual_people()
    synced.okta.faults.add(action, path=PAGE_2, count=-1, **options)

    result = synced.sync(code=1)

    assert result["status"] == "failed"
    assert synced.actual_people() == before
    assert not any("deactivate" in kind for kind in result["summary"]["applied"])
    pages = (
        ("page 2", "page 3") if fault in ALWAYS else ("page 2",)
    )  # a bad link is what page 3 is missing for
    assert any(page in error["message"] for error in result["errors"] for page in pages), result["errors"]
    assert leaver


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_a_retry_heals_is_no_failure(synced: Rig, leaver: str, fault: str) -> None:
    action, options = FAULTS[fault]
    synced.okta.faults.add(action, path=PAGE_2, count=1, **options)

    result = synced.sync()

    assert result["summary"]["applied"]["deactivate_user"] == 1
    synced.assert_exact()
    assert leaver


@pytest.mark.parametrize(
    "path", [r"/apps/[^/]+$", r"/apps/[^/]+/users\?", r"/groups\?", r"/groups/[^/]+/users"]
)
def test_no_failing_list_removes_anybody(synced: Rig, leaver: str, path: str) -> None:
    before = synced.actual_people(), synced.actual_groups()
    world = synced.okta.world
    world.update_group("Engineering", description="moved")
    synced.okta.faults.add("empty", path=path, count=-1, status=500)

    synced.run("sync", "--json", "--full", code=1)

    if r"/users\?" in path or path.endswith("$"):
        assert (synced.actual_people(), synced.actual_groups()) == before
    assert set(synced.actual_groups()) == set(before[1])
    assert leaver


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_stops_before_any_write(synced: Rig, leaver: str, status: int) -> None:
    synced.okta.faults.add("status", path="/api/v1/", count=-1, status=status)

    answer = synced.run("sync", "--json", code=1)

    assert synced.writes() == []
    [error] = answer.document["errors"]
    assert "token" in error["message"] + error["hint"]
    assert leaver


def test_a_record_with_an_unknown_status_costs_only_itself(synced: Rig, leaver: str) -> None:
    synced.okta.faults.add("set_field", path=PAGE_2, count=-1, field="status", value="NEWSTATE", index=0)

    result = synced.sync()

    assert result["summary"]["applied"]["deactivate_user"] == 1
    assert [skip for skip in result["skipped"] if skip["kind"] == "frozen" and "NEWSTATE" in skip["reason"]]
    assert leaver


def test_a_record_without_an_id_confirms_departures_by_id_only(synced: Rig, leaver: str) -> None:
    synced.okta.faults.add("remove_field", path=PAGE_2, count=-1, field="id", index=0)

    result = synced.sync()

    assert result["summary"]["applied"]["deactivate_user"] == 1
    synced.assert_exact()
    assert leaver


def test_somebody_missing_from_one_page_is_asked_for_by_id_and_stays(synced: Rig, leaver: str) -> None:
    before = synced.actual_people()
    synced.okta.faults.add("omit_record", path=PAGE_2, count=-1, index=0)

    result = synced.sync()

    assert result["summary"]["applied"]["deactivate_user"] == 1
    assert len(synced.actual_people()) == len(before) - 1
    synced.assert_exact()
    assert leaver


def test_an_inactive_app_stops_everything(synced: Rig, leaver: str) -> None:
    synced.okta.world.set_app(status="INACTIVE")
    try:
        answer = synced.run("sync", "--json", code=1)
        assert "INACTIVE" in answer.document["errors"][0]["message"]
        assert synced.writes() == []
    finally:
        synced.okta.world.set_app(status="ACTIVE")
    assert leaver


def test_whose_suspension_okta_does_not_show_is_left_alone_until_it_does(tmp_path: Path) -> None:
    with rig(tmp_path, users=6, groups=2, pushed=[]) as made:
        made.write_config(provisioning='suspended_users = "deactivate"')
        made.sync()
        made.okta.faults.add(
            "remove_field", path=r"/apps/[^/]+/users\?", count=-1, field="_embedded", index=0
        )
        [frozen] = [skip for skip in made.plan()["skipped"] if skip["kind"] == "frozen"]
        assert "did not show the status" in frozen["reason"]
        made.okta.world.set_user_status(frozen["okta_id"], "SUSPENDED")

        assert made.sync()["summary"]["applied"] == {}

        made.okta.faults.clear()
        assert made.sync()["summary"]["applied"] == {"deactivate_user": 1}
        assert frozen["name"] not in made.actual_people()
