"""Whose an object of a Harness account is. It keeps no Okta id of a group, nor of a person who was there before.

People go by their externalId, else by the e-mail with which they began; groups by the identifier that a name of theirs
became, for as long as that very group exists: a later name changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd.simulators.harness.account import EVERYONE
from syncd.simulators.harness.identifier import hashed, plain
from syncd.simulators.split_entities import ScimGroup, ScimUser
from syncd.simulators.world import OktaWorld, SplitWorld

PREFIX = "push-"


class Owners:
    """Learns by looking: every name that a group ever has in Okta must be seen while it has it (`look`)."""

    def __init__(self, okta: OktaWorld) -> None:
        self._okta = okta
        self._once: dict[str, dict[str, None]] = {}
        """By identifier: the Okta groups whose name became it at some time."""
        self._now: dict[str, list[str]] = {}
        self._tied: dict[str, tuple[ScimGroup, str]] = {}
        self._ids: frozenset[str] = frozenset()
        self._by_login: dict[str, str] = {}
        self.let_go: set[str] = set()
        """Groups that left the rule and were kept. Nothing at Harness tells whose they were: when they come back they
        are a conflict for a person, or are made anew under the name that they have by then.
        """
        self.look()

    def look(self) -> None:
        """What Okta's groups and people are called now."""
        with self._okta.lock:
            self._now = {}
            for group in self._okta.groups.values():
                if (
                    group.name.startswith(PREFIX) and group.type != "APP_GROUP"
                ):  # an import of the target's own
                    for identifier in {plain(group.name), hashed(group.name)}:
                        self._now.setdefault(identifier, []).append(group.id)
                        self._once.setdefault(identifier, {})[group.id] = None
            self._ids = frozenset(self._okta.users)
            self._by_login = {user.login.lower(): user.id for user in self._okta.users.values()}

    def of_user(self, user: ScimUser) -> str | None:
        """The Okta id."""
        if user.external_id in self._ids:
            return user.external_id
        return self._by_login.get(user.user_name)

    def of_groups(self, world: SplitWorld) -> dict[str, str]:
        """Okta ids by identifier, of the groups that SCIM manages and no rule let go of. Raises AssertionError for one
        whose name two Okta groups have that want it.
        """
        tied: dict[str, tuple[ScimGroup, str]] = {}
        for identifier, group in world.groups.items():
            known = self._tied.get(identifier)
            if known is not None and known[0] is group:
                tied[identifier] = known
            elif group.managed and (wanting := self._wanting(identifier)):
                assert len(wanting) == 1, f"{identifier}: made while {wanting} want it"
                tied[identifier] = group, wanting[0]
        self._tied = tied
        return {identifier: owner for identifier, (_, owner) in tied.items() if owner not in self.let_go}

    def _wanting(self, identifier: str) -> Sequence[str]:
        return self._now.get(identifier) or tuple(self._once.get(identifier, ()))

    def is_taken(self, group: str, world: SplitWorld) -> bool:
        """Whether a group of this Okta id cannot be made: another one has its identifier, or wants it too."""
        self.look()
        tied = self.of_groups(world)
        return any(
            len(wanting) > 1 or (identifier in world.groups and tied.get(identifier) != group)
            for identifier, wanting in self._now.items()
            if group in wanting
        )


def is_nobodys(group: ScimGroup) -> bool:
    """Whether Harness itself keeps its members."""
    return group.id == EVERYONE
