"""Split as the engine sees it: the SCIM conversation (RFC 7644), already made trustworthy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

from syncd.core.change import Json
from syncd.core.comparison import ServerHabits
from syncd.core.match_rules import Sought
from syncd.model import Attributes, RemoteGroup, RemoteUser

T_co = TypeVar("T_co", covariant=True)  # pages are only read


Against = Callable[[str], str | None]
"""SCIM id to what speaks against its being that of a new object ("is tied to ..."); None when nothing does."""


def nothing(_scim_id: str) -> str | None:
    """Nothing speaks against an id's being new or ours."""
    return None


class Applied(msgspec.Struct, frozen=True):
    """A write that is known to have taken effect. `scim_id` is the object's id now (None: it is gone for good,
    e.g. Harness removes on deactivation). `note` is for the audit trail ("answer lost, found by search").
    """

    scim_id: str | None
    status: int | None = None
    note: str = ""
    verified: bool = True
    """False: the server cannot show what was written (e.g. it never lists members)."""
    active: bool | None = None
    """Of a user: as the target showed it afterwards, None where it did not."""
    was_gone: bool = False
    """The object was not there any more before this write: somebody else removed it."""


@dataclass(frozen=True, slots=True)
class MemberOutcome:
    """What became of a batch of member changes of one group: user SCIM ids by result."""

    added: frozenset[str]
    removed: frozenset[str]
    failed: Mapping[str, Exception] = field(default_factory=dict)
    status: int | None = None
    note: str = ""
    verified: bool = True


class RemoteListing(Protocol[T_co]):
    """Pages of a target listing. `complete` is True only after the loop and only if it provably saw everything; `ended`
    when it came to its end, be it that such lists leave some out (Harness: groups that were made by hand).
    """

    @property
    def complete(self) -> bool:
        """Whether the list proves what is not in it; known once it was read to its end."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the list was read to its end; known after the loop."""
        ...

    def __iter__(self) -> Iterator[Sequence[T_co]]: ...


class Target(Protocol):
    """The SCIM conversation with Split. Every method is safe to call from several threads.

    Raises: TemporaryError (retries used up; for writes: the outcome may be unknown, see `Unanswered`),
    AccessDenied (401; 403), NotFound (404 on the object), AlreadyExists (409 and nothing of ours found),
    RefusedError (the flavor's own rule), PermanentError (400, 409, 413, 501 ...).
    """

    def find_users(self, *, okta_id: str, user_name: str, also: Sought = ()) -> Sequence[RemoteUser]:
        """Candidates for one user: by externalId, then by userName, and by each attribute and value of `also`; every
        hit verified by comparing values.
        """
        ...

    def finds_by(self, attribute: str) -> bool:
        """Whether nobody found by a search for a value of this attribute, as it is written, means that nobody has it.
        The server is tried once with a user that it has, and the answer is remembered.
        """
        ...

    def search_is_whole(self, user_name: str) -> bool:
        """Whether nobody found by `find_users` means that nobody is there, by externalId or by this userName in any
        letters; if not, only a whole listing tells. The server is tried once with users that it has, and the answer
        is remembered.
        """
        ...

    def find_groups(self, *, okta_id: str, name: str) -> Sequence[RemoteGroup]:
        """Candidates for one group: by externalId and by displayName; verified."""
        ...

    def list_users(self) -> RemoteListing[RemoteUser]:
        """All accounts, page by page."""
        ...

    def list_groups(self) -> RemoteListing[RemoteGroup]:
        """Groups without members (excludedAttributes=members): lists may truncate them."""
        ...

    def user(self, scim_id: str) -> RemoteUser:
        """GET by id. Raises NotFound."""
        ...

    def group(self, scim_id: str) -> RemoteGroup:
        """GET by id, with members. Raises NotFound."""
        ...

    def create_user(self, okta_id: str, attributes: Attributes, *, against: Against = nothing) -> Applied:
        """POST /Users with externalId and active=true. After a refusal or an answer that cannot be trusted it
        searches; only an object whose externalId is ours is taken for the result of this POST. Raises Disbelieved for
        what is there and not provably new or ours: it was not changed.
        """
        ...

    def update_user(
        self,
        scim_id: str,
        before: Mapping[str, Json],
        after: Mapping[str, Json],
        whole: Mapping[str, Json] | None = None,
        *,
        invited: bool = False,
    ) -> Applied:
        """Changes exactly the attributes in `after` (None: removes it; `active` and `externalId` allowed).
        `invited`: the account was made by us and never seen active, so that what it shows as active proves nothing.

        `whole`: all mapped attributes as they shall be afterwards, so that sub-objects go out whole without a read.
        """
        ...

    def deactivate_user(self, scim_id: str, *, invited: bool = False) -> Applied:
        """`invited` as in `update_user`: it is sent although the account is shown inactive."""
        ...

    def create_group(self, okta_id: str, name: str, *, against: Against = nothing) -> Applied:
        """As `create_user`. The name is asked for first: AlreadyExists when a group has it."""
        ...

    def take_over_group(self, scim_id: str) -> Applied:
        """Before a group is linked: makes sure that SCIM may change it, where the target tells groups that were made by
        hand from those (Harness). Nobody joins or leaves it. Raises NotFound.
        """
        ...

    def rename_group(self, scim_id: str, name: str) -> Applied:
        """Raises NotFound when the group is gone."""
        ...

    def delete_group(self, scim_id: str) -> Applied:
        """404 means done."""
        ...

    def change_members(self, scim_id: str, *, add: Sequence[str], remove: Sequence[str]) -> MemberOutcome:
        """Member deltas in requests of at most `member_batch`; read back when an answer cannot be trusted."""
        ...

    def probe(self) -> TargetProbe:
        """What `check` asks: GET /Users?startIndex=1&count=2, GET /Groups?startIndex=1&count=100 (the requests
        of the "Test connector configuration" button) and the ServiceProviderConfig.
        """
        ...

    def sent(self) -> str:
        """For the audit trail: the writes that this thread sent since it asked last, as "PATCH /Users/2819c223", with
        commas between several; "" for none. No query, no body, no secret.
        """
        ...

    def requests(self) -> Mapping[str, int]:
        """Requests so far by "METHOD status" ("PATCH 200", "POST timeout")."""
        ...

    def habits(self) -> ServerHabits:
        """What this server was seen to make of values, and which of them it shows (core.comparison)."""
        ...

    def learned(self) -> Mapping[str, str]:
        """Capabilities found out so far, to be remembered across runs (e.g. {"update_method": "put"})."""
        ...

    def close(self) -> None:
        """Gives connections back. May be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class TargetProbe:
    """What the target says of itself. A field is None when it did not say."""

    users_listed: bool
    groups_listed: bool
    patch: bool | None
    filter: bool | None
    etag: bool | None
    date: datetime | None
    """The Date header of the answer, for the clock difference."""
    detail: str = ""
    rights: Mapping[str, bool | None] = field(default_factory=dict)
    """Where the target gives a token rights one by one: whether it has each; None where nobody can tell."""
