"""When the next full and drift cycles come, told in the store: `syncd status` then says the same as the status page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from syncd.core.plan import timestamp
from syncd.engine.facts import NEXT_RUNS
from syncd.errors import SyncdError
from syncd.ports import Store

KINDS = ("full", "drift")
_MOVED = timedelta(seconds=1)


class NextRuns:
    """Of one connection. `planned`: when the next cycle of a kind comes, None where there is none."""

    def __init__(self, planned: Callable[[str], datetime | None]) -> None:
        self._planned = planned
        self._told: Mapping[str, datetime] = {}

    def tell(self, store: Store | None) -> None:
        """Writes only what has moved. A store that cannot be written now is told at the next turn."""
        runs = {kind: at for kind in KINDS if (at := self._planned(kind)) is not None}
        if store is None or self._is_told(runs):
            return
        with suppress(SyncdError):
            NEXT_RUNS.remember(store, {kind: timestamp(at) for kind, at in runs.items()})
            self._told = runs

    def _is_told(self, runs: Mapping[str, datetime]) -> bool:
        return runs.keys() == self._told.keys() and all(
            abs(at - self._told[kind]) < _MOVED for kind, at in runs.items()
        )

    @staticmethod
    def over(store: Store | None) -> None:
        """The daemon ends: what comes next is what the schedule says."""
        if store is not None:
            with suppress(SyncdError):
                NEXT_RUNS.remember(store, None)
