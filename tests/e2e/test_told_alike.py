"""Who is left out, held, drifted and why: status, page, report and explain say the same words and numbers.

The real executable beside a real daemon, whose page is read as a browser would show it.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from syncd.core.whole_commands import of_files, whole
from tests.e2e.rig import Rig, crew
from tests.requests.asking import QUIET, running
from tests.service.connecting import listen_on, schedule
from tests.service.supervisor import eventually
from tests.serving import free_port

TWIN, RELEASED, LEAVER = "mixed.case@example.com", "p01@example.com", "p02@example.com"


class Told:
    """What one connection says, by each of its mouths."""

    def __init__(self, made: Rig, port: int) -> None:
        self.made, self.address = made, f"http://127.0.0.1:{port}"

    def run(self, *args: str, code: int = 0) -> str:
        """The executable's answer."""
        asked = [sys.executable, "-m", "syncd", *args, "-c", str(self.made.config)]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def document(self, *args: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(*args, "--json", code=code))
        return found

    def page(self, path: str = "/") -> str:
        """The words of the page, without its tags."""
        text = requests.get(f"{self.address}{path}", timeout=30).text
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())

    def for_people(self, said: str) -> str:
        """With the settings file in the commands that it names."""
        return whole(said, of_files([self.made.config]))

    def left_out(self) -> Mapping[str, Mapping[str, Any]]:
        """By object, the same from `skipped`, `status` and the daemon's pages; and as many as the report counts."""
        items = self.document("skipped")["items"]
        status = self.document("status")["left_out"]
        assert status["items"] == items
        assert (
            status["count"]
            == self.document("report", "--format", "json")["current"]["left_out"]
            == len(items)
        )
        text, page, pages = (
            " ".join(self.run("status").split()),
            self.page(),
            self.page("/connections/acme"),
        )
        for item in items:
            for said in (item["object"], self.for_people(item["reason"]), item["way_out"]):
                assert said in text
                assert said in page
                assert said in pages
        return {item["object"]: item for item in items}


@contextmanager
def told(folder: Path) -> Iterator[Told]:
    """Twenty people, ten of them in a group; one more is left out for an account in other letters."""
    with crew(folder, people=20, members=10) as made:
        made.split.world.create_local_user("Mixed.Case@example.com")
        made.okta.world.add_user(TWIN, "Mixed", "Case", assign=True)
        made.write_config(safety="max_deactivations = 0")
        schedule(made, QUIET)
        port = free_port()
        listen_on(made, port)
        with running(made):
            yield Told(made, port)


def explained(told: Told, user: str) -> str:
    return " ".join(told.run("explain", user).split())


def test_two_people_left_out_are_told_alike_by_everybody(tmp_path: Path) -> None:
    with told(tmp_path) as one:
        one.run("release", RELEASED, "--reason", "moves away")

        found = one.left_out()

        assert {name: item["kind"] for name, item in found.items()} == {
            TWIN: "conflict",
            RELEASED: "released",
        }
        for name, item in found.items():
            assert one.for_people(item["reason"]) in explained(one, name)
        report = one.run("report")
        assert "2 objects are left out" in report
        assert "2 objects are left out" in one.page()
        again = one.run("release", RELEASED, "--json", code=64)
        assert found[RELEASED]["reason"] in json.loads(again)["hint"]
        released = next(line for line in report.splitlines() if "release" in line and "moves away" in line)
        assert RELEASED in released


def test_what_a_person_released_is_no_drift_and_is_called_released(tmp_path: Path) -> None:
    with told(tmp_path) as one:
        one.run("release", RELEASED)

        document = one.document("drift")

        about = {item["object"]["name"]: item for item in document["items"]}
        assert (about[RELEASED]["kind"], about[RELEASED]["reason"]) == (
            "unmanaged_user",
            one.left_out()[RELEASED]["reason"],
        )
        assert [item["kind"] for item in document["items"] if item["object"]["name"] == RELEASED] == [
            "unmanaged_user"
        ]


def test_a_rejected_leaver_is_one_person_with_one_reason(tmp_path: Path) -> None:
    with told(tmp_path) as one:
        one.made.okta.world.unassign(LEAVER)
        one.run("sync", code=3)
        held = one.document("held")["holds"]
        assert len(held) == 1
        number = sum(len(hold["changes"]) for hold in held)
        assert f"{number} changes are held" in one.page()
        assert f"{number} changes are held" in one.run("report")
        assert sum(hold["changes"] for hold in one.document("status")["held"]) == number

        one.run("reject", LEAVER, "--reason", "a contractor")

        item = one.left_out()[LEAVER]
        assert item["kind"] == "rejected"
        assert item["reason"] in explained(one, LEAVER)
        assert "on " in item["reason"]
        assert "rejected by" in item["reason"]
        one.run("approve", LEAVER, "--now", code=0)
        assert LEAVER not in one.left_out()
        assert not one.made.split.world.user(LEAVER).active


