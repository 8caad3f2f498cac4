"""A hint names the whole next command: whoever named settings files finds them in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.cli.whole_commands import whole
from tests.e2e.rig import synced_crew


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
    assert whole(text, [Path(each) for each in configs]) == said


def test_an_errors_hint_names_the_settings_file_that_was_given(tmp_path: Path) -> None:
    with synced_crew(tmp_path, people=2, members=1) as made:
        answer = made.run("approve", "0000", code=64)
        tied = made.run("link", "--user", "p00@example.com", "other", "--yes", code=3)

        saved = made.run("plan", "-o", str(tmp_path / "plan.json")).stderr

    assert f"`syncd -c {made.config} held" in answer.stderr
    assert f"To apply exactly this: syncd -c {made.config} apply {tmp_path}/plan.json" in saved
    assert f"syncd -c {made.config} unlink --user" in tied.stderr
