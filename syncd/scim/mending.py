"""After a creation: what the server made of it is learned, and what it did not take is corrected once."""

from __future__ import annotations

from msgspec.structs import replace

from syncd.core.change import Json
from syncd.core.comparison import Verdict, compare, is_letter_case
from syncd.errors import PermanentError
from syncd.model import Attributes, RemoteUser
from syncd.ports.target import Applied
from syncd.scim.conversation import USERS, Conversation
from syncd.scim.knowledge import INVITES
from syncd.scim.user_forms import Wish
from syncd.scim.user_update import UserUpdate, ignores_case


class Mending:
    """Corrects what a create stored otherwise than it was asked."""

    def __init__(self, talk: Conversation, update: UserUpdate) -> None:
        self._talk = talk
        self._update = update

    def mend(self, applied: Applied, shown: RemoteUser, attributes: Attributes, *, made: bool) -> Applied:
        """`shown` is the user as the answer or a search showed it, `made` whether the server said that it made one for
        us just now: only then is what it shows a lesson.
        """
        after = self._wrong(shown, attributes, made=made)
        before: dict[str, Json] = {text: shown.attributes.get(text) for text in after}
        if made and shown.active:
            self._talk.learned.drop(INVITES)
        if shown.active is not False:
            mended = self._write(applied, before, after, attributes) if after else applied
            return replace(mended, active=shown.active if mended.active is None else mended.active)
        if made and self._talk.learned[INVITES]:
            mended = self._write(applied, before, after, attributes) if after else applied
            return _invited(mended)
        woken = self._write(applied, {**before, "active": False}, {**after, "active": True}, attributes)
        if after and woken.active is False:  # by itself it may be taken
            woken = self._write(woken, {"active": False}, {"active": True}, attributes)
        if woken.active is not False:
            return woken
        if made:
            self._talk.learned.set(INVITES, "yes")
        return _invited(woken)

    def adopt(
        self, applied: Applied, shown: RemoteUser, listed: RemoteUser | None, attributes: Attributes
    ) -> Applied:
        """Of whom the create found instead of making them: what is not seen to be as asked is written. `listed`: the
        account as lists show it, None where none does.
        """
        there = {**(listed.attributes if listed else {}), **shown.attributes}
        after: dict[str, Json] = {}
        for text, asked in attributes.items():
            value = there.get(text)
            cased = ignores_case(text) and is_letter_case(asked, value)
            if not cased and compare(asked, value, self._talk.learned.habits(text)) is not Verdict.SAME:
                after[text] = asked
        if not after:
            return replace(applied, active=shown.active)
        return self._write(applied, {text: there.get(text) for text in after}, after, attributes)

    def _wrong(self, shown: RemoteUser, attributes: Attributes, *, made: bool) -> dict[str, Json]:
        learned = self._talk.learned
        wrong: dict[str, Json] = {}
        for text, asked in attributes.items():
            value = shown.attributes.get(text)
            if value is None:
                continue
            habits = learned.created(text, asked, value) if made else learned.habits(text)
            if ignores_case(text) and is_letter_case(asked, value):
                continue
            if compare(asked, value, habits) is not Verdict.SAME:
                wrong[text] = asked
        return wrong

    def _write(
        self, applied: Applied, before: dict[str, Json], after: dict[str, Json], attributes: Attributes
    ) -> Applied:
        scim_id = applied.scim_id or ""
        try:
            mended = self._update.update(Wish(scim_id, before, after, attributes))
        except PermanentError as failure:
            note = _joined(applied.note, f"created, but {failure.message}")
            active = self._is_active(scim_id) if "active" in after else None
            return replace(applied, note=note, verified=False, active=active)
        note = _joined(applied.note, f"corrected after the creation: {', '.join(sorted(after))}")
        verified = applied.verified and mended.verified
        return replace(applied, note=note, verified=verified, active=mended.active)

    def _is_active(self, scim_id: str) -> bool | None:
        found = self._talk.user_of(self._talk.fetch(USERS, scim_id).body)
        return found.active if found is not None else None


def _invited(applied: Applied) -> Applied:
    note = _joined(applied.note, "shown inactive until its invitation is accepted")
    return replace(applied, note=note, verified=False, active=False)


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
