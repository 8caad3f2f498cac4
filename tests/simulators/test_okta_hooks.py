"""Event hooks of the Okta simulator, as Okta's documentation describes them, against a server that takes notes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from syncd.simulators.okta import OktaSimulator
from syncd.simulators.okta_hooks import EventHook
from syncd.simulators.world import OktaWorld

SECRET = "hook-secret-of-the-test"
ADD, LEAVE = "application.user_membership.add", "application.user_membership.remove"


@dataclass
class Listener:
    """Answers the challenge, and every POST with `status` after `seconds`."""

    status: int = 204
    seconds: float = 0.0
    challenge: str = "right"
    posts: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    gets: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for _, body in self.posts for event in body["data"]["events"]]


@pytest.fixture
def listener() -> Iterator[Listener]:
    notes = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            notes.gets.append({name.lower(): value for name, value in self.headers.items()})
            said = self.headers["X-Okta-Verification-Challenge"] if notes.challenge == "right" else "wrong"
            self._answer(200, json.dumps({"verification": said}).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            notes.posts.append(({name.lower(): value for name, value in self.headers.items()}, body))
            time.sleep(notes.seconds)
            self._answer(notes.status, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the standard library's name)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        notes.url = f"http://127.0.0.1:{server.server_port}/okta/hook"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield notes
        server.shutdown()
        thread.join()


def hooked(okta: OktaSimulator, listener: Listener, *events: str) -> EventHook:
    hook = okta.hooks.register(listener.url, secret=SECRET, events=events or (ADD, LEAVE))
    assert okta.hooks.verify(hook)
    return hook


def failures(okta: OktaSimulator) -> int:
    return sum(event.body["eventType"] == "event_hook.delivery" for event in okta.world.events)


def test_the_verification_carries_the_challenge_and_the_secret(
    okta: OktaSimulator, listener: Listener
) -> None:
    hook = hooked(okta, listener)

    [headers] = listener.gets
    assert headers["authorization"] == SECRET
    assert len(headers["x-okta-verification-challenge"]) >= 20
    assert hook.verified


def test_who_answers_another_challenge_is_not_verified_and_hears_nothing(
    okta: OktaSimulator, okta_world: OktaWorld, listener: Listener
) -> None:
    listener.challenge = "wrong"
    hook = okta.hooks.register(listener.url, secret=SECRET, events=(ADD,))

    assert not okta.hooks.verify(hook)

    okta_world.assign("dan@example.com")
    assert okta.hooks.wait_until_delivered()
    assert listener.posts == []


def test_a_ticked_event_arrives_as_the_system_log_has_it_and_others_do_not(
    okta: OktaSimulator, okta_world: OktaWorld, listener: Listener
) -> None:
    hook = hooked(okta, listener, ADD)
    okta_world.assign("dan@example.com")
    okta_world.update_profile("ada@example.com", lastName="Byron")
    assert okta.hooks.wait_until_delivered()

    [(headers, body)] = listener.posts
    assert headers["authorization"] == SECRET
    assert headers["content-type"] == "application/json"
    assert body["eventType"] == "com.okta.event_hook"
    assert body["cloudEventsVersion"] == "0.1"
    assert body["source"] == f"{okta.url}/api/v1/eventHooks/{hook.id}"
    assert body["data"]["events"] == [e.body for e in okta_world.events if e.body["eventType"] == ADD]


def test_events_of_one_moment_travel_together(
    okta: OktaSimulator, okta_world: OktaWorld, listener: Listener
) -> None:
    hooked(okta, listener)
    okta.hooks.knobs = okta.hooks.knobs.changed(together_seconds=0.5)
    okta_world.assign("dan@example.com")
    okta_world.assign("eve@example.com")
    assert okta.hooks.wait_until_delivered()

    assert [len(body["data"]["events"]) for _, body in listener.posts] == [2]


@pytest.mark.parametrize(("status", "tries"), [(204, 1), (200, 1), (500, 2), (503, 2), (401, 1), (404, 1)])
def test_one_retry_and_none_after_a_4xx(
    okta: OktaSimulator, okta_world: OktaWorld, listener: Listener, status: int, tries: int
) -> None:
    hook = hooked(okta, listener)
    listener.status = status
    okta_world.assign("dan@example.com")
    assert okta.hooks.wait_until_delivered()

    assert hook.statuses == [status] * tries
    assert failures(okta) == (status >= 400)


def test_who_does_not_answer_in_time_is_asked_once_more_and_the_log_tells(
    okta: OktaSimulator, okta_world: OktaWorld, listener: Listener
) -> None:
    hook = hooked(okta, listener)
    okta.hooks.knobs = okta.hooks.knobs.changed(timeout_seconds=0.2)
    listener.seconds = 1.0
    okta_world.assign("dan@example.com")
    assert okta.hooks.wait_until_delivered()

    assert hook.statuses == [0, 0]
    assert failures(okta) == 1


def test_lost_twice_and_limited(okta: OktaSimulator, okta_world: OktaWorld, listener: Listener) -> None:
    hook = hooked(okta, listener)
    okta.hooks.knobs = okta.hooks.knobs.changed(lose_every=1)
    okta_world.assign("dan@example.com")
    assert okta.hooks.wait_until_delivered()
    assert hook.statuses == []

    okta.hooks.knobs = okta.hooks.knobs.changed(lose_every=0, twice=True, daily_limit=2)
    okta_world.assign("eve@example.com")
    okta_world.unassign("eve@example.com")
    assert okta.hooks.wait_until_delivered()
    assert hook.statuses == [204, 204]
    assert {event["eventType"] for event in listener.events} == {ADD}


def test_the_control_interface_adds_and_shows_hooks_without_their_secret(
    okta: OktaSimulator, listener: Listener
) -> None:
    with requests.Session() as session:
        session.trust_env = False
        added = session.post(
            f"{okta.url}/_control/hooks",
            json={"url": listener.url, "secret": SECRET, "events": [ADD]},
            timeout=10,
        )
        knobs = session.post(f"{okta.url}/_control/hooks/knobs", json={"twice": True}, timeout=10)
        wrong = session.post(f"{okta.url}/_control/hooks/knobs", json={"thrice": True}, timeout=10)

    assert added.json()[0]["verified"] is True
    assert SECRET not in added.text
    assert knobs.json()["twice"] is True
    assert wrong.status_code == 400


def test_what_is_asked_by_id_may_lag_behind(okta: OktaSimulator, okta_world: OktaWorld) -> None:
    okta.set_knobs(object_lag_seconds=3600.0)
    ada = okta_world.user("ada@example.com").id
    okta_world.update_profile("ada@example.com", lastName="Byron")
    with requests.Session() as session:
        session.trust_env = False
        url = f"{okta.url}/api/v1/apps/{okta_world.app.id}/users/{ada}"
        late = session.get(url, headers={"Authorization": f"SSWS {okta.token}"}, timeout=10).json()
        okta.set_knobs(object_lag_seconds=0.0)
        now = session.get(url, headers={"Authorization": f"SSWS {okta.token}"}, timeout=10).json()

    assert late["profile"]["familyName"] == "Test"
    assert now["profile"]["familyName"] == "Byron"
