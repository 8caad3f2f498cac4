"""The same conversation with scim2-server, which shares no code with us: SCIM by the letter."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import AlreadyExists, NotFound
from syncd.scim import wire
from tests.scim.conftest import PATHS, MakeTarget, person
from tests.scim.scripted import TOKEN
from tests.serving import free_port

DEPARTMENT = f"{wire.ENTERPRISE}:department"


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    port = free_port()
    executable = Path(sys.executable).with_name("scim2-server")
    server = subprocess.Popen(
        [executable, "--bearer-token", TOKEN, "--hostname", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v2"
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.parametrize("method", ["auto", "patch", "put"])
def test_the_life_of_a_user_and_a_group(method: str, base_url: str, make_target: MakeTarget) -> None:
    paths = (*PATHS, "title", "phoneNumbers[mobile].value", DEPARTMENT)
    target = make_target(base_url, update_method=method, attribute_paths=paths)
    wanted: dict[str, Any] = person(f"{method}+ann", title="Dr", **{DEPARTMENT: "R&D"})
    people = [
        str(target.create_user(f"00u{method}{n}", wanted if n == 0 else person(f"{method}{n}")).scim_id)
        for n in range(4)
    ]

    found = target.find_users(okta_id=f"00u{method}0", user_name="nobody")
    assert [(user.scim_id, user.active, dict(user.attributes)) for user in found] == [
        (people[0], True, wanted)
    ]
    with pytest.raises(AlreadyExists):
        target.create_user("00uOTHER", wanted)

    after: dict[str, Any] = {
        "userName": f"{method}.bea@example.com",
        "emails[work].value": f"{method}.bea@example.com",
        "name.givenName": "Bea",
        "title": None,
        "phoneNumbers[mobile].value": "+1-201-555-0123",
        DEPARTMENT: "HR",
    }
    before = {text: wanted.get(text) for text in after}
    wanted = {text: value for text, value in {**wanted, **after}.items() if value is not None}
    applied = target.update_user(people[0], before, after, wanted)
    assert applied.verified
    assert dict(target.user(people[0]).attributes) == wanted

    target.deactivate_user(people[0])
    assert target.user(people[0]).active is False
    target.update_user(people[0], {"active": False}, {"active": True})
    assert target.user(people[0]).active is True

    group = str(target.create_group(f"00g{method}", f"Eng {method}").scim_id)
    outcome = target.change_members(group, add=people, remove=())
    assert (outcome.added, dict(outcome.failed)) == (frozenset(people), {})
    outcome = target.change_members(group, add=(), remove=people[:3])
    assert (outcome.removed, outcome.verified) == (frozenset(people[:3]), True)
    assert target.group(group).members == frozenset(people[3:])
    target.rename_group(group, f"Ops {method}")
    assert target.group(group).name == f"Ops {method}"
    assert target.group(group).members == frozenset(people[3:])
    assert [found.scim_id for found in target.find_groups(okta_id=f"00g{method}", name="")] == [group]

    target.delete_group(group)
    assert target.delete_group(group).scim_id is None
    with pytest.raises(NotFound):
        target.group(group)


def test_a_change_is_one_request_and_the_list_is_complete(base_url: str, make_target: MakeTarget) -> None:
    target = make_target(base_url)
    ids = [str(target.create_user(f"00uone{n}", person(f"one{n}")).scim_id) for n in range(3)]
    for name in ("Other", "Another"):
        spent = dict(target.requests())
        after = {"displayName": name, "name.givenName": name}
        target.update_user(ids[0], dict.fromkeys(after, "One0"), after, {**person("one0"), **after})
    now = target.requests()

    # The first answer without a body is read back, the second is trusted.
    assert {key: now[key] - spent.get(key, 0) for key in now if now[key] != spent.get(key)} == {
        "PATCH 204": 1
    }
    assert target.user(ids[0]).attributes["displayName"] == "Another"
    listing = target.list_users()
    assert {user.scim_id for page in listing for user in page} >= set(ids)
    assert listing.complete


def test_the_probe_is_answered(base_url: str, make_target: MakeTarget) -> None:
    found = make_target(base_url).probe()

    assert (found.users_listed, found.groups_listed, found.patch) == (True, True, True)
