"""`/Users` of the simulated Split: the documented rules, then the peculiarities."""

import json

import pytest

from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import SplitWorld
from tests.simulators.conftest import Client

ADA = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName": "Ada@example.com",
    "externalId": "00uada",
    "name": {"givenName": "Ada", "familyName": "Test"},
    "displayName": "Ada Test",
    "emails": [{"value": "Ada@example.com", "type": "work", "primary": True}],
    "active": True,
}


@pytest.fixture
def ada(scim: Client) -> str:
    return scim.hire(ADA)


def search(scim: Client, text: str) -> list[str]:
    answer = scim.get("/Users", filter=text)
    assert answer.status_code == 200, answer.text
    return [user["userName"] for user in answer.json()["Resources"]]


def test_a_created_user_is_found_where_its_location_says(scim: Client, split: SplitSimulator) -> None:
    created = scim.post("/Users", ADA)

    body = created.json()
    assert created.headers["Content-Type"].startswith("application/scim+json")
    assert created.headers["Location"] == f"{split.base_url}/Users/{body['id']}"
    assert scim.get(created.headers["Location"]).json() == body
    assert {key: body[key] for key in ADA} == ADA
    assert body["meta"]["resourceType"] == "User"


def test_the_same_name_again_is_a_conflict_but_another_case_is_another_person(scim: Client, ada: str) -> None:
    again = scim.post("/Users", ADA)
    other = scim.post("/Users", {**ADA, "userName": "ada@example.com"})

    assert (again.status_code, again.json()["scimType"], again.json()["status"]) == (409, "uniqueness", "409")
    assert other.status_code == 201


def test_users_are_found_by_exact_name_external_id_and_id(scim: Client, ada: str) -> None:
    assert search(scim, 'userName eq "Ada@example.com"') == ["Ada@example.com"]
    assert search(scim, 'userName eq "ada@example.com"') == []
    assert search(scim, 'externalId eq "00uada"') == ["Ada@example.com"]
    assert search(scim, f'id eq "{ada}"') == ["Ada@example.com"]
    assert search(scim, 'displayName eq "ada test" and active eq true') == ["Ada@example.com"]


def test_strings_in_filters_are_json_strings(scim: Client) -> None:
    name = 'a"b\\c+d@example.com'
    scim.post("/Users", {"userName": name})

    assert search(scim, f"userName eq {json.dumps(name)}") == [name]
    assert scim.get("/Users", filter='userName eq "open').status_code == 400


def test_a_listing_pages_by_index(scim: Client) -> None:
    for number in range(5):
        scim.post("/Users", {"userName": f"u{number}@x.com"})

    first = scim.get("/Users", startIndex=1, count=4).json()
    second = scim.get("/Users", startIndex=5, count=4).json()

    assert (first["totalResults"], first["itemsPerPage"], second["itemsPerPage"]) == (6, 4, 2)
    assert len({user["id"] for user in first["Resources"] + second["Resources"]}) == 6
    assert scim.get("/Users", startIndex=7, count=4).json()["Resources"] == []
    assert scim.get("/Users", count="many").status_code == 400


def test_put_replaces_and_keeps_active_when_it_is_not_sent(scim: Client, ada: str) -> None:
    scim.put(f"/Users/{ada}", {**ADA, "active": False})
    replaced = scim.put(f"/Users/{ada}", {"userName": "Ada@example.com", "title": "Countess"}).json()

    assert replaced["active"] is False
    assert replaced["title"] == "Countess"
    assert "displayName" not in replaced


def test_okta_deactivates_by_a_patch_without_a_path(scim: Client, ada: str) -> None:
    answer = scim.patch(f"/Users/{ada}", {"op": "replace", "value": {"active": False}})

    assert answer.status_code == 200
    assert answer.json()["active"] is False
    assert scim.get(f"/Users/{ada}").json()["name"] == ADA["name"]


def test_patch_knows_the_paths_of_the_rfc(scim: Client, ada: str) -> None:
    answer = scim.patch(
        f"/Users/{ada}",
        {"op": "Replace", "path": "name.givenName", "value": "Augusta"},
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "augusta@example.com"},
        {"op": "add", "path": "emails", "value": [{"value": "home@example.com", "type": "home"}]},
        {"op": "remove", "path": "displayName"},
        {"op": "replace", "value": {"name.familyName": "King", "id": "ignored"}},
    )

    body = answer.json()
    assert body["name"] == {"givenName": "Augusta", "familyName": "King"}
    assert [email["value"] for email in body["emails"]] == ["augusta@example.com", "home@example.com"]
    assert "displayName" not in body
    assert body["id"] == ada


