"""PATCH of groups at Harness: a table of operations; the answer is always the same."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.simulators.split import SplitSimulator
from tests.simulators.conftest import Client, is_platform_error, values

BEFORE = ("Team", ["a", "b"])
"""Name and members; a, b, c stand for the ids of people."""


def op(kind: str, path: str | None = None, value: Any = None) -> dict[str, Any]:
    entry = {"op": kind, "path": path, "value": value}
    return {name: each for name, each in entry.items() if each is not None}


def some(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"value": f"<{name}>", **more} for name in names]


EVERYTHING_READ = {
    "type": "User",
    "primary": False,
    "display": "d",
    "$ref": "r",
    "id": "i",
    "displayName": "n",
    "active": True,
}

BOTH: list[tuple[Any, int, Any]] = [
    (op("add", "members", some("c")), 204, ("Team", ["a", "b", "c"])),
    (op("Add", "members", some("c", "a")), 204, ("Team", ["a", "b", "c"])),
    (op("add", "members", some("c", **EVERYTHING_READ)), 204, ("Team", ["a", "b", "c"])),
    (op("add", "members", [*some("c"), *some("a", ref="")]), 204, BEFORE),
    (op("add", "members", some("c", role="x")), 204, BEFORE),
    (op("add", "members", some("nobody")), 204, BEFORE),
    (op("add", "members", some("nobody", "c")), 204, ("Team", ["a", "b", "c"])),
    (op("add", "members", {"value": "<c>"}), 204, BEFORE),
    (op("add", "Members", some("c")), 204, BEFORE),
    (op("add", None, {"members": some("c")}), 204, BEFORE),
    (op("remove", 'members[value eq "<a>"]'), 204, ("Team", ["b"])),
    (op("Remove", 'members[value eq "<a>"]'), 204, ("Team", ["b"])),
    (op("remove", 'members[whatever eq "<a>"]'), 204, ("Team", ["b"])),
    (op("remove", "members[value eq <a>]"), 204, BEFORE),
    (op("remove", 'members[value EQ "<a>"]'), 204, BEFORE),
    (op("remove", 'members[value eq "<a>" or value eq "<b>"]'), 204, BEFORE),
    (op("remove", 'members[value eq "<c>"]'), 204, BEFORE),
    (op("remove", "members", some("a", "c")), 204, ("Team", ["b"])),
    (op("remove", "members"), 204, BEFORE),
    (op("remove", "members", []), 204, BEFORE),
    (op("replace", None, {"displayName": "New"}), 204, ("New", ["a", "b"])),
    (op("replace", None, {"id": "Team", "displayName": "New"}), 204, ("New", ["a", "b"])),
    (op("replace", None, {"displayName": ""}), 204, BEFORE),
    (op("replace", None, {"id": "Team"}), 204, BEFORE),
    (op("replace", None, {"displayName": "New", "members": []}), 400, BEFORE),
    (op("replace", None, {"displayName": "New", "externalId": "00g"}), 400, BEFORE),
    (op("replace", "displayName", "New"), 400, BEFORE),
    (op("Replace", "displayName", "New"), 204, ("New", ["a", "b"])),
    (op("Replace", "externalId", "00g"), 400, BEFORE),
    (op("Replace", None, {"displayName": "New"}), 400, BEFORE),
]
NEWEST = [
    (op("replace", "members", some("c", "nobody")), 204, ("Team", ["c"])),
    (op("replace", "members", []), 204, ("Team", [])),
    (op("replace", "members", some("a", "b")), 204, BEFORE),
    (op("Replace", "members", some("c")), 204, ("Team", ["c"])),
]
OF_2023 = [
    (op("replace", "members", some("c")), 204, BEFORE),
    (op("replace", "members", []), 204, BEFORE),
    (op("Replace", "members", some("c")), 400, BEFORE),
]
CASES = [
    *((generation, *case) for generation in ("2026", "2023") for case in BOTH),
    *(("2026", *case) for case in NEWEST),
    *(("2023", *case) for case in OF_2023),
]


class Team:
    """A managed group, and the people a, b and c, of whom the first two are in it."""

    def __init__(self, harness: SplitSimulator, account: Client, ids: list[str]) -> None:
        self.harness, self.account = harness, account
        self.ids = dict(zip("abc", ids, strict=True))
        account.post("/Groups", {"displayName": "Team", "members": values(*ids[:2])})

    def patch(self, *operations: Any) -> Any:
        return self.account.patch("/Groups/Team", *(self._filled(each) for each in operations))

    def _filled(self, given: Any) -> Any:
        if isinstance(given, dict):
            return {key: self._filled(value) for key, value in given.items()}
        if isinstance(given, list):
            return [self._filled(each) for each in given]
        if isinstance(given, str):
            for name, identity in self.ids.items():
                given = given.replace(f"<{name}>", identity)
        return given

    @property
    def state(self) -> tuple[str, list[str]]:
        group = self.harness.world.groups["Team"]
        return group.name, [name for name, identity in self.ids.items() if identity in group.members]


@pytest.fixture
def team(harness: SplitSimulator, account: Client, people: list[str]) -> Team:
    return Team(harness, account, people)


@pytest.mark.parametrize(
    ("generation", "operation", "status", "after"), CASES, ids=lambda case: str(case)[:70]
)
def test_an_operation_does_what_the_table_says(
    team: Team, generation: str, operation: Any, status: int, after: tuple[str, list[str]]
) -> None:
    team.harness.set_knobs(generation=generation)

    answer = team.patch(operation)

    assert (answer.status_code, team.state) == (status, after)
    if status == 204:
        assert answer.content == b""
    else:
        assert is_platform_error(answer, 400, "INVALID_REQUEST")
        assert answer.json()["message"] == "Invalid request: Failed to update group name"


def test_a_rename_that_cannot_be_read_undoes_the_whole_patch(team: Team) -> None:
    answer = team.patch(op("add", "members", some("c")), op("replace", "displayName", "New"))

    assert (answer.status_code, team.state) == (400, BEFORE)


def test_of_several_names_the_last_wins(team: Team) -> None:
    team.patch(op("replace", None, {"displayName": "One"}), op("replace", None, {"displayName": "Two"}))

    assert team.state == ("Two", ["a", "b"])


def test_many_operations_of_one_patch_all_count(team: Team) -> None:
    team.patch(
        op("add", "members", some("c")),
        op("remove", 'members[value eq "<a>"]'),
        op("replace", None, {"displayName": "New"}),
    )

    assert team.state == ("New", ["b", "c"])


@pytest.mark.parametrize(
    ("generation", "order", "left"),
    [
        ("2026", "adds_first", ["a", "b"]),
        ("2026", "removals_first", ["a", "b", "c"]),
        ("2023", "adds_first", ["a", "b", "c"]),
    ],
)
def test_who_is_removed_and_added_by_one_patch(
    team: Team, generation: str, order: str, left: list[str]
) -> None:
    team.harness.set_knobs(generation=generation, delta_order=order)

    team.patch(op("remove", "members", some("c")), op("add", "members", some("c")))

    assert team.state == ("Team", left)


def test_swallowed_operations_answer_as_ever(team: Team) -> None:
    team.harness.set_knobs(swallowed=["member_patch"])
    assert (
        team.patch(op("replace", "members", []), op("replace", None, {"displayName": "New"})).status_code
        == 204
    )
    assert team.state == ("New", ["a", "b"])

    team.harness.set_knobs(swallowed=["group_rename"])
    assert (
        team.patch(op("replace", None, {"displayName": "Newer"}), op("add", "members", some("c"))).status_code
        == 204
    )
    assert team.state == ("New", ["a", "b", "c"])
