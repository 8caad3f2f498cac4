"""Which object at the target is the one we mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from syncd.core.match import Conflict, MatchedGroup, MatchedUser, NoMatch, match_group, match_user
from syncd.model import RemoteGroup, RemoteUser
from tests.core.making import ANN, remote, remote_group


def look(
    candidates: Sequence[RemoteUser], *, owners: Mapping[str, str] | None = None, exact: bool = False
) -> MatchedUser | NoMatch | Conflict:
    return match_user("00u1", ANN, candidates, (owners or {}).get, exact_names=exact)


def look_group(
    candidates: Sequence[RemoteGroup], action: str = "link", *, owners: Mapping[str, str] | None = None
) -> MatchedGroup | NoMatch | Conflict:
    return match_group("00g1", "Eng", action, candidates, (owners or {}).get)


def test_nobody_at_the_target_is_no_match() -> None:
    assert look([]) == NoMatch()


def test_a_filter_that_returns_strangers_matches_nobody() -> None:
    strangers = [remote("s1", "annxlee@example.com"), remote("s2", "bob@example.com", "00u9")]
    assert look(strangers) == NoMatch()


def test_our_external_id_wins_over_every_name() -> None:
    ours = remote("s1", "old.name@example.com", "00u1")
    assert look([remote("s2", ANN), ours], exact=True) == MatchedUser(ours, "externalId")


def test_our_external_id_is_found_even_when_the_account_sleeps() -> None:
    sleeping = remote("s1", ANN, "00u1", active=False)
    assert look([sleeping]) == MatchedUser(sleeping, "externalId")


def test_an_account_that_we_manage_for_another_is_not_ours_whatever_its_external_id_says() -> None:
    stolen = remote("s1", ANN, "00u1")
    found = look([stolen], owners={"s1": "00u2"})
    assert isinstance(found, Conflict)
    assert "00u2" in found.reason


def test_two_accounts_with_our_external_id_are_a_conflict() -> None:
    found = look([remote("s1", ANN, "00u1"), remote("s2", ANN, "00u1")])
    assert isinstance(found, Conflict)
    assert "2 accounts" in found.reason


def test_one_account_listed_twice_is_one_account() -> None:
    twice = [remote("s1", ANN), remote("s1", ANN)]
    assert look(twice) == MatchedUser(twice[0], "userName")


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_free_account_with_exactly_our_user_name_is_adopted(nothing: str | None) -> None:
    free = remote("s1", ANN, nothing)
    assert look([free], exact=True) == MatchedUser(free, "userName")


def test_the_exact_user_name_wins_over_one_that_differs_in_case() -> None:
    exact = remote("s2", ANN)
    assert look([remote("s1", "ANN@example.com"), exact]) == MatchedUser(exact, "userName")


def test_two_free_accounts_with_exactly_our_user_name_are_a_conflict() -> None:
    found = look([remote("s1", ANN), remote("s2", ANN)])
    assert isinstance(found, Conflict)
    assert ANN in found.reason


def test_a_unique_user_name_that_differs_in_case_is_adopted_where_case_does_not_count() -> None:
    shouting = remote("s1", "ANN@Example.com")
    assert look([shouting]) == MatchedUser(shouting, "userName, ignoring letter case")


def test_a_user_name_that_differs_in_case_is_a_conflict_where_case_counts() -> None:
    found = look([remote("s1", "ANN@Example.com")], exact=True)
    assert isinstance(found, Conflict)
    assert "letter case" in found.reason


def test_several_user_names_that_differ_in_case_are_a_conflict() -> None:
    found = look([remote("s1", "ANN@Example.com"), remote("s2", "Ann@Example.com")])
    assert isinstance(found, Conflict)


@pytest.mark.parametrize("name", [ANN, "ANN@example.com"])
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize(
    ("external_id", "owners"),
    [("00u0", {}), ("00u0", {"s1": "00u0"}), (None, {"s1": "00u0"}), ("", {"s1": "00u0"})],
)
def test_a_reused_e_mail_never_hands_over_the_leavers_account(
    name: str, exact: bool, active: bool, external_id: str | None, owners: dict[str, str]
) -> None:
    leaver = remote("s1", name, external_id, active=active)
    found = look([leaver], owners=owners, exact=exact)
    assert isinstance(found, Conflict)
    assert "00u0" in found.reason


def test_a_leavers_account_keeps_a_namesake_in_other_letters_from_being_adopted() -> None:
    found = look([remote("s1", ANN, "00u0"), remote("s2", "ANN@example.com")])
    assert isinstance(found, Conflict)


def test_an_account_that_the_store_already_gives_to_us_is_ours() -> None:
    mine = remote("s1", ANN)
    assert look([mine], owners={"s1": "00u1"}) == MatchedUser(mine, "userName")


def test_a_create_takes_a_new_name_and_refuses_a_taken_one_with_the_hint_to_link() -> None:
    assert look_group([], "create") == NoMatch()
    found = look_group([remote_group()], "create")
    assert isinstance(found, Conflict)
    assert 'action = "link"' in found.reason


def test_a_link_takes_the_group_of_that_name_and_refuses_when_there_is_none() -> None:
    there = remote_group()
    assert look_group([there]) == MatchedGroup(there, "displayName")
    found = look_group([remote_group("t2", "Engineering"), remote_group("t3", "eng")])
    assert isinstance(found, Conflict)
    assert 'action = "create"' in found.reason


def test_an_okta_mapping_links_what_exists_and_creates_what_does_not() -> None:
    there = remote_group()
    assert look_group([there], "either") == MatchedGroup(there, "displayName")
    assert look_group([], "either") == NoMatch()


@pytest.mark.parametrize("action", ["create", "link", "either"])
def test_a_group_with_our_external_id_is_ours_under_any_name(action: str) -> None:
    ours = remote_group("t1", "Old name", "00g1")
    assert look_group([remote_group("t2"), ours], action) == MatchedGroup(ours, "externalId")


@pytest.mark.parametrize("action", ["create", "link", "either"])
def test_two_groups_with_our_external_id_are_a_conflict(action: str) -> None:
    assert isinstance(
        look_group([remote_group("t1", "A", "00g1"), remote_group("t2", "B", "00g1")], action), Conflict
    )


@pytest.mark.parametrize("action", ["create", "link", "either"])
@pytest.mark.parametrize("external_id", [None, "00g1", "00g2"])
def test_a_group_that_is_linked_to_another_okta_group_is_never_taken(
    action: str, external_id: str | None
) -> None:
    found = look_group([remote_group("t1", "Eng", external_id)], action, owners={"t1": "00g2"})
    assert isinstance(found, Conflict)


@pytest.mark.parametrize("action", ["link", "either"])
def test_a_group_that_carries_the_external_id_of_another_okta_group_is_never_taken(action: str) -> None:
    found = look_group([remote_group("t1", "Eng", "00g2")], action)
    assert isinstance(found, Conflict)


def test_two_groups_of_one_name_are_a_conflict_for_a_link() -> None:
    found = look_group([remote_group("t1"), remote_group("t2")])
    assert isinstance(found, Conflict)
    assert "2 groups" in found.reason


def test_one_group_listed_twice_is_one_group() -> None:
    assert isinstance(look_group([remote_group(), remote_group()]), MatchedGroup)


def test_the_only_free_group_of_that_name_is_linked() -> None:
    free = remote_group("t2")
    assert look_group([remote_group("t1"), free], owners={"t1": "00g2"}) == MatchedGroup(free, "displayName")


def test_a_group_with_our_external_id_that_is_linked_to_another_does_not_stand_in_the_way_of_a_new_one() -> (
    None
):
    elsewhere = remote_group("t1", "Other", "00g1")
    assert look_group([elsewhere], "create", owners={"t1": "00g2"}) == NoMatch()
    free = remote_group("t2")
    assert look_group([elsewhere, free], "link", owners={"t1": "00g2"}) == MatchedGroup(free, "displayName")
