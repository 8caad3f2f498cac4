"""What is to be done about one group: the table in `diff`, without its members."""

from __future__ import annotations

from syncd.core.change import Change, ChangeKind, Removal
from syncd.core.diff import NOTHING, Decision, NeedsMatch, Skipped
from syncd.core.evidence import AskedByOperator, Evidence
from syncd.core.flavors import group_name_problem, is_taken_over
from syncd.core.order import group_name_freed
from syncd.core.policy import Policy
from syncd.model import Asked, GroupCase, GroupState, PushedGroup, WantedGroup


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
