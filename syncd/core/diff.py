"""What one object needs, decided from wish and memory alone.

users      wished by Okta         last pushed          the decision
           ----------------------------------------------------------------------------------------
           active                 never                look for a match: adopt, create or conflict
           active                 active, the same     nothing
           active                 active, different    update_user (in place: never delete and create)
           active                 inactive             reactivate_user, with what differs
           inactive               active               deactivate_user: Okta says so itself
           inactive               never or inactive    nothing
           frozen                 any                  left exactly as it is, reported
           gone, with a witness   active               deactivate_user, once the grace period is over
           gone, no witness       any                  left exactly as it is, reported
           any                    released             left exactly as it is

groups     pushed                 never                look for a match: link, create or refusal
           pushed                 yes                  rename_group if the rule follows renames
           frozen                 any                  left exactly as it is, reported
           gone                   yes                  unlink_group or delete_group, by on_removal
           any                    yes, unlink asked    unlink_group or delete_group, as the person said
           any                    released             left exactly as it is, its members too
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.core.change import Change, ChangeKind, Json, Removal
from syncd.core.comparison import NO_HABITS, ServerHabits, is_blank, unlike
from syncd.core.evidence import AskedByOperator, Evidence, SaidByOkta
from syncd.core.flavors import (
    deactivation_note,
    group_name_problem,
    is_taken_over,
    marks_can_be_set,
    person_name_problem,
)
from syncd.core.match import MatchedUser
from syncd.core.order import group_name_freed
from syncd.core.policy import Policy
from syncd.model import (
    Asked,
    Attributes,
    GroupCase,
    GroupState,
    KnownUser,
    PushedGroup,
    PushedUser,
    RemoteUser,
    Standing,
    UserCase,
    WantedGroup,
    WantedUser,
)


@dataclass(frozen=True, slots=True)
class Skipped:
    """An object that is left alone, and why. `kind` is a short word for machines.

    `about` is "user" or "group". `waits_for` holds the keys of the names at the target whose end may end it too (see
    `core.waiting`). `group_id`: it is only about the membership in this group.
    """

    kind: str
    okta_id: str
    name: str
    reason: str
    about: str = "user"
    waits_for: tuple[str, ...] = ()
    group_id: str | None = None

    @property
    def object_key(self) -> str:
        """As that of the change that is not made."""
        return f"member:{self.group_id}:{self.okta_id}" if self.group_id else f"{self.about}:{self.okta_id}"


@dataclass(frozen=True, slots=True)
class NeedsMatch:
    """The object is not linked yet: whether it exists at the target decides between adopt, link and create."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`changes` to plan and `skipped` to report. `still`: the memberships are left alone too in this cycle."""

    changes: Sequence[Change] = ()
    skipped: Sequence[Skipped] = ()
    still: bool = False
    left: bool = False
    """The departure is confirmed: the store shall remember when it was first seen."""


NOTHING = Decision()


def decide_user(case: UserCase, policy: Policy, evidence: Evidence | None) -> Decision | NeedsMatch:
    """`evidence` is the second witness of a departure, None when there is none (or nothing departed)."""
    known, wanted = case.known, case.wanted
    name = _name_of(case)
    departed = wanted is None or wanted.standing is Standing.ABSENT
    if known is not None and known.released:
        reason = "left alone until it has left the app and come back"
        left = departed and evidence is not None
        return Decision(skipped=[Skipped("released", case.okta_id, name, reason)], still=True, left=left)
    if wanted is None or departed:
        return _decide_departure(case.okta_id, known, policy, evidence)
    if wanted.standing is Standing.FROZEN:
        return Decision(skipped=[Skipped("frozen", case.okta_id, name, wanted.reason)], still=True)
    pushed = known.pushed if known else None
    if wanted.standing is Standing.INACTIVE:
        if pushed is None or not pushed.active:
            return NOTHING
        return _deactivation(
            case.okta_id, pushed, wanted.user_name, wanted.reason, policy, SaidByOkta(wanted.reason)
        )
    decision = NeedsMatch() if pushed is None else _decide_linked(wanted, pushed, policy)
    problem = person_name_problem(policy.flavor, wanted.attributes)
    if problem is None or (isinstance(decision, Decision) and not decision.changes):
        return decision
    refused = Skipped("refused_name", case.okta_id, name, problem)
    return Decision(skipped=[refused], still=pushed is None)


