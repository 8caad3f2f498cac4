"""Okta as the engine sees it (`ports.Source`), over the SDK's request executor. Read only.

Every list is complete or raises; every by-id read tells a proven absence from an answer that proves nothing.
Importing this module imports neither the SDK nor aiohttp; building an `OktaReader` does.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from syncd.closing import Closing
from syncd.core.moments import moment
from syncd.errors import (
    AccessDenied,
    IncompleteRead,
    NotFound,
    PermanentError,
    SyncdError,
    TemporaryError,
    kept,
)
from syncd.model import Absent, Application, AppUser, BadRecord, GroupRule, OktaGroup, PushMapping, ReadProof
from syncd.okta import loop_thread, records
from syncd.okta.absence import absent, app_error, object_error, unexplained
from syncd.okta.addresses import ORG_PATH, segment, told_of_org
from syncd.okta.answers import Answer, Decode, everything
from syncd.okta.client import OktaClient
from syncd.okta.conversation import Conversation
from syncd.okta.credentials import Credentials
from syncd.okta.fan_out import FanOut
from syncd.okta.listing import ListingLimits, Missing, PagedListing, PageSize, Walk, now_at, utc_now
from syncd.okta.orgs import OrgSeat, alone
from syncd.okta.pace import Clock, RateGovernor, RateLimit, RetryPolicy
from syncd.okta.refusals import Refusals
from syncd.okta.system_log import LogPolls
from syncd.okta.target_names import with_target_names
from syncd.ports import Listing, LogPage, MemberPage, Person
from syncd.redact import Redactor

T = TypeVar("T")


class OktaReader(Closing):
    """One session with one Okta app. Thread-safe; to be closed.

    `rate_limit_share` (0 to 1) of every rate-limit bucket may be used, `timeout` is seconds for one exchange,
    `parallel` bounds the requests under way at once. `on_wait(seconds, reason)` is told of every wait, from the
    reader's own thread. `user_profiles`: app users come with the users' own. `org`: what is shared with others who ask
    it. Raises ConfigurationError for credentials or a CA file that cannot be used.
    """

    def __init__(
        self,
        *,
        org_url: str,
        app_id: str,
        credentials: Credentials,
        rate_limit_share: float,
        timeout: float,
        ca_file: Path | None = None,
        proxy: str | None = None,
        parallel: int = 8,
        retry: RetryPolicy | None = None,
        on_wait: Callable[[float, str], None] | None = None,
        clock: Clock | None = None,
        limits: ListingLimits | None = None,
        redactor: Redactor | None = None,
        user_profiles: bool = False,
        org: OrgSeat | None = None,
    ) -> None:
        self._origin = org_url.rstrip("/")
        self._app_id = app_id
        self._app_path = f"/api/v1/apps/{segment(app_id)}"
        self._app_error = partial(app_error, app_id=app_id)
        self._parallel = parallel
        self._app_users = records.reading_app_users(user_profiles=user_profiles)
        self._clock, self._limits = clock or Clock(), limits or ListingLimits()
        self._client = OktaClient(
            org_url=self._origin, credentials=credentials, timeout=timeout, redactor=redactor
        )
        self._org = org or alone()
        self._governor = RateGovernor(
            share=rate_limit_share,
            parallel=parallel,
            clock=self._clock,
            on_wait=on_wait,
            rates=self._org.rates,
        )
        self._talk = Conversation(
            self._client, self._governor, retry=retry or RetryPolicy(), clock=self._clock
        )
        self._refusals = Refusals(
            self._talk.get,
            app_url=self._origin + self._app_path,
            gone=self._app_error,
            monotonic=self._clock.monotonic,
        )
        # Okta takes 1,000 members and 10,000 groups a page, and recommends less than the most.
        self._members_pages, self._group_pages = PageSize(1000, 200), PageSize(1000, 200)
        self._closed = False
        loop_thread.run(self._client.open(ca_file=ca_file, proxy=proxy, connections=parallel + 1))

    def close(self) -> None:
        """Closes the connections. May be called twice."""
        if not self._closed:
            self._closed = True
            loop_thread.run(self._client.close())

    # the app and single objects

    def application(self) -> Application:
        """See `ports.Source.application`."""
        answer = self._object(self._app_path)
        if answer.status == 404:
            raise self._app_error(answer) or unexplained(f"app {self._app_id}")
        app = records.understood(records.checked(answer.body, records.application), f"the app {self._app_id}")
        if app.app_id != self._app_id:
            raise TemporaryError(f"Okta answered with another app than {self._app_id}")
        return app

    def org_urls(self) -> Sequence[str]:
        """See `ports.Source.org_urls`."""
        return told_of_org(self._object(ORG_PATH), self._origin)

    def app_user(self, okta_id: str) -> AppUser | BadRecord | Absent:
        """See `ports.Source.app_user`."""
        return loop_thread.run(self._app_user(okta_id))

    async def _app_user(self, okta_id: str) -> AppUser | BadRecord | Absent:
        answer = await self._get_object(f"{self._app_path}/users/{segment(okta_id)}?expand=user")
        if answer.status == 404:
            if self._app_error(answer) is not None:
                await self._app_answers()
            return absent(answer, f"app user {okta_id}")
        user = records.checked(answer.body, self._app_users[0], answer.reveals)
        if isinstance(user, AppUser) and user.okta_id != okta_id:
            return BadRecord(okta_id, "the answer is about another user")
        if isinstance(user, BadRecord):
            return BadRecord(okta_id, user.problem)
        body = answer.body
        return replace(user, updated=moment(body.get("lastUpdated"))) if isinstance(body, dict) else user

    async def _app_answers(self) -> None:
        """Raises ConnectionSick when the app is gone; one odd answer about one person does not say so."""
        error = self._app_error(await self._get_object(self._app_path))
        if error is not None:
            raise error

    def people(self, okta_ids: Sequence[str], *, with_groups: bool) -> Iterator[Person]:
        """See `ports.Source.people`."""

        async def ask(okta_id: str) -> AsyncIterator[Person]:
            answer, groups = None, None
            try:
                answer = await self._app_user(okta_id)
                if with_groups and isinstance(answer, AppUser):
                    with suppress(NotFound):  # deleted in this moment: the next look finds that
                        groups = await self._groups_of(okta_id)
            except SyncdError as error:
                yield Person(okta_id, answer, failed=kept(error))
            else:
                yield Person(okta_id, answer, groups)

        return iter(FanOut(okta_ids, ask, parallel=self._parallel))

    def user_status(self, okta_id: str) -> str | Absent:
        """See `ports.Source.user_status`."""
        return self._user(okta_id, f"user {okta_id}", "status", must_be=okta_id)

    def user_id_of(self, login: str) -> str | Absent:
        """See `ports.Source.user_id_of`."""
        # "me" would be the owner of the token.
        if login.strip() in ("", ".", "..", "me"):
            return Absent(f"user {login}", "not a login")
        return self._user(login, f"user {login}", "id")

    def users_with_email(self, email: str) -> Sequence[str]:
        """See `ports.Source.users_with_email`."""
        spellings = (json.dumps(each, ensure_ascii=False) for each in dict.fromkeys((email, email.lower())))
        asked = quote(" or ".join(f"profile.email eq {each}" for each in spellings), safe="")
        try:
            answer = loop_thread.run(self._get_list(f"{self._origin}/api/v1/users?filter={asked}&limit=10"))
        except AccessDenied:
            raise
        except PermanentError:  # who cannot be asked so
            return ()
        return records.ids_with_email(answer.body, email, answer.reveals)

    def _user(self, key: str, what: str, field: str, must_be: str | None = None) -> str | Absent:
        answer = self._object(f"/api/v1/users/{segment(key)}")
        if answer.status == 404:
            return absent(answer, what)
        record = answer.body if isinstance(answer.body, dict) else {}
        okta_id = records.understood(records.record_id(record, answer.reveals), what)
        if must_be is not None and okta_id != must_be:
            raise TemporaryError(f"Okta answered with another object than {what}")
        value = record.get(field)
        told = isinstance(value, str) and answer.reveals is not None and answer.reveals(value)
        if not isinstance(value, str) or not value or told or not records.is_text(value):
            raise TemporaryError(f"Okta's answer about {what} has no {field}")
        return value

    def group(self, okta_id: str) -> OktaGroup | Absent:
        """See `ports.Source.group`."""
        answer = self._object(f"/api/v1/groups/{segment(okta_id)}")
        if answer.status == 404:
            return absent(answer, f"group {okta_id}")
        record = records.checked(answer.body, records.group, answer.reveals)
        found = records.understood(record, f"group {okta_id}")
        if found.okta_id != okta_id:
            raise TemporaryError(f"Okta answered with another group than {okta_id}")
        return found

    def app_group(self, okta_id: str) -> str | Absent:
        """See `ports.Source.app_group`."""
        what = f"the assignment of group {okta_id}"
        answer = self._object(f"{self._app_path}/groups/{segment(okta_id)}")
        if answer.status == 404:
            if self._app_error(answer) is not None:
                loop_thread.run(self._app_answers())
            return absent(answer, what)
        record = answer.body if isinstance(answer.body, dict) else {}
        if records.understood(records.record_id(record), what) != okta_id:
            raise TemporaryError(f"Okta answered with another object than {what}")
        return okta_id

    # lists

    def applications(self) -> Listing[Application]:
        """Every app of the org, for who has to choose one."""
        return self._listing("apps", "/api/v1/apps?limit=200", records.application)

    def app_users(self) -> Listing[AppUser]:
        """See `ports.Source.app_users`."""
        return self._listing("app users", f"{self._app_path}/users?limit=500&expand=user", *self._app_users)

    def app_groups(self) -> Listing[str]:
        """See `ports.Source.app_groups`."""
        return self._listing(
            "app groups",
            f"{self._app_path}/groups?limit=200",
            records.record_id,
            records.ids_page,
        )

    def groups(self) -> Listing[OktaGroup]:
        """See `ports.Source.groups`."""
        pages = self._group_pages.pages(
            lambda size: self._walk("groups", f"/api/v1/groups?limit={size}", self._app_error)
        )
        return self._org.groups(PagedListing("groups", pages, records.group, self._clock))

    def group_rules(self) -> Listing[GroupRule]:
        """See `ports.Source.group_rules`."""
        return self._listing("group rules", "/api/v1/groups/rules?limit=200", records.group_rule)

    def mappings(self) -> Listing[PushMapping]:
        """See `ports.Source.mappings`."""
        what = "push mappings"
        walk = self._walk(what, f"{self._app_path}/group-push/mappings?limit=1000", self._app_error)
        names: dict[str, str | None] = {}
        pages = with_target_names(walk.pages(), names, self._get_object, what)

        def convert(record: object) -> PushMapping | BadRecord:
            mapping = records.push_mapping(record)
            if isinstance(mapping, BadRecord) or mapping.target_group_id is None:
                return mapping
            return replace(mapping, target_name=names.get(mapping.target_group_id))

        return PagedListing(what, pages, convert, self._clock)

    def groups_of(self, okta_id: str) -> Mapping[str, str]:
        """See `ports.Source.groups_of`."""
        return loop_thread.run(self._groups_of(okta_id))

    async def _groups_of(self, okta_id: str) -> Mapping[str, str]:
        what = f"groups of user {okta_id}"
        walk = self._walk(
            what,
            f"/api/v1/users/{segment(okta_id)}/groups?limit=200",
            partial(object_error, what=f"user {okta_id}"),
            records.names_page,
        )
        found: dict[str, str] = {}
        async for page in walk.pages():
            ids, bad = records.ids(page.records, page.reveals)
            if bad:
                raise IncompleteRead(what, page.number, f"a group record: {bad[0].problem}")
            names = [records.group_name(record, page.reveals) for record in page.records]
            found.update(zip(ids, names, strict=True))
        return found

    def members(self, group_ids: Sequence[str]) -> Iterator[MemberPage]:
        return iter(FanOut(group_ids, self._member_pages, parallel=self._parallel))

    async def _member_pages(self, group_id: str) -> AsyncIterator[MemberPage]:
        """The pages of one group; the last one carries the proof or the failure."""
        what = f"members of group {group_id}"
        count = 0
        at = None
        try:
            path = f"/api/v1/groups/{segment(group_id)}/users"
            missing = partial(object_error, what=f"group {group_id}")
            pages = self._members_pages.pages(
                lambda size: self._walk(what, f"{path}?limit={size}", missing, records.ids_page)
            )
            async for page in pages:
                ids, bad = records.ids(page.records, page.reveals)
                if bad:
                    # An unreadable member may be anybody: the list proves nobody's absence.
                    raise IncompleteRead(what, page.number, f"a member record: {bad[0].problem}")
                count += len(ids)
                at = at or page.date or utc_now(self._clock)
                if page.next_url is not None:
                    yield MemberPage(group_id, ids)
                else:
                    yield MemberPage(group_id, ids, ReadProof(what, page.number, count, at))
        except SyncdError as error:
            yield MemberPage(group_id, (), failed=kept(error))

    def read_log_once(self) -> None:
        """May the System Log be read? Raises AccessDenied when not, IncompleteRead when nobody can say."""
        next(iter(self._listing("the System Log", "/api/v1/logs?limit=1", lambda event: event)), None)

    def log_cursor(self) -> LogPage:
        return self._org.begin(self._log().begin)

    def log_page(self, cursor: str) -> LogPage:
        return self._org.page(cursor, self._log().page)

    def _log(self) -> LogPolls:
        return LogPolls(
            self._origin,
            lambda url: loop_thread.run(self._get_list(url)),
            lambda: now_at(self._talk.clock_offset, self._clock),
            self._client.redactor.reveals,
        )

    # about the conversation

    def requests(self) -> Mapping[str, int]:
        """Requests so far by "METHOD status" ("GET 200", "GET timeout", "POST 200" for the token)."""
        return self._client.counts()

    def limits(self) -> Mapping[str, RateLimit]:
        """The rate-limit buckets as the last answers showed them."""
        return self._governor.limits()

    def waited_seconds(self) -> float:
        """Seconds spent waiting for limits and between tries."""
        return self._governor.waited_seconds()

    def clock_offset(self) -> timedelta | None:
        """The server's clock minus ours (Date has whole seconds); None before the first answer."""
        return self._talk.clock_offset

    def granted_scopes(self) -> frozenset[str] | None:
        """Scopes of the access token; None with an API token or before the first request."""
        return self._client.granted_scopes()

    def _object(self, path: str) -> Answer:
        return loop_thread.run(self._get_object(path))

    async def _get_object(self, path: str) -> Answer:
        return await self._refusals.get(self._origin + path, "object")

    async def _get_list(self, url: str, decode: Decode = everything) -> Answer:
        return await self._refusals.get(url, "list", decode)

    def _walk(self, what: str, path: str, missing: Missing, decode: Decode = everything) -> Walk:
        return Walk(
            what=what,
            first_url=self._origin + path,
            origin=self._origin,
            get=partial(self._get_list, decode=decode),
            missing=missing,
            clock=self._clock,
            limits=self._limits,
        )

    def _listing(
        self,
        what: str,
        path: str,
        convert: Callable[[object], T | BadRecord],
        decode: Decode = everything,
    ) -> Listing[T]:
        pages = self._walk(what, path, self._app_error, decode).pages()
        return PagedListing(what, pages, convert, self._clock)
