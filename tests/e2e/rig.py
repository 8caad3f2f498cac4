"""Both simulators, a settings file, and the real command line between them; and an oracle that knows the answer.

The oracle is a second, much simpler opinion: it reads the simulated Okta world and says what Split must hold. It
shares no code with syncd.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from syncd.cli.app import cli
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import HarnessKnobs, SplitKnobs, SplitSimulator
from syncd.simulators.world import OktaWorld, SplitWorld, default_split, generate_okta
from tests.cli.invoking import Answer
from tests.connection_text import connection_text
from tests.hurrying import hurried

OKTA_TOKEN = "00tOkTaVeRySeCrEt-e2e-0042"
SPLIT_TOKEN = "spl.iT_VeRySeCrEt-e2e-4711"

ASSIGNED = {"ACTIVE", "PROVISIONED", "STAGED", "APPROVED", "PENDING", "IMPLICIT"}
ALIVE = {"ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "PROVISIONED", "SUSPENDED"}


@dataclass
class Rig:
    okta: OktaSimulator
    split: SplitSimulator
    folder: Path
    pushed: list[str] = field(default_factory=list)
    """Names of the pushed Okta groups, for the oracle."""
    said: list[str] = field(default_factory=list)
    """Everything the commands ever printed."""
    extra: str = ""
    """More TOML at the top level tables."""
    tables: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "acme.toml"

    @property
    def store(self) -> Path:
        return self.folder / "state" / "acme.db"

    def write_config(self, **tables: str) -> None:
        """`tables` adds lines to a table: okta="coexist = true"; `rules` replaces the push rules."""
        self.tables = {**self.tables, **tables}
        rules = self.tables.get("rules")
        if rules is None:
            rules = "\n".join(f'[[push_groups]]\nsource = {{ name = "{name}" }}' for name in self.pushed)
        more = f"""[provisioning]
{self.tables.get("provisioning", "")}
{self.tables.get("attributes", "")}
[safety]
{self.tables.get("safety", "")}
{rules}
"""
        text = connection_text(
            "acme",
            okta=(self.okta.url, self.okta.world.app.id),
            split=self.split.base_url,
            tokens=("E2E_OKTA", "E2E_SPLIT"),
            okta_more=f"rate_limit_share = 1.0\n{self.tables.get('okta', '')}",
            split_more=(
                f'flavor = "{self.split.world.flavor}"\nmax_requests_per_second = 0\n{self.tables.get("split", "")}'
            ),
            more=more,
        )
        self.config.write_text(text)

    def run(self, *args: str, code: int | None = 0, config: Path | None = None) -> Answer:
        """Runs one command in this process. `code` None: any exit code will do."""
        result = CliRunner().invoke(cli, [*args, "-c", str(config or self.config)])
        answer = Answer(result.exit_code, result.stdout, result.stderr)
        self.said += [result.stdout, result.stderr]
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        if code is not None:
            assert result.exit_code == code, f"exit {result.exit_code}\n{result.stdout}\n{result.stderr}"
        return answer

    def sync(self, *args: str, code: int | None = 0) -> dict[str, Any]:
        return self.run("sync", "--json", *args, code=code).document

    def plan(self, *args: str, code: int | None = 0) -> dict[str, Any]:
        return self.run("plan", "--json", *args, code=code).document

    def writes(self) -> list[str]:
        """The writes that reached Split since `forget`, as "METHOD path"."""
        return [f"{r.method} {r.path}" for r in self.split.requests if r.method != "GET"]

    def reads(self) -> list[str]:
        return [f"{r.method} {r.path}" for r in self.okta.requests]

    def forget(self) -> None:
        self.okta.reset_requests()
        self.split.reset_requests()

    # the oracle

    def wanted_people(self) -> dict[str, tuple[str, str]]:
        """The userName to (first name, last name) of everybody who must be active in Split."""
        world = self.okta.world
        people = {}
        for row in world.app_users.values():
            user = world.users[row.id]
            if row.status in ASSIGNED and user.status in ALIVE:
                profile = row.profile
                people[str(profile["email"])] = (
                    str(profile.get("givenName") or ""),
                    str(profile.get("familyName") or ""),
                )
        return people

    def wanted_groups(self) -> dict[str, list[str]]:
        world = self.okta.world
        people = self.wanted_people()
        groups = {}
        for name in self.pushed:
            group = world.group(name)
            names = [
                str(world.app_users[member].profile["email"])
                for member in group.members
                if member in world.app_users
            ]
            groups[name] = sorted(name for name in names if name in people)
        return groups

    def actual_people(self) -> dict[str, tuple[str, str]]:
        return {
            user.user_name: (
                user.attributes.get("name", {}).get("givenName", ""),
                user.attributes.get("name", {}).get("familyName", ""),
            )
            for user in self.split.world.users.values()
            if user.active and user.external_id
        }

    def actual_groups(self) -> dict[str, list[str]]:
        world = self.split.world
        return {
            group.name: world.members(group.id)
            for group in world.groups.values()
            if group.name in self.pushed
        }

    def assert_exact(self) -> None:
        assert self.actual_people() == self.wanted_people()
        assert self.actual_groups() == self.wanted_groups()
        names = [user.user_name for user in self.split.world.users.values()]
        assert len(names) == len(set(names)), "twins at the target"

    def sync_to_exact(self) -> None:
        self.sync()
        self.assert_exact()

    def assert_settled(self) -> None:
        """Exact, and another sync writes nothing."""
        self.assert_exact()
        self.forget()
        self.sync()
        assert self.writes() == []

    def assert_no_secret(self) -> None:
        """Neither token is in anything that was printed or written below the folder."""
        written = [path.read_bytes() for path in self.folder.rglob("*") if path.is_file()]
        for token in (OKTA_TOKEN, SPLIT_TOKEN):
            assert not [text for text in self.said if token in text]
            assert not [data for data in written if token.encode() in data]


@contextmanager
def rig(
    folder: Path,
    *,
    okta: OktaWorld | None = None,
    split: SplitWorld | None = None,
    knobs: SplitKnobs | None = None,
    harness: HarnessKnobs | None = None,
    pushed: Sequence[str] = ("Engineering", "Product"),
    users: int = 40,
    groups: int = 6,
) -> Iterator[Rig]:
    world = okta or generate_okta(users=users, groups=groups, seed=7)
    with (
        pytest.MonkeyPatch.context() as patch,
        OktaSimulator(world, token=OKTA_TOKEN) as okta_server,
        SplitSimulator(
            split or default_split(), token=SPLIT_TOKEN, knobs=knobs, harness=harness
        ) as split_server,
    ):
        hurried(patch)
        patch.setenv("E2E_OKTA", OKTA_TOKEN)
        patch.setenv("E2E_SPLIT", SPLIT_TOKEN)
        made = Rig(okta_server, split_server, folder, list(pushed))
        made.write_config()
        yield made
        made.assert_no_secret()


@contextmanager
def crew(folder: Path, *, people: int, members: int) -> Iterator[Rig]:
    """So many assigned people, p00 and on, the first `members` of them in the pushed group Crew; not yet synced."""
    with rig(folder, users=0, groups=0, pushed=["Crew"]) as made:
        world = made.okta.world
        ids = [world.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(people)]
        world.create_group("Crew", members=ids[:members])
        yield made


@contextmanager
def synced_crew(folder: Path, *, people: int, members: int) -> Iterator[Rig]:
    with crew(folder, people=people, members=members) as made:
        made.sync()
        yield made
