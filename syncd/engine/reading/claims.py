"""Which groups the push rules claim: by their lists, except where the store knows better than a list may.

What Okta answered by id within the last minutes no list need show yet: such a group is asked for by id again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncd.core.diff import Skipped
from syncd.core.groups import Claim, linked_by_hand
from syncd.engine.job import Job, stop_if_asked
from syncd.engine.reading.better_known import better_known_groups
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.one_by_one import each_by_itself
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.errors import SyncdError
from syncd.model import GroupState, OktaGroup, WantedGroup
from syncd.ports import Stage


@dataclass
class Claiming:
    """`by_hand`: the groups that people linked, with their names at the target. `reading` knows the rules' lists."""

    job: Job
    stage: Stage
    reading: Reading
    by_hand: Mapping[str, str]
    found: dict[str, Claim] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    """Okta ids of groups that were asked for by id."""

    def everything(self) -> None:
        """Raises what Okta's answers raise; `found` is then incomplete."""
        book = self.job.rules
        single = sorted({*book.ids, *self.reading.rule_lists.named(), *self.by_hand})
        if not book.needs_every_group and len(single) <= BY_ID_AT_MOST:
            for okta_id, is_read in self._ask(single):
                if not is_read:
                    self._leave_unread(okta_id)
        else:
            self._claim(self._listed())
        self._mend()

    def some(self, okta_ids: Sequence[str]) -> None:
        """Only these groups. Raises what Okta's answers raise."""
        if len(okta_ids) <= BY_ID_AT_MOST:
            list(self._ask(okta_ids))  # each that is read is claimed
        else:
            named = set(okta_ids)
            self._claim(group for group in self._listed() if group.okta_id in named)
            self._mend(named)

    def put(self, wanted: Sequence[WantedGroup]) -> None:
        """Into the stage."""
        self.stage.put_groups([group for group in wanted if group.okta_id not in self.asked])
        self.stage.put_groups([group for group in wanted if group.okta_id in self.asked], by_id=True)

    def _listed(self) -> Iterator[OktaGroup]:
        for page in self.job.source.groups():
            stop_if_asked(self.job)
            for bad in page.bad:
                said = f"a group: {bad.problem}"
                self.reading.skipped.append(Skipped("unreadable", bad.okta_id or "", "", said, "group"))
            yield from page.records

    def _claim(self, groups: Iterable[OktaGroup]) -> None:
        for group in groups:
            found = self.reading.rule_lists.claim(group, self.job.rules)
            if group.okta_id in self.by_hand:
                found = linked_by_hand(group, found, self.by_hand[group.okta_id])
            if found is not None:
                self.found[group.okta_id] = found

    def _ask(self, okta_ids: Iterable[str]) -> Iterator[tuple[str, bool]]:
        """Each with whether it was read; one that cannot be read stays as it is."""
        for okta_id, group in each_by_itself(okta_ids, self.job.source.group):
            if isinstance(group, SyncdError):
                self.reading.cannot_tell("group", okta_id, group)
                self.stage.hold_group_still(okta_id)
                yield okta_id, False
                continue
            self.asked.add(okta_id)
            listed = self.found.pop(okta_id, None)
            if isinstance(group, OktaGroup):
                self._claim([group])
            unclaimed = okta_id not in self.found
            if unclaimed and (listed is not None or self.job.store.group(okta_id) is not None):
                self.stage.put_absent([okta_id])
            yield okta_id, True

    def _mend(self, only: Collection[str] | None = None) -> None:
        """About some groups no list is believed: the store learned about them since, or by id a moment before."""
        doubtful: dict[str, WantedGroup | None] = {}
        for okta_id, known in sorted(better_known_groups(self.job, self.stage).items()):
            listed, wish = self.found.get(okta_id), _in_scope(known.wish)
            if okta_id in self.asked or ("group", okta_id) in self.reading.unread:
                continue
            if (listed is None and wish is None) or (only is not None and okta_id not in only):
                continue  # both say that it is gone, or nobody looks at it
            if known.younger:
                self._leave_as_stored(okta_id, wish)
            else:
                doubtful[okta_id] = wish
        few, left = list(doubtful)[:BY_ID_AT_MOST], list(doubtful)[BY_ID_AT_MOST:]
        by_list = {okta_id: self.found.get(okta_id) for okta_id in few}
        for okta_id, is_read in self._ask(few):
            if is_read:
                self._compare(okta_id, by_list[okta_id], self.found.get(okta_id))
            else:
                self._leave_as_stored(okta_id, doubtful[okta_id])
        for okta_id in left:
            self._leave_as_stored(okta_id, doubtful[okta_id])
        if left:
            self.stage.doubt(groups=left)
            self.reading.leave_in_doubt("groups", len(left))

    def _compare(self, okta_id: str, listed: Claim | None, found: Claim | None) -> None:
        names = [each.wanted.name if each else None for each in (listed, found)]
        if names[0] != names[1]:
            told = [f'calls it "{name}"' if name else "shows nothing that a rule names" for name in names]
            name = next(name for name in names if name)
            said = f"the list of groups {told[0]}"
            self.reading.contradict(okta_id, name, said, told[1], about="group")

    def _leave_unread(self, okta_id: str) -> None:
        """With the name that it has or wants."""
        known = self.job.store.group(okta_id)
        if known is not None:
            self.found[okta_id] = Claim(known.wanted, 0)

    def _leave_as_stored(self, okta_id: str, wish: WantedGroup | None) -> None:
        """For the names that groups want: the stage goes by the store here in any case."""
        listed = self.found.pop(okta_id, None)
        if wish is not None:
            self.found[okta_id] = replace(listed, wanted=wish) if listed else Claim(wish, self._rule(wish))

    def _rule(self, wish: WantedGroup) -> int:
        labels = [rule.source.label for rule in self.job.rules.rules]
        return labels.index(wish.rule) if wish.rule in labels else -1


def _in_scope(wish: WantedGroup | None) -> WantedGroup | None:
    return None if wish is None or wish.state is GroupState.GONE else wish
