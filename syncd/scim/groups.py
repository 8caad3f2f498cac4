"""Renaming and deleting groups; neither ever touches members."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from syncd.core.comparison import GROUP_NAME, Verdict, compare
from syncd.errors import (
    IncompleteRead,
    NotFound,
    PermanentError,
    RefusedError,
    SyncdError,
    TemporaryError,
    concerns_the_connection,
)
from syncd.model import Scalar
from syncd.ports.target import Applied
from syncd.scim import versions
from syncd.scim.answers import FORM_REFUSED, ScimAnswer, error_for
from syncd.scim.conversation import GROUPS, HIDDEN, SHOWN, Conversation
from syncd.scim.flavors import refuse_name
from syncd.scim.listing import Walk
from syncd.scim.wire import group_replacement, identifier, parse_path, patch, read

_FORMS = ("pathless", "path", "put")
_OTHERS = 5
"""How many other groups are read to find out whether the server shows members at all."""
_FORM_KEYS = ("group_rename", "members_add", "members_remove")
_BY_PATCH = ("path", "pathless", "filter", "values")
_OPERATIONS: Mapping[str, Mapping[str, str]] = {"pathless": {}, "path": {"path": "displayName"}}


def patch_is_known_missing(talk: Conversation) -> bool:
    """PUT for every group: by configuration, or because the server was seen to have no PATCH on groups."""
    if not talk.facts.puts_groups:
        return False
    return talk.method == "put" or (talk.method == "auto" and talk.learned["group_update"] == "put")


def may_be_learned(talk: Conversation, form: str, refused: SyncdError | None) -> bool:
    """Whether a form that worked is the one to begin with from now on. A PUT is not, when it stood in for a PATCH that
    went astray (404 although the group is there) on a server where PATCH was seen to work.
    """
    astray = isinstance(refused, TemporaryError) and refused.status in (404, 410)
    return not (astray and form == "put" and any(talk.learned[key] in _BY_PATCH for key in _FORM_KEYS))


class Groups:
    """One request per group at a time."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._learned = talk.learned

    def rename(self, scim_id: str, name: str) -> Applied:
        """See `ports.Target.rename_group`. Raises PermanentError when the server takes the name but keeps the old."""
        refuse_name(self._talk.flavor, name, "rename a group to")
        self._refuse_reserved(scim_id, "renamed")
        with (
            self._talk.group_locks[scim_id],
            self._talk.gone_is_gone(GROUPS, scim_id),
            self._talk.first_contact.alone("group_rename", self._knows_how_to_rename),
        ):
            return self._rename(scim_id, name)

    def _knows_how_to_rename(self) -> bool:
        return bool(self._learned["group_rename"]) or patch_is_known_missing(self._talk)

    def _rename(self, scim_id: str, name: str) -> Applied:
        refused: SyncdError | None = None
        puts = self._talk.method == "auto" and self._talk.facts.puts_groups
        forms: Sequence[str] = _FORMS if puts else _FORMS[:-1]
        if patch_is_known_missing(self._talk):
            forms = _FORMS[-1:]
        elif (known := self._learned["group_rename"]) in forms:
            forms = forms[forms.index(known) :]
        status: int | None = None
        for form in forms:
            if form != "put" and "put" in forms and patch_is_known_missing(self._talk):
                continue  # as this very rename has found out
            try:
                answer = self._send(form, scim_id, name)
            except TemporaryError as failure:
                if failure.status != 500 or self._learned["group_rename"] == form:
                    raise
                refused = refused or failure
                continue
            status = answer.status
            if answer.ok:
                if self._is_named(form, scim_id, name, answer):
                    if may_be_learned(self._talk, form, refused):
                        self._learned.set("group_rename", form)
                    return Applied(scim_id, status)
                continue
            error = error_for(answer, f"rename group {scim_id}")
            if isinstance(error, NotFound):
                error = self._talk.still_there(GROUPS, scim_id, error)
            elif status == 405 and form != "put" and self._talk.method == "auto":
                self._learned.set("group_update", "put")
            elif status not in FORM_REFUSED:
                raise error
            refused = refused or error
        if refused is not None:
            raise refused
        raise PermanentError(
            f"rename group {scim_id}: the server accepts the name but keeps the old one", status=status
        )

    def _send(self, form: str, scim_id: str, name: str) -> ScimAnswer:
        if form == "put":
            return replace_group(self._talk, scim_id, name=name)
        operation: dict[str, Any] = {"op": "replace", **_OPERATIONS[form]}
        operation["value"] = name if form == "path" else {"displayName": name}
        return self._talk.http.send("PATCH", [GROUPS, scim_id], body=patch(operation))

    def _is_named(self, form: str, scim_id: str, name: str, answer: ScimAnswer) -> bool:
        """By the answer; by reading the group when it does not show the name and the form is not known to work."""
        shown = read(answer.resource, parse_path("displayName"))
        if self._is(name, shown) and identifier(answer.resource) in (scim_id, None):
            return True
        trusted = self._learned["group_rename"] == form and not self._talk.facts.swallows
        if shown is None and trusted and self._learned["silent:groups"]:
            return True
        fits = self._is(name, read(self._talk.fetch(GROUPS, scim_id).resource, parse_path("displayName")))
        if fits and shown is None:
            self._learned.set("silent:groups", "yes")
        return fits

    def _is(self, name: str, shown: Scalar | None) -> bool:
        return compare(name, shown, self._learned.habits(GROUP_NAME)) is Verdict.SAME

    def delete(self, scim_id: str) -> Applied:
        """See `ports.Target.delete_group`: whatever it was answered, a group that cannot be read any more is deleted.
        Harness answers 401 for one that is gone.
        """
        self._refuse_reserved(scim_id, "deleted")
        with self._talk.group_locks[scim_id]:
            try:
                return self._delete(scim_id)
            except TemporaryError as failure:
                if failure.status not in (404, 410):
                    raise
            return self._delete(scim_id)

    def _delete(self, scim_id: str) -> Applied:
        try:
            with self._talk.gone_is_gone(GROUPS, scim_id):
                answer = self._talk.http.send("DELETE", [GROUPS, scim_id])
                if answer.ok:
                    return self._seen_gone(scim_id, answer.status)
                error = error_for(answer, f"delete group {scim_id}")
                raise self._talk.still_there(GROUPS, scim_id, error) if isinstance(error, NotFound) else error
        except NotFound as gone:
            return Applied(None, gone.status, "the group was already gone", was_gone=True)

    def _seen_gone(self, scim_id: str, status: int) -> Applied:
        """After a deletion was accepted. Raises PermanentError when the group is there all the same."""
        try:
            self._talk.fetch(GROUPS, scim_id)
        except NotFound:
            return Applied(None, status)
        except SyncdError as failure:
            if concerns_the_connection(failure):
                raise
            return Applied(None, status, f"deleted, not seen to be gone: {failure.message}", verified=False)
        raise PermanentError(
            f"delete group {scim_id}: the server accepts the deletion, but the group is there", status=status
        )

    def _refuse_reserved(self, scim_id: str, done: str) -> None:
        name = self._talk.reserved.get(scim_id)
        if name is not None:
            raise RefusedError(f'"{name}" is reserved by the target and is never {done}')


