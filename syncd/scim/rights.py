"""Which rights a token has, where the target gives them one by one (Harness: "manage" and "view", users and groups).

The right is asked before the object is looked for. So a change of an object that nobody can have, whose id is drawn
anew each time, tells: 403 where the right is missing, and where it is there what is answered about nobody (400, 404).
Anything else tells nothing. Nothing is changed.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from syncd.errors import AccessDenied, SyncdError
from syncd.scim.conversation import GROUPS, USERS
from syncd.scim.http import ScimHttp
from syncd.scim.wire import patch

_FORBIDDEN = 403
_NOBODY = (400, 404)
"""Harness answers 400 to a PATCH of a person who is not in the account, 404 to all the rest."""
_RENAME = {"op": "replace", "path": "displayName", "value": "nobody"}
_NO_MEMBER = {"op": "add", "path": "members", "value": []}


def rights(http: ScimHttp) -> Mapping[str, bool | None]:
    """By what may be done, in words. Raises AccessDenied (401)."""
    nobody = f"syncd_check_{secrets.token_hex(12)}"
    return {
        "view users": _allowed(http, "GET", [USERS, nobody]),
        "manage users": _allowed(http, "PATCH", [USERS, nobody], patch(_RENAME)),
        "view groups": _allowed(http, "GET", [GROUPS, nobody]),
        "manage groups": _allowed(http, "PATCH", [GROUPS, nobody], patch(_NO_MEMBER)),
    }


def _allowed(
    http: ScimHttp, method: str, path: list[str], body: Mapping[str, object] | None = None
) -> bool | None:
    try:
        answer = http.send(method, path, body=body, once=True)
    except AccessDenied as denied:
        if denied.status != _FORBIDDEN:
            raise
        return False
    except SyncdError:
        return None
    return True if answer.status in _NOBODY else None
