"""Changing the members of one group by what differs, so that it is known to have happened.

add      path      one `add` operation on `members` with the ids
         pathless  the same without a path
remove   filter    one `remove` operation per member: members[value eq "id"]
         values    one `remove` on `members` with the ids, between two reads: some servers ignore it, and read
                   literally it empties the whole group, which is then repaired once and never tried again
both     put       GET, change the list, PUT

Each form is tried where the one before it was refused or had no effect; what worked is remembered. A refused batch is
halved until the member that the server does not take stands alone.

What a server does not show proves nothing. Who was added with success by a server that shows no members, or a part of
them, counts as added, unverified; who was never sent a removal is never taken for removed because nobody is shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from syncd.errors import (
    AccessDenied,
    ConnectionSick,
    NotFound,
    PermanentError,
    SyncdError,
    TemporaryError,
    concerns_the_connection,
    kept,
)
from syncd.model import RemoteGroup
from syncd.ports.target import MemberOutcome
from syncd.scim.answers import FORM_REFUSED, ScimAnswer, Unanswered, error_for
from syncd.scim.conversation import CUT, GROUPS, HIDDEN, USERS, Conversation
from syncd.scim.groups import may_be_learned, patch_is_known_missing, replace_group, shows_members
from syncd.scim.member_work import MemberWork
from syncd.scim.takeover import take_over
from syncd.scim.wire import equals, identifier, patch

_ADD = ("path", "pathless", "put")
_REMOVE = ("filter", "values", "put")
_KEY = {True: "members_add", False: "members_remove"}
_KNOWN_CUTS = (20, 50, 100, 200, 250, 500, 1000)
"""Lengths at which servers were seen, or say, to cut lists of members."""
_ERROR = 500
_PERHAPS_THE_GROUPS = (401, 403, _ERROR)


class Members:
    """One request per group at a time."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._learned = talk.learned

    def change(self, scim_id: str, *, add: Sequence[str], remove: Sequence[str]) -> MemberOutcome:
        """See `ports.Target.change_members`. Raises NotFound when the group is gone, AccessDenied before any effect."""
        work = MemberWork(scim_id)
        batches = [(True, batch) for batch in self._batches(add)]
        batches += [(False, batch) for batch in self._batches(remove)]
        with self._talk.group_locks[scim_id]:
            for place, (adding, batch) in enumerate(batches):
                try:
                    with self._talk.gone_is_gone(GROUPS, scim_id):
                        self._batch(work, batch, adding=adding)
                except NotFound:
                    raise
                except (TemporaryError, AccessDenied, ConnectionSick) as failure:
                    if concerns_the_connection(failure) and not work.started:
                        raise
                    # The group or the whole server is not well: what has not been sent would only wait again.
                    rest = {member for _, later in batches[place:] for member in later}
                    self._fail(work, rest - work.done[adding] - set(work.failed), failure)
                    break
                except PermanentError as failure:
                    self._fail(work, set(batch) - work.done[adding] - set(work.failed), failure)
        return MemberOutcome(
            added=frozenset(work.done[True]),
            removed=frozenset(work.done[False]),
            failed=work.failed,
            status=work.status,
            note="; ".join(dict.fromkeys(work.notes)),
            verified=work.verified,
        )

    def _fail(self, work: MemberWork, ids: Collection[str], error: Exception) -> None:
        work.failed.update(dict.fromkeys(ids, kept(self._talk.http.doubt.about(error) or error)))

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
        if self._talk.method == "patch" or not self._talk.facts.puts_groups:
            forms = forms[:-1]
        known = self._learned[_KEY[adding]]
        return forms[forms.index(known) :] if known in forms else forms

    def _batch(self, work: MemberWork, ids: Sequence[str], *, adding: bool) -> None:
        """All forms for one batch. Everything in `ids` is done or failed afterwards."""
        key = _KEY[adding]

        def is_known() -> bool:
            return bool(self._learned[key]) or len(self._forms(adding=adding)) == 1

        with self._talk.first_contact.alone(key, is_known):
            self._form_by_form(work, ids, adding=adding)

    def _form_by_form(self, work: MemberWork, ids: Sequence[str], *, adding: bool) -> None:
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
                denied = isinstance(error, AccessDenied)
                if left and (denied or self._learned[_KEY[adding]] == form):
                    self._halve(work, form, left, error, adding=adding)
                    if denied and work.failed.keys() >= set(left):
                        raise error  # the group takes nobody: the next batch is not tried
                    return
            if not left:
                return
        if refused is not None:
            self._halve(work, forms[0], left, refused, adding=adding)
            return
        done = "add" if adding else "remove"
        message = f"change group {work.scim_id}: the server accepts the request but does not {done} members"
        self._fail(work, left, PermanentError(message, status=work.status))

    def _send(
        self, work: MemberWork, form: str, ids: Sequence[str], *, adding: bool
    ) -> tuple[ScimAnswer | None, SyncdError | None]:
        """The answer when it is a success, else the refusal. Both None: the form cannot be used safely here."""
        try:
            answer = self._in_form(work, form, ids, adding=adding)
        except AccessDenied as denied:
            if concerns_the_connection(denied):
                raise
            return None, denied  # the group is forbidden, or one of the members
        except TemporaryError as failure:
            if failure.status != _ERROR:
                raise
            return None, failure  # the form, or one of the members, is not to the server's liking
        if answer is None:
            return None, None
        work.status = answer.status
        if answer.ok:
            return answer, None
        error = error_for(answer, f"change members of group {work.scim_id}")
        if isinstance(error, NotFound) and self._talk.facts.identifies and not work.taken_over:
            work.taken_over = True  # it was made by hand, or SCIM was switched off in between
            if note := take_over(self._talk, work.scim_id).note:
                work.notes.append(note)
            return self._send(work, form, ids, adding=adding)
        if isinstance(error, NotFound):
            # Whoever asked reads the group next, and hears NotFound there when it is gone.
            error = TemporaryError(f"{error.message}, but the group is there", status=answer.status)
        elif answer.status == 405 and form != "put" and self._talk.method == "auto":
            self._learned.set("group_update", "put")
        elif answer.status not in FORM_REFUSED and answer.status not in (409, 413):
            raise error
        return None, error

    def _in_form(self, work: MemberWork, form: str, ids: Sequence[str], *, adding: bool) -> ScimAnswer | None:
        if form == "put":
            added, removed = (ids, ()) if adding else ((), ids)
            return replace_group(self._talk, work.scim_id, add=added, remove=removed)
        if form == "values":
            trusted = self._learned["members_remove"] == form
            return (self._trusted_values if trusted else self._watched_values)(work, ids)
        if adding:
            return self._add(work, form, ids)
        return self._patch(work, _body(form, ids), once=work.halving)

    def _add(self, work: MemberWork, form: str, ids: Sequence[str]) -> ScimAnswer:
        """An addition that was not answered is looked at before it is sent again: some servers list a member twice."""
        left, tries = list(ids), self._talk.http.between_tries()
        while left:
            try:
                return self._patch(work, _body(form, left), once=True)
            except Unanswered as lost:
                once = lost.status == _ERROR and (work.halving or self._learned[_KEY[True]] != form)
                if once or next(tries, None) is None:
                    raise
                left = _open(left, self._read(work), adding=True)
        return ScimAnswer(200, {}, None, "")  # everybody is in: the read said so

    def _patch(self, work: MemberWork, body: Any, *, once: bool = False) -> ScimAnswer:
        return self._talk.http.send("PATCH", [GROUPS, work.scim_id], body=body, once=once)

    def _still_open(
        self,
        work: MemberWork,
        form: str,
        answer: ScimAnswer,
        ids: Sequence[str],
        *,
        adding: bool,
        refused: SyncdError | None = None,
    ) -> list[str]:
        """Notes what a success achieved; returns the ids that it did not, as far as the server shows."""
        known = self._learned[_KEY[adding]] == form
        shown = self._shown_by(work, form, answer)
        silent = shown is None
        if silent and known and self._learned["silent:groups"] and not self._talk.facts.swallows:
            self._talk.http.doubt.looked()
            work.done[adding].update(ids)
            return []
        if shown is None or _open(ids, shown, adding=adding):
            shown = self._read(work)  # an answer may show a part of a large group, or the state before
        if shown.members is None and shown.whole:
            shown = self._insist(work, form, ids, shown, adding=adding)
        left = self._unproven(work, shown, ids, adding=adding)
        self._talk.http.doubt.looked()
        work.done[adding].update(set(ids) - set(left))
        proven = not left and shown.members is not None
        if silent and proven:
            self._learned.set("silent:groups", "yes")
        clears = form == "values" and self._learned["members_values"] == "clears"
        if proven and not known and not clears and may_be_learned(self._talk, form, refused):
            self._learned.set(_KEY[adding], form)
        return left

    def _unproven(
        self, work: MemberWork, shown: RemoteGroup, ids: Sequence[str], *, adding: bool
    ) -> list[str]:
        """The ids of an accepted request of which the server shows that they are not as wanted. Of whom it shows
        nothing, nobody can tell: they count as done, unverified.
        """
        if shown.members is None:
            if adding and shown.whole:
                self._learned.set(HIDDEN, "yes")
            work.doubt("the server shows no members: sent, not seen")
            return []
        left = [member for member in ids if (member in shown.members) is not adding]
        if not adding or not left:
            return left
        worked = len(left) < len(ids) or self._learned[_KEY[True]]
        if shown.whole and not (worked and self._is_cut(shown, left[0])):
            return left
        self._learned.set(CUT, str(len(shown.members)))
        work.doubt("the server does not show all members: sent, not seen")
        return []

    def _is_cut(self, shown: RemoteGroup, member: str) -> bool:
        """Whether this list is cut short, or the server dropped the member: by the user's own groups, where the server
        shows those (RFC 7643 section 4.1.2), else by a length at which servers are known to cut.
        """
        try:
            user = self._talk.fetch(USERS, member).resource
        except NotFound:
            return False
        groups = user.get("groups")
        if isinstance(groups, list):
            return any(isinstance(group, dict) and group.get("value") == shown.scim_id for group in groups)
        return len(shown.members or ()) in _KNOWN_CUTS

    def _insist(
        self, work: MemberWork, form: str, ids: Sequence[str], shown: RemoteGroup, *, adding: bool
    ) -> RemoteGroup:
        """A change was accepted, and no members are shown. Before the server is taken for one that hides them, other
        groups are looked at, and an addition is sent once in the other form.
        """
        hidden = bool(self._learned[HIDDEN])
        if (adding or not hidden) and shows_members(self._talk, besides=work.scim_id):
            return replace(shown, members=frozenset())
        if not adding or form != "path" or hidden:
            return shown
        with suppress(TemporaryError):
            self._patch(work, _body("pathless", ids), once=True)
        return self._read(work)

    def _shown_by(self, work: MemberWork, form: str, answer: ScimAnswer) -> RemoteGroup | None:
        """The group in the answer to a PATCH. That to a PUT may be an echo, and an empty list is no proof."""
        if form == "put" or identifier(answer.resource) != work.scim_id:
            return None
        group = self._talk.group_of(answer.resource)
        return group if group is not None and group.members else None

    def _read(self, work: MemberWork) -> RemoteGroup:
        """The group now; `members` is None when nothing is known of them."""
        return self._talk.read_group(work.scim_id)[0]

    def _after_refusal(self, work: MemberWork, ids: Sequence[str], *, adding: bool) -> list[str]:
        """Some servers answer noTarget when one of many is no member any more: look. Raises NotFound when the group is
        gone.
        """
        left = _open(ids, self._read(work), adding=adding)
        work.done[adding].update(set(ids) - set(left))
        return left

    def _halve(
        self, work: MemberWork, form: str, ids: Sequence[str], error: SyncdError, *, adding: bool
    ) -> None:
        """`ids` were refused together: sends each half alone, and halves what is refused again, so that a bad member
        fails alone, for about two requests each time; the large halves first, so that many bad ones keep few out. A
        500 that outlasted its retries is not tried again for each half.
        """
        work.halving = _status(error) == _ERROR
        allowed = 4 * len(ids).bit_length() if _status(error) in _PERHAPS_THE_GROUPS else work.halvings
        refused: deque[tuple[Sequence[str], SyncdError]] = deque([(ids, error)])
        while refused:
            together, error = refused.popleft()
            if len(together) == 1 or min(work.halvings, allowed) <= 0:
                self._fail(work, together, error)
                continue
            middle = len(together) // 2
            for half in (together[:middle], together[middle:]):
                work.halvings, allowed = work.halvings - 1, allowed - 1
                answer, again = self._send(work, form, half, adding=adding)
                if answer is not None:
                    self._fail(work, self._still_open(work, form, answer, half, adding=adding), error)
                    continue
                left = self._after_refusal(work, half, adding=adding) if work.halving else half
                if left:
                    refused.append((left, again or error))
        work.halving = False

    def _trusted_values(self, work: MemberWork, ids: Sequence[str]) -> ScimAnswer:
        return self._patch(work, _body("values", ids))

    def _watched_values(self, work: MemberWork, ids: Sequence[str]) -> ScimAnswer | None:
        """Removal by value array between two reads; None when this server does not show members, or not all."""
        before = self._read(work)
        if before.members is None or not before.whole:
            return None
        answer = self._patch(work, _body("values", ids))
        if not answer.ok:
            return answer
        after = self._read(work).members or frozenset()
        lost = before.members - set(ids) - after
        if lost:
            self._restore(work, sorted(lost))
        return answer

    def _restore(self, work: MemberWork, lost: Sequence[str]) -> None:
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
        missing = set(lost) - (self._read(work).members or frozenset())
        if missing:
            names = ", ".join(sorted(missing)[:10])
            message = f"group {work.scim_id} lost {len(missing)} members that the server does not take back: {names}"
            raise TemporaryError(message)


def _status(error: SyncdError) -> int | None:
    return error.status if isinstance(error, TemporaryError | PermanentError) else None


def _open(ids: Collection[str], shown: RemoteGroup, *, adding: bool) -> list[str]:
    """The ids that the group is not shown to have as wanted: who is not seen is neither in nor out."""
    if adding:
        return [member for member in ids if member not in (shown.members or ())]
    return [member for member in ids if not shown.lacks(member)]


def _body(form: str, ids: Sequence[str]) -> Mapping[str, Any]:
    values = [{"value": member} for member in ids]
    if form == "path":
        return patch({"op": "add", "path": "members", "value": values})
    if form == "pathless":
        return patch({"op": "add", "value": {"members": values}})
    if form == "values":
        return patch({"op": "remove", "path": "members", "value": values})
    return patch(*({"op": "remove", "path": f"members[{equals('value', member)}]"} for member in ids))
