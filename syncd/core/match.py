"""Is an object at the target the one we mean? Decided by comparing values, never by trusting a filter.

Order: externalId, exact userName, then a userName that differs only in letter case and is unique; or as `[matching] by`
says. What is merely alike (core.names) is a conflict. What belongs to another Okta id is never matched: a re-used
e-mail must not hand over the leaver's account.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from syncd.core.counting import counted
from syncd.core.flavors import foreign_marks_count
from syncd.core.match_rules import (
    DEFAULT_RULES,
    EXTERNAL_ID,
    USER_NAME,
    MatchRule,
    shown_values,
    wanted_values,
)
from syncd.core.names import Likeness, likeness, look_alike_key
from syncd.model import NO_ATTRIBUTES, Attributes, KnownGroup, KnownUser, RemoteGroup, RemoteUser, WantedUser


@dataclass(frozen=True, slots=True)
class MatchedUser:
    """`how` says by what: externalId, userName, ..."""

    remote: RemoteUser
    how: str


class MatchKind(IntEnum):
    """By what an account is somebody's, the strongest first: who has a weaker one stands back."""

    EXTERNAL_ID = 0
    BY_HAND = 1
    USER_NAME = 2
    OTHER = 3


def right_to(okta_id: str, user_name: str, remote: RemoteUser) -> MatchKind:
    """Of whoever is matched with an account, whatever rule found it."""
    if remote.external_id == okta_id:
        return MatchKind.EXTERNAL_ID
    same = likeness(remote.user_name, user_name) is Likeness.SAME
    return MatchKind.USER_NAME if same else MatchKind.OTHER


@dataclass(frozen=True, slots=True)
class MatchedGroup:
    """`how` says by what: externalId or name."""

    remote: RemoteGroup
    how: str


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Nothing at the target is meant, or may be taken for it."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """`holder`: the Okta id of whoever has the name, when that is what is in the way."""

    reason: str
    holder: str | None = None


Owner = Callable[[str], str | None]
"""SCIM id to the Okta id that we manage it for, None when we manage it for nobody."""
Leaving = Callable[[str], bool]
"""Whether the object of this Okta id gives its name up before anybody is given it."""


def nobody_leaves(_: str) -> bool:
    """For when nobody gives a name up."""
    return False


def everybody(_: str) -> bool:
    """Where any other externalId makes an account somebody else's."""
    return True


def counting_marks(flavor: str, known: Callable[[str], object | None]) -> Callable[[str], bool]:
    """Which externalIds say whose an account is: all, or, where servers keep those of other directories, the Okta ids
    that are `known`.
    """
    return everybody if foreign_marks_count(flavor) else lambda external_id: known(external_id) is not None


def owner_by(known: Callable[[str], KnownUser | KnownGroup | None]) -> Owner:
    """Owners as they are `known` by SCIM id (`user_by_scim_id` or `group_by_scim_id` of a store or a stage)."""

    def owner(scim_id: str) -> str | None:
        found = known(scim_id)
        return found.okta_id if found else None

    return owner


def match_user(
    okta_id: str,
    user_name: str,
    candidates: Sequence[RemoteUser],
    owner: Owner,
    *,
    exact_names: bool,
    mark_counts: Callable[[str], bool] = everybody,
    leaving: Leaving = nobody_leaves,
    by: Sequence[MatchRule] = DEFAULT_RULES,
    attributes: Attributes = NO_ATTRIBUTES,
) -> MatchedUser | NoMatch | Conflict:
    """Raises nothing; several equally good candidates are a Conflict. `mark_counts`: whether whoever has such an
    externalId is somebody else. `attributes`: all that is mapped of the person, for rules that go by values.
    """
    if not candidates:  # nearly everybody, in a first plan
        return NoMatch()
    unique = {remote.scim_id: remote for remote in candidates}
    ours, free, foreign = [], [], []
    for remote in unique.values():
        managed_for = owner(remote.scim_id)
        if managed_for is not None and managed_for != okta_id:
            foreign.append((remote, managed_for))
        elif remote.external_id == okta_id:
            ours.append(remote)
        elif remote.external_id and mark_counts(remote.external_id):
            foreign.append((remote, remote.external_id))
        else:
            free.append(remote)
    if len(ours) > 1:
        return Conflict(f"{len(ours)} accounts at the target carry the externalId {okta_id}")
    if tuple(by) == DEFAULT_RULES and ours:
        return MatchedUser(ours[0], "externalId")
    theirs = [(remote, other) for remote, other in foreign if not leaving(other)]
    if tuple(by) == DEFAULT_RULES:
        return _by_name(user_name, free, theirs, exact_names=exact_names)
    return _by_rules(_Search(user_name, ours, free, theirs, attributes, exact_names), by)


