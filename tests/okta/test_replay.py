"""Okta, read once for several plans: the second is answered as the first was, and a second witness stays one."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.errors import SyncdError
from syncd.model import Absent, AppUser
from syncd.okta.replay import SharedReads
from tests.okta.fakes import FakeOkta, Reply, Seen, app_user_json, reader

PAGE = [
    app_user_json(1),
    {"id": "00u2"},
    app_user_json(3, profile={"email": "x", "big": 10**30, "list": [1, None]}),
]


def users(source: Any) -> list[Any]:
    listing = source.app_users()
    found = [(list(page.records), list(page.bad)) for page in listing]
    return [found, listing.proof]


def test_a_list_is_read_once_and_told_twice_and_asked_for_again_is_read_again() -> None:
    asked: list[str] = []

    def serve(seen: Seen, before: int) -> Reply:
        asked.append(seen.path)
        return Reply(PAGE if before == 0 else PAGE[:1])

    with FakeOkta(serve) as okta, reader(okta) as source, SharedReads(source) as shared:
        one, other = shared.source(), shared.source()
        first = users(one)
        assert users(other) == first
        assert len(asked) == 1
        second = users(one)
        assert users(other) == second

    assert len(asked) == 2
    assert len(first[0][0][0]) == 2
    assert len(second[0][0][0]) == 1


def test_the_second_may_go_on_where_the_first_stopped() -> None:
    with (
        FakeOkta(lambda seen, before: Reply(PAGE)) as okta,
        reader(okta) as source,
        SharedReads(source) as shared,
    ):
        next(iter(shared.source().app_users()))

        assert len(users(shared.source())[0]) == 1


def test_answers_by_id_and_refusals_are_told_again() -> None:
    def serve(seen: Seen, before: int) -> Reply:
        if "/users/00u1?" in seen.path:
            return Reply(app_user_json(1, id="00u1", _embedded=None))
        if "/users/" in seen.path:
            error = {"errorCode": "E0000007", "errorSummary": "Not found: Resource not found: 00u2 (AppUser)"}
            return Reply(error, status=404)
        return Reply({"errorCode": "E0000006", "errorSummary": "no"}, status=403)

    with FakeOkta(serve) as okta, reader(okta) as source, SharedReads(source) as shared:
        one, other = shared.source(), shared.source()
        told, counts = [], []
        for each in (one, other):
            found, gone = each.app_user("00u1"), each.app_user("00u2")
            assert isinstance(found, AppUser)
            assert isinstance(gone, Absent)
            with pytest.raises(SyncdError) as refused:
                each.group("00g1")
            told.append((found, gone, str(refused.value)))
            counts.append(sum(source.requests().values()))

    assert told[0] == told[1]
    assert counts[0] == counts[1]


def test_members_of_groups_are_read_once_each_whoever_asks_for_which() -> None:
    asked: list[str] = []

    def serve(seen: Seen, before: int) -> Reply:
        asked.append(seen.path.split("/")[-2])
        return Reply([{"id": f"00u{seen.path.split('/')[-2]}"}])

    with FakeOkta(serve) as okta, reader(okta) as source, SharedReads(source) as shared:
        one, other = shared.source(), shared.source()
        first = {page.group_id: list(page.user_ids) for page in one.members(["00g1", "00g2"])}
        second = {page.group_id: list(page.user_ids) for page in other.members(["00g2", "00g3"])}

    assert sorted(asked) == ["00g1", "00g2", "00g3"]
    assert first == {"00g1": ["00u00g1"], "00g2": ["00u00g2"]}
    assert second == {"00g2": ["00u00g2"], "00g3": ["00u00g3"]}
