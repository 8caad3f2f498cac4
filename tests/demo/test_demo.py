"""The demo from beginning to end, as a person starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from syncd import demo
from syncd.demo.connection import Connection
from syncd.demo.org import cast_of, okta_org, split_organisation
from syncd.demo.story import prepare
from syncd.demo.telling import Narrator
from syncd.redact import Redactor
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator


@dataclass
class Told:
    folder: Path
    exit_code: int
    stdout: str
    stderr: str
    plan_while_kept: subprocess.CompletedProcess[str]
    apply_while_kept: subprocess.CompletedProcess[str]

    @property
    def report(self) -> str:
        return (self.folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """One run with --keep, commands from outside while the servers are up, then Ctrl-C."""
    here = tmp_path_factory.mktemp("demo")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SYNCD")}
    command = [sys.executable, "-m", "syncd"]
    process = subprocess.Popen(
        [*command, "demo", "--keep"],
        cwd=here,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "docs/simulators.md" in line:
                break
        config = here / "demo-output" / "config.toml"
        plan, apply = (
            subprocess.run(
                [*command, "-c", str(config), *words],
                cwd=here,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            for words in (("plan", "--json"), ("apply", str(config.with_name("plan.json"))))
        )
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
    return Told(here / "demo-output", process.returncode, "".join(lines) + stdout, stderr, plan, apply)


def test_it_ends_with_the_way_to_the_own_org(told: Told) -> None:
    assert "Now your own org: syncd init" in told.stdout


def test_the_story_ends_well(told: Told) -> None:
    assert told.exit_code == 0, told.stdout + told.stderr
    assert "✗" not in told.stdout
    assert "Split is exactly as Okta wants it" in told.stdout
    assert told.stderr == ""


def test_every_act_is_told(told: Told) -> None:
    for act in range(1, 10):
        assert f"── {act}. " in told.stdout
    for sentence in (
        "2 adopted, ",
        "nothing to change",
        "e-mail changed",
        "evidence: ",
        'use action = "link"',
        "Split allows fewer than 25",
        "held, exit code 3",
    ):
        assert sentence in told.stdout


def test_plain_output_has_no_escape_sequences(told: Told) -> None:
    assert "\x1b" not in told.stdout


def test_it_prints_where_the_report_is(told: Told) -> None:
    [printed] = re.findall(r"HTML report +(\S.*)", told.stdout)

    assert Path(printed) == told.folder / "report.html"
    assert Path(printed).is_file()


def test_the_audit_report_lies_beside_it(told: Told) -> None:
    page = (told.folder / "audit.html").read_text(encoding="utf-8")

    assert "syncd audit report: demo" in page
    assert "Nothing waits for anybody" in page


def test_the_report_needs_no_other_host_and_escapes_names(told: Told) -> None:
    hosts = set(re.findall(r"https?://([\w.-]+)", told.report))

    assert hosts <= {"127.0.0.1"}
    assert "R&amp;D &lt;Labs&gt;" in told.report
    assert "<Labs>" not in told.report


def test_the_saved_plan_is_a_plan_of_the_busy_morning(told: Told) -> None:
    plan = json.loads((told.folder / "plan.json").read_text())

    assert plan["schema"] == "syncd.plan/1"
    for kind in ("reactivate_user", "update_user", "deactivate_user", "create_group", "remove_member"):
        assert plan["summary"][kind] >= 1


def test_while_it_stays_up_the_commands_work_against_it(told: Told) -> None:
    assert told.plan_while_kept.returncode == 0, told.plan_while_kept.stderr
    assert not any(json.loads(told.plan_while_kept.stdout)["summary"].values())


def test_the_plan_it_saved_is_refused_as_stale_by_then(told: Told) -> None:
    assert told.apply_while_kept.returncode == 3
    assert "the plan is stale" in told.apply_while_kept.stderr


def test_the_tokens_are_in_their_own_files_only(told: Told) -> None:
    names = ("okta-token", "split-token")
    tokens = [(told.folder / name).read_text().strip() for name in names]
    others = [path for path in told.folder.rglob("*") if path.is_file() and path.name not in names]
    before_keeping = told.stdout.partition("Both servers stay up")[0]

    assert any(path.suffix == ".db" for path in others)
    for token in tokens:
        assert len(token) > 20
        assert token not in before_keeping + told.stderr
        assert [path.name for path in others if token.encode() in path.read_bytes()] == []


def test_nobody_else_can_read_what_it_wrote(told: Told) -> None:
    modes = {path.name: path.stat().st_mode & 0o077 for path in told.folder.rglob("*")}

    assert {name for name, mode in modes.items() if mode} == set()


def test_a_target_that_is_not_as_wanted_is_a_failure_that_says_what_differs(tmp_path: Path) -> None:
    world = okta_org()
    cast = cast_of(world)
    with (
        OktaSimulator(world) as okta,
        SplitSimulator(split_organisation(world, cast)) as split,
        (tmp_path / "said").open("w+", encoding="utf-8") as said,
    ):
        redactor = Redactor()
        narrator = Narrator(Console(file=said, markup=False), redactor)
        story = prepare(Connection(tmp_path, okta, split, narrator, redactor), narrator, cast)

        code = demo.finish(story)

        said.seek(0)
        text = said.read()
    assert code == 1
    assert "the group Engineering is missing in Split" in text
    assert "Split is exactly as Okta wants it" not in text
    assert "the group Engineering is missing in Split" in (tmp_path / "report.html").read_text()
