"""What was under way when another worker took over: asked at once, and again two minutes later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.core.change import Change, ChangeKind
from syncd.engine.cycles.second_look import AFTER, SECOND_LOOK, SecondLook, is_due, look_again, take_over
from syncd.engine.facts import LAST_DRIFT
from syncd.engine.job import Job
from syncd.redact import Redactor
from syncd.settings import load
from syncd.wiring import open_job
from tests.e2e.rig import Rig, synced_crew
from tests.observing import Unheard


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    with synced_crew(tmp_path, people=4, members=2) as one:
        yield one


@contextmanager
def job_of(made: Rig) -> Iterator[Job]:
    (settings,) = load([made.config], environ=os.environ).connections
    with open_job(settings, writing=True, observer=Unheard(), redactor=Redactor()) as job:
        yield job


def left_open(job: Job, user_name: str) -> str:
    """The worker before had begun to rename this person; their Okta id."""
    (known,) = job.store.find_users(user_name)
    assert known.pushed is not None
    change = Change(
        ChangeKind.UPDATE_USER,
        known.okta_id,
        known.pushed.scim_id,
        user_name,
        {"name.familyName": known.pushed.attributes["name.familyName"]},
        {"name.familyName": "Stale"},
        "the profile changed",
    )
    job.store.intend(job.store.begin_run("delta"), [change])
    return known.okta_id


def test_whom_an_open_intent_is_about_is_named_now_and_remembered_for_two_minutes_later(made: Rig) -> None:
    with job_of(made) as job:
        okta_id = left_open(job, "p01@example.com")
        now = job.clock()
        assert take_over(job.store, now).users == {okta_id}
        assert SECOND_LOOK.of(job.store) == SecondLook(now + AFTER, frozenset([okta_id]))
        assert not is_due(job.store, now + AFTER - timedelta(seconds=1))
        assert is_due(job.store, now + AFTER)


def test_where_nothing_was_under_way_nothing_is_remembered(made: Rig) -> None:
    with job_of(made) as job:
        assert not take_over(job.store, job.clock())
        assert SECOND_LOOK.of(job.store) is None
        assert look_again(job) is None


def test_a_request_that_arrived_after_it_was_asked_for_is_found_and_given_back(made: Rig) -> None:
    with job_of(made) as job:
        left_open(job, "p01@example.com")
        take_over(job.store, job.clock())
    made.sync()  # settles it: it did not take effect
    made.split.world.edit_user("p01@example.com", name={"givenName": "P", "familyName": "Stale"})
    made.sync()  # which cannot see that
    assert made.actual_people()["p01@example.com"] == ("P", "Stale")
    made.forget()
    with job_of(made) as job:
        result = look_again(job)
        assert result is not None
        assert result.status == "succeeded"
        assert SECOND_LOOK.of(job.store) is None
        assert LAST_DRIFT.of(job.store) is None, "nobody compared everything"
    made.assert_exact()
    assert len(made.writes()) == 1


def test_a_second_takeover_within_the_two_minutes_forgets_nobody(made: Rig) -> None:
    with job_of(made) as job:
        first = left_open(job, "p01@example.com")
        take_over(job.store, job.clock())
    made.sync()
    with job_of(made) as job:
        second = left_open(job, "p02@example.com")
        take_over(job.store, job.clock())
        found = SECOND_LOOK.of(job.store)
        assert found is not None
        assert found.users == {first, second}


def test_a_second_look_that_could_not_read_everything_is_tried_again(made: Rig) -> None:
    with job_of(made) as job:
        left_open(job, "p01@example.com")
        take_over(job.store, job.clock())
        made.split.world.regenerate_token("another")
        result = look_again(job)
        assert result is not None
        assert result.status == "failed"
        assert SECOND_LOOK.of(job.store) is not None


def test_what_somebody_else_wrote_there_is_no_second_look(made: Rig) -> None:
    with job_of(made) as job:
        for text in (
            "",
            "[]",
            '{"at": 1}',
            "{",
            '{"at": "2026-01-01T00:00:00+00:00", "users": 1, "groups": []}',
        ):
            job.store.remember(SECOND_LOOK.key, text)
            assert SECOND_LOOK.of(job.store) is None
