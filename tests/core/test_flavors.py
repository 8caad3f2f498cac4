"""What each kind of target allows."""

from __future__ import annotations

import pytest

from syncd.core.flavors import deactivation_note, group_identifiers, group_name_problem

FLAVORS = ("split", "harness", "scim")


@pytest.mark.parametrize(("length", "fits"), [(1, True), (24, True), (25, False), (300, False)])
def test_split_takes_names_of_fewer_than_25_characters(length: int, fits: bool) -> None:
    name = "É" * length
    assert (group_name_problem("split", name, ()) is None) is fits
    assert group_name_problem("harness", name[:128], ()) is None
    assert group_name_problem("scim", name, ()) is None


def test_a_name_that_is_too_long_for_split_is_told_its_length_and_the_way_out() -> None:
    problem = group_name_problem("split", "x" * 30, ()) or ""
    assert "30 characters" in problem
    assert 'action = "link"' in problem


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("name", ["", " ", "\t\n", "\u3000"])
def test_an_empty_name_is_refused_everywhere(flavor: str, name: str) -> None:
    assert group_name_problem(flavor, name, ()) == "the group name is empty"


def test_administrators_is_reserved_where_the_target_reserves_it() -> None:
    assert "reserved by Split" in (group_name_problem("split", "Administrators", ()) or "")
    assert "_fme_admins" in (group_name_problem("harness", "Administrators", ()) or "")
    assert group_name_problem("scim", "Administrators", ()) is None


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_protected_name_is_never_created_anywhere(flavor: str) -> None:
    problem = group_name_problem(flavor, "_fme_admins", {"_fme_admins"}) or ""
    assert "protected" in problem
    assert group_name_problem(flavor, "_fme_admin", {"_fme_admins"}) is None


def test_only_harness_makes_ids_of_names() -> None:
    names = ("a.b c-d", "a-b.c d", "a_b_c_d", "a b c d")
    assert {group_identifiers("harness", name) for name in names} == {("a_b_c_d",)}
    for flavor in ("split", "scim"):
        assert {group_identifiers(flavor, name) for name in names} == {None}


def test_harness_takes_no_name_that_it_makes_no_identifier_of() -> None:
    for name in ("日本", "class", "&&&", "x" * 129):
        assert group_name_problem("harness", name, ()) is not None
        assert group_name_problem("scim", name, ()) is None


def test_only_harness_removes_whom_it_deactivates() -> None:
    assert [bool(deactivation_note(flavor)) for flavor in FLAVORS] == [False, True, False]
