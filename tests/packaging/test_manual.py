"""The manual pages are those of the commands, and any reader of man(7) takes them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click
import pytest

from distribution.manual import main, pages, text
from syncd.cli.app import COMMANDS, cli

PAGES = dict(pages())


def test_there_is_a_page_for_each_command_and_one_for_all() -> None:
    assert {"syncd.1", *(f"syncd-{name}.1" for name in COMMANDS)} <= set(PAGES)
    assert {"syncd-audit-verify.1", "syncd-audit-export.1"} <= set(PAGES)
    for name in COMMANDS:
        assert text(f"syncd-{name}(1)") in PAGES["syncd.1"]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_of_a_command_stands_on_its_page(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    options = [opt for param in command.params for opt in param.opts if isinstance(param, click.Option)]

    assert [opt for opt in options if text(opt) not in PAGES[f"syncd-{name}.1"]] == []


@pytest.mark.parametrize("name", sorted(PAGES))
@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_troff_has_nothing_to_say_about_it(name: str) -> None:
    command = ["groff", "-man", "-Tascii", "-ww", "-z"]
    done = subprocess.run(command, input=PAGES[name], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_finds_no_error_in_any(tmp_path: Path) -> None:
    assert main([str(tmp_path / "man")]) == 0
    files = sorted((tmp_path / "man").iterdir())
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *files], capture_output=True, text=True, check=False
    )

    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []
    assert [file.name for file in files] == sorted(PAGES)


def test_text_is_no_request_and_no_escape() -> None:
    assert text(".TH") == "\\&.TH"
    assert text("'x") == "\\&'x"
    assert text("--json \\n") == "\\-\\-json \\en"
    assert text("é") == "\\[u00E9]"