@pytest.mark.parametrize(
    "operation",
    [{"op": "move", "path": "x"}, {"op": "remove"}, {"op": "replace", "path": "id", "value": "x"},
     {"op": "replace", "path": 'emails[type eq "none"].value', "value": "x"}, {"op": "replace", "value": "x"},
     {"op": "replace", "path": "active", "value": "yes"}, {"op": "remove", "path": "userName"}],
)  # fmt: skip
def test_a_patch_that_cannot_be_is_refused_and_changes_nothing(
    scim: Client, ada: str, operation: dict[str, object]
) -> None:
    before = scim.get(f"/Users/{ada}").json()

    answer = scim.patch(f"/Users/{ada}", {"op": "replace", "path": "title", "value": "x"}, operation)

    assert answer.status_code == 400
    assert scim.get(f"/Users/{ada}").json() == before


@pytest.mark.parametrize(
    "body", [{}, {"userName": ""}, {"userName": "a", "active": "yes"}, {"userName": "a", "name": 1}, []]
)
def test_a_user_without_the_essentials_is_refused(scim: Client, body: object) -> None:
    answer = scim.post("/Users", body)

    assert answer.status_code == 400
    assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


def test_a_taken_name_cannot_be_moved_to(scim: Client, ada: str) -> None:
    ben = scim.post("/Users", {"userName": "ben@example.com"}).json()["id"]

    answer = scim.patch(f"/Users/{ben}", {"op": "replace", "value": {"userName": "Ada@example.com"}})

    assert answer.status_code == 409
    assert scim.get(f"/Users/{ben}").json()["userName"] == "ben@example.com"


def test_a_deleted_user_is_gone_with_its_memberships(scim: Client, ada: str, split_world: SplitWorld) -> None:
    split_world.add_member("Release Managers", ada)

    assert scim.delete(f"/Users/{ada}").status_code == 204
    assert scim.delete(f"/Users/{ada}").status_code == 404
    assert split_world.members("Release Managers") == ["admin@example.com"]


def test_the_last_administrator_cannot_be_deactivated_or_deleted(
    scim: Client, split_world: SplitWorld
) -> None:
    admin = split_world.user("admin@example.com").id

    for answer in (
        scim.patch(f"/Users/{admin}", {"op": "replace", "value": {"active": False}}),
        scim.put(f"/Users/{admin}", {"userName": "admin@example.com", "active": False}),
        scim.delete(f"/Users/{admin}"),
    ):
        assert answer.status_code == 400
        assert "at least one member" in answer.json()["detail"]

    second = scim.post("/Users", ADA).json()["id"]
    split_world.add_member("Administrators", second)
    assert scim.delete(f"/Users/{admin}").status_code == 204


# --- knobs ------------------------------------------------------------------------------------------


def test_a_server_may_know_only_put_or_only_patch(scim: Client, split: SplitSimulator, ada: str) -> None:
    split.set_knobs(patch_users=False)
    assert scim.patch(f"/Users/{ada}", {"op": "replace", "value": {"active": False}}).status_code == 405

    split.set_knobs(patch_users=True, put=False)
    assert scim.put(f"/Users/{ada}", ADA).status_code == 405


def test_a_patch_may_answer_nothing(scim: Client, split: SplitSimulator, ada: str) -> None:
    split.set_knobs(patch_204=True)

    answer = scim.patch(f"/Users/{ada}", {"op": "replace", "value": {"active": False}})

    assert (answer.status_code, answer.content) == (204, b"")
    assert scim.get(f"/Users/{ada}").json()["active"] is False


def test_a_patch_without_a_path_may_be_ignored(scim: Client, split: SplitSimulator, ada: str) -> None:
    split.set_knobs(pathless_ignored=True)

    assert scim.patch(f"/Users/{ada}", {"op": "replace", "value": {"active": False}}).status_code == 200
    assert scim.get(f"/Users/{ada}").json()["active"] is True


@pytest.mark.parametrize(
    ("mode", "status", "found"),
    [("ignored", 200, 2), ("no_match_404", 404, None), ("unsupported_404", 404, None), ("unsupported_400", 400, None),
     ("unsupported_501", 501, None), ("works", 200, 0)],
)  # fmt: skip
def test_a_search_for_nobody_has_many_answers(
    scim: Client, split: SplitSimulator, ada: str, mode: str, status: int, found: int | None
) -> None:
    split.set_knobs(filter_mode=mode)

    answer = scim.get("/Users", filter='userName eq "nobody@example.com"')

    assert answer.status_code == status
    assert answer.json().get("totalResults") == found


def test_eq_may_be_a_pattern_or_blind_for_external_ids(scim: Client, split: SplitSimulator, ada: str) -> None:
    scim.post("/Users", {"userName": "Ada@exampleXcom"})
    split.set_knobs(filter_regex=True)
    assert len(search(scim, 'userName eq "Ada@example.com"')) == 2

    split.set_knobs(filter_regex=False, filter_external_id=False)
    assert search(scim, 'externalId eq "00uada"') == []