def replace_group(
    talk: Conversation,
    scim_id: str,
    *,
    name: str | None = None,
    add: Collection[str] = (),
    remove: Collection[str] = (),
) -> ScimAnswer:
    """GET, change the name or the members, PUT.

    Raises NotFound, and PermanentError where the members were not seen whole: the PUT would take the others out.
    """

    def found() -> tuple[ScimAnswer, Mapping[str, Any]]:
        group, now = talk.read_group(scim_id)
        if (
            group.members is None
            and group.whole
            and (_begins_empty(talk, scim_id) or shows_members(talk, besides=scim_id))
        ):
            group = replace(group, members=frozenset())
        if group.members is None or not group.whole:
            shows = "does not show members" if group.members is None else "does not show all members"
            raise PermanentError(
                f"change group {scim_id}: the server {shows}, so a PUT could lose them",
                hint='with update_method = "auto" or "patch" members are changed without a PUT where possible;'
                " one group that shows a member proves that this server shows them",
            )
        changed = (group.members | set(add)) - set(remove)
        return now, group_replacement(now.resource, name=name, members=changed if add or remove else None)

    answer = versions.put(talk, GROUPS, scim_id, found)
    if answer.status in (404, 405, 410):
        talk.learned.drop("group_update")  # neither PATCH nor PUT: what was learned is no longer so
    return answer


def _begins_empty(talk: Conversation, scim_id: str) -> bool:
    """A group made in this conversation that nobody was added to unseen."""
    return scim_id in talk.made_groups and not talk.learned[HIDDEN]


def shows_members(talk: Conversation, *, besides: str) -> bool:
    """Whether this server shows members at all: seen before, or now, in the first other groups of its list, read by id.
    Asked once in a conversation.
    """
    if not (talk.learned[SHOWN] or talk.looked_at_groups.is_set()):
        talk.looked_at_groups.set()
        with suppress(IncompleteRead, NotFound):
            listed = next(iter(Walk(talk, GROUPS, talk.group_of)), ())
            for group in [each for each in listed if each.scim_id != besides][:_OTHERS]:
                with suppress(NotFound):
                    talk.read_group(group.scim_id)
                if talk.learned[SHOWN]:
                    break
    return bool(talk.learned[SHOWN])
