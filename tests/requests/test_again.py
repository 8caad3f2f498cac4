"""A request whose taker died at the last moment, before it could say what came of it: nothing is done twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from syncd.answers.requests import carry_out_once
from syncd.core import request
from syncd.redact import Redactor
from syncd.settings import ConnectionSettings, load, scope_fingerprint
from syncd.store.sqlite.store import SqliteStore
from syncd.wiring import open_for_deciding, open_job
from tests.e2e.rig import Rig
from tests.observing import Unheard
from tests.requests.asking import beside


class Died(BaseException):
    """The process of whoever carries it out is dead from here on. No ordinary handler catches it."""


def settings_of(made: Rig) -> ConnectionSettings:
    (settings,) = load([made.config], environ=os.environ).connections
    return settings


def put(made: Rig, asked: request.Request) -> str:
    settings = settings_of(made)
    with open_for_deciding(settings) as store:
        scope = scope_fingerprint(settings)
        return store.ask(
            request.kind_of(asked), request.arguments_of(asked), settings=scope, by="eve@host", reason=""
        ).id


def carry_out(made: Rig, request_id: str) -> request.RequestResult:
    """As whoever has the lock does it."""
    settings = settings_of(made)
    with open_job(settings, writing=True, observer=Unheard(), redactor=Redactor()) as job:
        (found,) = job.store.requests_to_take()
        assert job.store.take_request(request_id) is not None
        asked = request.read_request(found.version, found.kind, found.arguments)
        result, _ = carry_out_once(job, found, asked)
        job.store.end_request(request_id, result)
        return result


def dies(*_: object, **__: object) -> None:
    raise Died


def killed_at(made: Rig, request_id: str, act: str) -> None:
    """Nothing is said and nothing given back by who dies; the kernel lets go of its file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqliteStore, act, dies)
        patch.setattr(SqliteStore, "unlock", dies)
        with suppress(Died):
            carry_out(made, request_id)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    """Synced; then one is new, one is named otherwise, and a group is made at either side."""
    with beside(tmp_path) as made:
        made.okta.world.create_group("Support")
        made.split.world.create_local_group("Helpdesk")
        made.sync()
        yield made


def someone_new(made: Rig) -> None:
    made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)


def a_sync(made: Rig) -> request.Request:
    someone_new(made)
    return request.SyncRequest(users=("ada@example.com",))


def a_full_sync(made: Rig) -> request.Request:
    someone_new(made)
    return request.SyncRequest()


def a_plan(made: Rig) -> request.Request:
    someone_new(made)
    made.run("plan", "-o", str(made.folder / "plan.json"))
    return request.ApplyRequest((made.folder / "plan.json").read_text())


def a_repair(made: Rig) -> request.Request:
    made.split.world.edit_user("p00@example.com", name={"givenName": "Changed", "familyName": "00"})
    return request.DriftRequest()


def a_link(made: Rig) -> request.Request:
    return request.LinkRequest("Support", "Helpdesk")


def an_unlink(made: Rig) -> request.Request:
    return request.UnlinkRequest("Crew", delete=False)


def a_deletion(made: Rig) -> request.Request:
    return request.UnlinkRequest("Crew", delete=True, allow={"group_deletions": 1})


def an_undo(made: Rig) -> request.Request:
    someone_new(made)
    return request.UndoRequest(str(made.sync()["run_id"]))


def a_release(made: Rig) -> request.Request:
    return request.ReleaseRequest("p07@example.com")


def a_relink(made: Rig) -> request.Request:
    return request.RelinkRequest()


ASKED: list[Callable[[Rig], request.Request]] = [
    a_sync,
    a_full_sync,
    a_plan,
    a_repair,
    a_link,
    an_unlink,
    a_deletion,
    an_undo,
    a_release,
    a_relink,
]


@pytest.mark.parametrize(
    ("asked", "act"),
    [
        (asked, act)
        for asked in ASKED
        for act in ("end_request", "finish_run")
        if (asked, act) != (a_release, "finish_run")  # which is no run
    ],
)
def test_what_was_done_already_is_not_done_again(
    made: Rig, asked: Callable[[Rig], request.Request], act: str
) -> None:
    request_id = put(made, asked(made))
    made.forget()
    killed_at(made, request_id, act)
    written = made.writes()

    result = carry_out(made, request_id)

    assert result.exit_code == 0, result.said
    assert result.document is not None
    assert made.writes() == written
    (told,) = [each for each in made.run("status", "--json").document["requests"] if each["id"] == request_id]
    assert (told["state"], told["exit_code"]) == ("ended", 0)


def test_of_a_plan_that_was_applied_half_only_the_rest_is_applied(made: Rig) -> None:
    for number in range(3):
        made.okta.world.update_profile(f"p0{number}@example.com", lastName="Renamed")
    made.run("plan", "-o", str(made.folder / "plan.json"))
    request_id = put(made, request.ApplyRequest((made.folder / "plan.json").read_text()))
    killed_at(made, request_id, "begin_run")
    made.sync("--user", "p00@example.com")
    made.forget()

    result = carry_out(made, request_id)

    assert result.document is not None
    assert result.document["summary"]["applied"] == {"update_user": 3}
    assert len(made.writes()) == 2
    made.assert_exact()
