"""The story of a fleet: of workers that share many connections one dies and one freezes, while people come and go.

What is promised is checked where it is made, by what both worlds hold and what the simulators counted.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from syncd.core.counting import counted
from syncd.demo.fleet.customers import CONCURRENCY, Customer
from syncd.demo.fleet.workers import FleetFolder, StartedWorker
from syncd.demo.telling import Narrator
from syncd.errors import TemporaryError
from syncd.ports.fleet import Registry
from syncd.report.lines import Span, columns, faint, safe

_PATIENCE = 240.0
"""Seconds for what a slow machine takes long to do; the story never waits so long for what goes wrong at once."""
_LOOKS_EVERY = 0.2
_SHOWN = 10
NAMES = ("one", "two", "three")


@dataclass
class FleetStory:
    """`broken` gathers the promises that were not kept. `killed` is told the name of a worker that was just killed."""

    fleet: FleetFolder
    customers: Sequence[Customer]
    registry: Registry
    narrator: Narrator
    killed: Callable[[str], None] = lambda _name: None
    broken: list[str] = field(default_factory=list)
    changed: int = 0
    rounds: int = 0
    started: float = field(default_factory=time.monotonic)

    # --- what the acts are made of ------------------------------------------------------------------

    def promise(self, sentence: str, *, kept: bool) -> None:
        """Says what was promised and whether it came true."""
        self.narrator.verdict(sentence, good=kept)
        if not kept:
            self.broken.append(f"promised, but not true: {sentence}")

    def wait_for(self, what: str, true: Callable[[], object]) -> float:
        """How many seconds it took. Raises TemporaryError when it never came."""
        begun = time.monotonic()
        while not true():
            if time.monotonic() - begun > _PATIENCE:
                hint = f"the workers' logs are in {self.fleet.folder}"
                raise TemporaryError(f"waited {_PATIENCE:.0f} s in vain for this: {what}", hint=hint)
            time.sleep(_LOOKS_EVERY)
        return time.monotonic() - begun

    def differences(self) -> list[str]:
        """All customers' worlds, compared without syncd's store."""
        return [sentence for customer in self.customers for sentence in customer.differences()]

    def all_follow(self) -> float:
        """Waits until each Split is as its Okta wants it; how many seconds that took."""
        return self.wait_for("every Split is as its Okta wants it", lambda: not self.differences())

    def people_come_and_go(self, among: Sequence[Customer]) -> None:
        """A round of it, at all of these at once."""
        people = sum(customer.come_and_go(self.rounds) for customer in among)
        self.changed += people
        self.rounds += 1
        where = counted(len(among), "customer")
        self.narrator.happens(f"people come and go at {where}: {people} of them join, leave, or change")

    def owners(self) -> Mapping[str, str]:
        """The worker that owns each connection, by the connection's name; without those that nobody owns."""
        return {each.name: each.owner for each in self.registry.look().connections if each.owner}

    def of(self, worker: str) -> list[Customer]:
        """Customers of the connections that this worker owns."""
        owners = self.owners()
        return [customer for customer in self.customers if owners.get(customer.name) == worker]

    def is_anybodys_but(self, worker: str) -> bool:
        """Whether every connection is owned, and none by this one."""
        owners = self.owners()
        return len(owners) == len(self.customers) and worker not in owners.values()

    def shares(self) -> str:
        """Who owns how many."""
        owners = list(self.owners().values())
        return ", ".join(f"{name} owns {owners.count(name)}" for name in sorted(set(owners)))

    def meet_in_the_middle(self, worker: str) -> list[Customer]:
        """Changes at all customers of this worker; comes back when it has written some of them, and not all."""
        own = self.of(worker)
        before = sum(customer.writes() for customer in own)
        self.people_come_and_go(own)
        self.wait_for(f"{worker} writes", lambda: sum(customer.writes() for customer in own) > before)
        return own

    def nobody_twice(self) -> None:
        """The promise that is easiest to break."""
        made = sum(customer.made() for customer in self.customers)
        accounts = sum(customer.accounts() for customer in self.customers)
        sentence = f"nobody was made twice: {accounts} accounts by {made} requests that made one"
        self.promise(sentence, kept=made == accounts)

    # --- the acts -----------------------------------------------------------------------------------

    def the_fleet(self) -> None:
        people = sum(len(customer.okta.world.users) for customer in self.customers)
        self.narrator.say(
            f"{len(self.customers)} customers, each with an Okta org and a Split organisation of its own, and {people}"
            " people in all. One PostgreSQL holds the settings, the stores, and who owns what."
        )
        self.fleet.command("fleet", "migrate", shown="fleet migrate")
        for name in NAMES:
            self.fleet.start(name)
        self.wait_for("the workers have joined", lambda: len(self.registry.look().workers) == len(NAMES))
        applied = ("fleet", "apply", str(self.fleet.folder / "connections"), "--yes")
        done = self.fleet.command(*applied, shown="fleet apply connections --yes")["done"]
        for said in done:
            self.narrator.say(f"  {safe(said.partition(' (')[0])}")
        self.wait_for("every connection is owned", lambda: len(self.owners()) == len(self.customers))
        self.all_follow()
        self.narrator.say(f"  {self.shares()}; everything was read and written once.")
        self.promise("every Split is exactly as its Okta wants it", kept=not self.differences())
        self.nobody_twice()

    def one_is_killed(self) -> None:
        name = self._first_owner()
        own = self.meet_in_the_middle(name)
        self._worker(name).signal(signal.SIGKILL)
        self._worker(name).process.wait()
        self.killed(name)
        self.narrator.happens(
            f"{name} is killed (SIGKILL) in the middle of writing; it owned {len(own)} connections"
        )
        self.people_come_and_go(self.customers)
        seconds = self.wait_for(f"others own what {name} had", lambda: self.is_anybodys_but(name))
        self.narrator.say(f"  After {seconds:.0f} s its connections have other owners: {self.shares()}.")
        seconds += self.all_follow()
        self.narrator.say(
            f"  After {seconds:.0f} s everything is at Split, also what {name} had left half done."
        )
        self.promise("every Split is exactly as its Okta wants it", kept=not self.differences())
        self.nobody_twice()

    def one_is_frozen(self) -> None:
        name = self._first_owner()
        own, worker = self.meet_in_the_middle(name), self._worker(name)
        worker.signal(signal.SIGSTOP)
        self.narrator.happens(
            f"{name} is frozen (SIGSTOP) in the middle of writing; it owned {len(own)} connections"
        )
        self.people_come_and_go(self.customers)
        seconds = self.wait_for(f"others own what {name} had", lambda: self.is_anybodys_but(name))
        self.narrator.say(f"  After {seconds:.0f} s its connections have other owners: {self.shares()}.")
        seconds += self.all_follow()
        self.narrator.say(f"  After {seconds:.0f} s everything is at Split.")
        woken = time.monotonic()
        worker.signal(signal.SIGCONT)
        self.narrator.happens(f"{name} wakes up (SIGCONT), with the rest of its work still in its hands")
        self.wait_for(f"{name} finds its lease over", lambda: len(worker.events("joined the fleet")) == 2)
        again = worker.events("joined the fleet")[-1]["worker"]
        self.narrator.say(f"  It found its lease over, gave up what it had, and goes on as {safe(again)}.")
        late, begun = sum(customer.writes(woken) for customer in self.customers), CONCURRENCY * len(own)
        self.promise(
            f"what it still wanted to write reached no Split, but for requests it had begun: {late} of at most {begun}",
            kept=late <= begun,
        )
        self.people_come_and_go(self.customers)
        self.all_follow()
        self.promise("every Split is exactly as its Okta wants it", kept=not self.differences())
        self.nobody_twice()

    def all_stop(self) -> None:
        living = [worker for worker in self.fleet.workers if worker.process.poll() is None]
        codes = {worker.name: worker.stop() for worker in living}
        self.narrator.happens(f"the workers are told to stop (SIGTERM): {', '.join(codes)}")
        left = [*self.owners().items(), *(worker.name for worker in self.registry.look().workers)]
        self.promise(
            "each ended with 0, and handed everything over", kept=not any(codes.values()) and not left
        )
        if any(codes.values()) or left:
            self.narrator.say(f"  Exit codes: {codes}. Still there: {left}")
        verified = self.fleet.command("audit", "verify", shown="audit verify --fleet fleet.toml")
        trails = verified.get("items", [verified])
        whole = sum(bool(trail.get("intact")) for trail in trails)
        self.promise(
            f"{whole} of {len(trails)} audit trails are whole, hash by hash",
            kept=whole == len(self.customers),
        )

    def _worker(self, name: str) -> StartedWorker:
        return next(worker for worker in self.fleet.workers if worker.name == name)

    def _first_owner(self) -> str:
        """The first of the workers that still has its first name and owns something."""
        return next(name for name in NAMES if name in self.owners().values())

    def summary(self) -> list[tuple[str, str]]:
        """The rows of the last table."""
        pushed = [customer.pushed() for customer in self.customers]
        people, groups, memberships = (sum(each) for each in zip(*pushed, strict=True))
        return [
            ("Customers", str(len(self.customers))),
            ("Wanted in Split", f"{people} people, {groups} groups with {memberships} memberships"),
            ("People who came, went, or changed", str(self.changed)),
            ("Writes", str(sum(customer.writes() for customer in self.customers))),
            ("Time", f"{time.monotonic() - self.started:.0f} s"),
        ]


def tell(story: FleetStory) -> int:
    """All the acts, and the comparison at their end; the exit code. Raises SyncdError when one does not end."""
    acts: Sequence[tuple[str, Callable[[], None]]] = (
        (f"{len(story.customers)} connections, {len(NAMES)} workers, one database", story.the_fleet),
        ("A worker is killed", story.one_is_killed),
        ("A worker is frozen", story.one_is_frozen),
        ("Everybody goes home", story.all_stop),
    )
    for number, (title, act) in enumerate(acts, start=1):
        story.narrator.act(number, title)
        act()
    story.narrator.act(len(acts) + 1, "The end")
    story.narrator.lines(columns([(faint(name), Span(safe(value))) for name, value in story.summary()]))
    found = story.differences()
    for sentence in [*story.broken, *found][:_SHOWN]:
        story.narrator.verdict(safe(sentence), good=False)
    if not story.broken and not found:
        story.narrator.verdict(
            f"all {len(story.customers)} Splits are exactly as their Oktas want them (compared world by world,"
            " without syncd's store)",
            good=True,
        )
    return 1 if story.broken or found else 0
