"""A second opinion: is Split exactly as Okta wants it? Worked out from the two worlds alone, without the store.

Shares no rule with the engine: who is wanted, under which name and in which group is written down here once more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from syncd.simulators.okta_entities import AppUser
from syncd.simulators.split_entities import ScimUser
from syncd.simulators.world import OktaWorld, SplitWorld

LONGEST_GROUP_NAME = 24
""""Group name length should be less than 25 characters" (SCIM for Okta in Split)."""
_NOT_THERE = frozenset({"STAGED", "DEPROVISIONED"})


@dataclass(frozen=True, slots=True)
class Before:
    """Split as it was before the first sync: users by id, and the userNames in each group by its name."""

    users: Mapping[str, tuple[str, bool, str]]
    groups: Mapping[str, frozenset[str]]


def look_at(split: SplitWorld) -> Before:
    """Remembers what Split has now."""
    with split.lock:
        return Before(
            users={user.id: _state(user) for user in split.users.values()},
            groups={group.name: _members(split, group.id) for group in split.groups.values()},
        )


def _state(user: ScimUser) -> tuple[str, bool, str]:
    return user.user_name, user.active, repr(sorted(user.attributes.items()))


def _members(split: SplitWorld, group: str) -> frozenset[str]:
    return frozenset(split.members(group))


def wanted_people(okta: OktaWorld) -> dict[str, AppUser]:
    """Who must be active in Split, by userName: the e-mail exactly as Okta has it."""
    return {
        str(row.profile["email"]): row
        for row in okta.app_users.values()
        if okta.users[row.id].status not in _NOT_THERE
    }


def wanted_groups(
    okta: OktaWorld, *, named: Collection[str], kept: Mapping[str, str]
) -> dict[str, frozenset[str]]:
    """The userNames that must be in each pushed group, by its name in Split.

    Pushed are the groups assigned to the app and those `named`. `kept` maps the Okta id of a group that was renamed
    after it was pushed to the name it keeps in Split. A name that is too long is not pushed.
    """
    people = {row.id: name for name, row in wanted_people(okta).items()}
    pushed = [okta.groups[group] for group in okta.app_groups] + [okta.group(name) for name in named]
    return {
        name: frozenset(people[member] for member in group.members if member in people)
        for group in pushed
        if len(name := kept.get(group.id, group.name)) <= LONGEST_GROUP_NAME
    }


def differences(
    okta: OktaWorld, split: SplitWorld, before: Before, *, named: Collection[str], kept: Mapping[str, str]
) -> list[str]:
    """Every way in which Split is not as Okta wants it, one sentence each; empty when all is well."""
    with okta.lock, split.lock:
        people = wanted_people(okta)
        groups = wanted_groups(okta, named=named, kept=kept)
        return [
            *_missing_people(split, people),
            *_other_people(split, people, before),
            *_wrong_groups(split, groups, before),
        ]


def _missing_people(split: SplitWorld, people: Mapping[str, AppUser]) -> Iterator[str]:
    found: dict[str, list[ScimUser]] = {}
    for user in split.users.values():
        found.setdefault(user.user_name, []).append(user)
    for name, row in sorted(people.items()):
        accounts = found.get(name, [])
        if len(accounts) != 1:
            yield f"{name} has {len(accounts)} accounts in Split, and should have one"
            continue
        user = accounts[0]
        if not user.active:
            yield f"{name} is inactive in Split, and should be active"
        if user.external_id != row.id:
            yield f"{name} has the externalId {user.external_id}, and should have {row.id}"
        for attribute, wanted in _attributes(row).items():
            has = _shown(user, attribute)
            if has != wanted:
                yield f"{name} has the {attribute} {has!r}, and should have {wanted!r}"


def _attributes(row: AppUser) -> dict[str, object]:
    given, family = row.profile.get("givenName"), row.profile.get("familyName")
    return {
        "givenName": given,
        "familyName": family,
        "displayName": f"{given} {family}",
        "e-mail": row.profile["email"],
    }


def _shown(user: ScimUser, attribute: str) -> object:
    if attribute == "e-mail":
        work = [mail.get("value") for mail in user.attributes.get("emails", []) if mail.get("type") == "work"]
        return work[0] if len(work) == 1 else work
    if attribute == "displayName":
        return user.attributes.get(attribute)
    return user.attributes.get("name", {}).get(attribute)


def _other_people(split: SplitWorld, people: Collection[str], before: Before) -> Iterator[str]:
    for user in sorted(split.users.values(), key=lambda one: one.user_name):
        if user.user_name in people:
            continue
        if user.id in before.users:
            if _state(user) != before.users[user.id]:
                yield f"{user.user_name} is Split's own account, and was changed"
        elif user.active:
            yield f"{user.user_name} is active in Split, and Okta does not want that"
    gone = [name for identity, (name, _, _) in before.users.items() if identity not in split.users]
    yield from (f"{name} had an account in Split before, which is gone" for name in sorted(gone))


def _wrong_groups(split: SplitWorld, groups: Mapping[str, frozenset[str]], before: Before) -> Iterator[str]:
    found = {group.name: _members(split, group.id) for group in split.groups.values()}
    if len(found) != len(split.groups):
        yield "two groups in Split have the same name"
    for name in sorted({*groups, *before.groups, *found}):
        if name not in found:
            yield f"the group {name} is missing in Split"
            continue
        if name not in groups and name not in before.groups:
            yield f"the group {name} is in Split, and Okta does not want it there"
            continue
        wanted = groups.get(name, frozenset()) | before.groups.get(name, frozenset())
        for verb, names in (("lacks", wanted - found[name]), ("should not have", found[name] - wanted)):
            if names:
                yield f"the group {name} {verb} {', '.join(sorted(names))}"
