"""What a restore ends: a copy knows nothing of what was done after it was made, so what people had asked for in it
could be done a second time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from syncd.core.pausing import Pause
from syncd.core.plan import timestamp
from syncd.ports.trail import Head
from syncd.store import decisions, expected, state
from syncd.store.decisions import Rulings
from syncd.store.expecting import ExpectationActs
from syncd.store.journal import next_sequence
from syncd.store.packs import contents_at
from syncd.store.rows import at_moment, moment

Entries = Callable[[Pause], Mapping[str, str | None]]
"""What is remembered of a restore, its pause among it: texts by key."""


@dataclass(frozen=True, slots=True)
class EndedByRestore:
    """How many of the copy's requests were withdrawn, approvals ended and expectations revoked, and the pause that was
    put in force with it.
    """

    requests: int
    approvals: int
    expectations: int
    pause: Pause


class RestoreActs(ExpectationActs):
    """Of a store that nobody but a restore has: a file, or a fleet's whose owners of then count no more."""

    _rulings: Rulings

    def begin_again(self, head: Head | None, by: str, entries: Entries, *, goes_on: str) -> EndedByRestore:
        """In one transaction, with the row of the trail that says so. Whoever was rejected stays rejected: that writes
        nothing. `goes_on`: the command that ends the pause.
        """
        now = self._clock()
        with self._writing() as conn:
            requests = conn.execute(
                "UPDATE requests SET state = 'withdrawn', ended_at = ? WHERE state IN ('waiting', 'taken')",
                (moment(now),),
            ).rowcount
            approved = [each for each in self._rulings.among(conn, now) if each.decision == "approve"]
            over = sorted(each.change_id for each in approved)
            decisions.forget(conn, over)
            # Not shown as they were: the next cycle holds anew what it still wants.
            conn.execute(
                "UPDATE holds SET state = 'over' WHERE state = 'open' AND id IN (SELECT value FROM json_each(?))",
                (json.dumps(sorted({each.hold_id for each in approved if each.hold_id})),),
            )
            revoked = sorted(each.id for each in self._expected.ahead(conn, now))
            last = list(contents_at(conn, [next_sequence(conn) - 1]).values())
            copied = at_moment(last[0][1]) if last else None
            made = EndedByRestore(requests, len(over), len(revoked), _pause(by, now, copied, goes_on))
            for key, text in entries(made.pause).items():
                state.remember(conn, key, text)
            self._note(
                conn,
                {
                    "decision": "restore",
                    "by": by,
                    "head": str(head),
                    "asked": [
                        f"requests={requests}",
                        f"approvals={len(over)}",
                        f"expectations={len(revoked)}",
                    ],
                    "pause": made.pause.document(),
                    **({decisions.OVER: over} if over else {}),
                    **({expected.REVOKED: revoked} if revoked else {}),
                },
            )
        return made


def _pause(by: str, now: datetime, copied: datetime | None, goes_on: str) -> Pause:
    """`copied`: of the last row that the copy has."""
    of = "" if copied is None else f" of {timestamp(copied)}"
    return Pause(
        by, now, None, f"restored from a backup{of}: look at syncd plan and syncd drift, then {goes_on}"
    )
