"""`syncd hook` says what to enter in Okta, its test that the listener hears, `syncd check` that hooks arrive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.answers.hook import hook_document
from syncd.core.hooks import TICKED, org_key
from syncd.core.nomination import Reads, reads
from syncd.report.hook_text import hook_lines
from syncd.report.lines import plain
from tests.e2e.rig import Rig
from tests.hooks.hooked_daemon import BEFORE, SECRET, arrives, hearing, hook_url, hooks_table
from tests.hooks.test_hook_listener import settings_of
from tests.schema.judging import problems
from tests.service.connecting import FAST, schedule, served
from tests.service.supervisor import eventually
from tests.serving import free_port


def line_of(made: Rig, name: str) -> list[dict[str, str]]:
    checks = made.run("check", "--json", code=None).document["checks"]
    return [each for each in checks if each["name"] == name]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """With both secrets of hooks in the environment, and no daemon."""
    monkeypatch.setenv("E2E_HOOK", SECRET)
    monkeypatch.setenv("E2E_HOOK_BEFORE", BEFORE)
    with served(tmp_path) as made:
        yield made


def test_it_shows_address_header_and_events_and_never_the_secret(made: Rig) -> None:
    schedule(made, FAST, hooks_table(9465))
    document = made.run("hook", "--host", "https://hooks.example.com/", "--json").document
    said = made.run("hook").stdout

    assert problems(document) == []
    assert document["url"] == f"https://hooks.example.com/okta/{org_key(made.okta.url)}"
    assert document["header"] == "Authorization"
    assert document["secret"] == '{ env = "E2E_HOOK" }'
    assert document["events"] == list(TICKED)
    assert [event for event in TICKED if f"  {event}\n" not in said] == []
    assert SECRET not in "".join(made.said)


def test_connections_of_one_org_share_a_hook_that_is_shown_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOOK_SECRET", "HOOK_BEFORE", "HOOK_OKTA", "HOOK_SPLIT"):
        monkeypatch.setenv(name, "a-secret-of-more-than-twenty-characters")
    first, second = settings_of(tmp_path, "one"), settings_of(tmp_path, "two")
    documents = [hook_document(each, (first, second), "") for each in (first, second)]
    said = [plain(hook_lines(document)) for document in documents]

    assert [document["connections"] for document in documents] == [["one", "two"], ["one", "two"]]
    assert "user.lifecycle.deactivate" in said[0]
    assert said[1].strip() == "the hook of one: one serves all connections of an org"


def test_every_event_to_tick_names_somebody_or_a_group() -> None:
    by_id = {Reads.ASSIGNMENT, Reads.PERSON, Reads.PERSON_OF_APP, Reads.MEMBER, Reads.GROUP}

    assert {kind: reads(kind) for kind in TICKED if reads(kind) not in by_id} == {}


def test_a_test_posts_a_sample_that_names_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hearing(tmp_path, monkeypatch) as (made, daemon, _):
        document = made.run("hook", "test", "--json").document
        through = made.run("hook", "test", "--host", hook_url(made, 0).rpartition(":0")[0] + ":1", code=1)

        assert problems(document) == []
        assert document["test"]["stored"] is True
        assert daemon.daemon.board.hook_answers() == {200: 2, 204: 1, 401: 1}
        assert not daemon.daemon._served["acme"].hooks.hooked.is_healthy  # it is no sign of Okta
        assert "nobody answers" in through.stderr
        assert SECRET not in "".join(made.said)


def test_without_a_daemon_or_a_listener_the_test_says_so(made: Rig) -> None:
    off = made.run("hook", "test", code=78)
    schedule(made, FAST, hooks_table(free_port()))
    unheard = made.run("hook", "test", code=1)
    none_yet = line_of(made, "event hooks")

    assert "hooks.listen is not set" in off.stderr
    assert "syncd run listens there" in unheard.stderr
    assert [each["state"] for each in none_yet] == ["warn"]


def test_check_says_that_hooks_arrive_and_which_kind_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = FAST + '\ndelta_with_hooks = "1s"'
    ticked = [kind for kind in TICKED if kind != "application.user_membership.remove"]
    monkeypatch.setattr("syncd.engine.cycles.hooked.OVERDUE", timedelta(seconds=1))
    with hearing(tmp_path, monkeypatch, every=every, events=ticked) as (made, daemon, _):
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        arrives(made, "new@example.com")
        eventually(lambda: [each["state"] for each in line_of(made, "event hooks")] == ["ok"], "they arrive")

        made.okta.world.unassign("new@example.com")
        eventually(lambda: daemon.warnings(), "a hook is missed")
        assert "application.user_membership.remove" in daemon.warnings()[0]
        [line] = line_of(made, "event hooks")
        assert line["state"] == "warn"
        assert "application.user_membership.remove" in line["detail"]
