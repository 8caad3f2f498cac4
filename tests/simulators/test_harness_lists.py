"""Harness's lists: pages, totals, and filters that are cut with scissors."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from syncd.simulators.split import SplitSimulator
from tests.simulators.conftest import ADA, Client, is_scim_error


def names(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [record.get("userName") or record["displayName"] for record in answer.json()["Resources"]]


def found(account: Client, kind: str, text: str) -> list[str]:
    return names(account.get(f"/{kind}", filter=text))


@pytest.fixture
def many(account: Client) -> list[str]:
    for number in range(25):
        account.post("/Users", {"userName": f"u{number:02}@x.com"})
        account.post("/Groups", {"displayName": f"G {number:02}"})
    return [f"u{number:02}@x.com" for number in range(25)]


@pytest.mark.parametrize(
    ("query", "first", "length", "echoed"),
    [
        ({}, 0, 20, (0, 20)),
        ({"startIndex": 0}, 0, 20, (0, 20)),
        ({"startIndex": 1}, 0, 20, (1, 20)),
        ({"startIndex": 21}, 20, 5, (21, 20)),
        ({"startIndex": 26}, 25, 0, (26, 20)),
        ({"count": 3}, 0, 3, (0, 3)),
        ({"startIndex": 2, "count": 3}, 1, 3, (2, 3)),
        ({"count": 0}, 0, 25, (0, 0)),
        ({"count": 100000}, 0, 25, (0, 100000)),
    ],
)
def test_a_page_is_what_was_asked_for_and_the_total_is_its_length(
    account: Client, many: list[str], query: dict[str, int], first: int, length: int, echoed: tuple[int, int]
) -> None:
    for kind in ("Users", "Groups"):
        answer = account.get(f"/{kind}", **query)
        body = answer.json()
        assert (body["startIndex"], body["itemsPerPage"]) == echoed
        assert body["totalResults"] == len(body["Resources"]) == length
    assert names(account.get("/Users", **query)) == many[first : first + length]


def test_the_total_may_be_the_true_one_and_count_zero_an_empty_page(
    harness: SplitSimulator, account: Client, many: list[str]
) -> None:
    harness.set_knobs(page_length_totals=False, count_zero_is_all=False)

    assert account.get("/Users", count=3).json()["totalResults"] == 25
    assert names(account.get("/Users", count=0)) == []


@pytest.mark.parametrize("query", [{"count": "many"}, {"startIndex": "one"}, {"count": ""}])
def test_a_number_that_is_none_is_a_404(account: Client, query: dict[str, str]) -> None:
    assert account.get("/Users", **query).status_code == 404
    assert account.get("/Groups", **query).status_code == 404


def test_negative_numbers_are_caught(account: Client) -> None:
    assert is_scim_error(account.get("/Users", count=-1), 404)
    assert is_scim_error(account.get("/Groups", startIndex=-1), 404)


def test_projections_and_sorting_are_ignored_and_members_always_there(
    account: Client, people: list[str]
) -> None:
    account.post("/Groups", {"displayName": "Team", "members": [{"value": people[0]}]})

    for query in (
        {"excludedAttributes": "members"},
        {"attributes": "displayName"},
        {"sortBy": "displayName"},
    ):
        assert len(account.get("/Groups", **query).json()["Resources"][0]["members"]) == 1


def test_the_page_is_cut_first_and_then_people_are_taken_out_who_are_not_in_the_account(
    harness: SplitSimulator, account: Client, people: list[str]
) -> None:
    harness.world.half_remove_user("a@x.com")

    empty = account.get("/Users", startIndex=1, count=1).json()

    assert (empty["Resources"], empty["totalResults"]) == ([], 0)
    assert names(account.get("/Users", startIndex=2, count=2)) == ["b@x.com", "c@x.com"]
    assert found(account, "Users", 'userName eq "a@x.com"') == []


def test_only_people_whom_scim_imported_are_listed_or_found_and_by_id_everybody(
    harness: SplitSimulator, account: Client, people: list[str]
) -> None:
    local = harness.world.create_local_user("local@x.com", "Lo", "Cal")

    assert names(account.get("/Users")) == ["a@x.com", "b@x.com", "c@x.com"]
    assert found(account, "Users", 'userName eq "local@x.com"') == []
    assert account.get(f"/Users/{local}").json()["userName"] == "local@x.com"


def test_only_managed_groups_are_listed_or_found_and_by_id_every_group(
    harness: SplitSimulator, account: Client
) -> None:
    account.post("/Groups", {"displayName": "Pushed"})

    assert names(account.get("/Groups")) == ["Pushed"]
    assert found(account, "Groups", 'displayName eq "Release Managers"') == []
    assert found(account, "Groups", 'displayName eq "All FME Admins"') == []
    for identity in ("Release_Managers", "_fme_admins", "_account_all_users"):
        assert account.get(f"/Groups/{identity}").json()["id"] == identity


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ('userName eq "ada@x.com"', True),
        ('externalId eq "ada@x.com"', True),
        ('id eq "ada@x.com"', True),
        ('emails.value eq "ada@x.com"', True),
        ('nonsense eq "ada@x.com"', True),
        ("userName eq 'ada@x.com'", True),
        ("userName eq (ada@x.com)", True),
        ('userName eq "ada@x.com" and active eq true', False),
        ('userName eq "ada@x.com" eq nothing', True),
        ('userName eq "Ada@X.com"', False),
        ('externalId eq "00uada"', False),
        ('userName eq "ada%40x.com"', True),
        ('userName eq "ada@x.com', False),
        ("userName eq ada@x.com", False),
    ],
)
def test_the_attribute_of_a_filter_is_not_looked_at_and_the_value_loses_two_letters(
    account: Client, ada: str, people: list[str], text: str, hit: bool
) -> None:
    assert found(account, "Users", text) == (["ada@x.com"] if hit else [])


def test_a_plus_in_an_e_mail_is_a_blank_to_the_filter(account: Client) -> None:
    account.post("/Users", {"userName": "ada+x@x.com"})

    assert found(account, "Users", 'userName eq "ada+x@x.com"') == []
    assert found(account, "Users", 'userName eq "ada%2Bx@x.com"') == ["ada+x@x.com"]


@pytest.mark.parametrize(
    "text",
    ['userName sw "ada"', 'userName co "ada"', 'userName EQ "ada@x.com"', 'userName  eq  "ada@x.com"',
     'userName eq "50%"', 'userName eq "%zz"', "active", "userName eq x", 'userName eq ""', ""],
)  # fmt: skip
def test_a_filter_that_cannot_be_read_is_dropped_and_the_whole_list_comes(
    account: Client, ada: str, people: list[str], text: str
) -> None:
    if "  eq  " in text:  # the blank before it belongs to the attribute, the one behind to the value
        assert found(account, "Users", text) == []
    else:
        assert len(found(account, "Users", text)) == 4


@pytest.mark.parametrize(
    ("name", "text", "hit"),
    [
        ("Team", 'displayName eq "Team"', True),
        ("Team", 'externalId eq "Team"', True),
        ("Team", 'displayName eq "team"', False),
        ("R&D", 'displayName eq "R&D"', True),
        ("R+D", 'displayName eq "R+D"', False),
        ('The "A"', 'displayName eq "The \\"A\\""', False),
        ('The "A"', 'displayName eq "The "A""', True),
        ("a eq b", 'displayName eq "a eq b"', False),
        ("100% us", 'displayName eq "100% us"', None),
    ],
)
def test_groups_are_compared_by_name_exactly_and_escapes_are_not_undone(
    account: Client, name: str, text: str, hit: bool | None
) -> None:
    account.post("/Groups", {"displayName": name})
    account.post("/Groups", {"displayName": "Another"})

    whole = [name, "Another"]
    expected: dict[bool | None, list[str]] = {True: [name], False: [], None: whole}
    if name == "a eq b":
        expected[False] = whole  # nothing is left of the value, which is no value
    assert found(account, "Groups", text) == expected[hit]


def test_lists_show_the_parts_of_names_and_by_id_there_is_only_the_whole(account: Client, ada: str) -> None:
    only = account.post("/Users", {"userName": "only@x.com"}).json()
    [listed, other] = account.get("/Users").json()["Resources"]
    shown = account.get(f"/Users/{ada}").json()

    assert shown == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": ada,
        "externalId": "00uada",
        "userName": "ada@x.com",
        "displayName": "Ada Lovelace",
        "active": True,
        "emails": [{"value": "ada@x.com", "primary": True}],
        "name": {"displayName": "Ada Lovelace"},
    }
    assert listed == {**shown, "name": ADA["name"]}
    assert other["name"] == {"givenName": "only@x.com", "familyName": "only@x.com"}
    assert "externalId" not in only


def test_the_new_standards_show_parts_meta_and_groups(
    harness: SplitSimulator, account: Client, ada: str
) -> None:
    account.post("/Groups", {"displayName": "Team", "members": [{"value": ada}]})
    harness.set_knobs(new_scim_standards=True)

    shown: dict[str, Any] = account.get(f"/Users/{ada}").json()
    group = account.get("/Groups/Team").json()

    assert shown["name"] == {**ADA["name"], "displayName": "Ada Lovelace", "formatted": "Ada, Lovelace"}
    assert {"value": "Team", "ref": "", "display": "Team"} in shown["groups"]
    [listed] = account.get("/Users").json()["Resources"]
    assert (listed["name"], listed["groups"]) == (
        {**ADA["name"], "formatted": "Ada, Lovelace"},
        shown["groups"],
    )
    for record, kind in ((shown, "User"), (listed, "User"), (group, "Group")):
        assert (record["meta"]["resourceType"], record["meta"]["location"]) == (kind, "")
        assert record["meta"]["created"].endswith("+0000")


def test_without_parts_the_formatted_name_is_the_display_name(
    harness: SplitSimulator, account: Client
) -> None:
    harness.set_knobs(new_scim_standards=True)

    shown = account.post("/Users", {"userName": "x@x.com"}).json()

    assert shown["name"]["formatted"] == "x@x.com"


def test_a_person_is_shown_with_500_groups_at_most(
    harness: SplitSimulator, account: Client, ada: str
) -> None:
    world = harness.world
    for number in range(501):
        group = world.insert_group(f"G{number}", external_id=None, managed=True, identity=f"G{number}")
        world.set_members(group, [ada])
    harness.set_knobs(new_scim_standards=True)

    assert len(account.get(f"/Users/{ada}").json()["groups"]) == 500
