"""The bill of materials names what constraints.txt pins, a worker's constraints-fleet.txt; both are CycloneDX."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft7Validator
from packaging.utils import canonicalize_name

from distribution.sbom import document, main
from tests.packaging.declared import RUN, pins

BILL, FLEET = document(), document(fleet=True)


def test_every_pinned_version_of_this_platform_is_on_it_with_its_hashes() -> None:
    wanted = {
        canonicalize_name(pin.name): pin
        for pin in pins(RUN)
        if (pin.marker is None or pin.marker.evaluate()) and pin.name != "setuptools"
    }
    found = {each["name"]: each for each in BILL["components"]}

    assert {name: each["version"] for name, each in found.items()} == {
        name: pin.version for name, pin in wanted.items()
    }
    for name, pin in wanted.items():
        hashes = {each["content"] for each in found[name]["externalReferences"][0]["hashes"]}
        assert hashes == set(pin.digests), name


def test_it_says_who_needs_whom_and_every_reference_leads_somewhere() -> None:
    references = {each["bom-ref"] for each in BILL["components"]} | {BILL["metadata"]["component"]["bom-ref"]}
    needs = {each["ref"]: each["dependsOn"] for each in BILL["dependencies"]}

    assert set(needs) == references
    assert {one for each in needs.values() for one in each} <= references
    assert any("pydantic@" in each for each in needs[BILL["metadata"]["component"]["bom-ref"]])


def test_that_of_a_worker_has_what_speaks_to_postgresql_besides() -> None:
    here = {each["name"] for each in BILL["components"]}
    assert {each["name"] for each in FLEET["components"]} - here == {"psycopg", "psycopg-binary"}
    needs = {each["ref"].split("@")[0].split("/")[-1]: each["dependsOn"] for each in FLEET["dependencies"]}
    assert any("/psycopg@" in each for each in needs["syncd"])
    assert any("/psycopg-binary@" in each for each in needs["psycopg"])


@pytest.mark.parametrize("bill", [BILL, FLEET])
def test_every_component_says_its_licence(bill: dict[str, Any]) -> None:
    assert [each["name"] for each in bill["components"] if "licenses" not in each] == []


def test_two_runs_write_the_same(tmp_path: Any) -> None:
    for name in ("a", "b"):
        assert main([str(tmp_path / name), str(tmp_path / f"{name}-fleet")]) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a-fleet").read_bytes() == (tmp_path / "b-fleet").read_bytes()


@pytest.mark.parametrize("bill", [BILL, FLEET])
def test_it_is_cyclonedx(bill: dict[str, Any]) -> None:
    schemas = pytest.importorskip("cyclonedx.schema._res")
    folder = resources.files(schemas)
    schema = json.loads((folder / "bom-1.5.SNAPSHOT.schema.json").read_text(encoding="utf-8"))
    found = Draft7Validator(_without_references(schema)).iter_errors(bill)
    assert [f"{error.json_path}: {error.message:.200}" for error in found] == []


def _without_references(schema: Any) -> Any:
    """To other files: the list of SPDX ids, and signatures."""
    if isinstance(schema, dict):
        if str(schema.get("$ref", "#")).startswith("#"):
            return {key: _without_references(value) for key, value in schema.items()}
        return {}
    return [_without_references(each) for each in schema] if isinstance(schema, list) else schema
