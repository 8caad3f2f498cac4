"""Whose refusal is it? A harmless read decides, whatever the status, and once for everybody who is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from syncd.errors import AccessDenied, ConnectionSick, IncompleteRead, Scope, SyncdError
from syncd.okta.reader import OktaReader
from tests.okta.fakes import APP, USERS, FakeOkta, FakeTime, Reply, Seen, okta_error, reader

USER = "00u1"
APP_PATH = f"/api/v1/apps/{APP}"
HARMLESS = [APP_PATH, f"{USERS}?limit=1"]
OBJECTS: Mapping[str, Callable[[OktaReader], object]] = {
    "an app user": lambda source: source.app_user(USER),
    "a user": lambda source: source.user_status(USER),
    "the groups of a user": lambda source: source.groups_of(USER),
    "a group": lambda source: source.group("00g1"),
    "the System Log": lambda source: source.log_cursor(),
}
LISTS: Mapping[str, Callable[[OktaReader], object]] = {
    "app users": lambda source: list(source.app_users()),
    "app groups": lambda source: list(source.app_groups()),
    "groups": lambda source: list(source.groups()),
    "push mappings": lambda source: list(source.mappings()),
}
REFUSALS: Mapping[str, Reply] = {
    "401": Reply(okta_error("E0000011", "Invalid token provided"), 401),
    "401 for a feature": Reply(okta_error("E0000015", "no feature"), 401),
    "403": Reply(okta_error("E0000006", "no permission"), 403),
}
GONE = Reply(okta_error("E0000007", f"Not found: Resource not found: {APP} (AppInstance)"), 404)


def well(seen: Seen) -> Reply | None:
    """The answers to harmless reads of a connection that is well."""
    if seen.path == HARMLESS[0]:
        return Reply({"id": APP, "status": "ACTIVE"})
    return Reply([]) if seen.path == HARMLESS[1] else None


def error_of(okta: FakeOkta, question: Callable[[OktaReader], object]) -> SyncdError:
    with okta, reader(okta) as source, pytest.raises(SyncdError) as caught:
        question(source)
    return caught.value


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("question", OBJECTS)
def test_while_the_app_and_its_users_can_be_read_a_refusal_is_the_objects(
    question: str, refusal: str
) -> None:
    error = error_of(FakeOkta(lambda seen, _: well(seen) or REFUSALS[refusal]), OBJECTS[question])

    assert isinstance(error, AccessDenied)
    assert error.scope is Scope.OBJECT


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("question", LISTS)
def test_a_list_that_is_refused_alone_is_a_list_that_did_not_arrive(question: str, refusal: str) -> None:
    error = error_of(FakeOkta(lambda seen, _: well(seen) or REFUSALS[refusal]), LISTS[question])

    assert isinstance(error, IncompleteRead)
    assert (error.what, error.status) == (question, REFUSALS[refusal].status)
    assert error.hint


@pytest.mark.parametrize("refused", HARMLESS)
@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("question", [*OBJECTS, *LISTS])
def test_when_a_harmless_read_is_refused_too_it_is_the_connections(
    question: str, refusal: str, refused: str
) -> None:
    def script(seen: Seen, _: int) -> Reply:
        answer = well(seen)
        return REFUSALS[refusal] if answer is None or seen.path == refused else answer

    error = error_of(FakeOkta(script), {**OBJECTS, **LISTS}[question])

    assert isinstance(error, AccessDenied)
    assert (error.scope, error.status) == (Scope.CONNECTION, REFUSALS[refusal].status)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_of_the_app_is_the_connections_and_costs_one_request(refusal: str) -> None:
    okta = FakeOkta(lambda *_: REFUSALS[refusal])

    error = error_of(okta, OktaReader.application)

    assert isinstance(error, AccessDenied)
    assert error.scope is Scope.CONNECTION
    assert okta.paths() == [APP_PATH]


def test_an_app_that_is_gone_is_the_connections() -> None:
    refused = REFUSALS["403"]

    error = error_of(FakeOkta(lambda seen, _: GONE if seen.path == APP_PATH else refused), OBJECTS["a group"])

    assert isinstance(error, ConnectionSick)
    assert (error.side, error.status) == ("okta", 404)


def test_a_harmless_read_that_fails_otherwise_blames_nobody_else() -> None:
    refused = REFUSALS["403"]

    error = error_of(
        FakeOkta(lambda seen, _: Reply(b"", 500) if seen.path == APP_PATH else refused), OBJECTS["a group"]
    )

    assert isinstance(error, AccessDenied)
    assert error.scope is Scope.OBJECT


def test_one_look_decides_for_everybody_who_is_refused_for_a_minute() -> None:
    clock = FakeTime()
    with (
        FakeOkta(lambda seen, _: well(seen) or REFUSALS["403"]) as okta,
        reader(okta, fake_time=clock, parallel=4) as source,
    ):
        pages = list(source.members([f"00g{number}" for number in range(20)]))
        assert all(isinstance(page.failed, AccessDenied) for page in pages)
        assert [path for path in okta.paths() if path in HARMLESS] == HARMLESS
        clock.offset += 61
        with pytest.raises(AccessDenied):
            source.group("00g1")

    assert [path for path in okta.paths() if path in HARMLESS] == HARMLESS * 2


def test_a_token_that_is_revoked_right_after_one_objects_refusal_is_the_connections() -> None:
    revoked: list[bool] = []
    with (
        FakeOkta(lambda seen, _: (None if revoked else well(seen)) or REFUSALS["401"]) as okta,
        reader(okta) as source,
    ):
        with pytest.raises(AccessDenied) as first:
            source.group("00g1")
        revoked.append(True)
        with pytest.raises(AccessDenied) as second:
            source.group("00g2")

    assert (first.value.scope, second.value.scope) == (Scope.OBJECT, Scope.CONNECTION)
