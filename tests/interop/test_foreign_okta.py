"""The whole job against an Okta that we did not model our reader on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import OKTA_TOKEN, Rig, rig
from tests.interop.foreign_okta import ForeignOkta, serving


def _people(count: int) -> dict[str, dict[str, str]]:
    return {
        f"00u{number:03}": {"email": f"f{number}@example.com", "givenName": "F", "familyName": f"N{number}"}
        for number in range(count)
    }


@contextmanager
def foreign(tmp_path: Path, okta: ForeignOkta) -> Iterator[Rig]:
    okta.assigned = _people(17)
    okta.groups = {
        "00gA": ("Alpha", set(list(okta.assigned)[:8])),
        "00gB": ("Beta", {"00u001", "00uSTRANGER"}),
    }
    okta.token = OKTA_TOKEN
    with serving(okta), rig(tmp_path, users=0, groups=0, pushed=[]) as made:
        made.write_config(
            rules='[[push_groups]]\nsource = { name = "Alpha" }\n[[push_groups]]\nsource = { id = "00gB" }'
        )
        text = made.config.read_text()
        text = text.replace(made.okta.url, okta.url).replace(made.okta.world.app.id, okta.app_id)
        made.config.write_text(text)
        yield made


def _exact(made: Rig, okta: ForeignOkta) -> None:
    emails = {user_id: profile["email"] for user_id, profile in okta.assigned.items()}
    assert set(made.actual_people()) == set(emails.values())
    world = made.split.world
    for name, members in okta.groups.values():
        assert world.members(name) == sorted(emails[each] for each in members if each in emails)


@pytest.mark.parametrize("embed", [True, False])
@pytest.mark.parametrize("stamps", [True, False])
@pytest.mark.parametrize("status_404", ["AppUser", "User"])
def test_people_and_groups_arrive_change_and_leave(
    tmp_path: Path, *, embed: bool, stamps: bool, status_404: str
) -> None:
    okta = ForeignOkta(embed=embed, stamps=stamps, status_404=status_404)
    with foreign(tmp_path, okta) as made:
        made.sync()
        _exact(made, okta)
        made.forget()
        made.sync()
        assert made.writes() == []

        okta.assigned["00u003"]["email"] = "renamed@example.com"
        del okta.assigned["00u016"]
        okta.assigned["00u099"] = {"email": "new@example.com", "givenName": "N", "familyName": "W"}
        okta.groups["00gA"][1].discard("00u001")
        okta.groups["00gA"][1].add("00u099")
        made.sync("--full")
        _exact(made, okta)


def test_tiny_buckets_are_waited_for_and_never_overrun_for_long(tmp_path: Path) -> None:
    okta = ForeignOkta(bucket=6)
    with foreign(tmp_path, okta) as made:
        made.sync()
        _exact(made, okta)
        assert okta.refused <= 3


def test_check_passes_without_rate_limit_headers(tmp_path: Path) -> None:
    okta = ForeignOkta()
    with foreign(tmp_path, okta) as made:
        document = made.run("check", "--json", code=None).document
        failed = [check for check in document["checks"] if check["state"] == "fail"]
        assert failed == []


def test_a_targeted_sync_works_too(tmp_path: Path) -> None:
    okta = ForeignOkta()
    with foreign(tmp_path, okta) as made:
        made.sync("--user", "00u001")
        assert set(made.actual_people()) == {"f1@example.com"}


@pytest.mark.parametrize("confused", [{"id": "00u004"}, {"profile": "?"}, {"status": ["?"]}, {"id": None}])
def test_a_record_that_nobody_can_read_by_id_freezes_that_person(
    tmp_path: Path, confused: dict[str, Any]
) -> None:
    okta = ForeignOkta()
    with foreign(tmp_path, okta) as made:
        made.sync()
        made.forget()
        okta.assigned["00u003"]["email"] = "renamed@example.com"
        okta.confused = confused

        result = made.sync("--user", "f3@example.com")

        assert [(skip["kind"], skip["okta_id"]) for skip in result["skipped"]] == [("frozen", "00u003")]
        assert made.writes() == []
