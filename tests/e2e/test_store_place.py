"""A store in a place that others may touch: refused before anything is changed, with the command that mends it."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.cli.invoking import states
from tests.e2e.rig import Rig, rig
from tests.service.connecting import schedule
from tests.service.supervisor import supervised

NOBODY, SERVICE, TEAM = 65534, 4711, 4712
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else for a test")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, users=4, groups=1, pushed=[]) as each:
        each.sync()
        each.forget()
        yield each


@pytest.fixture
def common() -> Iterator[Path]:
    """A directory that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="syncd-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


AS_SOMEBODY_ELSE = """
import contextlib, encodings, importlib, json, os, pkgutil, sys, syncd
import okta.request_executor, rich.progress
for module in pkgutil.iter_modules(encodings.__path__, 'encodings.'):
    with contextlib.suppress(ImportError):
        importlib.import_module(module.name)
for module in pkgutil.walk_packages(syncd.__path__, "syncd."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)  # Python's own home may be closed to others
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    for descriptor, name in enumerate((os.devnull, *asked["said"])):
        os.dup2(os.open(name, os.O_RDWR), descriptor)
    os.environ.clear(); os.environ.update(asked["environ"]); os.chdir(asked["folder"])
    os.setgroups([]); os.setgid(asked["group"]); os.setuid(asked["user"])
    sys.argv = ["syncd", *asked["args"]]
    from syncd.__main__ import main
    main()
"""