def test_one_comparison_has_one_count(tmp_path: Path) -> None:
    with told(tmp_path) as one:
        world = one.made.split.world
        world.edit_user("p05@example.com", name={"givenName": "By", "familyName": "Hand"})
        stranger = world.create_local_user("stranger@example.com")
        world.groups[world.group("Crew").id].members[stranger] = None

        said = "2 differences: 1 to give back, 1 not syncd's to give back; 1 never written"
        assert said in one.run("drift")
        everybody: Sequence[Callable[[], str]] = (
            lambda: " ".join(one.run("status").split()),
            one.page,
            lambda: one.page("/connections/acme"),
            lambda: one.run("report"),
            lambda: one.run("report", "--format", "md"),
            lambda: one.run("report", "--format", "html"),
        )
        assert [mouth for mouth in everybody if said not in html.unescape(mouth())] == []
        report = one.document("report", "--format", "json")
        assert report["summary"]["drift"] == {"found": 2, "repaired": 0}

        one.run("drift", "--fix")

        said = "2 differences: 1 given back, 1 not syncd's to give back; 1 never written"
        assert [mouth for mouth in everybody if said not in html.unescape(mouth())] == []
        report = one.document("report", "--format", "json")
        assert report["summary"]["drift"] == {"found": 2, "repaired": 1}


def test_one_object_that_is_repaired_leaves_the_others_found(tmp_path: Path) -> None:
    with told(tmp_path) as one:
        for name in ("p05@example.com", "p06@example.com"):
            one.made.split.world.edit_user(name, name={"givenName": "By", "familyName": "Hand"})
        one.run("drift")

        one.run("drift", "--fix", "--user", "p05@example.com")

        drift = one.document("status")["drift"]
        assert [item["object"] for item in drift["items"]] == ["p06@example.com"]
        assert drift["counts"]["to_give_back"] == 1


def test_a_mistyped_name_is_no_run_anywhere(tmp_path: Path) -> None:
    with told(tmp_path) as one:
        before = [run["run_id"] for run in one.document("status")["runs"]]
        for asked in (["sync"], ["apply", "--yes"], ["drift", "--fix"], ["retry"], ["release"]):
            named = [] if asked[0] in ("retry", "release") else ["--user"]
            one.run(*asked, *named, "typo@example.com", code=64)

        assert [run["run_id"] for run in one.document("status")["runs"]] == before
        page = one.page()
        assert "failed" not in page.partition("Last runs")[2]
        assert "with failures" not in page


def test_a_run_has_the_same_kind_on_the_page_as_in_status(tmp_path: Path) -> None:
    with told(tmp_path) as one:
        one.run("link", "--user", TWIN, "--yes")
        one.made.okta.world.update_profile("p03@example.com", lastName="Changed")
        plan = str(tmp_path / "plan.json")
        one.run("plan", "--user", "p03@example.com", "-o", plan)
        one.run("apply", plan)

        kinds = [run["kind"] for run in one.document("status")["runs"]]

        shown = re.findall(
            r"\d\d \w{3} \d\d:\d\d (\w+) (?:succeeded|held|refused|failed|partial)", one.page()
        )
        assert shown == kinds == ["targeted", "link", "full"]


def test_the_next_runs_are_the_same_on_the_page_as_in_status(tmp_path: Path) -> None:
    with told(tmp_path) as one:

        def told_alike() -> bool:
            page, following = (
                requests.get(f"{one.address}/", timeout=30).text,
                one.document("status")["next_runs"],
            )
            said = [f'{kind} <time class="faint" datetime="{at}">' for kind, at in following.items()]
            return len(said) == 2 and all(each in page for each in said)

        eventually(told_alike, "once the cycle has ended that moves them")
        following = one.document("status")["next_runs"]
        shown = one.run("status")
        assert f"full {following['full']}, drift {following['drift']}" in shown


def test_a_hold_says_the_numbers_of_today(tmp_path: Path) -> None:
    with told(tmp_path) as one:
        one.made.okta.world.unassign(LEAVER)
        one.run("sync", code=3)
        for number in range(3):
            one.made.okta.world.add_user(f"new{number}@example.com", "N", str(number), assign=True)
        one.run("sync", code=3)
        one.run("sync", code=3)

        [planned] = one.document("plan", code=3)["holds"]
        [held] = one.document("held")["holds"]

        assert (held["id"], held["numbers"], held["reason"]) == (
            planned["id"],
            planned["numbers"],
            planned["reason"],
        )
        assert held["numbers"]["managed"] == one.document("status")["managed"]["users"]
        assert held["reason"] in one.page()
        one.run("audit", "verify")
