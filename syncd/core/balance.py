"""Who takes which connections of a fleet, and who gives some back: what one worker does by itself, from what all see.

Nobody leads. Each worker takes free connections until it has its share by weight, and gives idle ones back, few at a
time, while it has more than its share and somebody else has room. Two that decide the same meet at the database, which
gives a connection to one of them. Pure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

RESTS = 120.0
"""Seconds for which a connection stays where it was taken, whatever the shares are."""
MOVED_A_MINUTE = 0.05
"""Part of its connections that a worker gives back in a minute; one is always allowed."""
LEFT_LYING = 10.0
"""Seconds after which a free connection is taken by whoever has room, share or not."""
ORPHANS_LIE = 2.0
"""As `LEFT_LYING`, of what a dead worker had: nobody has looked after it since that one's last sign."""
BEGUN_AT_ONCE = 20
"""Connections at most that a worker has taken and done nothing for yet. What it had beyond that would lie for another
lease if it died now; what it leaves can be had by others at once.
"""


@dataclass(frozen=True, slots=True)
class Worker:
    """One that lives. `capacity`: connections at most; `draining`: it takes no more and gives all back."""

    name: str
    capacity: int
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Charge:
    """A connection and who has it: `owner` "" is nobody, for `since` seconds. `weight`: more than 0, of the people that
    it manages. `org`: connections of one are best on one worker. `bound_for`: the worker that a person chose, or "".
    `orphaned`: who had it died, `since` seconds ago; `turn`: its place among what that one had, from 1 on for the one
    whose last delta lies longest ago; 0 for what was only just taken then.
    """

    connection: int
    weight: int
    org: str = ""
    owner: str = ""
    since: float = 0.0
    bound_for: str = ""
    paused: bool = False
    orphaned: bool = False
    turn: int = 0

    @property
    def lies(self) -> bool:
        """Nobody whose share it was took it in time."""
        return self.since >= (ORPHANS_LIE if self.orphaned else LEFT_LYING)


@dataclass(frozen=True, slots=True)
class Handover:
    """Connections to take, in this order as far as they are to be had, and to give back."""

    take: Sequence[int] = ()
    release: Sequence[int] = ()
    more: bool = False
    """There is more to take, once some of it was begun."""


@dataclass
class _Hands:
    """What one worker has while it decides."""

    me: Worker
    share: int
    weight: int = 0
    count: int = 0
    orgs: Counter[str] = field(default_factory=Counter)

    def add(self, charge: Charge) -> None:
        self.weight += charge.weight
        self.count += 1
        self.orgs[charge.org] += 1

    def drop(self, charge: Charge) -> None:
        self.weight -= charge.weight
        self.count -= 1
        self.orgs[charge.org] -= 1

    @property
    def has_room(self) -> bool:
        return self.count < self.me.capacity


def share_of(charges: Iterable[Charge], workers: Iterable[Worker]) -> int:
    """The weight that each worker has when all have the same, rounded up; what is paused weighs nothing."""
    able = sum(1 for worker in workers if not worker.draining)
    return math.ceil(sum(charge.weight for charge in charges if not charge.paused) / max(able, 1))


def balance(
    me: str,
    workers: Sequence[Worker],
    charges: Sequence[Charge],
    *,
    busy: frozenset[int],
    moved_lately: int,
    not_begun: int = 0,
) -> Handover:
    """What the worker `me` does now. `busy`: its connections of which a cycle runs; `moved_lately`: how many it gave
    back for the balance in the last minute; `not_begun`: for how many it did nothing yet. Nothing for one that is not
    among the living.
    """
    mine = [charge for charge in charges if charge.owner == me]
    myself = next((worker for worker in workers if worker.name == me), None)
    if myself is None:
        return Handover()
    if myself.draining:
        return Handover(release=[charge.connection for charge in mine if charge.connection not in busy])
    hands = _Hands(myself, share_of(charges, workers))
    for charge in mine:
        hands.add(charge)
    able = {worker.name for worker in workers if not worker.draining}
    roomy = _with_room(hands, workers, charges)
    release = _sent_away(hands, mine, able, busy)
    if roomy - {me}:
        idle = _for_balance(hands, [each for each in mine if each not in release], busy)
        release += idle[: _moves_left(len(mine), moved_lately)]
    free = [charge for charge in charges if not charge.owner and not charge.paused]
    take = _taken(hands, free, able, sorted(roomy or able))
    begins = take[: max(0, BEGUN_AT_ONCE - not_begun)]
    return Handover(
        [each.connection for each in begins],
        [each.connection for each in release],
        more=len(begins) < len(take),
    )


