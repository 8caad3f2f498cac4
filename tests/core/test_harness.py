"""What Harness makes of the names of groups: by its source and its release notes, not by us."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.harness import group_identifier, group_identifiers, group_name_problem, with_names

IDENTIFIER = re.compile(r"[a-zA-Z_][0-9a-zA-Z_$]{0,127}")


@pytest.mark.parametrize(
    ("name", "identifiers"),
    [
        ("Engineering", ["Engineering"]),
        ("eng", ["eng"]),
        ("R&D", ["RD"]),
        ("RD", ["RD"]),
        ("Team (EU)", ["Team_EU"]),
        ("Team EU", ["Team_EU"]),
        ("Café", ["Cafe"]),
        ("Cafe\u0301", ["Cafe"]),
        ("Łódź", ["Lodz"]),
        ("Straße", ["Strae"]),
        ("a.b", ["a_b"]),
        ("a-b", ["a_b"]),
        ("a b", ["a_b"]),
        ("a_b", ["a_b"]),
        (" a b ", ["a_b"]),
        ("a  b", ["a__b"]),
        ("C++", ["C"]),
        ("$money", ["money"]),
        ("a$b", ["a$b"]),
        ("Harness.Group?Next#Gen-First", ["Harness_GroupNextGen_First"]),
        ("123#One.$Two.$Three.123", ["One_$Two_$Three_123_7af06ad5", "One_$Two_$Three_123"]),
        ("2026 Sales", ["_Sales_f8b1956b", "_Sales"]),
        ("42", ["_73475cb4"]),
        ("_fme_admins", ["_fme_admins"]),
        ("日本", []),
        ("日本 EU", ["_EU"]),
        ("class", []),
        ("Class", ["Class"]),
        ("x" * 128, ["x" * 128]),
        ("x" * 129, []),
        ("\u00a0 Team", ["_Team", "Team"]),
        ("Foo \u00a0", ["Foo_", "Foo"]),
        ("\x01 Bar", ["Bar", "_Bar"]),
        ("\u0663 Team", ["_Team_61b2d33e", "_Team"]),
        ("\u00b2Team", ["Team"]),
        ("7" + "x" * 130, ["x" * 128, "x" * 119 + "_a78610d6"]),
    ],
)
def test_the_identifier_that_becomes_of_a_name(name: str, identifiers: list[str]) -> None:
    assert list(group_identifiers(name)) == identifiers
    assert (group_name_problem(name) is None) is bool(identifiers)


@given(st.text())
def test_every_identifier_is_valid_and_becomes_itself(name: str) -> None:
    for identifier in group_identifiers(name):
        assert IDENTIFIER.fullmatch(identifier)
        assert group_identifiers(identifier) == (identifier,)
        assert group_identifier(identifier) == identifier


GIVEN, FAMILY = "name.givenName", "name.familyName"


@pytest.mark.parametrize(
    ("attributes", "filled"),
    [
        ({"displayName": "Ann One", GIVEN: "Ann", FAMILY: "One"}, {}),
        ({"displayName": "One", FAMILY: "One"}, {GIVEN: "One"}),
        ({GIVEN: "Ann", FAMILY: "One"}, {"displayName": "Ann One"}),
        ({FAMILY: "One"}, {"displayName": "One", GIVEN: "One"}),
        (
            {"userName": "Ann@X.com"},
            {"displayName": "ann@x.com", GIVEN: "ann@x.com", FAMILY: "ann@x.com"},
        ),
        ({"displayName": " ", GIVEN: "Ann", FAMILY: "One"}, {"displayName": "Ann One"}),
        ({}, {}),
    ],
)
def test_nobody_is_without_a_name(attributes: dict[str, str], filled: dict[str, str]) -> None:
    assert with_names(attributes, {"displayName", GIVEN, FAMILY, "userName"}) == {**attributes, **filled}
    assert with_names(attributes, {"userName"}) == attributes
