"""The story of the demo, an act for each thing that syncd promises; every promise is checked where it is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from syncd.core.counting import counted
from syncd.demo import org
from syncd.demo.connection import Connection, counted_by
from syncd.demo.judge import Before, differences, look_at, wanted_groups, wanted_people
from syncd.demo.org import Cast, Place
from syncd.demo.telling import Narrator
from syncd.report.html import Cycle
from syncd.report.lines import Span, columns, faint, safe

_MISTAKE = 0.6


@dataclass
class Story:
    """`broken` gathers the promises that were not kept; empty at the end of a good run."""

    connection: Connection
    narrator: Narrator
    cast: Cast
    before: Before
    broken: list[str] = field(default_factory=list)
    kept_names: dict[str, str] = field(default_factory=dict)
    """Groups renamed in Okta after they were pushed, with the name they keep in Split."""
    started: float = field(default_factory=time.monotonic)

    # --- what the acts are made of ------------------------------------------------------------------

    def promise(self, sentence: str, *, kept: bool) -> None:
        """Says what was promised and whether it came true."""
        self.narrator.verdict(sentence, good=kept)
        if not kept:
            self.broken.append(f"promised, but not true: {sentence}")

    def cycle(
        self,
        title: str,
        told: Sequence[str] = (),
        *,
        brief: bool = False,
        save: bool = False,
        watch: bool = False,
    ) -> Cycle:
        """Plan, then sync. `brief` shows only the plan's last line."""
        for sentence in told:
            self.narrator.happens(safe(sentence))
        planned = self.connection.plan(show=not brief, save=save)
        return self.connection.sync(title, told, planned, watch=watch)

    def active_in_split(self) -> frozenset[str]:
        world = self.connection.split.world
        with world.lock:
            return frozenset(user.user_name for user in world.users.values() if user.active)

    def differences(self) -> list[str]:
        """The independent comparison of both worlds."""
        return differences(
            self.connection.okta.world,
            self.connection.split.world,
            self.before,
            named=self.named_groups(),
            kept=self.kept_names,
        )

    def named_groups(self) -> list[str]:
        """Names of the groups that rules of the settings file name."""
        quoted = [source.split('"')[1] for source, _ in self.connection.rules if source.startswith("name")]
        return sorted(quoted)

    # --- the acts -----------------------------------------------------------------------------------

    def both_servers(self) -> None:
        okta, split = self.connection.okta, self.connection.split
        world = okta.world
        groups = [group for group in world.groups.values() if group.type == "OKTA_GROUP"]
        self.narrator.say(
            f"An Okta org at {okta.url}: {len(world.users)} people, {len(groups)} groups; "
            f"{len(world.app_users)} people are assigned to the app Split, most of them through a group."
        )
        self.narrator.say(
            f"A Split organisation at {split.base_url}: {counted(len(split.world.users), 'account')} from before, "
            "two of them of people who are in Okta too."
        )
        self.narrator.say(f"The settings between the two: {self.connection.config}")

    def first_sync(self) -> None:
        result = self.cycle("The first sync", brief=True, watch=True)
        self.promise(
            "everybody who is assigned has an account, every group its members; two accounts were adopted",
            kept=not self.differences() and result.run["summary"]["applied"].get("adopt_user") == 2,
        )

    def quiet_cycle(self) -> None:
        self.narrator.say("Nothing has changed in Okta since.")
        result = self.cycle("A quiet cycle")
        self.narrator.say(f"  The servers counted: Okta {result.okta}; Split {result.split}.")
        self.promise(
            "a quiet cycle does not ask Split at all", kept=not result.split.reads + result.split.writes
        )

    def a_leaver(self) -> Place:
        world = self.connection.okta.world
        email = str(world.users[self.cast.returner].profile["email"])
        place = org.leave_the_app(world, self.cast.returner)
        told = [f"{org.name_of(world, self.cast.returner)} is taken off the app in Okta"]
        self.cycle("Somebody leaves", told)
        self.promise("the account is inactive, not gone", kept=self._inactive(email))
        return place

    def _inactive(self, email: str) -> bool:
        split = self.connection.split.world
        return email not in self.active_in_split() and not split.user(email).active

    def many_changes(self, place: Place) -> None:
        world = self.connection.okta.world
        renamed = world.group(org.RENAMED_GROUP).id
        told = org.change_things(world, self.cast, place)
        self.kept_names[renamed] = org.RENAMED_GROUP
        result = self.cycle("A busy morning in Okta", told, save=True)
        self.narrator.say(
            f"  The renamed group keeps its old name in Split, and its members: Split's guide asks to leave the names "
            f"of its groups alone. {result.split.writes} writes did it all."
        )
        self.promise(
            "Split followed, and the account that came back is the old one", kept=not self.differences()
        )

    def a_group_to_link(self) -> None:
        name = org.LINKED_GROUP
        world = self.connection.okta.world
        world.create_group(name, "Who may press the button", members=self.cast.release_managers)
        source = f'name = "{name}"'
        others = self.connection.rules
        self.connection.set_rules([*others, (source, "create")])
        told = [
            f"a group {name} is made in Okta, and a push rule for it added to the settings: action = create"
        ]
        result = self.cycle("A group that Split has already", told)
        self.promise(
            "a group that somebody made in Split is not taken over unasked",
            kept=[skip["name"] for skip in result.run["skipped"] if skip["kind"] == "conflict"] == [name]
            and result.split.writes == 0,
        )
        self.connection.set_rules([*others, (source, "link")])
        self.cycle("The same group, linked", ["the settings now say action = link"])
        self.promise("linked; its member from before stays", kept=not self.differences())

    def a_name_too_long(self) -> None:
        world, name = self.connection.okta.world, org.LONG_NAME
        world.create_group(name, "Happy customers", members=self.cast.founders, assign=True)
        result = self.cycle("A name that is too long", [f"a group {name} is made and assigned to the app"])
        self.promise(
            "refused before any request for it went to Split; everything else is as it was",
            kept=result.split.writes == 0 and not self.differences(),
        )
        world.rename_group(name, org.SHORT_NAME)
        self.cycle("The same group with a shorter name", [f"it is renamed to {org.SHORT_NAME}"])
        self.promise("now it is there", kept=not self.differences())

    def a_mistake(self) -> None:
        world = self.connection.okta.world
        active, everybody = self.active_in_split(), len(world.app_users)
        lost = org.lose_people(world, _MISTAKE)
        told = [f"a broken import takes {len(lost)} of {everybody} people off the app ({_MISTAKE:.0%})"]
        result = self.cycle("A mistake in Okta", told, brief=True)
        self.promise(f"held, exit code {result.exit_code}", kept=result.exit_code == 3)
        self.promise(
            "nobody was deactivated", kept=self.active_in_split() == active and result.split.writes == 0
        )
        for okta_id, place in lost.items():
            org.come_back(world, okta_id, place)
        result = self.cycle("The mistake undone", ["the import is repaired: everybody is back in Okta"])
        self.promise("nothing had to be repaired in Split", kept=result.split.writes == 0)

    def summary(self) -> list[tuple[str, str]]:
        """The rows of the last table."""
        okta, split = self.connection.okta, self.connection.split
        groups = wanted_groups(okta.world, named=self.named_groups(), kept=self.kept_names)
        people = wanted_people(okta.world)
        inactive = sum(not user.active for user in split.world.users.values())
        return [
            (
                "People in Okta",
                f"{len(okta.world.users)}, of them {len(people)} assigned to the app and able to work",
            ),
            ("Accounts in Split", f"{len(self.active_in_split())} active, {inactive} inactive"),
            ("Groups pushed", f"{len(groups)} with {sum(map(len, groups.values()))} memberships"),
            ("Requests to Okta", str(counted_by(okta))),
            ("Requests to Split", str(counted_by(split))),
            ("Syncs", f"{len(self.connection.cycles)}, each with a plan before it"),
            ("Time", f"{time.monotonic() - self.started:.0f} s"),
        ]


