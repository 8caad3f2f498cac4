"""Whose the accounts are that a plan adopts: what matching asks of the stage."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from syncd.core.match import MatchKind


@dataclass(frozen=True, slots=True)
class TakenMatch:
    """An account is to be adopted for this person, by this change of the plan."""

    okta_id: str
    user_name: str
    right: MatchKind
    change_id: str


class AdoptingPlan(Protocol):
    """Matches, as they are found while the plan is made."""

    def will_link_user(self, okta_id: str, scim_id: str) -> None:
        """A match found while planning: counts as this user's SCIM id where members are compared."""
        ...

    def will_adopt(self, scim_id: str, taken: TakenMatch) -> None:
        """The same, of whoever adopts the account in this plan; whoever took it before is forgotten."""
        ...

    def taken_by(self, scim_id: str) -> TakenMatch | None:
        """Who adopts this account in this plan, as far as it is decided."""
        ...

    def adopted_twice(self) -> AbstractSet[str]:
        """Ids of the adoptions to be applied whose account another person's change is about, too."""
        ...
