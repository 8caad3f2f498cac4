"""`syncd init` on a terminal, through a real one: every answer wrong once, to a green check; and without one."""

from __future__ import annotations

import os
import pty
import select
import signal
import stat
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from syncd.settings import load
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.okta_entities import App
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import default_split, generate_okta
from tests.cli.invoking import OKTA_TOKEN, SPLIT_TOKEN, Invoker, invoker

PATIENCE = 60.0


@dataclass
class Terminal:
    """A child whose controlling terminal is ours to type at."""

    child: int
    descriptor: int
    screen: str = ""
    seen: int = field(default=0)

    @classmethod
    def running(cls, folder: Path, *arguments: str) -> Terminal:
        child, descriptor = pty.fork()
        if child == 0:  # pragma: no cover  (another process)
            os.chdir(folder)
            known = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
            environment = {**known, "TERM": "dumb", "COLUMNS": "200", "PYTHONWARNINGS": "ignore"}
            os.execve(sys.executable, [sys.executable, "-m", "syncd", *arguments], environment)  # noqa: S606
        return cls(child, descriptor)

    def see(self, text: str) -> None:
        """Waits until it stands on the screen, below what was seen before."""
        until = time.monotonic() + PATIENCE
        while (at := self.screen.find(text, self.seen)) < 0:
            assert time.monotonic() < until, f"no {text!r} in:\n{self.screen}"
            if not self._more():
                assert text in self.screen[self.seen :], f"ended without {text!r}:\n{self.screen}"
        self.seen = at + len(text)

    def type(self, text: str) -> None:
        os.write(self.descriptor, f"{text}\n".encode())

    def answer(self, question: str, *answers: str) -> None:
        """The wrong ones first: the question comes again after each."""
        for text in answers:
            self.see(question)
            self.type(text)

    def interrupt(self) -> None:
        """Ctrl-C, again as a person would: Python sees none that comes just before it begins to read the line."""
        for _ in range(int(PATIENCE)):
            os.write(self.descriptor, b"\x03")
            shown = self.screen
            while select.select([self.descriptor], [], [], 1.0)[0]:
                if not self._more():
                    return
            assert self.screen != shown, f"Ctrl-C is not even echoed:\n{self.screen}"
        raise AssertionError(f"Ctrl-C ends nothing:\n{self.screen}")

    def end(self) -> int:
        """The exit code."""
        while self._more():
            pass
        _, status = os.waitpid(self.child, 0)
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(status)

    def _more(self) -> bool:
        if not select.select([self.descriptor], [], [], PATIENCE)[0]:
            os.kill(self.child, signal.SIGKILL)
            raise AssertionError(f"nothing more comes:\n{self.screen}")
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:  # EIO: the other end is closed
            return False
        self.screen += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


@dataclass
class Sides:
    okta: OktaSimulator
    split: SplitSimulator


@pytest.fixture
def sides() -> Iterator[Sides]:
    world = generate_okta(users=8, groups=0, seed=3)
    world.set_app(features=[], label="Split")
    world.create_group("Crew")
    world.create_group("Crew of the long and winding road")
    world.create_group("Engineering")
    then = world.app.created
    world.other_apps += [
        App("0oaother1", "Payroll", "payroll", "ACTIVE", (), then, then),
        App("0oaother2", "Split (old)", "split_old", "INACTIVE", (), then, then),
    ]
    with (
        OktaSimulator(world, token=OKTA_TOKEN) as okta,
        SplitSimulator(default_split(), token=SPLIT_TOKEN) as split,
    ):
        yield Sides(okta, split)


