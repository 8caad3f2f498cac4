"""Who may touch a store, judged before anything there is opened, made or changed: could anybody else have put it there,
or put something into it?

Root and the owner can do anything anyway. A group is a decision of whoever runs the machine (Kubernetes gives volumes
to one, and widens the rights of what is in them at each mount): it is told, and what is ours is narrowed by the next
writer. "Others" are everybody, and what everybody can change proves nothing. The directory may be reached through
links, as systemd makes them; the store and what SQLite keeps beside it may not be links.
"""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from syncd.errors import ConfigurationError
from syncd.files import kind_of
from syncd.store.place import Entry, Place, entry_of, look

ROOT = 0
_OWN_DIRECTORY = "set `state` to a directory inside it, which syncd makes for itself alone"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and what mends it: shell `commands`, run in this order (`as_root`), or what `otherwise` says."""

    what: str
    commands: Sequence[str] = ()
    otherwise: str = ""
    as_root: bool = False


def refuse_unsafe(path: Path, *, writing: bool) -> Place:
    """What is there, when it may be used. Raises ConfigurationError, which names what mends it; OSError."""
    place = look(path)
    if findings := list(judged(place, os.geteuid(), writing=writing)):
        what = "; ".join(each.what for each in findings)
        raise ConfigurationError(f"the store {path} is not used: {what}", hint=way_out(findings))
    return place


def refuse_replaced(path: Path, seen: Place) -> None:
    """Raises ConfigurationError when another file lies there than was judged; OSError."""
    found = entry_of(path)
    if seen.store is not None and (found is None or found.identity != seen.store.identity):
        raise ConfigurationError(
            f"the store {path} is not used: it was replaced while it was opened",
            hint="see who else may write in its directory, and run it again",
        )


def way_out(findings: Sequence[Finding]) -> str:
    """What mends all of them, in a sentence."""
    commands = " && ".join(command for each in findings for command in each.commands)
    who = " as root" if any(each.as_root for each in findings) else ""
    others = dict.fromkeys(each.otherwise for each in findings if each.otherwise)
    return "; or ".join([*([f"run{who}: {commands}"] if commands else []), *others])


# pure


def judged(place: Place, me: int, *, writing: bool) -> Iterator[Finding]:
    """Why the place may not be used by the user `me`.

    Root may read what another user has, and writes only where nobody else could have prepared what it is led to write.
    """
    if place.directory is None:
        return
    files = [*([place.store] if place.store else []), *place.beside]
    plain = [each for each in files if stat.S_ISREG(each.mode)]
    root_reads = me == ROOT and not writing
    if not root_reads and (theirs := _whose(place.directory, plain, me)):
        yield _to_be_run_as(theirs, me)
        return
    if place.directory.rights & stat.S_IWOTH:
        yield _open_to_all(place.directory, me, shared=place.shared)
    for each in files:
        if stat.S_ISLNK(each.mode) and each is place.store:
            yield _link(each)
        elif each not in plain:
            yield _no_file(each)
    if writing and (shared := [each for each in plain if each.names > 1]):
        yield _by_other_names(shared)
    if not root_reads and (foreign := _foreign(place.directory, plain, me)):
        named = ", ".join(f"{each.path} belongs to {_user(each.owner)}" for each in foreign)
        yield Finding(named, [f"chown {_user(me)} {_paths(foreign)}"], as_root=me != ROOT)
    if wide := [each for each in plain if each.rights & stat.S_IRWXO]:
        named = ", ".join(f"{each.path} (mode {each.rights:04o})" for each in wide)
        yield Finding(f"every user of this machine has rights to {named}", [f"chmod 600 {_paths(wide)}"])


def misgivings(place: Place) -> Iterator[Finding]:
    """What is no reason to refuse the place, and to be known."""
    directory = place.directory
    if directory is not None and directory.rights & stat.S_IWGRP:
        yield Finding(
            f"the group of {directory.path} can put other files into it (mode {directory.rights:04o})",
            [f"chmod g-w {_paths([directory])}"],
            _OWN_DIRECTORY,
        )
    for above in place.exposed:
        yield Finding(
            f"every user of this machine can put another directory in the place of what lies in {above}",
            [f"chmod o-w {shlex.quote(str(above))}"],
        )


def _open_to_all(directory: Entry, me: int, *, shared: bool) -> Finding:
    what = f"every user of this machine can put files into {directory.path} (mode {directory.rights:04o})"
    if directory.owner == me and not shared:
        return Finding(what, [f"chmod 700 {_paths([directory])}"])
    if directory.rights & stat.S_ISVTX:  # meant for everybody, like /tmp
        return Finding(what, otherwise=_OWN_DIRECTORY)
    as_root = me not in (directory.owner, ROOT)
    return Finding(what, [f"chmod o-w {_paths([directory])}"], _OWN_DIRECTORY, as_root)


def _link(store: Entry) -> Finding:
    link, target = shlex.quote(str(store.path)), store.target
    if target is None:
        return Finding(f"{store.path} is a symbolic link that leads nowhere", [f"rm {link}"])
    moves = [f"mv {shlex.quote(f'{target}{end}')} {shlex.quote(f'{store.path}{end}')}" for end in store.along]
    return Finding(
        f"{store.path} is a symbolic link to {target}",
        [f"rm {link}", f"mv {shlex.quote(str(target))} {link}", *moves],
        "leave the file where it is, and set `state` and `name` to that place",
    )


def _no_file(entry: Entry) -> Finding:
    path = str(entry.path)
    return Finding(
        f"{path} is {kind_of(entry.mode)}, not a regular file",
        [f"mv {shlex.quote(path)} {shlex.quote(f'{path}.away')}"],
    )


def _by_other_names(files: Sequence[Entry]) -> Finding:
    """The lock and SQLite's log go by the name: by each of them there would be a writer of its own."""
    named = ", ".join(str(each.path) for each in files)
    return Finding(
        f"the same file has other names than {named} (a hard link, or a mount of this file alone)",
        otherwise=f"delete the other names (find / -xdev -samefile {shlex.quote(str(files[0].path))}), and give a"
        " container the directory instead of the file",
    )


def _foreign(directory: Entry, files: Sequence[Entry], me: int) -> Sequence[Entry]:
    """What has to be given to the user `me`, for the place to be theirs."""
    above = [] if directory.owner in (me, ROOT) else [directory]
    return above + [each for each in files if each.owner != me]


def _whose(directory: Entry, files: Sequence[Entry], me: int) -> Entry | None:
    """What shows that all of it is another user's, as whom syncd has to be run; None where it is ours, or partly."""
    foreign = _foreign(directory, files, me)
    if directory in foreign:
        return directory if len(foreign) > 1 or not files else None
    others = [each for each in foreign if each.owner != ROOT]
    if not others or directory.owner != ROOT:
        return None  # put into a directory of ours, by root or whoever had the right
    # In a directory of root's that a group may write, the store is that of a member.
    return others[0] if me != ROOT or directory.rights & stat.S_IWGRP else None


def _to_be_run_as(entry: Entry, me: int) -> Finding:
    owner = _user(entry.owner)
    name = owner if not owner.isdecimal() else f"'#{owner}'"
    return Finding(
        f"{entry.path} belongs to {owner}, and {_user(me)} runs this",
        otherwise=f"run syncd as its owner: sudo -u {name} syncd ...",
    )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _paths(entries: Sequence[Entry]) -> str:
    return " ".join(shlex.quote(str(each.path)) for each in entries)
