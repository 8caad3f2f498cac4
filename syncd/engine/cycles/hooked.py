"""What event hooks named for one connection, until it was looked at: merged with what the System Log says.

A hook may come before the log shows its event, and before an answer by id shows what it is about. So a name is looked
at once at once, and once more some seconds later if nothing new was seen; after that it is the log's, which names it
again. The log's copy costs nothing only where there is evidence: the object that was read was updated at or after the
event.

Names that the store does not know (strangers) are looked at as long as their org's budget lasts, and give way to those
it knows. One that turns out to be nothing leaves no row: `nothing` is remembered by this process alone, for lists that
may be older than that.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.core.hooks import SAMPLE, HookNamed, Key, is_ticked
from syncd.core.moments import moment
from syncd.core.nomination import Reads, is_leaving, reads
from syncd.engine.cycles.strangers import StrangerBudget
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.model import LogEvent

NAMES_AT_MOST = BY_ID_AT_MOST
"""So many names are pending from hooks; what more is named in a storm is the System Log's, by its own rule."""
AGAIN_AFTER = 5.0
"""Seconds until the second look at what showed nothing new."""
OVERDUE = timedelta(seconds=60)
"""How long a hook may take after the log has shown the event, until it counts as one that did not come."""
_REMEMBERED = 5_000
_NOTHING_REMEMBERED = 1_000
_SHOWN_BY_STAMP = frozenset({Reads.PERSON_OF_APP, Reads.ASSIGNMENT})
"""What the `lastUpdated` of an assignment tells about: itself. Of the person's own status and profile, which reach it
later, and of who is a member it tells nothing.
"""


@dataclass(slots=True)
class _Pending:
    name: HookNamed
    looks: int = 0
    due: float = 0.0
    """By the monotonic clock."""
    counts: bool = False
    """A stranger, for whom something of the org's budget was taken."""


