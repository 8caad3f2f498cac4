"""Names are hostile text, answers may lie or never end, and the token goes nowhere but home."""

from __future__ import annotations

import csv
import html
import http.server
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.rig import Rig, rig
from tests.serving import Serving

HOSTILE = {
    "terminal escapes": "\x1b[2J\x1b]0;owned\x07",
    "HTML": "<script>alert(1)</script>",
    "a CSV formula": '=HYPERLINK("http://127.0.0.1/")',
    "emoji": "👩‍🚀🏴‍☠️",
    "right to left": "\u202eevil\u2066",
    "SQL": "'; DROP TABLE users; --",
    "a filter": '" or userName pr or userName eq "',
    "a path": "../../Groups/1",
    "percent": "%2e%2e%2f%00",
    "length": "x" * 10_000,
}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, users=5, groups=2, pushed=[]) as each:
        yield each


def test_hostile_names_arrive_to_the_letter_and_do_nothing_else(made: Rig) -> None:
    for number, text in enumerate(HOSTILE.values()):
        made.okta.world.add_user(f"h{number}@example.com", text, text, assign=True)
    made.sync()
    made.assert_settled()


def test_no_control_character_reaches_a_terminal(made: Rig) -> None:
    for number, text in enumerate(HOSTILE.values()):
        made.okta.world.add_user(f"h{number}@example.com", text, text, assign=True)
    made.okta.world.create_group("\x1b[31mred\u202e")
    made.write_config(rules='[[push_groups]]\nsource = { name_contains = "red" }')
    for command in (["plan"], ["sync"], ["status"]):
        answer = made.run(*command, code=None)
        for text in (answer.stdout, answer.stderr):
            assert not [c for c in text if (ord(c) < 32 and c not in "\n\t") or c in "\x7f\x9b\u202e\u2066"]


FORMULAS = ("x;=1+1", 'x;"=1+1', "x; @SUM(1)", "x\t=1+1", "x;+1", "x;\t-1", 'x";=1+1', "x;\uff1d1")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_of_the_report_is_a_formula_whatever_the_spreadsheet_takes_for_a_delimiter(
    made: Rig, delimiter: str
) -> None:
    for number, text in enumerate(FORMULAS):
        group = made.okta.world.create_group(text)
        user = made.okta.world.add_user(f"h{number};=1@example.com", text, text, assign=True)
        made.okta.world.add_member(group, user)
    made.write_config(rules='[[push_groups]]\nsource = { name_starts_with = "x" }')
    made.sync()
    report = made.run("report", "--format", "csv").stdout
    cells = {
        cell.lstrip(' "\u00a0')
        for row in csv.reader(report.splitlines(), delimiter=delimiter)
        for cell in row
    }
    assert len(cells) > 3 * len(FORMULAS)
    assert [cell for cell in cells if cell[:1] and cell[:1] in "=+-@|%\uff1d\uff0b\uff0d\uff20\t"] == []


def test_no_name_in_a_markdown_report_becomes_a_link_or_calls_anybody(made: Rig) -> None:
    for number, text in enumerate(("@octocat", "see @org/team", "fixes #17", "mailto:a@example.com")):
        group = made.okta.world.create_group(f"x {text}")
        user = made.okta.world.add_user(f"m{number}@example.com", text, text, assign=True)
        made.okta.world.add_member(group, user)
    made.write_config(rules='[[push_groups]]\nsource = { name_starts_with = "x" }')
    made.sync()
    report = made.run("report", "--format", "md").stdout
    assert "octocat" in report
    assert re.findall(r"[@#]\w", html.unescape(report)) == []


@pytest.mark.parametrize(
    "name", ['quo"te\\back@example.com', "plus+tag@example.com", "ünï@exämple.com", "a'b@example.com"]
)
def test_a_hostile_user_name_finds_itself_and_nobody_else(made: Rig, name: str) -> None:
    made.split.world.create_local_user(name)
    made.okta.world.add_user(name, "A", "B", assign=True)
    result = made.sync()
    assert result["summary"]["applied"]["adopt_user"] == 1
    made.assert_exact()


@contextmanager
def _listener() -> Iterator[tuple[str, list[str]]]:
    """Somebody else's server: it remembers what it was sent."""
    heard: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(str(self.headers))
            self.send_response(200)
            self.end_headers()

        do_POST = do_PUT = do_PATCH = do_CONNECT = do_GET  # noqa: N815  (the names http.server calls)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with Serving(server) as serving:
        yield f"http://127.0.0.1:{serving.port}", heard


def test_the_token_follows_neither_redirects_nor_foreign_links_nor_environment_proxies(
    made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _listener() as (elsewhere, heard):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, elsewhere)
        made.split.faults.add(
            "redirect", path="/Users", count=2, location=f"{elsewhere}/scim/v2/Users", status=307
        )
        made.run("sync", code=None)
        made.okta.faults.add("redirect", path="/apps/", count=1, location=f"{elsewhere}/api", status=302)
        made.run("sync", code=None)
        made.okta.faults.clear()
        made.okta.faults.add("next_origin", path="/users", count=1, origin=elsewhere)
        made.run("sync", code=None)
        made.okta.faults.clear()
        made.split.faults.clear()
        made.sync()
        made.assert_exact()
        assert heard == []


def test_a_stray_okta_yaml_changes_nothing(made: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with _listener() as (elsewhere, heard):
        (made.folder / "okta.yaml").write_text(
            f"okta:\n  client:\n    orgUrl: {elsewhere}\n    token: stray\n    proxy:\n      host: 127.0.0.1\n"
        )
        monkeypatch.chdir(made.folder)
        monkeypatch.setenv("OKTA_CLIENT_ORGURL", elsewhere)
        monkeypatch.setenv("OKTA_CLIENT_TOKEN", "stray")
        made.sync()
        made.assert_exact()
        assert heard == []


@pytest.mark.parametrize("side", ["okta", "split"])
@pytest.mark.parametrize("action", ["endless", "oversized"])
def test_an_answer_without_end_is_cut_off(made: Rig, side: str, action: str) -> None:
    simulator = made.okta if side == "okta" else made.split
    simulator.faults.add(action, path="/users" if side == "okta" else "/Users", count=-1)
    made.run("sync", code=1)
    assert made.actual_people() == {}


def test_store_and_plan_are_private_whatever_the_umask(made: Rig) -> None:
    before = os.umask(0)
    try:
        made.sync()
        made.run("plan", "-o", str(made.folder / "the.plan"))
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (made.folder / "state").iterdir()}
    assert set(modes.values()) == {0o600}
    assert (made.folder / "state").stat().st_mode & 0o777 == 0o700
    assert (made.folder / "the.plan").stat().st_mode & 0o777 == 0o600


def test_a_world_readable_secret_file_is_warned_about(made: Rig) -> None:
    secret = made.folder / "secret"
    secret.write_text(made.okta.token)
    secret.chmod(0o644)
    made.config.write_text(made.config.read_text().replace('{ env = "E2E_OKTA" }', '{ file = "secret" }'))
    answer = made.run("plan")
    assert "secret" in answer.stderr
    assert "warning" in answer.stderr
    secret.unlink()
