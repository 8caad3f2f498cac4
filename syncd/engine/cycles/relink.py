"""After SCIM was switched off and on again: every known user and group matched afresh, shown, and then stored.

For each object that has an id at the target:
  the id is there and still means the same object     unchanged
  else found by externalId or by name (core.match)    moved: its new id is stored, with what the target shows now
  found, but somebody else's or not the only one      conflict: the old id is forgotten, later plans report it too
  not found                                           missing: the old id is forgotten, the next sync makes it again

Okta is not asked, and the target is only read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from syncd.closing import Closing
from syncd.core.change import MEMBERSHIPS, Change, ChangeKind
from syncd.core.comparison import Verdict, compare
from syncd.core.diff import without
from syncd.core.left_alone import LeftAlone
from syncd.core.plan import PlanHeader
from syncd.engine.cycles.rematch import Sides, Tally, in_batches, linked_group, match_groups, match_users
from syncd.engine.facts import MAKING, NOTHING_IN_THE_MAKING, TARGET
from syncd.engine.writing import quarantine
from syncd.errors import status_after, words_after
from syncd.model import PushedGroup, PushedUser
from syncd.ports import (
    Effect,
    GroupForgotten,
    GroupPushed,
    Settled,
    Stage,
    UserForgotten,
    UserPushed,
)
from syncd.settings import scope_fingerprint, target_fingerprint


@dataclass(frozen=True)
class Relinking(Closing):
    """What a relink would store; its changes are on disk. Close it (or use it as a context manager)."""

    header: PlanHeader
    stage: Stage
    unchanged_users: int
    unchanged_groups: int
    lost_users: Sequence[str]
    """Okta ids of users whose old SCIM id is to be forgotten: those in `header.skipped`."""
    lost_groups: Sequence[str]
    read_afresh: Sequence[str]
    """Okta ids of unchanged groups some of whose members are not where they were."""

    def changes(self) -> Iterator[Change]:
        return self.stage.changes()

    @property
    def nothing_to_store(self) -> bool:
        """What was matched is what the store has already."""
        return not (any(self.header.summary.values()) or self.lost_users or self.lost_groups)

    def close(self) -> None:
        self.stage.close()


def relink(sides: Sides, now: datetime) -> Relinking:
    """Matches everything afresh; writes nothing anywhere. Raises what the target raises when it cannot be read."""
    store, settings = sides.store, sides.settings
    stage = store.stage()
    tally = Tally(stage)
    try:
        match_users(sides, stage, tally)
        match_groups(sides, stage, tally)
        header = PlanHeader(
            connection=settings.name,
            kind="relink",
            created_at=now,
            state_revision=store.revision(),
            scope=scope_fingerprint(settings),
            target=target_fingerprint(settings),
            summary=stage.change_counts(),
            holds=(),
            skipped=LeftAlone(stage.skipped()),
        )
        return Relinking(
            header,
            stage,
            unchanged_users=tally.unchanged_users,
            unchanged_groups=len(tally.unchanged_groups),
            lost_users=tally.lost_users,
            lost_groups=tally.lost_groups,
            read_afresh=[
                group for group in tally.unchanged_groups if _has_moved_members(sides, group, tally)
            ],
        )
    except BaseException:
        stage.close()
        raise


def _has_moved_members(sides: Sides, group_id: str, tally: Tally) -> bool:
    moved = tally.not_where_they_were
    return bool(moved) and any(hash(user) in moved for user in sides.store.pushed_members(group_id))


def store_relinking(sides: Sides, found: Relinking, by: str, reason: str | None = None) -> None:
    """Stores what `relink` found, and ends a quarantine that waited for it. `by` is who approved, for the audit trail.

    Cut short, what is stored already is true, and the next relink does the rest.
    """
    store = sides.store
    run_id = store.begin_run("relink")
    try:
        store.note({"decision": "relink", "by": by}, run_id=run_id, reason=reason)
        _settle_old_intents(sides)
        _forget(sides, run_id, found)
        sides.observer.phase("storing", sum(found.header.summary.values()))
        for changes in in_batches(found.stage.changes(kinds=[ChangeKind.ADOPT_USER])):
            _store(sides, run_id, [(change, _user_now(sides, found.stage, change)) for change in changes])
        for change in _groups_to_store(sides, found):
            sides.go_on()
            _store(sides, run_id, [(change, _group_now(sides, change))])
    except BaseException as error:
        store.finish_run(run_id, status=status_after(error), summary={}, error=words_after(error))
        raise
    store.retry_now(None)  # what failed with the old ids says nothing about the new ones
    quarantine.relinked(store)
    TARGET.remember(store, target_fingerprint(sides.settings))
    if found.lost_users or found.lost_groups:  # who is made again was there before, and a person has seen it
        making = MAKING.of(store, NOTHING_IN_THE_MAKING)
        MAKING.remember(store, replace(making, first_sync=True))
    store.finish_run(run_id, status="succeeded", summary=_summary(found), error=None)


def _summary(found: Relinking) -> dict[str, dict[str, int]]:
    applied = {kind.value: count for kind, count in found.header.summary.items() if count}
    return {"applied": applied, "failed": {}, "held": {}, "skipped": dict(found.header.skipped.counts)}


def _settle_old_intents(sides: Sides) -> None:
    """Writes that an interrupted run addressed to the old ids: what the target shows now counts instead."""
    sides.store.settle(
        [
            Settled(intent.sequence, intent.change, error="interrupted, then relinked", deferred=True)
            for intent in sides.store.open_intents()
            if intent.change.scim_id is not None and intent.change.kind not in MEMBERSHIPS
        ]
    )


def _forget(sides: Sides, run_id: str, found: Relinking) -> None:
    for users in in_batches(found.lost_users):
        sides.store.forget_links(run_id, users=users, groups=())
    for groups in in_batches(found.lost_groups):
        sides.store.forget_links(run_id, users=(), groups=groups)


def _user_now(sides: Sides, stage: Stage, change: Change) -> Effect:
    shown = stage.remote_candidates(okta_id=change.okta_id, user_name=change.name)
    remote = next(each for each in shown if each.scim_id == change.scim_id)
    known = sides.store.user(change.okta_id)
    was = known.pushed if known else None
    active = remote.active
    if active is None:  # the server does not show it
        active = was.active if was else True
    habits, there = sides.target.habits(), remote.attributes
    still = {
        path: written
        for path, written in (was.attributes if was else {}).items()
        if compare(written, there.get(path), habits.of(path)) is Verdict.SAME
    }
    compared = without({**there, **still}, sides.settings.initial)
    return UserPushed(change.okta_id, PushedUser(remote.scim_id, compared, active))


def _groups_to_store(sides: Sides, found: Relinking) -> Iterator[Change]:
    """After the users, so that members are known by their new ids."""
    yield from found.stage.changes(kinds=[ChangeKind.LINK_GROUP])
    for okta_id in found.read_afresh:
        known = sides.store.group(okta_id)
        if known is not None and known.pushed is not None:
            yield linked_group(known, known.pushed.scim_id, known.pushed.name, "members read afresh")


def _group_now(sides: Sides, change: Change) -> Effect:
    remote = sides.target.group(change.scim_id or "")
    members = None
    if remote.members is not None and remote.whole:
        owners = [sides.store.user_by_scim_id(scim_id) for scim_id in sorted(remote.members)]
        members = [known.okta_id for known in owners if known is not None]
    return GroupPushed(change.okta_id, PushedGroup(remote.scim_id, change.name), members)


def _untied(sides: Sides, effect: Effect) -> Sequence[Effect]:
    """Who is stored with this id has moved too, and is stored in its own turn."""
    if isinstance(effect, UserPushed):
        user = sides.store.user_by_scim_id(effect.pushed.scim_id)
        return [UserForgotten(user.okta_id)] if user and user.okta_id != effect.okta_id else []
    if isinstance(effect, GroupPushed):
        group = sides.store.group_by_scim_id(effect.pushed.scim_id)
        return [GroupForgotten(group.okta_id)] if group and group.okta_id != effect.okta_id else []
    return []


def _store(sides: Sides, run_id: str, effects: Sequence[tuple[Change, Effect]]) -> None:
    changes = [change for change, _ in effects]
    sequences = sides.store.intend(run_id, changes, exempt={change.id for change in changes})
    untied = [forgotten for _, effect in effects for forgotten in _untied(sides, effect)]
    settled = [
        Settled(sequence, change, [effect], note="relinked; nothing was sent")
        for sequence, (change, effect) in zip(sequences, effects, strict=True)
    ]
    if untied:
        settled[0] = msgspec.structs.replace(settled[0], effects=[*untied, *settled[0].effects])
    sides.store.settle(settled)
    sides.observer.advance(len(effects))