class Hooked:
    """Thread-safe: the listener names, deltas look. `clock` is the monotonic one; `budget` is the org's."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        budget: Callable[[], StrangerBudget] | None = None,
    ) -> None:
        self._clock = clock
        alone = StrangerBudget(clock)
        self._budget = budget or (lambda: alone)
        self._nothing: OrderedDict[Key, None] = OrderedDict()
        self.left_to_the_log = 0
        """Names that nobody looked at because hooks named them: too many waited, or too many strangers were nothing."""
        self._lock = threading.RLock()
        self._pending: dict[Key, _Pending] = {}
        self._seen_at: OrderedDict[Key, datetime] = OrderedDict()
        """When what was read last had been updated, by Okta."""
        self._came: OrderedDict[str, None] = OrderedDict()
        """uuids of events that hooks brought."""
        self._awaited: OrderedDict[str, tuple[datetime, str]] = OrderedDict()
        """By uuid, events that the log showed before a hook: when that was, and their kind."""
        self._last: datetime | None = None
        self._missed: tuple[datetime, str] | None = None
        self._listens_since: datetime | None = None
        self._restored = False
        self.went_first = False
        """The last delta looked at leavers alone, and others waited. Of deltas only."""
        self.put_off = False
        """Strangers waited for those whom the store knows: it is their turn. Of deltas only."""

    # what the listener brings

    def put(
        self,
        names: Mapping[Key, HookNamed],
        events: Iterable[LogEvent],
        now: datetime,
        strangers: AbstractSet[Key] = frozenset(),
    ) -> bool:
        """Whether anything is to be looked at because of it. `strangers`: whom of them the store does not know."""
        with self._lock:
            for event in events:
                if event.uuid == SAMPLE:
                    continue
                self._last = now
                self._awaited.pop(event.uuid, None)
                if event.uuid:
                    self._came[event.uuid] = None
                if self._missed and event.published and event.published >= self._missed[0]:
                    self._missed = None
            _bounded(self._came)
            taken = [self._take(key, name, is_stranger=key in strangers) for key, name in names.items()]
            self.left_to_the_log += taken.count(False)
            return any(taken)

    def left_out(self, names: int) -> None:
        """So many that came never got as far as here."""
        with self._lock:
            self.left_to_the_log += names

    def _take(self, key: Key, name: HookNamed, *, is_stranger: bool) -> bool:
        known = self._pending.get(key)
        is_news = known is None or known.looks > 0
        if known is None and len(self._pending) >= NAMES_AT_MOST and (is_stranger or not self._put_one_off()):
            return False
        if is_stranger and is_news and not self._budget().take():
            return False
        self._pending[key] = _Pending(
            name if known is None else known.name.and_also(name), counts=is_stranger
        )
        return True

    def _put_one_off(self) -> bool:
        """Whether a stranger made room."""
        other = next((key for key, each in self._pending.items() if each.counts), None)
        if other is None:
            return False
        del self._pending[other]
        self.left_to_the_log += 1
        return True

    # what a delta asks

    def due(self) -> Mapping[Key, HookNamed]:
        """What is to be looked at now."""
        now = self._clock()
        with self._lock:
            return {key: each.name for key, each in self._pending.items() if each.due <= now}

    def waits(self) -> float | None:
        """Seconds until something is to be looked at; None when nothing is."""
        with self._lock:
            dues = [each.due for each in self._pending.values()]
        return max(0.0, min(dues) - self._clock()) if dues else None

    def looked(
        self,
        names: Mapping[Key, HookNamed],
        moved: AbstractSet[Key],
        updated: Mapping[Key, datetime],
        unread: AbstractSet[Key],
        nothing: AbstractSet[Key] = frozenset(),
    ) -> None:
        """A cycle looked at these: of `moved` it saw something new, `updated` tells when Okta had updated them, and
        `unread` it could not read. `nothing`: who nobody knew, and is not there.
        """
        with self._lock:
            for key, name in names.items():
                known = self._pending.get(key)
                self._judge(key, known, is_nothing=key in nothing, is_unread=key in unread)
                stamp = updated.get(key)
                if stamp is not None and key not in unread:
                    self._seen_at[key] = stamp
                    self._seen_at.move_to_end(key)
                if known is None or known.name != name:  # named anew meanwhile
                    continue
                shown = key not in unread and (
                    key in moved or (stamp is not None and stamp >= name.published)
                )
                if shown or known.looks:
                    del self._pending[key]
                else:
                    again = self._clock() + AGAIN_AFTER
                    self._pending[key] = _Pending(name, known.looks + 1, again, known.counts)
            _bounded(self._seen_at)

    def _judge(self, key: Key, known: _Pending | None, *, is_nothing: bool, is_unread: bool) -> None:
        if is_nothing:
            self._nothing[key] = None
            self._nothing.move_to_end(key)
            _bounded(self._nothing, _NOTHING_REMEMBERED)
        elif not is_unread and known is not None and known.counts:
            known.counts = False
            self._budget().give_back()

    def nothing(self) -> AbstractSet[Key]:
        """Whom only hooks named, the store did not know, and Okta, asked by id, did not have: a list that shows them
        all the same may be older than that answer.
        """
        with self._lock:
            return frozenset(self._nothing)

    @property
    def is_short(self) -> bool:
        """So many strangers were nothing that others were left to the log, a while ago at most."""
        return self._budget().is_short

    def is_seen(self, event: LogEvent, keys: AbstractSet[Key]) -> bool:
        """Whether what this event of the log names was read after it happened, by evidence."""
        published = event.published
        if (
            published is None
            or not keys
            or is_leaving(event.kind)
            or reads(event.kind) not in _SHOWN_BY_STAMP
        ):
            return False
        with self._lock:
            return all((stamp := self._seen_at.get(key)) is not None and stamp >= published for key in keys)

    # what the log says of the hooks

    def log_showed(self, events: Sequence[LogEvent], now: datetime, *, listens: bool) -> None:
        """These named somebody or a group of ours. Those that a hook should have brought are waited for: who does not
        listen hears none, and what happened before may have been brought to the process before this one.
        """
        with self._lock:
            if not listens:
                self._listens_since, self._missed = None, None
                self._awaited.clear()
                return
            since = self._listens_since = self._listens_since or now
            for event in events:
                if (
                    is_ticked(event.kind)
                    and event.uuid
                    and event.uuid not in self._came
                    and event.published is not None
                    and event.published >= since
                ):
                    self._awaited.setdefault(event.uuid, (now, event.kind))
            _bounded(self._awaited)
            for uuid, (since, kind) in list(self._awaited.items()):
                if now - since >= OVERDUE:
                    del self._awaited[uuid]
                    self._missed = (since, kind)

    @property
    def is_healthy(self) -> bool:
        """Hooks come, and none is known not to have come since."""
        with self._lock:
            return self._last is not None and self._missed is None

    @property
    def last(self) -> datetime | None:
        """When the last one came, in this process."""
        with self._lock:
            return self._last

    @property
    def missed(self) -> str:
        """The kind of an event that the log had and no hook brought, until one comes again; "" without."""
        with self._lock:
            return self._missed[1] if self._missed else ""

    # what outlives the process

    def keep(self, remember: Callable[[str | None], None]) -> None:
        """Has the pending names remembered, as text; None when there are none. One caller at a time."""
        with self._lock:
            said = [
                f"{kind}:{okta_id}={each.name.published.isoformat()}={each.name.first.isoformat()}"
                f"={int(each.name.leaving)}"
                for (kind, okta_id), each in sorted(self._pending.items())
            ]
            remember(" ".join(said) or None)

    def restore(self, kept: str | None) -> None:
        """Once: what the process before this one had been told. What cannot be read is left to the log."""
        with self._lock:
            if self._restored:
                return
            self._restored = True
            for each in (kept or "").split()[:NAMES_AT_MOST]:
                parts = each.split("=")
                kind, _, okta_id = parts[0].partition(":")
                times = [moment(part) for part in parts[1:3]]
                if len(parts) == 4 and len(times) == 2 and times[0] and times[1] and okta_id:
                    name = HookNamed(times[0], times[1], parts[3] == "1")
                    self._pending.setdefault((kind, okta_id), _Pending(name))


def _bounded(
    kept: OrderedDict[str, None]
    | OrderedDict[Key, None]
    | OrderedDict[Key, datetime]
    | OrderedDict[str, tuple[datetime, str]],
    at_most: int = _REMEMBERED,
) -> None:
    while len(kept) > at_most:
        kept.popitem(last=False)
