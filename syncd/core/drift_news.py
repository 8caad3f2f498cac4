"""What of a comparison with the target is news to a person, and how it is counted: from its document. Pure.

Strangers are no news, nor what cannot be told, nor what Okta wants and no run has written yet: that is told otherwise.

sort           what it is
-----------------------------------------------------------------------------------------------------------------------
to_give_back   changed behind syncd's back, and a repair gives it back
not_syncds     changed behind syncd's back, and not syncd's to give back
never_written  Okta wants it, and no run has written it
aside          nobody's, or not to be told
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.core.counting import counted
from syncd.core.drift import REPORTED_ONLY, DriftKind

KEY = "last_drift"
"""Under this key the store remembers the document of the last comparison."""
REPAIRED_BY = "repaired_by"
"""In that document: the run that gave it all back, where one did."""
_MISSING = {
    kind.value for kind in (DriftKind.MISSING_USER, DriftKind.MISSING_GROUP, DriftKind.MISSING_MEMBER)
}
_ASIDE = {kind.value for kind in REPORTED_ONLY}
TO_GIVE_BACK, NOT_SYNCDS, NEVER_WRITTEN, ASIDE = "to_give_back", "not_syncds", "never_written", "aside"
SORTS = (TO_GIVE_BACK, NOT_SYNCDS, NEVER_WRITTEN, ASIDE)


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


@dataclass(frozen=True, slots=True)
class DriftCount:
    """One comparison, counted: the same numbers wherever it is told. `given_back`: by the repair that followed it."""

    to_give_back: int = 0
    not_syncds: int = 0
    never_written: int = 0
    given_back: int = 0

    @property
    def found(self) -> int:
        """What was changed behind syncd's back."""
        return self.to_give_back + self.given_back + self.not_syncds

    @property
    def left(self) -> int:
        """What of that is still so."""
        return self.to_give_back + self.not_syncds

    def __str__(self) -> str:
        parts = [
            f"{count:,} {words}"
            for count, words in (
                (self.given_back, "given back"),
                (self.to_give_back, "to give back"),
                (self.not_syncds, "not syncd's to give back"),
            )
            if count
        ]
        said = f"{counted(self.found, 'difference')}: {', '.join(parts)}" if parts else "no difference"
        return said + (f"; {self.never_written:,} never written" if self.never_written else "")


def counts_of(items: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Of all items of a document: how many of each sort, by kind."""
    counts: dict[str, Counter[str]] = {sort: Counter() for sort in SORTS}
    for item in items:
        counts[_sort(item)][str(item["kind"])] += 1
    return {sort: dict(sorted(kinds.items())) for sort, kinds in counts.items()}


def tally(document: Mapping[str, Any]) -> DriftCount:
    """Raises LookupError, TypeError, AttributeError for a document that is none."""
    counts = document.get("counts") or counts_of(document["items"])
    sums = {sort: sum(counts[sort].values()) for sort in SORTS}
    back = sums[TO_GIVE_BACK]
    repaired = is_repaired(document)
    return DriftCount(
        to_give_back=0 if repaired else back,
        not_syncds=sums[NOT_SYNCDS],
        never_written=sums[NEVER_WRITTEN],
        given_back=back if repaired else 0,
    )


def still_so(document: Mapping[str, Any]) -> dict[str, int]:
    """How many of each kind, without what was given back."""
    counts = document.get("counts") or counts_of(document["items"])
    found: Counter[str] = Counter()
    for sort in SORTS:
        if sort != TO_GIVE_BACK or not is_repaired(document):
            found.update(counts[sort])
    return dict(sorted(found.items()))


def left_of(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The items without what was given back."""
    repaired = is_repaired(document)
    return [item for item in document["items"] if not (repaired and _sort(item) == TO_GIVE_BACK)]


def without(document: Mapping[str, Any], given_back: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The document once a run gave these items back, which it need not have."""
    keys = {_key(item) for item in given_back}
    gone = [item for item in document["items"] if _key(item) in keys and _sort(item) == TO_GIVE_BACK]
    counts = {
        sort: Counter(kinds)
        for sort, kinds in (document.get("counts") or counts_of(document["items"])).items()
    }
    summary = Counter(document["summary"])
    for item in gone:
        counts[TO_GIVE_BACK][item["kind"]] -= 1
        summary[item["kind"]] -= 1
    return {
        **document,
        "items": [item for item in document["items"] if item not in gone],
        "counts": {sort: dict(+kinds) for sort, kinds in counts.items()},
        "summary": dict(+summary),
    }


def news_of(document: Mapping[str, Any]) -> Sequence[DriftFound]:
    """In the order of the document. Raises LookupError, TypeError, AttributeError for one that is none."""
    return [_found(item) for item in document["items"] if _is_news(item)]


def is_repaired(document: Mapping[str, Any]) -> bool:
    """Whether what a drift document told was given back since."""
    return bool(document.get(REPAIRED_BY))


def _is_news(item: Mapping[str, Any]) -> bool:
    return _sort(item) in (TO_GIVE_BACK, NOT_SYNCDS)


def _sort(item: Mapping[str, Any]) -> str:
    if item["kind"] in _ASIDE:
        return ASIDE
    if item["kind"] in _MISSING and item["remembered"] is None:
        return NEVER_WRITTEN
    if item["remembered"] is not None and item["remembered"] == item["found"]:
        return NEVER_WRITTEN
    return TO_GIVE_BACK if item["repair"] else NOT_SYNCDS


def _key(item: Mapping[str, Any]) -> str:
    about = item["object"]
    identity = about["okta_id"] or about["scim_id"] or about["name"]
    said = ascii((item["kind"], about["type"], identity, about["group_id"]))
    return hashlib.blake2b(said.encode("ascii"), digest_size=6).hexdigest()


def _found(item: Mapping[str, Any]) -> DriftFound:
    about = item["object"]
    return DriftFound(
        _key(item),
        str(item["kind"]),
        str(about["name"]),
        about["okta_id"],
        about["group"],
        str(item["reason"]),
        str(item["repair"]),
    )