def test_case_may_not_matter(scim: Client, split: SplitSimulator, ada: str) -> None:
    split.set_knobs(case_sensitive=False)

    assert search(scim, 'userName eq "ADA@example.com"') == ["Ada@example.com"]
    assert scim.post("/Users", {**ADA, "userName": "ada@EXAMPLE.com"}).status_code == 409


@pytest.mark.parametrize(("folding", "found", "status"), [("casefold", 1, 409), ("lower", 0, 201)])
def test_where_case_does_not_matter_a_sharp_s_may_be_two_or_not(
    scim: Client, split: SplitSimulator, folding: str, found: int, status: int
) -> None:
    split.set_knobs(case_sensitive=False, case_folding=folding)
    scim.post("/Users", {**ADA, "userName": "Straße@example.com"})

    assert len(search(scim, 'userName eq "straße@example.com"')) == 1
    assert len(search(scim, 'userName eq "strasse@example.com"')) == found
    assert scim.post("/Users", {**ADA, "userName": "strasse@example.com"}).status_code == status


def test_a_duplicate_may_be_a_500_a_bare_409_or_a_twin(scim: Client, split: SplitSimulator, ada: str) -> None:
    split.set_knobs(conflict_status=500)
    assert scim.post("/Users", ADA).status_code == 500

    split.set_knobs(conflict_status=409, conflict_scim_type=False, status_as_int=True)
    bare = scim.post("/Users", ADA).json()
    assert (bare.get("scimType"), bare["status"]) == (None, 409)

    split.set_knobs(duplicates="twin")
    assert scim.post("/Users", ADA).status_code == 201
    assert len(search(scim, 'userName eq "Ada@example.com"')) == 2


def test_paging_may_be_capped_ignored_and_miscounted(scim: Client, split: SplitSimulator) -> None:
    for number in range(30):
        scim.post("/Users", {"userName": f"u{number}@x.com"})

    def page(**knobs: object) -> tuple[int, int, str]:
        split.set_knobs(**knobs)
        body = scim.get("/Users", startIndex=11, count=100).json()
        return body["totalResults"], len(body["Resources"]), body["Resources"][0]["userName"]

    assert page(max_count=5) == (31, 5, "u9@x.com")
    assert page(max_count=0, ignore_paging=True) == (31, 20, "admin@example.com")
    assert page(ignore_paging=False, total_is_page_length=True) == (21, 21, "u9@x.com")
    assert page(total_is_page_length=False, total_cap=25) == (25, 21, "u9@x.com")


def test_a_listing_may_page_by_cursor(scim: Client, split: SplitSimulator) -> None:
    for number in range(4):
        scim.post("/Users", {"userName": f"u{number}@x.com"})
    split.set_knobs(cursor_paging=True)

    first = scim.get("/Users", cursor="", count=3).json()
    second = scim.get("/Users", cursor=first["nextCursor"], count=3).json()

    assert [len(first["Resources"]), len(second["Resources"])] == [3, 2]
    assert "nextCursor" not in second
    assert scim.get("/Users", cursor="made-up").json()["scimType"] == "invalidCursor"


def test_a_put_without_active_may_enable(scim: Client, split: SplitSimulator, ada: str) -> None:
    scim.put(f"/Users/{ada}", {**ADA, "active": False})
    split.set_knobs(put_without_active_enables=True)

    assert scim.put(f"/Users/{ada}", {"userName": "Ada@example.com"}).json()["active"] is True


def test_external_ids_may_be_dropped(scim: Client, split: SplitSimulator) -> None:
    split.set_knobs(keep_user_external_id=False)

    assert "externalId" not in scim.post("/Users", ADA).json()


def test_etags_guard_writes_where_they_are_on(scim: Client, split: SplitSimulator, ada: str) -> None:
    split.set_knobs(etag=True)
    current = scim.get(f"/Users/{ada}")
    assert current.headers["ETag"] == current.json()["meta"]["version"] == '"1"'

    fresh = scim.send("PUT", f"/Users/{ada}", json={**ADA, "title": "x"}, headers={"If-Match": '"1"'})
    stale = scim.send("PUT", f"/Users/{ada}", json={**ADA, "title": "y"}, headers={"If-Match": '"1"'})

    assert (fresh.status_code, stale.status_code) == (200, 412)


def test_locations_may_be_anything(scim: Client, split: SplitSimulator) -> None:
    shown = []
    for number, style in enumerate(("relative", "missing", "wrong")):
        split.set_knobs(location=style)
        shown.append(scim.post("/Users", {"userName": f"u{number}@x.com"}).headers.get("Location"))

    assert shown[0] is not None
    assert shown[0].startswith("/scim/v2/Users/")
    assert shown[1:] == [None, f"{split.base_url}/Users"]
