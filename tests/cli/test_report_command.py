"""`syncd report`: formats, files and what part of the past."""

from __future__ import annotations

import csv
import io
import json
import stat
import time
from pathlib import Path

import pytest

from tests.cli.invoking import Invoker, write_config
from tests.cli.world import World


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("r.html", "<!DOCTYPE html>"),
        ("r.md", "# syncd audit report: acme"),
        ("r.json", "{\n"),
        ("r.csv", "\ufeffsection,connection,"),
        ("r.txt", "Audit report of acme"),
    ],
)
def test_the_suffix_of_the_file_chooses_the_format(synced: World, name: str, begins: str) -> None:
    said = synced.syncd("report", *synced.base, "-o", name)

    file = synced.syncd.directory / name
    assert (said.exit_code, said.stdout) == (0, "")
    assert file.read_text(encoding="utf-8").startswith(begins)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_without_a_format_it_is_text_on_stdout_and_asks_nobody(synced: World) -> None:
    said = synced.syncd("report", *synced.base)

    assert said.exit_code == 0
    assert said.stdout.startswith("Audit report of acme  everything up to")
    assert "Crew  4 people" in " ".join(said.stdout.split()).replace("Crew 4", "Crew  4")
    assert not synced.okta.requests
    assert not synced.split.requests


def test_json_is_the_json_format(synced: World) -> None:
    document = synced.syncd("report", "--json", *synced.base).document
    again = synced.syncd("report", "--format", "json", *synced.base).document

    assert document["schema"] == "syncd.report/1"
    assert len(document["access"]) == 4
    assert document["access"] == again["access"]
    assert document["current"]["active_users"] == len(document["without_group"]) + 4


def test_the_report_of_one_run_tells_its_changes_only(synced: World) -> None:
    first = synced.syncd("report", "--json", *synced.base).document["runs"][0]["run_id"]
    synced.okta.world.unassign(synced.people[0])
    synced.syncd("sync", *synced.base)

    document = synced.syncd("report", "--json", *synced.base).document
    later = next(run["run_id"] for run in document["runs"] if run["run_id"] != first)
    told = synced.syncd("report", "--json", "--run", later, *synced.base).document
    assert {change["kind"] for change in told["changes"]} == {"remove_member", "deactivate_user"}
    assert told["period"]["run_id"] == later
    assert all(change["evidence"] for change in told["changes"])


def test_since_limits_what_happened_and_not_who_has_access(synced: World) -> None:
    time.sleep(1.1)
    document = synced.syncd("report", "--json", "--since", "1s", *synced.base).document

    assert document["changes"] == []
    assert document["summary"]["people_added"] == 0
    assert len(document["access"]) == 4


@pytest.mark.parametrize("since", ["7d", "12h", "2020-01-01", "99999d"])
def test_since_takes_a_duration_or_a_date(synced: World, since: str) -> None:
    assert synced.syncd("report", "--json", "--since", since, *synced.base).document["changes"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--since", "soon"],
        ["--since", "2099-01-01"],
        ["--since", "7d", "--run", "x"],
        ["--run", "no-such-run"],
        ["--json", "--format", "csv"],
        ["--format", "pdf"],
        ["-o", "report.pdf"],
        ["-o", "-"],
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(synced: World, arguments: list[str]) -> None:
    assert synced.syncd("report", *arguments, *synced.base).exit_code == 64


def test_a_file_is_never_written_through_a_link_and_stays_when_it_cannot_be_replaced(synced: World) -> None:
    directory = synced.syncd.directory
    (directory / "real.html").write_text("before")
    (directory / "link.html").symlink_to("real.html")

    said = synced.syncd("report", *synced.base, "-o", "link.html")
    failed = synced.syncd("report", *synced.base, "--run", "nope", "-o", "real.html")

    assert (said.exit_code, failed.exit_code) == (1, 64)
    assert (directory / "real.html").read_text() == "before"
    assert [path.name for path in directory.glob(".*.html.*")] == []


def test_several_connections_are_one_report(synced: World) -> None:
    other = write_config(synced.syncd.directory / "other.toml", base_url="http://127.0.0.1:2/scim/v2")
    both = (*synced.base, "-c", str(other))

    assert synced.syncd("report", *both, "-o", "both.html").exit_code == 0
    rows = list(csv.DictReader(io.StringIO(synced.syncd("report", "--format", "csv", *both).stdout)))
    text = synced.syncd("report", *both).stdout
    page = Path("both.html").read_text(encoding="utf-8")
    assert '<h2 class="connection" id="c2-top">other</h2>' in page
    assert {row["connection"] for row in rows} == {"acme", "other"}
    assert text.index("Audit report of acme") < text.index("Audit report of other")


def test_one_store_that_cannot_be_read_hides_no_other(synced: World) -> None:
    other = write_config(synced.syncd.directory / "other.toml", base_url="http://127.0.0.1:2/scim/v2")
    (synced.syncd.directory / "state" / "other.db").write_text("no store")
    both = (*synced.base, "-c", str(other))

    said = synced.syncd("report", "--json", *both)
    assert said.exit_code == 78
    assert [item["schema"] for item in said.document["items"]] == ["syncd.report/1", "syncd.error/1"]
    assert synced.syncd("report", *both, "-o", "both.html").exit_code == 78
    assert "Unavailable:" in Path("both.html").read_text(encoding="utf-8")


def test_a_connection_that_never_synced_has_a_report_too(syncd: Invoker) -> None:
    write_config(syncd.directory / "config.toml")

    said = syncd("report", "--json")
    assert said.exit_code == 0
    assert "never read whole" in json.dumps(said.document["verdict"])
    assert not (syncd.directory / "state").exists()


def test_the_head_in_it_is_what_audit_verify_compares(synced: World) -> None:
    head = synced.syncd("report", "--json", *synced.base).document["audit"]["head"]
    synced.okta.world.unassign(synced.people[0])
    synced.syncd("sync", *synced.base)

    assert synced.syncd("audit", "verify", "--head", head, *synced.base).exit_code == 0
