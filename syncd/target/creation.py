"""Creating what does not exist, and never a second one.

A POST is the one request that must not be repeated blindly: a refused, lost or empty answer is followed by a search,
and only an object that carries our externalId (or must be ours because the server drops it) is taken for the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import unquote, urlsplit

from syncd.core.change import Json
from syncd.core.names import letter_case_key, look_alike_key
from syncd.errors import AlreadyExists, PermanentError, TemporaryError
from syncd.model import Attributes, RemoteGroup, RemoteUser, Scalar
from syncd.ports.target import Applied
from syncd.target.answers import ScimAnswer, Unanswered, error_for
from syncd.target.conversation import GROUPS, USERS, Conversation
from syncd.target.scim_wire import group_body, same, user_body
from syncd.target.search import Search
from syncd.target.user_update import UserUpdate

T = TypeVar("T", RemoteUser, RemoteGroup)
_DONE_WITHOUT_EFFECT = (None, 500, 502, 503)
"""After these (None: the connection broke) a name that is still free is tried once more. A broken 2xx is not: there
the server says that it created something.
"""

_CREATED = 201


@dataclass(frozen=True, slots=True)
class _Wish(Generic[T]):
    """One object to create. `find` searches for it, `find_deep` where the server says that it exists."""

    kind: str
    name: str
    okta_id: str
    body: Mapping[str, Any]
    parse: Callable[[object], T | None]
    name_of: Callable[[T], str]
    find: Callable[[], Sequence[T]]
    find_deep: Callable[[], Sequence[T]]
    hidden_key: str
    """What is learned when the server drops externalId."""

    @property
    def what(self) -> str:
        return f'create {self.kind[:-1].lower()} "{self.name}"'


@dataclass(frozen=True, slots=True)
class _Made:
    """`shown` is the object as the answer or the search showed it."""

    shown: RemoteUser | RemoteGroup
    status: int | None
    note: str = ""


class Creation:
    """POST /Users and POST /Groups."""

    def __init__(self, talk: Conversation, search: Search, update: UserUpdate) -> None:
        self._talk = talk
        self._search = search
        self._update = update

    def user(self, okta_id: str, attributes: Attributes) -> Applied:
        """See `ports.Target.create_user`."""
        name = str(attributes.get("userName", ""))
        wish: _Wish[RemoteUser] = _Wish(
            kind=USERS,
            name=name,
            okta_id=okta_id,
            body=user_body(attributes, okta_id),
            parse=self._talk.user_of,
            name_of=lambda user: user.user_name,
            find=lambda: self._search.users(okta_id, name),
            find_deep=lambda: self._search.users(okta_id, name, deep=True),
            hidden_key="hidden:externalId",
        )
        with self._talk.user_locks[look_alike_key(name)]:
            made = self._create(wish)
        return self._mend(made, attributes)

    def group(self, okta_id: str, name: str) -> Applied:
        """See `ports.Target.create_group`."""
        wish: _Wish[RemoteGroup] = _Wish(
            kind=GROUPS,
            name=name,
            okta_id=okta_id,
            body=group_body(name, okta_id),
            parse=self._talk.group_of,
            name_of=lambda group: group.name,
            find=lambda: self._search.groups(okta_id, name),
            find_deep=lambda: self._search.groups(okta_id, name, deep=True),
            hidden_key="hidden:group.externalId",
        )
        with self._talk.group_locks[f"name:{look_alike_key(name)}"]:
            made = self._create(wish)
        if made.status == _CREATED:
            self._talk.made_groups.add(made.shown.scim_id)
        return Applied(made.shown.scim_id, made.status, made.note)

    def _create(self, wish: _Wish[T]) -> _Made:
        try:
            answer = self._talk.http.send("POST", [wish.kind], body=wish.body)
        except Unanswered as lost:
            return self._after_silence(wish, lost)
        return self._settle(wish, answer, unclear=False)

    def _after_silence(self, wish: _Wish[T], lost: Unanswered) -> _Made:
        """The outcome of the POST is unknown: look. Once more only if the server is done with the first one and the
        name is free.
        """
        found = self._look_after(wish, lost, deep=False)
        if found is not None:
            return found
        if lost.running or lost.status not in _DONE_WITHOUT_EFFECT:
            raise lost
        try:
            answer = self._talk.http.send("POST", [wish.kind], body=wish.body)
        except Unanswered as again:
            found = self._look_after(wish, again, deep=again.status == 500)
            if found is None:
                raise
            return found
        return self._settle(wish, answer, unclear=True)

    def _look_after(self, wish: _Wish[T], lost: Unanswered, *, deep: bool) -> _Made | None:
        """What a POST without an answer made; None when the name is free. Raises `lost` when that cannot be told."""
        try:
            ours, others = self._look(wish, deep=deep, unclear=True)
        except TemporaryError as failure:
            raise lost from failure
        if ours is not None:
            return _Made(ours, lost.status, "the answer was lost; found by search")
        if others and lost.status == 500:
            raise AlreadyExists(lost.message, status=500, hint=_held_by(others)) from lost
        if others:
            raise lost
        return None

    def _settle(self, wish: _Wish[T], answer: ScimAnswer, *, unclear: bool) -> _Made:
        """What an answered POST means. `unclear`: an earlier POST of ours may have had effect."""
        if answer.ok:
            return self._accepted(wish, answer)
        error = error_for(answer, wish.what)
        if answer.status != 409 and answer.scim_type != "uniqueness":
            raise error
        try:
            ours, others = self._look(wish, deep=True, unclear=unclear)
        except TemporaryError as failure:
            raise AlreadyExists(error.message, status=answer.status, hint=failure.message) from error
        if ours is None:
            raise AlreadyExists(error.message, status=answer.status, hint=_held_by(others)) from error
        note = "the answer was lost; found by search" if unclear else "existed already with our externalId"
        return _Made(ours, answer.status, note)

    def _accepted(self, wish: _Wish[T], answer: ScimAnswer) -> _Made:
        shown = wish.parse(answer.body)
        if shown is not None:
            if shown.external_id not in (None, wish.okta_id):
                message = (
                    f"{wish.what}: Split answers with an object of another Okta id ({shown.external_id})"
                )
                raise AlreadyExists(message, status=answer.status)
            if shown.external_id is None:
                shown_name = wish.name_of(shown)
                if answer.status != _CREATED and letter_case_key(shown_name) not in (
                    "",
                    letter_case_key(wish.name),
                ):
                    message = f'{wish.what}: Split answers {answer.status} with "{shown_name}", who was there'
                    raise AlreadyExists(message, status=answer.status, hint=_held_by([shown]))
                self._talk.learned.set(wish.hidden_key, "yes")
            return _Made(shown, answer.status)
        found = self._located(wish, answer)
        if found is None:
            found, _ = self._look(wish, deep=False, unclear=True, drops_mark=True)
        if found is None:
            message = f"{wish.what}: Split answers {answer.status} without the object, and no search finds it"
            raise Unanswered(message, status=answer.status)
        return _Made(found, answer.status, "the answer did not show the object; found by search")

    def _located(self, wish: _Wish[T], answer: ScimAnswer) -> T | None:
        """The object behind `Location`; only its last segment is used, what stands before it is often wrong."""
        scim_id = unquote(urlsplit(answer.headers.get("Location", "")).path.rstrip("/").rpartition("/")[2])
        if not scim_id:
            return None
        try:
            found = wish.parse(self._talk.fetch(wish.kind, scim_id).body)
        except (PermanentError, TemporaryError):
            return None
        return found if found is not None and self._is_ours(wish, found, drops_mark=True) else None

    def _is_ours(self, wish: _Wish[T], found: T, *, drops_mark: bool) -> bool:
        if found.external_id is not None:
            return found.external_id == wish.okta_id
        return drops_mark and wish.name_of(found) == wish.name

    def _look(
        self, wish: _Wish[T], *, deep: bool, unclear: bool, drops_mark: bool = False
    ) -> tuple[T | None, Sequence[T]]:
        """The one object that is the result of our POST, else everything else that has its name.

        An object without any externalId counts only where a POST of ours may have made it (`unclear`) and this
        server is known to drop externalId.
        """
        drops_mark = unclear and (drops_mark or bool(self._talk.learned[wish.hidden_key]))
        hits: Sequence[T] = ()
        for pause in (0.0, *(self._talk.settle if unclear else ())):
            if pause:
                self._talk.http.pacer.sleep(pause)
            hits = wish.find_deep() if deep else wish.find()
            ours = [hit for hit in hits if self._is_ours(wish, hit, drops_mark=drops_mark)]
            if len(ours) > 1:
                raise PermanentError(
                    f"{wish.what}: {len(ours)} objects at the target look like ours",
                    hint="remove the superfluous ones in Split by hand",
                )
            if ours:
                return ours[0], ()
        return None, hits

    def _mend(self, made: _Made, attributes: Attributes) -> Applied:
        """A created user that is shown inactive or with other values than asked is corrected once."""
        shown = made.shown
        scim_id, before = shown.scim_id, shown.attributes if isinstance(shown, RemoteUser) else {}
        after: dict[str, Json] = {
            text: value
            for text, value in attributes.items()
            if text in before and not _fits(text, before[text], value)
        }
        if isinstance(shown, RemoteUser) and shown.active is False:
            after["active"] = True
        if not after:
            return Applied(scim_id, made.status, made.note)
        note = f"corrected after the creation: {', '.join(sorted(after))}"
        try:
            mended = self._update.update(
                scim_id, {text: before.get(text) for text in after}, after, attributes
            )
        except PermanentError as failure:
            return Applied(scim_id, made.status, f"created, but {failure.message}", verified=False)
        note = "; ".join(part for part in (made.note, note) if part)
        return Applied(scim_id, made.status, note, verified=mended.verified)


def _fits(text: str, shown: Scalar, asked: Scalar) -> bool:
    if text == "userName" or text.startswith("emails["):
        return str(shown).casefold() == str(asked).casefold()
    return same(shown, asked)


def _held_by(hits: Sequence[RemoteUser] | Sequence[RemoteGroup]) -> str:
    """Whom the name belongs to, for the hint."""
    if not hits:
        return "no search at the target finds the object that holds the name"
    marks = ", ".join(f"{hit.scim_id} (externalId {hit.external_id or 'none'})" for hit in hits[:5])
    return f"the name is held by {marks}"
