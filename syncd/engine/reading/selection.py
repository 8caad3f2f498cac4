"""What a cycle looks at: everything, or the users and groups that a person (or a saved plan) names."""

from __future__ import annotations

from dataclasses import dataclass

BY_ID_AT_MOST = 50
"""Up to so many objects of a kind are asked for by id; beyond that one complete list is cheaper and as good."""


@dataclass(frozen=True, slots=True)
class Selection:
    """`users` and `groups` as typed: Okta ids, e-mails, names. `full` re-reads every member list, moved or not."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    full: bool = False
    by_id: bool = False
    """They are Okta ids, all of them."""

    @property
    def everything(self) -> bool:
        """Nobody and nothing is named."""
        return not self.users and not self.groups

    @property
    def kind(self) -> str:
        return "full" if self.everything else "targeted"