def _decide_linked(wanted: WantedUser, pushed: PushedUser, policy: Policy) -> Decision:
    before, after = differing(without(pushed.attributes, policy.initial), wanted.attributes)
    if not pushed.active:
        update = (before, after) if policy.update_users else ({}, {})
        change = Change(
            ChangeKind.REACTIVATE_USER,
            wanted.okta_id,
            pushed.scim_id,
            wanted.user_name,
            {"active": False, **update[0]},
            {"active": True, **update[1]},
            wanted.reason,
        )
        return Decision([change])
    if not after:
        return NOTHING
    if not policy.update_users:
        reason = f"{_changed(after)}, but update_users is off"
        return Decision(skipped=[Skipped("update_off", wanted.okta_id, wanted.user_name, reason)])
    return Decision(
        [
            Change(
                ChangeKind.UPDATE_USER,
                wanted.okta_id,
                pushed.scim_id,
                wanted.user_name,
                before,
                after,
                _changed(after),
            )
        ]
    )


def _decide_departure(
    okta_id: str, known: KnownUser | None, policy: Policy, evidence: Evidence | None
) -> Decision:
    if known is None:
        return NOTHING
    name = known.wanted.user_name or okta_id
    if evidence is None:
        reason = "missing from Okta's list, but a second look did not confirm that the assignment is gone"
        return Decision(skipped=[Skipped("unconfirmed", okta_id, name, reason)], still=True)
    if known.pushed is None or not known.pushed.active:
        return Decision(left=True)
    ends = grace_ends(known, policy, evidence)
    if ends is not None:
        return Decision(skipped=[Skipped("grace", okta_id, name, grace_reason(ends))], still=True, left=True)
    decision = _deactivation(okta_id, known.pushed, name, "left the app", policy, evidence)
    return Decision(decision.changes, decision.skipped, decision.still, left=True)


def grace_ends(known: KnownUser, policy: Policy, evidence: Evidence | None) -> datetime | None:
    """When a departed user's grace is over, None when it is, or when there is none (setting, DEPROVISIONED)."""
    if not policy.grace:
        return None  # also when the clock was set back behind the departure
    ends = (known.left_at or policy.now) + policy.grace
    return None if _deprovisioned(known, evidence) or policy.now >= ends else ends


def grace_reason(ends: datetime) -> str:
    """`ends` is in UTC."""
    return f"left the app; deactivated after the grace period, at {ends:%Y-%m-%d %H:%M} UTC"


def _deprovisioned(known: KnownUser, evidence: Evidence | None) -> bool:
    return known.wanted.deprovisioned or (
        isinstance(evidence, SaidByOkta) and "DEPROVISIONED" in evidence.statement
    )


def _deactivation(
    okta_id: str, pushed: PushedUser, name: str, reason: str, policy: Policy, evidence: Evidence
) -> Decision:
    name = name or str(pushed.attributes.get("userName", okta_id))
    if policy.protects_user(okta_id, name, str(pushed.attributes.get("userName", ""))):
        skipped = Skipped("protected", okta_id, name, f"{reason}, but the user is protected")
        return Decision(skipped=[skipped], still=True)
    if not policy.deactivate_users:
        return Decision(
            skipped=[Skipped("deactivate_off", okta_id, name, f"{reason}, but deactivate_users is off")]
        )
    change = Removal(
        ChangeKind.DEACTIVATE_USER,
        okta_id,
        pushed.scim_id,
        name,
        {"active": True},
        {"active": False},
        reason,
        note=deactivation_note(policy.flavor),
        evidence=evidence,
    )
    return Decision([change])


