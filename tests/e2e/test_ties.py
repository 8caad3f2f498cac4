"""One person is settled by hand: `link --user` ties them to an account, `unlink --user` forgets that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.engine.facts import TIES
from syncd.settings import load
from syncd.simulators.split_entities import ScimUser
from syncd.wiring import open_for_writing
from tests.e2e.rig import Rig, crew
from tests.schema.judging import problems

NAME, THEIRS = "mixed.case@example.com", "Mixed.Case@example.com"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    """Ten people at the target; one more is left out, because an account differs only in letter case."""
    with crew(tmp_path, people=10, members=4) as rigged:
        world = rigged.okta.world
        rigged.split.world.create_local_user(THEIRS)
        world.add_user(NAME, "Mixed", "Case", assign=True)
        world.add_member("Crew", NAME)
        rigged.sync()
        rigged.forget()
        yield rigged


def account(made: Rig, name: str) -> ScimUser:
    return made.split.world.user(name)


def skipped(made: Rig) -> dict[str, Any]:
    return {item["object"]: item for item in made.run("skipped", "--json").document["items"]}


def test_an_account_in_other_letters_is_adopted_once_a_person_says_so(made: Rig) -> None:
    before = account(made, THEIRS).id

    answer = made.run("link", "--user", NAME, "--yes", "--json", "--reason", "the same person, asked her")

    assert problems(answer.document) == []
    assert answer.document["summary"]["applied"] == {"adopt_user": 1, "add_member": 1}
    assert account(made, NAME).id == before
    made.assert_exact()
    assert skipped(made) == {}
    decisions = made.run("report", "--format", "json").document["decisions"]
    assert ("link", "the same person, asked her") in [(row["decision"], row["reason"]) for row in decisions]
    assert made.sync()["summary"]["applied"] == {}


def test_both_sides_and_what_would_change_are_shown_before_anything_is_asked(made: Rig) -> None:
    answer = made.run("link", "--user", NAME, "--yes")

    shown = answer.stdout
    assert f"{NAME} and the account {THEIRS}  (the same userName but for letter case)" in shown
    assert shown.index("at the target") < shown.index("adopt")
    assert "asked for by" in shown


def test_without_a_terminal_nothing_is_done_unasked(made: Rig) -> None:
    made.run("link", "--user", NAME, code=64)

    assert made.writes() == []


def test_an_account_under_another_address_is_found_by_its_e_mail_or_named(made: Rig) -> None:
    old = made.split.world.create_local_user("old.name@example.com")
    made.okta.world.add_user("new.name@example.com", "New", "Name", assign=True)

    refused = made.run("link", "--user", "new.name@example.com", "--yes", code=64)
    assert "no account at the target looks like new.name@example.com" in refused.stderr
    made.run("link", "--user", "new.name@example.com", "old.name@example.com", "--yes")

    assert account(made, "new.name@example.com").id == old
    assert account(made, "new.name@example.com").external_id


def test_who_was_released_is_given_back_by_the_same_command(made: Rig) -> None:
    made.run("release", "p00@example.com")
    made.sync()
    before = account(made, "p00@example.com").id
    made.okta.world.update_profile("p00@example.com", lastName="Renamed")

    result = made.run("link", "--user", "p00@example.com", "--yes", "--json").document

    assert result["summary"]["applied"]["adopt_user"] == 1
    assert account(made, "p00@example.com").id == before
    assert "p00@example.com" not in skipped(made)
    made.okta.world.update_profile("p00@example.com", lastName="Again")
    made.sync()
    made.run("link", "--user", NAME, "--yes")
    made.assert_exact()


def test_somebody_elses_account_is_refused(made: Rig) -> None:
    taken = made.run("link", "--user", NAME, "p00@example.com", "--yes", code=3)
    assert "p00@example.com is the account of p00@example.com" in taken.stderr

    made.okta.world.add_user("other@example.com", "O", "Ther", assign=True)
    with made.split.world.lock:
        account(made, THEIRS).attributes["externalId"] = made.okta.world.user("other@example.com").id
    refused = made.run("link", "--user", NAME, THEIRS, "--yes", code=3)

    assert "belongs to another Okta user" in refused.stderr
    assert made.writes() == []


def test_an_id_of_nobody_is_no_obstacle(made: Rig) -> None:
    there = made.split.world.insert_user(
        {"userName": "back@example.com", "externalId": "00uGoneLongAgo000000"}, active=True, managed=True
    )
    made.okta.world.add_user("back@example.com", "Back", "Again", assign=True)
    made.sync()
    assert "belongs to another Okta user" in skipped(made)["back@example.com"]["reason"]

    made.run("link", "--user", "back@example.com", there.id, "--yes")

    assert account(made, "back@example.com").external_id == made.okta.world.user("back@example.com").id


def test_an_inactive_account_is_held_and_the_next_sync_adopts_the_chosen_one_once_it_is_approved(
    made: Rig,
) -> None:
    with made.split.world.lock:
        account(made, THEIRS).active = False

    result = made.run("link", "--user", NAME, "--yes", "--json", code=3).document
    assert result["status"] in ("held", "refused")
    made.sync(code=3)
    made.run("approve", NAME)
    made.sync()

    assert account(made, NAME).active
    made.assert_exact()


def test_unlinking_forgets_the_tie_and_keeps_the_account(made: Rig) -> None:
    made.run("link", "--user", NAME, "--yes")
    made.forget()

    answer = made.run("unlink", "--user", NAME, "--json", "--reason", "it was somebody else")

    assert problems(answer.document) == []
    assert (answer.document["decision"], answer.document["reason"]) == ("unlink", "it was somebody else")
    made.okta.world.update_profile(NAME, lastName="Changed")
    made.sync()
    assert made.writes() == []
    item = skipped(made)[NAME]
    assert item["kind"] == "released"
    assert "unlinked by hand by" in item["reason"]
    assert "(it was somebody else)" in item["reason"]
    made.run("link", "--user", NAME, "--yes")
    made.assert_exact()


def test_who_is_not_assigned_is_tied_to_nothing(made: Rig) -> None:
    made.okta.world.add_user("nobody@example.com", "No", "Body")

    answer = made.run("link", "--user", "nobody@example.com", THEIRS, "--yes", code=3)

    assert "Okta wants no account for nobody@example.com" in answer.stderr


def test_who_left_the_app_is_not_called_assigned(made: Rig) -> None:
    made.sync()
    made.run("release", "p00@example.com")
    made.okta.world.unassign("p00@example.com", everywhere=True)
    made.sync()

    answer = made.run("link", "--user", "p00@example.com", "--yes", code=3)

    assert "Okta wants no account for p00@example.com: not assigned to the app any more" in answer.stderr


def test_who_is_tied_already_says_so(made: Rig) -> None:
    answer = made.run("link", "--user", "p00@example.com", "--yes", code=3)

    assert "is tied to p00@example.com" in answer.stderr


def test_two_accounts_that_look_like_the_person_are_named(made: Rig) -> None:
    made.split.world.create_local_user(NAME.upper())

    answer = made.run("link", "--user", NAME, "--yes", code=64)

    assert "2 accounts look like mixed.case@example.com" in answer.stderr
    assert f"name one: syncd -c {made.config} link --user" in answer.stderr


def test_a_plan_shows_who_looks_like_an_account_and_takes_it_for_nobody(made: Rig) -> None:
    made.split.world.insert_user(
        {"userName": "old.name", "emails": [{"value": "ada@example.com", "type": "work"}]},
        active=True,
        managed=False,
    )
    ada = made.okta.world.add_user("ada@example.com", "Ada", "L", assign=True)

    document = made.plan("--user", "ada@example.com")
    text = made.run("plan").stdout

    assert problems(document) == []
    [near] = [skip for skip in document["skipped"] if skip["kind"] == "near_miss"]
    assert near["reason"].startswith("looks like old.name (")
    assert "the same e-mail" in near["reason"]
    assert [change["kind"] for change in document["changes"]] == ["create_user"]
    assert "looks like old.name" in text
    made.run("link", "--user", ada, "--yes")
    assert account(made, "ada@example.com").external_id == ada


def held_tie(made: Rig, name: str = "one@example.com", there: str = "old.account@example.com") -> str:
    """Asked for, and held because the account is inactive."""
    scim_id = made.split.world.create_local_user(there)
    made.split.world.set_active(scim_id, False)
    made.okta.world.add_user(name, "One", "X", assign=True)
    made.run("link", "--user", name, scim_id, "--yes", code=3)
    return scim_id


def test_an_account_that_is_chosen_for_one_person_is_chosen_for_nobody_else(made: Rig) -> None:
    there = held_tie(made)
    made.okta.world.add_user("two@example.com", "Two", "X", assign=True)

    refused = made.run("link", "--user", "two@example.com", there, "--yes", code=3)
    made.run("approve", "--all")
    made.sync()

    assert "one@example.com" in refused.stderr
    assert made.split.world.users[there].external_id == made.okta.world.user("one@example.com").id


def test_a_tie_by_hand_outranks_who_has_that_user_name(made: Rig) -> None:
    there = held_tie(made, there="quinn@example.com")
    made.okta.world.add_user("quinn@example.com", "Quinn", "Q", assign=True)

    alone = made.plan("--user", "quinn@example.com")
    made.sync(code=3)
    made.run("approve", "--all")
    made.sync()

    assert [skip["kind"] for skip in alone["skipped"]] == ["conflict"]
    assert made.split.world.users[there].external_id == made.okta.world.user("one@example.com").id


def test_a_tie_that_waited_is_checked_again_when_it_is_carried_out(made: Rig) -> None:
    there = held_tie(made, there="quinn@example.com")
    quinn = made.okta.world.add_user("quinn@example.com", "Quinn", "Q", assign=True)
    made.split.world.edit_user(there, externalId=quinn)
    made.split.world.set_active(there, True)

    made.sync(code=None)

    assert made.split.world.users[there].external_id == quinn
    assert f"its externalId is {quinn}" in skipped(made)["one@example.com"]["reason"]


def test_a_rejected_tie_is_over(made: Rig) -> None:
    there = held_tie(made)
    made.run("reject", "--all", "--reason", "no")
    made.split.world.set_active(there, True)
    made.forget()

    made.sync()

    assert made.split.world.users[there].external_id is None
    assert made.split.world.user("one@example.com").id != there


def test_a_tie_that_nobody_decided_about_is_over_with_its_hold(made: Rig) -> None:
    there = held_tie(made)
    [settings] = load([made.config], environ=os.environ).connections
    with open_for_writing(settings) as store:
        asked = TIES.of(store, {})
        assert datetime.now(UTC) - datetime.fromisoformat(
            asked[made.okta.world.user("one@example.com").id].at
        ) < timedelta(1)
        long_ago = (datetime.now(UTC) - timedelta(days=8)).isoformat()
        TIES.remember(store, {okta_id: replace(tie, at=long_ago) for okta_id, tie in asked.items()})
    made.split.world.set_active(there, True)

    made.sync(code=None)

    assert made.split.world.users[there].external_id is None


def test_a_protected_account_is_tied_to_nobody_else(made: Rig) -> None:
    made.write_config(safety='protected_users = ["root.admin@example.com"]')
    made.split.world.create_local_user("root.admin@example.com")
    made.okta.world.add_user("one@example.com", "One", "X", assign=True)

    refused = made.run("link", "--user", "one@example.com", "root.admin@example.com", "--yes", code=3)

    assert "protected" in refused.stderr
    assert made.writes() == []


def wrong_one(made: Rig) -> tuple[str, str]:
    """Somebody is to be tied to an account, and another one has their userName. Returns both SCIM ids."""
    wrong = made.split.world.create_local_user("wrong@example.com")
    made.split.world.create_local_user("One@example.com")
    made.okta.world.add_user("one@example.com", "One", "X", assign=True)
    made.sync()
    right = made.split.world.create_local_user("one@example.com")
    made.forget()
    return wrong, right


def test_an_account_is_not_tied_while_another_one_has_the_persons_user_name(made: Rig) -> None:
    wrong, right = wrong_one(made)

    refused = made.run("link", "--user", "one@example.com", wrong, "--yes", code=3)

    assert (
        f"one@example.com at the target ({right}) has the userName one@example.com already" in refused.stderr
    )
    okta_id = made.okta.world.user("one@example.com").id
    assert f"link --user {okta_id} {right}" in refused.stderr
    assert made.writes() == []
    made.run("link", "--user", "one@example.com", right, "--yes")
    assert made.split.world.users[right].external_id == okta_id


def test_an_account_is_not_tied_while_somebody_managed_has_the_persons_user_name(made: Rig) -> None:
    wrong = made.split.world.create_local_user("wrong@example.com")
    two = made.okta.world.add_user("two@example.com", "Two", "X")
    made.okta.world.update_profile("two@example.com", email="p01@example.com")
    made.okta.world.assign(two)

    refused = made.run("link", "--user", two, wrong, "--yes", code=3)

    owner = made.okta.world.user("p01@example.com").id
    assert f"it is the account of p01@example.com ({owner})" in refused.stderr
    assert f"unlink --user {owner}" in refused.stderr
    assert made.writes() == []


def failing_tie(made: Rig) -> str:
    """The target takes nobody's new name: the tie was asked for, and fails."""
    wrong = made.split.world.create_local_user("wrong@example.com")
    made.split.world.create_local_user("One@example.com")
    made.okta.world.add_user("one@example.com", "One", "X", assign=True)
    made.sync()
    for method in ("PATCH", "PUT"):
        made.split.faults.add("status", method=method, path=f"/Users/{wrong}", count=-1, status=400)
    made.run("link", "--user", "one@example.com", wrong, "--yes", code=4)
    return wrong


