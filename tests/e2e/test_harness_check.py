"""What `syncd check` says of a Harness account: its rights one by one, and nothing that holds for Split alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_harness import at_harness

RIGHTS = ("view users", "manage users", "view groups", "manage groups")


def lines(made: object, code: int = 0) -> dict[str, dict[str, str]]:
    document = made.run("check", "--json", code=code).document  # type: ignore[attr-defined]
    return {line["name"]: line for line in document["checks"]}


def test_a_token_with_every_right_is_told_so_one_by_one_and_nothing_is_changed(tmp_path: Path) -> None:
    with at_harness(tmp_path, people=3, names=("Eng",)) as made:
        before = made.split.world.to_fixture()
        said = lines(made)
        assert {said[f"right to {right}"]["state"] for right in RIGHTS} == {"ok"}
        assert said["right to invite"]["state"] == "info"
        assert said["push groups"]["state"] == "ok"
        assert made.split.world.to_fixture() == before


@pytest.mark.parametrize("right", RIGHTS)
def test_a_missing_right_is_named_and_what_needs_it_is_not_ready(tmp_path: Path, right: str) -> None:
    with at_harness(tmp_path, people=3, names=("Eng",)) as made:
        verb, _, what = right.partition(" ")
        made.split.set_knobs(missing_rights=[f"{what[:-1]}_{verb}"])
        said = lines(made, code=1)
        if right != "view users":  # without that not even the list answers, and nothing more is asked
            assert said[f"right to {right}"]["state"] == "fail"
            assert "lacks" in said[f"right to {right}"]["detail"]
        assert said["push groups"]["state"] == "fail"


def test_nothing_is_said_of_a_year_or_of_letter_case(tmp_path: Path) -> None:
    with at_harness(tmp_path, people=3, names=()) as made:
        made.write_config(split="token_created = 2020-01-01")
        answer = made.run("check", "--json")
        lowered = answer.stdout.lower()
        assert "one year" not in lowered
        assert "letter case" not in lowered
        assert "sso strict" not in lowered
        assert "split.token_created: says nothing at harness" in lowered
        assert made.run("status", "--json").document["token"] is None
