"""Lists that arrive whole or not at all: the chain of `next` links, and pages read ahead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from syncd.errors import AccessDenied, ConnectionSick, IncompleteRead, NotFound, Scope, SyncdError
from syncd.model import BadRecord, ReadProof
from syncd.okta import loop_thread
from syncd.okta.answers import Answer, Reveals
from syncd.okta.pace import Clock
from syncd.okta.records import checked
from syncd.ports import Page

T = TypeVar("T")

_API = "/api/v1/"


@dataclass(frozen=True, slots=True)
class ListingLimits:
    """Far beyond any real list: a chain of links that never ends must end somewhere."""

    pages: int = 50_000
    seconds: float = 24 * 3600.0
    """Ten million users take seven hours at half of Okta's usual limit for app users."""


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page as JSON values. `next_url` None: the last page (the System Log, polled, always has one)."""

    number: int
    records: list[object]
    escapes: bool
    reveals: Reveals | None
    next_url: str | None
    date: datetime | None


Missing = Callable[[Answer], SyncdError | None]
"""Turns a 404 into the error that it means; None where it means another."""


@dataclass(frozen=True, slots=True)
class Walk:
    """How to read one list. `get` fetches one page."""

    what: str
    first_url: str
    origin: str
    get: Callable[[str], Awaitable[Answer]]
    missing: Missing
    clock: Clock
    limits: ListingLimits = ListingLimits()

    async def pages(self) -> AsyncIterator[RawPage]:
        """The pages in order. Raises IncompleteRead naming the list and the page; AccessDenied, ConnectionSick and
        NotFound as they are.
        """
        url: str | None = self.first_url
        seen: set[str] = set()
        bodies: set[int] = set()
        deadline = self.clock.monotonic() + self.limits.seconds
        number = 0
        while url is not None:
            number += 1
            self._check(url, number, seen, deadline)
            answer = await self._fetch(url, number)
            if not isinstance(answer.body, list):
                raise IncompleteRead(self.what, number, "not a list")
            # A server that serves one page twice may have skipped another.
            if answer.body and answer.fingerprint in bodies:
                raise IncompleteRead(self.what, number, "it repeats the records of an earlier page")
            bodies.add(answer.fingerprint)
            url = None if answer.next_url is None else carried_over(answer.next_url, self.first_url)
            yield RawPage(number, answer.body, answer.escapes, answer.reveals, url, answer.date)

    def _check(self, url: str, number: int, seen: set[str], deadline: float) -> None:
        """What must hold before the token is sent to `url`."""
        parts = urlsplit(url)
        if number > 1 and not same_origin(url, self.origin):
            raise IncompleteRead(self.what, number, "its next link leads to another origin")
        if not parts.path.startswith(_API) or ".." in parts.path or not is_plain(url):
            raise IncompleteRead(self.what, number, "its next link leaves the API")
        # The cursor is compared as well: a chain that goes in a circle may vary the rest of its URL.
        cursors = parse_qs(parts.query).get("after", [])
        marks = {url.partition("#")[0], *(f"after={cursor}" for cursor in cursors)}
        if marks & seen:
            raise IncompleteRead(self.what, number, "its next link repeats an earlier page")
        seen |= marks
        if number > self.limits.pages:
            raise IncompleteRead(self.what, number, f"more than {self.limits.pages} pages")
        if self.clock.monotonic() > deadline:
            raise IncompleteRead(self.what, number, f"not finished after {self.limits.seconds:.0f} seconds")

    async def _fetch(self, url: str, number: int) -> Answer:
        try:
            answer = await self.get(url)
        except (AccessDenied, ConnectionSick, NotFound, IncompleteRead):
            raise
        except SyncdError as error:
            raise IncompleteRead(
                self.what, number, error.message, hint=error.hint, status=error.status
            ) from error
        if answer.status == 404:
            meaning = self.missing(answer)
            if meaning is not None:
                raise meaning
            raise IncompleteRead(self.what, number, "HTTP 404", status=404)
        return answer


@dataclass(slots=True)
class PageSize:
    """How many records a page of one kind of list is asked for: `largest`, or `smaller` once that was refused."""

    largest: int
    smaller: int
    refused: bool = False

    async def pages(self, walk: Callable[[int], Walk]) -> AsyncIterator[RawPage]:
        """The pages of a list. Where the first one is refused, or does not come in time, it is asked for smaller ones
        (Okta's reference: "if your request times out, retry your request with a smaller limit").
        """
        pages = walk(self.smaller if self.refused else self.largest).pages()
        try:
            first = await anext(pages, None)
        except IncompleteRead as error:
            if self.refused or error.status not in _PERHAPS_TOO_LARGE:
                raise
            self.refused = error.status == _BAD_REQUEST
            pages = walk(self.smaller).pages()
            first = await anext(pages, None)
        if first is not None:
            yield first
        async for page in pages:
            yield page


_BAD_REQUEST = 400
_PERHAPS_TOO_LARGE = (None, _BAD_REQUEST, 504)
"""Status of an answer to the first page; None: no answer came."""


def carried_over(url: str, asked: str, *, but: Collection[str] = ()) -> str:
    """A `next` link with the parameters of `asked` that it lost; what it has stays as it is, byte for byte.

    Okta has left `expand` and others out of its links (recorded): later pages then lack what the first one had.
    """
    has = {_name(part) for part in _parameters(url)}
    lost = [part for part in _parameters(asked) if _name(part) not in has and _name(part) not in but]
    bare, _, fragment = url.partition("#")
    joint = "" if not lost else "?" if "?" not in bare else "" if bare.endswith(("?", "&")) else "&"
    return f"{bare}{joint}{'&'.join(lost)}{'#' if fragment else ''}{fragment}"


def _parameters(url: str) -> list[str]:
    return [part for part in urlsplit(url).query.split("&") if part]


def _name(parameter: str) -> str:
    return unquote(parameter.partition("=")[0])


def is_plain(url: str) -> bool:
    """Nothing in it but what a URL is made of (RFC 3986), so that it can be asked, stored and shown."""
    return url.isascii() and url.isprintable()


def same_origin(url: str, origin: str) -> bool:
    """Scheme, host and port agree (RFC 6454), and no user information hides in the URL."""
    try:
        left, right = urlsplit(url), urlsplit(origin)
        ports = [part.port or {"http": 80, "https": 443}.get(part.scheme) for part in (left, right)]
    except ValueError:
        return False
    return (
        left.scheme == right.scheme
        and left.hostname == right.hostname
        and ports[0] == ports[1]
        and "@" not in left.netloc
    )


def utc_now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.wall(), UTC)


def now_at(offset: timedelta | None, clock: Clock) -> datetime:
    """The time at a server whose clock differs so much from ours; ours where that is no time (the year 9999)."""
    try:
        return utc_now(clock) + (offset or timedelta(0))
    except OverflowError:
        return utc_now(clock)


class PagedListing(Generic[T]):
    """`ports.Listing` over a walk: while one page is used, the next one is on its way."""

    def __init__(
        self,
        what: str,
        pages: AsyncIterator[RawPage],
        convert: Callable[[object], T | BadRecord],
        clock: Clock,
    ) -> None:
        self._proof: ReadProof | None = None
        self._begun = False
        self._what = what
        self._pages = pages
        self._convert = convert
        self._clock = clock

    @property
    def proof(self) -> ReadProof:
        """Raises IncompleteRead until the list was read to its end."""
        if self._proof is None:
            raise IncompleteRead(self._what, 0, "it was not read to its end")
        return self._proof

    def _submit(self) -> Future[tuple[RawPage, Page[T]] | None]:
        async def following() -> tuple[RawPage, Page[T]] | None:
            raw = await anext(self._pages, None)
            # Converted where it was parsed, while it is still in the cache.
            return None if raw is None else (raw, self._page(raw))

        return loop_thread.submit(following())

    def __iter__(self) -> Iterator[Page[T]]:
        if self._begun:
            raise RuntimeError(f"the listing of {self._what} is read once")
        self._begun = True
        pages = records = 0
        at: datetime | None = None
        coming = self._submit()
        try:
            while (arrived := self._arrived(coming, pages + 1)) is not None:
                coming = self._submit()
                raw, page = arrived
                pages += 1
                records += len(raw.records)
                at = at or raw.date or utc_now(self._clock)
                yield page
        finally:
            coming.cancel()
        self._proof = ReadProof(self._what, pages, records, at or utc_now(self._clock))

    def _arrived(
        self, coming: Future[tuple[RawPage, Page[T]] | None], number: int
    ) -> tuple[RawPage, Page[T]] | None:
        """Raises IncompleteRead for a list that is refused while the connection is well."""
        try:
            return loop_thread.result(coming)
        except AccessDenied as denied:
            if denied.scope is Scope.CONNECTION:
                raise
            raise IncompleteRead(
                self._what, number, denied.message, hint=denied.hint, status=denied.status
            ) from denied

    def _page(self, raw: RawPage) -> Page[T]:
        good: list[T] = []
        bad: list[BadRecord] = []
        for record in raw.records:
            odd = raw.escapes or raw.reveals is not None
            value = checked(record, self._convert, raw.reveals) if odd else self._convert(record)
            if isinstance(value, BadRecord):
                bad.append(value)
            else:
                good.append(value)
        return Page(good, bad)
