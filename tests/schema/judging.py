"""Judges any JSON document of syncd by the published schema that it names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


def problems(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with it, a line each; the items of a list are judged by their own schemas."""
    name = str(document["schema"]).removeprefix("syncd.").removesuffix("/1")
    found = [f"{error.json_path}: {error.message:.300}" for error in validator(name).iter_errors(document)]
    for item in document["items"] if name == "list" else ():
        found += problems(item)
    return found


@cache
def validator(name: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())
