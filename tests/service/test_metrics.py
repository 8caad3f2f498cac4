"""What Prometheus reads, judged by its own parsers; and the rules and the dashboard made of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

import syncd
from syncd.service.board import RateHeadroom
from syncd.service.fleet.moment import FleetMoment
from syncd.service.headroom import BUCKETS_SHOWN, shown_buckets
from syncd.service.health import not_ready
from syncd.service.metrics import metrics
from tests.service import showing

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(shown: showing.Shown) -> Samples:
    page, content_type = metrics(shown.view())
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    found: Samples = {}
    for family in plain_text(page.decode()):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def value(shown: showing.Shown, name: str, **labels: str) -> float | None:
    return samples(shown).get((name, tuple(sorted(labels.items()))))


def test_the_gauges_say_what_the_status_says() -> None:
    shown = showing.Shown(
        [
            showing.document(
                held=[showing.hold(), showing.hold(changes=3)],
                failing=[showing.failure(), showing.failure("x")],
            ),
            showing.document("sick", quarantine=showing.quarantine()),
            showing.never_synced("new"),
        ]
    )
    found = samples(shown)

    def of(name: str, connection: str) -> float | None:
        return found.get((name, (("connection", connection),)))

    assert of("syncd_last_complete_read_age_seconds", "split-prod") == 7200
    assert of("syncd_held_changes", "split-prod") == 15
    assert of("syncd_quarantined_objects", "split-prod") == 2
    assert of("syncd_token_expiry_days", "split-prod") == 153
    assert [of("syncd_connection_quarantined", name) for name in ("split-prod", "sick")] == [0, 1]
    assert of("syncd_last_complete_read_age_seconds", "new") is None
    assert of("syncd_token_expiry_days", "new") is None
    assert of("syncd_full_interval_seconds", "new") == 6 * 3600
    assert found["syncd_ready", ()] == 0
    assert found["syncd_build_info", (("version", syncd.__version__),)] == 1


def test_a_worker_of_a_fleet_says_what_it_owns_and_is_ready_while_its_lease_lasts() -> None:
    shown = showing.Shown([showing.never_synced("new")])
    assert value(shown, "syncd_owned_connections") is None
    worker = FleetMoment("one", "work", 3, 8.5, {True: 2, False: 1}, {"store": 0, "target": 4})
    shown.board.fleet_now = lambda: worker
    assert value(shown, "syncd_owned_connections") == 3
    assert value(shown, "syncd_lease_seconds_left") == 8.5
    assert value(shown, "syncd_takeovers_total", clean="true") == 2
    assert value(shown, "syncd_takeovers_total", clean="false") == 1
    assert value(shown, "syncd_fenced_total", where="target") == 4
    assert value(shown, "syncd_ready") == 1, "though nothing was read completely"
    shown.board.fleet_now = lambda: replace(worker, left=0.0)
    assert not_ready(shown.view()) == ("the lease of worker one ran out",)
    assert value(shown, "syncd_fleet_database_up") == 1
    assert value(shown, "syncd_fleet_workers") is None, "it has not looked yet"
    shown.board.fleet_now = lambda: replace(worker, lost=2, renewal=0.25, workers=3, unowned=["globex"])
    assert value(shown, "syncd_leases_lost_total") == 2
    assert value(shown, "syncd_lease_renewal_seconds") == 0.25
    assert value(shown, "syncd_fleet_workers") == 3
    assert value(shown, "syncd_connection_unowned", connection="globex") == 1
    assert value(shown, "syncd_connection_unowned", connection="acme") is None
    shown.board.fleet_now = lambda: replace(worker, trouble="it is gone")
    assert value(shown, "syncd_fleet_database_up") == 0
    assert not_ready(shown.view()) == ("the fleet's database: it is gone",)


def test_how_late_cycles_began_is_counted_in_steps_by_kind() -> None:
    shown = showing.Shown()
    for late in (-0.1, 0.004, 0.3, 61.0):
        shown.board.turn_began("delta", late)
    shown.board.turn_began("full", 0.5)
    found = {
        le: value(shown, "syncd_cycle_late_seconds_bucket", kind="delta", le=le)
        for le in ("0.01", "0.25", "0.5", "60.0", "+Inf")
    }
    assert found == {"0.01": 2, "0.25": 2, "0.5": 3, "60.0": 3, "+Inf": 4}
    assert value(shown, "syncd_cycle_late_seconds_sum", kind="delta") == pytest.approx(61.304)
    assert value(shown, "syncd_cycle_late_seconds_bucket", kind="full", le="0.5") == 1


def test_the_counters_say_what_the_board_counted() -> None:
    shown = showing.Shown()
    made = shown.board.connection("split-prod")
    for _ in range(3):
        made.ended(
            showing.cycle(status="quiet", requests={("okta", "200"): 1}, waited_seconds={"okta": 0.25})
        )
    made.ended(
        showing.cycle(
            "full",
            "partial",
            changes={
                ("create_user", "applied"): 5,
                ("create_user", "failed"): 1,
                ("contradicted", "skipped"): 2,
            },
            requests={("target", "201"): 5, ("target", "timeout"): 1, ("okta", "200"): 4},
        )
    )
    made.left_to_the_log(7)
    label = {"connection": "split-prod"}
    assert value(shown, "syncd_hook_names_left_total", **label) == 7
    assert value(shown, "syncd_runs_total", **label, kind="full", status="partial") == 1
    assert value(shown, "syncd_runs_total", **label, kind="delta", status="succeeded") == 0
    assert value(shown, "syncd_polls_total", **label) == 3
    assert value(shown, "syncd_changes_total", **label, kind="create_user", outcome="applied") == 5
    assert value(shown, "syncd_okta_list_contradictions_total", **label) == 2
    assert value(shown, "syncd_requests_total", **label, side="okta", status="200") == 7
    assert value(shown, "syncd_requests_total", **label, side="target", status="timeout") == 1
    assert value(shown, "syncd_rate_limit_wait_seconds_total", **label, side="okta") == 0.75


def test_failures_count_from_zero_so_that_the_first_is_an_increase() -> None:
    shown = showing.Shown()
    shown.board.connection("split-prod")
    for kind in ("delta", "full", "drift"):
        for status in ("succeeded", "held", "partial", "refused", "interrupted", "failed"):
            labels = {"connection": "split-prod", "kind": kind, "status": status}
            assert value(shown, "syncd_runs_total", **labels) == 0
    for side in ("okta", "target"):
        labels = {"connection": "split-prod", "side": side}
        assert value(shown, "syncd_rate_limit_wait_seconds_total", **labels) == 0


def test_buckets_show_what_is_left_and_what_there_is() -> None:
    shown = showing.Shown()
    shown.board.connection("split-prod").ended(
        showing.cycle(headroom={"/api/v1/logs": RateHeadroom(120, 7)}),
    )
    labels = {"connection": "split-prod", "bucket": "/api/v1/logs"}
    assert value(shown, "syncd_rate_limit_remaining", **labels) == 7
    assert value(shown, "syncd_rate_limit_limit", **labels) == 120


def test_identifiers_make_no_new_time_series() -> None:
    by_id = {f"/api/v1/users/00u1abcdefghij{n:06}/groups": RateHeadroom(600, n + 1) for n in range(500)}
    assert shown_buckets(by_id) == {"/api/v1/users/{id}/groups": RateHeadroom(600, 1)}
    many = {f"/bucket/{n}": RateHeadroom(100, n) for n in range(100)}
    assert len(shown_buckets(many)) == BUCKETS_SHOWN
    assert "/bucket/0" in shown_buckets(many)


def test_strange_statuses_share_one_time_series() -> None:
    shown = showing.Shown()
    strange = {("target", f"Weird {n}"): 1 for n in range(50)} | {("target", "999"): 1, ("target", "503"): 1}
    shown.board.connection("split-prod").ended(showing.cycle(requests=strange))
    labels = {"connection": "split-prod", "side": "target"}
    assert value(shown, "syncd_requests_total", **labels, status="other") == 51
    assert value(shown, "syncd_requests_total", **labels, status="503") == 1


def test_hostile_names_break_no_line() -> None:
    name = showing.HOSTILE + '\n"} 1\\'
    shown = showing.Shown([showing.document(name)])
    shown.board.connection(name).ended(showing.cycle(name, name, changes={(name, name): 1}))
    assert value(shown, "syncd_held_changes", connection=name) == 0


def test_openmetrics_is_spoken_to_those_who_ask() -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    page, content_type = metrics(showing.a_bad_day().view(), accept)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    families = open_metrics(page.decode())  # type: ignore[no-untyped-call]
    assert "syncd_runs" in {family.name for family in families}

    for nonsense in ("application/openmetrics-text;version=x", "text/plain;version=1\r\n", "*/*", ","):
        assert metrics(showing.a_bad_day().view(), nonsense)[0]


def test_every_metric_is_ours_and_has_its_unit_in_its_name() -> None:
    names = {name for name, _ in samples(showing.a_bad_day())}
    assert all(name.startswith("syncd_") for name in names)
    assert not [name for name in names if re.search(r"(age|wait|interval)(_total)?$", name)]


# --- what is made of it -----------------------------------------------------------------------------


def known() -> set[str]:
    shown = showing.a_bad_day()
    shown.board.turn_began("delta", 0.0)
    shown.board.fleet_now = lambda: FleetMoment(
        "one", "work", 3, 8.5, {True: 2, False: 1}, {"store": 0}, "", 1, 0.02, 2, ["acme"]
    )
    return {name for name, _ in samples(shown)}


def expressions(found: Any) -> list[str]:
    """Every PromQL expression of a rules file or a dashboard."""
    if isinstance(found, dict):
        own = [found[key] for key in ("expr", "query", "definition") if isinstance(found.get(key), str)]
        return own + [one for part in found.values() for one in expressions(part)]
    return [one for part in found for one in expressions(part)] if isinstance(found, list) else []


def named(expression: str) -> set[str]:
    return set(re.findall(r"\bsyncd_\w+", expression))


@pytest.fixture
def rules() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((MONITORING / "grafana.json").read_text(encoding="utf-8"))
    return loaded


def test_rules_and_dashboard_use_only_metrics_that_exist(
    rules: dict[str, Any], dashboard: dict[str, Any]
) -> None:
    for source in (rules, dashboard):
        used = expressions(source)
        assert len(used) > 5
        assert {name for one in used for name in named(one)} <= known()


def all_of(rules: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in rules["groups"] for rule in group["rules"]]


def test_there_is_a_rule_and_a_panel_for_everything_that_may_go_wrong_with_a_fleet(
    rules: dict[str, Any], dashboard: dict[str, Any]
) -> None:
    of_a_fleet = {
        "syncd_connection_unowned",
        "syncd_leases_lost_total",
        "syncd_fleet_workers",
        "syncd_fleet_database_up",
        "syncd_lease_renewal_seconds",
        "syncd_fenced_total",
        "syncd_takeovers_total",
    }
    for source in (rules, dashboard):
        assert of_a_fleet <= {name for one in expressions(source) for name in named(one)}


def test_every_rule_says_how_bad_it_is_and_what_to_do(rules: dict[str, Any]) -> None:
    for rule in all_of(rules):
        assert rule["alert"].startswith("Syncd")
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description"} <= rule["annotations"].keys()
        assert re.fullmatch(r"\d+[mh]", rule["for"])


def test_panels_do_not_lie_over_each_other_and_have_titles(dashboard: dict[str, Any]) -> None:
    cells: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        assert panel["title"]
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in own) < 24
        assert not own & cells
        cells |= own
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_the_documentation_names_every_metric_and_every_alert(rules: dict[str, Any]) -> None:
    text = (MONITORING.parent / "monitoring.md").read_text(encoding="utf-8")
    assert {name for name in known() if f"`{name}" not in text} == set()
    assert named(text) - {"syncd_build"} <= known()
    assert [rule["alert"] for rule in all_of(rules) if f"`{rule['alert']}`" not in text] == []
