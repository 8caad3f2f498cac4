"""Who must be written before whom, because a name at the target is given once.

what takes a name                what leaves one                             waits for
------------------------------------------------------------------------------------------------------------------
creation, adoption, return, or   an update that changes it; on Harness a     whoever has the name now and leaves it in
update with a (new) userName     deactivation, which removes the account     the same plan
creation or renaming of a group  a renaming; a deletion                      the same; unlinking keeps the name

A chain is written from its free end. A ring (a swap is a ring of two) has no free end: one of it goes by a detour, a
temporary name that nobody has, and then all the others follow. Who wants a name that its holder keeps is not written.

What must be unique is a rule of the target (`NAME_RULES`). RFC 7643 section 4.1.1: userName is unique; section 4.2
says nothing of displayName, and Split refuses a second group of a name. Harness: e-mails are unique, group names need
not be; a group's identifier derives from its first name, stays for life and is freed by deletion alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from syncd.core.change import GROUP_KINDS, Change, ChangeKind, Json, revised
from syncd.core.harness import group_identifier, group_identifiers
from syncd.core.names import letter_case_key, look_alike_key
from syncd.model import KnownGroup

_TAKES_USER_NAME = frozenset(
    {ChangeKind.ADOPT_USER, ChangeKind.CREATE_USER, ChangeKind.REACTIVATE_USER, ChangeKind.UPDATE_USER}
)
LOCAL_PART_LIMIT = 64
"""Octets before the @ (RFC 5321, section 4.5.3.1.1)."""
_GROUP_NAME_KEPT = 15
"""So much of a group's name stays before "-" and 8 digits: 24 characters, which every flavor takes."""


@dataclass(frozen=True, slots=True)
class NameRules:
    """What one kind of target holds unique. The keys are equal for names that are one name there."""

    user_key: Callable[[str], str]
    group_key: Callable[[str], str]
    deactivation_frees: bool = False
    renaming_counts: bool = True
    """Renaming a group takes and leaves a name; else names of groups need not be unique."""
    also_found_as: Callable[[str], Sequence[str]] = lambda _name: ()
    """Further keys under which the target would take a group for one of this name."""


def _exactly(name: str) -> str:
    return name


def _older_identifiers(name: str) -> Sequence[str]:
    return group_identifiers(name)[1:]


NAME_RULES: Mapping[str, NameRules] = {
    "split": NameRules(_exactly, _exactly),
    "scim": NameRules(letter_case_key, _exactly),
    "harness": NameRules(
        letter_case_key,
        group_identifier,
        deactivation_frees=True,
        renaming_counts=False,
        also_found_as=_older_identifiers,
    ),
}


def user_name_freed(name: str) -> str:
    """The key under which somebody waits for a userName, or for one that may be taken for it."""
    return f"user_name:{look_alike_key(name)}"


def group_name_freed(name: str) -> str:
    """The same for the name of a group, or for one that becomes the same identifier."""
    return f"group_name:{group_identifier(look_alike_key(name))}"


def unique_group_name(known: KnownGroup, rules: NameRules) -> str:
    """What a linked group holds unique at the target: its name, or the identifier that its first name became."""
    assert known.pushed is not None  # noqa: S101  (a linked group)
    return known.pushed.name if rules.renaming_counts else known.pushed.scim_id


def taken_name(change: Change, rules: NameRules) -> str | None:
    """The name that this change gives its object; None when it gives none that must be unique."""
    if change.kind in _TAKES_USER_NAME:
        return _text(change.after.get("userName"))
    if change.kind is ChangeKind.CREATE_GROUP or (
        change.kind is ChangeKind.RENAME_GROUP and rules.renaming_counts
    ):
        return _text(change.after.get("displayName"))
    return None


