"""Faults: which requests they meet, and what the client sees on the wire."""

import json
import socket
import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from syncd.simulators.faults import Faults
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import OktaWorld, SplitWorld
from tests.service.supervisor import eventually
from tests.simulators.conftest import Client

APP = "/api/v1/apps/0oa1gjh63g214q0Hq0g4"
USERS = f"{APP}/users"


def test_a_rule_fires_from_its_nth_match_for_its_count(reader: Client, okta: OktaSimulator) -> None:
    okta.faults.add("status", status=503, path=r"/users(\?|$)", nth=2, count=2)

    statuses = [reader.get(path).status_code for path in (USERS, APP, USERS, USERS, USERS)]

    assert statuses == [200, 200, 503, 503, 200]
    assert [rule["fired"] for rule in okta.faults.as_json()] == [2]


def test_a_rule_may_fire_for_ever_and_for_one_method(scim: Client, split: SplitSimulator) -> None:
    split.faults.add("status", status=500, method="post", count=-1)

    assert [scim.post("/Users", {"userName": f"u{n}@x.com"}).status_code for n in range(3)] == [500, 500, 500]
    assert scim.get("/Users").status_code == 200
    split.reset_faults()
    assert scim.post("/Users", {"userName": "u@x.com"}).status_code == 201


@pytest.mark.parametrize(
    ("action", "options"),
    [("explode", {}), ("status", {"colour": 1}), ("status", {"status": "500"}), ("act", {}), ("delay", {}),
     ("rate_limit", {"form": "unknown"}), ("drop", {"nth": 0}), ("drop", {"count": 0}), ("drop", {"path": "("})],
)  # fmt: skip
def test_a_rule_that_means_nothing_is_refused(action: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Faults().add(action, **options)


def test_an_error_has_the_body_of_its_product(
    reader: Client, okta: OktaSimulator, scim: Client, split: SplitSimulator
) -> None:
    okta.faults.add("status", status=503)
    split.faults.add("status", status=409, summary="taken")

    okta_answer = reader.get(APP)
    assert okta_answer.json()["errorCode"] == "E0000010"
    assert "X-Rate-Limit-Reset" not in okta_answer.headers
    assert scim.get("/Users").json() == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": "409",
        "detail": "taken",
        "scimType": "uniqueness",
    }


def test_bodies_may_be_empty_html_text_or_broken(reader: Client, okta: OktaSimulator) -> None:
    for action, options in (
        ("empty", {"status": 500}),
        ("empty", {"status": 500, "content_type": "application/json"}),
        ("html", {}),
        ("text", {"status": 401, "body": "Unauthorized"}),
        ("truncated", {}),
    ):
        okta.faults.add(action, **options)

    bare, typed, html, text, truncated = (reader.get(USERS) for _ in range(5))

    assert (bare.status_code, bare.content, bare.headers.get("Content-Type")) == (500, b"", None)
    assert (typed.content, typed.headers["Content-Type"]) == (b"", "application/json; charset=utf-8")
    assert (html.status_code, html.headers["Content-Type"]) == (502, "text/html")
    assert text.text == "Unauthorized"
    assert truncated.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        truncated.json()


def test_a_body_may_end_early(reader: Client, okta: OktaSimulator) -> None:
    okta.faults.add("cut")

    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        reader.get(USERS)


def test_a_dropped_request_took_effect_only_if_it_was_to(
    scim: Client, split: SplitSimulator, split_world: SplitWorld
) -> None:
    split.faults.add("drop", method="POST")
    with pytest.raises(requests.exceptions.ConnectionError):
        scim.post("/Users", {"userName": "before@x.com"})
    assert split_world.by_name.find("before@x.com") == []

    split.faults.add("drop", method="POST", after_effect=True)
    with pytest.raises(requests.exceptions.ConnectionError):
        scim.post("/Users", {"userName": "after@x.com"})
    assert len(split_world.by_name.find("after@x.com")) == 1
    assert [(r.status, r.fault) for r in split.requests] == [(0, "drop"), (0, "drop")]


