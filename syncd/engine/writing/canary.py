"""Many writes of one kind feel their way: one object first, then ten, then all the others.

After each of the two steps these objects are read back and compared with what was asked. If one is not as asked, or of
the eleven more than a tenth failed, the rest of that kind is held until a person decides (`canary`). What the target
does not show proves nothing, and holds nothing up. Costs at most eleven reads a kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain, groupby, islice

from syncd.core.change import GROUP_KINDS, MEMBERSHIPS, Change, ChangeKind, Removal
from syncd.core.comparison import Verdict, compare
from syncd.core.counting import counted
from syncd.engine.job import Job
from syncd.errors import NotFound, SyncdError
from syncd.model import KnownGroup, KnownUser

MANY = 50
"""So many writes of one kind in a run go out without feeling their way."""
STEPS = (1, 10)
_SHARE = 0.1
_ARRIVALS = (ChangeKind.CREATE_USER, ChangeKind.ADOPT_USER, ChangeKind.REACTIVATE_USER)


@dataclass
class Canary:
    """Of one run. `counts`: how many writes of each kind it has; `approved`: ids of what a person let go on."""

    job: Job
    counts: Mapping[ChangeKind, int]
    approved: AbstractSet[str]
    seen: dict[ChangeKind, str] = field(default_factory=dict)
    """Kinds that are held from here on, and what was seen."""
    held: dict[ChangeKind, list[str]] = field(default_factory=dict)
    """Ids of the changes that are held."""
    people: set[str] = field(default_factory=set)
    """Okta ids of those who get no account for now, and so no memberships either."""
    _well: set[ChangeKind] = field(default_factory=set)
    _tried: dict[ChangeKind, list[Change]] = field(default_factory=dict)

    def portions(self, kinds: Sequence[ChangeKind], changes: Iterable[Change]) -> Iterator[Iterable[Change]]:
        """The changes, in their order, in portions of which each is carried out and judged before the next is taken."""
        if not any(self._is_watched(kind) for kind in kinds):
            yield changes
            return
        for kind, some in groupby(changes, key=lambda change: change.kind):
            if self._is_watched(kind):
                yield from self._feeling(kind, some)
            else:
                yield some

    def _feeling(self, kind: ChangeKind, changes: Iterator[Change]) -> Iterator[Iterable[Change]]:
        free: list[Change] = []
        for size in STEPS:
            if kind in self.seen:
                break
            step: list[Change] = []
            for change in changes:
                (free if change.id in self.approved else step).append(change)
                if len(step) == size:
                    break
            if step:
                self._tried.setdefault(kind, []).extend(step)
                yield step
        if kind not in self.seen:
            self._well.add(kind)
            yield chain(free, changes)
            return
        for change in chain(free, changes):
            if change.id in self.approved:
                yield [change]
            else:
                self.held.setdefault(kind, []).append(change.id)
                self.people.update({change.okta_id} if kind in _ARRIVALS else ())

    def _is_watched(self, kind: ChangeKind) -> bool:
        return kind not in self._well and (kind in self.seen or self.counts.get(kind, 0) > MANY)

    def judge(self, failed: AbstractSet[str], unsent: AbstractSet[ChangeKind]) -> None:
        """After a portion: `failed` are the ids of changes that failed, `unsent` the kinds that writing gave up."""
        for kind, tried in self._tried.items():
            if kind in self.seen or kind in self._well or kind in unsent:
                continue
            if (what := self._what_is_wrong(tried, failed)) is not None:
                self.seen[kind] = what

    def _what_is_wrong(self, tried: Sequence[Change], failed: AbstractSet[str]) -> str | None:
        bad = [change for change in tried if change.id in failed]
        if len(tried) > STEPS[0] and len(bad) > _SHARE * len(tried):
            return f"{len(bad)} of the first {counted(len(tried), 'write')} failed, first {bad[0].name}"
        for change in islice(reversed(tried), len(tried) if len(tried) <= STEPS[0] else STEPS[1]):
            if change.id not in failed and (wrong := self._not_as_asked(change)) is not None:
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
        known = self.job.store.group(change.okta_id)
        scim_id = _id_of(known)
        if scim_id is None or isinstance(change, Removal):
            return None
        try:
            remote = self.job.target.group(scim_id)
        except NotFound:
            return "it is not there"
        name = change.after.get("displayName")
        return None if name is None or remote.name == name else f'it is called "{remote.name}"'

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
