"""What is sent together: memberships of one group, everything else alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import groupby, islice

from syncd.core.change import MEMBERSHIPS, Change


def batches(changes: Iterable[Change], size: int, outdated: AbstractSet[str]) -> Iterator[list[Change]]:
    """At most `size` memberships at a time. Nothing of whom (Okta ids) is `outdated` by the time it would be sent."""
    wanted = (change for change in changes if change.okta_id not in outdated)
    for (kind, _), together in groupby(wanted, key=lambda change: (change.kind, change.group_id)):
        if kind in MEMBERSHIPS:
            while batch := list(islice(together, size)):
                yield batch
        else:
            yield from ([change] for change in together)
