"""The effective view, written down naively: what the stage must answer, with dicts and sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from syncd.model import GroupState, Standing, WantedUser

Pair = tuple[str, str]


@dataclass
class StoredUser:
    wanted: WantedUser
    scim_id: str | None = None
    pushed_name: str = ""
    up_to_date: bool = False
    """The pushed attributes are the wanted ones."""
    active: bool = False
    released: bool = False


@dataclass
class StoredGroup:
    state: GroupState
    scim_id: str | None = None
    released: bool = False
    listed: frozenset[str] | None = None
    """None: the member list was never read."""


@dataclass
class World:
    users: dict[str, StoredUser] = field(default_factory=dict)
    groups: dict[str, StoredGroup] = field(default_factory=dict)
    pushed: set[Pair] = field(default_factory=set)
    # staged
    staged: dict[str, WantedUser] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    users_whole: bool = False
    staged_groups: dict[str, GroupState] = field(default_factory=dict)
    groups_whole: bool = False
    lists: dict[str, frozenset[str]] = field(default_factory=dict)
    partial: dict[str, frozenset[str]] = field(default_factory=dict)
    own_groups: dict[str, frozenset[str]] = field(default_factory=dict)
    remote: dict[str, frozenset[str]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    """SCIM id to Okta id."""
    still_users: frozenset[str] = frozenset()
    still_groups: frozenset[str] = frozenset()
    limit: tuple[Sequence[str] | None, Sequence[str] | None] | None = None

    def in_user_limit(self, okta_id: str) -> bool:
        return self.limit is None or okta_id in (self.limit[0] or ())

    def in_group_limit(self, okta_id: str) -> bool:
        return self.limit is None or okta_id in (self.limit[1] or ())

    def nominated(self, okta_id: str) -> bool:
        known = self.users.get(okta_id)
        if known is None or okta_id in self.staged or known.wanted.standing is Standing.ABSENT:
            return False
        return okta_id in self.absent or (self.users_whole and self.in_user_limit(okta_id))

    def effective(self, okta_id: str) -> WantedUser | None:
        if okta_id in self.staged:
            return self.staged[okta_id]
        if self.nominated(okta_id) or okta_id not in self.users:
            return None
        return self.users[okta_id].wanted

    def standing(self, okta_id: str) -> Standing:
        wish = self.effective(okta_id)
        return Standing.ABSENT if wish is None else wish.standing

    def departures(self) -> list[str]:
        return sorted(
            okta_id
            for okta_id, known in self.users.items()
            if self.in_user_limit(okta_id)
            and (
                self.nominated(okta_id)
                or (
                    known.wanted.standing is Standing.ABSENT
                    and okta_id not in self.staged
                    and (
                        (known.scim_id is not None and known.active and not known.released)
                        or any(member == okta_id for _, member in self.pushed)
                    )
                )
            )
        )

    def _unfulfilled(self, known: StoredUser) -> bool:
        if known.released:
            return False
        if known.wanted.standing is Standing.FROZEN:
            return True
        if known.wanted.standing is Standing.ACTIVE:
            return known.scim_id is None or not known.active or not known.up_to_date
        return known.scim_id is not None and known.active

    def user_cases(self) -> list[tuple[str, Standing | None]]:
        """Okta ids with the standing of the effective wish, None when nominated."""
        found = []
        for okta_id in sorted({*self.users, *self.staged}):
            known = self.users.get(okta_id)
            changed = okta_id in self.staged and (known is None or known.wanted != self.staged[okta_id])
            matters = changed or self.nominated(okta_id) or (known is not None and self._unfulfilled(known))
            if matters and self.in_user_limit(okta_id):
                wish = self.effective(okta_id)
                gone = self.users_whole and okta_id not in self.staged
                nobody = wish is None or (gone and wish.standing is Standing.ABSENT)
                found.append((okta_id, None if wish is None or nobody else wish.standing))
        return found

    def rivals(self, name_key: str, okta_id: str) -> list[str]:
        wishes = {other: self.effective(other) for other in {*self.users, *self.staged} - {okta_id}}
        return sorted(
            other
            for other, wish in wishes.items()
            if wish and wish.standing is Standing.ACTIVE and wish.name_key == name_key
        )

    def group_state(self, group_id: str) -> GroupState | None:
        if group_id in self.staged_groups:
            return self.staged_groups[group_id]
        known = self.groups.get(group_id)
        if known is None or (self.groups_whole and self.in_group_limit(group_id)):
            return None
        return known.state

    def listed(self, group_id: str, user_id: str) -> bool:
        if user_id in self.own_groups:
            return group_id in self.own_groups[user_id]
        if group_id in self.lists:
            return user_id in self.lists[group_id]
        known = self.groups.get(group_id)
        return known is not None and user_id in (known.listed or ())

    def _list_is_known(self, group_id: str, user_id: str) -> bool:
        known = self.groups.get(group_id)
        stored = known is not None and known.listed is not None
        return user_id in self.own_groups or group_id in self.lists or stored

    def is_pushed(self, group_id: str, user_id: str) -> bool:
        if group_id in self.remote:
            return user_id in self._remote_people(group_id)
        return (group_id, user_id) in self.pushed

    def _remote_people(self, group_id: str) -> set[str]:
        owners = {known.scim_id: okta_id for okta_id, known in self.users.items() if known.scim_id}
        owners |= self.links
        return {owners[scim_id] for scim_id in self.remote[group_id] if scim_id in owners}

    def _still(self, user_id: str) -> bool:
        known = self.users.get(user_id)
        frozen = self.standing(user_id) is Standing.FROZEN
        return user_id in self.still_users or frozen or bool(known and known.released)

    def member_cases(self, user_ids: Sequence[str]) -> list[tuple[str, str, bool, bool, Standing]]:
        """Group, user, wanted, listed, standing."""
        found = []
        for group_id in sorted({*self.groups, *self.staged_groups}):
            known = self.groups.get(group_id)
            if self.group_state(group_id) is not GroupState.PUSHED or (known and known.released):
                continue
            if group_id in self.still_groups:
                continue
            for user_id in sorted(user_ids):
                listed, standing = self.listed(group_id, user_id), self.standing(user_id)
                wanted = listed and standing is Standing.ACTIVE
                limited = self.in_user_limit(user_id) or self.in_group_limit(group_id)
                unknown = not listed and not self._list_is_known(group_id, user_id)
                if self._still(user_id) or not limited or unknown:
                    continue
                if wanted is not self.is_pushed(group_id, user_id):
                    found.append((group_id, user_id, wanted, listed, standing))
        return found

    def wanted_count(self, group_id: str, user_ids: Sequence[str]) -> int:
        count = 0
        for user_id in user_ids:
            listed = self.listed(group_id, user_id)
            if self._still(user_id) or not (listed or self._list_is_known(group_id, user_id)):
                count += self.is_pushed(group_id, user_id)
            else:
                count += listed and self.standing(user_id) is Standing.ACTIVE
        return count

    def pushed_count(self, group_id: str) -> int:
        if group_id in self.remote:
            return len(self.remote[group_id])
        return sum(pair[0] == group_id for pair in self.pushed)

    def strangers(self, group_id: str) -> int:
        owners = {known.scim_id for known in self.users.values()} | set(self.links)
        return len(self.remote[group_id] - owners)

    # what absorbing leaves behind

    def wishes_after(self, confirmed: Mapping[str, object]) -> dict[str, WantedUser | Standing]:
        """The wish of each user afterwards; a confirmed departure is only its standing."""
        after: dict[str, WantedUser | Standing] = {}
        for okta_id in {*self.users, *self.staged}:
            if okta_id in self.staged:
                after[okta_id] = self.staged[okta_id]
            elif okta_id in confirmed or self.users[okta_id].wanted.standing is Standing.ABSENT:
                after[okta_id] = Standing.ABSENT
            else:
                after[okta_id] = self.users[okta_id].wanted
        return after
