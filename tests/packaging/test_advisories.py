"""`make audit-deps` against an OSV server on this machine: the real pip-audit, asked over a real socket."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from supply_chain.advisories import Answer, Release, pinned, read, told
from tests.packaging.declared import DEVELOP, ROOT, pins

CONTROL = {("flask", "0.12.2"): "1.0"}


@contextmanager
def osv_server(vulnerable: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """Knows these releases as vulnerable, each with the version that mends it, and no other."""

    class Osv(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name, version = asked["package"]["name"], asked["version"]
            fixed = vulnerable.get((name, version))
            body = json.dumps({"vulns": [_vulnerability(name, fixed)]} if fixed else {}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Osv) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()


def _vulnerability(name: str, fixed: str) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": fixed}]
    affected = {
        "package": {"name": name, "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return {"id": f"PYSEC-2026-{name}", "summary": "bad", "affected": [affected]}


def audit(tmp_path: Path, url: str, *lines: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "constraints-dev.txt"
    file.write_text("\n".join((*lines, "")), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "supply_chain.advisories", "--osv-url", url, "--pins", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_pins_without_a_known_vulnerability_pass(tmp_path: Path) -> None:
    with osv_server(CONTROL) as url:
        ended = audit(tmp_path, url, "requests==2.34.2 \\", "    --hash=sha256:00", "certifi==2026.10.18")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "2 pinned versions looked up, no known vulnerability" in ended.stdout


def test_a_known_vulnerability_fails_with_its_name_and_the_version_that_mends_it(tmp_path: Path) -> None:
    with osv_server({**CONTROL, ("requests", "2.34.2"): "2.34.3"}) as url:
        ended = audit(tmp_path, url, "requests==2.34.2", "certifi==2026.10.18")
    assert ended.returncode == 1
    assert "requests 2.34.2: PYSEC-2026-requests, fixed in 2.34.3" in ended.stderr


def test_a_pin_for_another_platform_is_looked_up_too(tmp_path: Path) -> None:
    with osv_server({**CONTROL, ("colorama", "0.4.6"): "0.4.7"}) as url:
        ended = audit(tmp_path, url, "colorama==0.4.6 ; sys_platform == 'win32' \\", "    --hash=sha256:00")
    assert ended.returncode == 1
    assert "colorama 0.4.6" in ended.stderr


def test_where_nobody_answers_it_says_that_nothing_was_checked(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ended = audit(tmp_path, f"http://127.0.0.1:{free.getsockname()[1]}/v1/query", "requests==2.34.2")
    assert (ended.returncode, ended.stdout) == (69, "")
    assert "NOT CHECKED" in ended.stderr


def test_a_service_without_data_is_not_believed(tmp_path: Path) -> None:
    """pip-audit itself would end with 0 here, and "No known vulnerabilities found"."""
    with osv_server({}) as url:
        ended = audit(tmp_path, url, "requests==2.34.2")
    assert (ended.returncode, ended.stdout) == (69, "")
    assert "NOT CHECKED" in ended.stderr
    assert "it knows no advisory of flask 0.12.2, which has a published one" in ended.stderr


def test_no_pins_are_no_pass(tmp_path: Path) -> None:
    with osv_server(CONTROL) as url:
        assert audit(tmp_path, url).returncode == 69


def test_pins_that_the_service_skipped_are_named_and_no_pass() -> None:
    """What pip-audit writes of a package that its service does not know, ending with 0."""
    skipped = {"name": "yarl", "skip_reason": "Dependency not found and could not be audited: yarl (1.25.1)"}
    found = {"name": "requests", "version": "2.34.2", "vulns": []}
    answer = read(json.dumps({"dependencies": [found, skipped], "fixes": []}))
    assert isinstance(answer, Answer)
    code, lines = told(answer, [Release("requests", "2.34.2"), Release("yarl", "1.25.1")])
    assert code == 69
    assert lines[0] == "NOT CHECKED: yarl 1.25.1"


@pytest.mark.parametrize(
    "said", ["", "No known vulnerabilities found", "[]", '{"dependencies": [{}]}', "null"]
)
def test_what_is_no_answer_is_taken_for_none(said: str) -> None:
    assert read(said) is None


def test_every_pin_is_asked_for() -> None:
    assert {(each.name, each.version) for each in pinned(DEVELOP.read_text(encoding="utf-8"))} == {
        (pin.name, pin.version) for pin in pins(DEVELOP)
    }
