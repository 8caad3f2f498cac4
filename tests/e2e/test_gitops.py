"""The pipeline of docs/gitops.md, run as it stands there: a plan on the pull request, exactly that after the merge."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.rig import OKTA_TOKEN, SPLIT_TOKEN, Rig, crew

PAGE = (Path(__file__).parents[2] / "docs" / "gitops.md").read_text(encoding="utf-8")


def block(title: str) -> str:
    """The code below the line that names the file."""
    found = re.search(rf"(?m)^`{re.escape(title)}`:\n\n```\w+\n(.*?)^```", PAGE, re.DOTALL)
    assert found is not None, title
    return found[1]


WORKFLOW: dict[str, Any] = yaml.safe_load(block(".github/workflows/syncd.yml"))
STUB = """#!/bin/sh
printf '%s ' "$(basename "$0")" "$@" >> "$CALLS"; echo >> "$CALLS"
"""


@dataclass
class Done:
    code: int
    said: str


@dataclass
class Forge:
    """A repository, and a runner that does the steps of the workflow's jobs."""

    rig: Rig
    folder: Path

    @property
    def plans(self) -> Path:
        return self.folder / "plans"

    @property
    def calls(self) -> str:
        file = self.folder / "calls"
        return file.read_text() if file.exists() else ""

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(
            command, cwd=self.folder / "repo", capture_output=True, text=True, check=True
        ).stdout.strip()

    def commit(self, settings: str, message: str) -> None:
        file = self.folder / "repo" / "syncd" / "acme.toml"
        file.write_text(settings)
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def job(self, name: str) -> Done:
        """Its steps, until one fails; those that are to run always, then too."""
        code, said = 0, ""
        for step in WORKFLOW["jobs"][name]["steps"]:
            if "uses" in step:
                assert step["uses"] == "actions/checkout@v4"
                continue
            if code and step.get("if") != "always()":
                continue
            done = subprocess.run(
                ["bash", "-e", "-c", step["run"]],
                cwd=self.folder / "repo",
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            code, said = code or done.returncode, said + done.stdout + done.stderr
        return Done(code, said)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "SYNCD_PLANS": str(self.plans),
            "CALLS": str(self.folder / "calls"),
            "PULL_REQUEST": "https://forge.example/1",
            "E2E_OKTA": OKTA_TOKEN,
            "E2E_SPLIT": SPLIT_TOKEN,
        }


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with crew(tmp_path, people=12, members=5) as rig:
        rig.okta.world.create_group("Product", members=["p01@example.com", "p02@example.com"])
        rig.write_config()
        settings = rig.config.read_text().replace(
            'name = "acme"', f'name = "acme"\nstate = "{rig.store.parent}"'
        )
        rig.config.write_text(settings)
        rig.sync()
        made = Forge(rig, tmp_path)
        for folder in ("repo/syncd", "repo/ci", "repo/.github/workflows", "bin"):
            (tmp_path / folder).mkdir(parents=True)
        for name in ("ci/plan", "ci/apply", ".github/workflows/syncd.yml"):
            (tmp_path / "repo" / name).write_text(block(name))
        for name in ("ci/plan", "ci/apply"):
            (tmp_path / "repo" / name).chmod(0o755)
        for name in ("gh", "sudo"):
            (tmp_path / "bin" / name).write_text(STUB)
            (tmp_path / "bin" / name).chmod(0o755)
        (tmp_path / "bin" / "syncd").symlink_to(Path(sys.executable).with_name("syncd"))
        made.git("init", "-q", "-b", "main")
        made.commit(settings, "the settings")
        rig.forget()
        yield made


def pull_request(forge: Forge) -> None:
    """A branch that pushes another group."""
    forge.git("checkout", "-qb", "product")
    settings = (forge.folder / "repo" / "syncd" / "acme.toml").read_text()
    forge.commit(f'{settings}\n[[push_groups]]\nsource = {{ name = "Product" }}\n', "Push Product")


def merged(forge: Forge) -> None:
    """Squashed, as forges do by default: another commit with the same files."""
    forge.git("checkout", "-q", "main")
    forge.git("merge", "-q", "--squash", "product")
    forge.git("commit", "-qm", "Push Product (#1)")


def test_a_pull_request_shows_the_plan_and_changes_nothing(forge: Forge) -> None:
    pull_request(forge)

    done = forge.job("plan")

    assert done.code == 0, done.said
    shown = (forge.folder / "repo" / "plan.md").read_text()
    assert "Product" in shown
    assert "Crew" not in shown
    assert "--body-file plan.md" in forge.calls
    assert forge.rig.writes() == []
    [plan] = forge.plans.iterdir()
    assert (plan.stat().st_mode & 0o777, forge.plans.stat().st_mode & 0o777) == (0o600, 0o700)


def test_after_the_merge_exactly_that_is_applied(forge: Forge) -> None:
    pull_request(forge)
    forge.job("plan")
    merged(forge)
    forge.rig.okta.world.add_user("later@example.com", "La", "Ter", assign=True)

    done = forge.job("apply")

    assert done.code == 0, done.said
    world = forge.rig.split.world
    [product] = [group for group in world.groups.values() if group.name == "Product"]
    assert world.members(product.id) == ["p01@example.com", "p02@example.com"]
    assert "later@example.com" not in {user.user_name for user in world.users.values()}
    assert list(forge.plans.iterdir()) == []
    called = [line.split()[1:3] for line in forge.calls.splitlines() if line.startswith("sudo")]
    assert called == [["systemctl", "stop"], ["install", "-m"], ["systemctl", "start"]]


def test_a_plan_that_is_stale_by_the_merge_is_refused_before_the_first_write(forge: Forge) -> None:
    pull_request(forge)
    forge.job("plan")
    merged(forge)
    forge.rig.okta.world.remove_member("Product", "p01@example.com")

    done = forge.job("apply")

    assert done.code == 3, done.said
    assert forge.rig.writes() == []
    assert "systemctl start" in forge.calls, "the daemon runs again, whatever came of it"


def test_settings_that_nobody_saw_a_plan_of_are_not_applied(forge: Forge) -> None:
    pull_request(forge)
    forge.job("plan")
    merged(forge)
    settings = (forge.folder / "repo" / "syncd" / "acme.toml").read_text()
    forge.commit(f"{settings}\n# and one more thing\n", "Past the review")

    done = forge.job("apply")

    assert done.code == 1
    assert "nobody was shown a plan" in done.said
    assert forge.rig.writes() == []


def test_a_plan_that_was_edited_is_refused(forge: Forge) -> None:
    pull_request(forge)
    forge.job("plan")
    merged(forge)
    [plan] = forge.plans.iterdir()
    plan.write_text(plan.read_text().replace("p01@example.com", "mallory@example.com"))

    assert forge.job("apply").code == 3
    assert forge.rig.writes() == []


def test_settings_that_are_wrong_stop_the_review(forge: Forge) -> None:
    forge.git("checkout", "-qb", "wrong")
    forge.commit("nonsense = 1\n", "Wrong")

    done = forge.job("plan")

    assert done.code == 78
    assert "nonsense" in done.said


def test_each_file_of_the_page_is_one_of_the_pipeline() -> None:
    named = re.findall(r"(?m)^`([^`]+)`:\n\n```", PAGE)
    assert named == ["ci/plan", "ci/apply", ".github/workflows/syncd.yml"]
    assert all(
        step.get("run") or step.get("uses") for job in WORKFLOW["jobs"].values() for step in job["steps"]
    )
