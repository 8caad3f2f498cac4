"""The customers of the story: each has an Okta org and a Split organisation of its own, and people who come and go."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from syncd.demo.folder import write_private
from syncd.demo.judge import Before, differences, look_at, wanted_groups, wanted_people
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.simulators.split_knobs import SplitKnobs
from syncd.simulators.world import default_split, generate_okta

PEOPLE = 12
CONCURRENCY = 2
"""Requests to one Split at the same time."""
_ANSWERS_IN = 0.1
"""Seconds of Split for each request: so that a worker can be met in the middle of its work."""
_SETTINGS = """\
# Written by make fleet-demo. The same keys with their reasons: config.example.toml

name = {name}

[okta]
org_url = {org_url}
app_id = {app_id}
token = {{ file = "tokens/{stem}-okta" }}

[split]
base_url = {base_url}
token = {{ file = "tokens/{stem}-split" }}
concurrency = {concurrency}
max_requests_per_second = 40

[[push_groups]]
source = {{ assigned = true }}
action = "create"

# Of twelve people one is many: the usual limits would wait for a decision.
[safety]
max_deactivations = 6
max_member_removals = "80%"
max_member_removals_per_group = "80%"

[schedule]
delta = "5s"
full = "1h"
"""


@dataclass
class Customer:
    """`joined`: whom the story had join, by e-mail."""

    name: str
    okta: OktaSimulator
    split: SplitSimulator
    before: Before
    joined: list[str] = field(default_factory=list)

    def write_settings(self, connections: Path, tokens: Path) -> None:
        """Its settings file, and a file for each token."""
        write_private(tokens / f"{self.name}-okta", self.okta.token + "\n")
        write_private(tokens / f"{self.name}-split", self.split.token + "\n")
        text = _SETTINGS.format(
            name=json.dumps(self.name),
            stem=self.name,
            org_url=json.dumps(self.okta.url),
            app_id=json.dumps(self.okta.world.app.id),
            base_url=json.dumps(self.split.base_url),
            concurrency=CONCURRENCY,
        )
        write_private(connections / f"{self.name}.toml", text)

    def come_and_go(self, times: int) -> int:
        """Somebody joins, and somebody leaves, moves or marries in turn; how many people that was about."""
        world, people = self.okta.world, self._people()
        email = f"joiner.{times}@{self.name}.example"
        groups = sorted(world.app_groups)[:1]
        world.add_user(email, "June", f"Joiner {times}", assign=True, groups=groups)
        self.joined.append(email)
        if not people:
            return 1
        chosen = people[times % len(people)]
        match times % 3:
            case 0:
                world.set_user_status(chosen, "DEPROVISIONED")
            case 1:
                world.update_profile(chosen, lastName=f"Stonebridge {times}")
            case _:
                world.unassign(chosen, everywhere=True)
        return 2

    def _people(self) -> Sequence[str]:
        """Okta ids of those who were there from the beginning and still are, the same ones every time."""
        people = wanted_people(self.okta.world)
        return [row.id for name, row in sorted(people.items()) if name not in self.joined]

    def differences(self) -> list[str]:
        """How its Split is not as its Okta wants it, a sentence each."""
        found = differences(self.okta.world, self.split.world, self.before, named=(), kept={})
        return [f"{self.name}: {sentence}" for sentence in found]

    def writes(self, since: float = 0.0) -> int:
        """Requests that its Split has seen since that moment (of the monotonic clock), but for reads."""
        return sum(record.method != "GET" and record.started >= since for record in self.split.requests)

    def made(self) -> int:
        """Requests that made an account."""
        return sum(
            record.method == "POST" and record.path.endswith("/Users") and 200 <= record.status < 300
            for record in self.split.requests
        )

    def accounts(self) -> int:
        """Accounts that were not there before the first sync."""
        with self.split.world.lock:
            return len(self.split.world.users.keys() - self.before.users.keys())

    def pushed(self) -> tuple[int, int, int]:
        """People who are wanted, groups, memberships."""
        groups = wanted_groups(self.okta.world, named=(), kept={})
        return len(wanted_people(self.okta.world)), len(groups), sum(map(len, groups.values()))


@contextmanager
def customers(how_many: int) -> Iterator[Sequence[Customer]]:
    """All of them, with both servers up."""
    with ExitStack() as stack:
        found = []
        for number in range(1, how_many + 1):
            name = f"customer-{number:02d}"
            world = generate_okta(
                users=PEOPLE, groups=2, seed=1000 + number, mappings=0, domain=f"{name}.example"
            )
            okta = stack.enter_context(OktaSimulator(world, token=f"00{secrets.token_urlsafe(24)}"))
            organisation = default_split()
            knobs = SplitKnobs(latency_seconds=_ANSWERS_IN)
            split = SplitSimulator(organisation, token=secrets.token_urlsafe(24), knobs=knobs)
            stack.enter_context(split)
            found.append(Customer(name, okta, split, look_at(organisation)))
        yield found
