"""Two people in Okta with one address: what is said is what is done."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.rig import Rig, rig


def second_with_the_address_of(made: Rig, address: str) -> str:
    user = made.okta.world.add_user("second@example.com", "Sec", "Ond", assign=True)
    made.okta.world.update_profile("second@example.com", email=address, directory=False)
    return str(user)


def test_whoever_has_the_account_goes_on_being_managed_and_only_the_newcomer_is_left_out(
    tmp_path: Path,
) -> None:
    with rig(tmp_path, users=0, groups=0, pushed=["Crew"]) as made:
        made.okta.world.add_user("ann@example.com", "Ann", "A", assign=True)
        made.okta.world.create_group("Crew", members=["ann@example.com"])
        made.sync()
        second_with_the_address_of(made, "ann@example.com")
        made.okta.world.update_profile("ann@example.com", givenName="Anna")

        result = made.sync()

        [skip] = result["skipped"]
        assert skip["kind"] == "conflict"
        assert "neither is changed" not in skip["reason"]
        assert (
            "whoever has an account of that name already keeps it, and goes on being managed"
            in skip["reason"]
        )
        assert made.actual_people() == {"ann@example.com": ("Anna", "A")}


def test_of_two_newcomers_each_is_left_out(tmp_path: Path) -> None:
    with rig(tmp_path, users=0, groups=0, pushed=[]) as made:
        made.okta.world.add_user("ann@example.com", "Ann", "A", assign=True)
        second_with_the_address_of(made, "ann@example.com")

        result = made.sync()

        assert [skip["kind"] for skip in result["skipped"]] == ["conflict", "conflict"]
        assert made.actual_people() == {}
