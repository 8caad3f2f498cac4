"""The settings file as a JSON Schema (draft 2020-12), made from the models that judge it: for editors and reviews.

It says less than they do: what contradicts what, and what a URL may be, only `syncd check` tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from syncd.core.limits import Limit
from syncd.core.rules import GroupSource, PushRule
from syncd.settings.daily import DailyTime
from syncd.settings.fleet import FleetFile
from syncd.settings.schema import SOURCE_KINDS, ConnectionSettings, PushGroupTable
from syncd.settings.secrets import SecretRef

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DURATION = {"type": "string", "pattern": "^[0-9]+[smhd]$", "description": "30s, 5m, 6h or 7d"}
_HAVE_DEFAULTS = ("name", "state")


def settings_schema() -> dict[str, Any]:
    """Of one settings file. A date or time of TOML counts as text."""
    made = ConnectionSettings.model_json_schema(schema_generator=_Generator)
    required = [key for key in made.pop("required") if key not in _HAVE_DEFAULTS]
    return {"$schema": _DIALECT, **made, "title": "settings: one connection", "required": required}


def fleet_schema() -> dict[str, Any]:
    """Of `fleet.toml`."""
    made = FleetFile.model_json_schema(schema_generator=_Generator)
    return {"$schema": _DIALECT, **made, "title": "settings: a fleet"}


class _Generator(GenerateJsonSchema):
    """Knows what our own values are written as; what it does not know may be anything."""

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """A value that one of our validators makes from what stands in the file."""
        made = _WRITTEN.get(schema["cls"])
        return {} if made is None else made()

    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> JsonSchemaValue:
        """Likewise, of a class that says nothing about its fields."""
        del schema
        return {}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """TOML has no null: what is not there is not set."""
        return self.generate_inner(schema["schema"])

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        """A duration, as it is written."""
        del schema
        return dict(_DURATION)

    def field_title_should_be_set(self, schema: object) -> bool:
        """A key is its own title."""
        del schema
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Without the default: docs/configuration.md tells it, as it is written."""
        return self.generate_inner(schema["schema"])


def _reference() -> JsonSchemaValue:
    kinds = ("env", "file", "credential")
    forms = [
        {
            "type": "object",
            "properties": {kind: {"type": "string", "minLength": 1}},
            "required": [kind],
            "additionalProperties": False,
        }
        for kind in kinds
    ]
    return {"oneOf": [*forms, {"type": "string", "minLength": 1}]}


def _limit() -> JsonSchemaValue:
    percent = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?%$"}
    return {"oneOf": [{"type": "integer", "minimum": 0}, percent]}


def _source() -> JsonSchemaValue:
    kinds = {
        kind: {"const": True} if kind in ("assigned", "okta_mappings") else {"type": "string", "minLength": 1}
        for kind in SOURCE_KINDS
    }
    return {
        "type": "object",
        "properties": kinds,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def _rule() -> JsonSchemaValue:
    made = PushGroupTable.model_json_schema(schema_generator=_Generator)
    del made["$defs"]  # the definitions of the whole are made elsewhere
    made["properties"]["source"] = _source()
    return made


_WRITTEN: Mapping[type, Callable[[], JsonSchemaValue]] = {
    SecretRef: _reference,
    Limit: _limit,
    DailyTime: lambda: {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9] [A-Za-z]"},
    GroupSource: _source,
    PushRule: _rule,
}
