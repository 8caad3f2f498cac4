"""What a fleet's workers know of each other, and who owns which connection: kept by the database that they share.

All times are the database's. A worker measures durations by its own clock and compares no time with anybody's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, Self

from syncd.core.balance import Charge, Worker
from syncd.core.lease import LeaseTerms
from syncd.ports.permit import Permit
from syncd.ports.store import Store
from syncd.redact import Redactor

Mode = Literal["work", "watch"]
WORK: Mode = "work"
WATCH: Mode = "watch"


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker that joins. `name` is never used twice; "": one that nobody had is found for it."""

    name: str
    host: str
    version: str
    mode: Mode
    capacity: int
    terms: LeaseTerms


@dataclass(frozen=True, slots=True)
class LivingWorker:
    """A worker as the others see it. `left`: seconds until its lease runs out; negative: so long it has been silent."""

    name: str
    host: str
    version: str
    mode: Mode
    capacity: int
    draining: bool
    started: datetime
    left: float

    @property
    def works(self) -> bool:
        """Its lease lasts, and it is not one that only watches."""
        return self.mode == WORK and self.left > 0

    @property
    def worker(self) -> Worker:
        """What the balance has to know of it."""
        return Worker(self.name, self.capacity, self.draining)


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """A connection of the fleet. `digest`: of its settings' text (SHA-256, hexadecimal); `org` and `target`: keys
    of its Okta app's org and of the Split organisation, which no other connection has. `weight`: people it manages, and
    one. `owner` "": nobody, since `since` (None: never anybody). `silent`: the owner's lease ran out.
    """

    id: int
    name: str
    digest: str
    org: str
    target: str
    weight: int
    paused: bool
    bound_for: str
    owner: str
    silent: bool
    epoch: int
    since: datetime | None
    seconds: float
    """From `since` till now; of what a silent owner has, since its lease ran out."""
    turn: int
    """See `Charge`."""
    updated_at: datetime
    updated_by: str

    @property
    def is_unowned(self) -> bool:
        """It is to be served, and no living worker has it."""
        return not self.paused and (self.silent or not self.owner)

    @property
    def charge(self) -> Charge:
        """What the balance has to know of it."""
        return Charge(
            self.id,
            self.weight,
            org=self.org,
            owner="" if self.silent else self.owner,
            since=self.seconds,
            bound_for=self.bound_for,
            paused=self.paused,
            orphaned=self.silent,
            turn=self.turn,
        )


@dataclass(frozen=True, slots=True)
class FleetState:
    """`history`: which course of its database this is, in words of the server; another one after a failover, after a
    restore, and on another server. "": nobody can tell. `connections`: how many the fleet has.
    """

    history: str = ""
    connections: int = 1


@dataclass(frozen=True, slots=True)
class Ownership:
    """The right to serve one connection, until it is given back or the lease runs out. The store asks for `epoch` and
    `token` in each transaction that writes.

    `clean`: whoever had it before gave it back, or nobody had it. `quiet`: seconds, from the answer on, in which the
    target is neither asked nor written: something of the owner before may still arrive there. `seen`: what the fleet
    was like when it was claimed.
    """

    connection: int
    name: str
    toml: str
    digest: str
    epoch: int
    token: str
    clean: bool
    quiet: float
    seen: FleetState = FleetState()

    @classmethod
    def watching(cls, record: ConnectionRecord, toml: str) -> Self:
        """Of who only watches it: no right to write at all."""
        return cls(record.id, record.name, toml, record.digest, 0, "", clean=True, quiet=0.0)

    @property
    def only_watches(self) -> bool:
        return self.epoch == 0

    @property
    def is_first(self) -> bool:
        """Nobody ever had it before."""
        return self.epoch == 1