def test_an_error_may_hide_a_success(scim: Client, split: SplitSimulator, split_world: SplitWorld) -> None:
    split.faults.add("status", status=500, method="POST", after_effect=True)

    assert scim.post("/Users", {"userName": "a@x.com"}).status_code == 500
    assert len(split_world.by_name.find("a@x.com")) == 1


def test_an_answer_may_be_late_with_its_effect_before_or_after(
    scim: Client, split: SplitSimulator, split_world: SplitWorld
) -> None:
    for after in (False, True):
        split.faults.add("delay", seconds=60, method="POST", after_effect=after)

    for name, done in (("waits@x.com", 0), ("done@x.com", 1)):
        with pytest.raises(requests.exceptions.ReadTimeout):
            scim.session.post(f"{split.base_url}/Users", json={"userName": name}, timeout=0.15)
        eventually(lambda done=done, name=name: len(split_world.by_name.find(name)) == done, name)  # type: ignore[misc]


def headers_of(reader: Client, okta: OktaSimulator, form: str, **options: Any) -> Any:
    okta.faults.add("rate_limit", form=form, **options)
    answer = reader.get(USERS)
    assert answer.status_code == 429
    return answer.headers


def test_429_comes_in_all_forms(reader: Client, okta: OktaSimulator) -> None:
    now = time.time()
    reset = int(headers_of(reader, okta, "okta", seconds=5)["X-Rate-Limit-Reset"])
    assert now <= reset <= time.time() + 6
    assert "X-Rate-Limit-Reset" not in headers_of(reader, okta, "no_reset")
    assert int(headers_of(reader, okta, "reset_past")["X-Rate-Limit-Reset"]) < now
    zeros = headers_of(reader, okta, "concurrency")
    assert (zeros["X-Rate-Limit-Limit"], zeros["X-Rate-Limit-Remaining"]) == ("0", "0")
    assert headers_of(reader, okta, "retry_after_seconds", seconds=7)["Retry-After"] == "7"
    date = parsedate_to_datetime(headers_of(reader, okta, "retry_after_date", seconds=60)["Retry-After"])
    assert now + 59 <= date.timestamp() <= time.time() + 61
    assert headers_of(reader, okta, "x_retry_after", seconds=3)["x-retry-after"] == "3"
    split_form = headers_of(reader, okta, "split_reset", org=2, ip=9)
    assert split_form["X-RateLimit-Reset-Seconds-Org"] == "2"
    assert split_form["X-RateLimit-Reset-Seconds-IP"] == "9"
    assert "Retry-After" not in headers_of(reader, okta, "bare")


def test_lists_and_objects_may_change_places(reader: Client, okta: OktaSimulator) -> None:
    okta.faults.add("wrong_type", count=2)

    assert isinstance(reader.get(USERS).json(), dict)
    assert isinstance(reader.get(APP).json(), list)


def test_next_may_lead_elsewhere_or_nowhere(reader: Client, okta: OktaSimulator) -> None:
    okta.faults.add("next_origin", origin="http://127.0.0.1:9")
    okta.faults.add("next_repeats", nth=2)

    away = reader.get(USERS, limit=1).links["next"]["url"]
    same = reader.get(USERS, limit=1).links["next"]["url"]

    assert away.startswith(f"http://127.0.0.1:9{USERS}?")
    assert same == f"{okta.url}{USERS}?limit=1"


def test_a_page_may_come_twice(reader: Client, okta: OktaSimulator) -> None:
    okta.faults.add("repeat_page", path=USERS, nth=2)

    first, second, third = reader.pages(f"{USERS}?limit=1")

    assert first == second
    assert third != first


