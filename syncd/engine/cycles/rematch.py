"""Matches every linked user and group afresh, from what the target shows now. Reads the target, writes nothing.

One complete listing when it provably is one, else each object is asked for by id and searched. That somebody is in no
listing is never believed alone: absence is asked for by id (many servers cut lists short or leave people out).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from syncd.core.change import Change, ChangeKind
from syncd.core.comparison import Verdict, compare
from syncd.core.diff import Skipped
from syncd.core.flavors import exact_user_names, group_identifiers
from syncd.core.match import (
    Conflict,
    MatchedGroup,
    MatchedUser,
    NoMatch,
    counting_marks,
    identifier_taken,
    match_group,
    match_user,
)
from syncd.core.names import Likeness, likeness, look_alike_key
from syncd.core.order import NAME_RULES, NameRules
from syncd.engine.planning.match import list_into
from syncd.errors import IncompleteRead, NotFound, Stopped
from syncd.model import KnownGroup, KnownUser, RemoteGroup, RemoteUser
from syncd.ports import Observer, Stage, Store, Target
from syncd.settings import ConnectionSettings

BATCH = 200
T = TypeVar("T")


@dataclass(frozen=True)
class Sides:
    """One connection without its Okta side. `cancelled` is asked between batches."""

    settings: ConnectionSettings
    store: Store
    target: Target
    observer: Observer
    cancelled: Callable[[], bool]

    def go_on(self) -> None:
        """Raises Stopped once somebody asked to stop."""
        if self.cancelled():
            raise Stopped("stopped on request", hint="Run syncd relink again.")


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The stored id is there and still means the same object."""


@dataclass(frozen=True, slots=True)
class Missing:
    reason: str


UserVerdict = Unchanged | MatchedUser | Missing | Conflict
GroupVerdict = Unchanged | MatchedGroup | Missing | Conflict
_GONE = "not at the target any more: the next sync creates it again if it is still wanted"


@dataclass
class Tally:
    """What was found; the changes (moved objects), and what is left alone, are in the stage."""

    stage: Stage
    lost_users: list[str] = field(default_factory=list)
    lost_groups: list[str] = field(default_factory=list)
    unchanged_users: int = 0
    unchanged_groups: list[str] = field(default_factory=list)
    not_where_they_were: set[int] = field(default_factory=set)
    """Hashes of the Okta ids of users (a million ids must not mean a million texts in memory)."""

    def lose(self, lost: list[str], okta_id: str, name: str, verdict: Missing | Conflict) -> None:
        """Notes one in `lost` that is tied to nothing any more, and why."""
        kind = "missing" if isinstance(verdict, Missing) else "conflict"
        about = "group" if lost is self.lost_groups else "user"
        self.stage.add_skipped([Skipped(kind, okta_id, name, verdict.reason, about)])
        lost.append(okta_id)


def match_users(sides: Sides, stage: Stage, tally: Tally) -> None:
    """Raises what the target raises when it cannot be read."""
    sides.observer.phase("listing the target's users")
    complete = False
    try:
        complete = list_into(sides.target.list_users(), stage)
    except IncompleteRead as error:
        sides.observer.event("warning", "no complete list: each user is asked for", reason=error.message)
    sides.observer.phase("matching users", sides.store.population().users)
    users = _Users(sides, stage, complete)
    taken: set[int] = set()
    with ThreadPoolExecutor(sides.settings.split.concurrency, "relink") as pool:
        for batch in in_batches(sides.store.linked_users()):
            sides.go_on()
            for known, verdict in zip(batch, pool.map(users.verdict, batch), strict=True):
                _note_user(stage, tally, taken, known, verdict)
            sides.observer.advance(len(batch))


def _note_user(stage: Stage, tally: Tally, taken: set[int], known: KnownUser, verdict: UserVerdict) -> None:
    if isinstance(verdict, Unchanged):
        tally.unchanged_users += 1
        return
    tally.not_where_they_were.add(hash(known.okta_id))
    if isinstance(verdict, MatchedUser):
        if hash(verdict.remote.scim_id) not in taken:
            taken.add(hash(verdict.remote.scim_id))
            stage.add_change(_moved_user(known, verdict))
            return
        verdict = Conflict(
            f"{verdict.remote.user_name} at the target is matched with another Okta user already"
        )
    tally.lose(tally.lost_users, known.okta_id, _name(known), verdict)