def leaves(change: Change, rules: NameRules) -> bool:
    """Whether its object has another name afterwards, or none."""
    match change.kind:
        case ChangeKind.DEACTIVATE_USER:
            return rules.deactivation_frees
        case ChangeKind.RENAME_GROUP:
            return rules.renaming_counts
        case ChangeKind.DELETE_GROUP:
            return True
        case _:
            return change.kind in _TAKES_USER_NAME and "userName" in change.after


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Move:
    """One change that takes a name (`takes` is its key), or only leaves the one that its owner has.

    `owner` is the object's key. `late`: applied in a later phase than what takes names, as removals are. `straight`:
    it makes no detour, because its object is not ours yet. `behind`: owners of names that may be taken for this one;
    they are waited for if they leave them.
    """

    id: str
    owner: str
    takes: str | None = None
    late: bool = False
    straight: bool = False
    behind: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Order:
    """`waits`: change id to the ids that must be applied before it. `detours`: ids of changes that free their
    object's name first, one in each ring; whoever waits for one of them waits for its detour. `rings`: the ids of each
    ring, its detour first. `kept`: change id to the owner that keeps the name it wants. `places`: (turn, step) of what
    is not (0, 0): all phases of one turn come before the next turn, all steps of a phase one after the other.
    """

    waits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    detours: AbstractSet[str] = frozenset()
    rings: Sequence[Sequence[str]] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict)


NO_ORDER = Order()


def order(moves: Iterable[Move], holders: Mapping[str, Collection[str]]) -> Order:
    """`holders`: who has a name at the target now, by the name's key. One move for each owner.

    Linear in the moves; of several that want one name the first by id gets it.
    """
    by_id = {move.id: move for move in sorted(moves, key=lambda move: move.id)}
    by_owner = {move.owner: move for move in by_id.values()}
    waits, kept = _dependencies(list(by_id.values()), by_owner, holders)
    _spread(kept, waits, by_id)
    rings, closed = _rings(_due(waits, kept), by_id)
    kept |= {one: by_id[waits[one][0]].owner for ring in closed for one in ring}
    _spread(kept, waits, by_id)
    waits = _due(waits, kept)
    detours = frozenset(ring[0] for ring in rings)
    kept = {one: _keeper(by_id[one], kept, by_owner) for one in kept}
    return Order(waits, detours, tuple(rings), kept, _places(by_id, waits, detours))


def _dependencies(
    moves: Sequence[Move], by_owner: Mapping[str, Move], holders: Mapping[str, Collection[str]]
) -> tuple[dict[str, list[str]], dict[str, str]]:
    waits: dict[str, list[str]] = {}
    kept: dict[str, str] = {}
    taken: dict[str, str] = {}
    for move in moves:
        if move.takes is None:
            continue
        for holder in sorted(holders.get(move.takes, ())):
            leaving = by_owner.get(holder)
            if holder == move.owner:
                continue
            if leaving is None or leaving.takes == move.takes:
                kept[move.id] = holder
            else:
                waits.setdefault(move.id, []).append(leaving.id)
        for holder in sorted(move.behind):
            leaving = by_owner.get(holder)
            if leaving is not None and leaving.takes != move.takes:
                waits.setdefault(move.id, []).append(leaving.id)
        if move.id not in kept and taken.setdefault(move.takes, move.owner) != move.owner:
            kept[move.id] = taken[move.takes]
    return waits, kept


def _spread(kept: dict[str, str], waits: Mapping[str, Sequence[str]], by_id: Mapping[str, Move]) -> None:
    """Whoever is not written keeps the name that it has: those who wait for that are not written either."""
    waiting: dict[str, list[str]] = {}
    for one, before in waits.items():
        for each in before:
            waiting.setdefault(each, []).append(one)
    pending = list(kept)
    while pending:
        stays = pending.pop()
        for one in waiting.get(stays, ()):
            if one not in kept and by_id[stays].owner not in by_id[one].behind:
                kept[one] = by_id[stays].owner
                pending.append(one)


def _keeper(move: Move, kept: Mapping[str, str], by_owner: Mapping[str, Move]) -> str:
    """Who has the name: a rival that would have got it, and is not written either, has it no more than we."""
    keeper = kept[move.id]
    rival = by_owner.get(keeper)
    while rival is not None and rival.takes == move.takes and rival.id in kept:
        keeper = kept[rival.id]
        rival = by_owner.get(keeper)
    return keeper


def _due(waits: Mapping[str, Sequence[str]], kept: Mapping[str, str]) -> dict[str, list[str]]:
    """Without what is not written: nobody waits for that any more."""
    left = {
        one: [each for each in before if each not in kept] for one, before in waits.items() if one not in kept
    }
    return {one: before for one, before in left.items() if before}


