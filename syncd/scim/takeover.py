"""Harness: SCIM changes only groups that it made. One that was made by hand becomes such by a POST of its identifier.

That POST sets the members to exactly those that it names, so it names all that the group has right before it: nobody
is added or removed by the takeover itself. Older servers refuse it. (Harness's published source; its help page on
`_fme_admins` says the same of that group.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.core.counting import counted
from syncd.core.harness import group_identifiers
from syncd.errors import PermanentError, TemporaryError
from syncd.model import RemoteGroup
from syncd.ports.target import Applied
from syncd.scim.answers import Unanswered, error_for
from syncd.scim.conversation import GROUPS, Conversation
from syncd.scim.listing import Walk
from syncd.scim.wire import GROUP, identifier, members_of


def take_over(talk: Conversation, scim_id: str) -> Applied:
    """Makes sure that SCIM may change this group. Raises NotFound, and PermanentError where the server does not let it
    or shows other members afterwards.
    """
    if not talk.facts.identifies:
        return Applied(scim_id)
    group, answer = talk.read_group(scim_id)
    if _is_made_by_scim(talk, group):
        return Applied(scim_id)
    members = members_of(answer.resource)
    if members is None or group_identifiers(scim_id) != (scim_id,):
        why = (
            "does not show its members" if members is None else "gives it an identifier that no name becomes"
        )
        raise PermanentError(f'take over the group "{group.name}" ({scim_id}): the server {why}')
    _post(talk, group, members)
    after = members_of(talk.fetch(GROUPS, scim_id).resource) or frozenset()
    if not members <= after:
        lost = ", ".join(sorted(members - after)[:5])
        raise PermanentError(
            f'take over the group "{group.name}" ({scim_id}): {len(members - after)} members are missing now: {lost}',
            hint="put them back in Harness by hand: syncd has removed nobody itself",
        )
    return Applied(scim_id, 201, f"not one of SCIM's, taken over with its {counted(len(members), 'member')}")


def _post(talk: Conversation, group: RemoteGroup, members: frozenset[str]) -> None:
    body: Mapping[str, Any] = {
        "schemas": [GROUP],
        "displayName": group.scim_id,
        "members": [{"value": member} for member in sorted(members)],
    }
    try:
        answer = talk.http.send("POST", [GROUPS], body=body)
    except Unanswered:
        if _is_made_by_scim(talk, group):
            return
        raise
    what = f'take over the group "{group.name}" ({group.scim_id})'
    if not answer.ok:
        raise PermanentError(
            error_for(answer, what).message,
            hint="older Harness servers let SCIM change no group that was made by hand: give the group in Okta a name"
            " of its own",
            status=answer.status,
        )
    if identifier(answer.resource) != group.scim_id:
        raise TemporaryError(f"{what}: the server answers with another group", status=answer.status)


def _is_made_by_scim(talk: Conversation, group: RemoteGroup) -> bool:
    """Lists and filters show those alone."""
    named = Walk(talk, GROUPS, talk.group_of, {"filter": talk.equals("displayName", group.name)})
    return any(each.scim_id == group.scim_id for page in named for each in page)