def take_back(okta_id: str, remote: RemoteUser, name: str, policy: Policy, evidence: Evidence) -> Decision:
    """Deactivates an account that a create of ours opened, though it was never linked."""
    pushed = PushedUser(remote.scim_id, {"userName": remote.user_name}, active=True)
    reason = "left the app; the account came into being by a create of ours that was never linked"
    return _deactivation(okta_id, pushed, name, reason, policy, evidence)


def create_user(wanted: WantedUser, policy: Policy) -> Decision:
    """For an ACTIVE wish that no object at the target matches."""
    if not policy.create_users:
        reason = f"{wanted.reason}, but create_users is off"
        return Decision(skipped=[Skipped("create_off", wanted.okta_id, wanted.user_name, reason)], still=True)
    change = Change(
        ChangeKind.CREATE_USER,
        wanted.okta_id,
        None,
        wanted.user_name,
        {},
        {**wanted.mapped, "externalId": wanted.okta_id, "active": True},
        wanted.reason,
    )
    return Decision([change])


def adopt_user(
    wanted: WantedUser, match: MatchedUser, policy: Policy, habits: ServerHabits = NO_HABITS
) -> Decision:
    """Takes an existing account under management; `before` and `after` are what a write must mend (maybe nothing): all
    that is not known to be there. What is only sent once is sent where the account has nothing: whoever set it, maybe
    Okta's own push, it stays.
    """
    remote = match.remote
    shown = remote.attributes
    before, after = unlike(wanted.attributes, without(shown, policy.initial), habits)
    for path, value in wanted.initial.items():
        if is_blank(shown.get(path)):
            before[path], after[path] = shown.get(path), value
    if not policy.update_users:
        before, after = {}, {}
    if remote.external_id != wanted.okta_id and marks_can_be_set(policy.flavor):
        before["externalId"], after["externalId"] = remote.external_id, wanted.okta_id
    if remote.active is False:
        before["active"], after["active"] = False, True
    change = Change(
        ChangeKind.ADOPT_USER,
        wanted.okta_id,
        remote.scim_id,
        wanted.user_name,
        before,
        after,
        f"{wanted.reason}; the account exists at the target (same {match.how})",
    )
    return Decision([change])


def adopts_inactive(change: Change) -> bool:
    """Adopting an inactive account would wake it up: a person decides."""
    return change.kind is ChangeKind.ADOPT_USER and change.before.get("active") is False


def decide_group(case: GroupCase, policy: Policy, evidence: Evidence | None) -> Decision | NeedsMatch:
    """`evidence` is the witness that the rule, the mapping or the Okta group is gone."""
    known, wanted = case.known, case.wanted
    if known is not None and known.released:
        reason = "left alone by hand, and its members too, until `syncd link`"
        released = Skipped("released", case.okta_id, known.wanted.name, reason, "group")
        return Decision(skipped=[released], still=True)
    pushed = known.pushed if known else None
    if pushed is not None and case.asked is not None and case.asked.what != "link":
        return _unlink_by_hand(case.okta_id, pushed, case.asked, policy)
    if wanted is None or wanted.state is GroupState.GONE:
        if known is None or pushed is None:
            return Decision(still=True, left=True)
        return _no_longer_pushed(case, pushed, known.wanted, policy, evidence)
    if wanted.state is GroupState.FROZEN:
        name = wanted.name or wanted.okta_id
        waits_for = (group_name_freed(wanted.target_name),)
        frozen = Skipped("frozen", case.okta_id, name, wanted.reason, "group", waits_for)
        return Decision(skipped=[frozen], still=True)
    if pushed is None:
        return NeedsMatch()
    return _named_as_wanted(case, pushed, wanted, policy)


def _no_longer_pushed(
    case: GroupCase, pushed: PushedGroup, last: WantedGroup, policy: Policy, evidence: Evidence | None
) -> Decision:
    """`last` is what was wanted when it was still named."""
    on_removal = (case.wanted or last).on_removal
    reason = case.wanted.reason if case.wanted else "no rule names this group any more"
    if evidence is None:
        reason = f"{reason}; a second look did not confirm it"
        return Decision(
            skipped=[Skipped("unconfirmed", case.okta_id, pushed.name, reason, "group")], still=True
        )
    if on_removal == "delete" and policy.protects_group(pushed):
        on_removal, reason = "keep", f"{reason}; protected, so it is kept at the target"
    removal = Removal(
        ChangeKind.DELETE_GROUP if on_removal == "delete" else ChangeKind.UNLINK_GROUP,
        case.okta_id,
        pushed.scim_id,
        pushed.name,
        {"linked": True},
        {"linked": False},
        reason,
        evidence=evidence,
    )
    return Decision([removal], still=True)


