"""Reading single objects: what is there, what is provably not, and what proves nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.errors import (
    AccessDenied,
    ConnectionSick,
    IncompleteRead,
    NotFound,
    PermanentError,
    TemporaryError,
)
from syncd.model import Absent, Application, AppUser, BadRecord, OktaGroup
from syncd.okta.reader import OktaReader
from tests.okta.fakes import APP, USERS, FakeOkta, FakeTime, Reply, Seen, app_user_json, okta_error, reader

USER = "00u00000000000000001"


def missing(what: str) -> Reply:
    return Reply(okta_error("E0000007", f"Not found: Resource not found: {what}"), 404)


UNCLEAR = {
    "a web page": Reply(b"<html>nginx</html>", 404, content_type="text/html"),
    "an empty body": Reply(b"", 404),
    "a wrong path": Reply(okta_error("E0000008", "The requested path was not found"), 404),
    "no summary": Reply(okta_error("E0000007", ""), 404),
    "a list": Reply([okta_error("E0000007", "Not found: Resource not found: x (User)")], 404),
}


def ask(reply: Reply, question: Callable[[OktaReader], object]) -> object:
    with FakeOkta(lambda seen, before: reply) as okta, reader(okta) as source:
        return question(source)


def test_the_app_is_read_with_its_status_and_features() -> None:
    body = {
        "id": APP,
        "name": "split_1",
        "label": "Split",
        "status": "ACTIVE",
        "features": ["PUSH_NEW_USERS", "ODD"],
    }

    app = ask(Reply(body), OktaReader.application)

    assert app == Application(APP, "Split", "ACTIVE", frozenset({"PUSH_NEW_USERS", "ODD"}))
    assert isinstance(app, Application)
    assert app.pushes_itself


def test_an_unknown_app_is_the_connections_and_the_hint_says_where_to_look() -> None:
    with pytest.raises(ConnectionSick) as caught:
        ask(missing(f"{APP} (AppInstance)"), OktaReader.application)

    assert caught.value.side == "okta"
    assert APP in caught.value.message
    assert "okta.app_id" in caught.value.hint


@pytest.mark.parametrize(
    "body", [{"id": "0oaOther", "status": "ACTIVE"}, {"id": APP}, {"id": APP, "status": 7}]
)
def test_an_app_that_cannot_be_understood_is_no_answer(body: object) -> None:
    with pytest.raises(TemporaryError):
        ask(Reply(body), OktaReader.application)


def test_an_app_user_is_read_by_id_with_the_user_embedded() -> None:
    record = app_user_json(
        1, scope="GROUP", _links={"group": {"href": "https://x/api/v1/groups/00g7", "name": "Eng"}}
    )
    with FakeOkta(lambda seen, before: Reply(record)) as okta, reader(okta) as source:
        user = source.app_user(USER)

    assert okta.paths() == [f"{USERS}/{USER}?expand=user"]
    assert isinstance(user, AppUser)
    assert (user.okta_id, user.status, user.user_status, user.user_name, user.via_group) == (
        USER,
        "ACTIVE",
        "ACTIVE",
        "user1@example.com",
        ("00g7", "Eng"),
    )


@pytest.mark.parametrize("kind", ["AppUser", "User"])
def test_a_404_that_names_the_person_proves_that_they_left(kind: str) -> None:
    answer = ask(missing(f"{USER} ({kind})"), lambda source: source.app_user(USER))

    assert isinstance(answer, Absent)
    assert USER in answer.resource
    assert kind in answer.summary


@pytest.mark.parametrize("kind", ["ApplicationGroupAssignment", "UserGroup"])
def test_a_404_that_names_the_group_proves_that_it_is_not_assigned(kind: str) -> None:
    found = ask(missing(f"00g1 ({kind})"), QUESTIONS["app_group"])

    assert isinstance(found, Absent)
    assert found.resource == "the assignment of group 00g1"
    assert ask(Reply({"id": "00g1", "priority": 0}), QUESTIONS["app_group"]) == "00g1"


def test_a_404_that_names_the_app_is_about_the_app() -> None:
    with pytest.raises(ConnectionSick, match=APP):
        ask(missing(f"{APP} (AppInstance)"), QUESTIONS["app_group"])
    with pytest.raises(ConnectionSick, match=APP):
        ask(missing(f"{APP} (AppInstance)"), lambda source: source.app_user(USER))


def test_a_404_about_one_person_that_names_an_app_which_is_there_proves_nothing() -> None:
    def script(seen: Seen, before: int) -> Reply:
        return (
            missing(f"{APP} (AppInstance)") if USER in seen.path else Reply({"id": APP, "status": "ACTIVE"})
        )

    with FakeOkta(script) as okta, reader(okta) as source, pytest.raises(TemporaryError) as caught:
        source.app_user(USER)

    assert caught.value.status == 404


QUESTIONS: dict[str, Callable[[OktaReader], object]] = {
    "app_user": lambda source: source.app_user(USER),
    "user_status": lambda source: source.user_status(USER),
    "user_id_of": lambda source: source.user_id_of("a@example.com"),
    "group": lambda source: source.group("00g1"),
    "app_group": lambda source: source.app_group("00g1"),
    "application": lambda source: source.application(),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", UNCLEAR)
def test_a_404_that_does_not_say_what_is_missing_proves_nothing(question: str, name: str) -> None:
    with pytest.raises(TemporaryError) as caught:
        ask(UNCLEAR[name], QUESTIONS[question])

    assert caught.value.status == 404


@pytest.mark.parametrize("question", ["user_status", "group"])
def test_a_404_about_an_app_is_no_witness_against_users_and_groups(question: str) -> None:
    with pytest.raises(TemporaryError):
        ask(missing(f"{APP} (AppInstance)"), QUESTIONS[question])


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_not_an_absence(question: str, status: int) -> None:
    with pytest.raises(AccessDenied):
        ask(Reply(okta_error("E0000006", "no permission"), status), QUESTIONS[question])


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_about_something_else_is_not_taken(question: str) -> None:
    odd = Reply({"id": "00uSomebodyElse", "profile": {"name": "x"}, "status": ""})
    if question == "user_id_of":
        assert ask(odd, QUESTIONS[question]) == "00uSomebodyElse"
    elif question == "app_user":
        assert isinstance(ask(odd, QUESTIONS[question]), BadRecord)
    else:
        with pytest.raises(TemporaryError):
            ask(odd, QUESTIONS[question])


def test_a_user_tells_status_and_id() -> None:
    record = Reply({"id": USER, "status": "DEPROVISIONED", "profile": {"login": "a@example.com"}})

    assert ask(record, lambda source: source.user_status(USER)) == "DEPROVISIONED"
    assert ask(record, lambda source: source.user_id_of("a@example.com")) == USER


def test_a_deleted_user_and_a_deleted_group_are_absent() -> None:
    user = ask(missing(f"{USER} (User)"), lambda source: source.user_status(USER))
    group = ask(missing("00g1 (UserGroup)"), lambda source: source.group("00g1"))

    assert isinstance(user, Absent)
    assert isinstance(group, Absent)


def test_a_group_is_read_with_its_stamp() -> None:
    body = {
        "id": "00g1",
        "type": "OKTA_GROUP",
        "lastMembershipUpdated": "2015-11-28T19:15:32.000Z",
        "profile": {"name": "Engineering", "description": None},
    }

    assert ask(Reply(body), lambda source: source.group("00g1")) == OktaGroup(
        "00g1", "Engineering", "", "OKTA_GROUP", "2015-11-28T19:15:32.000Z"
    )


def test_a_login_is_one_path_segment_whatever_it_contains() -> None:
    with FakeOkta(lambda seen, before: missing("x (User)")) as okta, reader(okta) as source:
        source.user_id_of("a/../../b?c#d%@example.com")

    assert okta.paths() == ["/api/v1/users/a%2F..%2F..%2Fb%3Fc%23d%25%40example.com"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_to_look_for_an_email_is_no_absence_either(status: int) -> None:
    with pytest.raises(AccessDenied):
        ask(
            Reply(okta_error("E0000006", "no permission"), status),
            lambda source: source.users_with_email("ada@example.com"),
        )


def test_who_has_an_email_that_is_not_their_login_is_found_by_it() -> None:
    ada = {"id": USER, "profile": {"login": "ada", "email": "Ada@Example.com"}}
    other = {"id": "00uOther", "profile": {"login": "a@b.c", "email": "a@b.c"}}

    def script(seen: Seen, before: int) -> Reply:
        return Reply([ada, other, {"id": "00uNone"}, "odd"])  # a server that does not filter

    with FakeOkta(script) as okta, reader(okta) as source:
        assert source.users_with_email("ada@example.com") == [USER]
        assert source.users_with_email('a"b@example.com') == []

    assert okta.paths()[1].startswith(
        "/api/v1/users?filter=profile.email%20eq%20%22a%5C%22b%40example.com%22"
    )


@pytest.mark.parametrize("status", [400, 404, 405])
def test_a_server_that_cannot_be_asked_by_email_names_nobody(status: int) -> None:
    answer = Reply(okta_error("E0000031", "invalid search criteria"), status)
    assert not ask(answer, lambda source: source.users_with_email("ada@example.com"))


@pytest.mark.parametrize("login", ["", "  ", ".", "..", "me"])
def test_a_login_that_would_ask_for_something_else_is_absent_without_asking(login: str) -> None:
    with FakeOkta(lambda seen, before: Reply({"id": USER})) as okta, reader(okta) as source:
        assert isinstance(source.user_id_of(login), Absent)

    assert okta.seen == []


@pytest.mark.parametrize("group_id", ["", "..", "a\nb"])
def test_an_id_that_cannot_be_one_is_refused_before_it_is_sent(group_id: str) -> None:
    with (
        FakeOkta(lambda seen, before: Reply({})) as okta,
        reader(okta) as source,
        pytest.raises(PermanentError),
    ):
        source.group(group_id)

    assert okta.seen == []


def named(group_id: str) -> dict[str, object]:
    return {"id": group_id, "profile": {"name": f"the name of {group_id}", "description": None}}


def test_the_groups_of_a_user_are_read_over_all_pages() -> None:
    first = f"/api/v1/users/{USER}/groups?limit=200"

    def script(seen: Seen, before: int) -> Reply:
        if seen.path == first:
            return Reply([named("00g1"), named("00g2")], headers=[okta.link(f"{first}&after=x")])
        return Reply([named("00g3")])

    with (okta := FakeOkta(script)), reader(okta) as source:
        assert source.groups_of(USER) == {
            "00g1": "the name of 00g1",
            "00g2": "the name of 00g2",
            "00g3": "the name of 00g3",
        }


@pytest.mark.parametrize(
    "odd", [{}, {"profile": None}, {"profile": {}}, {"profile": {"name": 7}}, {"profile": "x"}]
)
def test_a_group_of_a_user_counts_though_its_name_cannot_be_read(odd: dict[str, object]) -> None:
    assert ask(Reply([{"id": "00g1", **odd}]), lambda source: source.groups_of(USER)) == {"00g1": ""}


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(b"", 500), IncompleteRead),
        (Reply([{"id": "00g1"}, {"name": "no id"}]), IncompleteRead),
        (missing(f"{USER} (User)"), NotFound),
        (Reply(b"<html>", 404), IncompleteRead),
        (Reply(okta_error("E0000006", "no"), 403), AccessDenied),
    ],
)
def test_the_groups_of_a_user_are_complete_or_an_error(reply: Reply, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(reply, lambda source: source.groups_of(USER))


def test_a_401_for_a_missing_feature_does_not_blame_the_token() -> None:
    """As recorded: E0000015 comes with a good token."""
    no_feature = okta_error("E0000015", "You do not have permission to access the feature you are requesting")

    with pytest.raises(AccessDenied) as caught:
        ask(Reply(no_feature, 401), lambda source: list(source.mappings()))

    assert "feature" in caught.value.hint
    assert "create a new one" not in caught.value.hint


def test_requests_are_counted_by_method_and_status() -> None:
    def script(seen: Seen, before: int) -> Reply:
        # The HTTP client itself asks a second time when a connection is closed without an answer.
        replies = [Reply(drop=True), Reply(drop=True), Reply(b"", 503), missing("00g1 (UserGroup)")]
        return replies[min(before, 3)]

    with (okta := FakeOkta(script)), reader(okta) as source:
        source.group("00g1")

        assert source.requests() == {"GET connection": 1, "GET 503": 1, "GET 404": 1}


def test_the_clock_difference_is_the_servers_date_minus_ours() -> None:
    ahead = Reply({}, 404, headers=[("Date", "Tue, 10 Sep 2099 01:49:39 GMT")], date=False)
    with FakeOkta(lambda seen, before: ahead) as okta, reader(okta) as source:
        assert source.clock_offset() is None
        with pytest.raises(TemporaryError):
            source.group("00g1")
        offset = source.clock_offset()

    assert offset is not None
    assert offset.days > 365


def test_the_log_is_readable_or_the_refusal_says_which_scope() -> None:
    ask(Reply([{"uuid": "x"}]), OktaReader.read_log_once)
    with pytest.raises(AccessDenied):
        ask(Reply(okta_error("E0000006", "no"), 403), OktaReader.read_log_once)


def _people(groups: Reply | None = None) -> Callable[[Seen, int], Reply]:
    """Everybody is assigned, but for numbers over 90."""

    def script(seen: Seen, before: int) -> Reply:
        number = int(seen.path.partition("/users/00u")[2][:17])
        if "/groups" in seen.path:
            return groups or Reply([{"id": f"00g{number}"}], delay=0.02)
        if number > 90:
            return missing(f"00u{number:017d} (AppUser)")
        return Reply(app_user_json(number, id=f"00u{number:017d}"), delay=0.02)

    return script


def test_several_people_are_asked_for_at_a_time_and_each_is_told_of_once() -> None:
    ids = [f"00u{number:017d}" for number in range(1, 40)]
    with FakeOkta(_people()) as okta, reader(okta) as source:
        found = {person.okta_id: person for person in source.people(ids, with_groups=True)}

        assert len(okta.seen) == 2 * len(ids)
        assert 1 < okta.most_at_once <= 8
    assert sorted(found) == ids
    assert set(found[ids[2]].groups or ()) == {"00g3"}


def test_people_who_are_not_assigned_are_not_asked_for_their_groups() -> None:
    gone = f"00u{91:017d}"
    with FakeOkta(_people()) as okta, reader(okta) as source:
        [person] = source.people([gone], with_groups=True)

        assert isinstance(person.answer, Absent)
        assert person.groups is None
        assert len(okta.seen) == 1


def test_a_person_deleted_between_two_answers_has_no_group_list() -> None:
    with FakeOkta(_people(missing(f"{USER} (User)"))) as okta, reader(okta) as source:
        [person] = source.people([USER], with_groups=True)

    assert isinstance(person.answer, AppUser)
    assert person.groups is None


def test_one_person_whose_record_or_group_list_cannot_be_read_stops_nobody_else() -> None:
    ids = [f"00u{number:017d}" for number in range(1, 12)]
    broken, hidden = ids[2], ids[5]

    def script(seen: Seen, before: int) -> Reply:
        if f"/apps/{APP}/users/{hidden}" in seen.path or f"/users/{broken}/groups" in seen.path:
            return Reply(b"", 500)
        return _people()(seen, before)

    with FakeOkta(script) as okta, reader(okta, fake_time=FakeTime()) as source:
        found = {person.okta_id: person for person in source.people(ids, with_groups=True)}

    assert sorted(found) == ids
    assert {okta_id for okta_id, person in found.items() if person.failed is not None} == {broken, hidden}
    assert isinstance(found[broken].answer, AppUser)
    assert found[broken].groups is None
    assert found[hidden].answer is None


def test_nobody_is_asked_for_when_nobody_is_named() -> None:
    with FakeOkta(_people()) as okta, reader(okta) as source:
        assert list(source.people([], with_groups=True)) == []
        assert not okta.seen