@dataclass(frozen=True, slots=True)
class _Search:
    """`ours` carries our externalId; `free` belongs to nobody; `foreign` comes with whose it is."""

    user_name: str
    ours: Sequence[RemoteUser]
    free: Sequence[RemoteUser]
    foreign: Sequence[tuple[RemoteUser, str]]
    attributes: Attributes
    exact_names: bool


def _by_rules(search: _Search, by: Sequence[MatchRule]) -> MatchedUser | NoMatch | Conflict:
    """The first rule that finds somebody decides. Who is left over under our mark, or under this name, is in the way of
    a new account, but not to be taken for it.
    """
    for rule in by:
        found = _by_rule(search, rule)
        if not isinstance(found, NoMatch):
            return found
    if search.ours:
        name = search.ours[0].user_name
        return Conflict(f"{name} at the target carries this externalId, by which [matching] does not look")
    if any(rule.attribute == USER_NAME for rule in by):
        return NoMatch()
    found = _by_name(search.user_name, search.free, search.foreign, exact_names=search.exact_names)
    if isinstance(found, MatchedUser):
        name = found.remote.user_name
        return Conflict(f"{name} is there at the target, and [matching] does not look by userName")
    return found


def _by_rule(search: _Search, rule: MatchRule) -> MatchedUser | NoMatch | Conflict:
    if rule.attribute == EXTERNAL_ID:
        return MatchedUser(search.ours[0], EXTERNAL_ID) if search.ours else NoMatch()
    mine = [*search.ours, *search.free]
    if rule.attribute == USER_NAME:
        exact = search.exact_names and not rule.ignores_case
        return _by_name(search.user_name, mine, search.foreign, exact_names=exact)
    values = [value for _, value in wanted_values([rule], search.attributes)]

    def fits(remote: RemoteUser) -> bool:
        shown = shown_values(rule.attribute, remote)
        return any(rule.same(value, each) for value in values for each in shown)

    how = f"{rule.attribute}, ignoring letter case" if rule.ignores_case else rule.attribute
    for remote, other in sorted(search.foreign, key=lambda each: (each[0].user_name, each[0].scim_id)):
        if fits(remote):
            reason = (
                f"{remote.user_name} at the target, which has the same {how}, belongs to another Okta user"
            )
            return Conflict(f"{reason} ({other})", other)
    hits = [remote for remote in mine if fits(remote)]
    if len(hits) > 1:
        return Conflict(f"{len(hits)} accounts at the target have the same {how}")
    return MatchedUser(hits[0], how) if hits else NoMatch()


def _by_name(
    user_name: str,
    free: Sequence[RemoteUser],
    foreign: Sequence[tuple[RemoteUser, str]],
    *,
    exact_names: bool,
) -> MatchedUser | NoMatch | Conflict:
    """`free` belongs to nobody; `foreign` comes with whose it is."""
    near: dict[Likeness, list[RemoteUser]] = {kind: [] for kind in Likeness}
    for remote in sorted(free, key=lambda each: (each.user_name, each.scim_id)):
        near[likeness(remote.user_name, user_name)].append(remote)
    exact, cased, alike = near[Likeness.SAME], near[Likeness.LETTER_CASE], near[Likeness.ALIKE]
    if len(exact) == 1:
        return MatchedUser(exact[0], "userName")
    if exact:
        return Conflict(f"{len(exact)} accounts at the target are called {user_name}")
    for remote, other in sorted(foreign, key=lambda each: (each[0].user_name, each[0].scim_id)):
        kind = likeness(remote.user_name, user_name)
        if kind is Likeness.ALIKE:
            return Conflict(
                f"{_taken_for(remote.user_name, user_name)}; it belongs to another Okta user ({other})", other
            )
        if kind is not Likeness.DIFFERENT:
            reason = f"{remote.user_name} at the target belongs to another Okta user ({other})"
            return Conflict(reason, other)
    if alike:
        return Conflict(_taken_for(alike[0].user_name, user_name))
    if not cased:
        return NoMatch()
    if exact_names:
        return Conflict(
            f"the target has {cased[0].user_name}, which differs from {user_name} only in letter case"
        )
    if len(cased) > 1:
        return Conflict(f"{len(cased)} accounts at the target differ from {user_name} only in letter case")
    return MatchedUser(cased[0], "userName, ignoring letter case")


def _taken_for(there: str, wanted: str) -> str:
    return f"the target has {there}, which is not {wanted} but may be taken for it"


