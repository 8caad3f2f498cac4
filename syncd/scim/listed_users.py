"""One whole list of the users for many creates that are refused because the name is taken: one each would cost the
square of their number. Only which ids to look at is kept; each is read by id, so that what was written since counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from syncd.core.names import look_alike_key
from syncd.errors import NotFound
from syncd.model import RemoteUser

LASTS = 60.0
"""Seconds for which the list counts."""
_KEPT_AT_MOST = 100_000
"""Users; of a longer list nothing is kept."""

_Kept = Mapping[int, Sequence[tuple[str, bool]]]
"""By the hash of an externalId, or of a name as `core.names` compares it: SCIM ids, and whether one was shown."""


@dataclass
class ListedUsers:
    """Safe to share between threads: they wait for one list, instead of asking for one each."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    _kept: _Kept = field(default_factory=dict)
    _at: float = float("-inf")

    def remembered(
        self, okta_id: str, user_name: str, read: Callable[[str], RemoteUser | None]
    ) -> Sequence[RemoteUser]:
        """Whom the list showed with this externalId or name and who has it still. Nobody says nothing, nor does who is
        shown by id without the externalId that the list showed.
        """
        if time.monotonic() - self._at > LASTS:
            return ()
        found = {}
        for scim_id, marked in (*self._kept.get(hash(okta_id), ()), *self._kept.get(_named(user_name), ())):
            try:
                user = read(scim_id)
            except NotFound:
                continue
            if user is None or (marked and user.external_id is None):
                return ()
            if user.external_id == okta_id or _named(user.user_name) == _named(user_name):
                found[scim_id] = user
        return list(found.values())

    def watched(
        self, pages: Iterable[Sequence[RemoteUser]], complete: Callable[[], bool]
    ) -> Iterable[RemoteUser]:
        """All users of the pages; afterwards they are remembered, if these were all of them."""
        kept: dict[int, list[tuple[str, bool]]] = {}
        at, count = time.monotonic(), 0
        for user in (each for page in pages for each in page):
            count += 1
            if count <= _KEPT_AT_MOST:
                entry = (user.scim_id, user.external_id is not None)
                for key in {_named(user.user_name), *([hash(user.external_id)] if user.external_id else ())}:
                    kept.setdefault(key, []).append(entry)
            yield user
        if complete() and count <= _KEPT_AT_MOST:
            self._kept, self._at = kept, at


def _named(user_name: str) -> int:
    return hash(look_alike_key(user_name))
