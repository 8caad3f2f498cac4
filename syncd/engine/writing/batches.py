"""What is sent together: memberships of one group, everything else alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, groupby, islice

from syncd.core.change import GROUP_KINDS, MEMBERSHIPS, Change, ChangeKind
from syncd.engine.writing.unit import Unit
from syncd.engine.writing.vanishing import Vanishing
from syncd.ports import Stage, Store

_OF_KNOWN_USERS = frozenset(ChangeKind) - GROUP_KINDS - MEMBERSHIPS - {ChangeKind.CREATE_USER}
"""Changes that are carried out by what the store knew about their users."""


def batches(changes: Iterable[Change], size: int, outdated: AbstractSet[str]) -> Iterator[list[Change]]:
    """At most `size` memberships at a time. Nothing of whom (Okta ids) is `outdated` by the time it would be sent."""
    wanted = (change for change in changes if change.okta_id not in outdated)
    for (kind, _), together in groupby(wanted, key=lambda change: (change.kind, change.group_id)):
        if kind in MEMBERSHIPS:
            while batch := list(islice(together, size)):
                yield batch
        else:
            yield from ([change] for change in together)


def units(
    store: Store,
    batches: Sequence[list[Change]],
    sequences: Sequence[int],
    *,
    vanishing: Vanishing,
    stage: Stage,
) -> Iterator[Unit]:
    """The batches with what the store knows about their objects. `sequences`: of all their intents, in order."""
    changes = list(chain.from_iterable(batches))
    numbers = iter(sequences)
    known = store.users([change.okta_id for change in changes if change.kind in _OF_KNOWN_USERS])
    accounts = store.accounts([change.okta_id for change in changes if change.kind in MEMBERSHIPS])
    for batch in batches:
        group_id = batch[0].group_id
        yield Unit(
            changes=batch,
            sequences=list(islice(numbers, len(batch))),
            users={change.okta_id: known[change.okta_id] for change in batch if change.okta_id in known},
            accounts=accounts,
            vanishing=vanishing,
            stage=stage,
            group=store.group(group_id) if group_id else None,
        )
