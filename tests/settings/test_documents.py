"""The example, the starter and the reference say what the schema says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from syncd.settings import load, parse, starter
from syncd.settings.explain import examples, known_keys, tables
from syncd.settings.schema import SOURCE_KINDS
from tests.settings.making import settings

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"


def schema_keys() -> set[tuple[str, str]]:
    top = {("", key) for key in known_keys(()) if key not in {*tables(), "attributes"}}
    return top | {(table, key) for table in tables() for key in known_keys((table,))}


def test_the_example_is_the_starter() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == starter()


def test_the_example_loads_without_a_warning_and_holds_the_defaults() -> None:
    loaded = load([EXAMPLE], environ={})
    assert (loaded.problems, loaded.warnings) == ((), ())
    [made] = loaded.connections
    plain = settings()
    for table in ("provisioning", "safety", "schedule", "server", "notify", "audit"):
        assert getattr(made, table) == getattr(plain, table)
    assert dict(made.attributes) == dict(plain.attributes)
    for key in ("auth", "rate_limit_share", "coexist", "timeout"):
        assert getattr(made.okta, key) == getattr(plain.okta, key)
    for key in (
        "flavor",
        "update_method",
        "concurrency",
        "max_requests_per_second",
        "member_batch",
        "timeout",
    ):
        assert getattr(made.split, key) == getattr(plain.split, key)


def test_the_example_shows_every_key_of_the_schema_and_no_other() -> None:
    shown = {place for place in examples() if place[0] != "attributes"}
    assert shown == schema_keys()


def test_the_example_names_every_kind_of_source() -> None:
    assert [kind for kind in SOURCE_KINDS if not re.search(rf"\b{kind}\b", starter())] == []


def test_every_line_of_the_example_that_is_off_can_be_turned_on() -> None:
    text = re.sub(r"(?m)^#(?=[a-z_\[\"])", "", starter())
    tomllib.loads(text)
    text = re.sub(r"(?m)^(ca_file|target|client_id|private_key|key_id|dpop) = .*\n", "", text)
    made = parse(text, file=ROOT / "x.toml", environ={})
    assert made.name == "split-prod"
    assert made.okta.proxy is not None
    assert made.push_groups[0].action == "create"


def test_a_service_app_is_made_by_uncommenting_its_lines(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^#(?=client_id|private_key|key_id|dpop)", "", starter())
    text = text.replace('auth = "ssws"', 'auth = "private_key"').replace(
        'token = { env = "OKTA_API_TOKEN" }\n', ""
    )
    assert parse(text, file=tmp_path / "x.toml", environ={}).okta.key_id == "syncd-2026"


def test_the_starter_needs_three_lines_and_two_variables(tmp_path: Path) -> None:
    text = starter().replace("https://example.okta.com", "http://127.0.0.1:1")
    text = text.replace("0oa1gjh63g214q0Hq0g4", "0oaMine").replace(
        "https://split.example/scim/v2", "http://[::1]:2/v2"
    )
    environ = {"OKTA_API_TOKEN": "a", "SPLIT_SCIM_TOKEN": "b"}
    made = parse(text, file=tmp_path / "config.toml", environ=environ)
    assert (made.okta.org_url, made.okta.app_id) == ("http://127.0.0.1:1", "0oaMine")
    assert made.split.base_url == "http://[::1]:2/v2"
    assert [ref.read() for _, ref in made.secrets()] == ["a", "b"]


@pytest.mark.parametrize("table", ["", *tables()])
def test_the_reference_explains_every_key(table: str) -> None:
    reference = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    heading = {"": "## Top level", "push_groups": "## [[push_groups]]"}.get(table, f"## [{table}]")
    section = reference.split(f"{heading}\n")[1].split("\n## ")[0]
    documented = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"(?m)^\| ([^|]+) \|", section))))
    assert {key for place, key in schema_keys() if place == table} - documented == set()
