"""One start for many ends: a synced connection whose Okta has moved on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.simulators.world import SplitWorld
from tests.chaos.arena import SPLIT_TOKEN, Arena


@dataclass
class Scene:
    """`organisation` is the target's fixture, `stored` a copy of the store's directory."""

    arena: Arena
    organisation: dict[str, Any]
    stored: Path

    def restore(self) -> None:
        """The target and the store as they were at the start."""
        world = SplitWorld.from_fixture(self.organisation)
        world.regenerate_token(SPLIT_TOKEN)
        self.arena.split.world = world
        home = self.arena.store_path.parent
        shutil.rmtree(home)
        shutil.copytree(self.stored, home)
