"""A record that cannot be understood costs only itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model import AppUser, BadRecord, PushMapping
from syncd.okta import records
from tests.okta.fakes import FakeOkta, Reply, Seen, app_user_json, reader

USER = app_user_json(1)["id"]


def without(name: str) -> dict[str, Any]:
    record = app_user_json(1)
    del record[name]
    return record


BAD: dict[str, object] = {
    "no id": without("id"),
    "an id with a slash": app_user_json(1, id="00u1/../x"),
    "an id with a line break": app_user_json(1, id="00u1\n"),
    "an id that is a dot": app_user_json(1, id=".."),
    "an empty id": app_user_json(1, id=""),
    "an id that is a number": app_user_json(1, id=5),
    "a very long id": app_user_json(1, id="x" * 5000),
    "no status": without("status"),
    "a status that is a number": app_user_json(1, status=1),
    "no profile": without("profile"),
    "a profile that is a list": app_user_json(1, profile=["email"]),
    "credentials that are a text": app_user_json(1, credentials="user"),
    "a userName that is a number": app_user_json(1, credentials={"userName": 7}),
    "another user embedded": app_user_json(1, _embedded={"user": {"id": "00u2", "status": "ACTIVE"}}),
    "an embedded user without a status": app_user_json(1, _embedded={"user": {"id": USER}}),
    "an embedded user that is a text": app_user_json(1, _embedded={"user": "00u1"}),
    "half a surrogate pair": app_user_json(1, profile={"email": "a\ud800@example.com"}),
    "a text": "record",
    "null": None,
    "a list": [app_user_json(1)],
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_costs_only_itself(name: str) -> None:
    page = [app_user_json(0), BAD[name], app_user_json(2)]
    with FakeOkta(lambda seen, before: Reply(page)) as okta, reader(okta) as source:
        listing = source.app_users()
        (only,) = listing

    assert [user.okta_id for user in only.records] == [app_user_json(0)["id"], app_user_json(2)["id"]]
    (bad,) = only.bad
    assert bad.problem
    assert bad.okta_id in (None, USER)
    assert listing.proof.records == 3


def test_a_bad_record_with_a_good_id_says_whose_it_is() -> None:
    bad = records.app_user(app_user_json(1, status=1))

    assert bad == BadRecord(USER, "status is a number, not a text")


@pytest.mark.parametrize("status", ["ACTIVE", "ACTIVATING", "SOMETHING_NEW", "provisioned"])
def test_an_unknown_status_is_passed_on_as_it_is(status: str) -> None:
    record = app_user_json(
        1, status=status, syncState="NEW", scope="ODD", _embedded={"user": {"id": USER, "status": status}}
    )

    user = records.app_user(record)

    assert isinstance(user, AppUser)
    assert (user.status, user.user_status) == (status, status)


def test_a_user_that_okta_did_not_embed_has_no_status_of_its_own() -> None:
    user = records.app_user(without("_embedded"))

    assert isinstance(user, AppUser)
    assert user.user_status is None


@pytest.mark.parametrize(
    ("changes", "via"),
    [
        ({"scope": "USER", "_links": {"group": {"href": "/groups/00g1", "name": "Eng"}}}, None),
        (
            {"scope": "GROUP", "_links": {"group": {"href": "https://x/api/v1/groups/00g1", "name": "Eng"}}},
            ("00g1", "Eng"),
        ),
        ({"scope": "GROUP", "_links": {"group": {"href": 7, "name": None}}}, ("", "")),
        ({"scope": "GROUP", "_links": "broken"}, None),
        ({"scope": "GROUP"}, None),
    ],
)
def test_the_assigning_group_is_for_people_and_never_spoils_a_record(
    changes: dict[str, object], via: tuple[str, str] | None
) -> None:
    user = records.app_user(app_user_json(1, **changes))

    assert isinstance(user, AppUser)
    assert user.via_group == via


def test_the_same_user_twice_on_one_page_is_no_fault() -> None:
    page = [app_user_json(1), app_user_json(1, status="INACTIVE")]
    with FakeOkta(lambda seen, before: Reply(page)) as okta, reader(okta) as source:
        (only,) = source.app_users()

    assert [user.status for user in only.records] == ["ACTIVE", "INACTIVE"]


@pytest.mark.parametrize(
    "record",
    [
        {"id": "00g1", "profile": {"name": ""}},
        {"id": "00g1", "profile": {}},
        {"id": "00g1"},
        {"id": "00g1", "profile": {"name": "x"}, "lastMembershipUpdated": 5},
        {"profile": {"name": "x"}},
    ],
)
def test_a_group_without_a_name_or_id_is_a_bad_record(record: object) -> None:
    assert isinstance(records.group(record), BadRecord)


@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE", "ERROR", "NEW"])
def test_a_push_mapping_is_read_by_its_id_field(status: str) -> None:
    record = {"id": "gPm1", "sourceGroupId": "00g1", "targetGroupId": None, "status": status}

    assert records.push_mapping(record) == PushMapping("00g1", None, None, status)
    assert isinstance(records.push_mapping({**record, "sourceGroupId": 3}), BadRecord)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "status", "profile", "credentials", "userName", "_embedded", "user", "_links"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_json_value_whatever_raises(record: object) -> None:
    for read in (
        records.app_user,
        records.group,
        records.push_mapping,
        records.application,
    ):
        value = records.checked(record, read)
        if isinstance(value, AppUser):
            assert records.is_id(value.okta_id)
            assert value.status


def test_the_users_own_profile_is_kept_in_lists_and_by_id_where_it_is_asked_for() -> None:
    page = [app_user_json(1), app_user_json(2, _embedded=None)]

    def serve(seen: Seen, before: int) -> Reply:
        return Reply(page if seen.path.partition("?")[0].endswith("/users") else page[0])

    with FakeOkta(serve) as okta, reader(okta, user_profiles=True) as source:
        (listed,) = source.app_users()
        alone = source.app_user(page[0]["id"])
    with FakeOkta(serve) as okta, reader(okta) as source:
        (without_them,) = source.app_users()

    own = {"login": "user1@example.com", "email": "user1@example.com"}
    assert [user.user_profile for user in listed.records] == [own, None]
    assert isinstance(alone, AppUser)
    assert alone.user_profile == own
    assert [user.user_profile for user in without_them.records] == [None, None]


@pytest.mark.parametrize("profile", ["text", ["email"], 7])
def test_a_users_own_profile_that_is_no_object_costs_only_its_record(profile: object) -> None:
    odd = app_user_json(1, _embedded={"user": {"id": USER, "status": "ACTIVE", "profile": profile}})
    with (
        FakeOkta(lambda seen, before: Reply([odd, app_user_json(2)])) as okta,
        reader(okta, user_profiles=True) as source,
    ):
        (only,) = source.app_users()

    assert len(only.records) == 1
    assert only.bad[0].okta_id == USER
