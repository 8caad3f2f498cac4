"""A person's pause: reading and planning go on, nothing is written, and what is wanted waits."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncd.answers.decisions import pause, resume
from syncd.core.pausing import Pause
from syncd.engine.cycles.delta import delta, follow
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import sync
from syncd.engine.facts import COMPLETE_READ
from syncd.engine.reading.selection import Selection
from syncd.simulators.split import SplitKnobs
from syncd.simulators.world import OktaWorld
from syncd.wiring import open_for_deciding
from tests.chaos.arena import Arena, arena
from tests.e2e.rig import Rig
from tests.e2e.test_delta import opened
from tests.schema.judging import problems
from tests.service.supervisor import eventually


def people(count: int) -> OktaWorld:
    world = OktaWorld()
    for number in range(count):
        world.add_user(f"p{number:02}@example.com", "P", f"{number:02}", assign=True)
    return world


def paused(made: Arena, until: datetime | None = None) -> None:
    with open_for_deciding(made.settings, clock=made.clock) as store:
        pause(store, "chaos", Pause("me", made.clock(), until, "a test"))


def newcomer(made: Rig, name: str = "new") -> None:
    made.okta.world.add_user(f"{name}@example.com", "New", "Hire", assign=True)


def test_a_sync_beside_a_pause_is_refused_and_nothing_is_read_or_written(synced: Rig) -> None:
    newcomer(synced)
    paused = synced.run("pause", "--reason", "Split moves house", "--json").document
    assert problems(paused) == []
    assert paused["pause"]["reason"] == "Split moves house"
    synced.forget()

    answer = synced.run("sync", "--json", code=3)

    assert problems(answer.document) == []
    assert answer.document["status"] == "refused"
    assert "writing is paused by" in answer.stderr
    assert "Split moves house" in answer.stderr
    assert f"syncd -c {synced.config} resume" in answer.stderr
    assert (synced.writes(), synced.reads()) == ([], [])


def test_no_limit_that_is_raised_lifts_a_pause_and_after_it_all_is_written(synced: Rig) -> None:
    newcomer(synced)
    synced.run("pause")
    synced.sync("--allow", "creations=99", code=3)

    ended = synced.run("resume", "--reason", "done", "--json").document
    assert ended["decision"] == "resume"
    assert ended["pause"] is not None
    synced.sync()

    synced.assert_exact()


@pytest.mark.parametrize(
    "command",
    [
        ["apply", "--yes"],
        ["drift", "--fix"],
        ["unlink", "Engineering", "--keep", "--yes"],
        ["link", "Engineering", "Product", "--yes"],
        ["sync", "--user", "new@example.com"],
    ],
)
def test_every_command_that_would_write_is_refused_beside_a_pause(synced: Rig, command: list[str]) -> None:
    newcomer(synced)
    synced.run("pause")
    synced.forget()

    answer = synced.run(*command, code=3)

    assert "writing is paused by" in answer.stderr
    assert synced.writes() == []


def test_a_saved_plan_and_an_approval_now_wait_too(synced: Rig) -> None:
    newcomer(synced)
    plan = synced.folder / "plan.json"
    synced.run("plan", "-o", str(plan))
    run = json.loads(synced.run("status", "--json").stdout)["runs"][0]["run_id"]
    synced.run("pause")

    for command in (["apply", str(plan)], ["undo", run, "--yes"]):
        assert "writing is paused by" in synced.run(*command, code=3).stderr
    assert synced.writes() == []

    synced.run("resume")
    synced.run("apply", str(plan))
    assert "new@example.com" in synced.actual_people()


def test_planning_explaining_and_looking_for_drift_go_on(synced: Rig) -> None:
    newcomer(synced)
    synced.run("pause")

    assert synced.plan()["summary"]["create_user"] == 1
    synced.run("drift")
    synced.run("explain", "new@example.com")
    synced.run("held")


def test_a_pause_is_in_status_check_and_the_trail_with_who_and_why(synced: Rig) -> None:
    synced.run("pause", "--reason", "maintenance", "--until", "2h")

    status = synced.run("status", "--json").document
    assert problems(status) == []
    assert status["state"] == "paused"
    assert status["pause"]["reason"] == "maintenance"
    assert status["pause"]["until"] is not None
    assert "Paused by" in synced.run("status").stdout
    checks = {line["name"]: line for line in synced.run("check", "--json").document["checks"]}
    assert checks["writing"]["state"] == "warn"
    assert "maintenance" in checks["writing"]["detail"]

    synced.run("resume", "--reason", "over")
    rows = [json.loads(row) for row in synced.run("audit", "export").stdout.splitlines()]
    told = [(row["kind"], row["details"]["by"]) for row in rows if row["kind"] in ("pause", "resume")]
    assert [kind for kind, _ in told] == ["pause", "resume"]
    assert all(by for _, by in told)
    synced.run("audit", "verify")
    decisions = synced.run("report", "--format", "json").document["decisions"]
    assert [one["decision"] for one in decisions] == ["pause", "resume"]
    assert "maintenance" in decisions[0]["asked"][0]


def test_a_pause_ends_by_itself_when_its_time_has_come(tmp_path: Path) -> None:
    with arena(tmp_path, people(3)) as made:
        paused(made, until=made.now + timedelta(hours=1))
        made.later(timedelta(minutes=59))
        assert made.cycle().exit_code == 3
        made.later(timedelta(minutes=2))
        assert made.cycle().exit_code == 0
        assert len(made.holdings().people) == 3


def test_a_pause_of_a_pause_is_the_new_one_and_a_resume_of_none_is_no_error(synced: Rig) -> None:
    before = synced.run("status", "--json").document["state"]
    synced.run("pause", "--reason", "one")
    synced.run("pause", "--reason", "two")
    assert synced.run("status", "--json").document["state"] == "paused"
    assert synced.run("status", "--json").document["pause"]["reason"] == "two"
    synced.run("resume")

    again = synced.run("resume", "--json").document
    assert again["pause"] is None
    assert synced.run("status", "--json").document["state"] == before


@pytest.mark.parametrize("until", ["yesterday", "2020-01-01T00:00Z", "25:00", "1w", "0m"])
def test_a_time_that_is_none_or_past_is_a_usage_error(synced: Rig, until: str) -> None:
    answer = synced.run("pause", "--until", until, code=64)
    assert "--until" in answer.stderr
    assert synced.run("status", "--json").document["pause"] is None


def test_a_pause_stops_the_very_run_that_is_writing_and_the_rest_waits(tmp_path: Path) -> None:
    with arena(tmp_path, people(40), knobs=SplitKnobs(latency_seconds=0.05)) as made:
        ended: list[RunResult] = []
        with opened(made) as job:
            writer = threading.Thread(target=lambda: ended.append(sync(job, Selection())))
            writer.start()
            eventually(lambda: len(made.holdings().people) > 3, "some are written")
            paused(made)
            writer.join(60)

        [result] = ended
        created = len(made.holdings().people)
        assert result.document()["status"] == "refused"
        assert result.summary()["applied"]["create_user"] == created < 40
        assert result.summary()["deferred"]["create_user"] == 40 - created

        with open_for_deciding(made.settings, clock=made.clock) as store:
            resume(store, "chaos", "me", "", made.clock())
        assert made.cycle().exit_code == 0
        assert len(made.holdings().people) == 40


def test_whoever_comes_again_by_a_schedule_reads_and_plans_and_writes_nothing(tmp_path: Path) -> None:
    with arena(tmp_path, people(3)) as made:
        paused(made)
        with opened(made) as job:
            result = sync(job, Selection(), may_wait=True)
            assert COMPLETE_READ.of(job.store) is not None

        assert result.document()["status"] == "refused"
        assert result.summary()["deferred"] == {"create_user": 3}
        assert [request.method for request in made.split.requests if request.method != "GET"] == []


def test_what_failed_and_is_due_is_not_looked_at_by_every_poll_of_a_pause(tmp_path: Path) -> None:
    with arena(tmp_path, people(3)) as made:
        made.split.faults.add("status", path=r"/Users", method="POST", count=-1, status=400)
        with opened(made) as job:
            follow(job)
            assert sync(job, Selection()).exit_code in (1, 4)
        made.heal()
        made.later(timedelta(hours=1))
        paused(made)
        with opened(made) as job:
            assert delta(job, Seen()).result is None
        with open_for_deciding(made.settings, clock=made.clock) as store:
            resume(store, "chaos", "me", "", made.clock())
        with opened(made) as job:
            found = delta(job, Seen()).result
        assert found is not None
        assert found.exit_code == 0
        assert len(made.holdings().people) == 3


def test_a_sync_outside_the_windows_is_refused_with_when_the_next_one_opens_and_no_allow_lifts_it(
    synced: Rig,
) -> None:
    newcomer(synced)
    begins, ends = datetime.now(UTC) + timedelta(hours=2), datetime.now(UTC) - timedelta(hours=1)
    window = f"Mon-Sun {begins:%H:%M}-{ends:%H:%M} UTC"
    with synced.config.open("a") as file:
        file.write(f'\n[schedule]\nwindows = ["{window}"]\n')

    answer = synced.run("sync", "--allow", "creations=99", "--json", code=3)

    assert answer.document["status"] == "refused"
    assert f"({window}); the next one opens at {begins:%Y-%m-%dT%H:%M}:00Z" in answer.stderr
    assert "--allow raises limits and opens no window" in answer.stderr
    assert synced.writes() == []
    assert synced.plan()["summary"]["create_user"] == 1
    status = synced.run("status", "--json").document
    assert problems(status) == []
    assert (status["windows"]["open"], status["windows"]["opens"]) == (False, f"{begins:%Y-%m-%dT%H:%M}:00Z")
    assert "Outside the windows" in synced.run("status").stdout