@cache
def _forking() -> subprocess.Popen[str]:
    """A process of root's that has imported everything: each child that it makes becomes somebody else's command."""
    process = subprocess.Popen(
        [sys.executable, "-c", AS_SOMEBODY_ELSE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def _as_somebody_else(arguments: Sequence[str], folder: Path, user: int, group: int) -> tuple[int, str, str]:
    """Exit code, what it says on stdout and on stderr."""
    process = _forking()
    assert process.stdin is not None
    assert process.stdout is not None
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        asked = {
            "args": arguments,
            "folder": str(folder),
            "user": user,
            "group": group,
            "said": [out.name, err.name],
            "environ": dict(os.environ),
        }
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        code = int(process.stdout.readline())
        return code, out.read().decode(), err.read().decode()


def executed(
    made: Rig, *args: str, user: int | None = None, group: int | None = None
) -> subprocess.CompletedProcess[str]:
    """The real executable, as this user or another one."""
    arguments = [*args, "-c", str(made.config)]
    if user is not None:
        return subprocess.CompletedProcess(
            arguments, *_as_somebody_else(arguments, made.folder, user, group or user)
        )
    return subprocess.run(
        [sys.executable, "-m", "syncd", *arguments],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=made.folder,
        timeout=120,
    )


def everything(folder: Path) -> Mapping[str, tuple[object, ...]]:
    """What lies there: kind and rights, owner, time of the last change of either, and the bytes."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (folder, *folder.rglob("*")):
        seen = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(seen.st_mode) else b""
        found[str(path)] = (seen.st_mode, seen.st_uid, seen.st_gid, seen.st_ctime_ns, content)
    return found


def _way_out(made: Rig) -> str:
    """What `check` says to do."""
    document = made.run("check", "--json", code=78).document
    [line] = [line for line in document["checks"] if line["name"] == "store"]
    assert line["state"] == "fail"
    assert states(document)["create users"] == "fail"
    return str(line["hint"])


def _commands(hint: str) -> str:
    assert hint.startswith("run: "), hint
    return hint.removeprefix("run: ").partition("; or ")[0]


def _link(made: Rig) -> None:
    real = made.folder / "elsewhere.db"
    made.store.rename(real)
    made.store.symlink_to(real)


def _linked_log(made: Rig) -> None:
    (made.folder / "victim").write_bytes(b"not ours")
    made.store.with_name("acme.db-wal").symlink_to(made.folder / "victim")


def _pipe(made: Rig) -> None:
    made.store.rename(made.folder / "kept")
    os.mkfifo(made.store, 0o600)


def _open_log(made: Rig) -> None:
    made.store.with_name("acme.db-journal").touch(0o600)
    made.store.with_name("acme.db-journal").chmod(0o640 | stat.S_IROTH)


def _open_everything(made: Rig) -> None:
    made.store.chmod(0o777)
    made.store.parent.chmod(0o777)


def _dangling(made: Rig) -> None:
    made.store.rename(made.folder / "kept")
    made.store.symlink_to(made.folder / "nowhere")


UNSAFE: Mapping[str, Callable[[Rig], object]] = {
    "a directory for everybody": lambda made: made.store.parent.chmod(0o777),
    "a directory like /tmp": lambda made: made.store.parent.chmod(0o1777),
    "a store that everybody reads": lambda made: made.store.chmod(0o644),
    "a store that everybody writes": lambda made: made.store.chmod(0o666),
    "a log that everybody reads": _open_log,
    "a link": _link,
    "a link that leads nowhere": _dangling,
    "a link in the place of the log": _linked_log,
    "a pipe": _pipe,
    "everything opened": _open_everything,
}
COMMANDS = (["sync"], ["run"])
MORE_COMMANDS = (
    ["status"],
    ["plan"],
    ["approve", "--all"],
    ["audit", "verify"],
    ["report"],
    ["relink", "--json"],
)


@pytest.mark.parametrize("name", UNSAFE)
def test_it_is_refused_by_every_command_before_anything_changes_and_mended_as_check_says(
    made: Rig, name: str
) -> None:
    UNSAFE[name](made)
    before = everything(made.folder)

    for command in COMMANDS:
        done = executed(made, *command)
        assert done.returncode == 78, (command, done.stderr)
        assert "is not used" in done.stderr
        assert "Traceback" not in done.stderr
    for command in MORE_COMMANDS:
        assert "is not used" in made.run(*command, code=78).stderr
    hint = _way_out(made)

    assert everything(made.folder) == before
    assert made.writes() == []
    subprocess.run(_commands(hint), shell=True, check=True)  # noqa: S602  (as a person would)
    assert executed(made, "sync").returncode == 0
    assert stat.S_IMODE(made.store.lstat().st_mode) == 0o600
    assert not made.store.parent.stat().st_mode & stat.S_IWOTH
    made.assert_exact()
    assert made.writes() == [], "it is the store that it was, or finds everybody again"


def test_a_directory_that_everybody_may_write_holds_no_new_store_either(made: Rig) -> None:
    made.store.unlink()
    made.store.parent.chmod(0o777)
    before = everything(made.folder)

    done = executed(made, "sync")

    assert done.returncode == 78
    assert f"chmod 700 {made.store.parent}" in done.stderr.replace("\n", "")
    assert everything(made.folder) == before


def test_a_daemon_whose_new_state_directory_is_for_everybody_says_so_and_goes_on_with_the_rest(
    made: Rig,
) -> None:
    schedule(made)
    everybodys = made.folder / "everybodys"
    everybodys.mkdir()
    everybodys.chmod(0o777)
    text = made.config.read_text()
    with supervised(made.folder, made.config) as daemon:
        daemon.logs("running")
        made.config.write_text(text.replace('name = "acme"', 'name = "acme"\nstate = "everybodys"'))

        daemon.signal(1)

        daemon.logs("the store cannot be used", connection="acme")
        [said] = daemon.events("the store cannot be used")
        assert said["hint"] == f"run: chmod 700 {everybodys}"
        assert list(everybodys.iterdir()) == []
        made.config.write_text(text)
        daemon.signal(1)
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        daemon.logs("applied", kind="create_user", object="new@example.com")
        assert daemon.stop() == 0


def test_check_warns_of_a_group_that_may_write(made: Rig) -> None:
    (made.store.parent / "notes.txt").touch()
    made.store.parent.chmod(0o770)

    document = made.run("check", "--json").document

    warned = [line for line in document["checks"] if line["name"] == "store" and line["state"] == "warn"]
    assert [line["hint"].partition(";")[0] for line in warned] == [f"run: chmod g-w {made.store.parent}"]
    assert made.run("sync").exit_code == 0


# other users


@pytest.fixture
def shared(made: Rig, common: Path) -> Rig:
    """The same, where other users can reach it."""
    for name in ("acme.toml", "state"):
        shutil.move(made.folder / name, common / name)
    made.folder = common
    made.config.chmod(0o644)
    return made


def give(path: Path, user: int, group: int | None = None) -> None:
    for each in (path, *path.rglob("*")):
        os.chown(each, user, group or user, follow_symlinks=False)


@only_root
def test_root_reads_a_services_store_and_does_not_write_it(shared: Rig) -> None:
    give(shared.store.parent, NOBODY)
    files = everything(shared.store)

    for reading in (["status", "--json"], ["plan"], ["audit", "verify"], ["report"]):
        assert executed(shared, *reading).returncode == 0
    assert everything(shared.store) == files
    assert {path.name for path in shared.store.parent.iterdir()} == {"acme.db", "acme.db.lock"}
    before = everything(shared.store.parent)
    for writing in (["sync"], ["approve", "--all"], ["run"]):
        done = executed(shared, *writing)
        assert done.returncode == 78, done.stderr
        assert "run syncd as its owner: sudo -u nobody syncd" in done.stderr
    assert everything(shared.store.parent) == before

    assert "sudo -u nobody syncd" in _way_out(shared)
    assert executed(shared, "sync", user=NOBODY).returncode == 0
    shared.assert_exact()


@only_root
def test_a_store_that_root_put_back_is_given_to_the_service_by_the_command_that_it_is_told(
    shared: Rig,
) -> None:
    os.chown(shared.store.parent, NOBODY, NOBODY)
    before = everything(shared.store.parent)

    for command in (["sync"], ["status"]):
        done = executed(shared, *command, user=NOBODY)
        assert done.returncode == 78, done.stderr
        assert f"chown nobody {shared.store}" in done.stderr
    assert everything(shared.store.parent) == before

    mending = done.stderr.partition("run as root: ")[2]
    subprocess.run(mending, shell=True, check=True)  # noqa: S602  (as root would)
    assert executed(shared, "sync", user=NOBODY).returncode == 0


@only_root
def test_another_user_is_told_whose_store_it_is(shared: Rig) -> None:
    give(shared.store.parent, NOBODY)
    before = everything(shared.store.parent)

    for command in (["sync"], ["status"]):
        done = executed(shared, *command, user=SERVICE)
        assert done.returncode == 78, done.stderr
        assert "sudo -u nobody syncd" in done.stderr
    assert everything(shared.store.parent) == before


@only_root
def test_in_a_volume_that_kubernetes_gives_to_a_group_life_goes_on(shared: Rig) -> None:
    """root:TEAM 2775, and at each mount the files in it become group-writable."""
    shutil.rmtree(shared.store.parent)
    shared.store.parent.mkdir()
    os.chown(shared.store.parent, 0, TEAM)
    shared.store.parent.chmod(0o2775)

    for _ in range(2):
        done = executed(shared, "sync", user=SERVICE, group=TEAM)
        assert done.returncode == 0, done.stderr
        assert executed(shared, "status", user=SERVICE, group=TEAM).returncode == 0
        assert stat.S_IMODE(shared.store.stat().st_mode) == 0o600
        shared.store.chmod(0o660)
    shared.assert_exact()
    assert stat.S_IMODE(shared.store.parent.stat().st_mode) == 0o2775


@pytest.mark.parametrize("end", ["", ".lock"])
def test_a_file_with_another_name_is_written_by_neither(made: Rig, tmp_path: Path, end: str) -> None:
    """By each name there would be a lock of its own."""
    beside = made.store.with_name(made.store.name + end)
    other = tmp_path / "other name"
    os.link(beside, other)

    said = made.run("sync", code=78).stderr

    assert f"the same file has other names than {beside} (a hard link" in " ".join(said.split())
    assert made.writes() == []
    made.run("plan")
    other.unlink()
    made.sync()


@only_root
def test_a_store_that_a_container_is_given_as_a_single_file_is_not_written(made: Rig, tmp_path: Path) -> None:
    other = tmp_path / "acme.db"
    other.touch(0o600)
    script = f'mount --bind "{made.store}" "{other}" && exec "$@"'
    home = tmp_path / "second.toml"
    home.write_text(
        made.config.read_text().replace('name = "acme"', f'name = "acme"\nstate = "{tmp_path}"', 1)
    )
    home.chmod(0o600)
    command = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        script,
        "sh",
        sys.executable,
        "-m",
        "syncd",
        "sync",
        "-c",
        str(home),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")

    assert done.returncode == 78, done.stderr
    assert "a mount of this file alone" in " ".join(done.stderr.split())


@only_root
@pytest.mark.parametrize("named", [True, False])
def test_who_may_not_look_into_the_directory_is_told_so_by_every_command(shared: Rig, named: bool) -> None:
    if not named:
        shared.config.write_text(shared.config.read_text().replace('name = "acme"\n', ""))
    shared.store.parent.chmod(0o700)
    into = shared.folder / "saved.backup"
    shared.folder.chmod(0o777)

    for command in (["backup", str(into)], ["status"], ["sync"], ["plan"], ["audit", "verify"]):
        done = executed(shared, *command, user=SERVICE)
        assert done.returncode == 78, (command, done.stderr)
        assert "Permission denied" in done.stderr
    assert not into.exists()
