"""What a server shows after a create is the result of it only if it is provably new, or ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncd.core.creation import Believed, Create, Disbelief, is_provably_ours, judge
from syncd.model import RemoteGroup, RemoteUser

SENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, NEW = SENT - timedelta(days=30), SENT + timedelta(seconds=1)
ANN = "ann@example.com"


def shown(
    name: str = ANN, external: str | None = None, created: datetime | None = None, **more: Any
) -> RemoteUser:
    more = {"modified": created, **more}
    return RemoteUser("u1", external, name, active=True, created=created, **more)


def verdict(
    remote: RemoteUser | RemoteGroup,
    *,
    name: str = ANN,
    status: int = 201,
    against: str | None = None,
    **more: Any,
) -> str:
    create = Create("00u1", name, status, more.pop("sent", SENT), **more)
    found = judge(create, remote, against=against)
    if isinstance(found, Believed):
        return "believed"
    return "stranger" if found.stranger else "cannot tell"


@pytest.mark.parametrize(
    ("remote", "status", "expected"),
    [
        (shown(external="00u1", created=NEW), 201, "believed"),
        (shown(external="00u1", created=NEW), 200, "believed"),
        (shown(external="00u1"), 201, "believed"),
        (shown(created=NEW), 200, "believed"),
        (shown(), 201, "believed"),
        (shown(name=""), 201, "believed"),
        (shown(external="00u1", created=OLD), 200, "believed"),
        (shown("ANN@example.com", external="00u1"), 201, "believed"),
        (shown("ANN@example.com", created=NEW), 201, "believed"),
        (shown("ann@example.com ", external="00u1", created=NEW), 201, "believed"),
        (shown("other@example.com", external="00u1", created=NEW), 201, "believed"),
        # somebody else's
        (shown(external="00u2", created=NEW), 201, "stranger"),
        (shown("other@example.com"), 201, "stranger"),
        (shown("other@example.com", external="00u1"), 201, "stranger"),
        (shown("other@example.com", created=NEW), 201, "stranger"),
        (shown(external="00u1", created=OLD, modified=NEW), 201, "stranger"),
        (shown(created=OLD, modified=NEW), 200, "stranger"),
        (shown("ANN@example.com", external="00u1", created=OLD, modified=NEW), 201, "stranger"),
        # cannot be told
        (shown(created=OLD), 201, "cannot tell"),
        (shown(), 200, "cannot tell"),
        (shown("ANN@example.com"), 201, "cannot tell"),
        (shown("ANN@example.com", external="00u1", created=OLD), 201, "cannot tell"),
        (shown("ann@example.com ", external="00u1"), 201, "cannot tell"),
    ],
)
def test_only_what_is_new_or_ours_is_believed(remote: RemoteUser, status: int, expected: str) -> None:
    assert verdict(remote, status=status) == expected


@pytest.mark.parametrize(
    "remote", [shown(external="00u1", created=NEW), shown(), shown("ANN@example.com", created=OLD)]
)
def test_an_id_that_is_tied_or_was_seen_before_is_never_new(remote: RemoteUser) -> None:
    assert verdict(remote, against="is tied to bob@example.com (00u2)") == "stranger"


def test_an_object_without_the_externalid_that_the_server_shows_of_others_is_not_believed() -> None:
    assert verdict(shown(), shows_external_id=True) == "cannot tell"
    assert verdict(shown(created=NEW), shows_external_id=True) == "cannot tell"
    assert verdict(shown(external="00u1", created=NEW), shows_external_id=True) == "believed"


def test_without_a_clock_age_says_nothing() -> None:
    assert verdict(shown(external="00u1", created=OLD, modified=NEW), sent=None) == "believed"
    assert verdict(shown(created=OLD), sent=None) == "believed"


def test_a_group_that_has_members_is_older_than_its_create() -> None:
    def group(*members: str, **more: Any) -> RemoteGroup:
        return RemoteGroup("g1", "00u1", ANN, frozenset(members), **more)

    assert verdict(group()) == "believed"
    assert verdict(group("x")) == "stranger"
    assert verdict(group("x", created=NEW)) == "stranger"


def test_the_reason_names_the_object_and_its_age() -> None:
    found = judge(Create("00u1", ANN, 201, SENT), shown(created=OLD), against=None)

    assert isinstance(found, Disbelief)
    assert found.reason == f'"{ANN}" (u1) was there before, made 2026-01-30 12:00:00 UTC'


def test_an_account_is_ours_to_take_back_only_under_our_mark_and_made_since() -> None:
    assert is_provably_ours(shown(external="00u1", created=NEW), "00u1", SENT)
    assert not is_provably_ours(shown(external="00u1", created=OLD), "00u1", SENT)
    assert not is_provably_ours(shown(external="00u1"), "00u1", SENT)
    assert not is_provably_ours(shown(created=NEW), "00u1", SENT)
