"""Both simulators, the real engine and its real store, driven one cycle at a time under a clock of our own.

What a process that dies leaves behind is made here too: from a chosen call on, neither the store nor the target
takes anything more from the dying engine; then everything is opened again.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from syncd.answers.decisions import decide
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.sync import sync
from syncd.engine.reading.selection import Selection
from syncd.engine.writing.quarantine import current
from syncd.errors import SyncdError
from syncd.okta.pace import RetryPolicy as OktaRetry
from syncd.ports import HoldRecord
from syncd.redact import Redactor
from syncd.scim.http import ScimHttp
from syncd.scim.pacing import RetryPolicy as SplitRetry
from syncd.settings import ConnectionSettings, load_or_raise
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import HarnessKnobs, SplitKnobs, SplitSimulator
from syncd.simulators.world import OktaWorld, SplitWorld, default_split
from syncd.store.sqlite.store import SqliteStore
from syncd.wiring import open_for_deciding, open_for_status, open_job
from tests.chaos.oracle import Holdings, Wishes, holdings, wishes
from tests.chaos.owners import Owners
from tests.connection_text import connection_text
from tests.hurrying import hurried

OKTA_TOKEN = "00tOkTaVeRySeCrEt-chaos-0042"
SPLIT_TOKEN = "spl.iT_VeRySeCrEt-chaos-4711"
DECIDER = "chaos@example.com"
FIRST, CEILING = 0.001, 0.004

STORE_ACTS = ("begin_run", "intend", "settle", "absorb", "raise_holds", "remember", "finish_run")


class Killed(BaseException):
    """The process is dead from here on. No ordinary handler catches it."""


@dataclass
class Death:
    """Kills at the `at`-th call of one place (a store act, or "send" to the target), before or after it acts."""

    place: str
    at: int
    after: bool
    calls: int = 0
    dead: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def around(self, place: str, act: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """The call, unless it is the last one of this life or comes after it."""
        with self._lock:
            if self.dead:
                raise Killed(place)
            if place == self.place:
                self.calls += 1
                self.dead = self.calls == self.at
            mine = self.dead
        if mine and not self.after:
            raise Killed(place)
        result = act(*args, **options)
        if mine:
            raise Killed(place)
        return result


@dataclass(frozen=True)
class Cycle:
    """What one cycle came to. `result` None: it raised `error`, or the process died."""

    result: RunResult | None = None
    error: SyncdError | None = None
    killed: bool = False

    @property
    def exit_code(self) -> int | None:
        if self.result is not None:
            return self.result.exit_code
        return self.error.exit_code if self.error else None


@dataclass
class Notes:
    """An observer that keeps every event as text."""

    lines: list[str] = field(default_factory=list)

    def phase(self, name: str, total: int | None = None) -> None:
        self.lines.append(name)

    def advance(self, count: int = 1) -> None:
        pass

    def event(self, level: str, event: str, **fields: object) -> None:
        self.lines.append(f"{level} {event} {fields}")


@dataclass
class Arena:
    okta: OktaSimulator
    split: SplitSimulator
    settings: ConnectionSettings
    folder: Path
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    notes: Notes = field(default_factory=Notes)
    lock: threading.Lock = field(default_factory=threading.Lock)
    owners: Owners | None = None
    """At Harness only."""

    def wishes(self) -> Wishes:
        """What Okta wants."""
        return wishes(self.okta.world, lowered=self.owners is not None)

    def holdings(self) -> Holdings:
        """What the target has."""
        return holdings(self.split.world, self.owners)

    @property
    def store_path(self) -> Path:
        return self.settings.store_path

    def clock(self) -> datetime:
        with self.lock:
            return self.now

    def later(self, by: timedelta) -> None:
        with self.lock:
            self.now += by

    def cycle(self, *, full: bool = False, death: Death | None = None) -> Cycle:
        """One `syncd sync`. Errors of the engine are outcomes; anything else is a bug and raises."""
        try:
            with (
                _mortal(death),
                open_job(
                    self.settings,
                    writing=True,
                    observer=self.notes,
                    redactor=Redactor(),
                    clock=self.clock,
                ) as job,
            ):
                result = sync(job, Selection(full=full))
        except Killed:
            self._bury()
            return Cycle(killed=True)
        except SyncdError as error:
            self.notes.lines.append(f"error {error.message} {error.hint}")
            return Cycle(error=error)
        if death is not None and death.dead:  # died in a thread that nobody waits for
            self._bury()
            return Cycle(killed=True)
        self.notes.lines.append(str(result.document()))
        return Cycle(result=result)

    def _bury(self) -> None:
        """The lock of a dead process: same host and boot, but no process was born then."""
        with sqlite3.connect(self.store_path) as conn:
            conn.execute("UPDATE writer SET born = '1' WHERE id = 1")
        conn.close()

    def holds(self) -> Sequence[HoldRecord]:
        if not self.store_path.exists():
            return ()
        with open_for_status(self.settings, clock=self.clock) as store:
            return store.holds()

    def decide(self, decision: str, ids: Sequence[str] = ()) -> Sequence[Any]:
        """Approves or rejects holds or single changes by id; all of them without ids. Returns the changes."""
        with open_for_deciding(self.settings, clock=self.clock) as store:
            _, changes = decide(store, self.settings.name, ids, decision, DECIDER)
        return changes

    def quarantined(self) -> bool:
        with open_for_status(self.settings, clock=self.clock) as store:
            return current(store) is not None

    def heal(self) -> None:
        self.okta.reset_faults()
        self.split.reset_faults()

    def assert_journal_is_whole(self) -> None:
        if self.store_path.exists():
            with open_for_status(self.settings, clock=self.clock) as store:
                assert isinstance(store, SqliteStore)
                report, altered = store.verify_journal(), store.altered()
            assert report.intact, report
            assert not altered

    def assert_no_secret(self) -> None:
        """Neither token is in any byte that was written or said."""
        written = [path.read_bytes() for path in self.folder.rglob("*") if path.is_file()]
        for token in (OKTA_TOKEN, SPLIT_TOKEN):
            assert not [line for line in self.notes.lines if token in line]
            assert not [data for data in written if token.encode() in data]


@contextmanager
def _mortal(death: Death | None) -> Iterator[None]:
    """While this lasts `death` may strike. Connections that the dead left open are closed at the end."""
    if death is None:
        yield
        return
    opened: list[SqliteStore] = []
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        stack.callback(lambda: _close(opened))
        locked = SqliteStore.lock

        def lock(self: SqliteStore, owner: str, *, expires_in: timedelta, serves: bool = False) -> None:
            opened.append(self)
            locked(self, owner, expires_in=expires_in, serves=serves)

        patch.setattr(SqliteStore, "lock", lock)
        for name in STORE_ACTS:
            patch.setattr(SqliteStore, name, _watched(death, name, getattr(SqliteStore, name)))
        patch.setattr(SqliteStore, "unlock", _watched(death, "unlock", SqliteStore.unlock))
        patch.setattr(ScimHttp, "send", _watched(death, "send", ScimHttp.send))
        yield


def _close(stores: Sequence[SqliteStore]) -> None:
    for store in stores:
        store.close()


def _watched(death: Death, place: str, act: Callable[..., Any]) -> Callable[..., Any]:
    def watched(*args: Any, **options: Any) -> Any:
        return death.around(place, act, *args, **options)

    return watched


@contextmanager
def impatient(attempts: int = 5) -> Iterator[None]:
    """Short waits between the tries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("syncd.okta.pace.RetryPolicy", partial(OktaRetry, attempts=attempts))
        patch.setattr("syncd.scim.pacing.RetryPolicy", partial(SplitRetry, attempts=attempts))
        hurried(patch, first=FIRST, ceiling=CEILING, settle=0.001)
        patch.setattr("syncd.okta.pace._MARGIN", 0.001)
        patch.setattr("syncd.okta.conversation._RESET_MARGIN", 0.001)
        patch.setattr("syncd.scim.pacing._MARGIN", 0.001)
        patch.setenv("CHAOS_OKTA", OKTA_TOKEN)
        patch.setenv("CHAOS_SPLIT", SPLIT_TOKEN)
        yield


