"""Whose the accounts are that a plan adopts: `ports.adopting`, answered."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet

from syncd.core.match import MatchKind
from syncd.ports.adopting import TakenMatch
from syncd.store.stage.session import StageSession
from syncd.store.stage.spool import PlannedAndListed

_ADOPTED_TWICE = """
WITH about AS (
    SELECT id, kind, okta_id, json_extract(document, '$.scim_id') AS scim_id FROM main.spool
    WHERE hold_id IS NULL AND kind IN ('adopt_user', 'update_user', 'reactivate_user', 'deactivate_user')
)
SELECT id FROM about WHERE kind = 'adopt_user'
    AND scim_id IN (SELECT scim_id FROM about GROUP BY scim_id HAVING count(DISTINCT okta_id) > 1)
"""


class Adopting(PlannedAndListed):
    """Matches, as they are found."""

    def __init__(self, file: StageSession) -> None:
        self._file = file
        super().__init__(file)

    def will_link_user(self, okta_id: str, scim_id: str) -> None:
        """See `ports.adopting.AdoptingPlan.will_link_user`."""
        with self._file.short() as conn:
            conn.execute(
                "INSERT OR REPLACE INTO main.links (scim_id, okta_id) VALUES (?, ?)", (scim_id, okta_id)
            )

    def will_adopt(self, scim_id: str, taken: TakenMatch) -> None:
        """See `ports.adopting.AdoptingPlan.will_adopt`."""
        said = json.dumps([taken.user_name, taken.right, taken.change_id])
        with self._file.short() as conn:
            conn.execute(
                "INSERT OR REPLACE INTO main.links (scim_id, okta_id, taken) VALUES (?, ?, ?)",
                (scim_id, taken.okta_id, said),
            )

    def taken_by(self, scim_id: str) -> TakenMatch | None:
        """See `ports.adopting.AdoptingPlan.taken_by`."""
        with self._file.short() as conn:
            row = conn.execute(
                "SELECT okta_id, taken FROM main.links WHERE scim_id = ? AND taken IS NOT NULL", (scim_id,)
            ).fetchone()
        if row is None:
            return None
        user_name, right, change_id = json.loads(row[1])
        return TakenMatch(row[0], user_name, MatchKind(right), change_id)

    def adopted_twice(self) -> AbstractSet[str]:
        """See `ports.adopting.AdoptingPlan.adopted_twice`."""
        self._spool.flush()
        with self._file.short() as conn:
            return frozenset(change_id for (change_id,) in conn.execute(_ADOPTED_TWICE))
