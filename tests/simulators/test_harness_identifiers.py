"""The identifier of a group at Harness, which derives from its name, for both generations."""

from __future__ import annotations

import hashlib

import pytest

from syncd.simulators.harness.identifier import KEYWORDS, hashed, is_identifier, plain
from syncd.simulators.split import SplitSimulator
from tests.simulators.conftest import Client, is_scim_error, values

SAME = [
    ("Engineering", "Engineering"),
    ("example-group 1.0", "example_group_1_0"),
    ("Harness.Group?Next#Gen-First", "Harness_GroupNextGen_First"),
    ("  Blanks around  ", "Blanks_around"),
    ("two  blanks", "two__blanks"),
    ("tab\tbed", "tabbed"),
    ("Café", "Cafe"),
    ("Cafe\u0301", "Cafe"),
    ("Łódź Zoë", "Lodz_Zoe"),
    ("straße", "strae"),
    ("R&D", "RD"),
    ("Team (EU)", "Team_EU"),
    ("C++", "C"),
    ("cAsE", "cAsE"),
    ("$dollar$", "dollar$"),
    ("_under", "_under"),
    ("-dash", "_dash"),
    ("#hash", "hash"),
    ("日本 Tokyo", "_Tokyo"),
    ("x" * 128, "x" * 128),
]
DIGITS = [
    ("123#One.$Two.$Three.123", "One_$Two_$Three_123"),
    ("1 Team", "_Team"),
    (" 2nd line", "nd_line"),
    ("\u0663 teams", "_teams"),
    ("9" + "x" * 200, "x" * 200),
]
NEVER = ["123", "日本", "###", "x" * 129, "#1abc", *sorted(KEYWORDS)]


def with_hash(name: str, text: str) -> str:
    return f"{text[:119]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@pytest.mark.parametrize(("name", "identifier"), SAME)
@pytest.mark.parametrize("generation", ["2026", "2023"])
def test_a_name_gives_its_identifier(
    harness: SplitSimulator, account: Client, generation: str, name: str, identifier: str
) -> None:
    harness.set_knobs(generation=generation)

    answer = account.post("/Groups", {"displayName": name})

    assert (answer.status_code, answer.json()["id"], answer.json()["displayName"]) == (201, identifier, name)


@pytest.mark.parametrize(("name", "identifier"), DIGITS)
def test_a_name_that_begins_with_a_digit_has_a_hash_in_2026(
    account: Client, name: str, identifier: str
) -> None:
    assert account.post("/Groups", {"displayName": name}).json()["id"] == with_hash(name, identifier)
    assert len(hashed(name)) <= 128


@pytest.mark.parametrize(("name", "identifier"), DIGITS[:4])
def test_a_name_that_begins_with_a_digit_has_none_in_2023(
    harness: SplitSimulator, account: Client, name: str, identifier: str
) -> None:
    harness.set_knobs(generation="2023")

    assert account.post("/Groups", {"displayName": name}).json()["id"] == identifier


def test_the_hash_is_of_the_name_as_it_came(account: Client) -> None:
    ids = {
        account.post("/Groups", {"displayName": name}).json()["id"]
        for name in ("1 Team", "2 Team", " 1 Team")
    }

    assert len(ids) == 3


@pytest.mark.parametrize("name", NEVER)
@pytest.mark.parametrize("generation", ["2026", "2023"])
def test_a_name_without_an_identifier_is_a_409(
    harness: SplitSimulator, account: Client, generation: str, name: str
) -> None:
    harness.set_knobs(generation=generation)
    before = set(harness.world.groups)

    assert is_scim_error(account.post("/Groups", {"displayName": name}), 409)
    assert set(harness.world.groups) == before


@pytest.mark.parametrize(
    "names",
    [("R&D", "RD"), ("Team (EU)", "Team EU"), ("Café", "Cafe"), ("a.b", "a-b", "a b", "a_b"), ("C++", "C")],
)
def test_many_names_have_one_identifier(account: Client, names: tuple[str, ...]) -> None:
    answers = [account.post("/Groups", {"displayName": name}).json() for name in names]

    assert len({answer["id"] for answer in answers}) == 1
    assert {answer["displayName"] for answer in answers} == {names[0]}


def test_the_identifier_is_fixed_for_life_and_names_need_not_be_unique(account: Client) -> None:
    for name in ("One", "Two"):
        account.post("/Groups", {"displayName": name})
    account.patch("/Groups/Two", {"op": "replace", "value": {"displayName": "One"}})

    listed = account.get("/Groups", filter='displayName eq "One"').json()["Resources"]

    assert [group["id"] for group in listed] == ["One", "Two"]


def test_a_group_from_before_the_hashes_is_found_under_the_plain_identifier(
    harness: SplitSimulator, account: Client, people: list[str]
) -> None:
    harness.set_knobs(generation="2023")
    account.post("/Groups", {"displayName": "1 Team", "members": values(people[0])})
    harness.set_knobs(generation="2026")

    answer = account.post("/Groups", {"displayName": "2 Team", "members": values(people[1])}).json()

    assert (answer["id"], answer["displayName"]) == ("_Team", "1 Team")
    assert [member["value"] for member in answer["members"]] == people[:1]


def test_what_an_identifier_is() -> None:
    assert all(is_identifier(text) for text in ("a", "_", "_1", "A$b_9", "Or", "x" * 128))
    assert not any(
        is_identifier(text) for text in ("", "1a", "$a", "a-b", "a b", "é", "or", "x" * 129, "a\n")
    )
    assert plain("") == hashed("") == hashed("  ") == ""
