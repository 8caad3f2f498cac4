"""From an Okta assignment to the wanted SCIM user."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from syncd.core.attribute_mapping import AttributeMapping
from syncd.core.expressions import Template, Unmappable
from syncd.core.mapping import MappingPolicy, frozen_user, standing_of, wanted_user
from syncd.model import BadRecord, Scalar, Standing, WantedUser
from tests.core.making import ANN, mapped, record

ASSIGNED = ("ACTIVE", "PROVISIONED", "STAGED", "APPROVED", "PENDING", "IMPLICIT")
NOT_ASSIGNED = ("IMPORTED", "MATCHED", "UNASSIGNED", "INACTIVE", "SUSPENDED", "REVOKED", "DEPROVISIONED")
LIVING = ("ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "PROVISIONED")
UNKNOWN = ("", "active", "FROBNICATED")

DEFAULT = {
    "userName": "email",
    "name.givenName": "givenName",
    "displayName": "{givenName} {familyName}",
    "emails[work].value": "email",
}


def reading(attributes: dict[str, str] | None = None, **changed: str) -> MappingPolicy:
    settings = {"suspended_users": "keep", "flavor": "split", **changed}
    return MappingPolicy.of(mapped(attributes or DEFAULT), **settings)


def standing(status: str, user_status: str | None, *, keep: bool = True) -> Standing:
    return standing_of(status, user_status, keep_suspended=keep)[0]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("user_status", LIVING)
@pytest.mark.parametrize("status", ASSIGNED)
def test_an_assigned_user_who_lives_is_active(status: str, user_status: str, keep: bool) -> None:
    assert standing_of(status, user_status, keep_suspended=keep) == (Standing.ACTIVE, "")


@pytest.mark.parametrize("status", ASSIGNED)
def test_an_assigned_user_whom_okta_did_not_embed_is_active_where_suspension_does_not_matter(
    status: str,
) -> None:
    assert standing_of(status, None, keep_suspended=True) == (Standing.ACTIVE, "")


@pytest.mark.parametrize(
    ("status", "keep"), [*((status, False) for status in ASSIGNED), ("SUSPENDED", True)], ids=str
)
def test_whose_suspension_matters_and_cannot_be_seen_is_frozen_and_the_reason_says_so(
    status: str, keep: bool
) -> None:
    found, reason = standing_of(status, None, keep_suspended=keep)
    assert found is Standing.FROZEN
    assert "did not show the status of the user" in reason


@pytest.mark.parametrize(
    ("status", "keep"),
    [
        ("SUSPENDED", False),
        *((status, keep) for status in NOT_ASSIGNED if status != "SUSPENDED" for keep in (True, False)),
    ],
    ids=str,
)
def test_the_assignments_own_word_ends_it_whether_or_not_okta_embedded_the_user(
    status: str, keep: bool
) -> None:
    assert standing_of(status, None, keep_suspended=keep) == (
        Standing.INACTIVE,
        f"the assignment is {status}",
    )


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("user_status", LIVING)
@pytest.mark.parametrize("status", NOT_ASSIGNED)
def test_a_living_user_whose_assignment_is_not_enabled_is_inactive_and_the_reason_says_why(
    status: str, user_status: str, keep: bool
) -> None:
    assert standing_of(status, user_status, keep_suspended=keep) == (
        Standing.INACTIVE,
        f"the assignment is {status}",
    )


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("status", [*ASSIGNED, *NOT_ASSIGNED, *UNKNOWN])
def test_a_deprovisioned_user_is_inactive_whatever_the_assignment_says(status: str, keep: bool) -> None:
    found, reason = standing_of(status, "DEPROVISIONED", keep_suspended=keep)
    assert found is Standing.INACTIVE
    assert "DEPROVISIONED" in reason


@pytest.mark.parametrize("status", [*ASSIGNED, "SUSPENDED"])
def test_a_suspended_user_stays_active_unless_the_settings_say_deactivate(status: str) -> None:
    assert standing(status, "SUSPENDED", keep=True) is Standing.ACTIVE
    assert standing_of(status, "SUSPENDED", keep_suspended=False) == (
        Standing.INACTIVE,
        "the Okta user is SUSPENDED",
    )


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("status", [status for status in NOT_ASSIGNED if status != "SUSPENDED"])
def test_a_suspended_user_who_is_not_assigned_any_more_is_inactive(status: str, keep: bool) -> None:
    assert standing(status, "SUSPENDED", keep=keep) is Standing.INACTIVE


@pytest.mark.parametrize("user_status", ["STAGED", "ACTIVATING"])
@pytest.mark.parametrize("status", [*ASSIGNED, *NOT_ASSIGNED])
def test_a_user_who_is_not_activated_yet_is_frozen(status: str, user_status: str) -> None:
    found, reason = standing_of(status, user_status, keep_suspended=True)
    assert found is Standing.FROZEN
    assert user_status in reason


@pytest.mark.parametrize("user_status", [*LIVING, "SUSPENDED", "STAGED", "FROBNICATED", None])
@pytest.mark.parametrize("status", UNKNOWN)
def test_an_unknown_assignment_status_freezes(status: str, user_status: str | None) -> None:
    found, reason = standing_of(status, user_status, keep_suspended=False)
    assert found is Standing.FROZEN
    assert reason == f"the assignment has the unknown status {status}"


@pytest.mark.parametrize("user_status", ["active", "FROBNICATED", ""])
@pytest.mark.parametrize("status", [*ASSIGNED, *NOT_ASSIGNED])
def test_an_unknown_user_status_freezes(status: str, user_status: str) -> None:
    assert standing(status, user_status) is Standing.FROZEN


def test_every_pair_of_words_has_one_standing_and_a_reason_unless_it_is_active() -> None:
    words = [*ASSIGNED, *NOT_ASSIGNED, *UNKNOWN]
    people: list[str | None] = [*LIVING, *UNKNOWN, None, "STAGED", "ACTIVATING", "SUSPENDED", "DEPROVISIONED"]
    for status, user_status, keep in itertools.product(words, people, [True, False]):
        found, reason = standing_of(status, user_status, keep_suspended=keep)
        assert (found is Standing.ACTIVE) == (reason == "")
        assert found is not Standing.ABSENT


@pytest.mark.parametrize(
    ("text", "profile", "value"),
    [
        ("email", {"email": ANN}, ANN),
        ("email", {"email": " Ann@Example.com "}, " Ann@Example.com "),
        ("email", {"email": ""}, None),
        ("email", {"email": None}, None),
        ("email", {}, None),
        ("number", {"number": 0}, 0),
        ("flag", {"flag": False}, False),
        ("ratio", {"ratio": 1.5}, 1.5),
        ("{first} {last}", {"first": "Ann", "last": "Lee"}, "Ann Lee"),
        ("{first} {last}", {"first": "Ann"}, "Ann"),
        ("{first} {last}", {"last": "Lee"}, "Lee"),
        ("{first} {last}", {}, None),
        ("{first} {last}", {"first": "", "last": None}, None),
        ("{last}, {first}", {"first": "Zoë", "last": "Ōe"}, "Ōe, Zoë"),
        ("{code}-{code}", {"code": 7}, "7-7"),
        ("Dr. {last}", {}, None),
        ("{first}", {"first": "{last}", "last": "Lee"}, "{last}"),
        ("{first}", {"first": r"\1 \g<0>"}, r"\1 \g<0>"),
        ("custom-key", {"custom-key": "x"}, "x"),
    ],
)
def test_a_template_fills_in_what_the_profile_has(
    text: str, profile: dict[str, object], value: Scalar | None
) -> None:
    found = Template(text).value(record(profile))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("profile", "value"), [({"n": 0}, "Agent 0"), ({"n": 0.0}, "Agent 0"), ({"n": False}, "Agent false")]
)
def test_zero_and_false_are_values_in_a_template_too(profile: dict[str, object], value: str) -> None:
    found = Template("Agent {n}").value(record(profile))
    assert found == value


@pytest.mark.parametrize(
    "text", ["", " ", "two words", "{}", "{a", "a}", "{{a}}", "{a}}", "{a b}", "{1a}", "1a", "${a}{", "x{ }"]
)
def test_a_template_that_names_no_attribute_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no attribute|is no attribute name|brace"):
        Template(text)


@pytest.mark.parametrize("value", [["a"], {"a": 1}, [], {}])
@pytest.mark.parametrize("text", ["email", "<{email}>"])
def test_a_list_or_an_object_cannot_be_mapped(text: str, value: object) -> None:
    found = Template(text).value(record({"email": value}))
    assert isinstance(found, Unmappable)
    assert "email" in found.reason


@pytest.mark.parametrize("text", ["1e999", "-1e999", "NaN"])
def test_a_number_that_json_cannot_carry_freezes_its_user(text: str) -> None:
    found = wanted_user(
        record({"email": ANN, "number": json.loads(text)}), reading({**DEFAULT, "title": "number"})
    )
    assert found.standing is Standing.FROZEN


def test_a_wanted_user_carries_the_mapped_attributes_and_says_how_it_was_assigned() -> None:
    direct = wanted_user(record({"email": ANN, "givenName": "Ann", "familyName": "Lee"}), reading())
    assert direct.attributes == {
        "displayName": "Ann Lee",
        "emails[work].value": ANN,
        "name.givenName": "Ann",
        "userName": ANN,
    }
    assert (direct.standing, direct.user_name, direct.reason) == (Standing.ACTIVE, ANN, "assigned directly")
    by_group = wanted_user(record(via_group=("00g1", "Engineering")), reading())
    assert by_group.reason == "assigned through group Engineering"


def test_an_attribute_that_okta_does_not_have_is_absent_and_not_null() -> None:
    assert set(wanted_user(record(), reading()).attributes) == {"userName", "emails[work].value"}


def test_an_active_user_without_a_user_name_is_frozen() -> None:
    found = wanted_user(record({"givenName": "Ann"}), reading())
    assert (found.standing, found.user_name) == (Standing.FROZEN, "")
    assert "userName" in found.reason


def test_a_leaver_without_a_user_name_still_leaves() -> None:
    assert wanted_user(record({}, user_status="DEPROVISIONED"), reading()).standing is Standing.INACTIVE


def test_a_record_that_cannot_be_mapped_is_frozen_and_the_reason_names_the_attribute() -> None:
    found = wanted_user(record({"email": ANN, "givenName": ["Ann"]}), reading())
    assert found.standing is Standing.FROZEN
    assert "givenName" in found.reason


@pytest.mark.parametrize(
    ("status", "user_status"), [("ACTIVE", "DEPROVISIONED"), ("INACTIVE", "ACTIVE"), ("REVOKED", "ACTIVE")]
)
def test_a_leaver_whose_profile_cannot_be_mapped_still_leaves(status: str, user_status: str) -> None:
    leaver = record({"email": ANN, "givenName": ["Ann"]}, status=status, user_status=user_status)
    assert wanted_user(leaver, reading()).standing is Standing.INACTIVE


def test_only_the_okta_users_own_end_is_called_deprovisioned() -> None:
    assert wanted_user(record(user_status="DEPROVISIONED"), reading()).deprovisioned
    assert not wanted_user(record(status="DEPROVISIONED"), reading()).deprovisioned


def test_suspended_users_follow_the_settings() -> None:
    suspended = record(user_status="SUSPENDED")
    assert wanted_user(suspended, reading()).standing is Standing.ACTIVE
    assert wanted_user(suspended, reading(suspended_users="deactivate")).standing is Standing.INACTIVE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (0, "0"),
        (1.0, "1"),
        (-2.5, "-2.5"),
        (1e20, "1" + 20 * "0"),
        (True, "true"),
        (False, "false"),
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "userName",
        "title",
        "name.familyName",
        "emails[work].value",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
    ],
)
def test_a_number_or_a_boolean_is_sent_as_text_where_scim_has_a_string(
    path: str, value: Scalar, text: str
) -> None:
    """RFC 7643: every attribute of a user that can be mapped is a string, whatever Okta's profile holds."""
    found = wanted_user(record({"email": ANN, "n": value}), reading({**DEFAULT, path: "n"}))

    assert found.standing is Standing.ACTIVE
    assert found.attributes[path] == text
    assert isinstance(found.attributes[path], str)


