"""For each kind of what is left alone: what makes it be looked at again, and that it costs nothing until then."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.core.waiting import REMEMBERED
from syncd.engine.cycles.delta import follow
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import sync
from syncd.engine.reading.selection import Selection
from syncd.simulators.split import SplitKnobs
from syncd.simulators.world import OktaWorld, SplitWorld, default_split
from tests.chaos.arena import Arena, Death, arena, settings_for
from tests.e2e.test_delta import exact, one_delta, opened
from tests.e2e.test_waiting import failing, is_quiet, waits

ROOT = Path(__file__).parents[2]
SAFETY = 'max_deactivations = "90%"\nmax_member_removals = "90%"\nmax_member_removals_per_group = "90%"'


@contextmanager
def followed(
    tmp_path: Path,
    *,
    split: SplitWorld | None = None,
    knobs: SplitKnobs | None = None,
    tables: Mapping[str, str] | None = None,
) -> Iterator[Arena]:
    """Twelve people, six of them in a pushed group; synced and quiet."""
    okta = OktaWorld()
    people = [okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(12)]
    okta.create_group("push-crew", members=people[:6])
    both = {"safety": SAFETY, "rule": "rename = true", **(tables or {})}
    if (split or default_split()).flavor == "split":
        both["rule"] = ""
    with arena(tmp_path, okta, split=split, knobs=knobs, tables=both, attempts=2) as made:
        with opened(made) as job:
            follow(job)
            assert sync(job, Selection()).exit_code == 0
        one_delta(made, Seen())
        yield made


def kinds(made: Arena) -> list[str]:
    return sorted(each.kind for each in waits(made))


def test_every_kind_of_skip_stands_in_the_table_of_the_documentation() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "syncd").rglob("*.py"))
    said = set(re.findall(r'Skipped\(\s*"([a-z_]+)"', source)) | {"rejected"}
    page = (ROOT / "docs" / "how-it-works.md").read_text()
    table = page[page.index("### What is left alone") :].partition("\n## ")[0]
    first_column = "".join(row.split("|")[1] for row in table.splitlines() if row.startswith("|"))
    documented = set(re.findall(r"`([a-z_]+)`", first_column))
    assert said == documented
    assert set(REMEMBERED) <= documented


def test_a_refused_name_ends_with_another_name(tmp_path: Path) -> None:
    seen = Seen()
    with followed(tmp_path) as made:
        made.okta.world.create_group("push-a-name-that-is-much-too-long", members=["p09@example.com"])
        one_delta(made, seen)
        assert kinds(made) == ["refused_name"]
        made.later(timedelta(days=1))
        assert is_quiet(made)

        made.okta.world.rename_group("push-a-name-that-is-much-too-long", "push-short")
        one_delta(made, seen)

        assert kinds(made) == []
        assert made.split.world.members("push-short") == ["p09@example.com"]


def test_who_is_frozen_is_looked_at_when_the_log_names_them(tmp_path: Path) -> None:
    seen = Seen()
    with followed(tmp_path) as made:
        okta_id = made.okta.world.add_user("new@example.com", "New", "Hire", assign=True, status="STAGED")
        one_delta(made, seen)
        assert kinds(made) == ["frozen"]
        made.later(timedelta(days=1))
        assert is_quiet(made)

        made.okta.world.set_user_status(okta_id, "ACTIVE")
        one_delta(made, seen)

        assert kinds(made) == []
        assert exact(made)


def test_what_a_second_look_did_not_confirm_is_looked_at_again_in_time(tmp_path: Path) -> None:
    """A person's own list of groups lacks one, and the second look is forbidden."""
    with followed(tmp_path) as made:
        own_list = r"/users/[^/]+/groups"
        made.okta.faults.add("empty_page", path=own_list, count=1)
        made.okta.faults.add("status", path=own_list, nth=2, count=1, status=403)
        made.okta.world.update_profile("p02@example.com", nickName="Pat")
        one_delta(made, Seen())
        assert kinds(made) == ["refused", "unconfirmed"]
        assert exact(made)
        made.okta.world.remove_member("push-crew", "p02@example.com")
        made.okta.world.events.clear()
        assert is_quiet(made)
        made.later(timedelta(minutes=2))

        one_delta(made, Seen())

        assert kinds(made) == []
        assert exact(made)


