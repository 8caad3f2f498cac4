"""What of a comparison with the target is news to a person: from its document, as the store keeps it. Pure.

Strangers are none, nor what cannot be told, nor what Okta wants and no run has written yet: that is told otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.core.drift import REPORTED_ONLY, DriftKind

KEY = "last_drift"
"""Under this key the store remembers the document of the last comparison."""
REPAIRED_BY = "repaired_by"
"""In that document: the run that gave it all back, where one did."""
_MISSING = {
    kind.value for kind in (DriftKind.MISSING_USER, DriftKind.MISSING_GROUP, DriftKind.MISSING_MEMBER)
}
_ASIDE = {kind.value for kind in REPORTED_ONLY}


@dataclass(frozen=True, slots=True)
class DriftFound:
    """One difference. `key` is the same for the same kind and object in every comparison."""

    key: str
    kind: str
    object: str
    okta_id: str | None
    group: str | None
    reason: str
    repair: str

    @property
    def named(self) -> str:
        """The object in words."""
        return f"{self.object} in {self.group}" if self.group else self.object


def news_of(document: Mapping[str, Any]) -> Sequence[DriftFound]:
    """In the order of the document. Raises LookupError, TypeError, AttributeError for one that is none."""
    return [_found(item) for item in document["items"] if _is_news(item)]


def is_repaired(document: Mapping[str, Any]) -> bool:
    """Whether what a drift document told was given back since."""
    return bool(document.get(REPAIRED_BY))


def _is_news(item: Mapping[str, Any]) -> bool:
    if item["kind"] in _ASIDE:
        return False
    return item["kind"] not in _MISSING or item["remembered"] is not None


def _found(item: Mapping[str, Any]) -> DriftFound:
    about = item["object"]
    identity = about["okta_id"] or about["scim_id"] or about["name"]
    said = ascii((item["kind"], about["type"], identity, about["group_id"]))
    return DriftFound(
        hashlib.blake2b(said.encode("ascii"), digest_size=6).hexdigest(),
        str(item["kind"]),
        str(about["name"]),
        about["okta_id"],
        about["group"],
        str(item["reason"]),
        str(item["repair"]),
    )
