"""Who and what is left out: what waits for another look, and what a person rejected. From the store alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.core.waiting import REJECTED, Waiting
from syncd.ports import Store
from syncd.ports.deciding import Rejection

REJECTED_HINT = (
    "a rejection ends when a full cycle finds the change unwanted: for somebody who left, assign them in Okta, "
    "`syncd sync`, and unassign them; then it is done, or held, anew"
)


def left_out(store: Store) -> Sequence[Waiting]:
    """The oldest first."""
    rejections = store.decided().rejections
    known = store.known_changes(sorted(rejections)) if rejections else {}
    rejected = [_rejected(each, known.get(change_id, {})) for change_id, each in rejections.items()]
    return sorted([*store.waiting(), *rejected], key=lambda each: (each.since, each.object_key, each.kind))


def _rejected(rejection: Rejection, change: Mapping[str, Any]) -> Waiting:
    name = str(change.get("name") or rejection.object_key)
    group = f" from {change['group']}" if change.get("group") else ""
    what = f"{change.get('kind', 'a change')}{group}"
    reason = f"{what} was rejected by {rejection.by}, though Okta wants it"
    return Waiting(rejection.object_key, REJECTED, name, reason, rejection.at)
