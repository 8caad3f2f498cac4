"""The `[attributes]` table: SCIM user attributes (RFC 7643 section 4.1) from Okta app-profile attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, InstanceOf, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from syncd.core.attribute_mapping import AttributeMapping, Constant, inline_table, mapping_of, quoted
from syncd.core.expressions import ExpressionError, Template
from syncd.model import Scalar
from syncd.settings.problem import Flawed
from syncd.settings.suggest import nearest
from syncd.settings.values import is_one_value, kind_of, text, wrong

DEFAULT_ATTRIBUTES: Mapping[str, AttributeMapping] = MappingProxyType(
    {
        "userName": mapping_of("email"),
        "name.givenName": mapping_of("givenName"),
        "name.familyName": mapping_of("familyName"),
        "displayName": mapping_of("{givenName} {familyName}"),
        "emails[work].value": mapping_of("email"),
    }
)
FORM_KEYS = ("value", "from", "default", "on")

_SINGLE = (
    *("userName", "displayName", "nickName", "profileUrl", "title", "userType"),
    *("preferredLanguage", "locale", "timezone"),
)
_NAME_PARTS = (
    *("name.formatted", "name.familyName", "name.givenName"),
    *("name.middleName", "name.honorificPrefix", "name.honorificSuffix"),
)
_LISTS = ("emails", "phoneNumbers", "ims", "photos", "entitlements", "roles", "x509Certificates")
_ADDRESS_PARTS = ("formatted", "streetAddress", "locality", "region", "postalCode", "country")
_OWN = ("id", "externalId", "active", "schemas", "meta", "groups", "password")

_LIST_ITEM = re.compile(r"([A-Za-z0-9]+)\[([A-Za-z0-9_-]+)\]\.([A-Za-z]+)")
_FILTER_ITEM = re.compile(r"([A-Za-z0-9]+)\[ *type +eq +\"([A-Za-z0-9_-]+)\" *\]\.([A-Za-z]+)", re.IGNORECASE)
_EXTENSION = re.compile(
    r"urn:[A-Za-z0-9:._-]+:[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z][A-Za-z0-9_-]*)?", re.IGNORECASE
)


_ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_OF_THE_ENTERPRISE = ("employeeNumber", "costCenter", "organization", "division", "department")
"""Have no namesake in the core schema (RFC 7643 section 4.3), so that their short names say enough."""


def canonical(path: str) -> str:
    """`emails[type eq "work"].value` (RFC 7644 section 3.5.2) in the short form `emails[work].value`; `department`, and
    the others of the enterprise extension, by their full names.
    """
    if path in _OF_THE_ENTERPRISE:
        return f"{_ENTERPRISE}:{path}"
    if found := _FILTER_ITEM.fullmatch(path):
        return f"{found[1]}[{found[2]}].{found[3]}"
    return path


def attribute_path(raw: object) -> str:
    """One SCIM attribute path that syncd can write. Raises for reserved, unknown and whole complex ones."""
    path = canonical(text(raw))
    plain = path.split(".")[0].split("[")[0]
    if plain.lower() in {name.lower() for name in _OWN}:
        raise wrong("is an attribute that syncd or the target sets itself; take the line out")
    if path in _SINGLE or path in _NAME_PARTS or _EXTENSION.fullmatch(path):
        return path
    if found := _LIST_ITEM.fullmatch(path):
        parts = _ADDRESS_PARTS if found[1] == "addresses" else ("value", "display")
        if found[1] in (*_LISTS, "addresses") and found[3] in parts:
            return path
    if path == "name":
        return path  # an unquoted `name.givenName = ...`: its value says so better
    if plain in _LISTS:
        raise wrong(f'is a list in SCIM; name the type of the item: "{plain}[work].value"')
    meant = nearest(
        path, (*_SINGLE, *_OF_THE_ENTERPRISE, *_NAME_PARTS, "emails[work].value", "phoneNumbers[work].value")
    )
    hint = f'; did you mean "{meant}"?' if meant else " (RFC 7643 section 4.1; extensions by their full urn:)"
    raise wrong(f"is not a SCIM user attribute{hint}")


def is_attribute(path: str) -> bool:
    """Whether syncd can write it."""
    try:
        attribute_path(path)
    except PydanticCustomError:
        return False
    return True


def mapping(raw: object) -> AttributeMapping:
    """A name, a template, or a table: { value = ... } or { from = ... }, with default and on. Raises for all that is
    wrong with it at once.
    """
    if isinstance(raw, dict):
        return _table_form(raw)
    if not isinstance(raw, str):
        raise wrong(
            f"is {kind_of(raw)}, but the name of an Okta attribute in quotes is needed; a constant is written"
            " { value = ... }"
        )
    flaws: list[Flawed] = []
    made = _template(text(raw), "", quoted, flaws)
    if made is None:
        raise _all_of(flaws)
    return AttributeMapping(made)


def _table_form(raw: Mapping[str, object]) -> AttributeMapping:
    if not set(raw) & set(FORM_KEYS):
        raise wrong('is a table: a SCIM path with a dot must be quoted, like "name.givenName" = "givenName"')
    flaws = [_unknown(key) for key in raw if key not in FORM_KEYS]
    expression: Template | Constant | None = None
    if "value" in raw and "from" in raw:
        flaws.append(Flawed("has a value and a from: a constant reads nothing; keep one of the two"))
    elif "value" in raw:
        constant = _one_value(raw["value"], "value", "a constant", flaws)
        expression = None if constant is None else Constant(constant)
    elif "from" in raw:
        expression = _source(raw, flaws)
    else:
        flaws.append(Flawed("says neither what it is (value) nor what it is read from (from)"))
    default = _one_value(raw["default"], "default", "a default", flaws) if "default" in raw else None
    if "default" in raw and "from" not in raw and "value" in raw:
        flaws.append(Flawed("stands in for nothing: a constant is never empty; take default out", "default"))
    if "on" in raw and raw["on"] != "create":
        message = 'must be "create": sent once, and never compared; without on it is kept up to date'
        flaws.append(Flawed(message, "on", _rewritten({**raw, "on": "create"})))
    if expression is None or flaws:
        raise _all_of(flaws)
    return AttributeMapping(expression, default, on_create="on" in raw)


def _source(raw: Mapping[str, object], flaws: list[Flawed]) -> Template | None:
    given = raw["from"]
    if not isinstance(given, str):
        message = (
            f"is {kind_of(given)}, but the name of an Okta attribute, or a template, in quotes is needed"
        )
        flaws.append(Flawed(message, "from"))
        return None
    try:
        source = text(given)
    except PydanticCustomError as problem:
        flaws.append(Flawed(str((problem.context or {})["message"]), "from"))
        return None
    return _template(source, "from", lambda mended: _rewritten({**raw, "from": mended}), flaws)


def _template(source: str, key: str, rewritten: Callable[[str], str], flaws: list[Flawed]) -> Template | None:
    """`rewritten`: the whole right-hand side to write, with the source mended."""
    try:
        return Template(source)
    except ExpressionError as error:
        flaws.extend(
            Flawed(flaw.message, key, rewritten(flaw.mended) if flaw.mended else "", source, flaw.column)
            for flaw in error.flaws
        )
        return None


def _one_value(given: object, key: str, what: str, flaws: list[Flawed]) -> Scalar | None:
    if is_one_value(given):
        return given
    if isinstance(given, str):
        problem = "is empty, or holds control characters: take the line out where nothing is to be sent"
    elif isinstance(given, float):
        problem = "is no number that JSON can carry"
    else:
        problem = f"is {kind_of(given)}, but {what} is one text, number, true or false"
    flaws.append(Flawed(problem, key))
    return None


def _unknown(key: str) -> Flawed:
    meant = nearest(key, FORM_KEYS)
    hint = f'did you mean "{meant}"?' if meant else f"known here: {', '.join(FORM_KEYS)}"
    return Flawed(f"is an unknown key; {hint}", key)


def _rewritten(raw: Mapping[str, object]) -> str:
    """The table once more, "" where something else in it cannot be repeated."""
    parts = {key: value for key, value in raw.items() if key in FORM_KEYS and is_one_value(value)}
    return inline_table(parts) if parts.keys() == raw.keys() else ""


def _all_of(flaws: Sequence[Flawed]) -> PydanticCustomError:
    return PydanticCustomError("syncd", "{message}", {"message": "", "value": "", "flaws": tuple(flaws)})


_ONE_VALUE = {"type": ["string", "number", "boolean"]}
_SCHEMA = {
    "description": "an Okta attribute, a template, a constant, or either with a default and when it is sent",
    "oneOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "properties": {"value": _ONE_VALUE, "on": {"const": "create"}},
            "required": ["value"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {
                "from": {"type": "string", "minLength": 1},
                "default": _ONE_VALUE,
                "on": {"const": "create"},
            },
            "required": ["from"],
            "additionalProperties": False,
        },
    ],
}

AttributePath = Annotated[str, BeforeValidator(attribute_path)]
MappingValue = Annotated[
    InstanceOf[AttributeMapping], BeforeValidator(mapping), PlainSerializer(str), WithJsonSchema(_SCHEMA)
]
AttributeMap = Annotated[
    Mapping[AttributePath, MappingValue],
    AfterValidator(lambda made: MappingProxyType(dict(made))),
    PlainSerializer(lambda made: {path: str(each) for path, each in made.items()}),
]
