"""Leavers first: whom an event says to have lost access does not wait until a full cycle has written everybody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from syncd.core.nomination import Nominations
from syncd.engine.cycles.delta import LookOutcome, NamedLook, look_at, since_when
from syncd.engine.cycles.hooked import Hooked
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.seen import Seen, keys
from syncd.engine.cycles.turns import leavers_of
from syncd.engine.job import Job
from syncd.engine.reading.selection import BY_ID_AT_MOST


class LeaverCycles:
    """Lets them through while a full cycle has the turn: deltas only name then, and between two of its own writes the
    full cycle reads and writes them. `told` hears of each such run.

    Those whom event hooks alone name get a third of the full cycle's time at the most: whoever has the secret can name
    people without end. `clock` counts seconds.
    """

    def __init__(
        self,
        seen: Seen,
        hooked: Hooked,
        told: Callable[[RunResult], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seen = seen
        self._hooked = hooked
        self._told = told
        self._clock = clock
        self._hooks_again = 0.0
        self._turns = 0
        self._passed: set[tuple[str, str]] = set()

    @property
    def has_turn(self) -> bool:
        """The full cycle settles, plans or writes."""
        return self._turns > 0

    def job(self, job: Job) -> Job:
        """The full cycle's: it gives way."""
        return replace(job, give_way=self._give_way, turn=_Turn(lambda: self._in_turn(job)))

    @contextmanager
    def _in_turn(self, job: Job) -> Iterator[None]:
        with job.turn:
            self._turns += 1
            try:
                yield
            finally:
                self._turns -= 1

    def _give_way(self, job: Job, busy: AbstractSet[str]) -> AbstractSet[str]:
        """See `Job.give_way`. What it plans about those who are being written is left alone."""
        begun = self._clock()
        asked = (
            leavers_of(job, self._seen, self._hooked) if begun >= self._hooks_again else self._seen.leavers()
        )
        users = [each for each in asked if each not in busy][:BY_ID_AT_MOST]
        if not users:
            return frozenset()
        named = keys(users, ())
        by_hooks = {key: name for key, name in self._hooked.due().items() if key in named}
        look = NamedLook(users, (), frozenset(), frozenset(self._seen.left))
        found = LookOutcome(None, named)
        try:
            since = since_when(job, self._seen, by_hooks)
            quiet = replace(job, give_way=_nobody, since=since)
            found = look_at(quiet, look, frozenset(f"user:{each}" for each in busy))
        finally:
            self._seen.tried(named, found.unread, found.refused)
            self._hooked.looked(by_hooks, found.moved, found.updated, found.unread)
            if by_hooks:
                ended = self._clock()
                self._hooks_again = ended + 2 * (ended - begun)
        if found.result is not None:
            self._told(found.result)
        passed = found.looked_at - found.unread
        self._passed |= passed
        return {okta_id for _, okta_id in passed}

    def afterwards(self) -> Nominations:
        """Who went first is looked at once more when the full cycle has ended: what it had planned for them it did not
        do, and it may have made what they lacked, a group.
        """
        users, groups = (
            frozenset(okta_id for of_kind, okta_id in self._passed if of_kind == kind)
            for kind in ("user", "group")
        )
        return Nominations(users, groups)


def _nobody(_job: Job, _busy: AbstractSet[str]) -> AbstractSet[str]:
    return frozenset()


class _Turn(AbstractContextManager[None]):
    """May be taken again and again, each time anew."""

    def __init__(self, take: Callable[[], AbstractContextManager[None]]) -> None:
        self._take = take
        self._taken: list[AbstractContextManager[None]] = []

    def __enter__(self) -> None:
        taken = self._take()
        taken.__enter__()
        self._taken.append(taken)

    def __exit__(self, *why: object) -> None:
        self._taken.pop().__exit__(*why)  # type: ignore[arg-type]
