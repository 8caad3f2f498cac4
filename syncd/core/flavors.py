"""What each kind of target allows: names, reserved groups, what deactivation means.

Split: "Group name length should be less than 25 characters"; "`Administrators` is a reserved keyword ... It must have
at least one member" (Split help, SCIM for Okta). Harness: identifiers derive from names (`core.harness`), deactivation
removes the user, `_fme_admins` replaces `Administrators` (Harness help, Provision users with Okta SCIM; Split to
Harness migration).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from syncd.core import harness

SPLIT_NAME_LIMIT = 25
RESERVED = "Administrators"


def group_name_problem(flavor: str, name: str, protected: Collection[str]) -> str | None:
    """Why a group may not be created under (or renamed to) this name; None when it may."""
    if not name.strip():
        return "the group name is empty"
    if flavor == "harness" and name == RESERVED:
        return f"Administrators is not pushed to Harness: push a group named {harness.ADMINISTRATORS} instead"
    if flavor == "harness" and (problem := harness.group_name_problem(name)) is not None:
        return problem
    if flavor == "split" and name == RESERVED:
        return 'Administrators is reserved by Split and cannot be created: use action = "link"'
    if name in protected:
        return f'"{name}" is protected (safety.protected_groups): it is never created or renamed; use action = "link"'
    if flavor == "split" and len(name) >= SPLIT_NAME_LIMIT:
        return (
            f"the name has {len(name)} characters; Split allows fewer than {SPLIT_NAME_LIMIT}: "
            'shorten it in Okta, or link it to a group with a short name (action = "link", target = "...")'
        )
    return None


def person_name_problem(flavor: str, attributes: Mapping[str, object]) -> str | None:
    """Why the target never takes an account of these mapped attributes; None when it may."""
    return harness.person_name_problem(attributes) if flavor == "harness" else None


def exact_user_names(flavor: str) -> bool:
    """Whether userNames that differ only in letter case are two people (Split: the e-mail, letter case included)."""
    return flavor == "split"


def foreign_marks_count(flavor: str) -> bool:
    """Whether an externalId that is nobody's here makes an account somebody else's. Harness keeps the one that another
    account, or another directory, gave the person; a create would hand us the account all the same.
    """
    return flavor != "harness"


def marks_whom_it_adopts(flavor: str) -> bool:
    """Whether an account that was there takes our externalId. Harness stores it with a creation, and ignores it ever
    after.
    """
    return flavor != "harness"


def group_identifiers(flavor: str, name: str) -> tuple[str, ...] | None:
    """The ids that such a target may give, or find, a group of this name under; None where ids are arbitrary."""
    return harness.group_identifiers(name) if flavor == "harness" else None


def is_taken_over(flavor: str, name: str) -> bool:
    """Whether a rule that creates a group of this name means one that exists by itself (Harness, "All FME Admins")."""
    return flavor == "harness" and name == harness.ADMINISTRATORS


def deactivation_note(flavor: str) -> str:
    """What a person should know of it beforehand; "" when nothing."""
    if flavor == "harness":
        return "Harness removes a deactivated user: their access and personal settings are deleted"
    return ""
