"""`ScimTarget`: the port `Target` over SCIM 2.0, for Split, for Harness and for any other server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from syncd.backoff import http_date
from syncd.closing import Closing
from syncd.core.change import Json
from syncd.core.comparison import GROUP_NAME, Habit, ServerHabits
from syncd.core.match_rules import Sought
from syncd.errors import (
    AccessDenied,
    AlreadyExists,
    LockLost,
    NotFound,
    PermanentError,
    Scope,
    SyncdError,
    TemporaryError,
)
from syncd.model import Attributes, RemoteGroup, RemoteUser
from syncd.ports.target import Against, Applied, MemberOutcome, RemoteListing, TargetProbe, nothing
from syncd.scim.answers import FORM_REFUSED, ScimAnswer, error_for
from syncd.scim.conversation import GROUPS, USERS, Conversation, Flavor, UpdateMethod
from syncd.scim.creation import Creation
from syncd.scim.flavors import FACTS, HARNESS_PATH, HARNESS_SIGN, refuse_name
from syncd.scim.groups import Groups, shows_members
from syncd.scim.http import Link, ScimHttp
from syncd.scim.knowledge import Learned
from syncd.scim.listing import Walk
from syncd.scim.members import Members
from syncd.scim.removal import remove_user
from syncd.scim.rights import rights
from syncd.scim.search import Search
from syncd.scim.takeover import take_over
from syncd.scim.user_forms import Wish
from syncd.scim.user_update import UserUpdate, ignores_case
from syncd.scim.wire import resources

SETTLE = (0.3, 1.5)
"""Seconds between looks for an object whose POST got no answer."""


class ScimTarget(Closing):
    """See `ports.Target` for what each method promises. Safe to share between threads; closes with `with`."""

    def __init__(
        self,
        link: Link,
        *,
        flavor: Flavor = "split",
        learned: Mapping[str, str] | None = None,
        attribute_paths: Sequence[str] = (),
        keeps_emails: bool = False,
        update_method: UpdateMethod = "auto",
        member_batch: int = 100,
        settle: Sequence[float] = SETTLE,
    ) -> None:
        """`learned` is what `learned()` gave in an earlier run against the same target. When the permit of `link`
        raises LockLost, every method does.

        Raises ConfigurationError for a token that cannot stand in an HTTP header.
        """
        self._address = link.base_url
        known = Learned(learned or {})
        if FACTS[flavor].lowers_names:
            for path in filter(ignores_case, attribute_paths):
                known.take(path, Habit.LOWER)
        self._http = ScimHttp(
            link,
            post_timeout=max(link.timeout, FACTS[flavor].post_seconds),
            media_type=known["media_type"] or None,
        )
        self._talk = Conversation(
            http=self._http,
            flavor=flavor,
            method=update_method,
            paths=tuple(attribute_paths),
            keeps_emails=keeps_emails,
            learned=known,
            settle=tuple(settle),
            member_batch=member_batch,
        )
        self._search = Search(self._talk)
        self._update = UserUpdate(self._talk, self._search)
        self._creation = Creation(self._talk, self._search, self._update)
        self._groups = Groups(self._talk)
        self._members = Members(self._talk)

    def __repr__(self) -> str:
        return f"ScimTarget({self._http!r}, flavor={self._talk.flavor!r})"

    def find_users(self, *, okta_id: str, user_name: str, also: Sought = ()) -> Sequence[RemoteUser]:
        """Also raises IncompleteRead when the server cannot show whether the user exists."""
        found = self._search.users(okta_id, user_name)
        return self._search.users_with(also, found) if also else found

    def finds_by(self, attribute: str) -> bool:
        """See `ports.Target.finds_by`."""
        return self._search.finds_by(attribute)

    def search_is_whole(self, user_name: str) -> bool:
        """See `ports.Target.search_is_whole`."""
        return self._search.is_whole(user_name)

    def find_groups(self, *, okta_id: str, name: str) -> Sequence[RemoteGroup]:
        """Also raises IncompleteRead when the server cannot show whether the group exists."""
        return self._search.groups(okta_id, name)

    def list_users(self) -> RemoteListing[RemoteUser]:
        """See `ports.Target.list_users`."""
        return Walk(self._talk, USERS, self._talk.user_of)

    def list_groups(self) -> RemoteListing[RemoteGroup]:
        """See `ports.Target.list_groups`."""

        def bare(resource: object) -> RemoteGroup | None:
            group = self._talk.group_of(resource)
            return None if group is None else replace(group, members=None)

        return Walk(self._talk, GROUPS, bare, {"excludedAttributes": "members"})

    def user(self, scim_id: str) -> RemoteUser:
        """See `ports.Target.user`."""
        found = self._talk.user_of(self._talk.fetch(USERS, scim_id).body)
        if found is None:
            raise PermanentError(f"read user {scim_id}: the answer cannot be read")
        return found

    def group(self, scim_id: str) -> RemoteGroup:
        """See `ports.Target.group`."""
        group, _ = self._talk.read_group(scim_id)
        if group.members is None and group.whole and shows_members(self._talk, besides=scim_id):
            return replace(group, members=frozenset())
        return group

    @contextmanager
    def _write(self, known: type[SyncdError]) -> Iterator[None]:
        """A refusal that follows a try without an answer says nothing about that try, nor one to look that follows an
        accepted write about that: the outcome is unknown. Only errors of the kind `known` were looked up.
        """
        self._http.doubt.begin()
        try:
            yield
        except SyncdError as error:
            if isinstance(error, (known, LockLost)) or (doubt := self._http.doubt.about(error)) is None:
                raise
            raise doubt from error

    def create_user(self, okta_id: str, attributes: Attributes, *, against: Against = nothing) -> Applied:
        """See `ports.Target.create_user`."""
        with self._write(known=AlreadyExists):
            return self._creation.user(okta_id, attributes, against)

    def update_user(
        self,
        scim_id: str,
        before: Mapping[str, Json],
        after: Mapping[str, Json],
        whole: Mapping[str, Json] | None = None,
        *,
        invited: bool = False,
    ) -> Applied:
        """`whole`, all wanted attributes, saves the read that is else needed to send a sub-object whole."""
        if not after:
            return Applied(scim_id)
        with self._write(known=NotFound):
            return self._update.update(Wish(scim_id, before, after, whole or {}, invited))

    def deactivate_user(self, scim_id: str, *, invited: bool = False) -> Applied:
        """See `ports.Target.deactivate_user`."""
        with self._write(known=NotFound):
            if self._talk.facts.removes:
                return remove_user(self._talk, scim_id)
            return self._update.deactivate(scim_id, invited=invited)

    def create_group(self, okta_id: str, name: str, *, against: Against = nothing) -> Applied:
        """See `ports.Target.create_group`."""
        refuse_name(self._talk.flavor, name, "create the group")
        with self._write(known=AlreadyExists):
            return self._creation.group(okta_id, name, against)

    def take_over_group(self, scim_id: str) -> Applied:
        """See `ports.Target.take_over_group`."""
        with self._write(known=NotFound), self._talk.group_locks[scim_id]:
            return take_over(self._talk, scim_id)

    def rename_group(self, scim_id: str, name: str) -> Applied:
        """See `ports.Target.rename_group`."""
        with self._write(known=NotFound):
            return self._groups.rename(scim_id, name)

    def delete_group(self, scim_id: str) -> Applied:
        """See `ports.Target.delete_group`."""
        with self._write(known=NotFound):
            return self._groups.delete(scim_id)

    def change_members(self, scim_id: str, *, add: Sequence[str], remove: Sequence[str]) -> MemberOutcome:
        """See `ports.Target.change_members`."""
        with self._write(known=NotFound):
            return self._members.change(scim_id, add=add, remove=remove)

    def probe(self) -> TargetProbe:
        """Raises AccessDenied (the token), PermanentError (a web page, TLS) and TemporaryError for the users; trouble
        with groups or the ServiceProviderConfig is told in `detail`.
        """
        users = self._first_page(USERS, 2)
        details = [] if _lists(users) else [_why_not(users, "list users")]
        groups_listed, detail = self._probe_groups()
        details += [detail] if detail else []
        config = self._config()
        etag = config.get("etag")
        if etag is not None:
            self._talk.learned.set("etag", "yes" if etag else "no")
        return TargetProbe(
            users_listed=_lists(users),
            groups_listed=groups_listed,
            patch=config.get("patch"),
            filter=config.get("filter"),
            etag=etag,
            date=_date(users),
            detail="; ".join(details),
            rights=rights(self._http) if self._talk.facts.grants_rights else {},
        )

    def _first_page(self, kind: str, count: int) -> ScimAnswer:
        """Without `count` where that is refused, as lists are read then too."""
        try:
            answer = self._http.send("GET", [kind], {"startIndex": "1", "count": str(count)})
        except (PermanentError, TemporaryError) as refused:
            if refused.status not in FORM_REFUSED:
                raise
        else:
            if answer.status not in FORM_REFUSED:
                return answer
        return self._http.send("GET", [kind], {"startIndex": "1"})

    def _probe_groups(self) -> tuple[bool, str]:
        try:
            groups = self._first_page(GROUPS, 100)
        except AccessDenied as failure:
            if failure.scope is Scope.CONNECTION:
                raise
            return False, failure.message
        except (PermanentError, TemporaryError) as failure:
            return False, failure.message
        return _lists(groups), "" if _lists(groups) else _why_not(groups, "list groups")

    def _config(self) -> Mapping[str, bool]:
        """What the ServiceProviderConfig says is supported (RFC 7643 section 5); it is optional and may lie."""
        try:
            said = self._http.send("GET", ["ServiceProviderConfig"])
        except SyncdError:
            return {}
        found = {
            name: part.get("supported") for name, part in said.resource.items() if isinstance(part, dict)
        }
        return {name: value for name, value in found.items() if isinstance(value, bool)} if said.ok else {}

    def is_harness(self) -> bool:
        """Whether the address, or what the server says of itself, is Harness's. One that does not say so may be."""
        if HARNESS_PATH in self._address:
            return True
        try:
            said = self._http.send("GET", ["ServiceProviderConfig"])
        except SyncdError:
            return False
        return said.ok and HARNESS_SIGN in said.resource

    def sent(self) -> str:
        """See `ports.Target.sent`."""
        return self._http.sent.take()

    def requests(self) -> Mapping[str, int]:
        """See `ports.Target.requests`."""
        return self._http.requests()

    def habits(self) -> ServerHabits:
        """See `ports.Target.habits`."""
        return self._talk.learned.server_habits((*self._talk.paths, GROUP_NAME))

    def learned(self) -> Mapping[str, str]:
        """See `ports.Target.learned`."""
        proven = self._http.proven_media_type
        return {**self._talk.learned.all(), **({"media_type": proven} if proven else {})}

    def close(self) -> None:
        """See `ports.Target.close`."""
        self._http.close()


def _lists(answer: ScimAnswer) -> bool:
    return answer.ok and resources(answer.body) is not None


def _why_not(answer: ScimAnswer, what: str) -> str:
    return f"{what}: the answer is no list" if answer.ok else error_for(answer, what).message


def _date(answer: ScimAnswer) -> datetime | None:
    return http_date(answer.headers.get("Date"))
