"""Changing one user so that it is known to have happened.

A 2xx is believed only where it shows the values, or where the same form was seen to work for the same attribute
before. What was not applied is tried again in the next form, each form once; what worked is remembered, so that one
changed user costs one request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from syncd.core.change import Json
from syncd.errors import AlreadyExists, NotFound, PermanentError, SyncdError, TemporaryError
from syncd.ports.target import Applied
from syncd.target import user_forms
from syncd.target.answers import FORM_REFUSED, ScimAnswer, Unanswered, error_for
from syncd.target.conversation import USERS, Conversation
from syncd.target.scim_wire import as_bool, identifier, parse_path, read, replacement, same, sendable
from syncd.target.user_forms import FORMS, Form, Wish, family_of

_VALUE_REFUSED = frozenset({"invalidValue", "mutability", "sensitive", "tooMany"})
_NO_SUCH_METHOD = 405
_NO_ROUTE = (404, 405, 410)
_NEITHER = (400, 405, 422, 501)


class _VanishedError(NotFound):
    """The user was there when it was written to, and is gone now."""


@dataclass(slots=True)
class _Attempt:
    """What one form achieved: paths by what the server showed afterwards (the value, nothing, something else), and
    the first refusal. `astray`: PATCH was answered 404 although the user is there.
    """

    applied: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    refused: SyncdError | None = None
    status: int | None = None
    accepted: bool = False
    no_patch: bool = False
    astray: bool = False
    notes: list[str] = field(default_factory=list)

    def refuse(self, error: SyncdError) -> None:
        self.refused = self.refused or error

    def add(self, later: _Attempt) -> None:
        """Takes over what a later form achieved; a value that was shown once is not hidden."""
        self.applied |= later.applied
        self.denied = (self.denied | later.denied) - self.applied
        self.absent = (self.absent | later.absent) - self.denied - self.applied
        self.refused = self.refused or later.refused
        self.status = later.status or self.status
        self.accepted = self.accepted or later.accepted
        self.no_patch = self.no_patch or later.no_patch
        self.astray = self.astray or later.astray
        self.notes += later.notes

    @property
    def note(self) -> str:
        return "; ".join(dict.fromkeys(self.notes))


class UserUpdate:
    """Update, reactivation, adoption and deactivation are one thing here: values that shall be as asked."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._learned = talk.learned

    def deactivate(self, scim_id: str) -> Applied:
        """`active` false. `Applied.scim_id` is None when the target has removed the user (Harness does)."""
        try:
            applied = self._change(Wish(scim_id, {"active": True}, {"active": False}))
            if self._talk.flavor == "harness" or self._learned["deactivation"] == "removes":
                self._read_back(scim_id)
        except _VanishedError as gone:
            self._learned.set("deactivation", "removes")
            return Applied(scim_id=None, status=gone.status, note="the target has removed the user")
        except NotFound as gone:
            try:
                # Asked once more: whoever is taken for gone keeps an account that is not.
                there = self._talk.still_there(USERS, scim_id, gone)
            except NotFound:
                return Applied(scim_id=None, status=gone.status, note="the user was already gone")
            raise there from gone
        return applied

    def _read_back(self, scim_id: str, *, answered: str | None = None) -> Mapping[str, Any]:
        """`answered`: the id that the answer to the write showed."""
        try:
            return self._talk.fetch(USERS, scim_id).resource
        except NotFound as gone:
            if answered not in (None, scim_id):  # some servers make ids of names
                raise NotFound(f"{gone.message}: the server now calls it {answered}", status=404) from gone
            raise _VanishedError(gone.message, status=gone.status) from gone

    def update(
        self,
        scim_id: str,
        before: Mapping[str, Json],
        after: Mapping[str, Json],
        whole: Mapping[str, Json] | None = None,
    ) -> Applied:
        """See `ports.Target.update_user`. Raises PermanentError when no form makes the server take the values, and
        NotFound only when reading the user finds nobody either.
        """
        try:
            return self._change(Wish(scim_id, before, after, whole or {}))
        except _VanishedError as gone:
            message = f"{gone.message}, just after it took a change"
            raise TemporaryError(message, status=gone.status) from gone

    def _change(self, wish: Wish) -> Applied:
        with self._talk.gone_is_gone(USERS, wish.scim_id):
            return self._form_by_form(wish)

    def _form_by_form(self, wish: Wish) -> Applied:
        left = dict(wish.after)
        total = _Attempt()
        hidden: set[str] = set()
        for form in self._forms():
            todo = {text: value for text, value in left.items() if self._starts_at(text) <= FORMS.index(form)}
            if not todo or (total.no_patch and form != "put"):
                continue
            attempt = self._try(form, wish, todo)
            total.add(attempt)
            self._remember(form, attempt, astray=total.astray)
            known = {text for text in attempt.absent if self._learned[f"hidden:{text}"]}
            hidden |= known
            left = {text: value for text, value in left.items() if text not in attempt.applied | known}
            if not left:
                return Applied(wish.scim_id, total.status, total.note, verified=not hidden)
        return self._settle(wish, left, total)

    def _settle(self, wish: Wish, left: Mapping[str, Json], total: _Attempt) -> Applied:
        """After the last form: what the server takes but never shows is accepted, everything else is an error."""
        names = ", ".join(sorted(left))
        if set(left) <= total.absent:
            for text in left:
                self._learned.set(f"hidden:{text}", "yes")
            total.notes.append(f"the server does not show {names}")
            return Applied(wish.scim_id, total.status, total.note, verified=False)
        if total.refused is not None and not total.denied:
            raise total.refused
        raise PermanentError(
            f"update user {wish.scim_id}: the server accepts but does not store {names}",
            status=total.status,
            hint="take the attribute out of [attributes], or set it in Split so that it can be changed there",
        ) from total.refused

    def _forms(self) -> Sequence[Form]:
        method = self._talk.method
        if method == "put" or (method == "auto" and self._learned["update_method"] == "put"):
            return FORMS[-1:]
        return FORMS if method == "auto" else FORMS[:-1]

    def _starts_at(self, text: str) -> int:
        """The first form worth trying for an attribute, by what worked for its family before."""
        known = self._learned[f"form:{family_of(text)}"]
        position = next((place for place, form in enumerate(FORMS) if form == known), 0)
        return min(position, FORMS.index(self._forms()[-1]))

    def _remember(self, form: Form, attempt: _Attempt, *, astray: bool) -> None:
        """A PUT after a PATCH that went `astray` worked this once; where PATCH was seen to work it will again."""
        if self._talk.method == "auto" and attempt.applied:
            if form != "put":
                self._learned.set("update_method", "patch")
            elif astray and not self._learned["update_method"]:
                self._learned.set("update_method", "put")
        for text in attempt.applied:
            self._learned.set(f"trusted:{form}:{text}", "yes")
            if form != "combined" and self._forms() != FORMS[-1:] and not astray:
                self._learned.set(f"form:{family_of(text)}", form)

    def _try(self, form: Form, wish: Wish, todo: Mapping[str, Json]) -> _Attempt:
        if form == "put":
            return self._put(wish, todo)
        shown: Mapping[str, Any] = {}
        if user_forms.needs_shown(form, wish, todo, self._talk.paths):
            shown = self._talk.fetch(USERS, wish.scim_id).resource
        bodies: list[tuple[Sequence[str], Any]] = []
        if form == "combined":
            bodies = [(tuple(todo), user_forms.combined(wish, todo, shown, self._talk.paths))]
        elif form == "families":
            bodies += user_forms.families(wish, todo, shown, self._talk.paths)
        else:
            bodies += user_forms.paths(todo, shown)
        attempt = _Attempt()
        sent: dict[str, Json] = {}
        answer: ScimAnswer | None = None
        for texts, body in bodies:
            latest = self._patch(form, wish, texts, body, attempt)
            if attempt.no_patch:
                break
            if latest is not None:
                answer = latest
                sent |= {text: todo[text] for text in texts}
        if answer is not None:
            attempt.accepted = True
            attempt.status = answer.status
            self._judge(form, wish, sent, answer, attempt)
        return attempt

    def _patch(
        self, form: Form, wish: Wish, texts: Sequence[str], body: Any, attempt: _Attempt
    ) -> ScimAnswer | None:
        """One PATCH; None when the server refuses this form."""
        what = f"update user {wish.scim_id}"
        proven = all(self._learned[f"trusted:{form}:{text}"] for text in texts)
        adds = any(operation["op"] == "add" for operation in body["Operations"])
        try:
            answer = self._talk.http.send("PATCH", [USERS, wish.scim_id], body=body, once=adds)
        except TemporaryError as failure:
            # Some servers answer 500 to a form that they do not know; and an entry that may have been added
            # already is not added again but looked at, which the next form does.
            if (failure.status != 500 or proven) and not (adds and isinstance(failure, Unanswered)):
                raise
            attempt.refuse(failure)
            return None
        if answer.ok:
            return answer
        error = error_for(answer, what)
        if isinstance(error, NotFound):
            # A missing route, a gateway: only a read tells whether the user is gone.
            there = self._talk.still_there(USERS, wish.scim_id, error)
            if self._talk.method != "auto":
                raise there
            attempt.no_patch = attempt.astray = True
            attempt.refuse(there)
            return None
        if answer.status == _NO_SUCH_METHOD:
            attempt.no_patch = True
            attempt.refuse(error)
            if self._talk.method == "auto":
                self._learned.set("update_method", "put")
            return None
        if answer.scim_type == "uniqueness":
            raise AlreadyExists(error.message, status=answer.status)
        if answer.status not in FORM_REFUSED or (proven and answer.scim_type in _VALUE_REFUSED):
            raise error
        attempt.refuse(error)
        return None

    def _put(self, wish: Wish, todo: Mapping[str, Json]) -> _Attempt:
        """GET, change, PUT. A 412 (RFC 7644 section 3.14) and a 404 read and change once more."""
        for last in (False, True):
            found = self._found(wish.scim_id)
            active = as_bool(wish.after.get("active"))
            if active is None:
                shown = as_bool(read(found.resource, parse_path("active")))
                active = shown if shown is not None else wish.before.get("active") is not False
            body = replacement(found.resource, todo, active=active)
            version = self._talk.version(found)
            headers = {"If-Match": version} if version else None
            answer = self._talk.http.send("PUT", [USERS, wish.scim_id], body=body, headers=headers)
            if answer.status not in (404, 410, 412) or last:
                break
        attempt = _Attempt(status=answer.status, accepted=answer.ok)
        if not answer.ok:
            error = error_for(answer, f"update user {wish.scim_id}")
            if isinstance(error, NotFound):
                error = self._talk.still_there(USERS, wish.scim_id, error)
            elif answer.status not in _NEITHER:
                raise error
            if answer.status in _NO_ROUTE and self._learned["update_method"] == "put":
                self._learned.drop("update_method")  # neither: what was learned is no longer so
            attempt.refuse(error)
            return attempt
        self._judge("put", wish, todo, answer, attempt)
        return attempt

    def _found(self, scim_id: str) -> ScimAnswer:
        """The user; asked twice before they are called gone."""
        with suppress(NotFound):
            return self._talk.fetch(USERS, scim_id)
        return self._talk.fetch(USERS, scim_id)

    def _judge(
        self, form: Form, wish: Wish, sent: Mapping[str, Json], answer: ScimAnswer, attempt: _Attempt
    ) -> None:
        """Sorts what was sent into applied, absent and neither, by the answer, or by reading the user again."""
        resource = answer.resource if identifier(answer.resource) == wish.scim_id else {}
        unsure = [text for text in sent if not self._shows(resource, text, sent[text], attempt)]
        if not unsure:
            return
        silent = not any(_shown(resource, text) for text in unsure)
        if silent:
            trusted = all(self._learned[f"trusted:{form}:{text}"] for text in unsure)
            if trusted and self._learned["silent:users"]:
                attempt.applied.update(unsure)
                return
            if all(self._learned[f"hidden:{text}"] for text in unsure):
                attempt.absent.update(unsure)
                return
        resource = self._read_back(wish.scim_id, answered=identifier(answer.resource))
        for text in unsure:
            if not self._shows(resource, text, sent[text], attempt):
                (attempt.denied if _shown(resource, text) else attempt.absent).add(text)
        if silent and attempt.applied.issuperset(unsure):
            self._learned.set("silent:users", "yes")

    def _shows(self, resource: Mapping[str, Any], text: str, asked: Json, attempt: _Attempt) -> bool:
        """Whether the resource shows the asked value; then it is noted as applied."""
        shown = read(resource, parse_path(text))
        if sendable(asked):
            fits = shown is not None and same(shown, asked)
            if not fits and shown is not None and (text == "userName" or text.startswith("emails[")):
                fits = str(shown).casefold() == str(asked).casefold()
                if fits:
                    attempt.notes.append(f"the server keeps {text} in other letter case")
        else:
            fits = shown is None and _shown(resource, "userName")
        if fits:
            attempt.applied.add(text)
            if self._learned[f"hidden:{text}"]:
                self._learned.drop(f"hidden:{text}")
        return fits


def _shown(resource: Mapping[str, Any], text: str) -> bool:
    return read(resource, parse_path(text)) is not None
