"""One object at the target belongs to one Okta object: what is tied is never tied again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncd.engine.writing.unit import Outcome
from syncd.errors import AlreadyTied
from syncd.ports import CreationUnproven, GroupPushed, Store, UserPushed


class Ties:
    """Judges the outcomes of one batch before they are stored; what an earlier one of them ties counts too.

    Workers ask whose an id is as well (`creating`), but of what was committed until then: of several that are answered
    with one id at the same time, each may find it free.
    """

    def __init__(self, store: Store, outcomes: Iterable[Outcome]) -> None:
        """Of all the outcomes that are to be judged, in their order."""
        pushed = {(kind, effect.pushed.scim_id) for outcome in outcomes for kind, effect in _pushed(outcome)}
        self._tied = {
            (kind, scim_id): owner
            for kind in ("user", "group")
            for scim_id, owner in store.owners(kind, [each for of, each in pushed if of == kind]).items()
        }

    def judged(self, outcome: Outcome) -> Outcome:
        """The outcome, or a failure in its place where it would tie an object that is another's."""
        for kind, effect in _pushed(outcome):
            scim_id = effect.pushed.scim_id
            owner = self._tied.setdefault((kind, scim_id), effect.okta_id)
            if owner != effect.okta_id:
                return _refused(outcome, kind, scim_id, owner)
        return outcome


def _pushed(outcome: Outcome) -> Iterator[tuple[str, UserPushed | GroupPushed]]:
    for effect in outcome.effects:
        if isinstance(effect, UserPushed):
            yield "user", effect
        elif isinstance(effect, GroupPushed):
            yield "group", effect


def _refused(outcome: Outcome, kind: str, scim_id: str, owner: str) -> Outcome:
    change = outcome.change
    message = f"{change.name} was answered with the {kind} {scim_id} at the target, which is tied to {owner}"
    hint = "nothing was tied; syncd release or syncd relink ends a tie that is no longer true"
    error = AlreadyTied(message, okta_id=change.okta_id, scim_id=scim_id, owner=owner, hint=hint)
    doubt = CreationUnproven(kind, change.okta_id, change.name, message, scim_id, stranger=True)
    kept = [effect for effect in outcome.effects if not isinstance(effect, UserPushed | GroupPushed)]
    return Outcome(change, [*kept, doubt], outcome.status, error=error)