def test_an_extension_of_the_targets_own_keeps_the_type_of_its_value() -> None:
    path = "urn:example:params:scim:schemas:extension:badge:2.0:User:floor"

    found = wanted_user(record({"email": ANN, "n": 3}), reading({**DEFAULT, path: "n"}))

    assert found.attributes[path] == 3
    assert type(found.attributes[path]) is int


def test_one_and_one_point_nought_and_the_text_of_it_are_one_wish() -> None:
    digests = {_digest(profile={"email": ANN, "givenName": "Ann", "n": value}) for value in (1, 1.0, "1")}

    assert len(digests) == 1


def test_a_list_for_a_string_freezes_its_user_and_names_the_attribute() -> None:
    found = wanted_user(record({"email": ANN, "tags": ["a", "b"]}), reading({**DEFAULT, "title": "tags"}))

    assert found.standing is Standing.FROZEN
    assert "tags" in found.reason


def test_the_user_name_is_exactly_as_okta_has_it_and_only_its_key_is_folded() -> None:
    shouting = record({"email": "ANN@Example.COM"})
    at_split, at_scim = wanted_user(shouting, reading()), wanted_user(shouting, reading(flavor="scim"))
    assert at_split.user_name == at_scim.user_name == "ANN@Example.COM"
    assert (at_split.name_key, at_scim.name_key) == ("ANN@Example.COM", "ann@example.com")


