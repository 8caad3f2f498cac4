"""An account as the target shows it in a list, and alone."""

from __future__ import annotations

from dataclasses import replace

from syncd.model import RemoteUser


def with_what_lists_show(alone: RemoteUser, listed: RemoteUser | None) -> RemoteUser:
    """Some servers show by id less than in a list (Harness: names)."""
    if listed is None:
        return alone
    return replace(alone, attributes={**listed.attributes, **alone.attributes})


def carried_id(remote: RemoteUser | None) -> str | None:
    """The id of an Okta user that the account has as its externalId: somebody provisioned it, perhaps we did."""
    external_id = remote.external_id if remote else None
    return external_id if external_id and external_id.startswith("00u") else None
