"""What is not known of a target is found out once, however many workers ask at once; what it says of itself counts for
the order of tries alone.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from syncd.scim import wire
from syncd.scim.split import ScimTarget
from tests.scim.conftest import MakeTarget, person
from tests.scim.scripted import Reply, Script, ScriptedServer, Seen, problem

Serve = Callable[[Script], ScriptedServer]
WORKERS = 8
MEDIA = "application/scim+json"


class Org:
    """Eight users and groups; answers a PATCH of these forms with `status`, and says of itself what it likes."""

    def __init__(
        self, *, status: int, refuses: Sequence[str], says_patch: object = True, put: bool = True
    ) -> None:
        self.status, self.refuses, self.says_patch, self.put = status, refuses, says_patch, put
        self.lock = threading.Lock()
        names = {f"u{n}": f"p{n}" for n in range(WORKERS)}
        self.users = {each: {**person_shown(name), "id": each} for each, name in names.items()}
        self.groups: dict[str, dict[str, Any]] = {
            f"g{n}": {
                "id": f"g{n}",
                "schemas": [wire.GROUP],
                "displayName": f"G{n}",
                "members": [{"value": "u0"}],
            }
            for n in range(WORKERS)
        }
        self.refused: Counter[str] = Counter()

    def __call__(self, seen: Seen) -> Reply:
        parts = seen.path.rpartition("/scim/v2/")[2].partition("?")[0].split("/")
        if parts[0] == "ServiceProviderConfig":
            return Reply(200, {"patch": {"supported": self.says_patch}})
        resources = self.users if parts[0] == "Users" else self.groups
        if len(parts) == 1:
            found = list(resources.values())
            return Reply(200, {"totalResults": len(found), "startIndex": 1, "Resources": found})
        found_one = resources[parts[1]]
        with self.lock:
            if seen.method == "PATCH":
                return self._patch(seen, found_one)
            if seen.method == "PUT":
                if not self.put:
                    self.refused["put"] += 1
                    return problem(405)
                resources[parts[1]] = {**seen.body, "id": parts[1]}
            return Reply(200, resources[parts[1]])

    def _patch(self, seen: Seen, found: dict[str, Any]) -> Reply:
        for operation in seen.body["Operations"]:
            form = "path" if "path" in operation else "pathless"
            if form in self.refuses:
                self.refused[form] += 1
                return problem(self.status)
        for operation in seen.body["Operations"]:
            if operation.get("path") == "members":
                found["members"] = [*found["members"], *operation["value"]]
            elif "path" in operation:
                wire.assign(found, wire.parse_path(operation["path"]), operation["value"])
            else:
                found.update(operation["value"])
        return Reply(200, found)


def person_shown(name: str) -> dict[str, Any]:
    return {
        "schemas": [wire.USER],
        "userName": f"{name}@example.com",
        "name": {"givenName": name, "familyName": "Test"},
        "displayName": name,
        "active": True,
        "emails": [{"type": "work", "value": f"{name}@example.com"}],
    }


def all_at_once(work: Callable[[int], object]) -> None:
    barrier = threading.Barrier(WORKERS)

    def one(number: int) -> object:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, range(WORKERS)))


def rename_all(target: ScimTarget, org: Org, to: str) -> None:
    def rename(number: int) -> object:
        was = org.users[f"u{number}"]["displayName"]
        whole = {**person(f"p{number}"), "displayName": f"{to}{number}"}
        return target.update_user(f"u{number}", {"displayName": was}, {"displayName": f"{to}{number}"}, whole)

    all_at_once(rename)
    assert [org.users[f"u{n}"]["displayName"] for n in range(WORKERS)] == [f"{to}{n}" for n in range(WORKERS)]


def test_a_target_that_has_only_put_refuses_one_patch(serve: Serve, make_target: MakeTarget) -> None:
    org = Org(status=405, refuses=("path", "pathless"))
    target = make_target(serve(org).base_url)

    rename_all(target, org, "A")
    rename_all(target, org, "B")

    assert org.refused.total() == 1


def test_members_of_eight_groups_learn_it_together_too(serve: Serve, make_target: MakeTarget) -> None:
    org = Org(status=405, refuses=("path", "pathless"))
    target = make_target(serve(org).base_url)

    all_at_once(lambda number: target.change_members(f"g{number}", add=["u7"], remove=()))

    assert org.refused.total() == 1
    assert all({"u0", "u7"} == {each["value"] for each in group["members"]} for group in org.groups.values())


def test_renames_of_eight_groups_learn_it_together_too(serve: Serve, make_target: MakeTarget) -> None:
    org = Org(status=405, refuses=("path", "pathless"))
    target = make_target(serve(org).base_url)

    all_at_once(lambda number: target.rename_group(f"g{number}", f"R{number}"))

    assert org.refused.total() == 1
    assert {group["displayName"] for group in org.groups.values()} == {f"R{n}" for n in range(WORKERS)}


def test_a_form_that_is_answered_with_500_is_tried_twice_by_one_and_by_nobody_after(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = Org(status=500, refuses=("pathless",))
    target = make_target(serve(org).base_url)

    rename_all(target, org, "A")
    rename_all(target, org, "B")

    assert org.refused == {"pathless": 4}  # two forms are path-less: all in one, and by families


@pytest.mark.parametrize("status", [400, 500, 501])
def test_a_server_that_says_that_it_has_no_patch_is_put_to_after_the_first_refusal(
    serve: Serve, make_target: MakeTarget, status: int
) -> None:
    org = Org(status=status, refuses=("path", "pathless"), says_patch=False)
    server = serve(org)

    rename_all(make_target(server.base_url, learned={"media_type": MEDIA}), org, "A")

    assert org.refused.total() == (2 if status == 500 else 1)
    assert server.lines.count("GET /ServiceProviderConfig") == 1


def test_a_server_that_has_patch_and_says_that_it_has_none_is_not_believed(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = Org(status=400, refuses=("pathless",), says_patch=False, put=False)
    target = make_target(serve(org).base_url)

    rename_all(target, org, "A")
    assert org.refused["put"] == 1
    rename_all(target, org, "B")
    assert org.refused["put"] == 1


@pytest.mark.parametrize("says", [None, "no", {"supported": "false"}])
def test_nobody_asks_a_server_that_refuses_nothing_what_it_says_of_itself(
    serve: Serve, make_target: MakeTarget, says: object
) -> None:
    org = Org(status=400, refuses=(), says_patch=says)
    server = serve(org)

    rename_all(make_target(server.base_url), org, "A")

    assert Counter(line.split()[0] for line in server.lines) == {"PATCH": WORKERS}
