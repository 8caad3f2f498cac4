"""The `[attributes]` table: SCIM user attributes (RFC 7643 section 4.1) from Okta app-profile attributes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from syncd.settings.suggest import nearest
from syncd.settings.values import kind_of, text, wrong

DEFAULT_ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        "userName": "email",
        "name.givenName": "givenName",
        "name.familyName": "familyName",
        "displayName": "{givenName} {familyName}",
        "emails[work].value": "email",
    }
)

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
_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACEHOLDER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_FOREIGN = re.compile(r"\$?\{?(?:user|appuser|source|profile|app)\.([A-Za-z_][A-Za-z0-9_]*)\}?")


def canonical(path: str) -> str:
    """`emails[type eq "work"].value` (RFC 7644 section 3.5.2) in the short form `emails[work].value`."""
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
    meant = nearest(path, (*_SINGLE, *_NAME_PARTS, "emails[work].value", "phoneNumbers[work].value"))
    hint = f'; did you mean "{meant}"?' if meant else " (RFC 7643 section 4.1; extensions by their full urn:)"
    raise wrong(f"is not a SCIM user attribute{hint}")


def expression(raw: object) -> str:
    """An Okta app-profile attribute (`email`) or a template (`{givenName} {familyName}`)."""
    if isinstance(raw, dict):
        raise wrong('is a table: a SCIM path with a dot must be quoted, like "name.givenName" = "givenName"')
    if not isinstance(raw, str):
        raise wrong(f"is {kind_of(raw)}, but the name of an Okta attribute in quotes is needed")
    value = text(raw)
    if _ATTRIBUTE.fullmatch(value):
        return value
    if foreign := _FOREIGN.fullmatch(value):
        raise wrong(
            "is an Okta expression; only the name of the app-profile attribute is needed", f'"{foreign[1]}"'
        )
    rest = _PLACEHOLDER.sub("", value)
    if "{" in rest or "}" in rest:
        raise wrong("is a template with an empty, unclosed or unusual placeholder; each is {attributeName}")
    if rest == value:
        raise wrong("is neither the name of an Okta attribute nor a template like {givenName} {familyName}")
    return value


AttributePath = Annotated[str, BeforeValidator(attribute_path)]
Expression = Annotated[str, BeforeValidator(expression)]
AttributeMap = Annotated[
    Mapping[AttributePath, Expression],
    AfterValidator(lambda made: MappingProxyType(dict(made))),
    PlainSerializer(dict),
]
