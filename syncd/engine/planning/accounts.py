"""Whose an account at the target is that somebody is matched with, or chosen for: one account, one person.

An exact externalId outranks a tie by hand, that an exact userName, and that every other rule (`core.match.MatchKind`).
What two people want with the same right goes to neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.core.change import Change, ChangeKind
from syncd.core.diff import Skipped
from syncd.core.flavors import exact_user_names, foreign_marks_count
from syncd.core.mapping import wanted_user
from syncd.core.match import MatchedUser, MatchKind, match_user, right_to
from syncd.core.names import Likeness, likeness
from syncd.core.order import NAME_RULES, user_name_freed
from syncd.core.terms import LOGIN
from syncd.engine.facts import TIES, AskedTie
from syncd.engine.job import Job
from syncd.engine.planning.draft import Planning
from syncd.model import Absent, AppUser, RemoteUser, Standing, WantedUser
from syncd.ports.adopting import TakenMatch

CONTESTED = "contested"
"""Where adoptions go in the spool whose account somebody else wants, too."""
TIES_LAST = timedelta(days=7)
"""As long as a hold is open."""
_FOUND_BY_OKTA = frozenset({"email", "login", LOGIN, "user.email", "user.login"})
"""What a userName is made of whose person Okta finds by it."""


@dataclass(frozen=True, slots=True)
class AccountConflict:
    """Why an account is not to be this person's, and what can be done about it."""

    reason: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.way_out}"


class AccountBook:
    """Who adopts which account in one plan."""

    def __init__(self, planning: Planning) -> None:
        self._planning = planning

    def conflict(self, wanted: WantedUser, remote: RemoteUser, change: Change) -> AccountConflict | None:
        """Why this adoption is not to be; None: the account is theirs, so far. Of whoever has a weaker right, or the
        same, the adoption leaves the plan. Raises UnreadError where Okta had to be asked and did not answer.
        """
        right = right_to(wanted.okta_id, wanted.user_name, remote)
        found = self._of_somebody_else(wanted, remote, right)
        return found or self.taken(wanted, remote, right, change)

    def taken(
        self, wanted: WantedUser, remote: RemoteUser, right: MatchKind, change: Change
    ) -> AccountConflict | None:
        """Nothing but what other people's changes of this plan say."""
        stage = self._planning.stage
        mine = TakenMatch(wanted.okta_id, wanted.user_name, right, change.id)
        other = stage.taken_by(remote.scim_id)
        if other is None or other.okta_id == mine.okta_id:
            stage.will_adopt(remote.scim_id, mine)
            return None
        if other.right < right:
            return _wanted_by(other, mine, remote)
        self._withdraw(other, mine, remote)
        if other.right == right:
            return _wanted_by(other, mine, remote)
        stage.will_adopt(remote.scim_id, mine)
        return None

    def _withdraw(self, taken: TakenMatch, other: TakenMatch, remote: RemoteUser) -> None:
        """Once: it stays known that they wanted it."""
        stage = self._planning.stage
        if not stage.applies(taken.change_id):
            return
        stage.hold_changes([taken.change_id], CONTESTED)
        stage.hold_still([taken.okta_id])
        reason = str(_wanted_by(other, taken, remote))
        waits_for = (user_name_freed(taken.user_name),)
        self._planning.skip(Skipped("conflict", taken.okta_id, taken.user_name, reason, waits_for=waits_for))

    def _of_somebody_else(
        self, wanted: WantedUser, remote: RemoteUser, right: MatchKind
    ) -> AccountConflict | None:
        planning = self._planning
        if right is MatchKind.EXTERNAL_ID:
            return None
        if found := chosen_for_another(planning, wanted, remote):
            return found
        if right is MatchKind.USER_NAME:
            return None
        if found := protected(planning.job, wanted, remote):
            return found
        if not planning.reading.has_every_wish and (found := self._waited_for(wanted, remote)):
            return found
        return self._named_like(wanted, remote)

    def _waited_for(self, wanted: WantedUser, remote: RemoteUser) -> AccountConflict | None:
        """A run that does not see everybody: somebody whom an earlier one left alone is matched with it, too."""
        job = self._planning.job
        left = {each.object_key.removeprefix("user:") for each in job.store.waiting(("conflict",))}
        seen = self._planning.reading.looked_at_of("user")
        others = job.store.users(sorted(left - seen - {wanted.okta_id}))
        for okta_id, known in others.items():
            other = known.wanted
            if known.pushed is not None or other.standing is not Standing.ACTIVE:
                continue
            match = match_user(
                okta_id,
                other.user_name,
                [remote],
                lambda _: None,
                exact_names=exact_user_names(job.policy.flavor),
                by=job.settings.match_rules,
                attributes=other.mapped,
            )
            if isinstance(match, MatchedUser):
                theirs = right_to(okta_id, other.user_name, remote)
                return _wanted_by(
                    TakenMatch(okta_id, other.user_name, theirs, ""),
                    TakenMatch(wanted.okta_id, wanted.user_name, MatchKind.OTHER, ""),
                    remote,
                )
        return None

    def _named_like(self, wanted: WantedUser, remote: RemoteUser) -> AccountConflict | None:
        """Another person has the very userName of the account. A run that does not see everybody asks Okta; where Okta
        finds nobody by what userNames are made of, only a full one can tell.
        """
        job, there = self._planning.job, f"{remote.user_name} at the target"
        key = job.mapping.name_key(remote.user_name)
        for okta_id, name in self._planning.stage.rivals(key, wanted.okta_id).items():
            if job.mapping.name_key(name) == key:
                return _theirs(wanted, remote, name, okta_id)
        if self._planning.reading.has_every_wish:
            return None
        found = self._planning.asked(lambda: job.source.user_id_of(remote.user_name))
        if isinstance(found, Absent):
            if str(job.settings.attributes["userName"]) in _FOUND_BY_OKTA:
                return None
            reason = f"{there} may have the userName of another person, which only a full sync can tell"
            return AccountConflict(reason, "the next full sync decides")
        if found == wanted.okta_id:
            return None
        record = self._planning.asked(lambda: job.source.app_user(found))
        if not isinstance(record, AppUser):
            return None
        wish = wanted_user(record, job.mapping)
        is_there = wish.standing in (Standing.ACTIVE, Standing.FROZEN)
        if not is_there or job.mapping.name_key(wish.user_name) != key:
            return None
        return _theirs(wanted, remote, wish.user_name, found)