def tell(story: Story) -> None:
    """All the acts, in order. Raises SyncdError when one of them cannot be told to its end."""
    place: list[Place] = []
    acts: Sequence[tuple[str, Callable[[], object]]] = (
        ("Two servers on this machine", story.both_servers),
        ("The first sync", story.first_sync),
        ("A quiet cycle", story.quiet_cycle),
        ("Somebody leaves", lambda: place.append(story.a_leaver())),
        ("A busy morning in Okta", lambda: story.many_changes(place[0])),
        ("A group that Split has already", story.a_group_to_link),
        ("A name that is too long", story.a_name_too_long),
        ("A mistake in Okta", story.a_mistake),
    )
    for number, (title, act) in enumerate(acts, start=1):
        story.narrator.act(number, title)
        act()


def tell_the_end(story: Story, places: Sequence[tuple[str, str]], summary: Sequence[tuple[str, str]]) -> None:
    """The verdict, the numbers, and where things lie."""
    narrator = story.narrator
    narrator.act(9, "The end")
    for title, rows in (("", summary), ("Where things lie", places)):
        if title:
            narrator.say(title)
        narrator.lines(columns([(faint(name), Span(safe(value))) for name, value in rows]))
    for sentence in story.broken:
        narrator.verdict(safe(sentence), good=False)
    if not story.broken:
        narrator.verdict(
            "Split is exactly as Okta wants it (compared world by world, without syncd's store)", good=True
        )


def prepare(connection: Connection, narrator: Narrator, cast: Cast) -> Story:
    """The story before its first act: settings written, Split's own accounts remembered."""
    connection.write_settings()
    return Story(connection, narrator, cast, look_at(connection.split.world))
