"""A saved plan is applied exactly, or refused as stale before the first write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import Rig, rig


@pytest.fixture
def planned(tmp_path: Path) -> Iterator[tuple[Rig, Path]]:
    """A plan with an update, a create, a deactivation and a membership in each direction."""
    with rig(tmp_path, users=30, groups=4) as made:
        world = made.okta.world
        loner = world.add_user("loner@example.com", "Lo", "Ner", assign=True)
        mover = world.add_user("mover@example.com", "Mo", "Ver", assign=True, groups=["Product"])
        world.add_user("joiner@example.com", "Joi", "Ner", assign=True)
        made.sync()
        world.unassign(loner)
        world.update_profile(mover, lastName="Moved")
        world.remove_member("Product", mover)
        world.add_member("Product", "joiner@example.com")
        world.add_user("fresh@example.com", "Fre", "Sh", assign=True)
        file = tmp_path / "the.plan"
        made.run("plan", "-o", str(file))
        made.forget()
        yield made, file


def kinds(file: Path) -> set[str]:
    return {change["kind"] for change in json.loads(file.read_text())["changes"]}


def test_a_saved_plan_is_applied_exactly_and_what_came_later_waits(planned: tuple[Rig, Path]) -> None:
    made, file = planned
    assert kinds(file) == {"create_user", "update_user", "deactivate_user", "add_member", "remove_member"}
    assert file.stat().st_mode & 0o777 == 0o600
    later = made.okta.world.add_user("later@example.com", "La", "Ter", assign=True)

    result = made.run("apply", str(file), "--json").document

    assert sum(result["summary"]["applied"].values()) == 5
    assert "later@example.com" not in made.actual_people()
    assert later
    made.sync()
    made.assert_exact()


def _undo_in_okta(made: Rig) -> None:
    made.okta.world.assign("loner@example.com")


def _edit_at_target(made: Rig) -> None:
    made.split.world.edit_user("mover@example.com", name={"givenName": "Mo", "familyName": "Tampered"})


def _join_at_target(made: Rig) -> None:
    user = made.split.world.user("joiner@example.com")
    made.split.world.add_member("Product", user.id)


def _appear_at_target(made: Rig) -> None:
    made.split.world.create_local_user("fresh@example.com")


def _other_settings(made: Rig) -> None:
    made.write_config(provisioning='suspended_users = "deactivate"')


@pytest.mark.parametrize(
    "move", [_undo_in_okta, _edit_at_target, _join_at_target, _appear_at_target, _other_settings]
)
def test_a_plan_whose_objects_moved_is_refused_before_the_first_write(
    planned: tuple[Rig, Path], move: Callable[[Rig], None]
) -> None:
    made, file = planned
    move(made)
    made.forget()

    answer = made.run("apply", str(file), "--json", code=3)

    assert "stale" in answer.document["errors"][0]["message"]
    assert made.writes() == []


def test_an_edited_plan_is_refused(planned: tuple[Rig, Path]) -> None:
    made, file = planned
    file.write_text(file.read_text().replace("loner@example.com", "admin@example.com"))
    answer = made.run("apply", str(file), "--json", code=3)
    assert "edited" in answer.document["message"]
    assert made.writes() == []


def test_applying_a_saved_plan_is_no_complete_read(tmp_path: Path) -> None:
    with rig(tmp_path, users=6, groups=2) as made:
        file = tmp_path / "the.plan"
        made.run("plan", "-o", str(file))
        made.run("apply", str(file))

        assert made.run("status", "--json").document["last_complete_read"] is None
        made.sync()
        assert made.run("status", "--json").document["last_complete_read"]
        made.assert_exact()


def test_a_plan_is_applied_once(planned: tuple[Rig, Path]) -> None:
    made, file = planned
    made.run("apply", str(file), "--json")
    made.forget()
    made.run("apply", str(file), "--json", code=3)
    assert made.writes() == []


def test_without_a_terminal_apply_needs_yes(planned: tuple[Rig, Path]) -> None:
    made, _ = planned
    made.run("apply", code=64)
    assert made.writes() == []
    made.run("apply", "--yes")
    made.assert_exact()
