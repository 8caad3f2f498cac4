"""Every JSON body in docs/scim.md is what the code sends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.scim.conftest import PATHS, MakeTarget, person
from tests.scim.scripted import Reply, Script, ScriptedServer, Seen, listing

PAGE = Path(__file__).parents[2] / "docs" / "scim.md"


def documented() -> list[Any]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)]


def test_every_body_on_the_page_is_sent(
    serve: Callable[[Script], ScriptedServer], make_target: MakeTarget
) -> None:
    def script(seen: Seen) -> Reply:
        if seen.method == "POST":
            return Reply(201, {"id": "u1", **seen.body})
        return listing([]) if seen.method == "GET" else Reply(204)

    trusted = {f"trusted:combined:{path}": "yes" for path in (*PATHS, "title", "active")}
    forms = {
        "members_add": "path",
        "members_remove": "filter",
        "group_rename": "pathless",
        "shown:members": "yes",
        "silent:users": "yes",
        "silent:groups": "yes",
    }
    server = serve(script)
    target = make_target(server.base_url, learned={**trusted, **forms})
    before = {**person("ann"), "title": "Dr"}
    after = {
        "userName": "bea@example.com",
        "name.givenName": "Bea",
        "emails[work].value": "bea@example.com",
        "title": None,
    }
    target.create_user("00u1", person("ann"))
    target.update_user("u1", {text: before[text] for text in after}, after, person("ann"))
    target.deactivate_user("u1")
    target.create_group("00g1", "Engineering")
    target.rename_group("g1", "Platform")
    target.change_members("g1", add=["u1", "u2"], remove=())
    target.change_members("g1", add=(), remove=["u1", "u2"])

    assert [seen.body for seen in server.seen if seen.method != "GET"] == documented()
