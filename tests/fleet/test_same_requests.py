"""A store on PostgreSQL has the engine ask and write what one in a file has it ask and write: not a request more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import timedelta
from pathlib import Path

from syncd.engine.cycles.delta import delta
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import sync
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.redact import Redactor
from syncd.simulators.world import OktaWorld
from syncd.wiring import open_job
from tests.chaos.arena import Arena, arena
from tests.e2e.test_delta import (
    begin,
    deactivate,
    delete_a_group,
    exact,
    forget,
    found_a_group,
    hire,
    join,
    leave_with_groups,
    marry,
    okta_reads,
    opened,
    part,
)
from tests.postgres.making import PostgresPlace

Opened = Callable[[Arena], AbstractContextManager[Job]]
Requests = tuple[Counter[str], Counter[str]]
NEWS = (hire, leave_with_groups, deactivate, marry, join, part, found_a_group, delete_a_group)


def _world() -> OktaWorld:
    okta = OktaWorld()
    people = [okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(30)]
    okta.create_group("push-crew", members=people[:20])
    return okta


def _asked(made: Arena) -> Requests:
    """Of Okta by what was read, of the target by what was done to which kind."""
    split = Counter(
        f"{each.method} {each.path.partition('?')[0].split('/')[3]}" for each in made.split.requests
    )
    return okta_reads(made), split


def _requests(folder: Path, opened_on: Opened) -> dict[str, Requests]:
    """A first sync, a full cycle and deltas with and without news: what each asked of both sides."""
    found = {}
    tables = {
        "safety": 'max_deactivations = "50%"\nmax_member_removals = "50%"\nmax_group_deletions = 5',
        "rule": 'on_removal = "delete"',
    }
    folder.mkdir()
    with arena(folder, _world(), tables=tables) as made:
        seen = Seen()
        with opened_on(made) as job:
            begin(job)
            found["first sync"] = _asked(made)
            forget(made)
            assert sync(job, Selection()).exit_code == 0
            found["full cycle"] = _asked(made)
            delta(job, seen)
        for news in (None, *NEWS):
            forget(made)
            if news is not None:
                news(made.okta.world)
            with opened_on(made) as job:
                told = delta(job, seen)
            assert told.everything == ""
            found["quiet" if news is None else news.__name__] = _asked(made)
        assert exact(made)
    return found


def test_every_cycle_makes_the_same_requests_on_both_databases(tmp_path: Path, database: str) -> None:
    with closing(PostgresPlace(database)) as place:

        @contextmanager
        def on_postgres(made: Arena) -> Iterator[Job]:
            place.clock = made.clock  # type: ignore[assignment]
            with place.open("acme") as store:
                store.lock("syncd", expires_in=timedelta(hours=1))
                with open_job(
                    made.settings,
                    writing=True,
                    observer=made.notes,
                    redactor=Redactor(),
                    clock=made.clock,
                    store=store,
                ) as job:
                    yield job

        in_a_fleet = _requests(tmp_path / "fleet", on_postgres)
        assert place.count("journal") > 0
    in_a_file = _requests(tmp_path / "file", opened)

    assert in_a_fleet["quiet"] == (Counter({"logs": 1}), Counter())
    assert in_a_fleet == in_a_file
