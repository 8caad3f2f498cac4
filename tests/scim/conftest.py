"""Targets that are in a hurry, and worlds that the tests can name people in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import fields
from typing import Any, Protocol

import pytest

from syncd.scim.http import Link, ScimHttp
from syncd.scim.pacing import RetryPolicy
from syncd.scim.split import ScimTarget
from syncd.simulators.split import SplitKnobs, SplitSimulator
from syncd.simulators.split_world import SplitWorld
from tests.scim.scripted import TOKEN, Script, ScriptedServer

PATHS = ("userName", "name.givenName", "name.familyName", "displayName", "emails[work].value")
HURRY = RetryPolicy(
    attempts=3, first=0.01, ceiling=0.02, deadline=5.0, limited_first=0.01, limited_ceiling=0.02
)


def person(name: str, **more: Any) -> dict[str, Any]:
    """The mapped attributes of one user."""
    return {
        "userName": f"{name}@example.com",
        "name.givenName": name.title(),
        "name.familyName": "Test",
        "displayName": f"{name.title()} Test",
        "emails[work].value": f"{name}@example.com",
        **more,
    }


LINK = {field.name for field in fields(Link)}


def link_to(base_url: str, options: Mapping[str, Any]) -> Link:
    """Without a bound and impatient, if `options` do not say otherwise."""
    given = {"read_token": lambda: TOKEN, "rate": 0.0, "retry": HURRY, "timeout": 5.0}
    asked = {name: value for name, value in options.items() if name in LINK}
    return Link(base_url=base_url, **{**given, **asked})


class MakeTarget(Protocol):
    def __call__(self, base_url: str, **options: Any) -> ScimTarget: ...


@pytest.fixture
def make_target() -> Iterator[MakeTarget]:
    """Builds targets that wait for nothing, and closes them."""
    with ExitStack() as stack:

        def make(base_url: str, **options: Any) -> ScimTarget:
            given: dict[str, Any] = {
                "flavor": "scim",
                "attribute_paths": PATHS,
                "settle": (0.01,),
                **{name: value for name, value in options.items() if name not in LINK},
            }
            return stack.enter_context(ScimTarget(link_to(base_url, options), **given))

        yield make


@pytest.fixture
def serve() -> Iterator[Callable[[Script], ScriptedServer]]:
    """Starts scripted servers, and stops them."""
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(ScriptedServer(script))


@pytest.fixture
def make_http() -> Iterator[Callable[..., ScimHttp]]:
    """Builds bare connections."""
    made: list[ScimHttp] = []

    def make(base_url: str, **options: Any) -> ScimHttp:
        given = {name: value for name, value in options.items() if name not in LINK}
        made.append(ScimHttp(link_to(base_url, {"concurrency": 4, **options}), **given))
        return made[-1]

    yield make
    for http in made:
        http.close()


class Bench:
    """A simulator with knobs and a target that talks to it."""

    def __init__(self, simulator: SplitSimulator, target: ScimTarget) -> None:
        self.simulator = simulator
        self.world = simulator.world
        self.target = target

    def spent(self) -> list[str]:
        """The requests since the last call, as "METHOD status"."""
        lines = [f"{seen.method} {seen.status}" for seen in self.simulator.requests]
        self.simulator.reset_requests()
        return lines

    def people(self, *names: str) -> list[str]:
        """Creates users; their ids."""
        ids = []
        for name in names:
            made = self.target.create_user(f"00u{name}", person(name)).scim_id
            assert made is not None
            ids.append(made)
        self.spent()
        return ids

    def group_of(self, *ids: str, name: str = "Engineering") -> str:
        """Creates a group with these members; its id."""
        made = self.target.create_group(f"00g{name}", name).scim_id
        assert made is not None
        self.target.change_members(made, add=ids, remove=())
        self.spent()
        return made

    def members(self, group: str) -> set[str]:
        return set(self.world.groups[group].members)


@pytest.fixture
def bench(make_target: MakeTarget) -> Iterator[Callable[..., Bench]]:
    """Starts a simulator with these knobs; `options` go to the target."""
    with ExitStack() as stack:

        def make(options: Mapping[str, Any] | None = None, flavor: str = "scim", **knobs: Any) -> Bench:
            world = SplitWorld(flavor=flavor)
            simulator = stack.enter_context(SplitSimulator(world, knobs=SplitKnobs(**knobs), token=TOKEN))
            target = make_target(simulator.base_url, **{"flavor": flavor, **(options or {})})
            return Bench(simulator, target)

        yield make
