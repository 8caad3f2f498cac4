"""Okta, read once for several plans: what the first of them asked is answered to the others from memory, and long lists
from a file that has no name.

The n-th time that somebody asks for a thing is answered as the n-th time that it was ever asked for: a second witness
stays a second one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, BinaryIO, Generic, TypeVar, cast

import msgspec

from syncd.errors import SyncdError
from syncd.model import Absent, Application, AppUser, BadRecord, GroupRule, OktaGroup, PushMapping, ReadProof
from syncd.ports import Listing, LogPage, MemberPage, Page, Person, Source

T = TypeVar("T")
_RECORDS: dict[str, Any] = {
    "app users": AppUser,
    "app groups": str,
    "groups": OktaGroup,
    "push mappings": PushMapping,
}


class Spool:
    """Pages on disk, in a file that nobody else can open and that is gone with the process."""

    def __init__(self) -> None:
        self._file: BinaryIO = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115  (open as long as it is)

    def put(self, value: object) -> tuple[int, int]:
        """Where it stands."""
        raw = json.dumps(msgspec.to_builtins(value)).encode()
        at = self._file.seek(0, 2)
        self._file.write(raw)
        return at, len(raw)

    def get(self, place: tuple[int, int], kind: Any) -> Any:
        self._file.seek(place[0])
        return msgspec.convert(json.loads(self._file.read(place[1])), kind)

    def close(self) -> None:
        self._file.close()


@dataclass
class _Tape(Generic[T]):
    """One list, as far as anybody has read it."""

    listing: Listing[T]
    spool: Spool
    kind: Any
    places: list[tuple[int, int]] = field(default_factory=list)
    pages: Iterator[Page[T]] | None = None
    failed: SyncdError | None = None
    ended: bool = False

    def page(self, number: int) -> Page[T] | None:
        """None behind the last one. Raises what the list raised."""
        if number < len(self.places):
            records, bad = self.spool.get(self.places[number], tuple[list[self.kind], list[BadRecord]])  # type: ignore[name-defined]
            return Page(records, bad)
        if self.failed is not None:
            raise self.failed
        if self.ended:
            return None
        self.pages = iter(self.listing) if self.pages is None else self.pages
        try:
            page = next(self.pages, None)
        except SyncdError as error:
            self.failed = error
            raise
        if page is None:
            self.ended = True
            return None
        self.places.append(self.spool.put((list(page.records), list(page.bad))))
        return page


class _Replayed(Generic[T]):
    """`ports.Listing` from a tape."""

    def __init__(self, tape: _Tape[T]) -> None:
        self._tape = tape

    @property
    def proof(self) -> ReadProof:
        return self._tape.listing.proof

    def __iter__(self) -> Iterator[Page[T]]:
        number = 0
        while (page := self._tape.page(number)) is not None:
            number += 1
            yield page


@dataclass(frozen=True, slots=True)
class _Told:
    """One answer; a failure is one too."""

    value: Any = None
    failed: SyncdError | None = None


class SharedReads(AbstractContextManager["SharedReads"]):
    """What was read of one Okta app. Each plan has a `source` of its own."""

    def __init__(self, source: Source) -> None:
        self.okta = source
        self.spool = Spool()
        self.told: dict[Hashable, list[_Told]] = {}
        self.tapes: dict[Hashable, list[_Tape[Any]]] = {}

    def source(self) -> Source:
        """For one plan."""
        return _SharedSource(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.spool.close()


class _SharedSource:
    """`ports.Source` for one plan: asks Okta only what nobody asked so often before."""

    def __init__(self, shared: SharedReads) -> None:
        self._shared = shared
        self._times: dict[Hashable, int] = {}

    def _turn(self, key: Hashable) -> int:
        """How often this plan has asked for it before."""
        self._times[key] = self._times.get(key, 0) + 1
        return self._times[key] - 1

    def _once(self, key: Hashable, ask: Callable[[], T]) -> T:
        known, turn = self._shared.told.setdefault(key, []), self._turn(key)
        if turn >= len(known):
            try:
                known.append(_Told(ask()))
            except SyncdError as error:
                known.append(_Told(failed=error))
        told = known[turn]
        if told.failed is not None:
            raise told.failed
        value: T = told.value
        return value

    def _listing(self, what: str, ask: Callable[[], Listing[T]]) -> Listing[T]:
        known, turn = self._shared.tapes.setdefault(what, []), self._turn(what)
        if turn >= len(known):
            known.append(_Tape(ask(), self._shared.spool, _RECORDS[what]))
        return _Replayed(known[turn])

    def application(self) -> Application:
        return self._once("application", self._shared.okta.application)

    def org_urls(self) -> Sequence[str]:
        return self._once("org urls", self._shared.okta.org_urls)

    def app_users(self) -> Listing[AppUser]:
        return self._listing("app users", self._shared.okta.app_users)

    def app_user(self, okta_id: str) -> AppUser | BadRecord | Absent:
        return self._once(("app user", okta_id), lambda: self._shared.okta.app_user(okta_id))

    def people(self, okta_ids: Sequence[str], *, with_groups: bool) -> Iterator[Person]:
        turns = {each: self._turn(("person", each, with_groups)) for each in okta_ids}
        told = self._shared.told
        fresh = [each for each in okta_ids if turns[each] >= len(told.get(("person", each, with_groups), ()))]
        for okta_id in okta_ids:
            if okta_id not in fresh:
                yield told["person", okta_id, with_groups][turns[okta_id]].value
        for person in self._shared.okta.people(fresh, with_groups=with_groups) if fresh else ():
            told.setdefault(("person", person.okta_id, with_groups), []).append(_Told(person))
            yield person

    def user_status(self, okta_id: str) -> str | Absent:
        return self._once(("status", okta_id), lambda: self._shared.okta.user_status(okta_id))

    def user_id_of(self, login: str) -> str | Absent:
        return self._once(("login", login), lambda: self._shared.okta.user_id_of(login))

    def users_with_email(self, email: str) -> Sequence[str]:
        return self._once(("email", email), lambda: self._shared.okta.users_with_email(email))

    def groups_of(self, okta_id: str) -> Mapping[str, str]:
        return self._once(("groups of", okta_id), lambda: self._shared.okta.groups_of(okta_id))

    def app_groups(self) -> Listing[str]:
        return self._listing("app groups", self._shared.okta.app_groups)

    def app_group(self, okta_id: str) -> str | Absent:
        return self._once(("app group", okta_id), lambda: self._shared.okta.app_group(okta_id))

    def groups(self) -> Listing[OktaGroup]:
        return self._listing("groups", self._shared.okta.groups)

    def group(self, okta_id: str) -> OktaGroup | Absent:
        return self._once(("group", okta_id), lambda: self._shared.okta.group(okta_id))

    def group_rules(self) -> Listing[GroupRule]:
        return self._listing("group rules", self._shared.okta.group_rules)

    def mappings(self) -> Listing[PushMapping]:
        return self._listing("push mappings", self._shared.okta.mappings)

    def members(self, group_ids: Sequence[str]) -> Iterator[MemberPage]:
        shared = self._shared
        keys = {each: ("members", each, self._turn(("members", each))) for each in group_ids}
        fresh = [each for each in group_ids if keys[each] not in shared.told]
        for group_id in group_ids:
            if group_id not in fresh:
                for told in shared.told[keys[group_id]]:
                    ids, proof, failed = told.value
                    yield MemberPage(group_id, shared.spool.get(ids, list[str]), proof, failed)
        pages: dict[str, list[_Told]] = {}
        for page in shared.okta.members(fresh) if fresh else ():
            kept = pages.setdefault(page.group_id, [])
            kept.append(_Told((shared.spool.put(list(page.user_ids)), page.proof, page.failed)))
            if page.proof is not None or page.failed is not None:
                shared.told[keys[page.group_id]] = kept
            yield page

    def log_cursor(self) -> LogPage:
        return self._shared.okta.log_cursor()

    def log_page(self, cursor: str) -> LogPage:
        return self._shared.okta.log_page(cursor)

    def requests(self) -> Mapping[str, int]:
        return self._shared.okta.requests()

    def close(self) -> None:
        """The reader belongs to who opened it."""