def _rings(
    waits: Mapping[str, Sequence[str]], by_id: Mapping[str, Move]
) -> tuple[list[list[str]], list[list[str]]]:
    """The rings, each beginning with the one that makes the detour, and those in which nobody can. A detour opens every
    ring through it.
    """
    open_rings: list[list[str]] = []
    closed: list[list[str]] = []
    done: set[str] = set()
    opened: set[str] = set()
    for start in sorted(waits):
        stack = [] if start in done else [(start, iter(waits[start]))]
        on_path = {start: 0}
        while stack:
            one, rest = stack[-1]
            following = next((each for each in rest if each not in opened), None)
            if following is None:
                stack.pop()
                del on_path[one]
                done.add(one)
            elif following in on_path:
                ring = [each for each, _ in stack[on_path[following] :]]
                first = min((each for each in ring if not by_id[each].straight), default=None)
                place = ring.index(first) if first is not None else 0
                (closed if first is None else open_rings).append([*ring[place:], *ring[:place]])
                opened.add(ring[place])
            elif following not in done:
                on_path[following] = len(stack)
                stack.append((following, iter(waits.get(following, ()))))
    return open_rings, closed


def _places(
    by_id: Mapping[str, Move], waits: Mapping[str, Sequence[str]], detours: AbstractSet[str]
) -> dict[str, tuple[int, int]]:
    places: dict[str, tuple[int, int]] = {}
    for start in sorted(waits):
        stack = [start]
        while stack:
            one = stack[-1]
            before = [each for each in waits.get(one, ()) if each not in detours]
            unknown = [each for each in before if each not in places and each in waits]
            if unknown:
                stack.extend(unknown)
                continue
            stack.pop()
            places[one] = max((_behind(by_id[each], places) for each in before), default=(0, 0))
    return {one: place for one, place in places.items() if place != (0, 0)}


def _behind(before: Move, places: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    turn, step = places.get(before.id, (0, 0))
    return (turn + 1, 0) if before.late else (turn, step + 1)


# the detour

_SUFFIX = re.compile(r"[-+]syncd-[0-9a-f]{8}(?=@|$)")


def temporary_name(change: Change, taken: Callable[[str], bool]) -> str:
    """A name for the object of this change that nobody has (`taken` tells): the same one in the next plan."""
    present = str(_name_in(change.before) or "")
    former = former_name(present) or present
    for number in range(1000):
        text = f"{change.id}:{number}"
        mark = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
        name = f"{former[:_GROUP_NAME_KEPT]}-{mark}" if change.kind in GROUP_KINDS else _marked(former, mark)
        if not taken(name):
            return name
    raise ValueError(f"every temporary name for {change.name} is taken")


def _marked(user_name: str, mark: str) -> str:
    local, at, domain = user_name.rpartition("@") if "@" in user_name else (user_name, "", "")
    suffix = f"{'-' if '+' in local else '+'}syncd-{mark}"
    if at:
        local = local[: LOCAL_PART_LIMIT - len(suffix)]
    return f"{local}{suffix}{at}{domain}"


def former_name(user_name: str) -> str | None:
    """The userName from which a temporary one was made; None when it is none, or was cut."""
    found = _SUFFIX.search(user_name)
    if found is None or ("@" in user_name and user_name.index("@") >= LOCAL_PART_LIMIT):
        return None
    return user_name[: found.start()] + user_name[found.end() :]


def by_way_of(change: Change, name: str) -> Change:
    """The change, saying that it goes by a temporary name. Its id stays."""
    return revised(change, via=name, reason=f'{change.reason}, via the temporary name "{name}"')


def detour(change: Change) -> Change:
    """The first step of a change with a `via`: only what bears the name, under the temporary one."""
    before, after = _named(change)
    names = dict.fromkeys(after, change.via)
    reason = f'on the way to "{_name_in(change.after)}", which is free only when this name is'
    return revised(change, before=before, after=names, reason=reason, via=None)


def way_back(change: Change) -> Change:
    """Gives an object the name back that it had before this change."""
    before, after = _named(change)
    reason = "given back: the others of the ring could not be renamed"
    return revised(change, before=after, after=before, reason=reason, via=None)


def _name_in(values: Mapping[str, Json]) -> Json:
    return values.get("userName") or values.get("displayName")


def _named(change: Change) -> tuple[dict[str, Json], dict[str, Json]]:
    """Of before and after what bears the name: an e-mail that is the userName moves with it, since servers that tell
    accounts apart by e-mail hold it unique too.
    """
    name = _name_in(change.before)
    paths = [path for path in change.after if change.before.get(path) == name]
    return {path: change.before[path] for path in paths}, {path: change.after[path] for path in paths}
