"""The day on which syncd takes over from Okta's own push, as docs/migrate-from-okta-push.md tells it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import Rig, rig

PAGE = (Path(__file__).parents[2] / "docs" / "migrate-from-okta-push.md").read_text(encoding="utf-8")
PUSHING = ["PUSH_NEW_USERS", "PUSH_PROFILE_UPDATES", "PUSH_USER_DEACTIVATION", "GROUP_PUSH"]
TIES = {"adopt_user", "link_group"}
LINKED = '[[push_groups]]\nsource = { name = "Crew" }\naction = "link"\n'


@pytest.fixture
def pushed(tmp_path: Path) -> Iterator[Rig]:
    """Okta's push has written everybody and a group, with its ids; syncd knows nothing yet."""
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
    with rig(tmp_path / "old", users=0, groups=0, pushed=["Crew"]) as okta_push:
        world = okta_push.okta.world
        ids = [world.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(20)]
        world.create_group("Crew", members=ids[:8])
        okta_push.sync()
        for group in okta_push.split.world.groups.values():
            group.external_id = None  # the harder case: its name alone tells which it is
        shutil.rmtree(okta_push.store.parent)
        world.set_app(features=PUSHING)
        made = Rig(okta_push.okta, okta_push.split, tmp_path / "new", ["Crew"])
        made.write_config(rules=LINKED)
        made.forget()
        yield made


def switched_off(made: Rig) -> None:
    made.okta.world.set_app(features=[])


def summary(made: Rig) -> dict[str, int]:
    return {kind: count for kind, count in made.plan()["summary"].items() if count}


def differences(made: Rig) -> set[tuple[str, str]]:
    """What drift shows, without what nobody manages."""
    items = made.run("drift", "--json", code=None).document["items"]
    found = {(item["kind"], item["object"]["name"]) for item in items}
    return {(kind, name) for kind, name in found if not kind.startswith("unmanaged_")}


def one_writer(made: Rig) -> str:
    checks = made.run("check", "--json", code=None).document["checks"]
    [state] = [line["state"] for line in checks if line["name"] == "one writer"]
    return str(state)


def test_the_whole_day_of_the_page_step_by_step(pushed: Rig, tmp_path: Path) -> None:
    """Somebody left whom Okta's push never took out: mended before the switch, so that nobody is forgotten."""
    world, target = pushed.okta.world, pushed.split.world
    world.unassign("p05@example.com")
    assert one_writer(pushed) == "fail"
    assert ("wrongly_active_user", "p05@example.com") in differences(pushed)
    listed = pushed.run("groups", "--json").document["items"]
    assert "Crew" in {group["name"] for group in listed}
    target.set_active("p05@example.com", active=False)
    target.remove_member("Crew", "p05@example.com")
    assert differences(pushed) == set()
    assert pushed.writes() == []

    switched_off(pushed)
    assert one_writer(pushed) == "ok"
    assert set(summary(pushed)) == TIES
    pushed.forget()
    pushed.sync()
    assert pushed.writes() == []
    assert summary(pushed) == {}
    assert differences(pushed) == set()
    pushed.run("backup", str(tmp_path / "first"))
    pushed.assert_exact()


def test_beside_oktas_push_syncd_reads_and_refuses_to_write(pushed: Rig) -> None:
    checks = {
        line["name"]: line["state"] for line in pushed.run("check", "--json", code=None).document["checks"]
    }
    assert checks["one writer"] == "fail"
    assert pushed.run("drift", "--json").document["summary"] is not None
    assert set(summary(pushed)) == TIES

    pushed.run("sync", code=3)

    assert pushed.writes() == []


def test_drift_names_what_oktas_push_left_behind(pushed: Rig) -> None:
    world, target = pushed.okta.world, pushed.split.world
    world.add_user("new@example.com", "N", "ew", assign=True)
    world.update_profile("p03@example.com", lastName="Married")
    world.unassign("p05@example.com")
    target.edit_user("p07@example.com", name={"givenName": "Somebody", "familyName": "Else"})

    assert differences(pushed) == {
        ("missing_user", "new@example.com"),
        ("changed_user", "p03@example.com"),
        ("wrongly_active_user", "p05@example.com"),
        ("changed_user", "p07@example.com"),
        ("extra_member", "p05@example.com"),
    }
    assert pushed.writes() == []


def test_a_rule_that_would_create_the_group_that_is_there_is_skipped_with_the_way_out(pushed: Rig) -> None:
    pushed.write_config(rules='[[push_groups]]\nsource = { name = "Crew" }\n')
    switched_off(pushed)

    skipped = pushed.plan()["skipped"]

    assert any("link" in each["reason"] for each in skipped), skipped


def test_once_it_is_switched_off_the_plan_has_ties_only_and_the_sync_writes_nothing(pushed: Rig) -> None:
    switched_off(pushed)
    assert summary(pushed) == {"adopt_user": 20, "link_group": 1}

    result = pushed.sync()

    assert result["summary"]["applied"] == {"adopt_user": 20, "link_group": 1}
    assert pushed.writes() == []
    assert pushed.sync()["summary"]["applied"] == {}
    assert differences(pushed) == set()
    pushed.assert_exact()


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("touched", [False, True])
def test_the_proof_of_the_page_tells_a_plan_of_ties_from_another(pushed: Rig, touched: bool) -> None:
    switched_off(pushed)
    if touched:
        pushed.okta.world.update_profile("p03@example.com", lastName="Married")
    found = re.search(r"syncd plan --json \| (jq .*)\n", PAGE)
    assert found is not None

    text = pushed.run("plan", "--json").stdout
    done = subprocess.run(["bash", "-c", found[1]], input=text, capture_output=True, text=True, check=False)

    assert done.returncode == int(touched), done.stderr


def test_from_then_on_it_provisions_and_a_leaver_of_that_day_is_taken_out(pushed: Rig) -> None:
    switched_off(pushed)
    pushed.sync()
    pushed.okta.world.unassign("p04@example.com")
    pushed.okta.world.add_user("new@example.com", "N", "ew", assign=True)
    pushed.sync()
    pushed.assert_exact()


def test_whoever_left_before_the_switch_is_known_to_nobody_but_drift(pushed: Rig) -> None:
    pushed.okta.world.unassign("p05@example.com")
    switched_off(pushed)
    pushed.sync()

    assert ("wrongly_active_user", "p05@example.com") in differences(pushed)


def test_back_out_is_to_stop_and_to_switch_it_on_again(pushed: Rig) -> None:
    before = pushed.split.world.to_fixture()
    switched_off(pushed)
    pushed.sync()
    pushed.okta.world.set_app(features=PUSHING)

    pushed.run("sync", code=3)

    assert pushed.split.world.to_fixture() == before
    assert differences(pushed) == set()