def _moves_left(count: int, moved_lately: int) -> int:
    return max(0, max(1, math.floor(count * MOVED_A_MINUTE)) - moved_lately)


def _sent_away(hands: _Hands, mine: Sequence[Charge], able: set[str], busy: frozenset[int]) -> list[Charge]:
    """What a person paused or moved elsewhere: rest and share do not count."""
    gone = [
        charge
        for charge in mine
        if charge.connection not in busy and (charge.paused or _bound_elsewhere(charge, hands.me.name, able))
    ]
    for charge in gone:
        hands.drop(charge)
    return gone


def _bound_elsewhere(charge: Charge, me: str, able: set[str]) -> bool:
    """Bound for a worker that is not there, it may be anywhere."""
    return charge.bound_for in able and charge.bound_for != me


def _for_balance(hands: _Hands, mine: Sequence[Charge], busy: frozenset[int]) -> list[Charge]:
    """As long as the share stays, those first whose org has least here."""
    found = []
    count, weight = hands.count, hands.weight
    for charge in sorted(mine, key=lambda each: (hands.orgs[each.org], -each.weight, each.connection)):
        stays = charge.connection in busy or charge.since < RESTS or charge.bound_for == hands.me.name
        if stays or (weight - charge.weight < hands.share and count <= hands.me.capacity):
            continue
        found.append(charge)
        count, weight = count - 1, weight - charge.weight
    return found


def _with_room(hands: _Hands, workers: Sequence[Worker], charges: Sequence[Charge]) -> set[str]:
    """Who has less than the share, and less than it takes."""
    weights: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for charge in charges:
        weights[charge.owner] += charge.weight
        counts[charge.owner] += 1
    return {
        worker.name
        for worker in workers
        if not worker.draining
        and weights[worker.name] < hands.share
        and counts[worker.name] < worker.capacity
    }


def _taken(hands: _Hands, free: Sequence[Charge], able: set[str], takers: Sequence[str]) -> list[Charge]:
    """Those that a person sent here first, then orphans, then those whose org is here, the heaviest first; the last one
    may weigh more than what the share had room for, else a heavy one would lie for ever.
    """
    me = hands.me.name
    found = []
    order = sorted(
        free,
        key=lambda each: (
            *(each.bound_for != me, _my_turn(me, each, takers), -hands.orgs[each.org], -each.weight),
            *(_my_order(me, each), each.connection),
        ),
    )
    for charge in order:
        if not hands.has_room or _bound_elsewhere(charge, me, able):
            continue
        if charge.bound_for == me or hands.weight < hands.share or charge.lies:
            found.append(charge)
            hands.add(charge)
    return found


def _my_turn(me: str, charge: Charge, takers: Sequence[str]) -> tuple[bool, bool, int]:
    """Orphans first, and of them those that wait for longest. All take them at once: each begins with others of them,
    as dealt out by turns.
    """
    if not charge.orphaned:
        return True, False, 0
    dealt = charge.turn or charge.connection
    return False, takers[dealt % len(takers)] != me, charge.turn


def _my_order(me: str, charge: Charge) -> bytes:
    """As long as nobody knows how long orphans wait, each begins with others of them all the same."""
    said = f"{me} {charge.connection}".encode()
    return blake2b(said, digest_size=8).digest() if charge.orphaned else b""
