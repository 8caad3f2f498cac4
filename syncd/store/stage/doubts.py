"""What a list says against what Okta answered by id so lately that no list need show it yet."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping

from syncd.model import UserCase
from syncd.ports.stage import BetterKnown
from syncd.store.rows import KNOWN_USER_COLUMNS, columns, known_user, wanted_group, wanted_user
from syncd.store.stage.session import StageSession

_KNOWN = columns(KNOWN_USER_COLUMNS, "k")
_STAGED = columns(("standing", "wish", "attributes", "digest"), "s")

_USERS = """
SELECT okta_id FROM judged_users WHERE verdict = 'doubtful' {narrow}
UNION
SELECT okta_id FROM main.unlisted
UNION
SELECT okta_id FROM json_each(?) j CROSS JOIN main.users u ON u.okta_id = j.value
WHERE NOT EXISTS (SELECT 1 FROM store.users k WHERE k.okta_id = u.okta_id)
    AND NOT EXISTS (SELECT 1 FROM main.by_id b WHERE b.okta_id = u.okta_id) {narrow}
ORDER BY 1
"""
_USER_PAGE = f"""
SELECT q.n, q.a, {_STAGED}, {_KNOWN}
FROM {{queue}} q LEFT JOIN main.users s ON s.okta_id = q.a LEFT JOIN store.users k ON k.okta_id = q.a
"""  # noqa: S608  (constants)

# Both sides of the difference between a list and the stored pairs, of users whose own list counts; and members of a
# group that became known after their own list was read: they are believed, and asked about all the same.
_MEMBERS = """
SELECT s.user_id, s.group_id, 1 FROM fresh_lists l CROSS JOIN main.listed s ON s.group_id = l.group_id
LEFT JOIN store.members m ON m.group_id = s.group_id AND m.user_id = s.user_id
LEFT JOIN store.groups g ON g.okta_id = l.group_id
CROSS JOIN own_list_counts o ON o.okta_id = s.user_id
WHERE coalesce(m.listed, 0) = 0 AND NOT (o.younger AND g.known_since IS NOT NULL AND o.revision >= g.known_since)
    AND NOT EXISTS (SELECT 1 FROM fresh_own_lists u WHERE u.user_id = s.user_id) {narrow_listed}
UNION
SELECT m.user_id, m.group_id, 0 FROM fresh_lists l CROSS JOIN store.members m ON m.group_id = l.group_id
JOIN store.groups g ON g.okta_id = l.group_id
CROSS JOIN own_list_counts o ON o.okta_id = m.user_id AND NOT o.younger AND o.revision >= g.known_since
WHERE m.listed = 1 AND NOT EXISTS
    (SELECT 1 FROM main.listed s WHERE s.group_id = m.group_id AND s.user_id = m.user_id)
    AND NOT EXISTS (SELECT 1 FROM fresh_own_lists u WHERE u.user_id = m.user_id) {narrow_stored}
ORDER BY 1, 2
"""
_LIMITED = """
    AND ({0}.user_id IN (SELECT okta_id FROM main.limit_users)
        OR l.group_id IN (SELECT okta_id FROM main.limit_groups))
"""

_GROUPS = """
SELECT k.okta_id, k.revision > b.base, k.state, k.wish FROM store.groups k, main.began b
WHERE k.revision > b.base OR k.asked_at > b.lists_show
UNION ALL
SELECT t.okta_id, t.revision > b.base, NULL, NULL FROM store.tombstones t, main.began b
WHERE (t.revision > b.base OR t.at > b.lists_show)
    AND NOT EXISTS (SELECT 1 FROM store.groups k WHERE k.okta_id = t.okta_id)
"""


class Doubts:
    """Questions about them; `remember` keeps for later cycles whom this one does not ask for."""

    def __init__(self, file: StageSession) -> None:
        self._file = file

    def users(self, also: Collection[str], *, limited: bool) -> Iterator[UserCase]:
        """`main.unlisted` must be up to date. `also`: see `ports.Stage.doubtful_users`."""
        narrow = "AND okta_id IN (SELECT okta_id FROM main.limit_users)" if limited else ""
        for page in self._file.pages(_USERS.format(narrow=narrow), (json.dumps(list(also)),), _USER_PAGE):
            for _, okta_id, *rest in page:
                staged, stored = rest[:4], tuple(rest[4:])
                known = None if stored[0] is None else known_user(stored)
                listed = None if staged[0] is None else wanted_user(okta_id, *staged)
                yield UserCase(okta_id, known, listed)

    def members(self, *, limited: bool) -> Iterator[tuple[str, str, bool]]:
        """See `ports.Source.members`."""
        narrow = {
            "narrow_listed": _LIMITED.format("s") if limited else "",
            "narrow_stored": _LIMITED.format("m") if limited else "",
        }
        handed_out = "SELECT q.n, q.a, q.b, q.c FROM {queue} q"
        for page in self._file.pages(_MEMBERS.format_map(narrow), (), handed_out):
            for _, user_id, group_id, listed in page:
                yield user_id, group_id, bool(listed)

    def groups(self) -> Mapping[str, BetterKnown]:
        """See `ports.Source.groups`."""
        with self._file.short() as conn:
            rows = conn.execute(_GROUPS).fetchall()
        return {
            okta_id: BetterKnown(bool(younger), wanted_group(okta_id, state, wish) if state else None)
            for okta_id, younger, state, wish in rows
        }

    def remember(self, object_keys: Iterable[str]) -> None:
        """See `ports.Store.remember`."""
        with self._file.short() as conn:
            conn.execute(
                "INSERT OR IGNORE INTO main.doubts SELECT value FROM json_each(?)",
                (json.dumps(list(object_keys)),),
            )
