"""Deactivation where it removes the account (Harness): one form, and the account is seen to be gone.

`replace` without a path, `{"active": false}`. With a path the older part of that server marks the person as disabled
wherever they are, also when it then keeps them; a PUT, an empty object or a list may remove somebody unasked. Whatever
was answered, a removal counts when the account cannot be read any more, or is shown inactive, which is all that an
older server may do.
"""

from __future__ import annotations

from syncd.errors import NotFound, PermanentError
from syncd.ports.target import Applied
from syncd.scim.answers import error_for
from syncd.scim.conversation import USERS, Conversation
from syncd.scim.wire import patch


def remove_user(talk: Conversation, scim_id: str) -> Applied:
    """Raises PermanentError when the account is still there and not inactive, and what refused it."""
    operation = {"op": "replace", "value": {"active": False}}
    try:
        with talk.gone_is_gone(USERS, scim_id):
            answer = talk.http.send("PATCH", [USERS, scim_id], body=patch(operation))
            if not answer.ok:
                error = error_for(answer, f"deactivate user {scim_id}")
                raise talk.still_there(USERS, scim_id, error) if isinstance(error, NotFound) else error
    except NotFound as gone:
        return Applied(None, gone.status, "the user was already gone", was_gone=True)
    shown = None
    for pause in (0.0, *talk.settle):
        if pause:
            talk.http.pacer.sleep(pause)
        try:
            shown = talk.user_of(talk.fetch(USERS, scim_id).body)
        except NotFound:
            return Applied(None, answer.status, "the target has removed the user")
    if shown is not None and shown.active is False:
        return Applied(scim_id, answer.status, "the target has disabled the user, and keeps the account")
    raise PermanentError(
        f"deactivate user {scim_id}: the server accepts it, and the account is still there",
        status=answer.status,
        hint="Harness keeps the last administrator of an account: make somebody else an administrator first",
    )