@dataclass(frozen=True)
class _Users:
    """Decides about one user; safe to share between threads."""

    sides: Sides
    stage: Stage
    complete: bool

    def verdict(self, known: KnownUser) -> UserVerdict:
        listed = self._listed(known)
        if any(self._is_own(known, remote) for remote in listed):
            return Unchanged()
        asked: Missing | Unchanged | None = None
        if not self.complete:
            asked = self._by_id(known)
            if isinstance(asked, Unchanged):
                return asked
            listed = self.sides.target.find_users(okta_id=known.okta_id, user_name=_name(known))
            self.stage.put_remote_users(listed)
        match = self._match(known, _candidates(known, listed))
        if not isinstance(match, NoMatch):
            return match
        return asked or self._by_id(known)

    def _listed(self, known: KnownUser) -> Sequence[RemoteUser]:
        names = dict.fromkeys([_name(known), known.wanted.user_name])
        return [
            remote
            for name in names
            for remote in self.stage.remote_candidates(okta_id=known.okta_id, user_name=name)
        ]

    def _by_id(self, known: KnownUser) -> Missing | Unchanged:
        """Whether the stored id still is theirs."""
        assert known.pushed is not None  # noqa: S101  (only linked users come here)
        try:
            remote = self.sides.target.user(known.pushed.scim_id)
        except NotFound:
            return Missing(_GONE)
        return Unchanged() if self._same_person(known, remote) else Missing(_renamed(remote.user_name))

    def _match(self, known: KnownUser, candidates: Sequence[RemoteUser]) -> MatchedUser | NoMatch | Conflict:
        store = self.sides.store
        shown = {remote.scim_id: remote for remote in candidates}

        def owner(scim_id: str) -> str | None:
            """Whose it is, as far as the account there still is what the store thinks."""
            other = store.user_by_scim_id(scim_id)
            if other is None:
                return None
            theirs = other.okta_id == known.okta_id or self._same_person(other, shown[scim_id])
            return other.okta_id if theirs else None

        flavor = self.sides.settings.split.flavor
        match = match_user(
            known.okta_id,
            _name(known),
            candidates,
            owner,
            exact_names=exact_user_names(flavor),
            mark_counts=counting_marks(flavor, self.sides.store.user),
        )
        if isinstance(match, MatchedUser) and self._anothers(known, match.remote):
            return Conflict(
                f"{match.remote.user_name} at the target is the very userName of another known user"
            )
        return match

    def _is_own(self, known: KnownUser, remote: RemoteUser) -> bool:
        stored = known.pushed.scim_id if known.pushed else None
        return stored == remote.scim_id and self._same_person(known, remote)

    def _same_person(self, known: KnownUser, remote: RemoteUser) -> bool:
        """Whether the account under the stored id is still theirs: some servers use ids again."""
        if remote.external_id:
            return remote.external_id == known.okta_id
        habits = self.sides.target.habits().of("userName")
        return bool(remote.user_name) and any(
            likeness(name, remote.user_name) in (Likeness.SAME, Likeness.LETTER_CASE)
            or compare(name, remote.user_name, habits) is Verdict.SAME
            for name in (_name(known), known.wanted.user_name)
        )

    def _anothers(self, known: KnownUser, remote: RemoteUser) -> bool:
        """Letter case aside it is this user's name, and to the letter another's."""
        if remote.external_id == known.okta_id or remote.user_name == _name(known):
            return False
        return any(
            other.okta_id != known.okta_id and other.pushed is not None and _name(other) == remote.user_name
            for other in self.sides.store.find_users(remote.user_name)
        )


def match_groups(sides: Sides, stage: Stage, tally: Tally) -> None:
    """Groups are few (thousands). Raises what the target raises when it cannot be read."""
    linked = [group for group in sides.store.groups() if group.pushed is not None]
    if not linked:
        return
    sides.observer.phase("matching groups", len(linked))
    groups = _Groups(sides)
    groups.list_all()
    taken: set[str] = set()
    rivals = _rivals(linked, NAME_RULES[sides.settings.split.flavor])
    for known in linked:
        sides.go_on()
        verdict = groups.verdict(known)
        sides.observer.advance()
        if isinstance(verdict, Unchanged):
            tally.unchanged_groups.append(known.okta_id)
            continue
        if isinstance(verdict, Missing) and known.okta_id in rivals:
            verdict = Conflict(rivals[known.okta_id])
        if isinstance(verdict, MatchedGroup):
            remote = verdict.remote
            if remote.scim_id not in taken:
                taken.add(remote.scim_id)
                stage.add_change(linked_group(known, remote.scim_id, remote.name, _again(verdict.how)))
                continue
            verdict = Conflict(f"{remote.name} at the target is matched with another Okta group already")
        tally.lose(tally.lost_groups, known.okta_id, _group_name(known), verdict)


def _rivals(linked: Sequence[KnownGroup], rules: NameRules) -> Mapping[str, str]:
    """By Okta id: why a group cannot be made where several names become one identifier."""
    if rules.renaming_counts:  # there a group is its name, and linked groups have different ones
        return {}
    alike: dict[str, list[KnownGroup]] = {}
    for known in linked:
        alike.setdefault(rules.group_key(_group_name(known)), []).append(known)
    return {
        known.okta_id: f'"{_group_name(known)}" becomes the identifier "{key}", as does '
        + ", ".join(f'"{_group_name(each)}"' for each in groups if each is not known)
        for key, groups in alike.items()
        for known in groups
        if len(groups) > 1
    }


