"""The groups of which no list is believed."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.engine.job import Job
from syncd.ports import Stage
from syncd.ports.stage import BetterKnown


def better_known_groups(job: Job, stage: Stage) -> Mapping[str, BetterKnown]:
    """By Okta id: where the store knows better, and what was not there when it was asked for by id (`Job.nothing`)."""
    nothing = {
        okta_id: BetterKnown(younger=False, wish=None)
        for kind, okta_id in job.nothing()
        if kind == "group" and job.store.group(okta_id) is None
    }
    return {**nothing, **stage.better_known_groups()}
