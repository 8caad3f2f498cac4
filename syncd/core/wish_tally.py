"""What other settings would make of everybody's wish: counted by attribute and by standing, with a few names each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.core.comparison import is_blank
from syncd.model import Scalar, Standing, WantedUser

EXAMPLES = 5
"""People that are named for each count."""


@dataclass(slots=True)
class AttributeTally:
    """People whose value of one attribute would be another: who would be given one, have another, or lose theirs."""

    given: int = 0
    changed: int = 0
    blanked: int = 0
    examples: list[Mapping[str, Any]] = field(default_factory=list)

    def count(self, wish: WantedUser, current: Scalar | None, new: Scalar | None) -> None:
        self.given += is_blank(current)
        self.blanked += is_blank(new)
        self.changed += not is_blank(current) and not is_blank(new)
        if len(self.examples) < EXAMPLES:
            self.examples.append({**_who(wish), "current": current, "new": new})

    @property
    def people(self) -> int:
        return self.given + self.changed + self.blanked


@dataclass(slots=True)
class StandingTally:
    """People who would stand otherwise, and the reason of the first of them."""

    people: int = 0
    reason: str = ""
    examples: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class WishTally:
    """`people`: how many were looked at. Standings by what they are and would be."""

    people: int = 0
    attributes: dict[str, AttributeTally] = field(default_factory=dict)
    standings: dict[tuple[Standing, Standing], StandingTally] = field(default_factory=dict)

    def count(self, current: WantedUser | None, new: WantedUser | None) -> None:
        """One person, as Okta has them, under both settings."""
        if current is None or new is None:
            return
        self.people += 1
        if current.standing is not new.standing:
            tally = self.standings.setdefault((current.standing, new.standing), StandingTally())
            tally.people += 1
            tally.reason = tally.reason or new.reason
            if len(tally.examples) < EXAMPLES:
                tally.examples.append(_who(current))
        if Standing.ACTIVE not in (current.standing, new.standing):
            return
        before, after = current.mapped, new.mapped
        for path in sorted({*before, *after}):
            was, will = before.get(path), after.get(path)
            if was != will and not (is_blank(was) and is_blank(will)):
                self.attributes.setdefault(path, AttributeTally()).count(new, was, will)


def _who(wish: WantedUser) -> dict[str, Any]:
    return {"name": wish.user_name or wish.okta_id, "okta_id": wish.okta_id}