@dataclass
class _Groups:
    sides: Sides
    complete: bool = False
    by_id: dict[str, RemoteGroup] = field(default_factory=dict)
    by_key: dict[str, list[RemoteGroup]] = field(default_factory=dict)
    """By externalId and by name."""

    def list_all(self) -> None:
        groups = self.sides.target.list_groups()
        try:
            for group in (group for page in groups for group in page):
                self.by_id[group.scim_id] = group
                for key in {f"id:{group.external_id}", f"name:{group.name}"}:
                    self.by_key.setdefault(key, []).append(group)
            self.complete = groups.complete
        except IncompleteRead as error:
            reason = error.message
            self.sides.observer.event("warning", "no complete list: each group is asked for", reason=reason)

    def verdict(self, known: KnownGroup) -> GroupVerdict:
        assert known.pushed is not None  # noqa: S101  (only linked groups come here)
        own, name = self.by_id.get(known.pushed.scim_id), known.pushed.name
        asked: Missing | Unchanged | None = None
        if own is not None and _same_group(known, own):
            return Unchanged()
        if self.complete:
            candidates = [*self.by_key.get(f"id:{known.okta_id}", ()), *self.by_key.get(f"name:{name}", ())]
        else:
            asked = self._by_id(known, known.pushed.scim_id)
            if isinstance(asked, Unchanged):
                return asked
            candidates = list(self.sides.target.find_groups(okta_id=known.okta_id, name=name))
        if not candidates:
            return asked or self._by_id(known, known.pushed.scim_id)
        flavor, owner = self.sides.settings.split.flavor, self._owner(known, candidates)
        identifiers = group_identifiers(flavor, name)
        match = match_group(known.okta_id, name, "link", candidates, owner, identifiers=identifiers)
        if isinstance(match, MatchedGroup) and match.how != "externalId" and match.remote.name != name:
            return identifier_taken(name, match.remote, owner(match.remote.scim_id))
        return Missing(_GONE) if isinstance(match, NoMatch) else match

    def _by_id(self, known: KnownGroup, scim_id: str) -> Missing | Unchanged:
        """Whether the stored id still is this group's."""
        try:
            remote = self.sides.target.group(scim_id)
        except NotFound:
            return Missing(_GONE)
        return Unchanged() if _same_group(known, remote) else Missing(_renamed(remote.name))

    def _owner(self, known: KnownGroup, candidates: Sequence[RemoteGroup]) -> Callable[[str], str | None]:
        shown = {group.scim_id: group for group in candidates}

        def owner(scim_id: str) -> str | None:
            other = self.sides.store.group_by_scim_id(scim_id)
            if other is None:
                return None
            theirs = other.okta_id == known.okta_id or _same_group(other, shown[scim_id])
            return other.okta_id if theirs else None

        return owner


def _candidates(known: KnownUser, listed: Iterable[RemoteUser]) -> Sequence[RemoteUser]:
    alike = look_alike_key(_name(known))
    return [
        remote
        for remote in listed
        if remote.external_id == known.okta_id or look_alike_key(remote.user_name) == alike
    ]


def _name(known: KnownUser) -> str:
    """The userName that the target has, as far as we know."""
    pushed = known.pushed.attributes.get("userName") if known.pushed else None
    return str(pushed or known.wanted.user_name or known.okta_id)


def _group_name(known: KnownGroup) -> str:
    return known.pushed.name if known.pushed else known.wanted.name


def _same_group(known: KnownGroup, remote: RemoteGroup) -> bool:
    if remote.external_id:
        return remote.external_id == known.okta_id
    return bool(remote.name) and remote.name in (_group_name(known), known.wanted.target_name)


def _again(how: str) -> str:
    return f"found again under another id (same {how})"


def _renamed(name: str) -> str:
    return f"what has its id at the target now is {name or 'without a name'}, and nothing there has its name"


def _moved_user(known: KnownUser, match: MatchedUser) -> Change:
    remote = match.remote
    return Change(
        ChangeKind.ADOPT_USER,
        known.okta_id,
        remote.scim_id,
        remote.user_name,
        {"scim_id": known.pushed.scim_id if known.pushed else None},
        {"scim_id": remote.scim_id},
        _again(match.how),
    )


def linked_group(known: KnownGroup, scim_id: str, name: str, reason: str) -> Change:
    """The change that ties a group to what was found at the target."""
    return Change(
        ChangeKind.LINK_GROUP,
        known.okta_id,
        scim_id,
        name,
        {"scim_id": known.pushed.scim_id if known.pushed else None},
        {"scim_id": scim_id},
        reason,
    )


def in_batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Lists of BATCH items, the last one shorter; read as they are needed."""
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