def test_what_nobody_could_settle_is_asked_for_again_in_time(tmp_path: Path) -> None:
    """Dead after a write was sent; at the next start Split answers nothing about that account."""
    with followed(tmp_path) as made:
        made.okta.world.update_profile("p03@example.com", lastName="Married")
        assert made.cycle(death=Death("send", 1, after=True)).killed
        scim_id = made.split.world.user("p03@example.com").id
        made.split.faults.add("status", method="GET", path=f"/Users/{scim_id}", count=-1, status=503)
        made.okta.world.update_profile("p04@example.com", lastName="Other")
        made.cycle()
        one_delta(made, Seen())
        assert kinds(made) == ["unsettled"]
        assert is_quiet(made)
        made.split.reset_faults()
        made.later(timedelta(minutes=2))

        one_delta(made, Seen())

        assert kinds(made) == []
        assert exact(made)
        assert is_quiet(made)


def test_who_is_the_last_of_a_protected_group_is_looked_at_in_time(tmp_path: Path) -> None:
    """One comes and one goes, and the one who comes cannot be added: the guard at the write keeps the last one."""
    seen = Seen()
    okta = OktaWorld()
    for number in range(12):
        okta.add_user(f"p{number:02}@example.com", "P", f"{number:02}", assign=True)
    okta.create_group("Administrators", members=["p00@example.com"])
    tables = {"safety": SAFETY, "source": 'source = { name = "Administrators" }', "rule": 'action = "link"'}
    with arena(tmp_path, okta, tables=tables, attempts=2) as made:
        with opened(made) as job:
            follow(job)
            assert sync(job, Selection()).exit_code == 0
        one_delta(made, seen)
        for method in ("PATCH", "PUT"):
            made.split.faults.add("status", method=method, path="/Groups/", count=-1, status=400)
        okta.add_member("Administrators", "p01@example.com")
        okta.remove_member("Administrators", "p00@example.com")
        one_delta(made, seen)
        assert kinds(made) == ["last_member"]
        assert "p00@example.com" in made.split.world.members("Administrators")
        assert is_quiet(made)
        made.split.reset_faults()
        made.later(timedelta(minutes=2))

        one_delta(made, seen)

        assert "p00@example.com" not in made.split.world.members("Administrators")
        assert "p01@example.com" in made.split.world.members("Administrators")
        assert kinds(made) == []


def test_a_group_that_no_rule_names_is_looked_at_when_it_is_renamed(tmp_path: Path) -> None:
    seen = Seen()
    with followed(tmp_path) as made:
        made.okta.world.create_group("other", members=["p09@example.com"])
        one_delta(made, seen)
        made.later(timedelta(days=1))
        assert is_quiet(made)

        made.okta.world.rename_group("other", "push-other")
        one_delta(made, seen)

        assert exact(made)


def test_the_end_of_a_grace_needs_nobody_to_tell(tmp_path: Path) -> None:
    seen = Seen()
    with followed(tmp_path, tables={"provisioning": 'deactivation_grace = "2h"'}) as made:
        made.okta.world.unassign("p09@example.com")
        one_delta(made, seen)
        made.later(timedelta(hours=1))
        assert is_quiet(made)
        made.later(timedelta(hours=2))

        one_delta(made, seen)

        assert not made.split.world.user("p09@example.com").active
        assert is_quiet(made)


@pytest.mark.parametrize("switch", ["create_users", "update_users", "deactivate_users"])
def test_what_a_setting_leaves_out_is_done_by_the_full_cycle_that_its_change_brings(
    tmp_path: Path, switch: str
) -> None:
    seen = Seen()
    with followed(tmp_path, tables={"provisioning": f"{switch} = false"}) as made:
        world = made.okta.world
        if switch == "create_users":
            world.add_user("new@example.com", "New", "Hire", assign=True)
        elif switch == "update_users":
            world.update_profile("p03@example.com", lastName="Married")
        else:
            world.unassign("p09@example.com", everywhere=True)
        one_delta(made, seen)
        assert not exact(made)
        made.later(timedelta(days=1))
        assert is_quiet(made)

        made.settings = settings_for(
            tmp_path, made.okta, made.split, {"safety": SAFETY, "provisioning": f"{switch} = true"}
        )
        made.cycle(full=True)
        if made.holds():  # what other settings would remove is asked first
            made.decide("approve")
            made.cycle()

        assert exact(made)
        assert kinds(made) == []


def test_a_failure_and_a_rejection_have_a_time_and_a_word_of_their_own(tmp_path: Path) -> None:
    seen = Seen()
    with followed(tmp_path) as made:
        made.split.faults.add("status", method="POST", path="/Users", count=1, status=400)
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        one_delta(made, seen)
        assert failing(made) == ["new@example.com"]
        assert kinds(made) == []
        assert is_quiet(made)
        made.later(timedelta(minutes=2))
        one_delta(made, seen)
        assert exact(made)
