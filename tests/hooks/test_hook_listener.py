"""What the listener of event hooks refuses, over real sockets: counted, and nothing of it is ever said or logged."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from syncd.core.hooks import BODY_AT_MOST, EVENTS_AT_MOST
from syncd.errors import TemporaryError
from syncd.model import LogEvent
from syncd.service import hook_desk
from syncd.service.hooks import listening
from syncd.service.visitors import PATIENCE, VisitorState
from syncd.settings import ConnectionSettings, load_or_raise
from syncd.settings.schema import HooksSettings
from tests.connection_text import connection_text

SECRET, BEFORE = "hOoK-sEcReT-0815-listener", "hOoK-sEcReT-0714-listener"
ORG = "https://acme.okta.com"
PATH = "/okta/acme.okta.com"
MARK = "content-that-nobody-may-log"


@dataclass
class Receiver:
    """A connection whose store is a list."""

    settings: ConnectionSettings
    taken: list[LogEvent] = field(default_factory=list)
    fails: bool = False
    waits: threading.Event | None = None
    also: Sequence[str] = ()
    """Addresses that the org says it has."""

    @property
    def terms(self) -> HooksSettings:
        return self.settings.hooks

    @property
    def org_urls(self) -> Sequence[str]:
        return (self.settings.okta.org_url, *self.also)

    def take(self, events: Sequence[LogEvent]) -> None:
        if self.waits is not None:
            assert self.waits.wait(20)
        if self.fails:
            raise TemporaryError("the store cannot be written")
        self.taken.extend(events)


@dataclass
class Listener:
    port: int
    receivers: list[Receiver]
    counted: Counter[int]
    said: list[str]

    @property
    def taken(self) -> list[LogEvent]:
        return self.receivers[0].taken

    def send(
        self, method: str = "POST", path: str = PATH, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            wire.putrequest(method, path)
            for name, value in headers.items():
                wire.putheader(name.replace("_", "-"), value)
            if body is not None:
                wire.putheader("Content-Length", str(len(body)))
            wire.endheaders()
            if body is not None:
                with suppress(BrokenPipeError, ConnectionResetError):  # refused before all of it was heard
                    wire.send(body)
            answer = wire.getresponse()
            return answer.status, answer.read()
        finally:
            wire.close()

    def post(self, body: object, **headers: str) -> int:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send(body=content, **{"Authorization": SECRET, **headers})[0]


def settings_of(folder: Path, name: str, org: str = ORG, secret: str = "HOOK_SECRET") -> ConnectionSettings:
    file = folder / f"{name}.toml"
    text = connection_text(
        name,
        okta=(org, "0oa1gjh63g214q0Hq0g4"),
        split=f"https://{name}.example.com/scim/v2",
        tokens=("HOOK_OKTA", "HOOK_SPLIT"),
        more=(
            f'[hooks]\nlisten = "127.0.0.1:9465"\nsecret = {{ env = "{secret}" }}\n'
            'previous_secret = { env = "HOOK_BEFORE" }\n'
        ),
    )
    file.write_text(text)
    return load_or_raise([file], environ=os.environ).connections[0]


@contextmanager
def listener_of(receivers: list[Receiver]) -> Iterator[Listener]:
    counted: Counter[int] = Counter()
    said: list[str] = []

    def count(status: int) -> None:
        counted[status] += 1

    def tell(level: str, event: str, **fields: object) -> None:
        said.append(f"{level} {event} {fields}")

    with listening(("127.0.0.1", 0), lambda: receivers, count, tell) as server:
        yield Listener(server.port, receivers, counted, said)


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    for name, value in (
        ("HOOK_SECRET", SECRET),
        ("HOOK_BEFORE", BEFORE),
        ("HOOK_OKTA", "00tOkTa-hooks-0042"),
        ("HOOK_SPLIT", "spl.iT-hooks-4711"),
    ):
        monkeypatch.setenv(name, value)
    with listener_of([Receiver(settings_of(tmp_path, "acme"))]) as found:
        yield found
        assert MARK not in "".join(found.said)
        assert SECRET not in "".join(found.said)


def event(kind: str = "user.lifecycle.deactivate", *targets: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {
        "uuid": "7b0a4e60-0000-4000-8000-000000000001",
        "published": "2026-03-01T10:00:00.000Z",
        "eventType": kind,
        "displayMessage": MARK,
        "target": [
            {"type": of, "id": each, "displayName": MARK} for of, each in targets or (("User", "00u1"),)
        ],
        **more,
    }


def hook(*events: object, **more: object) -> dict[str, object]:
    return {
        "eventType": "com.okta.event_hook",
        "eventTypeVersion": "1.0",
        "cloudEventsVersion": "0.1",
        "source": f"{ORG}/api/v1/eventHooks/who1",
        "eventId": "b5a188b9-5ece-4636-b041-482ffda96311",
        "contentType": "application/json",
        "data": {"events": list(events)},
        **more,
    }


def test_a_hook_with_the_secret_is_stored_and_answered_with_204(heard: Listener) -> None:
    assert heard.post(hook(event())) == 204

    [taken] = heard.taken
    assert (taken.kind, taken.targets) == ("user.lifecycle.deactivate", [("User", "00u1")])
    assert heard.counted == {204: 1}


def test_the_secret_before_counts_too_while_it_is_changed(heard: Listener) -> None:
    assert heard.post(hook(event()), Authorization=BEFORE) == 204


def test_the_verification_gives_the_challenge_back_to_who_has_the_secret(heard: Listener) -> None:
    said = "Me_rShK8JHsTnbyYrWXC"

    status, body = heard.send("GET", Authorization=SECRET, X_Okta_Verification_Challenge=said)
    assert (status, json.loads(body)) == (200, {"verification": said})
    assert heard.send("GET", Authorization="another", X_Okta_Verification_Challenge=said)[0] == 401
    assert heard.send("GET", Authorization=SECRET)[0] == 400
    assert heard.send("GET", Authorization=SECRET, X_Okta_Verification_Challenge="x" * 600)[0] == 400


@pytest.mark.parametrize(
    "secret", ["", "wrong", SECRET[:-1], SECRET + "x", SECRET.lower(), f"Bearer {SECRET}"]
)
def test_a_wrong_secret_is_refused(heard: Listener, secret: str) -> None:
    assert heard.post(hook(event()), Authorization=secret) == 401
    assert heard.taken == []
    assert heard.counted == {401: 1}


def test_a_missing_and_a_doubled_secret_are_refused(heard: Listener) -> None:
    body = json.dumps(hook(event())).encode()

    assert heard.send(body=body)[0] == 401
    with socket.create_connection(("127.0.0.1", heard.port), timeout=20) as wire:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {SECRET}\r\nAuthorization: {SECRET}\r\n"
        wire.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert wire.recv(1000).startswith(b"HTTP/1.1 401 ")
    assert heard.taken == []


def test_another_path_or_method_finds_nothing(heard: Listener) -> None:
    for path in ("/", "/okta/", "/okta/other.okta.com", "/metrics", f"{PATH}/", f"{PATH}?a=b"):
        assert heard.send("POST", path, b"{}", Authorization=SECRET)[0] in (404, 400), path
    assert heard.send("PUT", PATH, b"{}", Authorization=SECRET)[0] == 405
    assert heard.taken == []


def test_one_byte_more_than_a_mebibyte_is_refused_unread(heard: Listener) -> None:
    whole = json.dumps(hook(event())).encode()
    fits = whole + b" " * (BODY_AT_MOST - len(whole))

    assert heard.post(fits) == 204
    assert heard.post(fits + b" ") == 413
    assert len(heard.taken) == 1


def test_a_body_of_no_said_length_is_cut_off_at_the_same_size(heard: Listener) -> None:
    with socket.create_connection(("127.0.0.1", heard.port), timeout=20) as wire:
        wire.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {SECRET}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        with suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(BODY_AT_MOST // 0x10000 + 1):
                wire.sendall(piece)
        assert wire.recv(1000).startswith(b"HTTP/1.1 413 ")
    assert heard.taken == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_a_compressed_body_is_never_unpacked(heard: Listener, encoding: str) -> None:
    bomb = gzip.compress(b" " * 200_000_000)

    assert heard.post(bomb, Content_Encoding=encoding) == 415
    assert heard.taken == []


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        json.dumps(hook(event()))[:-1].encode(),
        b"",
        b"\xff\xfe\x00",
        b"null",
        b'"text"',
        b"[]",
        json.dumps({**hook(), "eventType": "com.okta.inline_hook"}).encode(),
        json.dumps({**hook(), "data": {"events": "all"}}).encode(),
        json.dumps({**hook(), "data": []}).encode(),
        json.dumps(hook(*[{}] * (EVENTS_AT_MOST + 1))).encode(),
    ],
    ids=range(13),
)
def test_what_is_no_event_hook_is_refused(heard: Listener, body: bytes) -> None:
    assert heard.post(body) == 400
    assert heard.taken == []


@pytest.mark.parametrize(
    "source",
    [
        "https://evil.okta.com/api/v1/eventHooks/who1",
        "https://acme.okta.com.evil.example/api/v1/eventHooks/who1",
        "http://acme.okta.com/api/v1/eventHooks/who1",
        "https://acme.okta.com@evil.example/api/",
        "",
        None,
        7,
    ],
)
def test_a_foreign_source_is_refused(heard: Listener, source: object) -> None:
    assert heard.post(hook(event(), source=source)) == 400
    assert heard.taken == []


def test_why_a_body_is_refused_is_said_without_a_word_of_it(heard: Listener) -> None:
    assert heard.post(hook(event(), source="https://foreign.example.com/api/v1/eventHooks/who1")) == 400

    assert [line for line in heard.said if "the event hook is of another org" in line] != []
    assert "foreign.example.com" not in "".join(heard.said)


def test_a_source_under_any_address_of_the_org_counts_and_so_does_its_path(heard: Listener) -> None:
    heard.receivers[0].also = ("https://login.acme.example",)
    custom = hook(event(), source="https://login.acme.example/api/v1/eventHooks/who1")

    assert heard.post(custom) == 204
    assert heard.post(hook(event())) == 204
    wire = json.dumps(custom).encode()
    assert heard.send(path="/okta/login.acme.example", body=wire, Authorization=SECRET)[0] == 204
    assert heard.post(hook(event(), source="https://login.acme.example.evil.org/api/v1/eventHooks/w")) == 400
    assert heard.post(hook(event(), source="http://login.acme.example/api/v1/eventHooks/w")) == 400


def test_a_slow_body_is_cut_off(heard: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook_desk, "BODY_WITHIN", 0.5)
    with socket.create_connection(("127.0.0.1", heard.port), timeout=20) as wire:
        wire.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {SECRET}\r\nContent-Length: 500\r\n\r\n".encode()
        )
        for _ in range(100):
            try:
                wire.sendall(b" ")
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(0.02)
        assert wire.recv(1000).startswith(b"HTTP/1.1 408 ")
    assert heard.counted == {408: 1}
    assert heard.taken == []


def test_a_head_that_never_ends_is_not_waited_for(heard: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PATIENCE, VisitorState.ASKING, 0.3)
    with socket.create_connection(("127.0.0.1", heard.port), timeout=20) as wire:
        wire.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\n".encode())
        assert wire.recv(1000) == b""


def test_unknown_kinds_and_odd_records_cost_only_themselves(heard: Listener) -> None:
    odd = [
        event("user.session.start"),
        event("application.lifecycle.delete", ("AppInstance", "0oa1gjh63g214q0Hq0g4")),
        event("system.import.complete"),
        event("user.lifecycle.deactivate", ("User", "../../etc/passwd")),
        event("user.lifecycle.deactivate", ("User", "x" * 65)),
        event(["user.lifecycle.deactivate"]),  # type: ignore[arg-type]
        {"eventType": "user.lifecycle.deactivate"},
        "text",
        None,
        7,
    ]

    assert heard.post(hook(*odd, event())) == 204
    assert [each.targets for each in heard.taken if each.targets] == [[("User", "00u1")]]
    assert {each.kind for each in heard.taken} == {"user.lifecycle.deactivate"}


def test_what_nobody_could_store_is_not_said_to_be(heard: Listener) -> None:
    heard.receivers[0].fails = True

    assert heard.post(hook(event())) == 503


def test_a_store_that_takes_long_is_not_waited_for_longer_than_okta_waits(
    heard: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_desk, "STORED_WITHIN", 0.3)
    heard.receivers[0].waits = threading.Event()
    try:
        assert heard.post(hook(event())) == 503
    finally:
        heard.receivers[0].waits.set()


def test_what_waits_to_be_stored_is_bounded_by_its_names(
    heard: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A post of a mebibyte names tens of thousands, each of which is looked up."""
    monkeypatch.setattr(hook_desk, "STORED_WITHIN", 0.1)
    heard.receivers[0].waits = threading.Event()
    large = hook(*[event("user.lifecycle.create", *[("User", f"{n}")] * 80, uuid=f"{n}") for n in range(100)])
    try:
        assert [heard.post(large) for _ in range(5)] == [503] * 5
    finally:
        heard.receivers[0].waits.set()
    monkeypatch.setattr(hook_desk, "STORED_WITHIN", 20.0)

    assert heard.post(hook(event())) == 204
    assert len(heard.taken) == 2 * 100 + 1


