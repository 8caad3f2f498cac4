"""What the commands answer is what docs/schema/ promises (contract: JSON documents)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.invoking import Invoker, write_config
from tests.cli.world import World
from tests.report.formats import rendered
from tests.report.story import reported
from tests.schema.judging import SCHEMAS, problems, validator

NAMES = sorted(path.stem for path in SCHEMAS.glob("*.json"))
CONTRACT = [
    "audit",
    "backup",
    "check",
    "decision",
    "doctor",
    "drift",
    "error",
    "explain",
    "fleet",
    "groups",
    "held",
    "hook",
    "list",
    "plan",
    "preview",
    "report",
    "request",
    "restore",
    "run",
    "skipped",
    "status",
    "store-copy",
]


def answer(world: World, *arguments: str) -> dict[str, Any]:
    """The document of a command, judged."""
    document = world.syncd(*arguments, "--json", *world.base).document
    assert problems(document) == [], arguments
    return document


def test_there_is_a_schema_for_every_document_of_the_contract() -> None:
    assert NAMES == CONTRACT


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_is_one_and_refuses_another_document(name: str) -> None:
    assert not validator(name).is_valid({"schema": "syncd.other/1"})


def test_the_documents_of_an_ordinary_day_are_valid(world: World) -> None:
    answer(world, "check")
    answer(world, "status")
    answer(world, "skipped")
    answer(world, "plan")
    assert answer(world, "sync")["schema"] == "syncd.run/1"
    answer(world, "status")
    answer(world, "audit", "verify")
    assert answer(world, "audit", "export")["entries"]
    assert answer(world, "report")["access"]
    answer(world, "relink")
    answer(world, "groups")
    answer(world, "explain", world.email(world.people[0]))
    answer(world, "explain", "Crew")
    answer(world, "doctor")
    answer(world, "backup", "saved")
    answer(world, "restore", "saved")


def test_rows_of_an_export_are_valid(world: World) -> None:
    world.syncd("sync", *world.base)
    rows = world.syncd("audit", "export", *world.base).stdout.splitlines()
    answer(world, "audit", "export", "-o", "trail.jsonl")

    assert [found for row in rows for found in problems(json.loads(row))] == []


def test_drift_and_its_repair_are_valid(world: World) -> None:
    world.syncd("sync", *world.base)
    email = world.email(world.people[0])
    with world.split.world.lock:
        world.split.world.user(email).active = False

    assert answer(world, "drift")["items"]
    assert answer(world, "drift", "--fix")["run"]["summary"]["applied"]
    told = answer(world, "report")
    assert told["summary"]["drift"] == {"found": 1, "repaired": 1}
    assert [check["fixed"] for check in told["drift"]["checks"]] == [False, True]


def test_holds_and_decisions_are_valid(world: World) -> None:
    world.syncd("sync", *world.base)
    for row in list(world.okta.world.app_users.values())[:6]:
        world.okta.world.unassign(row.id)

    answer(world, "plan")
    answer(world, "sync")
    assert answer(world, "held")["holds"]
    answer(world, "status")
    assert answer(world, "reject", "--all")["decision"] == "reject"
    answer(world, "retry")
    answer(world, "release", "Crew")
    assert answer(world, "skipped")["by_kind"]["released"] == 1
    answer(world, "status")
    assert answer(world, "report")["decisions"]


def test_several_connections_and_errors_are_valid(world: World) -> None:
    world.syncd("sync", *world.base)
    other = write_config(world.syncd.directory / "other.toml", base_url="http://127.0.0.1:2/scim/v2")

    said = world.syncd("report", "--json", *world.base, "-c", str(other)).document
    assert [item["connection"] for item in said["items"]] == ["acme", "other"]
    assert problems(said) == []
    for command in (["retry"], ["approve", "--all"], ["reject", "--all"]):
        said = world.syncd(*command, "--json", *world.base, "-c", str(other)).document
        assert [item["connection"] for item in said["items"]] == ["acme", "other"]
        assert problems(said) == []
    assert problems(world.syncd("report", "--json", "--run", "nope", *world.base).document) == []
    assert problems(world.syncd("plan", "--json", "-c", "missing.toml").document) == []


def test_the_report_of_a_month_is_valid() -> None:
    with reported() as one:
        assert problems(json.loads(rendered("json", one))) == []


# the command that prints them


@pytest.mark.parametrize("name", NAMES)
def test_syncd_schema_prints_the_published_schema_of_each_document(syncd: Invoker, name: str) -> None:
    published = (SCHEMAS / f"{name}.json").read_text(encoding="utf-8")
    assert syncd("schema", name).stdout == published
    assert syncd("schema", f"syncd.{name}/1").stdout == published


@pytest.mark.parametrize("words", [[], ["nope"], ["../plan"], ["settings.json"]])
def test_an_unknown_schema_is_a_usage_error_with_the_list(syncd: Invoker, words: list[str]) -> None:
    said = syncd("schema", *words)

    assert (said.exit_code, said.stdout) == (64, "")
    assert ", ".join(sorted([*NAMES, "settings", "fleet-settings"])) in " ".join(said.stderr.split())
