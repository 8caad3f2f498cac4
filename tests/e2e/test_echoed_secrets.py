"""Both servers and the proxy say our secrets again, in every spelling: nothing that is kept or shown has one."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
import requests

from syncd.simulators.world import generate_okta
from tests.e2e.echoing import (
    PROXY_PASSWORD,
    PROXY_USER,
    SPELLINGS,
    Echo,
    Reply,
    echoing,
    headers_with,
    leaks,
    okta_error,
    proxy_url,
    scim_error,
)
from tests.e2e.rig import OKTA_TOKEN, SPLIT_TOKEN, Rig, rig
from tests.observe.receiving import Receiver, receiver
from tests.service.supervisor import eventually, supervised
from tests.serving import free_port

SECRETS = {
    "the Okta token": OKTA_TOKEN,
    "the Split token": SPLIT_TOKEN,
    "the proxy's password": PROXY_PASSWORD,
    "the proxy's user": PROXY_USER,
    "the proxy's Basic": f"{PROXY_USER}:{PROXY_PASSWORD}",
}
HOOK_USER, HOOK_PASSWORD, HOOK_TOKEN = "h00k-Us3r-0815", "h00k-PaSs-4242", "h00kToKeN77aBcDeF88"
GROUPS = [f"Team {name}" for name in SPELLINGS]

hearing = pytest.fixture(receiver)


@pytest.fixture
def echo() -> Iterator[Echo]:
    with echoing() as made:
        yield made


@pytest.fixture
def made(tmp_path: Path, echo: Echo, hearing: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    okta = generate_okta(users=140, groups=2, seed=7)
    people = sorted(row.id for row in okta.app_users.values())
    for name in GROUPS:
        okta.add_member(okta.create_group(name), people[0])
    with rig(tmp_path, okta=okta, pushed=GROUPS) as each:
        monkeypatch.setenv("E2E_PROXY", proxy_url(echo.port))
        hook = f"json://{HOOK_USER}:{HOOK_PASSWORD}@127.0.0.1:{hearing.port}/?+X-Token={HOOK_TOKEN}"
        monkeypatch.setenv("E2E_HOOK", hook)
        proxy = 'proxy = { env = "E2E_PROXY" }'
        each.write_config(okta=proxy, split=proxy)
        with each.config.open("a") as file:
            file.write('\n[notify]\nurls = [{ env = "E2E_HOOK" }]\n[schedule]\ndelta = "1s"\nfull = "1h"\n')
        yield each


def syncd(made: Rig, *args: str) -> str:
    """The real executable; whatever it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "syncd", *args, "-c", str(made.config)],
        check=False,
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=120,
    )
    made.said += [done.stdout, done.stderr]
    assert "Traceback" not in done.stderr
    assert done.returncode != 64, "a command line that makes no sense shows nothing"
    return done.stdout + done.stderr


def _page(port: int, path: str) -> str:
    return requests.get(f"http://127.0.0.1:{port}{path}", timeout=30).text


def _spelled(number: int) -> str:
    """The spellings in turn, each with all secrets, another one first each time round."""
    name = list(SPELLINGS)[number % len(SPELLINGS)]
    turn = number // len(SPELLINGS) + number
    secrets = list(SECRETS.values())
    return " | ".join(SPELLINGS[name](secrets[(turn + at) % len(secrets)]) for at in range(len(secrets)))


def _refused(number: int, *, split: bool, status: int) -> Reply:
    said = _spelled(number)
    body = scim_error(said, status) if split else okta_error(said)
    headers = {"Content-Type": "application/json", **headers_with(SECRETS.values())}
    if status == 400:
        del headers["Retry-After"]
    return Reply(status, body, headers, reason=f"No {OKTA_TOKEN} {SPLIT_TOKEN}")


def everything(made: Rig, hearing: Receiver) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {
        str(path.relative_to(made.folder)): path.read_bytes()
        for path in made.folder.rglob("*")
        if path.is_file() and path != made.config
    }
    said = {f"output {number}": text for number, text in enumerate(made.said)}
    return {**files, **said, "notifications": repr(hearing.got)}


def assert_nothing_leaks(made: Rig, hearing: Receiver) -> None:
    hook = {"the hook's user": HOOK_USER, "its password": HOOK_PASSWORD, "its token": HOOK_TOKEN}
    found = {
        place: names
        for place, data in everything(made, hearing).items()
        if (names := leaks(data, SECRETS | hook))
    }
    assert found == {}


