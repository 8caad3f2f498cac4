"""What pyproject.toml declares and what the files of pins hold, read as pip reads them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[2]
RUN = ROOT / "constraints.txt"
DEVELOP = ROOT / "constraints-dev.txt"
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?:\s*;\s*(?P<marker>[^\\]+?))?\s*\\?")
HASH = re.compile(r"--hash=sha256:(?P<digest>[0-9a-f]{64})\s*\\?")


@dataclass(frozen=True)
class Pin:
    """One version, the environments it is for, and the SHA-256 of each file it may come as."""

    name: NormalizedName
    version: str
    marker: Marker | None
    digests: tuple[str, ...]

    def is_for_this_environment(self) -> bool:
        return self.marker is None or self.marker.evaluate()


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def to_run() -> tuple[Requirement, ...]:
    return tuple(map(Requirement, pyproject()["project"]["dependencies"]))


def for_a_fleet() -> tuple[Requirement, ...]:
    return tuple(map(Requirement, pyproject()["project"]["optional-dependencies"]["fleet"]))


def to_develop() -> tuple[Requirement, ...]:
    return tuple(map(Requirement, pyproject()["project"]["optional-dependencies"]["dev"]))


def to_build() -> tuple[Requirement, ...]:
    return tuple(map(Requirement, pyproject()["build-system"]["requires"]))


def names(requirements: tuple[Requirement, ...]) -> frozenset[NormalizedName]:
    return frozenset(canonicalize_name(each.name) for each in requirements)


def pins(file: Path) -> tuple[Pin, ...]:
    """Every pin of a file; a line that is neither a pin, nor a hash, nor a comment is an error."""
    found: list[Pin] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        if digest := HASH.fullmatch(text):
            last = found[-1]
            found[-1] = Pin(last.name, last.version, last.marker, (*last.digests, digest["digest"]))
            continue
        pin = PIN.fullmatch(text)
        assert pin, f"{file.name}: {line!r} is no pin and no hash"
        marker = Marker(pin["marker"]) if pin["marker"] else None
        found.append(Pin(canonicalize_name(pin["name"]), pin["version"], marker, ()))
    return tuple(found)
