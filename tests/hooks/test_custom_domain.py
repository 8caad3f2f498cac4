"""An org with a custom domain: a hook names the org by one of its addresses, and the settings by another."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from syncd.core.hooks import TICKED
from syncd.engine.facts import ORG_URLS
from syncd.engine.reading.org_urls import known_org_urls
from syncd.okta.addresses import ORG_PATH, org_urls
from syncd.ports import Store
from tests.e2e.rig import Rig
from tests.hooks.hooked_daemon import BEFORE, RARELY, SECRET, arrives, hearing, hook_url, hooks_table
from tests.service.connecting import schedule, served
from tests.service.supervisor import eventually
from tests.service.test_daemon import Inside, inside
from tests.serving import free_port

OTHER = "https://login.acme.example"


@pytest.mark.parametrize("relation", ["organization", "alternate"])
def test_a_hook_that_names_the_org_by_its_other_address_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relation: str
) -> None:
    with hearing(tmp_path, monkeypatch, addresses={relation: OTHER}) as (made, _, hook):
        made.okta.hooks.knobs = made.okta.hooks.knobs.changed(address=OTHER)
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)

        arrives(made, "new@example.com")
        assert set(hook.statuses) == {204}


def test_a_hook_of_an_address_that_the_org_does_not_call_its_own_is_refused_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hearing(tmp_path, monkeypatch) as (made, daemon, hook):
        made.okta.hooks.knobs = made.okta.hooks.knobs.changed(address=OTHER)
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)

        eventually(lambda: 400 in hook.statuses, "the hook was answered")
        daemon.logs("event hooks are refused", status=400, why="the event hook is of another org")
        assert 204 not in hook.statuses


def test_whoever_begins_to_listen_asks_the_org_at_once_who_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_HOOK", SECRET)
    monkeypatch.setenv("E2E_HOOK_BEFORE", BEFORE)
    with served(tmp_path) as made:
        made.okta.set_knobs(addresses={"alternate": OTHER})
        made.okta.hooks.knobs = made.okta.hooks.knobs.changed(address=OTHER)
        schedule(made, RARELY)
        port = free_port()
        with inside(Inside([made.config])) as daemon:
            daemon.logs("cycle done", cycle="full")
            assert asked(made) == 0

            schedule(made, RARELY, hooks_table(port))
            daemon.daemon.reload()
            eventually(lambda: asked(made) == 1, "the org is asked")
            one = daemon.daemon._served["acme"]
            eventually(lambda: OTHER in one.hooks.org_urls, "its answer counts")
            hook = made.okta.hooks.register(hook_url(made, port), secret=SECRET, events=TICKED)
            eventually(lambda: made.okta.hooks.verify(hook), "it listens")
            made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
            arrives(made, "new@example.com")
            assert set(hook.statuses) == {204}


def asked(made: Rig) -> int:
    return sum(request.path == ORG_PATH for request in list(made.okta.requests))


@dataclass
class Facts:
    """A store of which only the facts are asked."""

    kept: dict[str, str] = field(default_factory=dict)

    def recall(self, key: str) -> str | None:
        return self.kept.get(key)


def test_what_another_org_said_of_itself_is_forgotten_with_its_address() -> None:
    store = cast("Store", Facts({ORG_URLS.key: f"https://acme.okta.com {OTHER}"}))

    assert known_org_urls(store, "https://acme.okta.com/") == ("https://acme.okta.com", OTHER)
    assert known_org_urls(store, "https://new.okta.com") == ("https://new.okta.com",)
    assert known_org_urls(cast("Store", Facts({ORG_URLS.key: " "})), "https://new.okta.com") == (
        "https://new.okta.com",
    )
    assert known_org_urls(None, "https://new.okta.com") == ("https://new.okta.com",)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"_links": "x"},
        {"_links": {"organization": "x", "alternate": {"href": 5}}},
        {"_links": {"organization": {"href": "http://acme.okta.com"}}},
        {"_links": {"organization": {"href": "https://user:word@acme.okta.com"}}},
        {"_links": {"organization": {"href": "https://acme okta"}}},
        {"_links": {"organization": {"href": "https://[acme"}}},
        {"_links": {"organization": {"href": "https://"}}},
    ],
)
def test_what_is_no_address_is_none(body: Any) -> None:
    assert org_urls(body, "https://acme.okta.com") == []


def test_an_org_has_an_address_and_may_have_a_custom_domain() -> None:
    links = {"organization": {"href": "https://Acme.okta.com"}, "alternate": {"href": f"{OTHER}/"}}

    assert org_urls({"_links": links}, "https://acme.okta.com") == ["https://acme.okta.com", OTHER]