def files_of(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_every_answer_wrong_once_and_then_right_ends_in_a_green_check(sides: Sides, tmp_path: Path) -> None:
    (tmp_path / "taken.okta-token").write_text("somebody's")
    terminal = Terminal.running(tmp_path, "init")

    terminal.answer("Okta org", "acme", "http://127.0.0.1:1")
    terminal.answer("Sign in with", "3", "2")
    terminal.answer("API token (not shown)", "00wrong")
    terminal.answer("Okta org", "https://acme-admin.okta.com", sides.okta.url)
    terminal.answer("Sign in with", "2")
    terminal.answer("API token (not shown)", "00wrong")
    terminal.see("✗")
    terminal.answer("Sign in with", "2")
    terminal.answer("API token (not shown)", f"SSWS {OKTA_TOKEN}", OKTA_TOKEN)
    terminal.see("Payroll")
    terminal.answer("The app to provision from", "nope", "split", sides.okta.world.app.id)
    terminal.answer(
        "SCIM connector base URL", f"{sides.split.base_url}/Users", f"{sides.split.base_url}/nothing"
    )
    terminal.answer("SCIM access token (not shown)", "wrong")
    terminal.answer("SCIM access token (not shown)", SPLIT_TOKEN)
    terminal.answer("SCIM connector base URL", sides.split.base_url)
    terminal.answer("SCIM access token (not shown)", SPLIT_TOKEN)
    terminal.answer("Flavor", "spilt", "split")
    terminal.answer("Made on", "yesterday", "2999-01-01", "")
    terminal.answer("Groups to push", "Crew of the long", "cr", "Nobody", "Engineering, 1")
    terminal.see("at most 10 %")
    terminal.answer("Name of this connection", "a name", "taken", "acme")
    terminal.see("Wrote config.toml, and the secrets into acme.okta-token and acme.split-token")
    terminal.see("push groups")
    terminal.see("syncd plan")

    assert terminal.end() == 0, terminal.screen
    assert "✗ fail" not in terminal.screen
    assert files_of(tmp_path) == {
        "config.toml": 0o600,
        "acme.okta-token": 0o600,
        "acme.split-token": 0o600,
        "taken.okta-token": files_of(tmp_path)["taken.okta-token"],
    }
    [made] = load([tmp_path / "config.toml"], environ={}).connections
    assert (made.name, made.okta.app_id) == ("acme", sides.okta.world.app.id)
    assert [rule.source.value for rule in made.push_groups] == ["Engineering", "Crew"]
    assert [ref.read() for _, ref in made.secrets()] == [OKTA_TOKEN, SPLIT_TOKEN]
    for token in (OKTA_TOKEN, SPLIT_TOKEN):
        assert token not in terminal.screen
        assert token not in (tmp_path / "config.toml").read_text()


def test_whoever_leaves_in_the_middle_has_written_nothing(tmp_path: Path) -> None:
    terminal = Terminal.running(tmp_path, "init")
    terminal.see("Okta org")
    terminal.interrupt()

    assert terminal.end() == 130
    assert files_of(tmp_path) == {}


def test_on_a_terminal_the_starter_alone_is_written_when_asked_for(tmp_path: Path) -> None:
    terminal = Terminal.running(tmp_path, "init", "--starter")

    assert terminal.end() == 0
    assert files_of(tmp_path) == {"config.toml": 0o600}


def test_what_the_command_line_says_is_not_asked(sides: Sides, tmp_path: Path) -> None:
    (tmp_path / "okta").write_text(OKTA_TOKEN)
    (tmp_path / "okta").chmod(0o600)
    options = ["--org-url", sides.okta.url, "--okta-token-file", "okta", "--app-id", sides.okta.world.app.id]
    terminal = Terminal.running(tmp_path, "init", *options, "--push-group", "Crew", "--name", "acme")
    terminal.answer("SCIM connector base URL", sides.split.base_url)
    terminal.answer("SCIM access token (not shown)", SPLIT_TOKEN)
    terminal.answer("Flavor", "")
    terminal.answer("Made on", "")

    assert terminal.end() == 0, terminal.screen
    assert sorted(files_of(tmp_path)) == ["acme.split-token", "config.toml", "okta"]


# without a terminal


@pytest.fixture
def syncd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoker:
    return invoker(tmp_path, monkeypatch, capsys)


def test_options_fill_the_starter_in_for_a_script(syncd: Invoker, sides: Sides) -> None:
    options = [
        "--org-url",
        sides.okta.url,
        "--app-id",
        sides.okta.world.app.id,
        "--base-url",
        sides.split.base_url,
    ]
    said = syncd(
        "init", "acme.toml", *options, "--push-group", 'A "quoted" name', "--token-created", "2026-03-01"
    )

    assert said.exit_code == 0, said.stderr
    text = (syncd.directory / "acme.toml").read_text()
    assert [rule["source"]["name"] for rule in tomllib.loads(text)["push_groups"]] == ['A "quoted" name']
    assert "export OKTA_API_TOKEN and SPLIT_SCIM_TOKEN" in said.stdout
    assert syncd("status", "--json", "-c", "acme.toml").document["connection"] == "acme"
    assert syncd("check", "-c", "acme.toml").exit_code in (0, 1)


def test_a_service_app_is_filled_in_with_its_key(syncd: Invoker) -> None:
    (syncd.directory / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nx\n")
    options = [
        "--org-url",
        "https://a.okta.com",
        "--app-id",
        "0oa1",
        "--base-url",
        "https://s.example/scim/v2",
    ]
    said = syncd(
        "init", *options, "--client-id", "0oaservice", "--key-file", "key.pem", "--flavor", "harness"
    )

    assert said.exit_code == 0, said.stderr
    [made] = load([syncd.directory / "config.toml"], environ={}).connections
    assert (made.okta.auth, made.okta.client_id, made.okta.token) == ("private_key", "0oaservice", None)
    assert made.okta.private_key is not None
    assert made.okta.private_key.named == syncd.directory / "key.pem"
    assert made.split.flavor == "harness"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--org-url", "https://a.okta.com"], "--app-id, --base-url"),
        (["--org-url", "a.okta.com"], "--org-url"),
        (["--client-id", "0oa1"], "--key-file"),
        (["--client-id", "0oa1", "--key-file", "k", "--okta-token-file", "t"], "leave one out"),
        (["--name", "a name"], "--name"),
        (["--starter", "--name", "acme"], "--starter stands alone"),
    ],
)
def test_options_that_say_too_little_or_something_wrong_write_nothing(
    syncd: Invoker, options: list[str], named: str
) -> None:
    said = syncd("init", *options)

    assert said.exit_code == 64
    assert named in " ".join(said.stderr.split())
    assert list(syncd.directory.iterdir()) == []
