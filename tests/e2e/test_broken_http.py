"""Answers that break HTTP itself and say our secrets again: what libraries make of them is shown without any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.echoing import PROXY_PASSWORD, PROXY_USER, SPELLINGS, answering, leaks, proxy_url
from tests.e2e.rig import OKTA_TOKEN, SPLIT_TOKEN, Rig, rig

SECRETS = {
    "the Okta token": OKTA_TOKEN,
    "the Split token": SPLIT_TOKEN,
    "the proxy's password": PROXY_PASSWORD,
    "the proxy's user": PROXY_USER,
}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, users=3, groups=1, pushed=[]) as each:
        yield each
        each.said.clear()  # looked through here, by another opinion than that of the rig


def said_by(made: Rig, monkeypatch: pytest.MonkeyPatch, raw: bytes, *command: str) -> str:
    with answering(raw) as port:
        monkeypatch.setenv("E2E_PROXY", proxy_url(port))
        made.write_config(split='proxy = { env = "E2E_PROXY" }')
        return made.run(*command, code=None).stderr


def spelled(name: str) -> bytes:
    return " | ".join(SPELLINGS[name](each) for each in SECRETS.values()).replace("\n", " ").encode()


@pytest.mark.parametrize("name", ["cut", "in tags", "in quotes and pluses", "base64 of base64"])
@pytest.mark.parametrize("verbose", [(), ("-vv",)])
def test_a_header_that_cannot_be_read_is_told_without_a_secret(
    made: Rig, monkeypatch: pytest.MonkeyPatch, name: str, verbose: tuple[str, ...]
) -> None:
    raw = b"HTTP/1.1 400 no\r\nX-A: b\r\n" + spelled(name) + b"\r\nContent-Length: 3\r\n\r\nabc"
    said = said_by(made, monkeypatch, raw, "sync", *verbose)
    assert "Failed to parse headers" in said
    assert leaks(said, SECRETS) == []
