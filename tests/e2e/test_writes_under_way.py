"""Writes that are journalled ahead: none of them begins once writing has ended, and none is forgotten."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from syncd.engine.cycles.sync import sync
from syncd.engine.reading.selection import Selection
from syncd.redact import Redactor
from syncd.settings.load import load_or_raise
from syncd.simulators.split import SplitKnobs
from syncd.wiring import open_job
from tests.e2e.rig import OKTA_TOKEN, SPLIT_TOKEN, Rig, rig
from tests.observing import Unheard

WORKERS = 8


def creations(made: Rig) -> int:
    return sum(request.method == "POST" for request in list(made.split.requests))


def test_after_a_refused_token_only_the_writes_under_way_are_finished(tmp_path: Path) -> None:
    with rig(tmp_path, users=120, groups=2) as made:
        made.split.faults.add("status", method="POST", path="/Users", nth=40, count=-1, status=401)
        made.split.faults.add(
            "status", path=r"/Users\?.*count=1(&|$)", count=-1, status=401
        )  # the harmless read

        result = made.sync(code=1)

        assert "401" in result["errors"][-1]["message"]
        assert 40 <= creations(made) < 40 + WORKERS


def test_after_a_request_to_stop_nothing_begins_and_every_journalled_write_is_settled(
    tmp_path: Path,
) -> None:
    secrets = {"E2E_OKTA": OKTA_TOKEN, "E2E_SPLIT": SPLIT_TOKEN}
    with (
        rig(tmp_path, users=120, groups=2, knobs=SplitKnobs(latency_seconds=0.02)) as made,
        mock.patch.dict(os.environ, secrets),
    ):
        settings = load_or_raise([made.config], environ=secrets).connections[0]
        with open_job(settings, writing=True, observer=Unheard(), redactor=Redactor()) as job:
            result = sync(replace(job, cancelled=lambda: creations(made) >= 30), Selection())

            assert "stopped on request" in result.problems[-1].message
            assert creations(made) < 30 + WORKERS
            assert job.store.open_intents() == []
            assert job.store.failures() == []

        made.sync()
        made.assert_exact()


@pytest.mark.parametrize("latency", [0.0, 0.02])
def test_writes_of_any_speed_each_have_their_intent_and_their_outcome(tmp_path: Path, latency: float) -> None:
    with rig(tmp_path, users=300, groups=3, knobs=SplitKnobs(latency_seconds=latency)) as made:
        made.sync()

        made.assert_exact()
        made.run("audit", "verify")
