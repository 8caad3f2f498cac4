"""What mapping costs: the attributes that everybody begins with, and the same made by five functions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from bench.rows import Row, median
from syncd.core.attribute_mapping import mapping_of
from syncd.core.mapping import MappingPolicy, wanted_user
from syncd.model import AppUser
from syncd.settings.attributes import DEFAULT_ATTRIBUTES

FUNCTIONS: Mapping[str, str] = {
    "userName": "{lower(email)}",
    "name.givenName": "{trim(givenName)}",
    "name.familyName": "{upper(familyName)}",
    "displayName": "{before(email, '@')} {familyName}",
    "emails[work].value": "{replace(email, '@example.com', '@split.example')}",
}
_PEOPLE = 3_000
_TURNS = 40
"""Of both, one after the other; the best of each counts: whatever else runs only adds to it."""


def mapping(rounds: int) -> Iterator[Row]:
    """Five functions at most half as dear again as none."""
    people = [_person(number) for number in range(_PEOPLE)]
    plain = _policy({path: str(each) for path, each in DEFAULT_ATTRIBUTES.items()})
    pairs = [_best(people, plain, _policy(FUNCTIONS)) for _ in range(rounds)]
    ratios = [functions / without for without, functions in pairs]
    each = median([without for without, _ in pairs]) / _PEOPLE * 1e6
    yield Row(
        "mapping one person by five functions: CPU time / without any",
        median(ratios),
        "times",
        1.5,
        detail=f"{each:.1f} µs each without",
        runs=ratios,
    )


def _policy(attributes: Mapping[str, str]) -> MappingPolicy:
    made = {path: mapping_of(text) for path, text in attributes.items()}
    return MappingPolicy.of(made, suspended_users="keep", flavor="split")


def _person(number: int) -> AppUser:
    email = f"person{number}@example.com"
    profile = {"email": email, "givenName": f"Given{number}", "familyName": f"Family{number}"}
    return AppUser(f"00u{number:017}", "ACTIVE", "ACTIVE", email, profile, None)


def _best(people: Sequence[AppUser], *policies: MappingPolicy) -> tuple[float, ...]:
    best = [float("inf")] * len(policies)
    for _ in range(_TURNS):
        for at, policy in enumerate(policies):
            began = time.process_time()
            for person in people:
                wanted_user(person, policy)
            best[at] = min(best[at], time.process_time() - began)
    return tuple(best)
