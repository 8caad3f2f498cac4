"""Many writes of one kind feel their way: one object first, then ten, then all the others.

After each of the two steps these objects are read back and compared with what was asked. If one is not as asked, or of
the eleven more than a tenth failed, the rest of that kind is held until a person decides (`canary`). What the target
does not show proves nothing, and holds nothing up; nor does what had to wait and was not sent: it is no try. Where
names change hands the eleven are taken over all steps, temporary names among them. Costs at most eleven reads a kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain, groupby

from syncd.core.change import GROUP_KINDS, MEMBERSHIPS, Change, ChangeKind, Removal
from syncd.core.comparison import GROUP_NAME, Verdict, compare
from syncd.core.counting import counted
from syncd.engine.job import Job
from syncd.engine.planning.hold import CANARY
from syncd.engine.planning.making import NO_ACCOUNT
from syncd.errors import NotFound, SyncdError
from syncd.model import KnownGroup, KnownUser
from syncd.ports import Stage

MANY = 50
"""So many writes of one kind in a run go out without feeling their way."""
STEPS = (1, 10)
_ALL_STEPS = sum(STEPS)
_SHARE = 0.1
_ARRIVALS = (ChangeKind.CREATE_USER, ChangeKind.ADOPT_USER, ChangeKind.REACTIVATE_USER)


@dataclass
class Canary:
    """Of one run. `counts`: how many writes of each kind it has; `approved`: ids of what a person let go on."""

    job: Job
    counts: Mapping[ChangeKind, int]
    approved: AbstractSet[str]
    whose: Callable[[str], str] = str
    """The id of the planned change that an extra step belongs to; of any other change its own."""
    seen: dict[ChangeKind, str] = field(default_factory=dict)
    """Kinds that are held from here on, and what was seen."""
    held: dict[ChangeKind, list[str]] = field(default_factory=dict)
    """Ids of the changes that are held."""
    people: set[str] = field(default_factory=set)
    """Okta ids of those who get no account for now, and so no memberships either."""
    _tried: dict[ChangeKind, list[Change]] = field(default_factory=dict)
    _judged: dict[ChangeKind, int] = field(default_factory=dict)
    """How many of these were read back."""
    _failed: set[str] = field(default_factory=set)
    _given_up: set[ChangeKind] = field(default_factory=set)

    def portions(
        self, kinds: Sequence[ChangeKind], changes: Iterable[Change], *, extra: bool = False
    ) -> Iterator[Iterable[Change]]:
        """The changes, in their order, in portions of which each is carried out and judged before the next is taken.
        `extra`: steps beside the plan's changes, which are left out with these and not held by themselves.
        """
        if not any(self._is_watched(kind) for kind in kinds):
            yield changes
            return
        for kind, some in groupby(changes, key=lambda change: change.kind):
            if self._is_watched(kind):
                yield from self._feeling(kind, some, extra=extra)
            else:
                yield some

    def _feeling(
        self, kind: ChangeKind, changes: Iterator[Change], *, extra: bool
    ) -> Iterator[Iterable[Change]]:
        free: list[Change] = []
        while kind not in self.seen and self._is_watched(kind):
            step: list[Change] = []
            for change in changes:
                (free if self._is_approved(change) else step).append(change)
                if len(step) == self._next_step(kind):
                    break
            if not step:
                break
            yield step
        if kind not in self.seen:
            yield chain(free, changes)
            return
        for change in chain(free, changes):
            if self._is_approved(change):
                yield [change]
            elif not extra:
                self.held.setdefault(kind, []).append(change.id)
                self.people.update({change.okta_id} if kind in _ARRIVALS else ())

    def _next_step(self, kind: ChangeKind) -> int:
        return _ALL_STEPS - self.tried(kind) if self.tried(kind) else STEPS[0]

    def _is_approved(self, change: Change) -> bool:
        return self.whose(change.id) in self.approved

    def _is_watched(self, kind: ChangeKind) -> bool:
        if kind in self.seen:
            return True
        many = self.counts.get(kind, 0) > MANY
        return many and kind not in self._given_up and self.tried(kind) < _ALL_STEPS

    def tried(self, kind: ChangeKind) -> int:
        """How many were sent and answered before the rest was decided about."""
        return len(self._tried.get(kind, ()))

    def note(self, change: Change, *, failed: bool) -> None:
        """One was sent and answered."""
        if change.kind in self.seen or not self._is_watched(change.kind) or self._is_approved(change):
            return
        self._tried.setdefault(change.kind, []).append(change)
        if failed:
            self._failed.add(change.id)

    def judge(self, unsent: AbstractSet[ChangeKind]) -> None:
        """After a portion: `unsent` are the kinds that writing gave up."""
        self._given_up |= unsent
        for kind, tried in self._tried.items():
            new = tried[self._judged.get(kind, 0) :]
            self._judged[kind] = len(tried)
            if new and kind not in self.seen and kind not in unsent:
                what = self._what_is_wrong(tried, new)
                self.seen.update({} if what is None else {kind: what})

    def hold_back(self, stage: Stage) -> None:
        """What the first writes of a kind advised against leaves the plan, memberships of its people too."""
        for kind, ids in self.held.items():
            stage.hold_changes(ids, f"{CANARY}:{kind}")
        if self.people:
            memberships = stage.change_keys(ChangeKind.ADD_MEMBER)
            waiting = [change_id for change_id, okta_id in memberships if okta_id in self.people]
            stage.hold_changes(waiting, NO_ACCOUNT)

    def _what_is_wrong(self, tried: Sequence[Change], new: Sequence[Change]) -> str | None:
        bad = [change for change in tried if change.id in self._failed]
        if len(bad) > _SHARE * _ALL_STEPS:
            return f"{len(bad)} of the first {counted(len(tried), 'write')} failed, first {bad[0].name}"
        for change in new:
            if change.id not in self._failed and (wrong := self._not_as_asked(change)) is not None:
                return f"{change.name} is not as it was asked to be: {wrong}"
        return None

    def _not_as_asked(self, change: Change) -> str | None:
        """What the target shows otherwise than asked, None where nothing, or where it cannot be told."""
        try:
            if change.kind in MEMBERSHIPS:
                return self._membership(change)
            if change.kind in GROUP_KINDS:
                return self._group(change)
            return self._user(change)
        except SyncdError:
            return None  # reading failed: that says nothing about the write

    def _user(self, change: Change) -> str | None:
        if change.kind is ChangeKind.ADOPT_USER and not change.after:
            return None  # nothing is asked of the target
        known = self.job.store.user(change.okta_id)
        scim_id = _id_of(known) or (change.scim_id if isinstance(change, Removal) else None)
        if scim_id is None:
            return None
        try:
            remote = self.job.target.user(scim_id)
        except NotFound:
            return None if isinstance(change, Removal) else "it is not there"
        invited = known is not None and known.pushed is not None and known.pushed.invited
        habits = self.job.target.habits()
        for path, value in change.after.items():
            if path == "externalId":
                continue
            if path == "active":
                if remote.active is not None and remote.active is not value and not invited:
                    return f"active is shown as {str(remote.active).lower()}"
                continue
            shown = remote.attributes.get(path)
            if shown is not None and compare(value, shown, habits.of(path)) is Verdict.DIFFERENT:
                return f"it shows another {path}"
            if shown is None and value is not None and habits.of(path).shown:
                return f"it shows no {path}"
        return None

    def _group(self, change: Change) -> str | None:
        if change.kind is ChangeKind.UNLINK_GROUP:
            return None  # nothing is asked of the target
        going = change.kind is ChangeKind.DELETE_GROUP
        scim_id = change.scim_id if going else _id_of(self.job.store.group(change.okta_id))
        if scim_id is None:
            return None
        try:
            remote = self.job.target.group(scim_id)
        except NotFound:
            return None if going else "it is not there"
        name = change.after.get("displayName")
        if going:
            return "it is still there"
        verdict = compare(name, remote.name, self.job.target.habits().of(GROUP_NAME))
        return f'it is called "{remote.name}"' if name is not None and verdict is Verdict.DIFFERENT else None

    def _membership(self, change: Change) -> str | None:
        group, user = self.job.store.group(change.group_id or ""), self.job.store.user(change.okta_id)
        group_id, user_id = _id_of(group), _id_of(user)
        if group_id is None or user_id is None:
            return None
        remote = self.job.target.group(group_id)
        if change.kind is ChangeKind.ADD_MEMBER:
            return f"not shown in {change.group}" if remote.lacks(user_id) else None
        return f"still shown in {change.group}" if user_id in (remote.members or ()) else None


def _id_of(known: KnownUser | KnownGroup | None) -> str | None:
    return known.pushed.scim_id if known is not None and known.pushed is not None else None
