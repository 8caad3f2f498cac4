"""A stage for what a cycle reads, closed when the cycle cannot go on with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from syncd.engine.job import Job
from syncd.ports import Stage

T = TypeVar("T")


def staged(job: Job, read: Callable[[Stage], T]) -> tuple[Stage, T]:
    """A new stage, with what `read` returned having filled it."""
    stage = job.store.stage()
    with closing_on_error(stage):
        return stage, read(stage)


@contextmanager
def closing_on_error(stage: Stage) -> Iterator[None]:
    """Closes the stage when the block fails, and only then."""
    try:
        yield
    except BaseException:
        stage.close()
        raise
