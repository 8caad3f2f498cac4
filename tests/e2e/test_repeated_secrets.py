"""Good answers that hold our secrets, where syncd reads its data: nothing of it is kept, sent on or decided by."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.echoing import SPELLINGS, Echo, Reply, echoing, leaks, proxy_url
from tests.e2e.rig import OKTA_TOKEN, SPLIT_TOKEN, Rig, rig

SECRETS = {"the Okta token": OKTA_TOKEN, "the Split token": SPLIT_TOKEN}


@pytest.fixture
def echo() -> Iterator[Echo]:
    with echoing() as made:
        yield made


@pytest.fixture
def made(tmp_path: Path, echo: Echo, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    with rig(tmp_path, users=12, groups=3) as each:
        monkeypatch.setenv("E2E_PROXY", proxy_url(echo.port))
        proxy = 'proxy = { env = "E2E_PROXY" }'
        each.write_config(okta=proxy, split=proxy)
        yield each


def alteration(
    method: str, end: str, change: Callable[[Any], object], times: int = 1_000_000
) -> Callable[[str, str, Reply], Reply]:
    """Of good answers to `method` of paths that end so; "...-SECRET" in them becomes the secret, escaped."""
    left = count(times, -1)

    def alters(asked: str, path: str, reply: Reply) -> Reply:
        if (
            asked != method
            or not path.partition("?")[0].endswith(end)
            or reply.status > 299
            or next(left) <= 0
        ):
            return reply
        document = json.loads(reply.body)
        change(document)
        text = json.dumps(document)
        for name, secret in (("OKTA-SECRET", OKTA_TOKEN), ("SPLIT-SECRET", SPLIT_TOKEN)):
            text = text.replace(name, SPELLINGS["JSON escapes"](secret))
        return Reply(reply.status, text.encode(), reply.headers, reply.reason)

    return alters


def assert_nothing_has_them(made: Rig) -> None:
    commands: list[tuple[str, ...]] = [
        ("plan", "-o", "plan.json"),
        ("report", "--format", "json", "-o", "r.json"),
    ]
    commands += [("status",), ("status", "--json"), ("drift", "--json"), ("audit", "export"), ("groups",)]
    for command in commands:
        made.run(
            *(str(made.folder / word) if word.endswith(".json") else word for word in command), code=None
        )
    files = {path.name: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}
    said = {f"output {number}": text for number, text in enumerate(made.said)}
    sent = {f"request {r.method} {r.path}": f"{r.path} {r.body!r}" for r in made.split.requests}
    everything: dict[str, str | bytes] = {**files, **said, **sent}
    found = {place: names for place, data in everything.items() if (names := leaks(data, SECRETS))}
    assert found == {}


def wrong_id(document: Any) -> None:
    document["id"] = "SPLIT-SECRET"


def wrong_id_inside(document: Any) -> None:
    document["id"] = f"u-{SPLIT_TOKEN}"


def wrong_names(document: Any) -> None:
    document |= {
        "userName": f"{SPLIT_TOKEN}@example.com",
        "externalId": SPLIT_TOKEN,
        "displayName": OKTA_TOKEN,
    }


@pytest.mark.parametrize("change", [wrong_id, wrong_id_inside, wrong_names])
@pytest.mark.parametrize("end", ["/Users", "/Groups"])
def test_what_split_made_is_found_though_its_answer_holds_a_secret_where_the_id_or_the_name_is(
    made: Rig, echo: Echo, end: str, change: Callable[[Any], None]
) -> None:
    echo.alters = alteration("POST", end, change, times=1)
    made.sync(code=None)
    made.sync(code=None)
    made.assert_exact()
    assert_nothing_has_them(made)


def test_a_server_that_shows_a_secret_where_nobody_reads_goes_on_being_used(made: Rig, echo: Echo) -> None:
    echo.alters = alteration(
        "POST", "/Users", lambda document: document.update(debug={"authorization": SPLIT_TOKEN})
    )
    made.sync()
    made.assert_exact()
    assert_nothing_has_them(made)


def test_a_list_of_split_with_a_secret_where_ids_and_names_are_is_not_believed_to_be_whole(
    made: Rig, echo: Echo
) -> None:
    made.sync()

    def change(document: Any) -> None:
        document["Resources"][0]["userName"] = f"{SPLIT_TOKEN}@example.com"
        document["Resources"][1]["id"] = "SPLIT-SECRET"

    echo.alters = alteration("GET", "/Users", change)
    made.forget()
    made.run("drift", "--json", "--fix", "--yes", code=None)
    assert made.writes() == []
    assert_nothing_has_them(made)


def people_of(document: Any) -> Any:
    return sorted(document, key=lambda record: record["id"])


def test_who_has_a_secret_in_the_profile_is_left_out_and_nobody_else(made: Rig, echo: Echo) -> None:
    def change(document: Any) -> None:
        first, second, third = people_of(document)[:3]
        first["profile"]["givenName"] = OKTA_TOKEN
        second["profile"]["familyName"] = "SPLIT-SECRET"
        third["status"] = "OKTA-SECRET"

    echo.alters = alteration("GET", "/users", change)
    made.sync(code=None)
    left = made.run("status", "--json", code=None).document["left_out"]
    assert str(left).count("repeats a secret of this connection") == 3
    assert len(made.actual_people()) == len(made.wanted_people()) - 3
    assert_nothing_has_them(made)
    echo.alters = lambda _method, _path, reply: reply
    made.sync()
    made.assert_exact()


def test_who_is_there_already_stays_when_a_secret_stands_in_the_profile_or_in_the_group(
    made: Rig, echo: Echo
) -> None:
    made.sync()
    made.forget()

    def change(document: Any) -> None:
        for record in document:
            record["profile"]["description" if "type" in record else "givenName"] = OKTA_TOKEN

    users, groups = alteration("GET", "/users", change), alteration("GET", "/groups", change)
    echo.alters = lambda method, path, reply: users(method, path, groups(method, path, reply))
    made.sync("--full", code=None)
    assert made.writes() == []
    assert_nothing_has_them(made)


def test_an_id_with_a_secret_makes_the_list_incomplete(made: Rig, echo: Echo) -> None:
    made.sync()
    made.forget()
    echo.alters = alteration("GET", "/users", lambda document: document[0].update(id="OKTA-SECRET"))
    made.sync("--full", code=None)
    assert [write for write in made.writes() if "DELETE" in write] == []
    assert_nothing_has_them(made)


def test_a_token_that_is_a_word_of_our_own_documents_breaks_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.e2e.rig.SPLIT_TOKEN", "active_users")
    monkeypatch.setattr(Rig, "assert_no_secret", lambda _made: None)
    with rig(tmp_path, users=6, groups=2) as each:
        each.sync()
        for form in ("text", "html", "md", "csv", "json"):
            each.run("report", "--format", form)
        assert '"active_users"' in each.run("report", "--format", "json").stdout
