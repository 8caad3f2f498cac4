"""`[matching] by`: the attributes that tell whether an account at the target is the one we mean, in their order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from syncd.core.names import letter_case_key
from syncd.core.terms import as_text
from syncd.model import Attributes, RemoteUser, Scalar

EXTERNAL_ID, USER_NAME, EMAILS = "externalId", "userName", "emails.value"
_OF_EMAILS = "emails["


@dataclass(frozen=True, slots=True)
class MatchRule:
    """One attribute: externalId, userName, any e-mail (emails.value), or a mapped path."""

    attribute: str
    ignores_case: bool = False
    never: frozenset[str] = frozenset()
    """What the mapping fills in by itself (a default, the results of a switch), in any letters: it tells nobody."""

    @property
    def is_of_values(self) -> bool:
        """Compares a mapped value; externalId and userName have rules of their own."""
        return self.attribute not in (EXTERNAL_ID, USER_NAME)

    def same(self, one: str, other: str) -> bool:
        return one == other or (self.ignores_case and letter_case_key(one) == letter_case_key(other))

    def __str__(self) -> str:
        return f"{self.attribute}~" if self.ignores_case else self.attribute


DEFAULT_RULES = (MatchRule(EXTERNAL_ID), MatchRule(USER_NAME))


Sought = Sequence[tuple[str, str]]
"""What to look for besides externalId and userName: attributes, each with a value."""


def wanted_values(rules: Sequence[MatchRule], attributes: Attributes) -> Iterator[tuple[MatchRule, str]]:
    """What a person is looked for by, besides externalId and userName: each value with its rule. `attributes`: all that
    is mapped.
    """
    for rule in rules:
        if rule.is_of_values:
            never = {letter_case_key(each) for each in rule.never}
            texts = _texts(rule.attribute, attributes)
            yield from ((rule, value) for value in texts if letter_case_key(value) not in never)


def _texts(attribute: str, attributes: Attributes) -> Collection[str]:
    values: list[Scalar | None] = (
        [value for path, value in attributes.items() if is_email(path)]
        if attribute == EMAILS
        else [attributes.get(attribute)]
    )
    return dict.fromkeys(text for value in values if value is not None and (text := as_text(value)).strip())


def is_email(path: str) -> bool:
    """Whether a mapped path is one of a person's e-mails."""
    return path.startswith(_OF_EMAILS) and path.endswith(".value")


def shown_values(attribute: str, remote: RemoteUser) -> Collection[str]:
    """What an account shows under it."""
    shown = _texts(attribute, remote.attributes)
    return dict.fromkeys([*shown, *remote.emails]) if attribute == EMAILS else shown


def has_value(attribute: str, value: str, remote: RemoteUser) -> bool:
    """Whether an account shows this value, in any letters."""
    key = letter_case_key(value)
    return any(letter_case_key(each) == key for each in shown_values(attribute, remote))


def look_up_key(attribute: str, value: str) -> str:
    """Under which a value is looked up among many accounts, in any letters."""
    return f"{attribute} {letter_case_key(value)}"


def look_up_keys(rules: Sequence[MatchRule], remote: RemoteUser) -> Iterator[str]:
    """All keys of one account."""
    for rule in rules:
        if rule.is_of_values:
            yield from (look_up_key(rule.attribute, each) for each in shown_values(rule.attribute, remote))