def _theirs(wanted: WantedUser, remote: RemoteUser, name: str, okta_id: str) -> AccountConflict:
    return AccountConflict(
        f"{remote.user_name} at the target has the userName of another person who is assigned, {name} ({okta_id})",
        _by_hand(wanted.okta_id, remote),
    )


def _wanted_by(other: TakenMatch, mine: TakenMatch, remote: RemoteUser) -> AccountConflict:
    what = "wanted" if other.right == mine.right else "taken, with more right to it,"
    return AccountConflict(
        f"{remote.user_name} at the target ({remote.scim_id}) is {what} by {other.user_name} ({other.okta_id}), too",
        _by_hand(mine.okta_id, remote),
    )


def _by_hand(okta_id: str, remote: RemoteUser) -> str:
    return f"say whose it is: syncd link --user {okta_id} {remote.scim_id}"


def chosen_for_another(planning: Planning, wanted: WantedUser, remote: RemoteUser) -> AccountConflict | None:
    """A person chose the account for somebody who waits for it."""
    for okta_id, tie in planning.ties.items():
        if tie.scim_id != remote.scim_id or okta_id == wanted.okta_id:
            continue
        known = planning.job.store.user(okta_id)
        if known is None or known.pushed is not None or known.wanted.standing is not Standing.ACTIVE:
            continue
        reason = f"{remote.user_name} ({remote.scim_id}) was chosen for {known.wanted.user_name} ({okta_id})"
        return AccountConflict(
            f"{reason} by {tie.by}, and waits for a decision", "reject that one, or approve it: syncd held"
        )
    return None


