"""Whether whoever takes over a connection reads everything at once: by the runs that the store remembers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.service.fleet.connection import _left_unsent
from tests.store.making import Place

Run = tuple[str, str | None, bool]
"""Kind, status (None: it died), and whether something was put off. The oldest first."""
WHOLE: Run = ("full", "succeeded", False)


@pytest.mark.parametrize(
    ("runs", "left"),
    [
        ([], False),
        ([WHOLE], False),
        ([WHOLE, ("delta", "succeeded", False)], False),
        ([("full", "held", False)], False),
        ([("full", "interrupted", False)], True),
        ([WHOLE, ("full", None, False)], True),
        ([WHOLE, ("drift", "interrupted", False), ("delta", "succeeded", False)], True),
        ([WHOLE, ("full", "refused", True)], True),  # paused
        ([WHOLE, ("delta", "refused", True)], True),
        ([WHOLE, ("delta", "interrupted", False)], False),  # its names are pending
        ([WHOLE, ("delta", None, False)], False),
        ([("full", "interrupted", False), ("full", "failed", False)], True),  # which read nothing
        ([("full", "interrupted", False), WHOLE], False),
    ],
)
def test_what_was_ended_early_since_the_last_whole_full_cycle_is_left(
    tmp_path: Path, runs: Sequence[Run], left: bool
) -> None:
    place = Place(tmp_path / "acme.db")
    with place.open() as store:
        for kind, status, put_off in runs:
            place.clock.now += timedelta(minutes=1)
            run_id = store.begin_run(kind)
            if status is not None:
                summary = {"deferred": {"create_user": 2}} if put_off else {}
                store.finish_run(run_id, status=status, summary=summary, error=None)
        assert _left_unsent(store) is left
