"""What speaks against a create's answer, as far as we know, and how an answer that is not believed is remembered."""

from __future__ import annotations

from syncd.core.change import GROUP_KINDS, Change
from syncd.errors import Disbelieved
from syncd.ports import Against, CreationUnproven, Stage


def not_new(stage: Stage, okta_id: str) -> Against:
    """An id that is tied, or that a listing showed while planning, is not that of a new account."""

    def against(scim_id: str) -> str | None:
        known = stage.user_by_scim_id(scim_id)
        if known is not None and known.okta_id != okta_id:
            return f"is tied to {known.wanted.user_name or known.okta_id} ({known.okta_id})"
        before = stage.remote_user(scim_id)
        if before is not None and before.external_id != okta_id:
            return f"was there before, as {before.user_name or 'an account without a name'}"
        return None

    return against


def tied_group(stage: Stage, okta_id: str) -> Against:
    """Says of an id at the target to which other group it is tied, as an argument against a create."""

    def against(scim_id: str) -> str | None:
        known = stage.group_by_scim_id(scim_id)
        if known is None or known.okta_id == okta_id:
            return None
        return f"is tied to {known.wanted.name} ({known.okta_id})"

    return against


def unproven_by(change: Change, found: Disbelieved) -> CreationUnproven:
    """The effect of a create whose answer is not believed."""
    kind = "group" if change.kind in GROUP_KINDS else "user"
    return CreationUnproven(
        kind, change.okta_id, found.name, found.message, found.scim_id, stranger=found.stranger
    )
