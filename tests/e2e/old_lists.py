"""Okta whose lists are of another moment than its answers by id, as they may be for ten minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from syncd.model import ReadProof
from syncd.ports import Listing, MemberPage, Page, Source


class _Replayed:
    """`ports.Listing` over pages that arrived already."""

    def __init__(self, listing: Listing[Any]) -> None:
        self._pages = list(listing)
        self.proof: ReadProof = listing.proof

    def __iter__(self) -> Iterator[Page[Any]]:
        return iter(self._pages)


class OldLists:
    """Every list is as Okta answered it when this was made; single objects, the log and the app are of now.

    `meanwhile` is called once, when the first list is asked for: its pages were answered before and arrive after it.
    """

    def __init__(
        self, source: Source, groups: Sequence[str] = (), meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        self._source, self._meanwhile, self._called = source, meanwhile, False
        self._lists = {name: _Replayed(getattr(source, name)()) for name in ("app_users", "groups")}
        self._members = {group: list(source.members([group])) for group in groups}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def app_users(self) -> Listing[Any]:
        return self._old("app_users")

    def groups(self) -> Listing[Any]:
        return self._old("groups")

    def members(self, group_ids: Sequence[str]) -> Iterator[MemberPage]:
        for group in group_ids:
            yield from self._members.get(group) or self._source.members([group])

    def _old(self, name: str) -> Listing[Any]:
        if not self._called:
            self._called = True
            self._meanwhile()
        return self._lists[name]
