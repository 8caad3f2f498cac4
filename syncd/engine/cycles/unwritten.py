"""What Okta wants and was never written, as items of drift, each with why: from what the store remembers."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from syncd.core.change import Json
from syncd.core.drift import DriftItem, DriftKind, Member, member_item, wanted_active
from syncd.core.plan import timestamp
from syncd.engine.job import Job
from syncd.engine.writing.permission import barred_now
from syncd.model import GroupCase, GroupState, KnownUser, PushedUser, Standing, UserCase

_NEXT = "no run has written it yet: the next one does, unless a check says no"
_WAITS = "nothing is written for now (see syncd status)"


class Unwritten:
    """Of one comparison, where something is managed already."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._creates = job.settings.provisioning.create_users

    def user(self, case: UserCase) -> DriftItem | None:
        """None for whoever is not wanted, was let go of by a person, or gets no account because that is off."""
        wish = case.wanted
        if wish is None or not wanted_active(wish) or (case.known is not None and case.known.released):
            return None
        if not self._creates:
            return None
        why = self._why(f"user:{case.okta_id}")
        return DriftItem(
            DriftKind.MISSING_USER,
            "user",
            wish.user_name,
            case.okta_id,
            None,
            {**wish.attributes, "active": True},
            None,
            None,
            f"{wish.reason}, and was never written: {why}",
            "create it" if why is _NEXT else "",
        )

    def of_linked(self, case: UserCase) -> DriftItem | None:
        """Of an account that is as it is remembered, where something keeps back what Okta wants. None as of `user`."""
        why = self._of_an_object.get(f"user:{case.okta_id}")
        if why is None or case.known is None or case.known.pushed is None or case.known.released:
            return None
        if case.wanted is not None and case.wanted.standing is Standing.FROZEN:
            return None
        return _waiting(case, case.known, case.known.pushed, why)

    def leaving(self, group: str, group_id: str, member: Member) -> DriftItem | None:
        """Of a member that is remembered and there, and that Okta does not want, where something keeps that back."""
        why = self._of_an_object.get(f"member:{group_id}:{member.okta_id}")
        if why is None:
            return None
        item = member_item(group, group_id, member, wanted=False, remembered=True, found=True)
        return replace(item, reason=f"no member in Okta, which was never written: {why}", repair="")

    def group(self, case: GroupCase) -> DriftItem | None:
        wish = case.wanted
        if wish is None or wish.state is not GroupState.PUSHED:
            return None
        why = self._why(f"group:{case.okta_id}")
        return DriftItem(
            DriftKind.MISSING_GROUP,
            "group",
            wish.target_name,
            case.okta_id,
            None,
            {"displayName": wish.target_name},
            None,
            None,
            f"it is pushed, and was never written: {why}",
            "create it, with its members" if why is _NEXT else "",
        )

    def member(self, group: str, group_id: str, member: Member) -> DriftItem | None:
        """Of a linked group that wants it. `member.scim_id` is "" where there is no account. None as of `user`."""
        if not member.scim_id and not self._creates:
            return None
        why = self._of_an_object.get(f"member:{group_id}:{member.okta_id}")
        if why is None and not member.scim_id:
            why = "the person has no account yet"
        return DriftItem(
            DriftKind.MISSING_MEMBER,
            "membership",
            member.name,
            member.okta_id,
            member.scim_id or None,
            {"member": True},
            None,
            {"member": False},
            f"a member in Okta, and was never written: {why or self._otherwise}",
            "add the member" if (why or self._otherwise) is _NEXT else "",
            group=group,
            group_id=group_id,
        )

    def _why(self, object_key: str) -> str:
        return self._of_an_object.get(object_key, self._otherwise)

    @cached_property
    def _otherwise(self) -> str:
        barred = barred_now(self.job.store, self.job.settings, self.job.clock())
        return _NEXT if barred is None else _WAITS

    @cached_property
    def _of_an_object(self) -> dict[str, str]:
        """By object key; what a person can decide about comes last, and counts."""
        store = self.job.store
        found = {each.object_key: each.reason for each in store.waiting()}
        for failure in store.failures():
            again = timestamp(failure.next_attempt)
            found[failure.object_key] = f"it failed, and is tried again at {again}: {failure.message}"
        for rejection in store.decided().rejections.values():
            found[rejection.object_key] = f"it was rejected by {rejection.by} at {timestamp(rejection.at)}"
        for hold in store.holds():
            for change in hold.changes:
                found[change.object_key] = f"it is held by {hold.id}: {hold.reason}"
        return found


def _waiting(case: UserCase, known: KnownUser, pushed: PushedUser, why: str) -> DriftItem | None:
    """What Okta wants otherwise than the account is. None where that is nothing."""
    wish, active = case.wanted, wanted_active(case.wanted)
    values = wish.attributes if wish is not None and active else {}
    wanted: dict[str, Json] = {
        path: value for path, value in sorted(values.items()) if pushed.attributes.get(path) != value
    }
    there: dict[str, Json] = {path: pushed.attributes.get(path) for path in wanted}
    kind = DriftKind.CHANGED_USER
    if active is not pushed.active:
        wanted["active"], there["active"] = active, pushed.active
        kind = DriftKind.WRONGLY_INACTIVE_USER if active else DriftKind.WRONGLY_ACTIVE_USER
    if not wanted:
        return None
    because = wish.reason if wish is not None else "not in Okta any more"
    name = (wish or known.wanted).user_name or known.wanted.user_name
    return DriftItem(
        kind,
        "user",
        name,
        case.okta_id,
        pushed.scim_id,
        wanted,
        there,
        dict(there),
        f"{because}, and what Okta wants was never written: {why}",
        "",
    )
