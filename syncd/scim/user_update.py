"""Changing one user so that it is known to have happened.

A 2xx is believed only where it shows the values, or where the same form was seen to work for the same attribute
before. What was not applied is tried again in the next form, each form once; what worked is remembered, so that one
changed user costs one request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from syncd.core.change import Json
from syncd.core.comparison import Habit, Verdict, compare, explained, in_words, is_letter_case
from syncd.errors import AlreadyExists, NotFound, PermanentError, TemporaryError
from syncd.ports.target import Applied
from syncd.scim import user_forms, versions
from syncd.scim.answers import FORM_REFUSED, ScimAnswer, Unanswered, error_for
from syncd.scim.conversation import USERS, Conversation
from syncd.scim.search import Search
from syncd.scim.user_attempt import Attempt
from syncd.scim.user_forms import FORMS, Form, Wish, family_of
from syncd.scim.wire import as_bool, identifier, parse_path, read, replacement, sendable

_VALUE_REFUSED = frozenset({"invalidValue", "mutability", "sensitive", "tooMany"})
_NO_SUCH_METHOD = 405
_NO_ROUTE = (404, 405, 410)
_NEITHER = (400, 405, 422, 501)


class _VanishedError(NotFound):
    """The user was there when it was written to, and is gone now."""


class UserUpdate:
    """Update, reactivation, adoption and deactivation are one thing here: values that shall be as asked."""

    def __init__(self, talk: Conversation, search: Search) -> None:
        self._talk = talk
        self._search = search
        self._learned = talk.learned

    def deactivate(self, scim_id: str, *, invited: bool = False) -> Applied:
        """`active` false. `Applied.scim_id` is None when the target has removed the user, as some do unannounced."""
        try:
            applied = self._change(Wish(scim_id, {"active": True}, {"active": False}, invited=invited))
            if self._learned["deactivation"] == "removes":
                self._read_back(scim_id)
        except _VanishedError as gone:
            self._learned.set("deactivation", "removes")
            return Applied(scim_id=None, status=gone.status, note="the target has removed the user")
        except NotFound as gone:
            try:
                # Asked once more: whoever is taken for gone keeps an account that is not.
                there = self._talk.still_there(USERS, scim_id, gone)
            except NotFound:
                return Applied(None, gone.status, "the user was already gone", was_gone=True)
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

    def update(self, wish: Wish) -> Applied:
        """See `ports.Target.update_user`. Raises PermanentError when no form makes the server take the values, and
        NotFound only when reading the user finds nobody either.
        """
        try:
            return self._change(wish)
        except _VanishedError as gone:
            message = f"{gone.message}, just after it took a change"
            raise TemporaryError(message, status=gone.status) from gone

    def _change(self, wish: Wish) -> Applied:
        with self._talk.gone_is_gone(USERS, wish.scim_id):
            families = " ".join(sorted({family_of(text) for text in wish.after}))
            with self._talk.first_contact.alone(f"users: {families}", lambda: self._is_known(wish)):
                return self._form_by_form(wish)

    def _is_known(self, wish: Wish) -> bool:
        """Which form works for all that is to be changed."""
        return len(self._forms()) == 1 or all(
            self._learned[f"form:{family_of(text)}"] or self._learned[f"trusted:{FORMS[0]}:{text}"]
            for text in wish.after
        )

    def _form_by_form(self, wish: Wish) -> Applied:
        left = dict(wish.after)
        total = Attempt()
        hidden: set[str] = set()
        for form in self._in_order(total):
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
                return Applied(
                    wish.scim_id, total.status, total.note, verified=not hidden, active=total.active
                )
        return self._settle(wish, left, total)

    def _settle(self, wish: Wish, left: Mapping[str, Json], total: Attempt) -> Applied:
        """After the last form: what the server takes but never shows of anybody is accepted, and what may be there for
        all that can be told; everything else is an error.
        """
        names = ", ".join(sorted(left))
        hidden = {text for text in total.absent if not self._learned[f"shown:{text}"]}
        if set(left) <= hidden | total.unsure.keys():
            self._take_as_it_is(left, total)
            return Applied(wish.scim_id, total.status, total.note, verified=False, active=total.active)
        if total.refused is not None and not total.denied:
            raise total.refused
        raise PermanentError(
            f"update user {wish.scim_id}: the server accepts but does not store {names}",
            status=total.status,
            hint="take the attribute out of [attributes], or set it in Split so that it can be changed there",
        ) from total.refused

    def _take_as_it_is(self, left: Mapping[str, Json], total: Attempt) -> None:
        """Remembers and notes why `left` was accepted without having been seen."""
        absent = sorted(set(left) & total.absent)
        for text in absent:
            self._learned.set(f"hidden:{text}", "yes")
        if absent:
            total.notes.append(f"the server does not show {', '.join(absent)}")
        for text in sorted(set(left) - set(absent)):
            if text == "active":
                total.notes.append("the account is shown inactive until its invitation is accepted")
            elif ignores_case(text) and is_letter_case(left[text], total.unsure[text]):
                self._learned.take(text, Habit.CASE)
                total.notes.append(f"the server keeps {text} in other letter case")
            else:
                made = explained(left[text], total.unsure[text]) or frozenset()
                total.notes.append(f"the server shows {text} {in_words(made)}, as it was before")

    def _in_order(self, total: Attempt) -> Iterator[Form]:
        """PUT before further forms of PATCH, once one was refused and the server says that it has no PATCH."""
        forms = list(self._forms())
        while forms:
            yield forms.pop(0)
            refused = total.refused is not None and not total.no_patch
            if refused and len(forms) > 1 and "put" in forms and self._says_no_patch():
                forms.remove("put")
                forms.insert(0, "put")

    def _says_no_patch(self) -> bool:
        return not self._learned["update_method"] and self._talk.first_contact.says_no_patch(self._talk.http)

    def _forms(self) -> Sequence[Form]:
        if len(self._talk.facts.update_forms) == 1:
            return self._talk.facts.update_forms
        method = self._talk.method
        if method == "put" or (method == "auto" and self._learned["update_method"] == "put"):
            return FORMS[-1:]
        return FORMS if method == "auto" else FORMS[:-1]

    def _starts_at(self, text: str) -> int:
        """The first form worth trying for an attribute, by what worked for its family before."""
        known = self._learned[f"form:{family_of(text)}"]
        position = next((place for place, form in enumerate(FORMS) if form == known), 0)
        return min(position, FORMS.index(self._forms()[-1]))

    def _remember(self, form: Form, attempt: Attempt, *, astray: bool) -> None:
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

    def _try(self, form: Form, wish: Wish, todo: Mapping[str, Json]) -> Attempt:
        if form == "put":
            return self._put(wish, todo)
        shown: Mapping[str, Any] = {}
        untyped = self._is_untyped
        if user_forms.needs_shown(form, wish, todo, self._talk.paths, is_untyped=untyped):
            shown = self._talk.fetch(USERS, wish.scim_id).resource
        bodies: list[tuple[Sequence[str], Any]] = []
        if form == "combined":
            bodies = [(tuple(todo), user_forms.combined(wish, todo, shown, self._talk.paths))]
        elif form == "families":
            bodies += user_forms.families(wish, todo, shown, self._talk.paths)
        else:
            bodies += user_forms.paths(todo, shown)
        attempt = Attempt()
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

    def _is_untyped(self, name: str) -> bool:
        return bool(self._learned[f"untyped:{name}"])

    def _patch(
        self, form: Form, wish: Wish, texts: Sequence[str], body: Any, attempt: Attempt
    ) -> ScimAnswer | None:
        """One PATCH; None when the server refuses this form."""
        what = f"update user {wish.scim_id}"
        proven = all(self._learned[f"trusted:{form}:{text}"] for text in texts)
        adds = any(operation["op"] == "add" for operation in body["Operations"])
        try:
            trial = nullcontext() if proven or form == self._forms()[-1] else self._talk.http.trial.form()
            with trial:
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
            attempt.astray = self._learned["update_method"] == "patch"
            if self._talk.method == "auto" and not attempt.astray:
                self._learned.set("update_method", "put")
            return None
        if answer.scim_type == "uniqueness":
            raise AlreadyExists(error.message, status=answer.status)
        if answer.status not in FORM_REFUSED or (proven and answer.scim_type in _VALUE_REFUSED):
            raise error
        attempt.refuse(error)
        return None

    def _put(self, wish: Wish, todo: Mapping[str, Json]) -> Attempt:
        """GET, change, PUT. `active` is always sent."""

        def found() -> tuple[ScimAnswer, Mapping[str, Any]]:
            if self._talk.facts.puts_whole and wish.whole:
                whole = replacement({}, {**wish.whole, **todo}, active=True)
                return ScimAnswer(200, {}, None, ""), {"id": wish.scim_id, **whole}
            now = self._found(wish.scim_id)
            active = as_bool(wish.after.get("active"))
            if active is None:
                shown = as_bool(read(now.resource, parse_path("active")))
                active = shown if shown is not None else wish.before.get("active") is not False
            return now, replacement(now.resource, todo, active=active)

        answer = versions.put(self._talk, USERS, wish.scim_id, found)
        attempt = Attempt(status=answer.status, accepted=answer.ok)
        if not answer.ok:
            error = error_for(answer, f"update user {wish.scim_id}")
            if isinstance(error, NotFound):
                there = self._talk.still_there(USERS, wish.scim_id, error)
                refuses = self._talk.facts.refuses_by_404
                error = PermanentError(error.message, status=answer.status) if refuses else there
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
        self, form: Form, wish: Wish, sent: Mapping[str, Json], answer: ScimAnswer, attempt: Attempt
    ) -> None:
        """Sorts what was sent into applied, absent and neither, by the answer, or by reading the user again."""
        resource = answer.resource if identifier(answer.resource) == wish.scim_id else {}
        self._talk.user_alone(resource)
        unseen = [text for text in sent if not self._shows(form, wish, resource, text, attempt)]
        if not unseen:
            return
        silent = not any(_shown(resource, text) for text in unseen)
        if silent:
            trusted = all(self._learned[f"trusted:{form}:{text}"] for text in unseen)
            if trusted and self._learned["silent:users"]:
                attempt.applied.update(unseen)
                return
            if all(self._learned[f"hidden:{text}"] for text in unseen):
                attempt.absent.update(unseen)
                return
        resource = self._read_back(wish.scim_id, answered=identifier(answer.resource))
        attempt.unsure.clear()
        for text in unseen:
            if self._is_listed(wish, text, attempt, resource):
                continue
            if not self._shows(form, wish, resource, text, attempt) and text not in attempt.unsure:
                (attempt.denied if _shown(resource, text) else attempt.absent).add(text)
        if silent and attempt.applied.issuperset(unseen):
            self._learned.set("silent:users", "yes")

    def _is_listed(self, wish: Wish, text: str, attempt: Attempt, resource: Mapping[str, Any]) -> bool:
        """Whether a list shows the asked value, of a user who shows none by id (Harness: the parts of the name)."""
        if not self._talk.facts.names_in_lists or _shown(resource, text):
            return False
        name = (
            wish.after.get("userName") or wish.whole.get("userName") or read(resource, parse_path("userName"))
        )
        self._talk.http.doubt.unseen_in_part()
        listed = self._search.listed(wish.scim_id, str(name))
        shown = listed.attributes.get(text) if listed is not None else None
        if shown is None or self._compared(wish, text, shown, attempt) is not Verdict.SAME:
            if shown is not None:
                attempt.denied.add(text)
            return False
        attempt.applied.add(text)
        self._learned.drop(f"hidden:{text}")
        return True

    def _shows(
        self, form: Form, wish: Wish, resource: Mapping[str, Any], text: str, attempt: Attempt
    ) -> bool:
        """Whether the resource shows the asked value; then it is noted as applied. Where it shows what may be it, a
        form that is known to work for the attribute is believed.
        """
        asked, shown = wish.after[text], read(resource, parse_path(text))
        if text == "active":
            attempt.active = as_bool(shown) if shown is not None else attempt.active
        if not sendable(asked):
            fits, may_be = shown is None and _shown(resource, "userName"), False
        elif text == "active" and wish.invited and shown is not None:
            fits, may_be = shown is True and asked is True, shown is False
        else:
            verdict = self._compared(wish, text, shown, attempt)
            fits = verdict is Verdict.SAME
            may_be = verdict is Verdict.CANNOT_TELL and shown is not None
        if may_be and not fits:
            fits = bool(self._learned[f"trusted:{form}:{text}"])
            if not fits:
                attempt.unsure[text] = shown
        if fits:
            attempt.applied.add(text)
            if self._learned[f"hidden:{text}"]:
                self._learned.drop(f"hidden:{text}")
        return fits

    def _compared(self, wish: Wish, text: str, shown: Json, attempt: Attempt) -> Verdict:
        asked = wish.after[text]
        verdict = compare(asked, shown, self._learned.updated(text, wish.before.get(text), asked, shown))
        if verdict is Verdict.SAME and (made := explained(asked, shown)):
            attempt.notes.append(f"the server keeps {text} {in_words(made)}")
        if verdict is Verdict.DIFFERENT and ignores_case(text) and is_letter_case(asked, shown):
            return (
                Verdict.CANNOT_TELL
            )  # RFC 7643 section 4.1: caseExact is false, so this may be no change at all
        return verdict


def ignores_case(text: str) -> bool:
    """What people are known by: a server may take a change of its letter case for no change (RFC 7643 section 4.1)."""
    return text == "userName" or text.startswith("emails[")


def _shown(resource: Mapping[str, Any], text: str) -> bool:
    return read(resource, parse_path(text)) is not None
