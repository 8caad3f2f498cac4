"""What connections of one process share that ask the same org with the same credentials: the System Log, the list of
its groups, and what is known of its rate limits.

Other credentials may be shown other events, and have limits of their own: nothing is shared with those.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

from syncd.model import OktaGroup
from syncd.okta.pace import OrgRates
from syncd.okta.shared_list import SharedList
from syncd.okta.shared_log import Beyond, Follower, SharedLog
from syncd.ports import Listing, LogPage

_KEPT_AT_MOST = 1_000
"""Orgs of which is known what their limits were, also while nobody asks them."""


@dataclass
class _Org:
    log: SharedLog
    rates: OrgRates = field(default_factory=OrgRates)
    groups: SharedList[OktaGroup] = field(default_factory=SharedList)


def _nothing_beyond(_key: str, _names: Collection[str]) -> None:
    """Of a process that is alone."""


class Orgs:
    """All of one process. Thread-safe. `clock` is a monotonic one. `beyond`: what the org of this key shares with other
    processes, for connections of these names.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        beyond: Callable[[str, Collection[str]], Beyond | None] = _nothing_beyond,
    ) -> None:
        self._clock, self._beyond = clock, beyond
        self._lock = threading.Lock()
        self._orgs: OrderedDict[str, _Org] = OrderedDict()
        self._follows: dict[str, str] = {}
        """Key of the org by connection."""

    def seat(self, name: str, fresh_for: float, wake: Callable[[], None]) -> Seat:
        """For one connection; see `shared_log.Follower`."""
        return Seat(self, Follower(name, fresh_for, wake))

    def leave(self, name: str) -> None:
        """The connection is served no more."""
        with self._lock:
            self._leave(name)

    def _leave(self, name: str) -> None:
        key = self._follows.pop(name, None)
        if key is not None and key in self._orgs:
            self._orgs[key].log.leave(name)

    def rates(self, key: str) -> OrgRates:
        with self._lock:
            return self._at(key).rates

    def groups(self, key: str) -> SharedList[OktaGroup]:
        with self._lock:
            return self._at(key).groups

    def log(self, key: str, member: Follower) -> SharedLog:
        """Of this org, which the connection follows from now on."""
        with self._lock:
            if self._follows.get(member.name, key) != key:
                self._leave(member.name)
            self._follows[member.name] = key
            log = self._at(key).log
            log.join(member)
            return log

    def heard(self, key: str) -> None:
        """Another process was told of events of this org."""
        with self._lock:
            org = self._orgs.get(key)
        if org is not None:
            org.log.heard()

    def _at(self, key: str) -> _Org:
        org = self._orgs.get(key)
        if org is None:
            org = self._orgs[key] = _Org(SharedLog(self._clock, partial(self._beyond, key)))
        self._orgs.move_to_end(key)
        while len(self._orgs) > _KEPT_AT_MOST:
            followed = set(self._follows.values())
            idle = next((each for each in self._orgs if each not in followed and each != key), None)
            if idle is None:
                break
            del self._orgs[idle]
        return org


@dataclass(frozen=True)
class Seat:
    """A connection's place in what is shared."""

    orgs: Orgs
    member: Follower

    def at(self, key: str) -> OrgSeat:
        """In the org of this key."""
        return OrgSeat(self, key)


@dataclass(frozen=True)
class OrgSeat:
    """One connection at one org. It follows the log from its first question about that on."""

    _seat: Seat
    _key: str

    @property
    def rates(self) -> OrgRates:
        return self._seat.orgs.rates(self._key)

    def groups(self, own: Listing[OktaGroup]) -> Listing[OktaGroup]:
        """See `SharedList.listing`."""
        return self._seat.orgs.groups(self._key).listing(own)

    def begin(self, ask: Callable[[], LogPage]) -> LogPage:
        """See `SharedLog.begin`."""
        return self._log.begin(ask)

    def page(self, place: str, ask: Callable[[str], LogPage]) -> LogPage:
        """See `SharedLog.page`."""
        return self._log.page(self._seat.member, place, ask)

    @property
    def _log(self) -> SharedLog:
        return self._seat.orgs.log(self._key, self._seat.member)


def alone() -> OrgSeat:
    """Of whoever shares nothing."""
    return Orgs().seat("", 0.0, lambda: None).at("")