def test_more_than_the_rate_of_an_org_is_refused_and_comes_back(
    heard: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_desk, "_BURST", 5.0)
    monkeypatch.setattr(hook_desk, "_A_SECOND", 0.001)
    statuses = [heard.post(hook(event())) for _ in range(8)]

    assert statuses == [204] * 5 + [429] * 3
    assert sum("event hooks are refused" in line for line in heard.said) == 1


def test_whoever_lacks_the_secret_takes_nothing_from_the_rate(
    heard: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_desk, "_BURST", 1.0)
    monkeypatch.setattr(hook_desk, "_A_SECOND", 0.001)
    assert [heard.post(hook(event()), Authorization="wrong") for _ in range(5)] == [401] * 5
    assert heard.post(hook(event())) == 204


def test_all_connections_of_an_org_hear_a_hook_and_no_other_org_does(
    heard: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_OTHER", "another-secret-of-another-one")
    heard.receivers += [
        Receiver(settings_of(tmp_path, "second")),
        Receiver(settings_of(tmp_path, "foreign", "https://other.okta.com")),
        Receiver(settings_of(tmp_path, "apart", secret="HOOK_OTHER")),
    ]
    assert heard.post(hook(event())) == 204

    assert [len(each.taken) for each in heard.receivers] == [1, 1, 0, 0]


def test_several_hooks_on_one_connection(heard: Listener) -> None:
    wire = http.client.HTTPConnection("127.0.0.1", heard.port, timeout=20)
    large = json.dumps(hook(*[event()] * 900)).encode()
    try:
        for _ in range(5):
            wire.request("POST", PATH, large, {"Authorization": SECRET})
            answer = wire.getresponse()
            answer.read()
            assert answer.status == 204
    finally:
        wire.close()
    assert len(heard.taken) == 4500


@pytest.mark.parametrize(
    ("secret", "first"),
    [(SECRET, b"HTTP/1.1 100 Continue\r\n\r\n"), ("wrong", b"HTTP/1.1 401 Unauthorized\r\n")],
)
def test_whoever_waits_with_the_body_is_told_to_send_it_or_why_not(
    heard: Listener, secret: str, first: bytes
) -> None:
    body = json.dumps(hook(event())).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {secret}\r\nExpect: 100-continue\r\n"
    with socket.create_connection(("127.0.0.1", heard.port), timeout=20) as wire, wire.makefile("rb") as said:
        wire.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        line = said.readline()
        assert line == first.partition(b"\r\n")[0] + b"\r\n"
        if secret == SECRET:
            assert said.readline() == b"\r\n"
            wire.sendall(body)
            assert said.readline() == b"HTTP/1.1 204 No Content\r\n"
    assert len(heard.taken) == (secret == SECRET)
