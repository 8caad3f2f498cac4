"""One connection against the two servers, opened as the command line opens it; and a store filled at once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench import org
from syncd.core.plan import timestamp
from syncd.engine.facts import COMPLETE_READ, SCOPE
from syncd.engine.job import Job
from syncd.engine.reading.full import read_everything
from syncd.ports import Store
from syncd.redact import Redactor
from syncd.settings import ConnectionSettings
from syncd.settings.load import parse
from syncd.store.sqlite.opening import open_store
from syncd.wiring import open_job, utc_now

THREADS = 8
"""Writes under way at once."""
_CONFIG = """
name = "bench"
state = "."
[okta]
org_url = "{okta}"
app_id = "{app}"
token = {{ env = "BENCH_TOKEN" }}
rate_limit_share = 1.0
[split]
base_url = "{scim}/scim/v2"
token = {{ env = "BENCH_TOKEN" }}
max_requests_per_second = 0
concurrency = {threads}
"""
_RULE = """
[[push_groups]]
source = { name_starts_with = "Team " }
"""
TOKEN = {"BENCH_TOKEN": "bench-token-of-no-value"}  # the servers of the benchmark ask for none


@dataclass
class Stopwatch:
    """An observer that notes when each phase began, and when something was last finished."""

    begun: dict[str, float] = field(default_factory=dict)
    last: float = 0.0

    def phase(self, name: str, total: int | None = None) -> None:
        del total
        self.begun.setdefault(name, time.perf_counter())

    def advance(self, count: int = 1) -> None:
        del count
        self.last = time.perf_counter()

    def event(self, level: str, event: str, **fields: object) -> None:
        pass


def settings(okta: str, scim: str, folder: Path, *, groups: bool) -> ConnectionSettings:
    text = _CONFIG.format(okta=okta, scim=scim, app=org.APP, threads=THREADS) + (_RULE if groups else "")
    return parse(text, file=folder / "bench.toml", environ=TOKEN)


@contextmanager
def opened(
    chosen: ConnectionSettings, watch: Stopwatch | None = None, fleet: Mapping[str, Any] | None = None
) -> Iterator[Job]:
    """`fleet`: with the store of a connection of a fleet (`bench.fleet.FleetStore`), and not that of the settings."""
    with (
        nullcontext() if fleet is None else _of_fleet(fleet) as store,
        open_job(
            chosen, writing=True, observer=watch or Stopwatch(), redactor=Redactor(), store=store
        ) as job,
    ):
        yield job


@contextmanager
def _of_fleet(fleet: Mapping[str, Any]) -> Iterator[Store]:
    from syncd.store.postgres.opening import Pools, open_store  # noqa: PLC0415  (psycopg)
    from syncd.store.postgres.store import StoreClaim  # noqa: PLC0415

    claim = StoreClaim(fleet["epoch"], fleet["token"], lambda: None)
    with closing(Pools(fleet["url"])) as pools:
        store = open_store(pools, fleet["connection"], name="bench", claim=claim, clock=utc_now)
        with closing(store):
            store.lock("bench", expires_in=timedelta(hours=1))
            yield store


def fill(chosen: ConnectionSettings) -> None:
    """A store as it is after a complete first sync: read from Okta, with everything taken for pushed."""
    with opened(chosen) as job:
        stage = job.store.stage()
        read_everything(job, stage, every_member_list=True)
        job.store.absorb(stage, confirmed_absent={})
        stage.close()
        job.store.remember(SCOPE.key, job.scope)
        job.store.remember(COMPLETE_READ.key, timestamp(utc_now()))
    with (
        open_store(chosen.store_path, connection=chosen.name, clock=utc_now) as store,
        store._transaction() as conn,  # noqa: SLF001  (nothing else says this, and what it says is sealed)
    ):
        conn.execute(
            "UPDATE users SET scim_id ="
            " 'u' || (CAST(substr(okta_id, 4, 14) AS INTEGER) * 500 + CAST(substr(okta_id, 18) AS INTEGER)),"
            " pushed_attributes = attributes, pushed_active = 1, pushed_folded_name = folded_name"
        )
        for okta_id, wish in conn.execute("SELECT okta_id, wish FROM groups").fetchall():
            conn.execute(
                "UPDATE groups SET scim_id = ?, pushed_name = ? WHERE okta_id = ?",
                (f"g{org.group_number(okta_id)}", json.dumps(json.loads(wish)[1]), okta_id),
            )
        conn.execute("UPDATE members SET pushed = 1 WHERE listed")
