"""Who may touch a store: what is judged of its place, without having to be somebody else."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import ConfigurationError
from syncd.store import open_for_reading, open_store
from syncd.store import place as places
from syncd.store.ownership import Finding, judged, misgivings, refuse_unsafe, way_out
from syncd.store.place import Entry, Place, look
from tests.store.making import Place as Home

ROOT, ME, SERVICE = 0, 12_001, 12_002  # nobody's names
STATE = Path("/srv/state")
STORE = STATE / "acme.db"


def directory(owner: int = ME, rights: int = 0o700) -> Entry:
    return Entry(STATE, stat.S_IFDIR | rights, owner)


def file(owner: int = ME, rights: int = 0o600, *, end: str = "") -> Entry:
    return Entry(Path(f"{STORE}{end}"), stat.S_IFREG | rights, owner)


def findings(place: Place, me: int = ME, *, writing: bool = True) -> list[Finding]:
    return list(judged(place, me, writing=writing))


FINE = [
    Place(None),
    Place(directory()),
    Place(directory(), file()),
    Place(directory(), file(), [file(end="-wal"), file(end="-shm")]),
    Place(directory(ROOT, 0o2770), file(rights=0o660)),
    Place(directory(ROOT, 0o2775)),
    Place(directory(rights=0o755), file(), shared=True),
]


@pytest.mark.parametrize("place", FINE, ids=range(len(FINE)))
@pytest.mark.parametrize("writing", [True, False])
def test_what_is_mine_or_in_a_directory_of_roots_and_closed_to_others_is_used(
    place: Place, *, writing: bool
) -> None:
    assert findings(place, writing=writing) == []


REFUSED: Sequence[tuple[str, Place, int, str]] = [
    ("a directory of ours", Place(directory(rights=0o777), file()), ME, f"run: chmod 700 {STATE}"),
    (
        "a directory with other things too",
        Place(directory(rights=0o777), shared=True),
        ME,
        f"run: chmod o-w {STATE}; or set `state` to a directory inside it",
    ),
    (
        "an empty volume of Kubernetes",
        Place(directory(ROOT, 0o2777)),
        ME,
        f"run as root: chmod o-w {STATE}; or set `state` to a directory inside it",
    ),
    ("like /tmp", Place(directory(ROOT, 0o1777), shared=True), ME, "set `state` to a directory inside it"),
    ("everybody may read the store", Place(directory(), file(rights=0o644)), ME, f"run: chmod 600 {STORE}"),
    (
        "everybody may read the log",
        Place(directory(), file(), [file(rights=0o604, end="-wal")]),
        ME,
        f"run: chmod 600 {STORE}-wal",
    ),
    (
        "everything at once",
        Place(directory(rights=0o777), file(rights=0o666), [file(rights=0o666, end="-wal")]),
        ME,
        f"run: chmod 700 {STATE} && chmod 600 {STORE} {STORE}-wal",
    ),
    ("put back by root", Place(directory(), file(ROOT)), ME, f"run as root: chown {ME} {STORE}"),
    (
        "its log put back by root",
        Place(directory(), file(), [file(ROOT, 0o644, end="-wal")]),
        ME,
        f"run as root: chown {ME} {STORE}-wal && chmod 600 {STORE}-wal",
    ),
    (
        "mine in another's directory",
        Place(directory(SERVICE), file()),
        ME,
        f"run as root: chown {ME} {STATE}",
    ),
    ("the service's", Place(directory(SERVICE), file(SERVICE)), ME, f"sudo -u '#{SERVICE}' syncd ..."),
    ("the service's, none yet", Place(directory(SERVICE)), ME, f"sudo -u '#{SERVICE}' syncd ..."),
    ("a member's", Place(directory(ROOT, 0o770), file(SERVICE)), ME, f"sudo -u '#{SERVICE}' syncd ..."),
    (
        "the service's, for everybody",
        Place(directory(SERVICE, 0o777), file(SERVICE, 0o644)),
        ME,
        "run syncd as",
    ),
    ("root writes the service's", Place(directory(SERVICE), file(SERVICE)), ROOT, f"sudo -u '#{SERVICE}'"),
    ("root writes where the service may", Place(directory(SERVICE), file(ROOT)), ROOT, f"chown root {STATE}"),
    ("root, unpacked as another's", Place(directory(ROOT), file(SERVICE)), ROOT, f"chown root {STORE}"),
]


@pytest.mark.parametrize(("place", "me", "way"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_what_another_user_may_have_touched_is_refused_with_what_mends_it(
    place: Place, me: int, way: str
) -> None:
    assert way in way_out(findings(place, me))
    if me != ROOT:
        assert findings(place, me, writing=False) == findings(place, me)


def test_root_reads_what_is_anothers_but_not_what_is_everybodys() -> None:
    theirs = Place(directory(SERVICE), file(SERVICE), [file(SERVICE, end="-wal")])
    assert findings(theirs, ROOT, writing=False) == []
    assert findings(replace(theirs, store=file(SERVICE, 0o644)), ROOT, writing=False)
    assert findings(replace(theirs, directory=directory(SERVICE, 0o777)), ROOT, writing=False)


def test_a_link_is_replaced_by_what_it_leads_to_and_what_lies_beside_that(tmp_path: Path) -> None:
    real, link = tmp_path / "real dir" / "x.db", tmp_path / "acme.db"
    real.parent.mkdir()
    real.touch()
    real.with_name("x.db-wal").touch()
    link.symlink_to(real)

    [found] = judged(look(link), tmp_path.stat().st_uid, writing=True)

    assert found.commands == [f"rm {link}", f"mv '{real}' {link}", f"mv '{real}-wal' {link}-wal"]


def test_a_path_for_the_shell_is_quoted() -> None:
    place = Place(replace(directory(rights=0o777), path=Path("/srv/my state;rm")))
    assert way_out(findings(place)) == "run: chmod 700 '/srv/my state;rm'"


def test_a_group_that_may_write_is_told() -> None:
    [said] = misgivings(Place(directory(ROOT, 0o2775), file()))
    assert (said.what, said.commands) == (
        f"the group of {STATE} can put other files into it (mode 2775)",
        [f"chmod g-w {STATE}"],
    )


def test_a_directory_above_in_which_everybody_may_rename_is_told_and_tmp_is_not(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    state = tmp_path / "open" / "state"
    state.mkdir()
    (tmp_path / "open").chmod(0o777)
    [said] = misgivings(look(state / "acme.db"))
    assert said.commands == [f"chmod o-w {tmp_path / 'open'}"]
    (tmp_path / "open").chmod(0o1777)
    assert list(misgivings(look(state / "acme.db"))) == []


def test_a_directory_reached_through_a_link_is_used(tmp_path: Path) -> None:
    """systemd: /var/lib/syncd is a link to /var/lib/private/syncd with DynamicUser=."""
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to("private")
    refuse_unsafe(tmp_path / "state" / "acme.db", writing=True)


def test_a_store_that_is_replaced_while_it_is_opened_is_not_used(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.open().close()
    kept, real = place.path.with_name("kept"), sqlite3.connect

    def swapped(*args: Any, **named: Any) -> sqlite3.Connection:
        place.path.rename(kept)
        place.path.symlink_to(kept)
        made: sqlite3.Connection = real(*args, **named)
        return made

    for how in (open_store, open_for_reading):
        with monkeypatch.context() as patched:
            patched.setattr(sqlite3, "connect", swapped)
            with pytest.raises(ConfigurationError, match="it was replaced while it was opened"):
                how(place.path, connection="split-prod", clock=place.clock)
        place.path.unlink()
        kept.rename(place.path)


def test_every_file_that_sqlite_makes_beside_a_store_is_looked_at(place: Home) -> None:
    with place.open():
        made = {
            path.name.removeprefix(place.path.name) for path in place.path.parent.iterdir() if path.is_file()
        }
    assert made - {""} <= set(places.BESIDE)
