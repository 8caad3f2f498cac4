"""Finding: a hit is compared, an empty answer is no proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from syncd.errors import IncompleteRead
from tests.scim.conftest import Bench, MakeTarget
from tests.scim.scripted import Reply, Script, ScriptedServer, Seen, listing, problem

Serve = Callable[[Script], ScriptedServer]
MakeBench = Callable[..., Bench]
CROWD = [{"id": str(n), "userName": f"p{n}@example.com", "externalId": f"00u{n}"} for n in range(150)]


def crowd(seen: Seen, records: Sequence[dict[str, Any]] = CROWD) -> Reply:
    start = int(seen.query.get("startIndex", "1"))
    return listing(records[start - 1 : start + 99], len(records))


def test_our_external_id_is_found_with_one_request(bench: MakeBench) -> None:
    made = bench()
    ann, _ = made.people("ann", "bob")

    found = made.target.find_users(okta_id="00uann", user_name="other@example.com")

    assert [user.scim_id for user in found] == [ann]
    assert made.spent() == ["GET 200"]


def test_a_name_that_differs_in_case_is_a_candidate(bench: MakeBench) -> None:
    made = bench()
    (ann,) = made.people("ann")

    found = made.target.find_users(okta_id="00uNEW", user_name="Ann@Example.com")

    assert [(user.scim_id, user.user_name) for user in found] == [(ann, "ann@example.com")]


def test_nobody_is_found_where_nobody_is(bench: MakeBench) -> None:
    made = bench()
    made.people("ann")

    assert list(made.target.find_users(okta_id="00ubob", user_name="bob@example.com")) == []


@pytest.mark.parametrize(
    "knobs",
    [
        {"filter_mode": "ignored"},
        {"filter_mode": "ignored", "max_count": 3},
        {"filter_mode": "no_match_404"},
        {"filter_mode": "unsupported_404"},
        {"filter_mode": "unsupported_400"},
        {"filter_mode": "unsupported_501"},
        {"filter_regex": True},
        {"filter_external_id": False},
        {"cursor_paging": True, "filter_mode": "ignored", "max_count": 3},
    ],
    ids=str,
)
def test_every_kind_of_filter_finds_the_right_one(knobs: dict[str, Any], bench: MakeBench) -> None:
    made = bench(**knobs)
    people = made.people(*(f"p{n}" for n in range(9)))
    if knobs.get("filter_mode") == "unsupported_404":
        # Told from "no hit" by nobody: the planner then creates, and the conflict finds the user.
        return

    for name, okta_id in (("p4", "00up4"), ("p5", "00uNEW")):
        found = made.target.find_users(okta_id=okta_id, user_name=f"{name}@example.com")
        assert [user.scim_id for user in found] == [people[int(name[1:])]]
    assert list(made.target.find_users(okta_id="00uX", user_name="p@example.com")) == []


def test_a_filter_that_is_a_pattern_never_yields_a_stranger(serve: Serve, make_target: MakeTarget) -> None:
    stranger = {"id": "1", "userName": "annxlee@e.com"}

    def script(seen: Seen) -> Reply:
        if seen.query.get("startIndex") != "1":
            return listing([], 1)
        return listing([] if "externalId" in seen.query.get("filter", "") else [stranger])

    target = make_target(serve(script).base_url)

    assert list(target.find_users(okta_id="00u1", user_name="ann.lee@e.com")) == []


def test_ignored_filters_are_remembered_and_the_list_is_walked_instead(
    serve: Serve, make_target: MakeTarget
) -> None:
    server = serve(crowd)
    target = make_target(server.base_url)

    first = target.find_users(okta_id="00u140", user_name="p140@example.com")
    server.forget()
    second = target.find_users(okta_id="00uX", user_name="P141@example.com")

    assert [user.scim_id for user in (*first, *second)] == ["140", "141"]
    assert all("filter" not in seen.query for seen in server.seen)
    assert len(server.seen) == 3


def test_absence_is_not_claimed_where_it_cannot_be_told(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(lambda _seen: listing(CROWD[:20], 20))

    with pytest.raises(IncompleteRead, match="absence cannot be told"):
        make_target(server.base_url).find_users(okta_id="00uX", user_name="nobody@example.com")


def test_an_odd_name_that_a_filter_refuses_does_not_condemn_the_filter(
    serve: Serve, make_target: MakeTarget
) -> None:
    def script(seen: Seen) -> Reply:
        if '\\"' in seen.query.get("filter", ""):
            return problem(400, "invalidFilter")
        return listing([], 0)

    server = serve(script)
    target = make_target(server.base_url)
    target.find_users(okta_id="00u1", user_name='odd"name@e.com')
    server.forget()

    target.find_users(okta_id="00u2", user_name="plain@e.com")

    assert [seen.query["filter"] for seen in server.seen] == [
        'externalId eq "00u2"',
        'userName eq "plain@e.com"',
    ]


def test_a_filter_that_fails_with_500_is_worked_around(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(lambda seen: Reply(500) if "filter" in seen.query else crowd(seen))

    found = make_target(server.base_url).find_users(okta_id="00uX", user_name="p7@example.com")

    assert [user.scim_id for user in found] == ["7"]


@pytest.mark.parametrize("folds", [True, False])
def test_whether_a_search_finds_other_letters_is_tried_once_with_a_name_that_is_there(
    folds: bool, bench: MakeBench, make_target: MakeTarget
) -> None:
    made = bench(case_sensitive=not folds)
    made.people("ann")

    answers = [made.target.search_is_whole(f"p{number}@example.com") for number in range(3)]
    later = make_target(made.simulator.base_url, learned=made.target.learned())

    assert answers == [folds] * 3
    assert later.search_is_whole("other@example.com") is folds
    assert made.spent() == ["GET 200"] * (3 if folds else 2), "the list, other letters, an externalId"


def test_a_filter_that_folds_letters_is_not_asked_twice_for_one_name(bench: MakeBench) -> None:
    made = bench(case_sensitive=False)
    made.people("ann")
    made.target.search_is_whole("Bea@example.com")
    made.spent()

    made.target.find_users(okta_id="00uNEW", user_name="Bea@example.com")

    assert made.spent() == ["GET 200", "GET 200"]


def test_letters_beyond_ascii_are_left_to_the_list(bench: MakeBench) -> None:
    made = bench(case_sensitive=False)
    made.people("ann")

    assert made.target.search_is_whole("ann@example.com")
    assert not made.target.search_is_whole("jürgen@example.com")


def test_where_nobody_is_nothing_is_learned(bench: MakeBench) -> None:
    made = bench()

    assert not made.target.search_is_whole("ann@example.com")
    assert not any("folds" in key for key in made.target.learned())


def test_where_filters_are_ignored_the_list_is_compared_in_any_letters_anyway(
    serve: Serve, make_target: MakeTarget
) -> None:
    target = make_target(serve(crowd).base_url)

    assert [user.scim_id for user in target.find_users(okta_id="00uX", user_name="P7@Example.com")] == ["7"]
    assert target.search_is_whole("p8@example.com")


def test_a_crowd_that_answers_every_filter_is_no_proof_that_it_folds(
    serve: Serve, make_target: MakeTarget
) -> None:
    target = make_target(serve(crowd).base_url)

    target.search_is_whole("p8@example.com")

    assert not any("folds" in key for key in target.learned())


def test_groups_are_found_by_either_mark_none_one_or_many(bench: MakeBench) -> None:
    made = bench(duplicates="twin")
    first = made.target.create_group("00g1", "Eng").scim_id
    second = made.world.create_local_group("Eng")

    assert list(made.target.find_groups(okta_id="00gX", name="Ops")) == []
    assert {group.scim_id for group in made.target.find_groups(okta_id="00gX", name="Eng")} == {first, second}
    assert [group.scim_id for group in made.target.find_groups(okta_id="00g1", name="Ops")] == [first]


def test_a_group_name_is_compared_exactly(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(lambda _seen: listing([{"id": "1", "displayName": "eng"}]))

    with pytest.raises(IncompleteRead):
        make_target(server.base_url).find_groups(okta_id="00g1", name="Eng")


TITLED = [{"id": str(n), "userName": f"p{n}@example.com", "title": f"T{n}"} for n in range(3)]


@pytest.mark.parametrize(
    ("answers", "finds"),
    [
        (lambda value: [each for each in TITLED if each["title"] == value], True),
        (lambda _: [], False),
        (lambda _: TITLED, True),
    ],
    ids=["a filter that works", "one that finds nobody", "one that is ignored, with the right one in sight"],
)
def test_a_filter_on_an_attribute_is_believed_once_it_was_seen_to_find_somebody(
    answers: Callable[[str], Sequence[dict[str, Any]]], finds: bool, serve: Serve, make_target: MakeTarget
) -> None:
    def answer(seen: Seen) -> Reply:
        asked = seen.query.get("filter", "")
        found = answers(asked.split('"')[1]) if asked else TITLED
        return listing(found, len(found))

    made = make_target(serve(answer).base_url, attribute_paths=("userName", "title"))

    assert made.finds_by("title") is finds
    assert made.learned()["filter:users.title:works"] == ("yes" if finds else "no")


def test_an_attribute_that_nobody_on_the_first_page_has_proves_nothing(
    serve: Serve, make_target: MakeTarget
) -> None:
    made = make_target(
        serve(lambda seen: listing(CROWD[:3], 3)).base_url, attribute_paths=("userName", "title")
    )

    assert made.finds_by("title") is False
    assert "filter:users.title:works" not in made.learned()


def test_who_has_the_value_is_found_beside_who_has_the_name(serve: Serve, make_target: MakeTarget) -> None:
    people = [*TITLED, {"id": "9", "userName": "ann@example.com"}]
    asked: list[str] = []

    def answer(seen: Seen) -> Reply:
        attribute, _, rest = seen.query["filter"].partition(" eq ")
        asked.append(attribute)
        value = rest.strip('"')
        found = [each for each in people if each.get(attribute) == value]
        return listing(found, len(found))

    made = make_target(serve(answer).base_url, attribute_paths=("userName", "title"))
    found = made.find_users(okta_id="00u1", user_name="ann@example.com", also=[("title", "T1")])

    assert [user.scim_id for user in found] == ["9", "1"]
    assert asked == ["externalId", "userName", "title"]
