"""The control interface, and the simulators as programs of their own."""

import json
import signal
import threading
from pathlib import Path

import pytest
import requests

from syncd.simulators.faults import ACTIONS
from syncd.simulators.okta import OktaKnobs, OktaSimulator
from syncd.simulators.okta_limits import WORKFORCE
from syncd.simulators.server import build, describe
from syncd.simulators.split import HarnessKnobs, SplitKnobs, SplitSimulator
from syncd.simulators.world import OktaWorld, SplitWorld, generate_okta
from tests.simulators.conftest import Client
from tests.simulators.program import started

DOCS = Path(__file__).parents[2] / "docs" / "simulators.md"


def control(
    simulator: OktaSimulator | SplitSimulator, method: str, what: str, body: object = None
) -> requests.Response:
    return requests.request(method, f"{simulator.url}/_control/{what}", json=body, timeout=10)


def test_acts_change_the_world_one_or_many_at_a_time(okta: OktaSimulator, okta_world: OktaWorld) -> None:
    made = control(
        okta, "POST", "act", {"act": "add_user", "email": "new@example.com", "assign": True}
    ).json()
    control(
        okta,
        "POST",
        "act",
        [
            {"act": "add_member", "group": "Sales", "user": "new@example.com"},
            {"act": "rename_group", "group": "Sales", "name": "Revenue"},
        ],
    )

    assert made["result"] in okta_world.app_users
    assert made["result"] in okta_world.group("Revenue").members


@pytest.mark.parametrize(
    ("body", "told"),
    [({"act": "explode"}, "unknown act"), ({"act": "unassign", "user": "nobody"}, "no user"),
     ({"user": "x"}, "an act is"),
     ({"act": "unassign", "person": "x"}, "unexpected keyword"), ({"act": "to_fixture"}, "unknown act")],
)  # fmt: skip
def test_an_act_that_cannot_be_is_a_400_that_says_why(okta: OktaSimulator, body: object, told: str) -> None:
    answer = control(okta, "POST", "act", body)

    assert answer.status_code == 400
    assert told in answer.json()["error"]


def test_state_is_a_fixture_that_makes_the_same_world(okta: OktaSimulator, split: SplitSimulator) -> None:
    okta_state = control(okta, "GET", "state").json()["world"]
    split_state = control(split, "GET", "state").json()["world"]

    assert OktaWorld.from_fixture(okta_state).to_fixture() == okta_state
    assert SplitWorld.from_fixture(split_state).to_fixture() == split_state


def test_the_request_log_is_without_secrets_and_control_requests(split: SplitSimulator, scim: Client) -> None:
    scim.post("/Users", {"userName": "a@x.com"})
    scim.get("/Users", filter='userName eq "a@x.com"')

    log = control(split, "GET", "requests").json()

    assert [(r["method"], r["path"].partition("?")[0], r["status"]) for r in log] == [
        ("POST", "/scim/v2/Users", 201),
        ("GET", "/scim/v2/Users", 200),
    ]
    assert log[0]["body"] == {"userName": "a@x.com"}
    assert split.token not in json.dumps(log)
    control(split, "POST", "reset-requests")
    assert split.requests == []


def test_faults_and_knobs_are_set_while_it_runs(split: SplitSimulator, scim: Client) -> None:
    control(split, "POST", "faults", [{"action": "status", "status": 503, "count": -1}])
    assert scim.get("/Users").status_code == 503
    assert control(split, "GET", "faults").json()[0]["fired"] == 1
    control(split, "DELETE", "faults")
    assert scim.get("/Users").status_code == 200

    assert control(split, "POST", "knobs", {"patch_204": True}).json()["patch_204"] is True
    assert control(split, "POST", "knobs", {"colour": 1}).status_code == 400
    assert control(split, "POST", "faults", {"action": "explode"}).status_code == 400
    assert control(split, "POST", "act", "{").status_code == 400
    assert control(split, "GET", "nothing").status_code == 404


def test_many_clients_are_served_at_once(okta_world: OktaWorld) -> None:
    with SplitSimulator(SplitWorld()) as split:
        failures: list[int] = []

        def create(start: int) -> None:
            client = Client(split.base_url, f"Bearer {split.token}")
            answers = [client.post("/Users", {"userName": f"u{n}@x.com"}) for n in range(start, start + 25)]
            failures.extend(a.status_code for a in answers if a.status_code != 201)
            client.session.close()

        threads = [threading.Thread(target=create, args=(n * 25,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert failures == []
        assert len(split.world.users) == 200
        assert len(split.requests) == 200


def test_ten_thousand_people_are_read_in_seconds() -> None:
    world = generate_okta(users=10_000, groups=50, seed=1)
    with OktaSimulator(world, knobs=OktaKnobs(limits=WORKFORCE, gzip=False)) as okta:
        client = Client(okta.url, f"SSWS {okta.token}")
        pages = client.pages(f"/api/v1/apps/{world.app.id}/users?limit=500&expand=user")

    took = okta.requests[-1].ended - okta.requests[0].started
    assert sum(len(page) for page in pages) == len(world.app_users)
    assert took < 10


def test_without_a_fixture_the_worlds_are_those_of_the_documentation() -> None:
    okta, split = build("okta"), build("split", flavor="split")

    assert isinstance(okta, OktaSimulator)
    assert len(okta.world.users) == 250
    assert len([g for g in okta.world.groups.values() if g.type == "OKTA_GROUP"]) == 12
    assert isinstance(split, SplitSimulator)
    assert {group.name for group in split.world.groups.values()} == {"Administrators", "Release Managers"}
    with pytest.raises(ValueError, match="okta or split"):
        build("other")


def test_a_fixture_that_is_not_one_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")

    with pytest.raises(ValueError, match=r"broken\.json is not JSON"):
        build("okta", fixture=str(broken))


def test_a_simulator_tells_how_to_use_it(okta: OktaSimulator) -> None:
    text = describe(okta)

    for part in (okta.url, okta.token, okta.world.app.id, "/_control/act"):
        assert part in text


@pytest.mark.parametrize("kind", ["okta", "split"])
def test_a_simulator_runs_as_a_program_until_it_is_told_to_stop(kind: str, tmp_path: Path) -> None:
    world = generate_okta(users=3, groups=1, seed=1) if kind == "okta" else SplitWorld()
    fixture = tmp_path / "fixture.json"
    fixture.write_text(json.dumps(world.to_fixture()))
    with started(kind, fixture, "tok") as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(4)]
        url = lines[1].split()[1].removesuffix("/scim/v2")
        state = requests.get(f"{url}/_control/state", timeout=10).json()
        program.send_signal(signal.SIGTERM)
        code = program.wait(timeout=10)

    assert state["world"] == world.to_fixture()
    assert any(line.split()[-1] == "tok" for line in lines)
    assert code == 0


def test_every_act_fault_and_knob_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    knobs = [*OktaKnobs.__slots__, *SplitKnobs.__slots__, *HarnessKnobs.__slots__]
    names = [*OktaWorld.ACTS, *SplitWorld.ACTS, *ACTIONS, *knobs]

    assert [name for name in names if f"`{name}`" not in text] == []
