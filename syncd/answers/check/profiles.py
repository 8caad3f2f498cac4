"""Whether the profiles of the assigned have what `[attributes]` names: one page of them tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncd.answers.check.line import Checks
from syncd.core.counting import counted
from syncd.core.mapping import Template
from syncd.model import AppUser

PROFILES = "attributes"
_EXAMPLES = 8


def check_profiles(checks: Checks, attributes: Mapping[str, str], people: Sequence[AppUser]) -> None:
    """Warns of what none of these people has. An app without people tells nothing."""
    if not people:
        checks.skip(PROFILES, "nobody is assigned whose profile could be looked at")
        return
    has = {name for person in people for name, value in person.profile.items() if value not in (None, "")}
    missing = {
        path: [name for name in Template(text).references if name not in has]
        for path, text in sorted(attributes.items())
    }
    missing = {path: names for path, names in missing.items() if names}
    looked_at = f"the profiles of {counted(len(people), 'assigned person', 'assigned people')}"
    if not missing:
        checks.ok(PROFILES, f"{looked_at} have what [attributes] names")
        return
    named = "; ".join(f"{path} wants {', '.join(names)}" for path, names in missing.items())
    outcome = "nobody can be provisioned" if "userName" in missing else "accounts would be made without it"
    shown = ", ".join(sorted(has)[:_EXAMPLES]) or "nothing at all"
    checks.warn(
        PROFILES,
        f"none of {looked_at} has what [attributes] names ({named}): {outcome}",
        f"They have {shown}. Correct [attributes], or map the values in Okta (Profile Editor, the app's mappings).",
    )
