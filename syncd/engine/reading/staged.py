"""A stage for what a cycle reads, closed when the cycle cannot go on with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from syncd.engine.job import Job
from syncd.engine.reading.learned import Reading
from syncd.ports import Stage


def staged(job: Job, read: Callable[[Stage], Reading]) -> tuple[Stage, Reading]:
    stage = job.store.stage()
    with closing_on_error(stage):
        return stage, read(stage)


@contextmanager
def closing_on_error(stage: Stage) -> Iterator[None]:
    try:
        yield
    except BaseException:
        stage.close()
        raise