@dataclass(frozen=True, slots=True)
class NearMiss:
    """An account that may be the person's, though no rule says so. `how`: what is the same."""

    remote: RemoteUser
    how: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides, as they are before anything is tied. `how`: what is the same; "" when the account was named."""

    wanted: WantedUser
    remote: RemoteUser
    how: str = ""


def near_misses(wanted: WantedUser, shown: Iterable[RemoteUser], owner: Owner) -> list[NearMiss]:
    """Accounts that nobody owns and that look like this person's: the same externalId, a userName that is the same or
    alike, the same e-mail. Shown to people and never taken unasked.
    """
    mails = {mail_of(wanted.attributes), look_alike_key(wanted.user_name)} - {""}
    found = []
    for remote in shown:
        if owner(remote.scim_id) is not None or (remote.external_id and remote.external_id != wanted.okta_id):
            continue
        if how := _what_is_the_same(wanted, remote, mails):
            found.append(NearMiss(remote, how))
    return sorted(found, key=lambda each: (each.remote.user_name, each.remote.scim_id))


def _what_is_the_same(wanted: WantedUser, remote: RemoteUser, mails: Collection[str]) -> str:
    if remote.external_id == wanted.okta_id:
        return "the same externalId"
    match likeness(remote.user_name, wanted.user_name):
        case Likeness.SAME:
            return "the same userName"
        case Likeness.LETTER_CASE:
            return "the same userName but for letter case"
        case Likeness.ALIKE:
            return "a userName that may be taken for it"
        case Likeness.DIFFERENT:
            theirs = {mail_of(remote.attributes), look_alike_key(remote.user_name)}
            return "the same e-mail" if theirs & set(mails) else ""


def mail_of(attributes: Attributes) -> str:
    """The e-mail among mapped attributes, as it is compared; "" where none is mapped, or shown."""
    path = min((path for path in attributes if path.startswith("emails")), default=None)
    return "" if path is None else look_alike_key(str(attributes[path]))


def match_group(
    okta_id: str,
    name: str,
    action: str,
    candidates: Sequence[RemoteGroup],
    owner: Owner,
    *,
    leaving: Leaving = nobody_leaves,
    identifiers: Collection[str] | None = None,
) -> MatchedGroup | NoMatch | Conflict:
    """`action` as in WantedGroup. A "create" matches only a group that is already ours by externalId. `identifiers`:
    the ids that the target makes of this name (then names need not be unique); None where ids are arbitrary.
    """
    unique = {remote.scim_id: remote for remote in candidates}
    ours = [remote for remote in unique.values() if remote.external_id == okta_id]
    if len(ours) == 1 and owner(ours[0].scim_id) in (None, okta_id):
        return MatchedGroup(ours[0], "externalId")
    if len(ours) > 1:
        return Conflict(f"{len(ours)} groups at the target carry the externalId {okta_id}")
    named = [remote for remote in unique.values() if remote.name == name]
    if identifiers is not None:
        same_id = [remote for remote in unique.values() if remote.scim_id in identifiers]
        named = (named or same_id) if action == "link" else same_id
    if action != "link":
        named = [remote for remote in named if not leaving(owner(remote.scim_id) or "")]
    if not named:
        if action == "link":
            return Conflict(
                f'no group at the target is called "{name}": create it there, or use action = "create"'
            )
        return NoMatch()
    if action == "create" and identifiers is not None:
        return identifier_taken(name, named[0], owner(named[0].scim_id))
    if action == "create":
        return Conflict(
            f'a group called "{name}" exists at the target: use action = "link", or syncd link,'
            " to tie it to the Okta group"
        )
    free = [
        remote
        for remote in named
        if owner(remote.scim_id) in (None, okta_id) and remote.external_id in (None, "", okta_id)
    ]
    if not free:
        return Conflict(f'the group "{name}" at the target belongs to another Okta group')
    if len(free) > 1:
        return Conflict(f'{len(free)} groups at the target are called "{name}"')
    return MatchedGroup(free[0], "displayName")


def identifier_taken(name: str, remote: RemoteGroup, tied_to: str | None) -> Conflict:
    """The group at the target whose identifier a name becomes is another one; `tied_to`: the Okta id of its own."""
    members = (
        "members that are not shown" if remote.members is None else counted(len(remote.members), "member")
    )
    what = f'the target makes the identifier "{remote.scim_id}" of "{name}", and "{remote.name}" with {members} has it'
    if tied_to is not None:
        return Conflict(
            f"{what}, tied to another Okta group ({tied_to}): rename one of the two in Okta", tied_to
        )
    return Conflict(f"{what}: rename the group in Okta, or tie the two together with `syncd link`")