def settings_for(
    folder: Path, okta: OktaSimulator, split: SplitSimulator, tables: Mapping[str, str]
) -> ConnectionSettings:
    """Settings that push every group whose name starts with "push-"."""
    more = f"""[provisioning]
{tables.get("provisioning", "")}
{tables.get("attributes", "")}
[safety]
{tables.get("safety", "")}
[[push_groups]]
{tables.get("source", 'source = { name_starts_with = "push-" }')}
{tables.get("rule", "")}
"""
    limits = f"max_requests_per_second = 0\n{tables.get('split', 'concurrency = 2')}"
    text = connection_text(
        "chaos",
        okta=(okta.url, okta.world.app.id),
        split=split.base_url,
        tokens=("CHAOS_OKTA", "CHAOS_SPLIT"),
        okta_more=f"rate_limit_share = 1.0\n{tables.get('okta', '')}",
        split_more=f'flavor = "{split.world.flavor}"\n{limits}',
        more=more,
    )
    file = folder / "chaos.toml"
    file.write_text(text)
    [settings] = load_or_raise([file], environ=os.environ).connections
    return settings


@contextmanager
def arena(
    folder: Path,
    okta: OktaWorld,
    *,
    split: SplitWorld | None = None,
    knobs: SplitKnobs | None = None,
    harness: HarnessKnobs | None = None,
    tables: Mapping[str, str] | None = None,
    attempts: int = 5,
    kind: Callable[..., Arena] | None = None,
    target: Callable[..., SplitSimulator] = SplitSimulator,
) -> Iterator[Arena]:
    """`tables` adds lines to a table of the settings; "rule" adds to the push rule, "source" replaces its own. `kind`
    and `target`: what else to make.
    """
    with (
        impatient(attempts),
        OktaSimulator(okta, token=OKTA_TOKEN) as okta_server,
        target(split or default_split(), token=SPLIT_TOKEN, knobs=knobs, harness=harness) as split_server,
    ):
        settings = settings_for(folder, okta_server, split_server, tables or {})
        owners = Owners(okta) if split_server.world.flavor == "harness" else None
        made = (kind or Arena)(okta_server, split_server, settings, folder, owners=owners)
        yield made
        made.assert_no_secret()
