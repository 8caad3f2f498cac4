"""The documents that real stores give, after real runs: what the server makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncd.service.cards import overview
from syncd.service.health import not_ready
from syncd.service.metrics import metrics
from syncd.service.page import status_page
from tests.e2e.rig import Rig, rig
from tests.service.showing import Shown


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, users=0, groups=0, pushed=[]) as made:
        for number in range(40):
            made.okta.world.add_user(f"p{number:02}@example.com", "P", f"{number:02}", assign=True)
        yield made


class At(Shown):
    """What the rig's store says, at the moment it says it."""

    def __init__(self, made: Rig) -> None:
        super().__init__([made.run("status", "--json").document])

    def told(self) -> tuple[str, list[str], tuple[str, ...]]:
        view = self.view()
        found = overview(view)
        assert found.cards[0].name in status_page(view).html
        return found.cards[0].state, [concern.what for concern in found.concerns], not_ready(view)


def test_before_the_first_sync(acme: Rig) -> None:
    assert At(acme).told() == (
        "never_synced",
        ["Never synced yet"],
        ("acme: Okta was never read completely",),
    )


def test_after_a_good_one(acme: Rig) -> None:
    acme.sync()
    shown = At(acme)

    assert shown.told() == ("well", [], ())
    [card] = overview(shown.view()).cards
    assert [(run.kind, run.status, run.applied) for run in card.runs] == [("full", "succeeded", 40)]
    page = metrics(shown.view())[0].decode()
    assert 'syncd_managed_objects{connection="acme",kind="active_users"} 40.0' in page


def test_with_changes_held_and_an_object_that_fails(acme: Rig) -> None:
    acme.sync()
    for number in range(24):
        acme.okta.world.unassign(f"p{number:02}@example.com")
    acme.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    acme.split.faults.add("status", method="POST", path="/Users", count=-1, status=400)
    acme.sync(code=None)

    shown = At(acme)
    state, concerns, reasons = shown.told()
    assert (state, concerns, reasons) == ("failing", ["1 object fails", "24 changes are held"], ())
    page = metrics(shown.view())[0].decode()
    assert 'syncd_held_changes{connection="acme"} 24.0' in page
    assert 'syncd_quarantined_objects{connection="acme"} 1.0' in page


def test_with_a_revoked_token(acme: Rig) -> None:
    acme.sync()
    acme.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    acme.split.world.regenerate_token("another-token-entirely")
    acme.sync(code=1)

    shown = At(acme)
    view = shown.view()
    assert overview(view).cards[0].state == "quarantined"
    assert 'syncd_connection_quarantined{connection="acme"} 1.0' in metrics(view)[0].decode()
    [reason] = not_ready(view)
    assert reason.startswith(f"acme: quarantined since {datetime.now(UTC):%Y}")


def test_with_okta_down(acme: Rig) -> None:
    acme.sync()
    acme.okta.faults.add("status", count=-1, status=400)
    acme.sync(code=1)

    state, [concern], reasons = At(acme).told()
    assert (state, reasons) == ("failing", ())
    assert concern.startswith("The last full run failed")
