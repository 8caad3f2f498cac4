"""The Debian package `syncd-fleet`: `python -m distribution.fleet_deb WHEEL DIRECTORY`.

What a worker of a fleet needs besides the package `syncd`: psycopg, in the same environment, and the worker's unit. One
of its own, so that who has one machine has no PostgreSQL client on it.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from distribution.deb import (
    HOME,
    ROOT,
    Release,
    compiled,
    control_file,
    installed,
    maintainers_scripts,
    packed,
    site_packages,
)

UNIT = "syncd-worker.service"
_DESCRIPTION = """Description: worker of a fleet of syncd, on PostgreSQL
 Several machines serve the connections of one fleet, and take over from each
 other. This brings what speaks to PostgreSQL, and the unit syncd-worker.service.
"""
_COPYRIGHT = """psycopg and psycopg-binary (https://www.psycopg.org): GNU Lesser General Public License v3.
Its text lies beside their code, below *.dist-info, and in /usr/share/common-licenses/LGPL-3. psycopg-binary brings
libpq (PostgreSQL License) and what that needs. syncd-worker.service: as syncd, /usr/share/doc/syncd/copyright.
"""


def build(wheel: Path, into: Path) -> Path:
    """The package's file. Raises CalledProcessError, ValueError."""
    made_for = Release.of(wheel)
    file = into / made_for.file("syncd-fleet")
    with packed(file) as tree:
        packages = tree / HOME / site_packages(made_for.minor)
        packages.mkdir(parents=True)
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as pins:
            pins.write("".join(only_of_a_fleet()))
            pins.flush()
            installed(packages, "--require-hashes", "--only-binary", ":all:", "-r", pins.name)
        compiled(tree, packages)
        files_of_the_system(tree)
        control(tree, made_for)
    return file


def only_of_a_fleet() -> Iterator[str]:
    """Pins, with their hashes, of constraints-fleet.txt that constraints.txt has not."""
    with_every_machine = {_pin(block) for block in _blocks(ROOT / "constraints.txt")}
    return (each for each in _blocks(ROOT / "constraints-fleet.txt") if _pin(each) not in with_every_machine)


def _blocks(file: Path) -> Iterator[str]:
    text = file.read_text(encoding="utf-8")
    return (each for each in re.split(r"(?m)^(?=[A-Za-z0-9])", text) if "==" in each.partition("\n")[0])


def _pin(block: str) -> str:
    return block.partition("\n")[0].split()[0]


def files_of_the_system(tree: Path) -> None:
    """Unit and copyright."""
    units, place = tree / "usr/lib/systemd/system", tree / "usr/share/doc/syncd-fleet"
    for folder in (units, place):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / "systemd" / UNIT, units)
    (place / "copyright").write_text(_COPYRIGHT, encoding="ascii")


def control(tree: Path, made_for: Release) -> None:
    """Of the very version of syncd whose environment it completes."""
    depends = [f"syncd (= {made_for.version})"]
    control_file(tree, "syncd-fleet", made_for, depends=depends, description=_DESCRIPTION)
    maintainers_scripts(tree, ROOT / "distribution" / "debian" / "fleet")


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m distribution.fleet_deb WHEEL DIRECTORY\n")
        return 64
    sys.stdout.write(f"{build(Path(arguments[0]), Path(arguments[1]))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