def _digest(**changed: object) -> bytes:
    start = record({"email": ANN, "givenName": "Ann", "n": 1})
    policy = reading({**DEFAULT, "title": "n"})
    return wanted_user(replace(start, **changed), policy).digest  # type: ignore[arg-type]


def test_equal_records_have_equal_digests_whatever_the_order_of_the_profile() -> None:
    assert _digest() == _digest(profile={"n": 1, "givenName": "Ann", "email": ANN, "unmapped": "x"})
    assert len(_digest()) == 16


@pytest.mark.parametrize(
    "changed",
    [
        {"profile": {"email": "ANN@example.com", "givenName": "Ann", "n": 1}},
        {"profile": {"email": ANN, "givenName": "Anna", "n": 1}},
        {"profile": {"email": ANN, "n": 1}},
        {"profile": {"email": ANN, "givenName": "Ann", "n": 1.5}},
        {"profile": {"email": ANN, "givenName": "Ann", "n": True}},
        {"status": "INACTIVE"},
        {"user_status": "DEPROVISIONED"},
        {"user_status": "STAGED"},
        {"via_group": ("00g1", "Eng")},
    ],
)
def test_every_difference_that_matters_changes_the_digest(changed: dict[str, object]) -> None:
    assert _digest(**changed) != _digest()


