"""What an Okta org looked like a while ago: lists and membership stamps lag behind the objects that they are about.

Kept only while somebody asks for it: nothing is copied before `keep`, nor after `keep(0)`.
"""

import functools
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from syncd.simulators.exchange import Reply
from syncd.simulators.ids import OrderedIds, locked
from syncd.simulators.okta_state import OktaState

F = TypeVar("F", bound=Callable[..., Any])


class Past:
    """The states of one world, each with the moment from which on it was so. Used under the world's lock."""

    def __init__(self) -> None:
        self._reach = timedelta()
        self._states: deque[tuple[datetime, OktaState]] = deque()
        self._depth = 0

    def keep(self, world: OktaState, seconds: float) -> None:
        """From now on states are kept for that long; the world as it is now counts as its past before that."""
        self._reach = timedelta(seconds=seconds)
        if not seconds:
            self._states.clear()
        elif not self._states:
            self._note(world)

    @contextmanager
    def happening(self, world: OktaState) -> Iterator[None]:
        """Around an act, which may contain others: the state after the outermost one is kept."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._reach and not self._depth:
                self._note(world)

    def _note(self, world: OktaState) -> None:
        now = world.clock()
        self._states.append((now, copied(world)))
        while len(self._states) > 1 and self._states[1][0] <= now - self._reach:
            self._states.popleft()

    def ago(self, world: OktaState, seconds: float) -> OktaState:
        """The world as it was that long ago, or at the first moment that was kept."""
        if not seconds or not self._states:
            return world
        then = world.clock() - timedelta(seconds=seconds)
        return next((state for since, state in reversed(self._states) if since <= then), self._states[0][1])


def with_stamps_of(past: OktaState, reply: Reply) -> Reply:
    """The reply with the membership stamps that its groups had then; a group that was not there keeps its own."""
    records = reply.payload if isinstance(reply.payload, list) else [reply.payload]
    for record in records:
        for entity in (record, record.get("_embedded", {}).get("group", {})):
            if "lastMembershipUpdated" in entity and entity["id"] in past.groups:
                entity["lastMembershipUpdated"] = past.groups[entity["id"]].last_membership_updated
    return reply


def with_group_of(world: OktaState, past: OktaState, group_id: str) -> OktaState:
    """The past in which a group is that is there now, without members if it was not; the world where there is none."""
    if group_id not in world.groups or past is world:
        return world
    if group_id in past.groups:
        return past
    alone = OktaState(app_id=world.app.id, clock=world.clock)
    alone.store_group(replace(world.groups[group_id], members=OrderedIds()))
    return alone


def copied(world: OktaState) -> OktaState:
    """The same people, groups, assignments and mappings once more; the System Log is not copied."""
    copy = OktaState(app_id=world.app.id, clock=world.clock)
    copy.app = replace(world.app)
    for user in world.users.values():
        copy.store_user(replace(user, groups=set(user.groups)))
    for group in world.groups.values():
        copy.store_group(replace(group, members=OrderedIds(group.members)))
    for row in world.app_users.values():
        copy.store_app_user(replace(row))
    for app_group in world.app_groups.values():
        copy.store_app_group(replace(app_group))
    for mapping in world.mappings.values():
        copy.store_mapping(replace(mapping))
    return copy


def act(method: F) -> F:
    """A method that changes a world: it runs under the world's lock, and what was before is kept as its past."""

    @locked
    @functools.wraps(method)
    def run(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        with self.past.happening(self):
            return method(self, *args, **kwargs)

    return cast("F", run)
