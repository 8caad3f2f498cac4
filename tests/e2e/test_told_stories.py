"""Two stories told end to end beside the daemon: a group of administrators that is linked by hand, and a relink."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.test_relink import make_all_again
from tests.e2e.test_told_alike import Told, told


def access(report: Mapping[str, Any]) -> Mapping[tuple[str, str | None], Mapping[str, Any]]:
    """The rows of who has what, by person and group."""
    return {(row["user"], row["group"]): row for row in report["access"]}


def written(explained: Mapping[str, Any], user: str, group: str) -> list[Mapping[str, Any]]:
    """What explain says was done to this membership, the youngest first."""
    said = ("add_member", f"{user} in {group}")
    return [change for change in explained["last_changes"] if (change["kind"], change["object"]) == said]


def assert_numbers_agree(one: Told, report: Mapping[str, Any]) -> None:
    """Of status, page and report: who has access, and what each run did."""
    status, page = one.document("status"), one.page()
    managed, runs = status["managed"], status["runs"]
    groups = "1 group" if managed["groups"] == 1 else f"{managed['groups']} groups"
    assert f"Managed {managed['users']} users {groups} {managed['memberships']} memberships" in page
    assert managed["memberships"] == len([row for row in report["access"] if row["group"]])
    for run in runs:
        if run["status"] == "succeeded":
            assert f"{run['kind']} succeeded {sum(run['summary']['applied'].values())}" in page
    assert {run["run_id"] for run in runs} == {run["run_id"] for run in report["runs"]}


def test_who_is_an_administrator_by_a_linked_group_is_told_why_and_since_when_by_everybody(
    tmp_path: Path,
) -> None:
    with told(tmp_path) as one:
        group = one.made.okta.world.create_group("Bosses", members=["p03@example.com", "p04@example.com"])

        one.run("link", "Bosses", "Administrators", "--yes", "--reason", "audit 7")

        why = f"member of Bosses ({group}) in Okta"
        report, text = one.document("report", "--format", "json"), " ".join(one.run("report").split())
        for user in ("p03@example.com", "p04@example.com"):
            row = access(report)[user, "Administrators"]
            assert (row["reason"], row["rule"]) == (why, "linked by hand")
            assert f"add_member {user} in Administrators applied {why}" in text
        assert "Administrators 2 people linked by hand" in text
        person = one.document("explain", "p03@example.com")
        assert f'{why}, and put in by syncd as "Administrators"' in [
            each["detail"] for each in person["memberships"]
        ]
        [change] = written(person, "p03@example.com", "Administrators")
        row = access(report)["p03@example.com", "Administrators"]
        assert (change["reason"], change["at"], change["run_id"]) == (why, row["since"], row["run_id"])
        assert "linked by hand" in str(one.document("explain", "Bosses")["steps"])
        assert [row["reason"] for row in report["decisions"] if row["decision"] == "link"] == ["audit 7"]
        assert_numbers_agree(one, report)


def test_after_a_relink_everybody_has_what_they_had_and_only_the_id_is_told_to_be_new(tmp_path: Path) -> None:
    with told(tmp_path) as one:
        before = access(one.document("report", "--format", "json"))
        make_all_again(one.made)
        one.made.okta.world.update_profile("p03@example.com", firstName="Renamed")
        one.run("sync", code=1)
        sick = one.document("status")["quarantine"]["reason"]
        assert sick in one.page()

        moved = one.document("relink", "--yes")
        one.run("sync")

        report, text = one.document("report", "--format", "json"), " ".join(one.run("report").split())
        after, summary = access(report), report["summary"]
        assert after.keys() == before.keys()
        for key, row in after.items():
            was = before[key]
            kept = ("since", "reason", "run_id")
            assert [row[name] for name in kept] == [was[name] for name in kept]
            assert row["scim_id"] == one.made.split.world.user(row["user"]).id != was["scim_id"]
        assert (summary["people_added"], summary["members_added"]) == (20, 10)
        assert (summary["members_again"], summary["applied"]["relinked"]) == (10, 21)
        assert "people 20 added, 1 changed, 0 removed" in text
        assert "memberships 10 added, 0 removed, 10 given back" in text
        assert "20 adopted" not in text
        assert "succeeded 21 relinked" in " ".join(one.run("status").split())
        person = one.document("explain", "p07@example.com")
        assert one.made.split.world.user("p07@example.com").id in str(person)
        [found] = [each for each in person["last_changes"] if each["kind"] == "adopt_user"]
        [said] = [
            each["reason"]
            for each in moved["changes"]
            if each["okta_id"] == after["p07@example.com", "Crew"]["okta_id"]
        ]
        assert found["reason"] == said == "found again under another id (same userName)"
        oldest, row = written(person, "p07@example.com", "Crew")[-1], after["p07@example.com", "Crew"]
        assert (oldest["at"], oldest["reason"]) == (row["since"], row["reason"])
        assert_numbers_agree(one, report)