def test_text_that_no_encoding_likes_has_a_digest_too() -> None:
    hostile = record({"email": "a\ud800\x00@x", "givenName": "\U0001f9d1\u202e"})
    assert len(wanted_user(hostile, reading()).digest) == 16


def test_an_unreadable_record_freezes_only_the_user_whose_it_is() -> None:
    found = frozen_user(BadRecord("00u1", "status is a list"))
    assert isinstance(found, WantedUser)
    assert (found.okta_id, found.standing, found.reason) == ("00u1", Standing.FROZEN, "status is a list")
    assert frozen_user(BadRecord(None, "no id")) is None


ONCE = AttributeMapping(Template("locale"), on_create=True)


def once(**profile: object) -> WantedUser:
    policy = MappingPolicy.of(
        {**mapped({"userName": "email"}), "locale": ONCE}, suspended_users="keep", flavor="split"
    )
    return wanted_user(record({"email": ANN, **profile}), policy)


def test_what_is_sent_once_stands_beside_what_is_compared() -> None:
    found = once(locale="de")

    assert (found.attributes, found.initial) == ({"userName": ANN}, {"locale": "de"})
    assert found.mapped == {"userName": ANN, "locale": "de"}
    assert once().initial == {}


def test_a_wish_is_another_one_when_what_is_sent_once_is_and_the_same_where_there_is_none() -> None:
    without = wanted_user(record({"email": ANN}), reading({"userName": "email"}))

    assert once(locale="de").digest != once(locale="fr").digest
    assert once().digest == without.digest


def test_whose_own_profile_okta_did_not_show_is_frozen_and_nothing_of_theirs_becomes_empty() -> None:
    policy = reading({**DEFAULT, "nickName": "user.nickName"})
    found = wanted_user(record({"email": ANN}), policy)

    assert found.standing is Standing.FROZEN
    assert "did not show the user's own profile" in found.reason
    shown = wanted_user(replace(record({"email": ANN}), user_profile={}), policy)
    assert (shown.standing, "nickName" in shown.attributes) == (Standing.ACTIVE, False)


def test_a_leaver_whose_own_profile_okta_did_not_show_still_leaves() -> None:
    leaver = record({"email": ANN}, user_status="DEPROVISIONED")

    assert (
        wanted_user(leaver, reading({**DEFAULT, "nickName": "user.nickName"})).standing is Standing.INACTIVE
    )
