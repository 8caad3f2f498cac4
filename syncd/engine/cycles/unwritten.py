"""What Okta wants and was never written, as items of drift, each with why: from what the store remembers."""

from __future__ import annotations

from functools import cached_property

from syncd.core.drift import DriftItem, DriftKind, Member, wanted_active
from syncd.core.plan import timestamp
from syncd.engine.job import Job
from syncd.engine.writing.permission import barred_now
from syncd.model import GroupCase, GroupState, UserCase

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
