"""What nobody carries out, in the same words as alone; and what is waited for instead."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from syncd.core.request import SyncRequest, arguments_of
from syncd.settings import load, scope_fingerprint
from syncd.store.rows import moment
from syncd.wiring import open_for_deciding, utc_now
from tests.e2e.elsewhere import Held, here
from tests.e2e.rig import Rig, rig
from tests.requests.asking import running
from tests.service.supervisor import eventually, supervised


def put(made: Rig, kind: str, arguments: str, *, version: int = 1) -> str:
    """As a command of another version would, or a person with the sqlite3 shell."""
    (settings,) = load([made.config], environ={}).connections
    with open_for_deciding(settings) as store:
        scope = scope_fingerprint(settings)
        return store.ask(kind, arguments, settings=scope, by="eve@host", reason="", version=version).id


def ended(made: Rig, request: str) -> dict[str, object]:
    def found() -> dict[str, object]:
        requests = made.run("status", "--json").document["requests"]
        return next(each for each in requests if each["id"] == request)

    eventually(lambda: found()["state"] == "ended", f"{request} ends")
    return found()


def error_of(made: Rig, request: str) -> str:
    with closing(sqlite3.connect(made.store)) as conn:
        ((text,),) = conn.execute("SELECT outcome FROM requests WHERE id = ?", (request,)).fetchall()
    return str(json.loads(text)["said"][0]["message"])


def test_a_request_of_a_newer_version_is_refused_and_nothing_of_it_is_done(made: Rig) -> None:
    with running(made):
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)
        made.forget()
        newer = put(made, "sync", arguments_of(SyncRequest()), version=2)
        unknown = put(made, "promote", "{}")
        strange = put(made, "sync", json.dumps({**json.loads(arguments_of(SyncRequest())), "kindly": True}))

        assert [ended(made, each)["exit_code"] for each in (newer, unknown, strange)] == [3, 3, 3]
        assert "newer syncd" in error_of(made, newer)
        assert "nothing of it was done" in error_of(made, unknown)
        assert "nothing of it was done" in error_of(made, strange)
    assert made.writes() == []


def test_a_request_that_somebody_wrote_into_the_store_is_carried_out_by_nobody(made: Rig) -> None:
    with running(made):
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)
        made.forget()
        with closing(sqlite3.connect(made.store)) as conn:
            conn.execute(
                "INSERT INTO requests"
                " (id, place, version, kind, arguments, settings, asked_by, reason, asked_at, state)"
                " VALUES ('r1', 1, 1, 'sync', ?, '', 'boss@host', '', ?, 'waiting')",
                (arguments_of(SyncRequest(allow={"deactivations": 1000})), moment(utc_now())),
            )
            conn.commit()

        assert ended(made, "r1")["exit_code"] == 3
        assert "changed behind syncd's back" in error_of(made, "r1")
    assert made.writes() == []


def test_settings_that_the_daemon_has_not_read_yet_are_not_those_that_count(made: Rig) -> None:
    with running(made):
        text = made.config.read_text()
        made.config.write_text(text.replace("[provisioning]", "[provisioning]\nupdate_users = false"))

        answer = made.run("sync", "--json", code=3)

        assert "other scope settings" in answer.stderr
        assert "reload" in answer.stderr


def test_a_quarantined_connection_says_the_same_as_alone_and_when_it_is_asked_again(made: Rig) -> None:
    made.sync()
    made.split.world.regenerate_token("another-token-entirely")
    made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)
    made.sync(code=1)
    alone = made.run("sync", "--json", code=1)
    with supervised(made.folder, made.config) as daemon:
        daemon.hears("STATUS=acme: in quarantine")
        there = made.run("sync", "--json", code=1)

    assert there.document["errors"] == alone.document["errors"]
    assert "it is asked again at" in there.stderr


def test_a_command_that_has_the_store_is_waited_for(tmp_path: Path) -> None:
    with rig(tmp_path, users=20) as made:
        held = Held(made)
        with here().begun(made, "sync", "--json") as first:
            held.wait(first)
            with here().begun(made, "sync", "--json") as second:
                assert second.stderr is not None
                said = second.stderr.readline()
                assert said.startswith("waits: syncd (process")
                assert "has been writing with this store since" in said
                held.let_go()
                out, err = second.communicate(timeout=60)
            first.communicate(timeout=60)

        assert first.returncode == 0
        assert second.returncode == 0, err
        assert json.loads(out)["summary"]["applied"] == {}
        held.assert_written_once()
