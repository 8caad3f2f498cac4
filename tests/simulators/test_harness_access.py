"""Harness's SCIM server: where it is, who may ask, what its errors look like, what it says of itself."""

from __future__ import annotations

import pytest

from syncd.simulators.split import SplitSimulator
from tests.simulators.conftest import ADA, Client, is_platform_error, is_scim_error, values

NOBODY = "nobody"
ONE = ("GET", "PUT", "PATCH", "DELETE")
OFF = {"op": "replace", "value": {"active": False}}


def test_it_is_served_where_harness_has_it_and_where_the_simulator_has_every_flavor(
    harness: SplitSimulator, ada: str
) -> None:
    for base in (harness.base_url, f"{harness.url}/gateway/ng/api/scim/account/AnY-account_1"):
        client = Client(base, f"Bearer {harness.token}")
        assert client.get(f"/Users/{ada}").json()["userName"] == "ada@x.com"
        assert client.get("/Groups").status_code == 200
    for base in (harness.url, f"{harness.url}/gateway/ng/api/scim/account", f"{harness.url}/scim/v3"):
        assert is_platform_error(
            Client(base, f"Bearer {harness.token}").get("/Users"), 404, "RESOURCE_NOT_FOUND"
        )


@pytest.mark.parametrize(
    ("header", "status"), [("Bearer wrong", 401), ("{token}", 401), ("ApiKey {token}", 401), ("Bearer ", 401)]
)
def test_only_a_bearer_key_that_is_valid_is_let_in(harness: SplitSimulator, header: str, status: int) -> None:
    stranger = Client(harness.base_url, header.format(token=harness.token))

    assert is_platform_error(stranger.get("/Users"), status, "INVALID_TOKEN")


def test_the_header_x_api_key_is_not_read_and_no_header_is_a_null_pointer(
    harness: SplitSimulator, account: Client
) -> None:
    del account.session.headers["Authorization"]
    account.session.headers["x-api-key"] = harness.token

    assert account.get("/Users").status_code == 500
    harness.set_knobs(gateway_authenticates=True)
    assert account.get("/Users").status_code == 401


def test_a_key_ends_when_it_was_to_end_and_not_after_a_year(harness: SplitSimulator, account: Client) -> None:
    assert harness.world.token_expires is None

    harness.world.expire_token()

    assert is_platform_error(account.get("/Users"), 401, "EXPIRED_TOKEN")
    again = Client(harness.base_url, f"Bearer {harness.world.regenerate_token()}")
    assert again.get("/Users").status_code == 200


@pytest.mark.parametrize(
    "media", ["application/scim+json", "application/json", "application/json; charset=utf-8"]
)
def test_both_media_types_are_read(account: Client, media: str) -> None:
    account.session.headers["Content-Type"] = media

    answer = account.send("POST", "/Users", data='{"userName": "x@x.com", "nobodyKnows": {"this": 1}}')

    assert answer.status_code == 201


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_no_other_media_type_is_read(account: Client, ada: str, method: str) -> None:
    account.session.headers["Content-Type"] = "text/plain"

    assert (
        account.send(method, "/Users" if method == "POST" else f"/Users/{ada}", data="{}").status_code == 415
    )


@pytest.mark.parametrize("right", ["user_view", "user_manage", "group_view", "group_manage"])
def test_a_right_that_is_missing_is_a_403_of_the_platform(
    harness: SplitSimulator, account: Client, ada: str, right: str
) -> None:
    harness.set_knobs(missing_rights=[right])

    for kind, one in (("user", f"/Users/{ada}"), ("group", "/Groups/Team")):
        every = one.rpartition("/")[0]
        for method, path in (("GET", every), ("POST", every), *((m, one) for m in ONE)):
            answer = account.send(method, path, data="[")
            needed = f"{kind}_{'view' if method == 'GET' else 'manage'}"
            assert (answer.status_code == 403) is (needed == right), (method, path)
            assert answer.status_code != 403 or is_platform_error(answer, 403, "NG_ACCESS_DENIED")


def test_without_the_right_to_invite_a_new_person_is_a_409_and_everybody_else_is_written(
    harness: SplitSimulator, account: Client, ada: str
) -> None:
    harness.set_knobs(missing_rights=["user_invite"])

    assert is_scim_error(account.post("/Users", {"userName": "new@x.com"}), 409)
    assert account.post("/Users", ADA).status_code == 201
    assert account.put(f"/Users/{ada}", ADA).status_code == 200


