"""Okta as the engine sees it: read only, complete or an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from syncd.errors import SyncdError
from syncd.model import (
    Absent,
    Application,
    AppUser,
    BadRecord,
    GroupRule,
    LogEvent,
    OktaGroup,
    PushMapping,
    ReadProof,
)

T_co = TypeVar("T_co", covariant=True)  # pages are only read
LISTS_LAG = timedelta(minutes=10)
"""Okta's lists, and the stamps in them, may be so old; answers by id are of the moment."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """One page of a list, in arrival order, with the records that could not be understood."""

    records: Sequence[T_co]
    bad: Sequence[BadRecord] = ()


@dataclass(frozen=True, slots=True)
class MemberPage:
    """One page of one group's member list. `proof` is set on the page that completed that group's list.

    `failed` holds the cause when this group's list could not be read whole (then no proof ever comes).
    """

    group_id: str
    user_ids: Sequence[str]
    proof: ReadProof | None = None
    failed: Exception | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """What Okta says of one user, by id. `groups` are their groups as of `groups_of`; None when they were not asked
    for: with `with_groups` that is when the answer is no AppUser, or the user was deleted in that moment.

    `failed` holds the cause when this user's record (then there is no answer) or group list could not be read.
    """

    okta_id: str
    answer: AppUser | BadRecord | Absent | None
    groups: Mapping[str, str] | None = None
    failed: SyncdError | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    """What one poll brought. `cursor` is where the next poll begins; `full` when there may be more at once."""

    events: Sequence[LogEvent]
    cursor: str
    full: bool


class Listing(Protocol[T_co]):
    """An iterable of pages, read once. After the loop ended by itself `proof` tells that it was complete.

    Iteration raises IncompleteRead when any page did not arrive as status 200 and a list, or the chain of
    `next` links left the origin, repeated itself or outgrew the cap. Pages already yielded stay valid as
    positive evidence.
    """

    @property
    def proof(self) -> ReadProof:
        """That the list is complete. Raises IncompleteRead before its end was reached."""
        ...

    def __iter__(self) -> Iterator[Page[T_co]]: ...


class Bucket(Protocol):
    """One rate-limit bucket as the last answer showed it."""

    @property
    def limit(self) -> int:
        """Requests in one window."""
        ...

    @property
    def remaining(self) -> int:
        """Requests left in this window."""
        ...

    @property
    def reset(self) -> datetime:
        """When the window ends, aware UTC."""
        ...


class Source(Protocol):
    """Okta, read only. Every method raises TemporaryError or IncompleteRead when retries did not help,
    AccessDenied on 401 and 403 (its scope says whether one object is refused or the connection), ConnectionSick when
    the app is gone, PermanentError on answers that a retry cannot mend.
    """

    def application(self) -> Application:
        """GET /api/v1/apps/{appId}. Raises ConnectionSick when Okta does not know the app."""
        ...

    def org_urls(self) -> Sequence[str]:
        """GET /.well-known/okta-organization: the org's own address and its custom domain, as far as Okta says."""
        ...

    def app_users(self) -> Listing[AppUser]:
        """GET /api/v1/apps/{appId}/users?expand=user&limit=500, the next page fetched while this one is used."""
        ...

    def app_user(self, okta_id: str) -> AppUser | BadRecord | Absent:
        """By id, with expand=user. Absent only for a 404 whose summary does not name the AppInstance."""
        ...

    def people(self, okta_ids: Sequence[str], *, with_groups: bool) -> Iterator[Person]:
        """`app_user` and `groups_of` of the assigned, several people at a time, in the order of their answers.

        Never raises for one person's failure: that Person carries `failed`.
        """
        ...

    def user_status(self, okta_id: str) -> str | Absent:
        """GET /api/v1/users/{id}: the Okta user's own status, to tell a leaver from a DEPROVISIONED user."""
        ...

    def user_id_of(self, login: str) -> str | Absent:
        """GET /api/v1/users/{login}: the id for a login given by a person, or for an id."""
        ...

    def users_with_email(self, email: str) -> Sequence[str]:
        """GET /api/v1/users?filter=profile.email eq ...: the ids of those who have this e-mail, in any letter case, be
        it their login or not. Empty also where a server cannot be asked so; AccessDenied where it refuses.
        """
        ...

    def groups_of(self, okta_id: str) -> Mapping[str, str]:
        """GET /api/v1/users/{id}/groups: ids of all groups of one user, each with its name ("": none that can be read);
        complete or raises; NotFound: no such user.
        """
        ...

    def app_groups(self) -> Listing[str]:
        """GET /api/v1/apps/{appId}/groups?limit=200: the ids of the groups assigned to the app."""
        ...

    def app_group(self, okta_id: str) -> str | Absent:
        """GET /api/v1/apps/{appId}/groups/{id}: the id of a group that is assigned to the app."""
        ...

    def groups(self) -> Listing[OktaGroup]:
        """GET /api/v1/groups?limit=1000: every group of the org."""
        ...

    def group_rules(self) -> Listing[GroupRule]:
        """GET /api/v1/groups/rules?limit=200: every group rule of the org. AccessDenied where the token may not."""
        ...

    def group(self, okta_id: str) -> OktaGroup | Absent:
        """GET /api/v1/groups/{id}."""
        ...

    def mappings(self) -> Listing[PushMapping]:
        """GET /api/v1/apps/{appId}/group-push/mappings?limit=1000, target names resolved by GET /groups/{id}."""
        ...

    def members(self, group_ids: Sequence[str]) -> Iterator[MemberPage]:
        """GET /api/v1/groups/{id}/users?limit=1000 for several groups, bounded in parallel, pages interleaved.

        Never raises for one group's failure: that group's last MemberPage carries `failed`.
        """
        ...

    def log_cursor(self) -> LogPage:
        """GET /api/v1/logs from now on, in polling mode: begins to follow the log, and brings the first cursor."""
        ...

    def log_page(self, cursor: str) -> LogPage:
        """One poll from a stored cursor. Raises NotFound or PermanentError when Okta takes the cursor no more."""
        ...

    def requests(self) -> Mapping[str, int]:
        """Requests so far by "METHOD status" ("GET 200", "GET timeout")."""
        ...

    def close(self) -> None:
        """Gives connections back. May be called twice."""
        ...
