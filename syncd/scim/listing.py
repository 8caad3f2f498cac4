"""Walking a list of the target so that "complete" is proven and never believed.

A server may ignore startIndex or count, cap either, or report a total that is only the page's length. So: advance by
the records received, go on until a page is empty, and call the walk complete only if that happened and at least as
many different ids were seen as any page announced (RFC 7644 section 3.4.2.4; cursors: RFC 9865).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from syncd.errors import (
    AccessDenied,
    ConnectionSick,
    IncompleteRead,
    NotFound,
    PermanentError,
    SyncdError,
    TemporaryError,
)
from syncd.model import RemoteGroup, RemoteUser
from syncd.scim.answers import GONE, LIKELY_WRONG_BASE, ScimAnswer, error_for, problem
from syncd.scim.conversation import USERS, Conversation
from syncd.scim.refusals import target_is_gone
from syncd.scim.wire import resources, total

PAGE = 100
PAGE_CAP = 200_000
TIME_CAP = 24 * 3600.0
"""Seconds. Both are far beyond any real list: a walk that never ends must end somewhere."""
_BARREN = 3
"""Pages in a row that show nobody new end a list that leaves people out. It is never taken for whole."""
T = TypeVar("T", RemoteUser, RemoteGroup)


class Walk(Generic[T]):
    """Pages of new objects, each id once. `complete` is meaningful after the loop. Iterating again walks again.

    Raises IncompleteRead when a page fails, AccessDenied, and when the list itself answers 404 NotFound for a
    search and for groups, ConnectionSick for users: then the target is not there.
    """

    def __init__(
        self,
        talk: Conversation,
        kind: str,
        parse: Callable[[object], T | None],
        query: Mapping[str, str] | None = None,
        *,
        page_cap: int = PAGE_CAP,
    ) -> None:
        self._talk = talk
        self._kind = kind
        self._parse: Callable[[object], T | None] = parse
        self._query = dict(query or {})
        self._page_cap = page_cap
        self._proven = False
        self._announced = 0
        self._seen: set[int] = set()
        self.first: ScimAnswer | None = None

    @property
    def complete(self) -> bool:
        """Whether the list was read to its end and proves what is not in it."""
        return self._proven and not self._talk.facts.lists_leave_out

    @property
    def ended(self) -> bool:
        """See `ports.RemoteListing.ended`."""
        return self._proven

    @property
    def announced(self) -> int:
        """The largest totalResults so far."""
        return self._announced

    def __iter__(self) -> Iterator[Sequence[T]]:
        self._proven = False
        self._announced = 0
        self._seen = set()
        ends = time.monotonic() + TIME_CAP
        start, barren, cursor, cursors = 1, 0, None, set[str]()
        for page in range(1, self._page_cap + 1):
            answer = self._page(page, start, cursor)
            records = resources(answer.body) if answer is not None else []
            if records is None:
                raise IncompleteRead(self._name, page, "the answer is not a list of resources")
            self._announced = max(self._announced, total(answer.body) or 0 if answer else 0)
            fresh = self._new(records)
            if fresh:
                yield fresh
            following = _next_cursor(answer)
            if cursor is not None or (page == 1 and following):
                if not following:
                    self._proven = self._all_seen()
                    return
                if following in cursors:
                    return
                cursors.add(following)
                cursor = following
            elif self._leaves_out:
                # The page is cut first, and then people are left out of it: an empty one is no end.
                barren = 0 if fresh else barren + 1
                if barren == _BARREN:
                    return
                start += 0 if fresh else PAGE - len(records)
            elif not records:
                self._proven = self._all_seen()
                return
            elif not fresh:
                return
            start += len(records)
            if time.monotonic() > ends:
                return

    @property
    def _leaves_out(self) -> bool:
        return self._talk.facts.lists_leave_out and self._kind == USERS and "filter" not in self._query

    def _all_seen(self) -> bool:
        return len(self._seen) >= self._announced

    @property
    def _name(self) -> str:
        return f"Split {self._kind.lower()}"

    def _new(self, records: Sequence[object]) -> Sequence[T]:
        fresh = []
        for record in records:
            made = self._parse(record)
            # Python's own 64-bit hash of the id: a million ids must not mean a million texts in memory.
            if made is not None and (key := hash(made.scim_id)) not in self._seen:
                self._seen.add(key)
                fresh.append(made)
        return fresh

    def _page(self, page: int, start: int, cursor: str | None) -> ScimAnswer | None:
        """One page; None when the server says that there is nothing behind the last one."""
        try:
            answer = self._ask(page, start, cursor)
        except (AccessDenied, ConnectionSick, IncompleteRead):
            raise
        except (TemporaryError, PermanentError) as failure:
            raise IncompleteRead(
                self._name, page, failure.message, hint=failure.hint, status=failure.status
            ) from failure
        if page == 1:
            self.first = answer
        if answer.ok:
            return answer
        if page > 1 and cursor is None and answer.status in (400, 404, 416):
            return None
        if answer.status in GONE and self._kind == USERS and "filter" not in self._query:
            raise target_is_gone(answer)
        if answer.status in GONE:
            gone = NotFound(
                f"list {self._name}: Split answers 404 {problem(answer)}", status=404, hint=LIKELY_WRONG_BASE
            )
            if "filter" not in self._query:
                self._talk.http.refusals.judge(gone)
            raise gone
        failed: SyncdError = error_for(answer, "list")
        raise IncompleteRead(self._name, page, failed.message, status=answer.status)

    def _ask(self, page: int, start: int, cursor: str | None) -> ScimAnswer:
        """Leaves `count` and `excludedAttributes` out when the first page is refused with them."""
        learned = self._talk.learned
        query = dict(self._query)
        if learned["excluded_attributes"] == "refused":
            query.pop("excludedAttributes", None)
        query |= {"startIndex": str(start)} if cursor is None else {"cursor": cursor}
        counted = {} if learned["count"] == "refused" else {"count": str(PAGE)}
        sent = {**query, **counted}
        try:
            answer = self._talk.http.send("GET", [self._kind], sent)
        except TemporaryError as failure:
            if page > 1 or failure.status != 500 or not counted:
                raise
            answer = self._talk.http.send("GET", [self._kind], query)
            learned.set("count", "refused")
            return answer
        if page > 1 or answer.status not in (400, 501):
            return answer
        for leave_out, key in (("excludedAttributes", "excluded_attributes"), ("count", "count")):
            if leave_out in sent:
                rest = {name: value for name, value in sent.items() if name != leave_out}
                second = self._talk.http.send("GET", [self._kind], rest)
                if second.ok:
                    learned.set(key, "refused")
                    return second
        return answer


def _next_cursor(answer: ScimAnswer | None) -> str | None:
    found = answer.resource.get("nextCursor") if answer is not None else None
    return found if isinstance(found, str) and found else None
