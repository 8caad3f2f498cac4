"""Accounts that look like people who have none yet, in a sample of both sides. Shown, and never taken unasked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice

from syncd.answers.check.line import Checks
from syncd.core.counting import counted
from syncd.core.flavors import exact_user_names
from syncd.core.left_out import command
from syncd.core.mapping import MappingPolicy, wanted_user
from syncd.core.match import NearMiss, NoMatch, Owner, match_user, near_misses, owner_by
from syncd.model import AppUser, RemoteUser, Standing, WantedUser
from syncd.ports import Store, Target
from syncd.settings.schema import ConnectionSettings

NEAR = "near misses"
_PAGES = 3
"""Of the target's list. Nothing is asked of it where everybody of the sample has an account."""
_SHOWN = 3


def check_near(
    checks: Checks,
    settings: ConnectionSettings,
    people: Sequence[AppUser],
    open_store: Callable[[], AbstractContextManager[Store]],
    open_target: Callable[[], AbstractContextManager[Target]],
) -> None:
    """`people`: one page of the assigned."""
    if not people:
        checks.skip(NEAR, "nobody is assigned who could be compared with accounts")
        return
    sample = counted(len(people), "assigned person", "assigned people")
    with checks.probing(NEAR), open_store() as store:
        new = list(_without_account(people, settings, store))
        if not new:
            checks.ok(NEAR, f"a sample of {sample}: none of them is new to syncd")
            return
        owner = owner_by(store.user_by_scim_id)
        with open_target() as target:
            there = [user for page in islice(target.list_users(), _PAGES) for user in page]
        found = list(_found(new, there, settings, owner))
    looked_at = (
        f"a sample of {sample}, {len(new):,} of them new to syncd, and of {counted(len(there), 'account')}"
    )
    if not found:
        checks.ok(NEAR, f"{looked_at}: no account looks like one of these and is taken by no rule")
        return
    said = "; ".join(
        f"{wanted.user_name} looks like {near.remote.user_name} ({near.remote.scim_id}): {near.how}"
        for wanted, near in found[:_SHOWN]
    )
    more = f"; and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    wanted, near = found[0]
    ties = command(settings.named, "link", "--user", wanted.okta_id, near.remote.scim_id)
    checks.warn(
        NEAR,
        f"{looked_at}: {said}{more}",
        f"No rule takes such an account; syncd plan says whether another one would be made. Is it theirs? {ties}",
    )


def _without_account(
    people: Sequence[AppUser], settings: ConnectionSettings, store: Store
) -> Iterator[WantedUser]:
    mapping = MappingPolicy.of(
        settings.attributes,
        suspended_users=settings.provisioning.suspended_users,
        flavor=settings.split.flavor,
    )
    known = store.users([person.okta_id for person in people])
    for person in people:
        record = known.get(person.okta_id)
        wanted = wanted_user(person, mapping)
        if wanted.standing is Standing.ACTIVE and not (record and (record.pushed or record.released)):
            yield wanted


def _found(
    new: Sequence[WantedUser], there: Sequence[RemoteUser], settings: ConnectionSettings, owner: Owner
) -> Iterator[tuple[WantedUser, NearMiss]]:
    """Of whom a rule finds an account here, or a conflict that the plan shows, there is nothing to tell."""
    for wanted in new:
        near = near_misses(wanted, there, owner)
        if not near:
            continue
        match = match_user(
            wanted.okta_id,
            wanted.user_name,
            there,
            owner,
            exact_names=exact_user_names(settings.split.flavor),
            by=settings.matching.by,
            attributes=wanted.mapped,
        )
        if isinstance(match, NoMatch):
            yield from ((wanted, each) for each in near)
