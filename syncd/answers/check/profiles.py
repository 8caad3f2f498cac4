"""Whether the profiles of the assigned have what `[attributes]` names: one page of them tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from syncd.answers.check.line import Checks
from syncd.core.attribute_mapping import AttributeMapping
from syncd.core.counting import counted
from syncd.core.terms import LOGIN, USER
from syncd.model import AppUser
from syncd.settings.suggest import nearest

PROFILES = "attributes"
_EXAMPLES = 8
_FEW = 10
"""One in so many has it, or fewer: a name that only some profiles have is more often a wrong name than a rare one."""


def check_profiles(
    checks: Checks, attributes: Mapping[str, AttributeMapping], people: Sequence[AppUser]
) -> None:
    """Warns of what none of these people has, or few. An app without people tells nothing."""
    if not people:
        checks.skip(PROFILES, "nobody is assigned whose profile could be looked at")
        return
    looked_at = f"the profiles of {counted(len(people), 'assigned person', 'assigned people')}"
    has = _counts(people)
    missing = dict(_wanting(attributes, has, at_most=0))
    few = dict(_wanting(attributes, has, at_most=len(people) // _FEW))
    if missing:
        outcome = (
            "nobody can be provisioned" if "userName" in missing else "accounts would be made without it"
        )
        checks.warn(
            PROFILES,
            f"none of {looked_at} has what [attributes] names ({_named(missing)}): {outcome}",
            _way_out(missing, has),
        )
    elif few:
        rare = "; ".join(
            f"{path} wants {', '.join(f'{name}, which {has[name]} have' for name in names)}"
            for path, names in few.items()
        )
        checks.warn(PROFILES, f"few of {looked_at} have what [attributes] names: {rare}", _way_out(few, has))
    else:
        checks.ok(PROFILES, f"{looked_at} have what [attributes] names")


def _counts(people: Sequence[AppUser]) -> Mapping[str, int]:
    """How many have something under each name, as `[attributes]` writes it."""
    has: dict[str, int] = {}
    for person in people:
        names = [name for name, value in person.profile.items() if value not in (None, "")]
        own = person.user_profile or {}
        names += [f"{USER}{name}" for name, value in own.items() if value not in (None, "")]
        for name in [*names, *([LOGIN] if person.user_name else [])]:
            has[name] = has.get(name, 0) + 1
    return has


def _wanting(
    attributes: Mapping[str, AttributeMapping], has: Mapping[str, int], *, at_most: int
) -> Iterator[tuple[str, list[str]]]:
    """Who has a default is expected to lack the attribute sometimes, but not always."""
    for path, mapping in sorted(attributes.items()):
        enough = 0 if mapping.default is not None else at_most
        names = [each.name for each in mapping.expression.references if has.get(each.name, 0) <= enough]
        if names:
            yield path, names


def _named(missing: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{path} wants {', '.join(names)}" for path, names in missing.items())


def _way_out(missing: Mapping[str, list[str]], has: Mapping[str, int]) -> str:
    wanted = dict.fromkeys(name for names in missing.values() for name in names)
    near = {name: nearest(name, _beside(name, has)) for name in wanted}
    meant = [f"{name}: did you mean {meant}?" for name, meant in near.items() if meant]
    own = any(name.startswith(USER) for name in wanted)
    there = sorted(name for name in has if name != LOGIN and (own or not name.startswith(USER)))
    shown = ", ".join(there[:_EXAMPLES]) or "nothing at all"
    return (
        f"{' '.join([*meant, ''])}They have {shown}."
        " Correct [attributes], or map the values in Okta (Profile Editor, the app's mappings)."
    )


def _beside(name: str, has: Mapping[str, int]) -> list[str]:
    """Other names of the same profile, which more have."""
    of_user = name.startswith(USER)
    return [
        other
        for other, count in has.items()
        if other.startswith(USER) is of_user and count > has.get(name, 0)
    ]
