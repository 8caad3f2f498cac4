"""The whole job against SCIM servers that we did not write (flavor "scim")."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.simulators.world import OktaWorld
from tests.chaos.arena import impatient
from tests.e2e.rig import Rig, rig
from tests.interop.faulty_proxy import faulty
from tests.interop.servers import ForeignTarget, Held, django_scim, jackson, scim2_server, scimmy

SERVERS = pytest.mark.parametrize(
    "server",
    [scim2_server, scimmy, django_scim, jackson],
    ids=["scim2-server", "SCIMMY", "django-scim2", "SAML Jackson"],
)
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
Server = Callable[[], AbstractContextManager[ForeignTarget]]


def _point_at(made: Rig, target: ForeignTarget, monkeypatch: pytest.MonkeyPatch, **tables: str) -> None:
    made.write_config(**tables)
    text = made.config.read_text()
    text = text.replace(made.split.base_url, target.base_url).replace('flavor = "split"', 'flavor = "scim"')
    made.config.write_text(text)
    monkeypatch.setenv("E2E_SPLIT", target.token)


@contextmanager
def _synced(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch, *, users: int, groups: int
) -> Iterator[tuple[Rig, ForeignTarget]]:
    with rig(folder, users=users, groups=groups) as made, server() as target:
        _point_at(made, target, monkeypatch)
        made.sync()
        yield made, target


def _a_day(world: OktaWorld, **moved: Any) -> tuple[str, str]:
    """One person changes so, one leaves, one joins a group, one is hired; the ids of the first two."""
    first, second, third = [row.id for row in world.app_users.values() if row.direct][:3]
    world.update_profile(first, **moved)
    world.unassign(second, everywhere=True)
    world.add_member("Engineering", third)
    world.add_user("new@example.com", "New", "Hire", assign=True, groups=["Product"])
    return first, second


@SERVERS
def test_everything_arrives_changes_follow_and_a_second_sync_writes_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _synced(server, tmp_path, monkeypatch, users=25, groups=4) as (made, target):
        assert target.held() == Held(made.wanted_people(), made.wanted_groups())
        assert _writes(made.sync()) == 0

        world = made.okta.world
        first, second = _a_day(world, email="moved+here@example.com", lastName="O'Mo\"ved")
        gone = next(m for m in world.group("Product").members if m in world.app_users and m != first)
        world.remove_member("Product", gone)

        made.sync()
        assert target.held() == Held(made.wanted_people(), made.wanted_groups())
        assert _writes(made.sync()) == 0

        world.assign(second)
        made.sync()
        assert target.held() == Held(made.wanted_people(), made.wanted_groups())


@SERVERS
def test_a_lost_store_is_rebuilt_without_a_twin(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _synced(server, tmp_path, monkeypatch, users=12, groups=2) as (made, target):
        before = {user["id"] for user in target.dump()[0]}
        for file in made.store.parent.glob("acme.db*"):
            file.unlink()

        result = made.sync()

        assert {user["id"] for user in target.dump()[0]} == before
        assert result["summary"]["applied"]["adopt_user"] == len(made.wanted_people())
        assert target.held() == Held(made.wanted_people(), made.wanted_groups())


def _writes(result: dict[str, object]) -> int:
    requests = result["requests"]
    assert isinstance(requests, dict)
    return sum(count for name, count in requests["target"].items() if not name.startswith("GET"))


@SERVERS
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_faults_in_between_leave_no_twin_and_harm_nobody(
    server: Server, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        rig(tmp_path, users=25, groups=4) as made,
        server() as target,
        faulty(target.base_url, seed=seed) as proxy,
        impatient(),
    ):
        _point_at(made, replace(target, base_url=proxy.base_url), monkeypatch)
        for _ in range(4):
            made.run("sync", "--json", code=None)
            made.run("retry", code=None)
        first, second = _a_day(made.okta.world, email="moved@example.com", lastName="Moved")
        for _ in range(4):
            made.run("sync", "--json", code=None)
            made.run("retry", code=None)
            assert set(target.held().people) <= {*made.wanted_people(), *_before(made, first, second)}
        assert proxy.spoiled
        proxy.spoiling = False

        for _ in range(3):
            last = made.run("sync", "--json", code=None)
            made.run("retry", code=None)

        assert last.exit_code == 0, last.stdout
        assert target.held() == Held(made.wanted_people(), made.wanted_groups())
        assert _writes(made.sync()) == 0


@SERVERS
def test_drift_is_empty_after_a_sync_right_after_tampering_and_repaired(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _synced(server, tmp_path, monkeypatch, users=30, groups=4) as (made, target):
        assert _drift(made, target) == []
        users, groups = target.dump()
        members = {member["value"] for group in groups for member in group.get("members") or []}
        gone, outsider = [user for user in users if user["id"] not in members][:2]
        changed = next(user for user in users if user["id"] in members)
        group = next(group for group in groups if group.get("members"))
        target.write("DELETE", f"Users/{gone['id']}")
        target.write(
            "PUT", f"Users/{changed['id']}", {**changed, "name": {"givenName": "Other", "familyName": "X"}}
        )
        expected = {"missing_user", "changed_user"}
        if target.shows_members:
            expected |= {"extra_member"}
            extra = {"op": "add", "path": "members", "value": [{"value": outsider["id"]}]}
            target.write("PATCH", f"Groups/{group['id']}", {"schemas": [PATCH], "Operations": [extra]})

        found = made.run("drift", "--json", code=None).document

        kinds = {item["kind"] for item in found["items"]}
        assert expected <= kinds, found["items"]
        assert kinds <= {*expected, "missing_member", "unknown"}
        made.run("drift", "--fix", "--json", code=None)
        made.run("drift", "--fix", "--json")
        assert target.held() == Held(made.wanted_people(), made.wanted_groups())
        assert _drift(made, target) == []


@SERVERS
def test_a_group_that_is_renamed_in_okta_keeps_its_members(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rig(tmp_path, users=12, groups=2, pushed=["Engineering"]) as made, server() as target:
        group = made.okta.world.group("Engineering").id
        rule = f'[[push_groups]]\nsource = {{ id = "{group}" }}\nrename = true'
        _point_at(made, target, monkeypatch, rules=rule)
        made.sync()
        made.okta.world.rename_group("Engineering", "Builders")
        made.pushed = ["Builders"]

        made.sync()

        assert target.held() == Held(made.wanted_people(), made.wanted_groups())
        assert _writes(made.sync()) == 0


def _drift(made: Rig, target: ForeignTarget) -> list[dict[str, object]]:
    """What differs. Of a server that shows no members, that nobody can tell is no difference."""
    items = made.run("drift", "--json", "--detailed-exitcode").document["items"]
    return [
        item
        for item in items
        if target.shows_members or (item["kind"], item["object"]["type"]) != ("unknown", "group")
    ]


def _before(made: Rig, *people: str) -> list[str]:
    """What these people may still be called at the target."""
    return [made.okta.world.users[person].login for person in people]