def test_what_a_sync_keeps_and_shows_has_no_secret_that_its_servers_said(
    made: Rig, echo: Echo, hearing: Receiver
) -> None:
    members = {made.okta.world.group(name).id: number for number, name in enumerate(GROUPS)}
    posts = count(1)

    def answers(method: str, path: str) -> Reply | None:
        if method == "POST" and path.endswith("/Users") and (number := next(posts)) % 3 == 0:
            return _refused(number // 3 - 1, split=True, status=400)
        parts = path.partition("?")[0].split("/")
        if parts[-1] == "users" and parts[-2] in members:
            return _refused(members[parts[-2]], split=False, status=403)
        return None

    echo.answers = answers
    syncd(made, "sync", "--json", "-vv")
    syncd(made, "sync")
    syncd(made, "drift", "--json")
    for form in ("html", "md", "json", "csv", "text"):
        syncd(made, "report", "--format", form, "-o", str(made.folder / f"report.{form}"))
        assert (made.folder / f"report.{form}").stat().st_size > 1000
    for command in (["status"], ["status", "--json"], ["audit", "export"], ["plan"], ["held"]):
        syncd(made, *command)
    failing = made.run("status", "--json", code=None).document["failing"]
    assert len({one["message"] for one in failing}) > len(SPELLINGS), (
        "what they said is told, without secrets"
    )
    assert_nothing_leaks(made, hearing)


@pytest.mark.parametrize(
    "spelling", ["JSON escapes", "base64 with Bearer", "base64 of base64", "over two headers"]
)
def test_what_a_daemon_keeps_and_shows_has_no_secret_that_its_servers_said(
    made: Rig, echo: Echo, hearing: Receiver, spelling: str
) -> None:
    number = list(SPELLINGS).index(spelling)
    port = free_port()
    with made.config.open("a") as file:
        file.write(f'[server]\nlisten = "127.0.0.1:{port}"\n')
    with supervised(made.folder, made.config) as daemon:
        daemon.logs("cycle done", cycle="full")
        echo.answers = lambda _method, path: (
            _refused(number, split=False, status=403) if "/logs" in path else None
        )
        eventually(lambda: "System Log cannot be read" in _page(port, "/"), "the page says it")
        made.said.append(_page(port, "/"))
        assert daemon.stop() == 0
    made.said += [repr(daemon.log), repr(daemon.heard)]
    echo.answers = lambda _method, path: _refused(number, split="/scim/" in path, status=401)
    with supervised(made.folder, made.config) as daemon:
        daemon.logs("connection quarantined")
        syncd(made, "drift")
        eventually(lambda: hearing.got, "a notification")
        made.said += [_page(port, each) for each in ("/", "/readyz", "/metrics")]
        assert (made.folder / "state" / "acme.db-wal").exists()
        assert_nothing_leaks(made, hearing)  # what is not in the store's own file yet too
        assert daemon.stop() == 0
    made.said += [repr(daemon.log), repr(daemon.heard)]
    assert "[redacted]" in syncd(made, "status")
    assert_nothing_leaks(made, hearing)


def test_a_link_to_the_next_page_of_the_system_log_that_repeats_a_secret_is_not_stored(
    made: Rig, echo: Echo, hearing: Receiver
) -> None:
    def answers(_method: str, path: str) -> Reply | None:
        if "/logs" not in path:
            return None
        link = f'<{made.okta.url}/api/v1/logs?after=1_{SPELLINGS["percent"](OKTA_TOKEN)}>; rel="next"'
        return Reply(200, b"[]", {"Content-Type": "application/json", "Link": link})

    echo.answers = answers
    with supervised(made.folder, made.config) as daemon:
        daemon.logs("cycle done", cycle="full")
        assert daemon.stop() == 0
    made.said.append(repr(daemon.log))
    assert "repeats a secret" in repr(daemon.log)
    assert_nothing_leaks(made, hearing)


def test_a_store_that_has_a_secret_from_before_does_not_show_it(
    made: Rig, echo: Echo, hearing: Receiver
) -> None:
    syncd(made, "sync")
    with closing(sqlite3.connect(made.store)) as conn:
        conn.execute("UPDATE runs SET error = ?", (json.dumps(f"no {OKTA_TOKEN} {HOOK_TOKEN} end"),))
        conn.commit()
    shown = [syncd(made, *command) for command in (["status"], ["status", "--json"], ["report"], ["held"])]
    assert all("[redacted]" in text for text in shown[1:2])
    assert [leaks(text, SECRETS | {"the hook's": HOOK_TOKEN}) for text in shown] == [[]] * 4
    with closing(sqlite3.connect(made.store)) as conn:
        conn.execute("UPDATE runs SET error = NULL")
        conn.commit()
        conn.execute("VACUUM")
