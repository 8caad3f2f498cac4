"""The boot of a machine with the package, as far as it is told without booting: `make boot-test` does the rest."""

from __future__ import annotations

import ast
import io
import json
import sys

import pytest

from distribution import boot
from distribution.booted.__main__ import report
from distribution.booted.machine import UnseenError
from distribution.booted.steps import STEPS
from tests.packaging.declared import ROOT


def reported(**outcomes: str | Exception) -> list[str]:
    """What the machine says of such steps: a text was seen, an error raised."""

    def step(outcome: str | Exception) -> str:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    line = io.StringIO()
    report({name: lambda outcome=outcome: step(outcome) for name, outcome in outcomes.items()}, line)  # type: ignore[misc]
    return line.getvalue().splitlines(keepends=True)


def test_what_was_seen_is_told_and_nothing_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert boot.verdict(reported(READY="after 3 s", stop="gone"), ["READY", "stop"]) == []
    assert "✓ READY: after 3 s" in capsys.readouterr().out


def test_a_step_that_failed_is_missing_with_its_reason_and_the_next_ones_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distribution.booted.__main__.run", lambda *_words, **_more: "the journal's end")

    lines = reported(READY=UnseenError("not within 300 s"), stop="gone")

    assert boot.verdict(lines, ["READY", "stop"]) == ["READY"]
    said = capsys.readouterr().out
    assert "✗ READY: UnseenError: not within 300 s" in said
    assert "the journal's end" in said
    assert "✓ stop: gone" in said


def test_a_machine_that_says_nothing_or_something_else_has_shown_nothing() -> None:
    assert boot.verdict([], ["READY"]) == ["READY"]
    assert boot.verdict(["Kernel panic\n"], ["READY"]) == ["READY"]
    assert boot.verdict([json.dumps({"step": "other", "seen": "it", "seconds": 1})], ["READY"]) == ["READY"]


def test_without_its_tools_it_says_that_nothing_was_tried(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _tool: None)

    assert boot.main(["dist"]) == 69
    assert capsys.readouterr().err.startswith("NOT TRIED")


def test_the_machine_is_emulated_and_has_no_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("root")
    (root / "boot").mkdir()
    for name in ("vmlinuz-6", "initrd.img-6"):
        (root / "boot" / name).touch()

    command = boot.qemu(root, root / "disk")

    assert command[command.index("-accel") + 1] == "tcg"
    assert "-nodefaults" in command  # without it there would be a network card
    assert not [word for word in command if word in ("-nic", "-netdev", "-net")]


def test_what_runs_in_the_machine_needs_nothing_but_python() -> None:
    for file in (ROOT / "distribution" / "booted").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            foreign = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
            assert all(name.startswith("distribution.booted") for name in foreign), (file, foreign)


def test_the_first_step_brings_the_simulators_and_the_last_one_takes_the_package_away() -> None:
    assert next(iter(STEPS)) == "simulators"
    assert list(STEPS)[-1] == "purge"
