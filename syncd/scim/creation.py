"""Creating what does not exist, and never a second one.

A POST is the one request that must not be repeated blindly: a refused, lost or empty answer is followed by a search,
and only an object that carries our externalId (or must be ours because the server drops it) is taken for the result.
What an answer shows is not the result either, unless it is provably new or ours (`core.creation`); what is not is left
as it is, and raised as `Disbelieved`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from urllib.parse import unquote, urlsplit

from syncd.core.comparison import GROUP_NAME
from syncd.core.creation import CREATED, Believed, Create, Disbelief, judge
from syncd.core.harness import group_identifiers
from syncd.core.names import Likeness, likeness, look_alike_key
from syncd.errors import AlreadyExists, Disbelieved, LockLost, PermanentError, SyncdError, TemporaryError
from syncd.model import Attributes, RemoteGroup, RemoteUser
from syncd.ports.target import Against, Applied
from syncd.scim.answers import ScimAnswer, Unanswered, error_for
from syncd.scim.conversation import GROUPS, USERS, Conversation
from syncd.scim.mending import Mending
from syncd.scim.new_resource import user_body
from syncd.scim.search import Search
from syncd.scim.user_update import UserUpdate
from syncd.scim.wire import group_body

T = TypeVar("T", RemoteUser, RemoteGroup)
_DONE_WITHOUT_EFFECT = (None, 500, 502, 503)
"""After these (None: the connection broke) a name that is still free is tried once more. A broken 2xx is not: there
the server says that it created something.
"""


@dataclass(slots=True)
class _Wish(Generic[T]):
    """One object to create. `find` searches for it, `find_deep` where the server says that it exists, with whether it
    may have been made just now.
    """

    kind: str
    name: str
    okta_id: str
    body: Mapping[str, Any]
    parse: Callable[[object], T | None]
    name_of: Callable[[T], str]
    find: Callable[[], Sequence[T]]
    find_deep: Callable[[bool], Sequence[T]]
    mark: str
    """The name under which is learned whether the server shows the externalId."""
    against: Against
    begun: float = 0.0
    """When it was sent, by the monotonic clock."""

    @property
    def hidden_key(self) -> str:
        return f"hidden:{self.mark}"

    @property
    def shown_key(self) -> str:
        return f"shown:{self.mark}"

    @property
    def what(self) -> str:
        return f'create {self.kind[:-1].lower()} "{self.name}"'


@dataclass(frozen=True, slots=True)
class _Made:
    """`shown` is the object as the answer or the search showed it."""

    shown: RemoteUser | RemoteGroup
    status: int | None
    note: str = ""
    searched: bool = True
    """False: the answer itself showed it."""
    adopted: bool = False
    """It was there before, and this server answers a create with whoever has the name."""


class Creation:
    """POST /Users and POST /Groups."""

    def __init__(self, talk: Conversation, search: Search, update: UserUpdate) -> None:
        self._talk = talk
        self._search = search
        self._mending = Mending(talk, update)

    def user(self, okta_id: str, attributes: Attributes, against: Against) -> Applied:
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
            find_deep=lambda new: self._search.users(okta_id, name, deep=True, listed=not new),
            mark="externalId",
            against=against,
        )
        with self._talk.user_locks[look_alike_key(name)]:
            made = self._create(wish)
        if not isinstance(made.shown, RemoteUser):
            raise TypeError("users are made as users")
        applied, shown = Applied(made.shown.scim_id, made.status, made.note), made.shown
        listed = self._listed(shown, name) if self._talk.facts.names_in_lists else None
        if made.adopted:
            return self._mending.adopt(applied, shown, listed, attributes)
        if listed is not None:  # whoever comes back has our externalId too, and perhaps the names of then
            shown = replace(shown, attributes={**listed.attributes, **shown.attributes})
        return self._mending.mend(applied, shown, attributes, made=made.status == CREATED)

    def _listed(self, shown: RemoteUser, name: str) -> RemoteUser | None:
        """The account as lists show it; None where none does, or none can be had: it was made all the same."""
        try:
            return self._search.listed(shown.scim_id, name)
        except LockLost:
            raise
        except SyncdError:
            return None

    def group(self, okta_id: str, name: str, against: Against) -> Applied:
        """See `ports.Target.create_group`."""
        wish: _Wish[RemoteGroup] = _Wish(
            kind=GROUPS,
            name=name,
            okta_id=okta_id,
            body=group_body(name, okta_id),
            parse=self._talk.group_of,
            name_of=lambda group: group.name,
            find=lambda: self._search.groups(okta_id, name),
            find_deep=lambda _new: self._search.groups(okta_id, name, deep=True),
            mark="group.externalId",
            against=lambda scim_id: against(scim_id) or self._misnamed(scim_id, name),
        )
        with self._talk.group_locks[f"name:{look_alike_key(name)}"]:
            made = self._there_already(wish) or self._create(wish)
        if made.status == CREATED and isinstance(made.shown, RemoteGroup) and made.shown.name:
            self._talk.learned.created(GROUP_NAME, name, made.shown.name)
        if made.status == CREATED and not made.searched:
            self._talk.made_groups.add(made.shown.scim_id)
        return Applied(made.shown.scim_id, made.status, made.note)

    def _misnamed(self, scim_id: str, name: str) -> str | None:
        """Where ids derive from names: nobody looked whether there was a group of this id before."""
        if not self._talk.facts.identifies or scim_id in group_identifiers(name):
            return None
        return "has an identifier that this name does not become"

    def _there_already(self, wish: _Wish[RemoteGroup]) -> _Made | None:
        """Asked right before the POST: many servers let two groups have one name, and listings leave some out."""
        named = self._search.groups_in_the_way(wish.name)
        ours = next((group for group in named if group.external_id == wish.okta_id), None)
        if ours is not None and wish.against(ours.scim_id) is None:
            return _Made(ours, None, "existed already with our externalId")
        if named:
            raise AlreadyExists(f"{wish.what}: the name is taken", hint=_held_by(named))
        return None

    def _create(self, wish: _Wish[T]) -> _Made:
        wish.begun = time.monotonic()
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
        """What an answered POST means; who refuses may have acted first. `unclear`: an earlier one may have acted."""
        if answer.ok:
            return self._accepted(wish, answer)
        error = error_for(answer, wish.what)
        conflict = answer.status == 409 or answer.scim_type == "uniqueness"
        if conflict and self._talk.facts.refuses_by_404:  # says nothing about existence
            error, conflict = PermanentError(error.message, status=answer.status), False
        try:
            ours, others = self._look(wish, deep=conflict, unclear=unclear)
        except TemporaryError as failure:
            if not conflict:
                raise error from failure
            raise AlreadyExists(error.message, status=answer.status, hint=failure.message) from error
        if ours is not None:
            refused = "existed already with our externalId" if conflict else "refused, and made all the same"
            note = "the answer was lost; found by search" if unclear else refused
            return _Made(ours, answer.status, note)
        namesake = next(
            (hit for hit in others if not hit.external_id and wish.name_of(hit) == wish.name), None
        )
        adopts = self._talk.facts.adopts and wish.kind == USERS
        if namesake is not None and not adopts and wish.against(namesake.scim_id) is None:
            raise Disbelieved(
                f"{error.message}, and {_named(wish, namesake)} is there",
                scim_id=namesake.scim_id,
                name=wish.name,
                stranger=False,
                hint=_held_by(others),
                status=answer.status,
            )
        if not conflict:
            raise error
        raise AlreadyExists(error.message, status=answer.status, hint=_held_by(others)) from error

    def _accepted(self, wish: _Wish[T], answer: ScimAnswer) -> _Made:
        shown = wish.parse(answer.body)
        if isinstance(shown, RemoteUser) and self._talk.facts.adopts and shown.external_id != wish.okta_id:
            return self._adopted(wish, shown, answer.status)
        if shown is not None:
            return _Made(self._believed(wish, shown, answer.status), answer.status, searched=False)
        found = self._located(wish, answer)
        if found is None:
            found, _ = self._look(wish, deep=False, unclear=True, drops_mark=True)
        if found is None:
            message = f"{wish.what}: Split answers {answer.status} without the object, and no search finds it"
            raise Unanswered(message, status=answer.status)
        return _Made(found, answer.status, "the answer did not show the object; found by search")

    def _adopted(self, wish: _Wish[T], shown: RemoteUser, status: int) -> _Made:
        """Whoever is new carries our externalId; whoever was there keeps theirs, or none, under the same e-mail."""
        against = wish.against(shown.scim_id)
        if against is None and likeness(shown.user_name, wish.name) is Likeness.DIFFERENT:
            against = "is called otherwise"
        if against is not None:
            raise Disbelieved(
                f'{wish.what}: Split answers {status} with what is not ours: "{shown.user_name}" {against}',
                scim_id=shown.scim_id,
                name=shown.user_name,
                stranger=True,
                hint=_held_by([shown]),
                status=status,
            )
        mark = f", with the externalId {shown.external_id}" if shown.external_id else ""
        note = f"was there already, unseen by any list{mark}: adopted under the values of the create"
        return _Made(shown, status, note, searched=False, adopted=True)

    def _believed(self, wish: _Wish[T], shown: T, status: int) -> T:
        """The object, if it is provably new or ours. Raises Disbelieved."""
        verdict = self._judged(wish, shown, status)
        if isinstance(verdict, Disbelief) and not verdict.stranger and shown.external_id is None:
            # Some answers leave out the externalId that the lists show.
            listed = (hit for hit in wish.find() if hit.scim_id == shown.scim_id and hit.external_id)
            shown = next(listed, shown)
            verdict = self._judged(wish, shown, status)
        if isinstance(verdict, Disbelief):
            raise Disbelieved(
                f"{wish.what}: Split answers {status} with what is not ours: {verdict.reason}",
                scim_id=shown.scim_id,
                name=wish.name_of(shown),
                stranger=verdict.stranger,
                hint=_held_by([shown])
                if likeness(wish.name_of(shown), wish.name) is not Likeness.DIFFERENT
                else "the server answers a create with what is there already: nothing was tied to it",
                status=status,
            )
        if shown.external_id is None:
            self._talk.learned.set(wish.hidden_key, "yes")
        return shown

    def _judged(self, wish: _Wish[T], shown: T, status: int | None) -> Believed | Disbelief:
        create = Create(
            wish.okta_id,
            wish.name,
            status,
            self._talk.http.clock.at(wish.begun),
            shows_external_id=bool(self._talk.learned[wish.shown_key]),
        )
        return judge(create, shown, against=wish.against(shown.scim_id))

    def _located(self, wish: _Wish[T], answer: ScimAnswer) -> T | None:
        """The object behind `Location`; only its last segment is used, what stands before it is often wrong."""
        try:
            path = urlsplit(answer.headers.get("Location", "")).path
        except ValueError:
            return None
        scim_id = unquote(path.rstrip("/").rpartition("/")[2])
        if not scim_id:
            return None
        try:
            found = wish.parse(self._talk.fetch(wish.kind, scim_id).body)
        except (PermanentError, TemporaryError):
            return None
        if found is None or not self._is_ours(wish, found, unclear=True, drops_mark=True):
            return None
        return found

    def _is_ours(self, wish: _Wish[T], found: T, *, unclear: bool, drops_mark: bool) -> bool:
        """By its externalId, if nothing speaks against it; without one only where it may be missing. Where the POST may
        have acted (`unclear`), it may have given our externalId to somebody else.
        """
        if found.external_id is None and not (drops_mark and wish.name_of(found) == wish.name):
            return False
        if not unclear:
            return found.external_id == wish.okta_id and wish.against(found.scim_id) is None
        return isinstance(self._judged(wish, found, CREATED), Believed)

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
            hits = wish.find_deep(unclear) if deep else wish.find()
            ours = [hit for hit in hits if self._is_ours(wish, hit, unclear=unclear, drops_mark=drops_mark)]
            if len(ours) > 1:
                raise PermanentError(
                    f"{wish.what}: {len(ours)} objects at the target look like ours",
                    hint="remove the superfluous ones in Split by hand",
                )
            if ours:
                return ours[0], ()
        return None, hits


def _named(wish: _Wish[T], hit: T) -> str:
    return f'"{wish.name_of(hit)}" ({hit.scim_id})'


def _held_by(hits: Sequence[RemoteUser] | Sequence[RemoteGroup]) -> str:
    """Whom the name belongs to, for the hint."""
    if not hits:
        return "no search at the target finds the object that holds the name"
    marks = ", ".join(f"{hit.scim_id} (externalId {hit.external_id or 'none'})" for hit in hits[:5])
    return f"the name is held by {marks}"