def _named_as_wanted(case: GroupCase, pushed: PushedGroup, wanted: WantedGroup, policy: Policy) -> Decision:
    keeps_its_own = is_taken_over(policy.flavor, wanted.target_name) and pushed.scim_id == wanted.target_name
    if wanted.target_name == pushed.name or keeps_its_own:
        return NOTHING
    if not wanted.rename:
        return _renaming_is_not_followed(case, wanted, pushed)
    problem = group_name_problem(policy.flavor, wanted.target_name, policy.protected_groups)
    if problem is None and policy.protects_group(pushed):
        problem = f'"{pushed.name}" is protected and is never renamed'
    if problem:
        return Decision(skipped=[Skipped("refused_name", case.okta_id, wanted.name, problem, "group")])
    change = Change(
        ChangeKind.RENAME_GROUP,
        case.okta_id,
        pushed.scim_id,
        wanted.target_name,
        {"displayName": pushed.name},
        {"displayName": wanted.target_name},
        "renamed in Okta",
    )
    return Decision([change])


def _renaming_is_not_followed(case: GroupCase, wanted: WantedGroup, pushed: PushedGroup) -> Decision:
    """Said, but for what was linked under another name on purpose."""
    if wanted.action == "link" or case.asked is not None:
        return NOTHING
    reason = (
        f'called {wanted.name} in Okta by now; at the target it stays "{pushed.name}", because rename is off'
    )
    return Decision(skipped=[Skipped("rename_off", case.okta_id, wanted.name, reason, "group")])


def _unlink_by_hand(okta_id: str, pushed: PushedGroup, asked: Asked, policy: Policy) -> Decision:
    protected = policy.protects_group(pushed)
    delete = asked.what == "delete" and not protected
    removal = Removal(
        ChangeKind.DELETE_GROUP if delete else ChangeKind.UNLINK_GROUP,
        okta_id,
        pushed.scim_id,
        pushed.name,
        {"linked": True},
        {"linked": False},
        "unlinked by hand" + ("; protected, so it is kept at the target" if protected else ""),
        evidence=AskedByOperator(f"asked for by {asked.by}"),
    )
    return Decision([removal], still=True)


def differing(have: Attributes, want: Attributes) -> tuple[dict[str, Json], dict[str, Json]]:
    """What differs, removals included: a dropped attribute is None in `after`."""
    names = [name for name in sorted({*have, *want}) if not _same(have.get(name), want.get(name))]
    return {name: have.get(name) for name in names}, {name: want.get(name) for name in names}


def without(attributes: Attributes, initial: Collection[str]) -> Attributes:
    """Those that are compared."""
    return (
        {path: value for path, value in attributes.items() if path not in initial} if initial else attributes
    )


def _same(one: Json, other: Json) -> bool:
    """JSON's equality: true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


_WORDS: Mapping[str, str] = {
    "userName": "userName",
    "name.givenName": "first name",
    "name.familyName": "last name",
    "displayName": "display name",
}


def _changed(after: Mapping[str, Json]) -> str:
    words = []
    for path, value in after.items():
        word = "e-mail" if path.startswith("emails") else _WORDS.get(path, path)
        words.append(f"{word} removed" if value is None else f"{word} changed")
    if "e-mail changed" in words and "userName changed" in words:
        words.remove("userName changed")
    return ", ".join(dict.fromkeys(words))


def _name_of(case: UserCase) -> str:
    for wish in (case.wanted, case.known.wanted if case.known else None):
        if wish is not None and wish.user_name:
            return wish.user_name
    return case.okta_id
