"""Tries a target: the classics once, then spoiled inputs until the time is over. The first finding ends it."""

from __future__ import annotations

import hashlib
import random
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from tests.fuzz.bounds import TooMuchMemory, TooSlow, bounded
from tests.fuzz.classics import classics
from tests.fuzz.spoiling import spoiled
from tests.fuzz.target import Target

_BATCH = 200
_SHRINK_SECONDS = 10.0
_LONG = 10.0
"""Seconds from which on there is time for classics of ten megabytes."""


@dataclass(frozen=True)
class Finding:
    """`kind` is the exception and the line that it came from: while shrinking it must stay the same."""

    kind: str
    text: str
    data: bytes

    @property
    def file_name(self) -> str:
        return hashlib.blake2b(self.data, digest_size=6).hexdigest()


@dataclass(frozen=True)
class Tried:
    examples: int
    finding: Finding | None


def attempt(target: Target, take: Callable[[bytes], object], data: bytes) -> Finding | None:
    """One input, under the bounds."""
    try:
        with bounded(len(data), target.room):
            take(data)
    except target.documented:
        return None
    except (Exception, TooSlow, TooMuchMemory) as error:  # noqa: BLE001  (that is what is looked for)
        frame = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} in {Path(frame.filename).name}:{frame.name}"
        return Finding(kind, "".join(traceback.format_exception(error)), data)
    return None


class _Trial:
    """One run over one target; it ends with the first finding. `note` is told each input before it is tried."""

    def __init__(self, target: Target, note: Callable[[bytes], object]) -> None:
        self._target, self._note = target, note
        self._take = target.open()
        self.examples = 0
        self.finding: Finding | None = None

    def one(self, data: bytes) -> None:
        self._note(data)
        self.examples += 1
        self.finding = attempt(self._target, self._take, data)

    def batch(self, ends: float, seed: int) -> None:
        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=_BATCH,
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(_inputs(self._target))
        def batch(data: bytes) -> None:
            # A finding is remembered instead of raised: Hypothesis would write it out, however large it is.
            if self.finding is None and time.monotonic() < ends:
                self.one(data)

        batch()

    def smaller(self) -> Finding | None:
        """The same finding with as little around it as some seconds allow."""
        found = self.finding
        if found is None or found.kind.startswith(("TooSlow", "TooMuchMemory")):
            return found
        ends = time.monotonic() + _SHRINK_SECONDS
        size = max(1, len(found.data) // 2)
        while size:
            at = 0
            while at < len(found.data) and time.monotonic() < ends:
                less = attempt(self._target, self._take, found.data[:at] + found.data[at + size :])
                if less is not None and less.kind == found.kind:
                    found = less
                else:
                    at += size
            size //= 2
        return found


def fuzz(target: Target, *, seconds: float, seed: int, note: Callable[[bytes], object]) -> Tried:
    """Classics, and spoiled inputs for so many seconds. In a short run the classics are drawn too, for as long."""
    trial = _Trial(target, note)
    known = classics(target, large=seconds >= _LONG)
    ends = time.monotonic() + seconds
    if seconds < _LONG:
        known = iter(random.Random(seed).sample(given := list(known), len(given)))  # noqa: S311  (dice)
    for data in known:
        trial.one(data)
        if trial.finding is not None:
            return Tried(trial.examples, trial.smaller())
        if seconds < _LONG and time.monotonic() > ends:
            break
    ends = time.monotonic() + seconds
    batch = 0
    while trial.finding is None and time.monotonic() < ends:
        trial.batch(ends, seed + batch)
        batch += 1
    return Tried(trial.examples, trial.smaller())


def _inputs(target: Target) -> st.SearchStrategy[bytes]:
    dice = st.integers(0, 2**64).map(random.Random)
    return st.one_of(*[dice.map(lambda each: spoiled(target, each))] * 3, st.binary(max_size=400))
