"""Connections in every state, to be shown by the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.core.counting import counted
from syncd.core.latency import latency_of
from syncd.core.plan import timestamp
from syncd.redact import Redactor
from syncd.service.board import Board, CycleReport, RateHeadroom
from syncd.service.health import View
from syncd.service.http import serving
from syncd.service.server_thread import Server

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script><img src=https://evil.example/x>\x1b[31m\u202e'


def ago(**by: float) -> str:
    return timestamp(NOW - timedelta(**by))


def document(name: str = "split-prod", **changed: Any) -> dict[str, Any]:
    """A `syncd.status/1` document of a connection that is well, with what is to be different."""
    return {
        "schema": "syncd.status/1",
        "connection": name,
        "state": "well",
        "quarantine": None,
        "pause": None,
        "windows": None,
        "managed": {"users": 1240, "active_users": 1198, "groups": 36, "memberships": 8713},
        "last_complete_read": ago(hours=2),
        "last_complete_read_age_seconds": 7200,
        "runs": [],
        "held": [],
        "failing": [],
        "unproven": [],
        "left_out": {"count": 0, "by_kind": {}, "items": []},
        "drift": None,
        "token": {"created": "2025-08-01", "expires_in_days": 153},
    } | changed


def never_synced(name: str) -> dict[str, Any]:
    managed = {"users": 0, "active_users": 0, "groups": 0, "memberships": 0}
    return document(
        name,
        state="never_synced",
        managed=managed,
        last_complete_read=None,
        last_complete_read_age_seconds=None,
        token=None,
    )


def hold(
    reason: str = "12 deactivations are over the limit of 10% (124 of 1,240)", **changed: Any
) -> dict[str, Any]:
    return {
        "id": "h-4f2a91",
        "check": "max_deactivations",
        "reason": reason,
        "changes": 12,
        "way_out": "syncd -c /etc/syncd/split-prod.toml approve h-4f2a91",
    } | changed


def failure(name: str = "grace@example.com", **changed: Any) -> dict[str, Any]:
    return {
        "object": name,
        "kind": "update_user",
        "message": "Split answered 400: the attribute title is not known",
        "attempts": 4,
        "since": ago(hours=5),
        "next_attempt": timestamp(NOW + timedelta(minutes=50)),
    } | changed


def stored_run(status: str = "succeeded", **changed: Any) -> dict[str, Any]:
    return {
        "run_id": "r-1",
        "kind": "full",
        "started": ago(hours=2, minutes=1),
        "finished": ago(hours=2),
        "status": status,
        "summary": {"applied": {"create_user": 3}},
        "error": None,
    } | changed


def pause(reason: str = "maintenance") -> dict[str, Any]:
    return {"by": "ada@ops1", "since": ago(minutes=20), "until": None, "reason": reason}


def drift(*items: tuple[str, str], repair: str = "write it again") -> dict[str, Any]:
    """What the last comparison found, by kind and object."""
    sort, other = ("to_give_back", "not_syncds") if repair else ("not_syncds", "to_give_back")
    counts = {sort: len(items), other: 0, "given_back": 0, "never_written": 0, "found": len(items)}
    return {
        "compared_at": ago(hours=3),
        "complete": True,
        "repaired": False,
        "differs": len(items),
        "counts": counts,
        "told": f"{counted(len(items), 'difference')}",
        "summary": {kind: 1 for kind, _ in items},
        "items": [
            {
                "kind": kind,
                "object": name,
                "okta_id": "00u1",
                "group": None,
                "reason": "changed",
                "repair": repair,
            }
            for kind, name in items[:5]
        ],
    }


def windows(*, open_now: bool) -> dict[str, Any]:
    return {
        "said": ["Mon-Fri 06:00-20:00 Europe/Berlin"],
        "open": open_now,
        "closes": timestamp(NOW + timedelta(hours=7)) if open_now else None,
        "opens": timestamp(NOW + timedelta(hours=17)),
    }


def quarantine(reason: str = "Split refused the token (401)", side: str = "split") -> dict[str, Any]:
    return {
        "side": side,
        "reason": reason,
        "since": ago(minutes=50),
        "next_probe": timestamp(NOW + timedelta(minutes=20)),
        "probes": 3,
    }


def cycle(
    kind: str = "delta", status: str = "succeeded", *, minutes_ago: float = 30, **changed: Any
) -> CycleReport:
    started = NOW - timedelta(minutes=minutes_ago)
    return CycleReport(kind, started, started + timedelta(seconds=4), status, **changed)


@dataclass
class Shown:
    """A board and the documents beside it."""

    documents: Sequence[Mapping[str, Any]] = field(default_factory=lambda: [document()])
    board: Board = field(default_factory=Board)
    intervals: Mapping[str, float] | None = None

    def full_intervals(self) -> Mapping[str, float]:
        if self.intervals is not None:
            return self.intervals
        return {document["connection"]: 6 * 3600.0 for document in self.documents}

    def view(self) -> View:
        return View(
            now=NOW,
            documents={document["connection"]: document for document in self.documents},
            boards={one.name: one.snapshot() for one in self.board.connections()},
            broken=self.board.broken(),
            full_intervals=self.full_intervals(),
            hook_answers=self.board.hook_answers(),
            lateness=self.board.lateness(),
            fleet=self.board.fleet(),
        )

    def serving(self, redactor: Redactor | None = None) -> AbstractContextManager[Server]:
        return serving(
            ("127.0.0.1", 0),
            self.board,
            lambda: self.documents,
            full_intervals=self.full_intervals,
            clock=lambda: NOW,
            redactor=redactor,
        )


def busy(board: Board, name: str) -> None:
    """A connection that has worked for a while."""
    made = board.connection(name)
    amounts = [340, 2, 1, 4, 0, 7, 3, 1, 26, 2, 1, 1, 5, 9, 0, 2, 3, 12, 1, 4, 2, 6, 1, 3]
    for place, amount in enumerate(amounts):
        made.ended(
            cycle(
                "full" if place in (0, 12) else "delta",
                "partial" if place == 17 else "succeeded",
                minutes_ago=400 - 16 * place,
                run_id=f"run-{name}-{place}",
                changes={("update_user", "applied"): amount, ("add_member", "failed"): int(place == 17)},
                requests={("okta", "200"): 3, ("target", "200"): amount, ("target", "429"): 1},
                waited_seconds={"target": 0.5},
                latencies={"update_user": latency_of([0.4 * place, 0.9])},
                headroom={
                    "/api/v1/apps/{id}": RateHeadroom(600, 571, NOW + timedelta(seconds=40)),
                    "/api/v1/users/{id}": RateHeadroom(600, 288, NOW + timedelta(seconds=40)),
                    "/api/v1/logs": RateHeadroom(120, 97, NOW + timedelta(seconds=12)),
                },
            )
        )
    made.will_run("delta", NOW + timedelta(seconds=18))
    made.will_run("full", NOW + timedelta(hours=4))
    made.will_run("drift", NOW + timedelta(hours=15))


def a_good_day() -> Shown:
    shown = Shown(
        [document("split-prod"), document("split-sandbox", managed=document()["managed"] | {"users": 1198})]
    )
    for name in ("split-prod", "split-sandbox"):
        busy(shown.board, name)
    return shown


def an_ordinary_day() -> Shown:
    """One decision to make, the rest well."""
    shown = a_good_day()
    shown.documents = [
        document(
            "split-prod", state="held", held=[hold()], token={"created": "2025-03-24", "expires_in_days": 23}
        ),
        shown.documents[1],
    ]
    return shown


def a_bad_day() -> Shown:
    """Every state at once, and names that are out to harm."""
    shown = Shown(
        [
            document(
                "split-prod",
                state="failing",
                held=[
                    hold(),
                    hold(
                        f"the group {HOSTILE} lost all 31 members",
                        id="h-77c0de",
                        check="emptied_group",
                        changes=31,
                    ),
                ],
                failing=[failure(), failure(HOSTILE, attempts=1)],
                token={"created": "2025-03-10", "expires_in_days": 9},
            ),
            document("split-emea", state="quarantined", quarantine=quarantine(), drift=drift()),
            document("split-sandbox", windows=windows(open_now=True)),
            never_synced("split-new"),
        ]
    )
    for name in ("split-prod", "split-emea", "split-sandbox"):
        busy(shown.board, name)
    prod = shown.board.connection("split-prod")
    prod.ended(
        cycle(
            "delta",
            "failed",
            minutes_ago=1,
            run_id="last",
            error=f"Okta answered 503 for {HOSTILE}",
            headroom={"/api/v1/users/{id}": RateHeadroom(600, 31, NOW + timedelta(seconds=25))},
        )
    )
    prod.warn("log", "the token may not read the System Log: changes wait for the next full run")
    shown.board.connection("split-new").began("full", NOW - timedelta(minutes=3))
    shown.board.hook_answered(204)
    shown.board.set_broken({"split-apac": "split-apac.toml: okta.app_id is missing"})
    return shown
