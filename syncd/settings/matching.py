"""The `[matching]` table: by which attributes an account at the target is known to be somebody's."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from syncd.core.match_rules import EMAILS, EXTERNAL_ID, USER_NAME, MatchRule
from syncd.settings.attributes import attribute_path
from syncd.settings.suggest import nearest
from syncd.settings.values import text, wrong

OWN_NAMES = (EXTERNAL_ID, USER_NAME, EMAILS)


def match_rule(raw: object) -> MatchRule:
    """An attribute; with ~ behind it letter case does not count."""
    given = text(raw)
    name = given.removesuffix("~").rstrip()
    ignores_case = given.endswith("~")
    if name == EXTERNAL_ID and ignores_case:
        raise wrong(
            "cannot ignore letter case: Okta's ids differ in it; take the ~ out", f'["{EXTERNAL_ID}"]'
        )
    if name in OWN_NAMES:
        return MatchRule(name, ignores_case)
    try:
        return MatchRule(attribute_path(name), ignores_case)
    except PydanticCustomError as unknown:
        meant = nearest(name, OWN_NAMES)
        hint = f'did you mean "{meant}"?' if meant else str((unknown.context or {})["message"])
        raise wrong(f"has an entry that nobody can be matched by: {hint}") from None


def _each_once(rules: tuple[MatchRule, ...]) -> tuple[MatchRule, ...]:
    if not rules:
        raise wrong(
            "is empty, so that nobody would ever be found; take the line out for the default", _DEFAULT
        )
    names = [rule.attribute for rule in rules]
    if len(set(names)) < len(names):
        raise wrong("names an attribute twice; the first of them decides: keep one")
    return rules


_DEFAULT = '["externalId", "userName"]'
_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "description": "externalId, userName, emails.value or a mapped SCIM attribute; ~ behind it ignores letter case",
}
MatchRules = Annotated[
    tuple[
        Annotated[
            InstanceOf[MatchRule], BeforeValidator(match_rule), PlainSerializer(str), WithJsonSchema(_SCHEMA)
        ],
        ...,
    ],
    Field(strict=False),
    AfterValidator(_each_once),
]
