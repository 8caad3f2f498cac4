"""A hint names the whole next command: whoever named settings files finds them in it."""

from __future__ import annotations

import html
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncd.core.whole_commands import of_files, whole
from syncd.service.health import View
from syncd.service.page import status_page
from tests.e2e.rig import Rig, synced_crew
from tests.observe.receiving import receiver


@pytest.mark.parametrize(
    ("text", "configs", "said"),
    [
        ("`syncd held` lists them", ["a.toml"], "`syncd -c a.toml held` lists them"),
        ("syncd plan, then syncd sync", ["my file"], "syncd -c 'my file' plan, then syncd -c 'my file' sync"),
        ("syncd status", ["a.toml", "b.toml"], "syncd -c a.toml -c b.toml status"),
        ("`syncd run` has the store", ["a.toml"], "`syncd run` has the store"),
        ("syncd statuses", ["a.toml"], "syncd statuses"),
        ("it is (syncd sync, process 7)", ["a.toml"], "it is (syncd sync, process 7)"),
        ("syncd status", [], "syncd status"),
        (r"syncd status of \1", [r"C:\1"], r"syncd -c 'C:\1' status of \1"),
    ],
)
def test_commands_of_ours_are_made_whole(text: str, configs: list[str], said: str) -> None:
    assert whole(text, of_files([Path(each) for each in configs])) == said


def test_an_errors_hint_names_the_settings_file_that_was_given(tmp_path: Path) -> None:
    with synced_crew(tmp_path, people=2, members=1) as made:
        answer = made.run("approve", "0000", code=64)
        tied = made.run("link", "--user", "p00@example.com", "other", "--yes", code=3)

        saved = made.run("plan", "-o", str(tmp_path / "plan.json")).stderr

    assert f"`syncd -c {made.config} held" in answer.stderr
    assert f"To apply exactly this: syncd -c {made.config} apply {tmp_path}/plan.json" in saved
    assert f"syncd -c {made.config} unlink --user" in tied.stderr


def test_what_a_saved_plan_holds_is_told_with_the_settings_file(tmp_path: Path) -> None:
    with synced_crew(tmp_path, people=12, members=1) as made:
        for n in range(6):
            made.okta.world.unassign(f"p{n:02}@example.com")
        made.run("plan", "-o", str(tmp_path / "plan.json"), code=3)
        said = made.run("apply", str(tmp_path / "plan.json"), code=3).stderr

    assert f"`syncd -c {made.config} sync`, then `syncd -c {made.config} approve ID`" in said


NAMED_ALONE = re.compile(
    r"\bsyncd (?=(?:approve|check|drift|expect|explain|groups|held|link|pause|plan|reject|release|relink|restore|resume"
    r"|retry|skipped|status|sync|undo|unlink)\b)"
)
"""A command that would ask for another settings file than the one that was given."""


def test_every_command_in_what_people_are_told_names_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody is left out, a deactivation is held, an update fails, the target drifted, and writing is paused."""
    with synced_crew(tmp_path, people=4, members=2) as made, contextmanager(receiver)() as hook:
        monkeypatch.setenv("E2E_HOOK", hook.url)
        made.write_config(
            safety="max_deactivations = 0",
            rules='[[push_groups]]\nsource = { name = "Crew" }\n[notify]\nurls = [{ env = "E2E_HOOK" }]',
        )
        trouble(made)
        said = {
            command: made.run(command, code=None).stdout
            for command in ("status", "skipped", "held", "plan", "drift", "groups", "report")
        }
        for who in ("p00@example.com", "p01@example.com", "mixed.case@example.com", "Crew"):
            said[f"explain {who}"] = made.run("explain", who, code=None).stdout
        said["page"] = page_of(made)
        said["notices"] = " ".join(each["message"] for each in hook.got)

    whole_command = f"syncd -c {made.config} "
    for place, text in said.items():
        assert NAMED_ALONE.findall(text) == [], f"{place}: {text}"
    for place in ("status", "skipped", "held", "report", "page", "notices"):
        assert whole_command in " ".join(said[place].split()), f"{place}: {said[place]}"


def trouble(made: Rig) -> None:
    world = made.okta.world
    made.split.world.create_local_user("Mixed.Case@example.com")
    world.add_user("mixed.case@example.com", "Mixed", "Case", assign=True)
    world.unassign("p00@example.com")
    refuse_updates(made, "no")
    world.update_profile("p01@example.com", lastName="Moved")
    made.split.world.create_local_user("stranger@example.com")
    made.sync(code=None)
    made.run("drift", code=None)
    made.run("pause", "--reason", "a test")


def refuse_updates(made: Rig, summary: str) -> None:
    for method in ("PATCH", "PUT"):
        made.split.faults.add("status", method=method, path="/Users/", count=-1, status=400, summary=summary)


def test_what_a_server_said_is_shown_word_for_word(tmp_path: Path) -> None:
    with synced_crew(tmp_path, people=2, members=1) as made:
        refuse_updates(made, "ask syncd held")
        made.okta.world.update_profile("p01@example.com", lastName="Moved")
        told = made.run("sync", code=None).stdout
        status = made.run("status", code=None).stdout

    for said in (told, status):
        assert "ask syncd held" in " ".join(said.split()), said
    assert f"syncd -c {made.config} retry" in " ".join(status.split())


def page_of(made: Rig) -> str:
    """The words of the status page, made of what the store says."""
    document = made.run("status", "--json").document
    view = View(datetime.now(UTC), {"acme": document}, {}, {}, {})
    return html.unescape(re.sub(r"<[^>]+>", "", status_page(view).html))
