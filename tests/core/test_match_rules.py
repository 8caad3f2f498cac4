"""`[matching] by`: which account at the target is somebody's, by attributes in an order of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from syncd.core.match import Conflict, MatchedUser, NoMatch, match_user
from syncd.core.match_rules import DEFAULT_RULES, MatchRule
from syncd.model import RemoteUser, Scalar
from tests.core.making import ANN, remote

MAIL, TITLE = "emails[work].value", "title"
WANTED: Mapping[str, Scalar] = {"userName": ANN, MAIL: "a.lee@example.com", TITLE: "T-1"}
BY_MAIL = ("externalId", "emails.value", "userName")


def rules(*names: str) -> tuple[MatchRule, ...]:
    return tuple(MatchRule(name.removesuffix("~"), name.endswith("~")) for name in names)


def look(
    candidates: Sequence[RemoteUser],
    *by: str,
    owners: Mapping[str, str] | None = None,
    exact: bool = True,
    wanted: Mapping[str, Scalar] = WANTED,
) -> MatchedUser | NoMatch | Conflict:
    return match_user(
        "00u1", ANN, candidates, (owners or {}).get, exact_names=exact, by=rules(*by), attributes=wanted
    )


def account(
    scim_id: str, name: str = "other@example.com", external_id: str | None = None, **values: Scalar
) -> RemoteUser:
    shown = {MAIL if key == "mail" else key: value for key, value in values.items()}
    return remote(scim_id, name, external_id, attributes=shown)


@pytest.mark.parametrize(
    ("by", "candidate", "how"),
    [
        (("externalId",), account("s1", external_id="00u1"), "externalId"),
        (("userName",), account("s1", ANN), "userName"),
        (("userName~",), account("s1", ANN.upper()), "userName, ignoring letter case"),
        (("emails.value",), account("s1", mail="a.lee@example.com"), "emails.value"),
        (("emails.value~",), account("s1", mail="A.Lee@Example.com"), "emails.value, ignoring letter case"),
        ((MAIL,), account("s1", mail="a.lee@example.com"), MAIL),
        ((TITLE,), account("s1", title="T-1"), TITLE),
        ((TITLE + "~",), account("s1", title="t-1"), "title, ignoring letter case"),
        (BY_MAIL, account("s1", mail="a.lee@example.com"), "emails.value"),
        (BY_MAIL, account("s1", ANN, mail="a.lee@example.com"), "emails.value"),
        (BY_MAIL, account("s1", ANN), "userName"),
        (("userName", "externalId"), account("s1", ANN, "00u1"), "userName"),
    ],
)
def test_an_account_is_matched_by_the_first_rule_that_finds_it(
    by: Sequence[str], candidate: RemoteUser, how: str
) -> None:
    assert look([candidate, account("s9")], *by) == MatchedUser(candidate, how)


@pytest.mark.parametrize(
    ("by", "candidate"),
    [
        (("emails.value",), account("s1", mail="A.Lee@Example.com")),
        ((TITLE,), account("s1", title="t-1")),
        ((TITLE,), account("s1", mail="T-1")),
        (("externalId", "emails.value"), account("s1")),
    ],
)
def test_what_is_not_the_same_is_no_match(by: Sequence[str], candidate: RemoteUser) -> None:
    assert look([candidate], *by) == NoMatch()


def test_any_e_mail_of_an_account_counts_and_the_mapped_one_is_compared_with_it() -> None:
    candidate = RemoteUser("s1", None, "x@example.com", active=True, emails=("x@home", "a.lee@example.com"))

    assert look([candidate], "emails.value") == MatchedUser(candidate, "emails.value")


def test_somebody_without_the_value_is_not_matched_by_it() -> None:
    nobody = account("s1", title="")

    assert look([nobody], TITLE, wanted={"userName": ANN}) == NoMatch()
    assert look([nobody], TITLE, wanted={"userName": ANN, TITLE: " "}) == NoMatch()


def test_a_hit_must_be_one() -> None:
    found = look([account("s1", title="T-1"), account("s2", title="T-1")], TITLE)

    assert isinstance(found, Conflict)
    assert found.reason == "2 accounts at the target have the same title"


@pytest.mark.parametrize(
    ("candidate", "owners"),
    [
        (account("s1", mail="a.lee@example.com", external_id="00u9"), {}),
        (account("s1", mail="a.lee@example.com"), {"s1": "00u9"}),
    ],
)
def test_a_hit_that_is_somebody_elses_is_a_conflict_that_names_them(
    candidate: RemoteUser, owners: Mapping[str, str]
) -> None:
    found = look([candidate, account("s2", ANN)], *BY_MAIL, owners=owners)

    assert isinstance(found, Conflict)
    assert (found.holder, "00u9" in found.reason) == ("00u9", True)


@pytest.mark.parametrize(
    ("by", "candidate", "said"),
    [
        (("userName",), account("s1", external_id="00u1"), "carries this externalId"),
        (("emails.value",), account("s1", ANN), "does not look by userName"),
        (("emails.value",), account("s1", ANN, "00u9"), "belongs to another Okta user"),
    ],
)
def test_who_is_in_the_way_under_another_mark_is_not_taken_and_not_made_again(
    by: Sequence[str], candidate: RemoteUser, said: str
) -> None:
    found = look([candidate], *by)

    assert isinstance(found, Conflict)
    assert said in found.reason


def test_two_accounts_with_our_external_id_are_a_conflict_under_any_rules() -> None:
    found = look([account("s1", external_id="00u1"), account("s2", external_id="00u1")], "userName")

    assert isinstance(found, Conflict)


CANDIDATES = [
    account("s1", ANN),
    account("s2", ANN.upper()),
    account("s3", external_id="00u1"),
    account("s4", ANN, "00u9"),
    account("s5", "\uff41nn@example.com"),
    account("s6"),
]


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("chosen", range(2 ** len(CANDIDATES)))
def test_the_default_rules_said_aloud_decide_as_those_that_are_not(chosen: int, exact: bool) -> None:
    some = [each for at, each in enumerate(CANDIDATES) if chosen >> at & 1]
    silent = match_user("00u1", ANN, some, lambda _: None, exact_names=exact)

    assert look(some, "externalId", "userName", exact=exact) == silent
    assert rules("externalId", "userName") == DEFAULT_RULES