@dataclass(frozen=True, slots=True)
class Fleet:
    """What one look shows: living workers by name, all connections by name. `history`: see `FleetState`."""

    workers: Sequence[LivingWorker]
    connections: Sequence[ConnectionRecord]
    history: str = ""

    @property
    def course(self) -> FleetState:
        return FleetState(self.history, len(self.connections))

    @property
    def sharers(self) -> Sequence[Worker]:
        """Between whom the connections are shared out. Not who was silent for too long, though nobody has told so yet:
        as long as the dead count for a share, the living have theirs and leave what those had lying.
        """
        return [each.worker for each in self.workers if each.works]

    def apart(self, worker: str) -> AbstractSet[str]:
        """Names of the connections of orgs of which another worker than this one has connections. A dead one has none:
        nobody would ask about what it had before others thought so, too.
        """
        elsewhere = {
            each.org for each in self.connections if each.owner not in ("", worker) and not each.silent
        }
        return {each.name for each in self.connections if each.org in elsewhere}


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Settings that join the fleet or take the place of what is there under this name."""

    name: str
    toml: str
    digest: str
    org: str
    target: str


class FleetStores(Protocol):
    """The stores of a fleet's connections."""

    def open_owned(
        self,
        ownership: Ownership,
        permit: Permit,
        *,
        clock: Callable[[], datetime],
        redactor: Redactor,
    ) -> Store:
        """For the owner, who writes as long as the ownership is the last one; `permit` is asked before each request to
        the target. Raises LockLost when another worker owns it, ConfigurationError when it is another's store.
        """
        ...

    def open_to_read(self, connection: int, *, clock: Callable[[], datetime], redactor: Redactor) -> Store:
        """For everybody; what people ask for is written all the same."""
        ...

    def open_to_decide(self, connection: int, *, clock: Callable[[], datetime], redactor: Redactor) -> Store:
        """For a person's decision, beside the owner."""
        ...

    def doubt(self) -> None:
        """The way to the database was lost, or led nowhere: whoever waits for an answer over it waits no longer than
        some seconds.
        """
        ...


class Registry(Protocol):
    """Who lives, who owns what, and what people say about it. Every act may raise TemporaryError: the database was not
    to be had.
    """

    def join(self, record: WorkerRecord) -> None:
        """Raises RefusedError where the name was used before."""
        ...

    def renew(self, worker: str, waiting: Sequence[int] = ()) -> bool:
        """One heartbeat. False once the lease ran out and others were told so: this worker owns nothing any more, and
        joins anew under another name. `waiting`: its connections, in the order in which others are to look after them
        should this be its last one.
        """
        ...

    def resize(self, worker: str, capacity: int) -> None:
        """It takes so many connections at most from now on."""
        ...

    def leave(self, worker: str) -> None:
        """Gives all that it still has to whoever comes, as after a lease that ran out; and ends the lease."""
        ...

    def look(self) -> Fleet:
        """The living, the connections."""
        ...

    def text_of(self, connection: int) -> tuple[str, str]:
        """Its settings as they are now, and their digest. Raises NotFound."""
        ...

    def claim(self, worker: str, connections: Sequence[int]) -> Sequence[Ownership]:
        """Those of them that nobody living has; each goes to one of all who ask at once."""
        ...

    def release(self, claims: Sequence[Ownership]) -> None:
        """Clean: nothing of ours is under way. What was taken from us meanwhile stays where it is."""
        ...

    def disown(self, worker: str, connections: Sequence[int]) -> None:
        """Those of them that are this worker's, and that it never served under this ownership, or closed."""
        ...

    def weigh(self, weights: Mapping[int, int]) -> None:
        """How many people each of these connections manages."""
        ...

    def wake(self, connection: int) -> None:
        """Has its owner look now."""
        ...

    def woken(self, seconds: float) -> AbstractSet[int]:
        """Connections of which somebody said so meanwhile; waits so long for the first. Of one thread."""
        ...

    # what people change; each raises UsageError for a name that is none

    def enrol(self, enrolments: Sequence[Enrolment], by: str, *, paused: bool = False) -> None:
        """All of them or none; with `paused` those that are new are paused from the first moment on.

        Raises RefusedError for a target that another connection of the fleet has.
        """
        ...

    def restored(self, by: str) -> int:
        """The database was put back to an earlier moment: no ownership and no lease of then or since counts ever again,
        and every connection is paused. How many there are.
        """
        ...

    def pause(self, name: str, by: str, *, paused: bool) -> None:
        """No worker has it while it is paused."""
        ...

    def drain(self, worker: str, *, draining: bool) -> None:
        """It gives all back and takes no more."""
        ...

    def move(self, name: str, worker: str) -> None:
        """To this worker, as soon as no cycle of it runs. "" takes that back."""
        ...
