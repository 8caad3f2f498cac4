"""The order of a plan: who takes a name that somebody else has, who leaves one, and who has to wait.

Runs when the changes are complete and the holds are raised, so that nobody counts on a name that a held change would
free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from syncd.core.change import Change, ChangeKind, revised
from syncd.core.diff import Skipped
from syncd.core.order import (
    NAME_RULES,
    Move,
    NameRules,
    Order,
    by_way_of,
    detour,
    former_name,
    group_name_freed,
    leaves,
    order,
    taken_name,
    temporary_name,
    unique_group_name,
    user_name_freed,
    way_back,
)
from syncd.engine.planning.draft import Planning
from syncd.engine.reading.one_by_one import own_problem
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.errors import NotFound, SyncdError
from syncd.ports import Contested, Taking

TAKEN = "name_taken"
"""Where changes go in the spool whose name somebody keeps: not applied, and reported as conflicts."""
_NAMES_GROUPS = (ChangeKind.CREATE_GROUP, ChangeKind.RENAME_GROUP, ChangeKind.DELETE_GROUP)


@dataclass
class _Names:
    """Who moves, and who has what, by object keys and keys of names."""

    rules: NameRules
    moves: dict[str, Move] = field(default_factory=dict)
    holders: dict[str, set[str]] = field(default_factory=dict)

    def add_holder(self, key: str, owner: str) -> None:
        self.holders.setdefault(key, set()).add(owner)

    def add(self, move: Move) -> None:
        known = self.moves.get(move.id)
        self.moves[move.id] = replace(move, behind=move.behind | known.behind) if known else move

    def add_contest(self, each: Contested) -> None:
        after, behind = each.leaving, frozenset[str]()
        if self.rules.user_key(each.takes) == self.rules.user_key(each.holder_name):
            self.add_holder(f"user:{self.rules.user_key(each.takes)}", f"user:{each.holder}")
        elif after is None:
            return  # two names at this target, as far as we know; it will say so if not
        else:
            behind = frozenset({f"user:{each.holder}"})
        self.add(self._move(each.change_id, each.owner, each.kind, each.takes, behind))
        if after is None:
            return
        owner = f"user:{each.holder}"
        if after.takes is not None:
            self.add(self._move(after.change_id, each.holder, after.kind, after.takes))
        elif self.rules.deactivation_frees:
            self.add(Move(after.change_id, owner, late=True))

    def add_returning(self, owner: str, user_name: str, takers: Iterable[Taking]) -> None:
        """Somebody comes back to this name: who would take it waits for them."""
        self.add_holder(f"user:{self.rules.user_key(user_name)}", owner)
        for each in takers:
            self.add(self._move(each.change_id, each.owner, each.kind, each.takes))

    def _move(
        self, change_id: str, okta_id: str, kind: ChangeKind, takes: str, behind: frozenset[str] = frozenset()
    ) -> Move:
        key = f"user:{self.rules.user_key(takes)}"
        return Move(change_id, f"user:{okta_id}", key, straight=kind is ChangeKind.ADOPT_USER, behind=behind)


def order_plan(planning: Planning) -> None:
    """Puts the changes in order, and those aside whose name is kept by somebody."""
    names = _Names(NAME_RULES[planning.policy.flavor])
    for each in planning.stage.contested():
        names.add_contest(each)
    _add_groups(planning, names)
    if not names.moves:
        return
    found = order(names.moves.values(), names.holders)
    if _free_what_is_free(planning, names, found):
        found = order(names.moves.values(), names.holders)
    back: dict[str, str] = {}
    while more := _stranded(planning, found, back):
        back |= more
        for change_id, former in more.items():
            owner = names.moves[change_id].owner
            names.add_returning(owner, former, planning.stage.takers_of(former))
        found = order(names.moves.values(), names.holders)
    planning.order = found
    vias = [_with_detour(planning, change_id) for change_id in sorted(found.detours)]
    planning.stage.place_changes(found.places, vias)
    for change_id, keeper in sorted(found.kept.items()):
        change = planning.stage.change(change_id)
        _put_aside(planning, change, keeper)
        if change_id in back:
            home = way_back(detour(by_way_of(_from(change, back[change_id]), str(change.before["userName"]))))
            planning.add_change(home)


def _add_groups(planning: Planning, names: _Names) -> None:
    rules = names.rules
    for change in planning.stage.changes(kinds=_NAMES_GROUPS):
        takes = taken_name(change, rules)
        if takes is not None or leaves(change, rules):
            key = None if takes is None else f"group:{rules.group_key(takes)}"
            late = change.kind is ChangeKind.DELETE_GROUP
            names.add(Move(change.id, f"group:{change.okta_id}", key, late=late))
    if any(move.owner.startswith("group:") for move in names.moves.values()):
        for known in planning.job.store.groups():
            if known.pushed is not None:
                names.add_holder(
                    f"group:{rules.group_key(unique_group_name(known, rules))}", f"group:{known.okta_id}"
                )


def _free_what_is_free(planning: Planning, names: _Names, found: Order) -> bool:
    """What is remembered may be no longer so: holders that stay as they are, are looked at before anybody waits for
    them. True when one of them has the name no more.
    """
    freed = False
    movers = {move.owner for move in names.moves.values()}
    keepers = sorted({keeper for keeper in found.kept.values() if keeper not in movers})
    for keeper in keepers[:BY_ID_AT_MOST]:
        keys = [key for key, holders in names.holders.items() if keeper in holders]
        shown = _name_shown(planning, keeper)
        if shown is None:
            continue
        kind = keeper.partition(":")[0]
        rule = names.rules.user_key if kind == "user" else names.rules.group_key
        for key in keys:
            if key not in {f"{kind}:{rule(name)}" for name in shown}:
                names.holders[key].discard(keeper)
                freed = True
    return freed


def _name_shown(planning: Planning, keeper: str) -> list[str] | None:
    """The name that the target shows now: none when the object is gone; None when it cannot be told."""
    kind, _, okta_id = keeper.partition(":")
    job = planning.job
    try:
        if kind == "user":
            user = job.store.user(okta_id)
            return [job.target.user(user.pushed.scim_id).user_name] if user and user.pushed else []
        group = job.store.group(okta_id)
        if group is None or group.pushed is None:
            return []
        remote = job.target.group(group.pushed.scim_id)
        return [remote.name if NAME_RULES[planning.policy.flavor].renaming_counts else remote.scim_id]
    except NotFound:
        return []
    except SyncdError as problem:
        own_problem(problem)
        return None


def _with_detour(planning: Planning, change_id: str) -> Change:
    change = planning.stage.change(change_id)
    store = planning.job.store
    is_group = change.kind is ChangeKind.RENAME_GROUP

    def taken(name: str) -> bool:
        return bool(store.find_groups(name) if is_group else store.find_users(name))

    return by_way_of(change, temporary_name(change, taken))


def _put_aside(planning: Planning, change: Change, keeper: str) -> None:
    """Its name is kept. Who has no account yet has no memberships either."""
    stage = planning.stage
    stage.hold_changes([change.id], TAKEN)
    if change.kind in (ChangeKind.CREATE_USER, ChangeKind.ADOPT_USER, ChangeKind.CREATE_GROUP):
        stage.hold_memberships(change.okta_id, TAKEN)
    name = taken_name(change, NAME_RULES[planning.policy.flavor]) or change.name
    reason = f'"{name}" is at the target the name of {_called(planning, keeper)}, which keeps it: nothing is changed'
    if keeper.startswith("group:"):
        about, key = "group", group_name_freed(name)
    else:
        about, key = "user", user_name_freed(name)
    planning.skip(Skipped("conflict", change.okta_id, change.name, reason, about, (key,)))


def _called(planning: Planning, keeper: str) -> str:
    kind, _, okta_id = keeper.partition(":")
    if kind == "group":
        group = planning.job.store.group(okta_id)
        return f"{group.wanted.name} ({okta_id})" if group else okta_id
    user = planning.job.store.user(okta_id)
    return f"another Okta user, {user.wanted.user_name or okta_id} ({okta_id})" if user else okta_id


def _stranded(planning: Planning, found: Order, known: Mapping[str, str]) -> dict[str, str]:
    """Who sits under a temporary name, from a run that died, and cannot go on: with the name to go back to."""
    stranded = {}
    for change_id in found.kept:
        if change_id in known:
            continue
        change = planning.stage.change(change_id)
        present = change.before.get("userName")
        former = former_name(present) if isinstance(present, str) else None
        if former is not None and change.kind is ChangeKind.UPDATE_USER and _is_free(planning, former):
            stranded[change_id] = former
    return stranded


def _is_free(planning: Planning, user_name: str) -> bool:
    key = NAME_RULES[planning.policy.flavor].user_key
    holders = [known.pushed for known in planning.job.store.find_users(user_name) if known.pushed]
    return key(user_name) not in {key(str(each.attributes.get("userName", ""))) for each in holders}


def _from(change: Change, former: str) -> Change:
    """As if the change began at the name that its object had before the detour."""
    before = {
        path: former if value == change.before["userName"] else value for path, value in change.before.items()
    }
    return revised(change, before=before)
