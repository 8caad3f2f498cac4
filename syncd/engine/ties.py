"""One object at the target belongs to one Okta object: what is tied is never tied again."""

from __future__ import annotations

from syncd.engine.writing import Outcome
from syncd.errors import AlreadyTied
from syncd.ports import CreationUnproven, GroupPushed, Store, UserPushed


class Ties:
    """Judges the outcomes of one batch before they are stored; what an earlier one of them ties counts too."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tied: dict[tuple[str, str], str] = {}

    def judged(self, outcome: Outcome) -> Outcome:
        """The outcome, or a failure in its place where it would tie an object that is another's."""
        for effect in outcome.effects:
            if not isinstance(effect, UserPushed | GroupPushed):
                continue
            kind = "user" if isinstance(effect, UserPushed) else "group"
            scim_id = effect.pushed.scim_id
            owner = self._tied.get((kind, scim_id)) or self._owner(kind, scim_id)
            if owner is not None and owner != effect.okta_id:
                return _refused(outcome, kind, scim_id, owner)
            self._tied[kind, scim_id] = effect.okta_id
        return outcome

    def _owner(self, kind: str, scim_id: str) -> str | None:
        known = (
            self._store.user_by_scim_id(scim_id) if kind == "user" else self._store.group_by_scim_id(scim_id)
        )
        return known.okta_id if known else None


def _refused(outcome: Outcome, kind: str, scim_id: str, owner: str) -> Outcome:
    change = outcome.change
    message = f"{change.name} was answered with the {kind} {scim_id} at the target, which is tied to {owner}"
    hint = "nothing was tied; syncd release or syncd relink ends a tie that is no longer true"
    error = AlreadyTied(message, okta_id=change.okta_id, scim_id=scim_id, owner=owner, hint=hint)
    doubt = CreationUnproven(kind, change.okta_id, change.name, message, scim_id, stranger=True)
    kept = [effect for effect in outcome.effects if not isinstance(effect, UserPushed | GroupPushed)]
    return Outcome(change, [*kept, doubt], outcome.status, error=error)