def test_what_the_resources_catch_is_a_scim_error_with_the_number_404(account: Client, ada: str) -> None:
    account.post("/Groups", {"displayName": "Team"})
    caught = [
        (account.post("/Users", {"userName": ""}), 409),
        (account.get(f"/Users/{NOBODY}"), 404),
        (account.put(f"/Users/{ada}", {**ADA, "displayName": "a<b"}), 404),
        (account.post("/Groups", {"displayName": " "}), 409),
        (account.get(f"/Groups/{NOBODY}"), 404),
        (account.put("/Groups/Team", {"displayName": " "}), 412),
    ]

    assert all(is_scim_error(answer, status) for answer, status in caught)


def test_what_nobody_catches_is_an_error_of_the_platform(account: Client) -> None:
    account.post("/Groups", {"displayName": "Team"})
    uncaught = [
        (account.patch(f"/Users/{NOBODY}", OFF), 400, "INVALID_REQUEST"),
        (account.patch("/Groups/Team", {"op": "replace", "path": "displayName", "value": "x"}), 400, "INVALID_REQUEST"),
        (account.delete(f"/Users/{NOBODY}"), 400, "INVALID_REQUEST"),
        (account.delete(f"/Groups/{NOBODY}"), 401, "INVALID_TOKEN"),
        (account.patch("/Groups/Team", {"op": "move", "path": "members"}), 400, "INVALID_REQUEST"),
        (account.send("POST", "/Groups", data="{"), 400, "INVALID_REQUEST"),
        (account.send("POST", "/Users", data="[]"), 400, "INVALID_REQUEST"),
        (account.post("/Groups", {"displayName": "New", "members": "all"}), 400, "INVALID_REQUEST"),
    ]  # fmt: skip

    assert all(is_platform_error(answer, status, code) for answer, status, code in uncaught)
    said = [answer.json() for answer, _, _ in uncaught[:2]]
    assert said[0]["message"] == "Invalid request: User does not exist"
    assert said[0]["correlationId"] != said[1]["correlationId"]


def test_some_404s_have_no_body(harness: SplitSimulator, account: Client) -> None:
    harness.world.leave_invite("left@x.com")
    for answer in (
        account.put(f"/Groups/{NOBODY}", {"displayName": "x"}),
        account.patch(f"/Groups/{NOBODY}", {"op": "add", "path": "members", "value": values("x")}),
        account.put(f"/Users/{NOBODY}", ADA),
        account.post("/Users", {"userName": "Left@x.com"}),
    ):
        assert (answer.status_code, answer.content) == (404, b"")


def test_faults_have_the_bodies_of_harness_too(harness: SplitSimulator, account: Client) -> None:
    for status, is_one in ((503, is_platform_error), (409, None)):
        harness.faults.add("status", status=status)
        answer = account.get("/Users")
        assert is_one(answer, 503, "UNKNOWN_ERROR") if is_one else is_scim_error(answer, 409)


def test_discovery_is_static_and_behind_the_key(harness: SplitSimulator, account: Client) -> None:
    config = account.get("/ServiceProviderConfig").json()

    assert config["patch"] == {"supported": True}
    assert (config["filter"]["supported"], config["filter"]["maxResults"]) == (True, 1000)
    assert not any(config[name]["supported"] for name in ("bulk", "sort", "etag", "changePassword"))
    assert "scimAuthenticationSchemes" in config
    assert "schemas" not in config
    assert [kind["name"] for kind in account.get("/ResourceTypes").json()["Resources"]] == ["User", "Group"]
    assert account.get("/Schemas").json()["totalResults"] == 2
    stranger = Client(harness.base_url, "Bearer wrong")
    for name in ("ServiceProviderConfig", "ResourceTypes", "Schemas"):
        assert stranger.get(f"/{name}").status_code == 401
    assert account.post("/Schemas", {}).status_code == 404


def test_other_methods_are_refused(account: Client, ada: str) -> None:
    assert account.delete("/Users").status_code == 405
    assert account.post(f"/Users/{ada}", {}).status_code == 405
    assert account.put("/Groups", {}).status_code == 405


def test_the_knobs_of_speed_count_here_too_and_no_others_of_split(
    harness: SplitSimulator, account: Client
) -> None:
    assert harness.set_knobs(requests_per_second=1, generation="2023")["generation"] == "2023"
    assert 429 in [account.get("/Users").status_code for _ in range(4)]
    for wrong in ({"trim": True}, {"generation": "2022"}, {"missing_rights": ["all"]}, {"swallowed": ["x"]}):
        with pytest.raises(ValueError, match=r"knobs|generation|missing_rights|swallowed"):
            harness.set_knobs(**wrong)
