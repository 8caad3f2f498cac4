"""Whatever a setting, an argument or a variable names: only a regular file is read, and nobody waits for it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from syncd.cli.app import cli
from tests.certificates import self_signed
from tests.e2e.rig import Rig, rig
from tests.service.connecting import served
from tests.service.supervisor import supervised

HUGE = 3 * 1024**3


@dataclass(frozen=True)
class Named:
    """A command line that names the file, and the exit code of one that cannot be used."""

    args: Sequence[str | Path]
    code: int
    environ: Mapping[str, str] = field(default_factory=dict)


def _in_settings(made: Rig, **tables: str) -> Named:
    made.write_config(**tables)
    return Named(["plan", "-c", made.config], 78)


def _as_secret(made: Rig, variable: str, reference: str, environ: Mapping[str, str] | None = None) -> Named:
    text = made.config.read_text()
    made.config.write_text(text.replace(f'{{ env = "{variable}" }}', reference))
    return Named(["plan", "-c", made.config], 78, environ or {})


def _okta_over_https(made: Rig, path: Path) -> Named:
    made.config.write_text(made.config.read_text().replace("http://", "https://"))
    return Named(["plan", "-c", made.config], 78, {"SSL_CERT_FILE": str(path)})


def _private_key(made: Rig, path: Path) -> Named:
    key = f'auth = "private_key"\nclient_id = "0oaSERVICE"\nprivate_key = {{ file = "{path}" }}'
    made.write_config(okta=key)
    made.config.write_text(made.config.read_text().replace('token = { env = "E2E_OKTA" }\n', "", 1))
    return Named(["plan", "-c", made.config], 78)


PLACES: Mapping[str, Callable[[Rig, Path], Named]] = {
    "--config": lambda made, path: Named(["plan", "-c", path], 78),
    "SYNCD_CONFIG": lambda made, path: Named(["plan"], 78, {"SYNCD_CONFIG": str(path)}),
    "okta.ca_file": lambda made, path: _in_settings(made, okta=f'ca_file = "{path}"'),
    "split.ca_file": lambda made, path: _in_settings(made, split=f'ca_file = "{path}"'),
    "okta.token": lambda made, path: _as_secret(made, "E2E_OKTA", f'{{ file = "{path}" }}'),
    "split.token": lambda made, path: _as_secret(made, "E2E_SPLIT", f'{{ file = "{path}" }}'),
    "a credential": lambda made, path: _as_secret(
        made,
        "E2E_SPLIT",
        f'{{ credential = "{path.name}" }}',
        {"CREDENTIALS_DIRECTORY": str(path.parent)},
    ),
    "okta.private_key": _private_key,
    "split.proxy": lambda made, path: _in_settings(made, split=f'proxy = {{ file = "{path}" }}'),
    "apply FILE": lambda made, path: Named(["apply", path, "-c", made.config], 64),
    "simulate --fixture": lambda made, path: Named(["simulate", "okta", "--fixture", path], 64),
    "SSL_CERT_FILE": _okta_over_https,
}


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(HUGE)


KINDS: Mapping[str, Callable[[Path], None]] = {
    "a named pipe": _pipe,
    "a directory": Path.mkdir,
    "a device": _device,
    "a socket": _socket,
    "larger than": _huge,
}
OTHERS = [
    (place, kind)
    for place in PLACES
    for kind in KINDS
    if kind != "a named pipe"
    # As settings, a directory means every *.toml in it.
    and (kind != "a directory" or place not in ("--config", "SYNCD_CONFIG"))
]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, users=3, groups=1, pushed=[]) as each:
        yield each


def executed(named: Named) -> subprocess.CompletedProcess[str]:
    """The real executable, which has a minute."""
    return subprocess.run(
        [sys.executable, "-m", "syncd", *map(str, named.args)],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **named.environ},
        timeout=60,
    )


@pytest.mark.parametrize("place", PLACES)
def test_nothing_waits_for_a_named_pipe(made: Rig, place: str) -> None:
    pipe = made.folder / "thing"
    _pipe(pipe)
    named = PLACES[place](made, pipe)

    done = executed(named)

    assert (done.returncode, done.stdout) == (named.code, "")
    assert "a named pipe" in done.stderr
    assert str(pipe) in done.stderr or f"{place}: names a file" in done.stderr
    assert made.writes() == []


@pytest.mark.parametrize(("place", "kind"), OTHERS)
def test_what_is_no_regular_file_of_a_likely_size_is_said_and_not_read(
    made: Rig, place: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made.folder)  # a socket's path is short
    thing = made.folder / "thing"
    KINDS[kind](Path("thing"))
    named = PLACES[place](made, thing)
    for name, value in named.environ.items():
        monkeypatch.setenv(name, value)

    said = CliRunner().invoke(cli, [*map(str, named.args)])

    assert said.exit_code == named.code, said.output
    assert kind in said.stderr
    assert made.writes() == []
    if kind == "larger than":
        thing.unlink()  # nobody else should read it either


def test_a_notification_url_that_is_a_pipe_stops_no_sync(made: Rig) -> None:
    _pipe(made.folder / "thing")
    with made.config.open("a") as file:
        file.write('\n[notify]\nurls = [{ file = "thing" }]\n')

    done = executed(Named(["sync", "-c", made.config], 0))

    assert done.returncode == 0, done.stderr
    made.assert_exact()


def test_mounted_secrets_are_links_and_stay_readable(made: Rig) -> None:
    """Kubernetes: token -> ..data/token, ..data -> ..2026_03_01."""
    mount = made.folder / "secret"
    (mount / "..2026_03_01").mkdir(parents=True)
    (mount / "..2026_03_01" / "token").write_text(os.environ["E2E_SPLIT"])
    (mount / "..data").symlink_to("..2026_03_01")
    (mount / "token").symlink_to("..data/token")
    named = _as_secret(made, "E2E_SPLIT", f'{{ file = "{mount / "token"}" }}')

    assert executed(Named(["sync", *named.args[1:]], 0)).returncode == 0
    made.assert_exact()
    (mount / "..2026_03_01" / "token").unlink()


def test_a_saved_plan_may_come_from_standard_input_while_that_is_a_file(made: Rig) -> None:
    plan = made.folder / "the.plan"
    made.run("plan", "-o", str(plan))
    command = [sys.executable, "-m", "syncd", "apply", "/dev/stdin", "-c", str(made.config)]

    with plan.open() as file:
        done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=file, timeout=60)
    assert done.returncode == 0, done.stderr
    made.assert_exact()

    piped = subprocess.run(
        command, check=False, capture_output=True, text=True, input=plan.read_text(), timeout=60
    )
    assert piped.returncode == 64
    assert "a named pipe" in piped.stderr


# the daemon


@pytest.mark.parametrize("side", ["okta", "split"])
def test_a_daemon_does_not_start_with_a_pipe_as_ca_file(made: Rig, side: str) -> None:
    _pipe(made.folder / "ca.pem")
    made.write_config(**{side: 'ca_file = "ca.pem"'})

    done = executed(Named(["run", "-c", made.config], 78))

    assert done.returncode == 78
    assert f"{side}.ca_file: names a file that cannot be used (it is a named pipe" in done.stderr


@pytest.mark.parametrize("side", ["okta", "split"])
def test_a_reload_with_a_pipe_as_ca_file_keeps_the_old_settings_and_a_stop_is_obeyed(
    tmp_path: Path, side: str
) -> None:
    with served(tmp_path) as world, supervised(world.folder, world.config) as daemon:
        daemon.logs("cycle done", cycle="full")
        _pipe(world.folder / "ca.pem")
        text = world.config.read_text()
        world.config.write_text(text.replace(f"[{side}]", f'[{side}]\nca_file = "ca.pem"'))

        daemon.signal(1)
        daemon.logs("settings not used")
        [said] = daemon.events("settings not used")
        assert "a named pipe" in said["problem"]
        world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        daemon.logs("applied", kind="create_user", object="new@example.com")

        assert daemon.stop() == 0
        world.assert_exact()


def test_a_ca_file_that_becomes_a_pipe_under_a_running_daemon_fails_its_cycles_and_no_stop(
    tmp_path: Path,
) -> None:
    with served(tmp_path) as world:
        authority, _ = self_signed(world.folder)
        good = authority.read_text()
        text = world.config.read_text()
        world.config.write_text(text.replace("[okta]", '[okta]\nca_file = "ca.pem"'))
        with supervised(world.folder, world.config) as daemon:
            daemon.logs("cycle done", cycle="full")
            authority.unlink()
            _pipe(authority)

            daemon.logs("cycle failed", cycle="delta")
            assert any("a named pipe" in str(each) for each in daemon.events("cycle failed"))
            authority.unlink()
            authority.write_text(good)
            world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
            daemon.logs("applied", kind="create_user", object="new@example.com")
            assert daemon.stop() == 0