def protected(job: Job, wanted: WantedUser, remote: RemoteUser) -> AccountConflict | None:
    """Under the name that the account has: by the adoption it would lose that, and its protection with it."""
    renamed = likeness(remote.user_name, wanted.user_name) not in (Likeness.SAME, Likeness.LETTER_CASE)
    if (
        remote.external_id == wanted.okta_id
        or not renamed
        or not job.policy.protects_user("", remote.user_name)
    ):
        return None
    return AccountConflict(
        f"{remote.user_name} at the target is protected (safety.protected_users): it is nobody's but of that name",
        "take it out of safety.protected_users, if it shall be theirs",
    )


def owned(job: Job, okta_id: str, remote: RemoteUser) -> AccountConflict | None:
    """By a tie of ours, or by an externalId of somebody whom the app has. Where servers keep those of other directories
    only Okta ids that we know say so. Raises what Okta raises.
    """
    owner = job.store.user_by_scim_id(remote.scim_id)
    if owner is not None and owner.okta_id != okta_id:
        return AccountConflict(
            f"{remote.user_name} is the account of {owner.wanted.user_name} ({owner.okta_id})",
            f"untie them first, if it is not: syncd unlink --user {owner.okta_id}",
        )
    mark = remote.external_id
    if not mark or mark == okta_id or not _is_a_person(job, mark):
        return None
    return AccountConflict(
        f"{remote.user_name} belongs to another Okta user: its externalId is {mark}",
        "nothing was changed at either side",
    )


def name_taken(job: Job, wanted: WantedUser, remote: RemoteUser) -> AccountConflict | None:
    """Another account has the userName that this one would be given: the target gives it to no second one. Who of ours
    leaves that name makes room in the order of the plan. Raises what the target raises.
    """
    key = NAME_RULES[job.policy.flavor].user_key
    name = key(wanted.user_name)
    if key(remote.user_name) == name:
        return None
    for other in job.target.find_users(okta_id="", user_name=wanted.user_name):
        if other.scim_id == remote.scim_id or key(other.user_name) != name:
            continue
        there = f"{other.user_name} at the target ({other.scim_id})"
        owner = job.store.user_by_scim_id(other.scim_id)
        if owner is None or owner.okta_id == wanted.okta_id:
            return AccountConflict(
                f"{there} has the userName {wanted.user_name} already, and no second account is given it",
                f"if that one is theirs: syncd link --user {wanted.okta_id} {other.scim_id}; if not, rename it there",
            )
        if key(owner.wanted.user_name) == name:
            return AccountConflict(
                f"{there} has the userName {wanted.user_name} already: it is the account of"
                f" {owner.wanted.user_name} ({owner.okta_id})",
                f"untie them first, if it is not: syncd unlink --user {owner.okta_id}",
            )
    return None


def _is_a_person(job: Job, mark: str) -> bool:
    """Whether this externalId is somebody of the app: known to us, or assigned by Okta's own word."""
    if job.store.user(mark) is not None:
        return True
    if not foreign_marks_count(job.policy.flavor):
        return False
    return not isinstance(job.source.app_user(mark), Absent)


def ties_over(job: Job) -> dict[str, AskedTie]:
    """Of the ties that people asked for those that nobody is given any more: the adoption was rejected, or nobody
    decided about it as long as a hold is open.
    """
    ties = TIES.of(job.store, {})
    if not ties:
        return {}
    rejected = job.store.known_changes(sorted(job.store.decided().rejections))
    refused = {
        (change["okta_id"], change["scim_id"])
        for change in rejected.values()
        if change["kind"] == ChangeKind.ADOPT_USER
    }
    return {
        okta_id: tie
        for okta_id, tie in ties.items()
        if (okta_id, tie.scim_id) in refused or _is_old(tie, job.clock())
    }


def _is_old(tie: AskedTie, now: datetime) -> bool:
    """Of a tie that does not say when, nobody can tell."""
    return bool(tie.at) and now - datetime.fromisoformat(tie.at) > TIES_LAST
