"""Rate-limit buckets as they are shown: few, and by names that do not grow with the org. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from syncd.service.board import RateHeadroom

BUCKETS_SHOWN = 24
"""Of a connection, the emptiest; syncd uses eight of Okta's."""
_IDENTIFIER = re.compile(r"(?<=/)(?=[^/]*[0-9])[A-Za-z0-9_-]{12,}(?=/|$)")


def shown_buckets(headroom: Mapping[str, RateHeadroom]) -> Mapping[str, RateHeadroom]:
    """The buckets by a name without identifiers; of two with one name, and of too many, those with the least left."""
    found: dict[str, RateHeadroom] = {}
    for bucket, numbers in sorted(headroom.items(), key=lambda item: (share_left(item[1]), item[0])):
        found.setdefault(_IDENTIFIER.sub("{id}", bucket), numbers)
    return dict(sorted(list(found.items())[:BUCKETS_SHOWN]))


def share_left(headroom: RateHeadroom) -> float:
    """0 to 1; a bucket that holds nothing has nothing left."""
    return min(max(headroom.remaining / headroom.limit, 0.0), 1.0) if headroom.limit > 0 else 0.0
