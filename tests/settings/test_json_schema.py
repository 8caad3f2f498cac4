"""`syncd schema settings`: what the schema allows is what the models read, as far as a schema can say it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from syncd.settings import starter
from syncd.settings.explain import known_keys, tables
from syncd.settings.json_schema import settings_schema

SCHEMA = settings_schema()
JUDGE = Draft202012Validator(SCHEMA)
LEAST = {
    "okta": {"org_url": "https://example.okta.com", "app_id": "0oa1", "token": {"env": "A"}},
    "split": {"base_url": "https://split.example/scim/v2", "token": {"env": "B"}},
}


def is_valid(**tables: object) -> bool:
    return JUDGE.is_valid({**LEAST, **tables})


def test_it_is_a_schema_and_plain_json() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_starter_is_valid() -> None:
    assert list(JUDGE.iter_errors(tomllib.loads(starter()))) == []


def test_it_knows_every_key_and_no_other() -> None:
    assert set(SCHEMA["properties"]) == set(known_keys(()))
    for table in tables():
        found = SCHEMA["properties"][table]
        while "$ref" in found or "items" in found:
            found = found.get("items") or SCHEMA["$defs"][found["$ref"].removeprefix("#/$defs/")]
        assert set(found["properties"]) == set(known_keys((table,))), table
        assert found["additionalProperties"] is False


def test_the_two_tables_of_the_sides_are_required_and_the_rest_is_not() -> None:
    assert is_valid()
    assert not JUDGE.is_valid({"okta": LEAST["okta"]})


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("schedule", {"delta": 30}),
        ("schedule", {"delta": "30"}),
        ("schedule", {"deltas": "30s"}),
        ("safety", {"max_deactivations": "ten"}),
        ("safety", {"max_deactivations": -1}),
        ("safety", {"canary": "yes"}),
        ("notify", {"urls": [{"envy": "A"}]}),
        ("notify", {"urls": [{"env": "A", "file": "b"}]}),
        ("push_groups", [{"source": {}}]),
        ("push_groups", [{"source": {"name": "a", "id": "b"}}]),
        ("push_groups", [{"source": {"assigned": False}}]),
        ("push_groups", [{"action": "create"}]),
    ],
)
def test_what_the_models_refuse_by_its_form_the_schema_refuses(table: str, values: object) -> None:
    assert not is_valid(**{table: values})


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("schedule", {"delta": "30s", "full": "6h"}),
        ("safety", {"max_deactivations": "12.5%", "max_updates": 7, "protected_users": ["a@b"]}),
        ("notify", {"urls": [{"credential": "a"}, "json://localhost"]}),
        (
            "push_groups",
            [{"source": {"assigned": True}}, {"source": {"name": "x"}, "action": "link", "target": "y"}],
        ),
    ],
)
def test_what_they_take_it_takes(table: str, values: object) -> None:
    assert is_valid(**{table: values})


def test_the_file_lies_where_the_command_finds_it() -> None:
    home = Path(__file__).parents[2]
    assert (home / "syncd" / "report" / "schemas").resolve() == home / "docs" / "schema"