def test_records_may_be_spoiled_one_by_one(
    reader: Client, okta: OktaSimulator, okta_world: OktaWorld
) -> None:
    before = okta_world.to_fixture()
    okta.faults.add("set_field", field="status", value="BRAND_NEW", index=1)
    okta.faults.add("set_field", field="_embedded.user.status", value="ACTIVATING", nth=2)
    okta.faults.add("remove_field", field="id", nth=3)
    okta.faults.add("omit_record", index=0, nth=4)
    okta.faults.add("omit_record", id=okta_world.user("ben@example.com").id, nth=5)
    okta.faults.add("repeat_record", nth=6)
    okta.faults.add("empty_page", nth=7)

    spoiled = [reader.get(USERS, expand="user").json() for _ in range(7)]

    assert [row["status"] for row in spoiled[0]] == ["ACTIVE", "BRAND_NEW", "ACTIVE"]
    assert spoiled[1][0]["_embedded"]["user"]["status"] == "ACTIVATING"
    assert "id" not in spoiled[2][0]
    assert [len(page) for page in spoiled[3:]] == [2, 2, 4, 0]
    assert okta_world.to_fixture() == before, "only the answers were spoiled"


def test_the_world_may_move_between_two_pages(reader: Client, okta: OktaSimulator) -> None:
    okta.faults.add("act", act="unassign", args={"user": "ben@example.com"}, path="after=")

    pages = reader.pages(f"{USERS}?limit=1")

    assert [row["credentials"] for page in pages for row in page] == [
        {"userName": "ada@example.com"},
        {"userName": "cleo@example.com"},
    ]


def test_a_redirect_and_foreign_headers_can_be_sent(reader: Client, okta: OktaSimulator) -> None:
    okta.faults.add("redirect", location="http://127.0.0.1:9/steal")
    okta.faults.add(
        "headers", set={"Date": "Tue, 10 Sep 2024 01:49:39 GMT"}, remove=["X-Rate-Limit-Limit"], nth=2
    )

    moved, plain = reader.get(APP), reader.get(APP)

    assert (moved.status_code, moved.headers["Location"]) == (307, "http://127.0.0.1:9/steal")
    assert plain.headers["Date"] == "Tue, 10 Sep 2024 01:49:39 GMT"
    assert "X-Rate-Limit-Limit" not in plain.headers


def test_a_body_may_be_endless_or_huge_or_slow_and_stopping_does_not_wait_for_it(
    okta_world: OktaWorld,
) -> None:
    with OktaSimulator(okta_world) as okta:
        okta.faults.add("endless")
        okta.faults.add("oversized", bytes=5_000_000, nth=2)
        okta.faults.add("trickle", seconds=0.02, nth=3)
        client = Client(okta.url, f"SSWS {okta.token}")
        with client.session.get(okta.url + APP, stream=True, timeout=5) as endless:
            read = 0
            for chunk in endless.iter_content(65536):
                read += len(chunk)
                if read > 1_000_000:
                    break
        assert len(client.get(APP).content) > 5_000_000
        assert client.get(APP).json()["id"] == okta_world.app.id
        okta.faults.add("delay", seconds=60)
        waiting = socket.create_connection(("127.0.0.1", int(okta.url.rpartition(":")[2])))
        waiting.sendall(b"GET /api/v1/logs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: okta._running == 1, "the request is there")
        started = time.monotonic()
    waiting.close()

    assert time.monotonic() - started < 30, "half of what it would have waited"


def test_starting_takes_no_time(okta_world: OktaWorld) -> None:
    took = []
    for _ in range(5):
        started = time.monotonic()
        simulator = OktaSimulator(okta_world).start()
        took.append(time.monotonic() - started)
        simulator.stop()
        simulator.stop()

    assert min(took) < 0.5, "a busy machine does not make every one of them late"


def test_a_taken_port_is_an_error(okta: OktaSimulator, okta_world: OktaWorld) -> None:
    with pytest.raises(OSError):
        OktaSimulator(okta_world, port=int(okta.url.rpartition(":")[2])).start()
