"""A store that has lived: something in every table; and what a person with the sqlite3 shell does to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from syncd.core.change import ChangeKind
from syncd.core.plan import Hold
from syncd.core.waiting import Waiting
from syncd.ports import CreationUnproven
from syncd.ports.trail import ChainReport, Head
from syncd.store import SqliteStore, open_for_reading
from syncd.store.packs import FROM
from syncd.store.postgres.store import PostgresStore
from tests.store import making
from tests.store.making import NOON, Place

ANN, BEN, CAL = making.wanted("00u-ann"), making.wanted("00u-ben"), making.wanted("00u-cal")
HELD = [making.change(ChangeKind.DEACTIVATE_USER, f"00u-held{number}", active=False) for number in range(3)]
DOCS = Path(__file__).parents[2] / "docs" / "audit.md"


def live(store: SqliteStore | PostgresStore) -> None:
    """Something in every table."""
    making.absorb(
        store,
        users=[ANN, BEN, CAL],
        groups=[making.group("00g-dev")],
        lists={"00g-dev": ["00u-ann", "00u-ben"]},
    )
    making.push_user(store, ANN)
    making.push_user(store, BEN)
    making.push_group(store, "00g-dev")
    making.push_member(store, "00g-dev", "00u-ann")
    making.push_member(store, "00g-dev", "00u-ben")
    making.apply(store, making.change(ChangeKind.UPDATE_USER, "00u-ben", title="x"), error="refused")
    doubted = CreationUnproven("user", "00u-cal", CAL.user_name, "no answer")
    making.apply(
        store,
        making.change(ChangeKind.CREATE_USER, "00u-cal", userName=CAL.user_name),
        [doubted],
        error="no answer",
    )
    store.raise_holds([(Hold("h1", "deactivations", "too many", "approve", {}, 3), HELD)], whole=True)
    store.decide([HELD[0].id], "approve", "eve@host")
    store.decide([HELD[1].id], "reject", "eve@host")
    store.wait(
        [Waiting("user:00u-cal", "refused", CAL.user_name, "not readable", NOON, 1, None, ("name:x",))]
    )
    store.remember_all({"scope": "settings-1", "log_cursor": "https://x"})
    store.ask("sync", "{}", settings="settings-1", by="eve@host", reason="")
    making.push_crowd(store, "00g-dev", FROM + 1)
    run_id = store.begin_run("full")
    store.finish_run(run_id, status="succeeded", summary={"applied": {"create_user": 2}}, error=None)
    store.intend(run_id, [making.change(ChangeKind.UPDATE_USER, "00u-ann", title="y")])


def by_hand(place: Place, *statements: str) -> None:
    """What a person with the sqlite3 shell does."""
    with closing(sqlite3.connect(place.path)) as conn:
        for statement in statements:
            assert conn.execute(statement).rowcount != 0, statement
        conn.commit()


def checked(place: Place, noted: Head | None = None) -> ChainReport:
    """What the check says that reads only."""
    with open_for_reading(place.path, connection="split-prod", clock=place.clock) as store:
        return store.verify_journal(noted)


def named(place: Place) -> set[str]:
    return {each.table for each in checked(place).altered}