def test_what_settles_a_tie_that_fails_is_another_account_or_none(made: Rig) -> None:
    wrong = failing_tie(made)

    item = skipped(made)["one@example.com"]
    document = made.run("status", "--json").document

    assert item["kind"] == "failed"
    assert item["way_out"] == f"syncd -c {made.config} unlink --user one@example.com"
    assert f"wrong@example.com ({wrong})" in item["advice"]
    assert "link --user one@example.com ACCOUNT" in item["advice"]
    assert item in document["left_out"]["items"]

    made.run("unlink", "--user", "one@example.com")

    assert made.run("status", "--json").document["failing"] == []
    assert "was taken back by" in skipped(made)["one@example.com"]["reason"]
    made.split.faults.clear()
    made.sync()
    assert "only in letter case" in skipped(made)["one@example.com"]["reason"]
    assert made.split.world.users[wrong].external_id is None


def test_another_account_ends_a_tie_that_fails(made: Rig) -> None:
    failing_tie(made)
    other = made.split.world.user("One@example.com").id

    made.run("link", "--user", "one@example.com", other, "--yes")

    assert "one@example.com" not in skipped(made)
    assert made.split.world.users[other].external_id == made.okta.world.user("one@example.com").id


def test_releasing_somebody_whose_tie_fails_ends_the_failure(made: Rig) -> None:
    failing_tie(made)

    made.run("release", "one@example.com")

    assert made.run("status", "--json").document["failing"] == []
    assert skipped(made)["one@example.com"]["kind"] == "released"
    made.forget()
    made.sync()
    assert made.writes() == []
    assert skipped(made)["one@example.com"]["kind"] == "released"


def test_releasing_whoever_fails_to_get_an_account_ends_the_failure(made: Rig) -> None:
    made.split.faults.add("status", method="POST", path="/Users", count=-1, status=400)
    made.okta.world.add_user("one@example.com", "One", "X", assign=True)
    made.sync(code=4)

    made.run("release", "one@example.com")
    made.split.faults.clear()
    made.sync()

    assert skipped(made)["one@example.com"]["kind"] == "released"
    assert [user.user_name for user in made.split.world.users.values()].count("one@example.com") == 0
