"""What a plan leaves alone, packed: with creating switched off it may be everybody."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from itertools import islice
from typing import Any

from syncd.core.canonical import canonical
from syncd.core.diff import Skipped

_PAGE = 500


class LeftAlone(Collection[Skipped]):
    """Read as often as you like, in the order in which it was given; a page is in memory at a time. A page takes a few
    per cent of what its objects would.
    """

    def __init__(self, skips: Iterable[Skipped] = ()) -> None:
        given = iter(skips)
        counts: Counter[str] = Counter()
        self._pages: list[bytes] = []
        while page := list(islice(given, _PAGE)):
            counts.update(skip.kind for skip in page)
            self._pages.append(zlib.compress(canonical(list(map(astuple, page))).encode(), 1))
        self.counts: Mapping[str, int] = dict(sorted(counts.items()))
        """By kind."""

    def __len__(self) -> int:
        return sum(self.counts.values())

    def __iter__(self) -> Iterator[Skipped]:
        for page in self._pages:
            yield from map(skipped_of, json.loads(zlib.decompress(page)))

    def __contains__(self, skip: object) -> bool:
        return any(skip == each for each in self)

    @property
    def documents(self) -> Collection[Mapping[str, str]]:
        """As plans and results show them."""
        return _Documents(self)


class _Documents(Collection[Mapping[str, str]]):
    def __init__(self, skips: LeftAlone) -> None:
        self._skips = skips

    def __len__(self) -> int:
        return len(self._skips)

    def __iter__(self) -> Iterator[Mapping[str, str]]:
        return map(skipped_document, self._skips)

    def __contains__(self, document: object) -> bool:
        return any(document == each for each in self)


def skipped_of(parts: Sequence[Any]) -> Skipped:
    """From what JSON makes of a Skipped as a tuple."""
    *texts, waits_for, group_id = parts
    kind, okta_id, name, reason, about = texts
    return Skipped(kind, okta_id, name, reason, about, tuple(waits_for), group_id)


def skipped_document(skip: Skipped) -> dict[str, str]:
    """As documents name it: kind, okta_id, name and reason."""
    return {"kind": skip.kind, "okta_id": skip.okta_id, "name": skip.name, "reason": skip.reason}
