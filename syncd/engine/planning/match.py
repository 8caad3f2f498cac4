"""Does an object that is not linked yet exist at the target? That decides between adopt, link and create."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import islice

from syncd.core.change import Change, ChangeKind, revised
from syncd.core.counting import counted
from syncd.core.diff import (
    NOTHING,
    Decision,
    Skipped,
    adopt_user,
    create_user,
)
from syncd.core.flavors import (
    RESERVED,
    exact_user_names,
    group_identifiers,
    group_name_problem,
    is_taken_over,
)
from syncd.core.match import (
    Conflict,
    MatchedGroup,
    MatchedUser,
    MatchKind,
    NoMatch,
    counting_marks,
    mail_of,
    match_group,
    match_user,
    near_misses,
    nobody_leaves,
    owner_by,
    right_to,
)
from syncd.core.match_rules import MatchRule, wanted_values
from syncd.core.names import look_alike_key
from syncd.core.order import NAME_RULES, group_name_freed, leaves, user_name_freed
from syncd.engine.facts import AskedTie
from syncd.engine.planning.accounts import AccountBook, chosen_for_another, name_taken, owned, protected
from syncd.engine.planning.draft import Planning, UnreadError
from syncd.engine.planning.unproven import blocking_group, blocking_user, with_doubted
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.errors import NotFound
from syncd.model import (
    Asked,
    RemoteGroup,
    RemoteUser,
    Standing,
    WantedGroup,
    WantedUser,
)
from syncd.ports import RemoteListing, Stage


class UserFinder:
    """Matches unlinked users: one complete listing of the target when they are many, else one search each; and before
    the first creation that listing too, where a search without a hit proves nothing.
    """

    def __init__(self, planning: Planning) -> None:
        self._planning = planning
        self._target = planning.job.target
        self._listed: bool | None = None
        self._complete = False
        self._by = planning.job.settings.match_rules
        self._accounts = AccountBook(planning)
        self._put_off: list[tuple[WantedUser, Sequence[RemoteUser]]] = []

    def decide(self, wanted: WantedUser, candidates: Sequence[RemoteUser] | None = None) -> Decision:
        """`candidates`: what was found before, for who was put off."""
        try:
            return self._decide(wanted, candidates)
        except UnreadError as unread:
            return self._planning.left_unread("user", wanted.okta_id, unread.problem)

    def _decide(self, wanted: WantedUser, candidates: Sequence[RemoteUser] | None) -> Decision:
        policy = self._planning.policy
        if (tie := self._planning.ties.get(wanted.okta_id)) is not None:
            return self._by_hand(wanted, tie)
        blocked = blocking_user(self._planning, wanted)
        if blocked is not None and not blocked.is_theirs:
            return name_conflict(wanted, blocked.reason)
        match = self._match(wanted, candidates)
        if blocked is not None and not isinstance(match, MatchedUser):
            return name_conflict(wanted, blocked.reason)
        if isinstance(match, NoMatch) and self._may_be_missed(wanted):
            self._list()
            match = self._match(wanted, None if candidates is None else self._candidates(wanted))
        match match:
            case NoMatch():
                decision = create_user(wanted, policy)
                near = list(self._near_misses(wanted, decision))
                return replace(decision, skipped=[*decision.skipped, *near]) if near else decision
            case Conflict(reason, holder):
                if holder is not None and candidates is None:
                    self._put_off.append((wanted, self._candidates(wanted)))
                    return NOTHING
                return name_conflict(wanted, reason)
            case MatchedUser():
                return self._adopted(wanted, match)

    def _adopted(self, wanted: WantedUser, match: MatchedUser) -> Decision:
        decision = adopt_user(wanted, match, self._planning.policy, self._target.habits())
        conflict = self._accounts.conflict(wanted, match.remote, decision.changes[0])
        return decision if conflict is None else name_conflict(wanted, str(conflict))

    def _near_misses(self, wanted: WantedUser, decision: Decision) -> Iterator[Skipped]:
        """Remarks about accounts that look like this person's: a person may tie them, no rule does. Where the target
        was listed, which it is before anybody is created wherever a search proves nothing.
        """
        if not self._listed or not decision.changes:
            return
        mail = mail_of(wanted.attributes) or look_alike_key(wanted.user_name)
        shown = self._planning.stage.remote_with_mail(mail)
        if not shown:
            return
        owner = owner_by(self._planning.job.store.user_by_scim_id)
        for near in near_misses(wanted, shown, owner):
            there = f"{near.remote.user_name} ({near.remote.scim_id})"
            way = f"is it theirs? syncd link --user {wanted.okta_id} {near.remote.scim_id} instead"
            yield Skipped(
                "near_miss", wanted.okta_id, wanted.user_name, f"looks like {there}: {near.how}; {way}"
            )

    def _by_hand(self, wanted: WantedUser, tie: AskedTie) -> Decision:
        """The account that a person chose is adopted by the ordinary rules, unless it is somebody else's by now: all
        that was asked when it was chosen is asked again.
        """
        job = self._planning.job
        chosen = f"{tie.name} ({tie.scim_id}), chosen by {tie.by},"
        try:
            remote = self._planning.asked(lambda: self._target.user(tie.scim_id))
        except NotFound:
            return name_conflict(wanted, f"{chosen} is gone at the target")
        conflict = (
            self._planning.asked(lambda: owned(job, wanted.okta_id, remote))
            or chosen_for_another(self._planning, wanted, remote)
            or protected(job, wanted, remote)
            or self._planning.asked(lambda: name_taken(job, wanted, remote))
        )
        if conflict is not None:
            return name_conflict(wanted, f"{chosen} is not to be theirs: {conflict}")
        match = MatchedUser(remote, "account, chosen by hand")
        [change] = adopt_user(wanted, match, self._planning.policy, self._target.habits()).changes
        reason = f"{wanted.reason}; tied by hand to {remote.user_name}, asked for by {tie.by}"
        change = revised(change, reason=reason)
        right = min(MatchKind.BY_HAND, right_to(wanted.okta_id, wanted.user_name, remote))
        if found := self._accounts.taken(wanted, remote, right, change):
            return name_conflict(wanted, f"{chosen} is not to be theirs: {found}")
        return Decision([change])

    def put_off(self) -> Iterator[tuple[str, Decision]]:
        """Those whose name somebody else has: decided once it is known who leaves a name in this plan."""
        for wanted, candidates in self._put_off:
            yield wanted.okta_id, self.decide(wanted, candidates)

    def _leaves(self, okta_id: str) -> bool:
        change = self._planning.stage.naming_change(okta_id)
        return change is not None and leaves(change, NAME_RULES[self._planning.policy.flavor])

    def _match(
        self, wanted: WantedUser, candidates: Sequence[RemoteUser] | None = None
    ) -> MatchedUser | NoMatch | Conflict:
        found = self._candidates(wanted) if candidates is None else candidates
        if not found:  # nearly everybody, in a first plan
            return NoMatch()
        policy, store = self._planning.policy, self._planning.job.store
        return match_user(
            wanted.okta_id,
            wanted.user_name,
            found,
            owner_by(store.user_by_scim_id),
            exact_names=exact_user_names(policy.flavor),
            mark_counts=counting_marks(policy.flavor, store.user),
            leaving=nobody_leaves if candidates is None else self._leaves,
            by=self._by,
            attributes=wanted.mapped,
        )

    def _may_be_missed(self, wanted: WantedUser) -> bool:
        """Somebody would be created now, though an account in other letters, or under another name, may be there."""
        if self._listed:
            return False
        creations = create_user(wanted, self._planning.policy).changes
        unsettled = self._planning.unsettled
        due = [
            change
            for change in creations
            if change.object_key not in unsettled and not self._planning.waits(change)
        ]
        return bool(due) and not self._target.search_is_whole(wanted.user_name)

    def _list(self) -> None:
        self._listed = True
        self._planning.job.observer.phase("listing the target's users")
        self._complete = list_into(self._target.list_users(), self._planning.stage, self._by)

    def _candidates(self, wanted: WantedUser) -> Sequence[RemoteUser]:
        return with_doubted(self._planning, wanted.okta_id, self._found(wanted))

    def _found(self, wanted: WantedUser) -> Sequence[RemoteUser]:
        stage = self._planning.stage
        if self._listed is None:
            self._listed = False
            if self._many_unlinked():
                self._list()
        sought = list(wanted_values(self._by, wanted.mapped))
        if not self._listed and not all(self._is_searchable(rule) for rule, _ in sought):
            self._list()
        okta_id, name = wanted.okta_id, wanted.user_name
        also = [(rule.attribute, value) for rule, value in sought]
        if self._listed:
            found = list(stage.remote_candidates(okta_id=okta_id, user_name=name, also=also))
            if found or self._complete:
                return found
        return self._planning.asked(
            lambda: list(self._target.find_users(okta_id=okta_id, user_name=name, also=also))
        )

    def _is_searchable(self, rule: MatchRule) -> bool:
        """Else only a whole listing tells; a filter may tell letter case apart where the rule does not."""
        return not rule.ignores_case and self._target.finds_by(rule.attribute)

    def _many_unlinked(self) -> bool:
        unlinked = (
            case
            for case in self._planning.stage.user_cases()
            if case.wanted is not None
            and case.wanted.standing is Standing.ACTIVE
            and (case.known is None or case.known.pushed is None)
        )
        return len(list(islice(unlinked, BY_ID_AT_MOST + 1))) > BY_ID_AT_MOST


def list_into(listing: RemoteListing[RemoteUser], stage: Stage, by: Sequence[MatchRule] = ()) -> bool:
    """Stages a listing of the target, to be looked at `by` these rules; True when it provably saw everybody."""
    for page in listing:
        stage.put_remote_users(page, by)
    return listing.complete


class GroupFinder:
    """Matches unlinked groups by externalId, by name, or by the identifier that the target makes of that, and applies
    the rules for names.
    """

    def __init__(self, planning: Planning, *, listing: bool, leaving: AbstractSet[str]) -> None:
        """`leaving`: Okta ids of the groups that leave their names at the target in this plan."""
        self._planning = planning
        self._leaving = leaving
        self._listed: list[RemoteGroup] = []
        self._complete = False
        if listing and group_identifiers(planning.policy.flavor, "") is None:  # else lists leave groups out
            groups = planning.job.target.list_groups()
            self._listed = [group for page in groups for group in page]
            self._complete = groups.complete

    def _candidates(self, wanted: WantedGroup) -> Sequence[RemoteGroup]:
        found = [
            group
            for group in self._listed
            if group.external_id == wanted.okta_id or group.name == wanted.target_name
        ]
        if found or self._complete:
            return found
        target = self._planning.job.target
        return self._planning.asked(
            lambda: target.find_groups(okta_id=wanted.okta_id, name=wanted.target_name)
        )

    def decide(self, wanted: WantedGroup, asked: Asked | None = None) -> Decision:
        """`asked`: a person chose the group at the target, by its id."""
        try:
            return self._decide(wanted, asked)
        except UnreadError as unread:
            return self._planning.left_unread("group", wanted.okta_id, unread.problem)

    def _decide(self, wanted: WantedGroup, asked: Asked | None) -> Decision:
        job, policy = self._planning.job, self._planning.policy
        if policy.flavor == "harness" and wanted.target_name == RESERVED:
            problem = group_name_problem(policy.flavor, wanted.target_name, policy.protected_groups)
            return _refused(wanted, problem or "")
        if asked is not None and asked.what == "link":
            return self._link_by_hand(wanted, asked)
        if is_taken_over(policy.flavor, wanted.target_name):
            wanted = replace(wanted, action="link")
        if (blocked := blocking_group(self._planning, wanted)) is not None:
            return _in_conflict(wanted, blocked.reason)
        if wanted.action == "create":
            problem = group_name_problem(policy.flavor, wanted.target_name, policy.protected_groups)
            if problem:
                return _refused(wanted, problem)
        candidates, owner = self._candidates(wanted), owner_by(job.store.group_by_scim_id)
        leaving = self._leaving.__contains__
        match match_group(
            wanted.okta_id,
            wanted.target_name,
            wanted.action,
            candidates,
            owner,
            leaving=leaving,
            identifiers=group_identifiers(policy.flavor, wanted.target_name),
        ):
            case Conflict(reason):
                return _in_conflict(wanted, reason)
            case NoMatch():
                problem = group_name_problem(policy.flavor, wanted.target_name, policy.protected_groups)
                return _refused(wanted, problem) if problem else Decision([_creation(wanted)])
            case MatchedGroup(remote, how):
                whole = self._planning.asked(lambda: job.target.group(remote.scim_id))
                return self._link(
                    wanted, remote, whole, f"{wanted.reason}; the group exists at the target (same {how})"
                )

    def _link_by_hand(self, wanted: WantedGroup, asked: Asked) -> Decision:
        store = self._planning.job.store
        try:
            target = self._planning.job.target
            remote = self._planning.asked(lambda: target.group(asked.scim_id))
        except NotFound:
            reason = f'the group "{asked.name}" ({asked.scim_id}), linked by hand, is gone at the target'
            return _in_conflict(wanted, f"{reason}: link another one, or unlink it")
        owner = store.group_by_scim_id(remote.scim_id)
        if owner is not None and owner.okta_id != wanted.okta_id:
            reason = f'"{remote.name}" is linked to another Okta group, {owner.wanted.name} ({owner.okta_id})'
            return _in_conflict(wanted, reason)
        if remote.external_id and remote.external_id != wanted.okta_id:
            reason = f'"{remote.name}" belongs to another Okta group: its externalId is {remote.external_id}'
            return _in_conflict(wanted, reason)
        return self._link(wanted, remote, remote, f"linked by hand, asked for by {asked.by}")

    def _link(self, wanted: WantedGroup, remote: RemoteGroup, whole: RemoteGroup, reason: str) -> Decision:
        stage = self._planning.stage
        stage.put_remote_members(wanted.okta_id, whole.members or ())
        self._planning.group_ids[wanted.okta_id] = remote.scim_id
        self._planning.group_names[wanted.okta_id] = remote.name
        skipped = []
        strangers = stage.remote_strangers(wanted.okta_id)
        if strangers:
            left = f"{counted(strangers, 'member')} at the target not managed by syncd: left as they are"
            skipped.append(Skipped("unmanaged_members", wanted.okta_id, remote.name, left, "group"))
        change = Change(
            ChangeKind.LINK_GROUP,
            wanted.okta_id,
            remote.scim_id,
            remote.name,
            {"linked": False},
            {"linked": True},
            reason,
        )
        return Decision([change], skipped)


def name_conflict(wanted: WantedUser, reason: str) -> Decision:
    """Looked at again when this userName, or one like it, is left."""
    waits_for = (user_name_freed(wanted.user_name),)
    skipped = Skipped("conflict", wanted.okta_id, wanted.user_name, reason, waits_for=waits_for)
    return Decision(skipped=[skipped], still=True)


def _in_conflict(wanted: WantedGroup, reason: str) -> Decision:
    waits_for = (group_name_freed(wanted.target_name),)
    skipped = Skipped("conflict", wanted.okta_id, wanted.name, reason, "group", waits_for)
    return Decision(skipped=[skipped], still=True)


def _refused(wanted: WantedGroup, problem: str) -> Decision:
    skipped = Skipped("refused_name", wanted.okta_id, wanted.name, problem, "group")
    return Decision(skipped=[skipped], still=True)


def _creation(wanted: WantedGroup) -> Change:
    return Change(
        ChangeKind.CREATE_GROUP,
        wanted.okta_id,
        None,
        wanted.target_name,
        {},
        {"displayName": wanted.target_name, "externalId": wanted.okta_id},
        wanted.reason,
    )
