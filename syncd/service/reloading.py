"""What SIGHUP changes: the settings that ran against those that were read now. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from syncd.settings import ConnectionSettings, Loaded, Problem


@dataclass(frozen=True)
class Reconciled:
    """`wanted` runs from now on: new settings where they are good, the old ones where their file is not.

    Those with their old ones are in `stays`. `broken` says why a file is not used, by its stem.
    """

    wanted: Sequence[ConnectionSettings]
    stays: Sequence[ConnectionSettings]
    broken: Mapping[str, str]


def broken_files(problems: Sequence[Problem]) -> dict[str, str]:
    """The first problem of each file, by the file's stem."""
    found: dict[str, str] = {}
    for problem in problems:
        found.setdefault(problem.file.stem, str(problem).splitlines()[0])
    return found


def held_by(file: Path, running: Sequence[ConnectionSettings]) -> Sequence[ConnectionSettings]:
    """Those whose settings stand in this file, or in this directory."""
    absolute = Path(os.path.abspath(file))  # noqa: PTH100  (links stay)
    return [one for one in running if absolute in (one.path, *one.path.parents)]


def reconciled(running: Sequence[ConnectionSettings], loaded: Loaded) -> Reconciled:
    """A connection ends only when its file is gone; one whose file is wrong, or cannot be looked for, stays as it is.

    New settings that would share a name, a store or a Split organisation with one that stays are not used.
    """
    kept = [one for one in running if any(held_by(problem.file, [one]) for problem in loaded.problems)]
    fresh = list(loaded.connections)
    broken = broken_files(loaded.problems)
    unused = [problem.file for problem in loaded.problems]
    while clash := next(
        ((new, old) for new in fresh for old in kept if new.path != old.path and clashes(new, old)), None
    ):
        new, old = clash
        fresh.remove(new)
        unused.append(new.path)
        broken[new.path.stem] = (
            f"{new.path}: not used: {old.name}, which keeps its old settings, has the same name, store or organisation"
        )
        kept += [one for one in running if one.path == new.path and one not in kept]
    stays = [one for one in kept if all(one.path != new.path for new in fresh)]
    for stem in {file.stem for file in unused if held_by(file, stays)}:
        broken[stem] = f"the old settings stay in force: {broken[stem]}"
    return Reconciled((*stays, *fresh), stays, broken)


def clashes(one: ConnectionSettings, other: ConnectionSettings) -> bool:
    """Two that must not write at the same time."""
    return (
        one.name.casefold() == other.name.casefold()
        or one.split.base_url == other.split.base_url
        or os.path.realpath(one.store_path) == os.path.realpath(other.store_path)
    )
