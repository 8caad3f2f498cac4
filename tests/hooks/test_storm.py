"""A storm of event hooks changes no limit, and loses nothing that the System Log's own poll finds."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from pathlib import Path

import pytest

from syncd.core.hooks import org_key
from syncd.simulators.world import OktaWorld, SplitWorld
from tests.hooks.hooked_daemon import SECRET, hearing
from tests.service.supervisor import eventually

POSTS, POSTERS = 10_000, 8
LOGS = 120


def test_ten_thousand_posts_break_no_share_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    okta = OktaWorld()
    people = [okta.add_user(f"p{n:03}@example.com", "P", f"{n:03}", assign=True) for n in range(60)]
    every = 'delta = "2s"\nfull = "12h"\ndrift = "24h"\ndelta_with_hooks = "2s"'
    with hearing(tmp_path, monkeypatch, okta=okta, every=every, events=()) as (made, daemon, hook):
        made.okta.set_knobs(limits={"logs": LOGS, "app": 600, "user": 600}, window_seconds=60.0)
        before = len(made.okta.requests)
        answers: Counter[int] = Counter()
        lock = threading.Lock()

        def post(mine: int) -> None:
            wire = http.client.HTTPConnection(
                "127.0.0.1", int(hook.url.rpartition(":")[2].split("/")[0]), timeout=30
            )
            for number in range(mine, POSTS, POSTERS):
                event = {
                    "uuid": f"storm-{number}",
                    "published": "2026-03-01T10:00:00.000Z",
                    "eventType": "user.account.update_profile",
                    "target": [{"type": "User", "id": people[number % len(people)]}],
                }
                body = {
                    "eventType": "com.okta.event_hook",
                    "source": f"{made.okta.url}/api/v1/eventHooks/{hook.id}",
                    "data": {"events": [event]},
                }
                wire.request(
                    "POST", f"/okta/{org_key(made.okta.url)}", json.dumps(body), {"Authorization": SECRET}
                )
                answer = wire.getresponse()
                answer.read()
                with lock:
                    answers[answer.status] += 1
            wire.close()

        posters = [threading.Thread(target=post, args=(each,)) for each in range(POSTERS)]
        for each in posters:
            each.start()
        for number in range(0, 60, 7):
            okta.update_profile(f"p{number:03}@example.com", lastName="Moved")
        okta.unassign("p059@example.com")
        for each in posters:
            each.join()

        assert answers.keys() <= {204, 429, 503}
        assert answers.total() == POSTS
        eventually(lambda: moved(made.split.world) == 9, "all that moved arrive")
        eventually(lambda: not made.split.world.user("p059@example.com").active, "the leaver left")
        asked = Counter(request.status for request in list(made.okta.requests)[before:])
        assert 429 not in asked
        assert daemon.daemon.board.connection("acme").snapshot().totals.runs["full", "succeeded"] == 1


def moved(split: SplitWorld) -> int:
    users = list(split.users.values())
    return sum(
        user.attributes["name"].get("familyName") == "Moved" for user in users if "name" in user.attributes
    )
