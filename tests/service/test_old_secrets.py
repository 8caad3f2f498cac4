"""A credential whose file changed after systemd copied it is noticed, whatever clocks and links do; nothing else is."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncd.service.old_secrets import OldSecrets
from syncd.settings import SecretRef


@dataclass
class Machine:
    """The files of `LoadCredential=` and what systemd made of them."""

    source: Path
    copies: Path

    def start(self, file: str = "scim") -> tuple[OldSecrets, SecretRef]:
        """Systemd copies the credential; the daemon has not looked yet."""
        made = self.copies / "new"
        made.write_bytes((self.source / file).read_bytes())
        made.replace(self.copies / "scim")
        environ = {"CREDENTIALS_DIRECTORY": str(self.copies), "SYNCD_CREDENTIALS_SOURCE": str(self.source)}
        return OldSecrets(), SecretRef("credential", "scim", _environ=environ)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "source", tmp_path / "copies")
    for each in (made.source, made.copies):
        each.mkdir()
    (made.source / "scim").write_text("old")
    return made


def tick() -> None:
    """A file system's clock has its own ticks."""
    began = time.time_ns()
    while time.time_ns() - began < 20_000_000:
        time.sleep(0.005)


def moved_into_place(machine: Machine, name: str = "scim") -> None:
    new = machine.source / "new"
    new.write_text("rotated")
    os.utime(new, (0, 0))
    new.replace(machine.source / name)


def written_in_place(machine: Machine) -> None:
    (machine.source / "scim").write_text("rotated")


def written_in_place_as_old_as_before(machine: Machine) -> None:
    """As `cp --preserve` of a file of last year does."""
    (machine.source / "scim").write_text("new")
    os.utime(machine.source / "scim", (1, 1))


def encrypted_beside_it(machine: Machine) -> None:
    moved_into_place(machine, "scim.cred")


CHANGES = [moved_into_place, written_in_place, written_in_place_as_old_as_before, encrypted_beside_it]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("looked", [True, False], ids=["looked before", "never looked"])
def test_a_file_that_changed_since_is_named_until_it_is_copied_anew(
    machine: Machine, change: object, *, looked: bool
) -> None:
    secrets, ref = machine.start()
    assert not looked or secrets.said_of(ref) == ""
    tick()
    change(machine)  # type: ignore[operator]
    for _ in range(2):
        said = secrets.said_of(ref)
        assert str(machine.source / "scim") in said
        assert "restart the service" in said
    tick()
    again, ref = machine.start()
    assert secrets.said_of(ref) == "", "a reload that copies it anew"
    assert again.said_of(ref) == "", "a restart"


def test_a_clock_that_was_set_back_hides_no_change(machine: Machine) -> None:
    secrets, ref = machine.start()
    os.utime(machine.copies / "scim", (time.time() + 3600, time.time() + 3600))
    assert secrets.said_of(ref) == ""
    moved_into_place(machine)
    assert "restart" in secrets.said_of(ref)


def test_a_link_that_is_turned_to_an_older_file_is_a_change(machine: Machine) -> None:
    """`..data` of Kubernetes, or a directory for each release: what it leads to was there before the copy."""
    (machine.source / "scim").unlink()
    for release, content in (("one", "old"), ("two", "rotated")):
        (machine.source / release).mkdir()
        (machine.source / release / "scim").write_text(content)
    data = machine.source / "..data"
    data.symlink_to("one")
    (machine.source / "scim").symlink_to("..data/scim")
    tick()
    secrets, ref = machine.start()
    assert secrets.said_of(ref) == ""

    turned = machine.source / "..new"
    turned.symlink_to("two")
    turned.replace(data)

    assert "restart" in secrets.said_of(ref)


def other_rights(machine: Machine) -> None:
    (machine.source / "scim").chmod(0o640)


def another_name_beside_it(machine: Machine) -> None:
    (machine.source / "backup").hardlink_to(machine.source / "scim")


def taken_away(machine: Machine) -> None:
    (machine.source / "scim").unlink()


def its_directory_too(machine: Machine) -> None:
    (machine.source / "scim").unlink()
    machine.source.rmdir()


@pytest.mark.parametrize("change", [other_rights, another_name_beside_it, taken_away, its_directory_too])
def test_what_changes_no_secret_is_no_alarm(machine: Machine, change: object) -> None:
    secrets, ref = machine.start()
    assert secrets.said_of(ref) == ""
    tick()
    change(machine)  # type: ignore[operator]
    assert secrets.said_of(ref) == ""
