"""Values for the store's tests, short to write."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncd.core.change import REMOVALS, Change, ChangeKind, Json, Removal
from syncd.core.evidence import AskedByOperator
from syncd.model import (
    GroupState,
    PushedGroup,
    PushedUser,
    Scalar,
    Standing,
    WantedGroup,
    WantedUser,
)
from syncd.ports import Effect, GroupPushed, MemberPushed, Settled, Stage, Store, UserPushed
from syncd.store import SqliteStore, open_store

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@dataclass
class Place:
    """Where stores of a test live; `open` opens the same one again."""

    path: Path
    clock: Clock = field(default_factory=Clock)

    def open(self, connection: str = "split-prod") -> SqliteStore:
        return open_store(self.path, connection=connection, clock=self.clock)

    def count(self, table: str) -> int:
        """How many rows are there, whatever the store says."""
        with closing(sqlite3.connect(self.path)) as conn:
            return int(conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


ONLY_SQLITE = pytest.mark.parametrize("kind", ["sqlite"])
"""Of files, and of the lock that stands in them: a fleet has `tests/postgres` for the same."""


def wanted(
    okta_id: str,
    standing: Standing = Standing.ACTIVE,
    *,
    name: str | None = None,
    attributes: Mapping[str, Scalar] | None = None,
    reason: str = "assigned directly",
    key: str | None = None,
) -> WantedUser:
    user_name = f"{okta_id}@example.com" if name is None else name
    user = WantedUser(
        okta_id=okta_id,
        standing=standing,
        user_name=user_name,
        attributes={"userName": user_name, **(attributes or {})},
        reason=reason,
        digest=b"",
        name_key=user_name.lower() if key is None else key,
    )
    return replace(user, digest=hashlib.blake2b(ascii(user).encode(), digest_size=16).digest())


def group(okta_id: str, state: GroupState = GroupState.PUSHED, *, stamp: str | None = None) -> WantedGroup:
    return WantedGroup(
        okta_id=okta_id,
        state=state,
        name=f"Group {okta_id}",
        target_name=f"Group {okta_id}",
        action="create",
        rename=False,
        on_removal="keep",
        rule=f'name = "Group {okta_id}"',
        reason="matches a rule",
        stamp=stamp,
    )


def change(kind: ChangeKind, okta_id: str, *, group_id: str | None = None, **after: Json) -> Change:
    fields = {
        "kind": kind,
        "okta_id": okta_id,
        "scim_id": None,
        "name": f"{okta_id}@example.com",
        "before": {},
        "after": after,
        "reason": "for a test",
        "group_id": group_id,
        "group": group_id and f"Group {group_id}",
        "user": group_id and f"{okta_id}@example.com",
    }
    if kind in REMOVALS:
        return Removal(**fields, evidence=AskedByOperator("asked in a test"))  # type: ignore[arg-type]
    return Change(**fields)  # type: ignore[arg-type]


def fill(
    stage: Stage,
    *,
    users: Sequence[WantedUser] | None = None,
    groups: Sequence[WantedGroup] | None = None,
    lists: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Stages complete lists of what is given."""
    if users is not None:
        stage.put_users(users)
        stage.users_read_whole()
    if groups is not None:
        stage.put_groups(groups)
        stage.groups_read_whole()
    for group_id, members in (lists or {}).items():
        stage.put_members(group_id, members)
        stage.members_read_whole(group_id, None)


def absorb(
    store: Store,
    *,
    users: Sequence[WantedUser] | None = None,
    groups: Sequence[WantedGroup] | None = None,
    lists: Mapping[str, Sequence[str]] | None = None,
    gone: Mapping[str, datetime] | None = None,
) -> None:
    stage = store.stage()
    fill(stage, users=users, groups=groups, lists=lists)
    store.absorb(stage, confirmed_absent=gone or {})
    stage.close()


def apply(store: Store, done: Change, effects: Iterable[Effect] = (), error: str | None = None) -> None:
    """Intent and outcome of one change."""
    run_id = store.begin_run("full")
    (sequence,) = store.intend(run_id, [done])
    store.settle([Settled(sequence, done, tuple(effects), status=200, error=error)])


def push_user(store: Store, user: WantedUser, *, active: bool = True) -> None:
    done = change(ChangeKind.CREATE_USER, user.okta_id, userName=user.user_name)
    apply(
        store, done, [UserPushed(user.okta_id, PushedUser(f"scim-{user.okta_id}", user.attributes, active))]
    )


def push_group(store: Store, okta_id: str, members: Sequence[str] = ()) -> None:
    done = change(ChangeKind.CREATE_GROUP, okta_id, displayName=f"Group {okta_id}")
    pushed = PushedGroup(f"scim-{okta_id}", f"Group {okta_id}")
    apply(store, done, [GroupPushed(okta_id, pushed, members)])


def push_member(store: Store, group_id: str, user_id: str, *, present: bool = True) -> None:
    kind = ChangeKind.ADD_MEMBER if present else ChangeKind.REMOVE_MEMBER
    done = change(kind, user_id, group_id=group_id, member=present)
    apply(store, done, [MemberPushed(group_id, user_id, present=present)])


def push_crowd(store: Store, group_id: str, number: int) -> list[Change]:
    """So many members at once, of whom no limit is told: what is written down of them is packed."""
    crowd = [
        change(ChangeKind.ADD_MEMBER, f"00u-crowd{each:04}", group_id=group_id, member=True)
        for each in range(number)
    ]
    run_id = store.begin_run("full")
    sequences = store.intend(run_id, crowd, exempt={each.id for each in crowd})
    store.settle(
        [
            Settled(sequence, each, (MemberPushed(group_id, each.okta_id, present=True),), status=200)
            for sequence, each in zip(sequences, crowd, strict=True)
        ]
    )
    return crowd
