"""Cycles of one connection at the same time, while Okta's pages are slow, its lists lag and its events are late.

Between a page's answer and its arrival things happen, and shorter cycles learn of them by id. Whatever the order:
nobody who left is let in again, nobody who is wanted is locked out, no group is deleted and made again; and when all is
quiet, a delta and a full cycle leave both worlds equal.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Self

from syncd.answers.decisions import decide
from syncd.engine.reading.selection import Selection
from syncd.simulators.ids import WorldError
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.world import OktaWorld, default_split
from tests.chaos.arena import DECIDER, OKTA_TOKEN, SPLIT_TOKEN, impatient, settings_for
from tests.chaos.crew import Crew, Ticks, WitnessedSplit
from tests.chaos.estate import Estates, epochs_are_named
from tests.chaos.owners import PREFIX, Owners
from tests.chaos.timeline import Scope, unequal, wanted
from tests.connection_text import FREE_TO_CHANGE

FLAVORS = tuple(os.environ.get("CHAOS_FLAVORS", "split scim harness").split())
ACTS = (
    "hire", "leave", "leave", "leave", "come_back", "come_back", "come_back", "rename_person", "readdress", "suspend",
    "deprovision", "join", "join", "leave_group", "leave_group", "leave_group", "found_a_group", "delete_a_group",
    "rename_a_group", "leave_the_rule", "leave_the_rule", "enter_the_rule", "enter_the_rule",
)  # fmt: skip
LISTS = (
    r"/apps/[^/]+/users\?",
    r"/api/v1/groups\?|/apps/[^/]+/groups\?|/mappings\?",
    r"/api/v1/groups/[^/]+/users",
)
OBJECTS = (r"/apps/[^/]+/users/", r"/users/[^/]+/groups", r"/api/v1/groups/[^/?]+$")
LOGS = r"/api/v1/logs"
PAGES = (*LISTS, *OBJECTS)
"""Requests to Okta whose answers may be held."""
LONG = ("full", "full", "full", "drift", "targeted", "repair")
LOST = (
    ("PATCH", "/Users/"),
    ("POST", "/Users"),
    ("PATCH", "/Groups/"),
    ("POST", "/Groups"),
    ("DELETE", "/Groups/"),
)
SOURCES = {
    "name": f'source = {{ name_starts_with = "{PREFIX}" }}',
    "assigned": "source = { assigned = true }",
    "mappings": "source = { okta_mappings = true }",
}
MOST_AT_ONCE = 3
_OF_GROUPS = ("group", "member")
SETTLED = timedelta(hours=3)
"""Longer than lists lag, than a membership stamp needs to be believed, and than any grace."""


Move = tuple[str, tuple[Any, ...]]
"""A method of Overlap with its arguments."""


@dataclass(frozen=True)
class Setup:
    """How a world begins."""

    flavor: str
    source: str
    removal: str
    grace: str
    lags: bool
    twice: bool
    people: int

    @classmethod
    def thrown(cls, dice: Random) -> Self:
        return cls(
            dice.choice(FLAVORS),
            dice.choice(("name", "name", "assigned", "mappings")),
            dice.choice(("keep", "delete", "delete")),
            dice.choice(("0s", "0s", "0s", "2h")),
            dice.random() < 0.5,
            dice.random() < 0.3,
            dice.randint(2, 5),
        )


def episode(dice: Random) -> Iterator[Move]:
    """A course of events: a long cycle waits for its pages, and others learn what happens meanwhile."""
    pick = partial(dice.choice, (0, 0, 1, 1, 2, 3, 5))
    for _ in range(dice.choice((0, 0, 1, 3))):
        yield "happens", (dice.choice(ACTS), pick(), pick())
    if dice.random() < 0.5:
        yield _surroundings(dice)
    page = dice.choice(LISTS) if dice.random() < 0.8 else dice.choice(PAGES)
    yield "a_long_cycle_begins", (dice.choice(LONG), page, dice.choice((1, 1, 1, 2)), pick(), pick())
    for _ in range(dice.choice((1, 1, 2, 3))):
        for _ in range(dice.choice((1, 1, 2, 3))):
            yield "happens", (dice.choice(ACTS), pick(), pick())
            if dice.random() < 0.6:
                yield "a_delta_runs", ()
        if dice.random() < 0.3:
            yield _aside(dice, pick)
        yield "a_page_arrives", (pick(), dice.choice(PAGES) if dice.random() < 0.5 else None)
    if dice.random() < 0.5:
        yield "a_delta_runs", ()


def with_takeovers(moves: Iterator[Move], dice: Random) -> Iterator[Move]:
    """The same in a fleet, where at any moment another worker may have the connection."""
    for move in moves:
        yield move
        if dice.random() < 0.15:
            yield "another_takes_over", ()
            if dice.random() < 0.4:
                yield (
                    "an_old_owner_goes_on",
                    (dice.choice(("delta", "full", "drift")), dice.choice((1, 1, 2))),
                )


def _surroundings(dice: Random) -> Move:
    return dice.choice((
        ("events_are_late", (dice.choice((0, 0, 5, 120)),)),
        ("lists_lag", (dice.choice((0, 10, 300)), dice.choice((0, 30, 300)))),
        ("lists_lag", (300, dice.choice((0, 300)))),
        ("time_passes", (dice.choice((1, 7, 60, 200, 700)),)),
        ("answers_are_lost", (dice.choice(LOST), dice.choice((1, 7)))),
    ))  # fmt: skip


def _aside(dice: Random, pick: Callable[[], int]) -> Move:
    kind = dice.choice(LONG)
    return dice.choice((
        ("a_slow_delta_begins", (dice.choice((*OBJECTS, LOGS)), dice.randint(1, 2))),
        ("an_event_comes_again", (dice.randint(1, 6),)),
        ("a_long_cycle_begins", (kind, dice.choice(PAGES), 1, pick(), pick())),
        ("time_passes", (dice.choice((1, 7, 60)),)),
    ))  # fmt: skip


def smallest(setup: Setup, moves: Sequence[Move], estates: Estates | None = None) -> tuple[list[Move], str]:
    """The moves without those that their failure does not need, and how it fails then."""
    kept, told = list(moves), failure(setup, moves, estates)
    size = len(kept) // 2
    while size:
        place = 0
        while place < len(kept):
            fewer = kept[:place] + kept[place + size :]
            if found := failure(setup, fewer, estates):
                kept, told = fewer, found
            else:
                place += size
        size //= 2
    return kept, told


class Harm(AssertionError):  # noqa: N818  (what was done)
    """What must not be."""


def _nothing(found: Sequence[object], what: str) -> None:
    if found:
        raise Harm(f"{what}: {'; '.join(map(str, found))}")


def failure(setup: Setup, moves: Sequence[Move], estates: Estates | None = None) -> str:
    """What goes wrong when this happens from the beginning to the end; "" when nothing does."""
    try:
        with Overlap(setup, estates) as played:
            for move in moves:
                played.play(move)
            played.all_is_well_in_the_end()
    except Harm as harm:
        return str(harm)
    return ""


class Overlap:
    """One world, one connection, several cycles."""

    def __init__(self, setup: Setup, estates: Estates | None = None) -> None:
        """`estates`: the connection is one of a fleet."""
        self.stack = ExitStack()
        self.estates = estates
        self.named = self.holds = 0
        self.ahead = timedelta()
        self.lags, self.grace, self.deletes = setup.lags, setup.grace != "0s", setup.removal == "delete"
        self.scope = Scope(setup.source, renames=setup.flavor != "split" and setup.source != "mappings")
        with ExitStack() as stack:
            self.crew = self.build(setup, stack)
            self.stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stack.close()

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    # --- the world -------------------------------------------

    def build(self, setup: Setup, stack: ExitStack) -> Crew:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overlap-")))
        stack.enter_context(impatient())
        ticks = Ticks()
        okta = stack.enter_context(OktaSimulator(OktaWorld(clock=self.clock), token=OKTA_TOKEN))
        owners = Owners(okta.world) if setup.flavor == "harness" else None
        split = stack.enter_context(
            WitnessedSplit(
                default_split(flavor=setup.flavor),
                token=SPLIT_TOKEN,
                ticks=ticks,
                scope=self.scope,
                owners=owners,
            )
        )
        okta.set_knobs(page_size=3, log_duplicates=setup.twice)
        self.okta = okta.world
        anchor = self.okta.add_user("anchor@example.com", "An", "Chor", assign=True)
        ids = [self.new_person() for _ in range(setup.people)]
        for number in range(2):
            self.new_group([anchor, *ids[number::2]])
        settings = settings_for(
            folder,
            okta,
            split,
            {
                "safety": "max_deactivations = 100000\nmax_group_deletions = 100000\n"
                f'max_member_removals = 100000\nmax_member_removals_per_group = "100%"\n{FREE_TO_CHANGE}',
                "okta": "coexist = true",
                "provisioning": f'deactivation_grace = "{setup.grace}"',
                "source": SOURCES[setup.source],
                "rule": f'on_removal = "{setup.removal}"\nrename = {str(self.scope.renames).lower()}',
            },
        )
        estate = None
        if self.estates is not None:
            stack.enter_context(epochs_are_named())
            estate = self.estates.new(settings.name, self.clock)
        self.crew = stack.enter_context(Crew(settings, okta, split, self.clock, ticks, estate).opened())
        self.run("full")
        self.later(SETTLED)
        self.run("full")
        return self.crew

    def run(self, kind: str) -> None:
        """A cycle from beginning to end, with nothing beside it that could hold it up."""
        self.crew.start(kind).thread.join()

    def later(self, by: timedelta) -> None:
        self.ahead += by
        self.crew.okta.set_knobs(clock_offset_seconds=self.ahead.total_seconds())

    def new_person(self) -> str:
        self.named += 1
        return self.okta.add_user(f"p{self.named:03}@example.com", "P", f"{self.named:03}", assign=True)

    def new_group(self, members: list[str]) -> str:
        self.named += 1
        group = self.okta.create_group(f"{PREFIX}{self.named:03}", members=members)
        self.in_the_rule(group, inside=True)
        return group

    def in_the_rule(self, group: str, *, inside: bool) -> None:
        """It enters or leaves it."""
        match self.scope.source:
            case "assigned":
                (self.okta.assign_group if inside else self.okta.unassign_group)(group)
            case "mappings":
                (self.okta.add_mapping if inside else self.okta.remove_mapping)(group)
            case _:
                name = self.okta.groups[group].name
                self.okta.rename_group(group, name.removeprefix("other-") if inside else f"other-{name}")

    def person(self, pick: int) -> str:
        """Anybody but the anchor, who is in every group and keeps it from being emptied."""
        ids = sorted(u.id for u in self.okta.users.values() if u.login != "anchor@example.com")
        return ids[pick % len(ids)]

    def group(self, pick: int, *, pushed: bool = True) -> str:
        """Raises WorldError where there is none."""
        inside = self.scope.groups(self.okta)
        ids = sorted(
            g.id for g in self.okta.groups.values() if (g.id in inside) is pushed and g.type == "OKTA_GROUP"
        )
        if not ids:
            raise WorldError("no such group")
        return ids[pick % len(ids)]

    # --- what happens at Okta -------------------------------------------

    def happens(self, name: str, one: int, other: int) -> None:
        """What Okta refuses does not happen."""
        began = self.crew.ticks()
        with suppress(WorldError):
            getattr(self, name)(one, other)
        self.crew.note(began)

    def hire(self, one: int, other: int) -> None:
        self.okta.add_member(self.group(other), self.new_person())

    def leave(self, one: int, other: int) -> None:
        self.okta.unassign(self.person(one))

    def come_back(self, one: int, other: int) -> None:
        person = self.person(one)
        if self.okta.users[person].status != "ACTIVE":
            self.okta.set_user_status(person, "ACTIVE")
        self.okta.assign(person)

    def rename_person(self, one: int, other: int) -> None:
        self.named += 1
        self.okta.update_profile(self.person(one), lastName=f"N{self.named:03}")

    def readdress(self, one: int, other: int) -> None:
        self.named += 1
        self.okta.update_profile(self.person(one), email=f"m{self.named:03}@example.com")

    def suspend(self, one: int, other: int) -> None:
        self.okta.set_user_status(self.person(one), "SUSPENDED")

    def deprovision(self, one: int, other: int) -> None:
        self.okta.set_user_status(self.person(one), "DEPROVISIONED")

    def join(self, one: int, other: int) -> None:
        self.okta.add_member(self.group(other), self.person(one))

    def leave_group(self, one: int, other: int) -> None:
        self.okta.remove_member(self.group(other), self.person(one))

    def found_a_group(self, one: int, other: int) -> None:
        self.new_group(["anchor@example.com", self.person(one), self.person(other)])

    def delete_a_group(self, one: int, other: int) -> None:
        self.okta.delete_group(self.group(other))

    def rename_a_group(self, one: int, other: int) -> None:
        self.named += 1
        self.okta.rename_group(self.group(other), f"{PREFIX}{self.named:03}")

    def leave_the_rule(self, one: int, other: int) -> None:
        group = self.group(other)
        owners = self.crew.split.owners
        if owners is not None and not self.deletes:
            owners.let_go.add(group)
        self.in_the_rule(group, inside=False)

    def enter_the_rule(self, one: int, other: int) -> None:
        self.in_the_rule(self.group(other, pushed=False), inside=True)

    # --- how Okta tells of it -------------------------------------------

    def an_event_comes_again(self, back: int) -> None:
        if back <= len(self.okta.events):
            self.okta.repeat_event(back)

    def events_are_late(self, seconds: int) -> None:
        self.crew.okta.set_knobs(log_delay_seconds=seconds)

    def lists_lag(self, lists: int, stamps: int) -> None:
        if self.lags:
            self.crew.okta.set_knobs(list_lag={"*": lists} if lists else None, stamp_lag_seconds=stamps)

    def time_passes(self, seconds: int) -> None:
        self.later(timedelta(seconds=seconds))

    def answers_are_lost(self, request: tuple[str, str], count: int) -> None:
        """The target acts, and its answer does not arrive: once, or however often it is tried."""
        method, path = request
        self.crew.split.faults.add("drop", method=method, path=path, count=count, after_effect=True)

    # --- cycles -------------------------------------------

    @property
    def waiting(self) -> list[str]:
        return [each.latch for each in self.crew.okta.latches.waiting()]

    def a_long_cycle_begins(self, kind: str, page: str, nth: int, one: int, other: int) -> None:
        self.hold(page, nth)
        selection = None
        if kind == "targeted":
            groups = sorted(self.okta.groups)[other % 8 :][:1]
            selection = Selection(users=(self.person(one),), groups=tuple(groups))
        self.begin(kind, selection)

    def a_delta_runs(self) -> None:
        self.begin("delta")

    def a_slow_delta_begins(self, page: str, nth: int) -> None:
        self.hold(page, nth)
        self.begin("delta")

    def a_page_arrives(self, which: int, page: str | None) -> None:
        """And perhaps a later one is held."""
        if page is not None:
            self.hold(page, 1)
        if waiting := self.waiting:
            self.crew.okta.latches.release(waiting[which % len(waiting)])
            self.crew.quiet()

    def another_takes_over(self) -> None:
        """In the middle of whatever runs, which goes on."""
        if len(self.crew.alive) < MOST_AT_ONCE:
            self.crew.take_over()
            self.crew.quiet()

    def an_old_owner_goes_on(self, kind: str, ago: int) -> None:
        """Its timetable does, until it hears what happened."""
        if ago <= len(self.crew.before) and len(self.crew.alive) < MOST_AT_ONCE:
            self.crew.start(kind, old=ago)
            self.crew.quiet()

    def hold(self, page: str, nth: int) -> None:
        self.holds += 1
        self.crew.okta.faults.add("hold", path=page, nth=nth, latch=f"{self.holds}", after_effect=True)

    def begin(self, kind: str, selection: Selection | None = None) -> None:
        """Nothing happens while many run already: what may happen must not hang on how fast they are."""
        if len(self.crew.alive) < MOST_AT_ONCE:
            self.crew.start(kind, selection)
            self.crew.quiet()

    def play(self, move: Move) -> None:
        name, args = move
        getattr(self, name)(*args)
        self.nobody_is_harmed()

    # --- what must be true -------------------------------------------

    def nobody_is_harmed(self) -> None:
        _nothing(self.crew.failures, "cycles crashed")
        _nothing(self.crew.harm(lagging=self.lags), "somebody was harmed")

    def all_is_well_in_the_end(self) -> None:
        crew = self.crew
        crew.okta.reset_faults()
        crew.split.reset_faults()
        crew.join()
        crew.okta.set_knobs(log_delay_seconds=0, list_lag=None, stamp_lag_seconds=0)
        self.later(SETTLED)
        self.run("delta")
        self.run("full")
        self.run("full")  # a group that was linked again takes its new name with the cycle after
        if self.grace:  # of those whose leave was only noticed now
            self.later(SETTLED)
            self.run("delta")
        if crew.connection.current.store and crew.connection.current.store.holds():
            decide(crew.connection.current.store, "chaos", (), "approve", DECIDER)
            self.run("full")
        self.nobody_is_harmed()
        let_go = crew.split.owners.let_go if crew.split.owners else ()
        want, have = (
            {key: value for key, value in facts.items() if key[0] not in _OF_GROUPS or key[1] not in let_go}
            for facts in (wanted(self.okta, self.scope), crew.split.held())
        )
        _nothing(unequal(want, have, deletes=self.deletes), "the worlds differ in the end")
        crew.split.reset_requests()
        self.later(SETTLED)
        self.run("full")
        written = [(r.method, r.path, r.body) for r in crew.split.requests if r.method != "GET"]
        _nothing(written, "a quiet cycle wrote")
