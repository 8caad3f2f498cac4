"""Reading what somebody named."""

from __future__ import annotations

import ast
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd import files
from syncd.files import NotRegularError, TooLargeError, read_regular


def test_a_file_of_just_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for size in (0, 1, 4095, 4096):
        file.write_bytes(b"x" * size)
        assert read_regular(file, largest=4096) == b"x" * size
    file.write_bytes(b"x" * 4097)
    with pytest.raises(TooLargeError) as caught:
        read_regular(file, largest=4096)
    assert caught.value.strerror == "it is larger than 4 KiB"


def test_a_file_whose_size_is_said_to_be_nothing_is_read_up_to_the_same_bound() -> None:
    named = Path("/proc/self/status")
    if not named.exists():
        pytest.skip("this system has no /proc")
    assert b"Pid:" in read_regular(named, largest=64 * 1024)
    with pytest.raises(TooLargeError):
        read_regular(named, largest=10)


def test_a_link_is_followed_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"here")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", largest=10) == b"here"


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "a named pipe"),
        (Path.mkdir, "a directory"),
        (_socket, "a socket"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
    ],
)
def test_anything_else_is_named_and_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object], said: str
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    make(Path("thing"))
    monkeypatch.setattr(files, "_without_waiting", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(NotRegularError, match=f"it is {said}, not a regular file"):
        read_regular(tmp_path / "thing", largest=10)


def test_a_pipe_that_takes_a_files_place_before_it_is_opened_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "thing")
    seen = iter([_refuses_nothing, files._refuse_other_kinds])
    monkeypatch.setattr(files, "_refuse_other_kinds", lambda found: next(seen)(found))
    said: list[BaseException] = []

    def read() -> None:
        try:
            read_regular(tmp_path / "thing", largest=10)
        except OSError as error:
            said.append(error)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    reading.join(30)
    assert [type(error) for error in said] == [NotRegularError]


def _refuses_nothing(_found: os.stat_result) -> None:
    pass


def test_what_is_not_there_or_no_path_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "gone", largest=10)
    with pytest.raises(OSError, match="the path cannot be used"):
        read_regular(Path("a\0b"), largest=10)


OTHER_DOORS = {
    "cli/files.py": "writes files of its own making",
    "cli/init.py": "makes a file",
    "cli/schema.py": "a file of the package",
    "cli/streams.py": "the standard streams",
    "demo/folder.py": "makes files in a directory of its own",
    "demo/fleet/postgresql.py": "makes the server's log in a directory of its own",
    "demo/fleet/workers.py": "makes the workers' logs in the directory of the demo",
    "service/page.py": "a file of the package",
    "settings/explain.py": "a file of the package",
    "store/sqlite/copies.py": "makes durable what it made",
    "store/file_lock.py": "the lock's own file",
    "store/lock.py": "/proc",
    "store/mounts.py": "/proc",
    "store/private.py": "makes files and directories of its own",
    "store/process.py": "/proc",
}


def _opens(call: ast.Call) -> bool:
    """open(...), os.open(...), path.read_text(...), path.read_bytes(...), path.open("rb")."""
    if isinstance(call.func, ast.Name):
        return call.func.id == "open"
    if not isinstance(call.func, ast.Attribute):
        return False
    name, of, first = call.func.attr, call.func.value, next(iter(call.args), None)
    if name == "open":
        of_os = isinstance(of, ast.Name) and of.id == "os"
        return of_os or (isinstance(first, ast.Constant) and isinstance(first.value, str))
    return name in ("read_text", "read_bytes", "load_verify_locations", "load_cert_chain")


def test_what_somebody_names_is_opened_here_alone() -> None:
    home = Path(files.__file__).parent
    opening = {
        str(path.relative_to(home))
        for path in home.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _opens(node)
    }
    assert opening - set(OTHER_DOORS) == {"files.py"}
