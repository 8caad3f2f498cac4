"""Changing the members of one group by what differs, so that it is known to have happened.

add      path      one `add` operation on `members` with the ids
         pathless  the same without a path
remove   filter    one `remove` operation per member: members[value eq "id"]
         values    one `remove` on `members` with the ids, between two reads: some servers ignore it, and read
                   literally it empties the whole group, which is then repaired once and never tried again
both     put       GET, change the list, PUT

Each form is tried where the one before it was refused or had no effect; what worked is remembered. A refused batch is
halved until the member that the server does not take stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.errors import AccessDenied, NotFound, PermanentError, SyncdError, TemporaryError
from syncd.ports.target import MemberOutcome
from syncd.target.answers import FORM_REFUSED, ScimAnswer, Unanswered, error_for
from syncd.target.conversation import GROUPS, Conversation
from syncd.target.groups import may_be_learned, patch_is_known_missing, replace_group
from syncd.target.scim_wire import equals, identifier, members_of, patch

_ADD = ("path", "pathless", "put")
_REMOVE = ("filter", "values", "put")
_KEY = {True: "members_add", False: "members_remove"}
_HALVINGS = 64
"""Requests that one call may spend on finding the members that a server does not take."""


@dataclass(slots=True)
class _Work:
    """One call under way."""

    scim_id: str
    done: dict[bool, set[str]] = field(default_factory=lambda: {True: set(), False: set()})
    failed: dict[str, Exception] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    status: int | None = None
    halvings: int = _HALVINGS

    @property
    def started(self) -> bool:
        return bool(self.done[True] or self.done[False])

    def fail(self, ids: Collection[str], error: Exception) -> None:
        self.failed.update(dict.fromkeys(ids, error))


class Members:
    """One request per group at a time."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._learned = talk.learned

    def change(self, scim_id: str, *, add: Sequence[str], remove: Sequence[str]) -> MemberOutcome:
        """See `ports.Target.change_members`. Raises NotFound when the group is gone, AccessDenied before any effect."""
        work = _Work(scim_id)
        batches = [(True, batch) for batch in self._batches(add)]
        batches += [(False, batch) for batch in self._batches(remove)]
        with self._talk.group_locks[scim_id]:
            for place, (adding, batch) in enumerate(batches):
                try:
                    self._batch(work, batch, adding=adding)
                except NotFound:
                    raise
                except (TemporaryError, AccessDenied) as failure:
                    if isinstance(failure, AccessDenied) and not work.started:
                        raise
                    # The group or the whole server is not well: what has not been sent would only wait again.
                    rest = {member for _, later in batches[place:] for member in later}
                    work.fail(rest - work.done[adding] - set(work.failed), failure)
                    break
                except PermanentError as failure:
                    work.fail(set(batch) - work.done[adding] - set(work.failed), failure)
        return MemberOutcome(
            added=frozenset(work.done[True]),
            removed=frozenset(work.done[False]),
            failed=work.failed,
            status=work.status,
            note="; ".join(dict.fromkeys(work.notes)),
            verified=not self._learned["hidden:members"],
        )

    def _batches(self, ids: Sequence[str]) -> Sequence[Sequence[str]]:
        unique = list(dict.fromkeys(ids))
        size = max(1, self._talk.member_batch)
        return [unique[start : start + size] for start in range(0, len(unique), size)]

    def _forms(self, *, adding: bool) -> Sequence[str]:
        """The forms still worth trying, the one that worked before first."""
        forms: Sequence[str] = _ADD if adding else _REMOVE
        if self._learned["members_values"] == "clears":
            forms = [form for form in forms if form != "values"]
        if patch_is_known_missing(self._talk):
            return forms[-1:]
        if self._talk.method == "patch":
            forms = forms[:-1]
        known = self._learned[_KEY[adding]]
        return forms[forms.index(known) :] if known in forms else forms

    def _batch(self, work: _Work, ids: Sequence[str], *, adding: bool) -> None:
        """All forms for one batch. Everything in `ids` is done or failed afterwards."""
        refused: SyncdError | None = None
        left = list(ids)
        forms = self._forms(adding=adding)
        for form in forms:
            if form != "put" and patch_is_known_missing(self._talk):
                continue
            if form == "values" and refused is not None and _status(refused) not in FORM_REFUSED:
                continue  # it may empty the group: only where the server refused the other form as such
            answer, error = self._send(work, form, left, adding=adding)
            if answer is not None:
                left = self._still_open(work, form, answer, left, adding=adding, refused=refused)
            elif error is not None:
                refused = refused or error
                left = self._after_refusal(work, left, adding=adding)
                if left and self._learned[_KEY[adding]] == form:
                    self._halve(work, form, left, error, adding=adding)
                    return
            if not left:
                return
        if refused is not None:
            self._halve(work, forms[0], left, refused, adding=adding)
            return
        done = "add" if adding else "remove"
        message = f"change group {work.scim_id}: the server accepts the request but does not {done} members"
        work.fail(left, PermanentError(message, status=work.status))

    def _send(
        self, work: _Work, form: str, ids: Sequence[str], *, adding: bool
    ) -> tuple[ScimAnswer | None, SyncdError | None]:
        """The answer when it is a success, else the refusal. Both None: the form cannot be used safely here."""
        sender: Callable[[_Work, Sequence[str]], ScimAnswer | None]
        if form == "put":
            added, removed = (ids, ()) if adding else ((), ids)
            answer: ScimAnswer | None = replace_group(self._talk, work.scim_id, add=added, remove=removed)
        elif form == "values":
            sender = self._trusted_values if self._learned["members_remove"] == form else self._watched_values
            answer = sender(work, ids)
        else:
            try:
                answer = self._add(work, form, ids) if adding else self._patch(work, _body(form, ids))
            except TemporaryError as failure:
                if failure.status != 500 or self._learned[_KEY[adding]] == form:
                    raise
                return None, failure  # some servers answer 500 to a form that they do not know
        if answer is None:
            return None, None
        work.status = answer.status
        if answer.ok:
            return answer, None
        error = error_for(answer, f"change members of group {work.scim_id}")
        if isinstance(error, NotFound):
            # Whoever asked reads the group next, and hears NotFound there when it is gone.
            error = TemporaryError(f"{error.message}, but the group is there", status=answer.status)
        elif answer.status == 405 and form != "put" and self._talk.method == "auto":
            self._learned.set("group_update", "put")
        elif answer.status not in FORM_REFUSED and answer.status not in (409, 413):
            raise error
        return None, error

    def _add(self, work: _Work, form: str, ids: Sequence[str]) -> ScimAnswer:
        """An addition that was not answered is looked at before it is sent again: some servers list a member twice."""
        left, tries = list(ids), self._talk.http.between_tries()
        while left:
            try:
                return self._patch(work, _body(form, left), once=True)
            except Unanswered as lost:
                maybe_unknown = lost.status == 500 and self._learned[_KEY[True]] != form
                if maybe_unknown or next(tries, None) is None:
                    raise
                shown = self._read(work)
                if shown is None:
                    raise
                left = _open(left, shown, adding=True)
        return ScimAnswer(200, {}, None, "")  # everybody is in: the read said so

    def _patch(self, work: _Work, body: Any, *, once: bool = False) -> ScimAnswer:
        return self._talk.http.send("PATCH", [GROUPS, work.scim_id], body=body, once=once)

    def _still_open(
        self,
        work: _Work,
        form: str,
        answer: ScimAnswer,
        ids: Sequence[str],
        *,
        adding: bool,
        refused: SyncdError | None = None,
    ) -> list[str]:
        """Notes what a success achieved; returns the ids that it did not, as far as the server shows."""
        known = self._learned[_KEY[adding]] == form
        shown = self._shown_by(work, answer)
        silent = shown is None
        if silent and not (known and self._learned["silent:groups"]):
            shown = self._read(work)
        elif shown is not None and _open(ids, shown, adding=adding):
            shown = self._read(work)  # an answer may show a part of a large group, or the state before
        left = _open(ids, shown, adding=adding) if shown is not None else []
        work.done[adding].update(set(ids) - set(left))
        if silent and not left:
            self._learned.set("silent:groups", "yes")
        clears = form == "values" and self._learned["members_values"] == "clears"
        if not left and not known and not clears and may_be_learned(self._talk, form, refused):
            self._learned.set(_KEY[adding], form)
        return left

    def _shown_by(self, work: _Work, answer: ScimAnswer) -> frozenset[str] | None:
        resource = answer.resource
        shown = members_of(resource) if identifier(resource) == work.scim_id else None
        if shown:
            self._talk.group_of(resource)
        return shown

    def _read(self, work: _Work) -> frozenset[str] | None:
        """The members now; None when this server shows none at all."""
        group = self._talk.group_of(self._talk.fetch(GROUPS, work.scim_id).body)
        if group is None or group.members is None:
            if self._learned["members_shown"]:
                return frozenset()
            self._learned.set("hidden:members", "yes")
            return None
        return group.members

    def _after_refusal(self, work: _Work, ids: Sequence[str], *, adding: bool) -> list[str]:
        """Some servers answer noTarget when one of many is no member any more: look. Raises NotFound when the group is
        gone.
        """
        shown = self._read(work)
        if shown is None:
            return list(ids)
        left = _open(ids, shown, adding=adding)
        work.done[adding].update(set(ids) - set(left))
        return left

    def _halve(self, work: _Work, form: str, ids: Sequence[str], error: SyncdError, *, adding: bool) -> None:
        """`ids` were refused together: sends each half alone, so that one bad member fails alone."""
        if len(ids) == 1 or work.halvings <= 0:
            work.fail(ids, error)
            return
        middle = len(ids) // 2
        for half in (ids[:middle], ids[middle:]):
            work.halvings -= 1
            answer, refused = self._send(work, form, half, adding=adding)
            if answer is not None:
                left = self._still_open(work, form, answer, half, adding=adding)
                if left:
                    work.fail(left, error)
            else:
                self._halve(work, form, half, refused or error, adding=adding)

    def _trusted_values(self, work: _Work, ids: Sequence[str]) -> ScimAnswer:
        return self._patch(work, _body("values", ids))

    def _watched_values(self, work: _Work, ids: Sequence[str]) -> ScimAnswer | None:
        """Removal by value array between two reads; None when this server does not show members."""
        before = self._read(work)
        if before is None:
            return None
        answer = self._patch(work, _body("values", ids))
        if not answer.ok:
            return answer
        after = self._read(work) or frozenset()
        lost = before - set(ids) - after
        if lost:
            self._restore(work, sorted(lost))
        return answer

    def _restore(self, work: _Work, lost: Sequence[str]) -> None:
        """The removal took members that nobody named: puts them back, and never uses this form again."""
        self._learned.set("members_values", "clears")
        self._learned.drop("members_remove")
        work.notes.append(f"the server removed {len(lost)} members too many; they were added again")
        for batch in self._batches(lost):
            body = _body("path" if self._learned["members_add"] != "pathless" else "pathless", batch)
            answer = self._patch(work, body)
            if not answer.ok:
                error = error_for(answer, f"restore {len(batch)} members of group {work.scim_id}")
                raise (
                    self._talk.still_there(GROUPS, work.scim_id, error)
                    if isinstance(error, NotFound)
                    else error
                )
        missing = set(lost) - (self._read(work) or frozenset())
        if missing:
            names = ", ".join(sorted(missing)[:10])
            message = f"group {work.scim_id} lost {len(missing)} members that the server does not take back: {names}"
            raise TemporaryError(message)


def _status(error: SyncdError) -> int | None:
    return error.status if isinstance(error, TemporaryError | PermanentError) else None


def _open(ids: Collection[str], shown: frozenset[str], *, adding: bool) -> list[str]:
    """The ids for which the shown members are not yet as wanted."""
    return [member for member in ids if (member in shown) is not adding]


def _body(form: str, ids: Sequence[str]) -> Mapping[str, Any]:
    values = [{"value": member} for member in ids]
    if form == "path":
        return patch({"op": "add", "path": "members", "value": values})
    if form == "pathless":
        return patch({"op": "add", "value": {"members": values}})
    if form == "values":
        return patch({"op": "remove", "path": "members", "value": values})
    return patch(*({"op": "remove", "path": f"members[{equals('value', member)}]"} for member in ids))
