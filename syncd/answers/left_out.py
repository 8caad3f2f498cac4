"""Who and what is left out: the one list that `skipped`, `status`, page and report show. From the store alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from syncd.core.change import MEMBERSHIPS, ChangeKind
from syncd.core.left_out import FAILED, REJECTED, RELEASED, LeftOut, advice, rejected_reason, way_out
from syncd.core.plan import timestamp
from syncd.core.waiting import Waiting
from syncd.engine.facts import TIES
from syncd.ports import Failure, Store
from syncd.ports.deciding import Rejection, Release

_OF_TIES = frozenset({"conflict", FAILED})
FIRST = 5
"""So many stand in the status document (contract: `left_out`)."""


def left_out(store: Store) -> Sequence[LeftOut]:
    """The oldest first."""
    rejections = store.decided().rejections
    known = store.known_changes(sorted(rejections)) if rejections else {}
    rejections = _of_their_own(rejections, known)
    found = [
        *map(_waiting, store.waiting()),
        *(_rejected(change_id, each, known.get(change_id, {})) for change_id, each in rejections.items()),
        *map(_released, store.releases()),
        *map(_failed, store.failures()),
    ]
    found = _with_ties(store, found)
    return _told_apart(sorted(_with_groups(store, found), key=_since))


def _since(each: LeftOut) -> tuple[Any, ...]:
    return (each.since, each.object_key, each.kind, each.change_id or "")


def skipped(store: Store, connection: str, named: Sequence[str]) -> dict[str, Any]:
    """The contract's skipped document."""
    items = left_out(store)
    return {
        "schema": "syncd.skipped/1",
        "connection": connection,
        "count": len(items),
        "by_kind": dict(sorted(Counter(each.kind for each in items).items())),
        "items": left_out_documents(items, named),
    }


def left_out_documents(items: Iterable[LeftOut], named: Sequence[str]) -> list[dict[str, Any]]:
    """As `skipped` and `status` show them; `named`: the options that say the connection in the command."""
    return [
        {
            "kind": each.kind,
            "type": each.type,
            "object": each.name or each.okta_id,
            "group": each.group,
            "okta_id": each.okta_id,
            "reason": each.reason,
            "since": timestamp(each.since),
            "next_look": timestamp(each.next_look) if each.next_look else None,
            "advice": advice(each),
            "way_out": way_out(each, named),
        }
        for each in items
    ]


def _waiting(each: Waiting) -> LeftOut:
    return LeftOut(each.object_key, each.kind, each.name, each.reason, each.since, each.looks, each.next_look)


def _of_their_own(
    rejections: Mapping[str, Rejection], known: Mapping[str, Mapping[str, Any]]
) -> dict[str, Rejection]:
    """Who is not to be deactivated keeps their memberships with that: it is one person who is left out, not several."""
    kept = {
        each.object_key.removeprefix("user:")
        for change_id, each in rejections.items()
        if known.get(change_id, {}).get("kind") == ChangeKind.DEACTIVATE_USER
    }
    return {
        change_id: each
        for change_id, each in rejections.items()
        if known.get(change_id, {}).get("kind") != ChangeKind.REMOVE_MEMBER
        or each.object_key.rpartition(":")[2] not in kept
    }


def _rejected(change_id: str, rejection: Rejection, change: Mapping[str, Any]) -> LeftOut:
    name = str(change.get("name") or rejection.object_key.rpartition(":")[2])
    group, kind = change.get("group"), str(change.get("kind", "a change"))
    if kind in MEMBERSHIPS:
        name = str(change.get("user") or name)
    reason = rejected_reason(kind, group, rejection.by, rejection.at)
    return LeftOut(
        rejection.object_key, REJECTED, name, reason, rejection.at, group=group, change_id=change_id
    )


def _released(each: Release) -> LeftOut:
    return LeftOut(each.object_key, RELEASED, each.name, each.sentence, each.since, target=each.target)


def _failed(each: Failure) -> LeftOut:
    reason = f"{each.kind} failed: {each.message}"
    return LeftOut(
        each.object_key, FAILED, each.name, reason, each.first_failed, each.attempts, each.next_attempt
    )


def _with_ties(store: Store, found: Sequence[LeftOut]) -> list[LeftOut]:
    """Of whoever a person chose an account for, and it does not become theirs, which one."""
    ties = TIES.of(store, {})
    return [
        replace(each, tied_to=f"{ties[each.okta_id].name} ({ties[each.okta_id].scim_id})")
        if each.type == "user" and each.kind in _OF_TIES and each.okta_id in ties
        else each
        for each in found
    ]


def _with_groups(store: Store, found: Sequence[LeftOut]) -> Iterator[LeftOut]:
    """Of memberships the group's name too; of groups in conflict the name that they would have at the target."""
    asked = {each.group_id or each.okta_id for each in found if each.type != "user"}
    groups = {okta_id: group for okta_id in sorted(asked) if (group := store.group(okta_id)) is not None}
    for each in found:
        group = groups.get(each.group_id or each.okta_id)
        if group is None or each.type == "user":
            yield each
        elif each.type == "membership":
            name = group.pushed.name if group.pushed else group.wanted.target_name
            yield each if each.group else replace(each, group=name)
        else:
            yield each if each.target else replace(each, target=group.wanted.target_name)


def _told_apart(found: Sequence[LeftOut]) -> Sequence[LeftOut]:
    """Two who want one name are not found by it: their commands name them by their Okta ids."""
    whose: dict[tuple[str, str], set[str]] = {}
    for each in found:
        whose.setdefault((each.type, each.name), set()).add(each.okta_id)
    return [
        replace(each, by_id=True)
        if len(whose[each.type, each.name]) > 1 and each.type != "membership"
        else each
        for each in found
    ]
