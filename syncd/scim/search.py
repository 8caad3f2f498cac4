"""Finding one object. A hit is a hint until its values were compared; an empty answer is no proof of absence.

A third of the servers answer a filter that they do not support with everything, others treat `eq` as a pattern, do
not index externalId, or miss a name because of its case or a plus sign.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from syncd.core.harness import group_identifiers
from syncd.core.match_rules import Sought, has_value, shown_values
from syncd.core.names import look_alike_key
from syncd.errors import IncompleteRead, NotFound
from syncd.model import RemoteGroup, RemoteUser
from syncd.scim.conversation import GROUPS, USERS, Conversation
from syncd.scim.listed_users import ListedUsers
from syncd.scim.listing import Walk
from syncd.scim.wire import parse_path

T = TypeVar("T", RemoteUser, RemoteGroup)
_REFUSALS = (400, 405, 422, 500, 501)
_PLAIN = re.compile(r"[A-Za-z0-9@._-]+")
_SEARCH_PAGES = 2_000
_FOLDS = "filter:users.userName:folds"
_MARKS = "filter:users.externalId:works"
_NAMES = "filter:groups.displayName:works"
_LISTED_LASTS = 60.0
"""Seconds for which one whole list of the groups tells which names are free, where no filter does."""
_FEW = 5
"""More strangers than a filter that works loosely would show: this one is ignored."""


@dataclass(frozen=True, slots=True)
class _Kind(Generic[T]):
    name: str
    parse: Callable[[object], T | None]
    query: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    """`hits` passed the comparison. `answered`: the filter was understood, so no hit is at least a hint."""

    hits: Sequence[T]
    answered: bool = True


def _is_plain(name: str) -> bool:
    return name.isascii() and name == name.strip()


def _filtered_as(attribute: str) -> str:
    """A mapped path as a filter names it (RFC 7644 section 3.4.2.2): of a list, any of its values."""
    path = parse_path(attribute)
    if path.kind is None:
        return attribute
    name = f"{path.schema}:{path.name}" if path.schema else path.name
    return f"{name}.{path.sub}" if path.sub else name


def _key(kind: str, attribute: str) -> str:
    return f"filter:{kind.lower()}.{attribute}"


class Search:
    """Looks for users and groups. Raises IncompleteRead when the target cannot show whether the object exists."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._users: _Kind[RemoteUser] = _Kind(USERS, talk.user_of, {})
        self._groups: _Kind[RemoteGroup] = _Kind(GROUPS, talk.group_of, {"excludedAttributes": "members"})
        self._listed_users = ListedUsers()
        self._trying_names = threading.Lock()
        self._were_none = False
        """The list of groups was empty when it was looked at."""
        self._listing_groups = threading.Lock()
        self._listed: tuple[float, Mapping[str, Sequence[RemoteGroup]]] = (float("-inf"), {})
        """When the groups were listed last, and what was found, by displayName."""

    def users(
        self, okta_id: str, user_name: str, *, deep: bool = False, listed: bool = False
    ) -> Sequence[RemoteUser]:
        """Users whose externalId is ours, else whose userName is the same or alike (core.names).

        `deep`: the server says that there is one; after the filters its e-mails and its whole list are searched.
        `listed`: it was there before, so that a list of the last minute may show it.
        """
        alike = look_alike_key(user_name)

        def ours(user: RemoteUser) -> bool:
            return user.external_id == okta_id

        def either(user: RemoteUser) -> bool:
            return ours(user) or look_alike_key(user.user_name) == alike

        def everybody() -> Sequence[RemoteUser]:
            return (
                self._listed_user(okta_id, user_name, either)
                if listed
                else self._everything(self._users, either)
            )

        if self._talk.facts.lists_leave_out:
            return self._named_users(user_name)
        found = self._filtered(self._users, "externalId", okta_id, either)
        if any(ours(user) for user in found.hits):
            return [user for user in found.hits if ours(user)]
        names = [user_name] if self._folds(user_name) else [user_name, user_name.lower()]
        for name in dict.fromkeys(names):
            named = self._filtered(self._users, "userName", name, either)
            if not named.answered:
                return everybody()
            if named.hits:
                return named.hits
        if not deep:
            return []
        mailed = self._filtered(self._users, "emails.value", user_name, either)
        return mailed.hits or everybody()

    def users_with(self, also: Sought, found: Sequence[RemoteUser]) -> Sequence[RemoteUser]:
        """Those that were found, and who shows one of these values. Raises IncompleteRead as `users`."""
        hits = {user.scim_id: user for user in found}
        for attribute, value in also:

            def wanted(user: RemoteUser, attribute: str = attribute, value: str = value) -> bool:
                return has_value(attribute, value, user)

            spelled = (
                value.lower() if self._talk.facts.lists_leave_out else value
            )  # Harness compares its e-mails
            named = self._filtered(self._users, _filtered_as(attribute), spelled, wanted)
            more = named.hits if named.answered else self._everything(self._users, wanted)
            hits |= {user.scim_id: user for user in more}
        return list(hits.values())

    def finds_by(self, attribute: str) -> bool:
        """See `ports.Target.finds_by`."""
        learned, name = self._talk.learned, _filtered_as(attribute)
        key = f"{_key(USERS, name)}:works"
        if not learned[key]:
            first = next(iter(Walk(self._talk, USERS, self._talk.user_of)), ())
            shown = ((user, next(iter(shown_values(attribute, user)), "")) for user in first)
            known = next(((user, value) for user, value in shown if value), None)
            if known is not None:
                self._try_filter(key, name, known[1], known[0])
        return learned[key] == "yes"

    def _named_users(self, user_name: str) -> Sequence[RemoteUser]:
        """Where a filter on anything is one on the e-mail, and shows some of those who have it, or nobody."""
        alike = look_alike_key(user_name)
        return self._filtered(
            self._users, "userName", user_name.lower(), lambda user: look_alike_key(user.user_name) == alike
        ).hits

    def listed(self, scim_id: str, user_name: str) -> RemoteUser | None:
        """The user as lists show them: some servers show more there than by id. None when no search finds them."""
        hits = self._named_users(user_name)
        return next((user for user in hits if user.scim_id == scim_id), None)

    def _listed_user(
        self, okta_id: str, user_name: str, wanted: Callable[[RemoteUser], bool]
    ) -> Sequence[RemoteUser]:
        """As `_everything`, by a list that was asked for lately if it showed somebody."""
        with self._listed_users.lock:
            found = self._listed_users.remembered(okta_id, user_name, self._user)
            if found:
                return found
            walk = self._walk(self._users)
            hits = [user for user in self._listed_users.watched(walk, lambda: walk.complete) if wanted(user)]
            if not hits and not walk.complete:
                raise _untold(USERS)
            return hits

    def _user(self, scim_id: str) -> RemoteUser | None:
        return self._talk.user_of(self._talk.fetch(USERS, scim_id).body)

    def is_whole(self, user_name: str) -> bool:
        """See `ports.Target.search_is_whole`. RFC 7643 says that userName ignores case (section 4.1.1); many filters do
        not, and some find nobody by externalId. Beyond ASCII none is believed: SQLite, for one, folds nothing else; nor
        about blanks around a name, which some trim.
        """
        learned = self._talk.learned
        if self._talk.facts.adopts:
            return True  # a POST finds whoever no search does
        if learned[_key(USERS, "userName")] in ("refused", "ignored"):
            return True  # then the whole list is compared
        known = learned[_FOLDS] == "no" or (learned[_FOLDS] and learned[_MARKS])
        if _is_plain(user_name) and not known:
            self._try_filters()
        return self._folds(user_name) and learned[_MARKS] != "no"

    def _folds(self, user_name: str) -> bool:
        return _is_plain(user_name) and self._talk.learned[_FOLDS] == "yes"

    def _try_filters(self) -> None:
        """Searches for users of the first page: under their name in other letters, and by their externalId."""
        learned = self._talk.learned
        first = next(iter(Walk(self._talk, USERS, self._talk.user_of)), ())
        cased = ((user, user.user_name.swapcase()) for user in first if user.user_name.isascii())
        named = next(((user, other) for user, other in cased if other != user.user_name), None)
        marked = next((user for user in first if user.external_id), None)
        tried_before = bool(learned[_FOLDS])
        if named is not None and not tried_before:
            self._try_filter(_FOLDS, "userName", named[1], named[0])
            if learned[_FOLDS] == "no":
                return
        if marked is not None and marked.external_id:
            self._try_filter(_MARKS, "externalId", marked.external_id, marked)
        elif tried_before:
            learned.set(_MARKS, "unseen")  # nobody has one: the server drops them, or they are far behind

    def _try_filter(self, key: str, attribute: str, value: str, somebody: RemoteUser) -> None:
        found = self._filtered(self._users, attribute, value, lambda user: user.scim_id == somebody.scim_id)
        if found.answered:
            self._talk.learned.set(key, "yes" if found.hits else "no")

    def groups(self, okta_id: str, name: str, *, deep: bool = False) -> Sequence[RemoteGroup]:
        """Groups whose externalId is ours or whose displayName is exactly this: none, one or many; where ids derive
        from names, those that have such an id, and then those that are called so.
        """
        if self._talk.facts.identifies:
            return self._identified(name)

        def either(group: RemoteGroup) -> bool:
            return group.external_id == okta_id or group.name == name

        found = self._filtered(self._groups, "externalId", okta_id, either)
        named = self._filtered(self._groups, "displayName", name, either)
        hits = [*found.hits, *named.hits]
        if not named.answered or (not hits and (deep or not self._finds_names())):
            return self._everything(self._groups, either)
        return list({group.scim_id: group for group in hits}.values())

    def _identified(self, name: str) -> Sequence[RemoteGroup]:
        found = [*self.groups_in_the_way(name)]
        named = self._filtered(self._groups, "displayName", name, lambda group: group.name == name)
        ids = {group.scim_id for group in found}
        return [*found, *(group for group in named.hits if group.scim_id not in ids)]

    def groups_in_the_way(self, name: str) -> Sequence[RemoteGroup]:
        """Those that a POST of this name would be refused for, or answered with."""
        if not self._talk.facts.identifies:
            return self._groups_named(name)
        found = []
        for scim_id in group_identifiers(name):
            with suppress(NotFound):
                found.append(self._talk.read_group(scim_id)[0])
        return found

    def _groups_named(self, name: str) -> Sequence[RemoteGroup]:
        """Groups whose displayName is exactly this. Where no filter can be believed, by a list of all that is at most a
        minute old: one for each group that is made would cost the square of their number.
        """
        found = self._filtered(self._groups, "displayName", name, lambda group: group.name == name)
        if found.hits or (found.answered and self._finds_names()):
            return found.hits
        with self._listing_groups:
            listed_at, listed = self._listed
            now = time.monotonic()
            if now - listed_at <= _LISTED_LASTS:
                return listed.get(name, ())
            walk = self._walk(self._groups)
            by_name: dict[str, list[RemoteGroup]] = {}
            for group in (record for page in walk for record in page):
                by_name.setdefault(group.name, []).append(group)
            if walk.complete:
                self._listed = now, by_name
            elif name not in by_name:
                raise _untold(GROUPS)
            return by_name.get(name, ())

    def _finds_names(self) -> bool:
        """Whether no hit for a displayName means that no group has it. Some servers answer any filter on groups with an
        empty list: it is tried once with a group that is there.
        """
        learned = self._talk.learned
        with self._trying_names:
            if not learned[_NAMES] and not (self._were_none and not self._talk.made_groups):
                first = next(iter(Walk(self._talk, GROUPS, self._talk.group_of, self._groups.query)), ())
                known = next((group for group in first if group.name), None)
                self._were_none = not first
                if known is not None:
                    found = self._filtered(
                        self._groups, "displayName", known.name, lambda group: group.scim_id == known.scim_id
                    )
                    learned.set(_NAMES, "yes" if found.hits else "no")
            return learned[_NAMES] == "yes" or (not learned[_NAMES] and self._were_none)

    def _filtered(self, kind: _Kind[T], attribute: str, value: str, wanted: Callable[[T], bool]) -> _Found[T]:
        """One filtered search, to the end of its pages unless every record on the first is a hit."""
        learned, key = self._talk.learned, _key(kind.name, attribute)
        if learned[key] in ("refused", "ignored"):
            return _Found((), answered=False)
        walk = Walk(
            self._talk,
            kind.name,
            kind.parse,
            {"filter": self._talk.equals(attribute, value), **kind.query},
            page_cap=_SEARCH_PAGES,
        )
        hits: list[T] = []
        strangers = 0
        try:
            for page in walk:
                matching = [record for record in page if wanted(record)]
                hits += matching
                strangers += len(page) - len(matching)
                if not strangers and walk.announced <= len(hits):
                    return _Found(hits)
                if strangers > _FEW:
                    learned.set(key, "ignored")
                    return _Found((), answered=False)
        except NotFound:
            return _Found(())  # some servers answer a filter without a hit with 404
        except IncompleteRead as failure:
            if failure.page > 1 or failure.status not in _REFUSALS:
                raise
            if failure.status != 500 and _PLAIN.fullmatch(value):
                # A refusal of an odd value says nothing about the filter; a 500 may pass.
                learned.set(key, "refused")
            return _Found((), answered=False)
        # Strangers and no hit: the filter is a pattern or ignored, and what it would have found may be hidden.
        return _Found(hits, answered=bool(hits) or not strangers)

    def _everything(self, kind: _Kind[T], wanted: Callable[[T], bool]) -> Sequence[T]:
        """The whole list, compared. Raises IncompleteRead if nothing was found in a list that may be cut short."""
        walk = self._walk(kind)
        hits = [record for page in walk for record in page if wanted(record)]
        if not hits and not walk.complete:
            raise _untold(kind.name)
        return hits

    def _walk(self, kind: _Kind[T]) -> Walk[T]:
        return Walk(self._talk, kind.name, kind.parse, kind.query, page_cap=_SEARCH_PAGES)


def _untold(kind: str) -> IncompleteRead:
    return IncompleteRead(
        f"Split {kind.lower()}",
        1,
        "the server neither filters nor shows its whole list, so absence cannot be told",
        hint="nothing is created while that is so; ask the vendor for filters on userName",
    )
