"""One finding about a settings file, with the place where it stands and the line to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from syncd.redact import strip_controls


@dataclass(frozen=True, slots=True)
class Problem:
    """`file` as the user named it, `line` 1-based or None, `path` like `push_groups[2].source` or "".

    `fix` is the TOML line to write, "" when there is none to offer. Never holds a value out of the file, but for what
    an expression of [attributes] reads and calls. `column` is 1-based, None where the line says enough.
    """

    file: Path
    message: str
    path: str = ""
    line: int | None = None
    fix: str = ""
    column: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(each) for each in (self.file, self.line, self.column) if each is not None)
        text = f"{place} {self.path}: {self.message}" if self.path else f"{place}: {self.message}"
        # Keys and file names are somebody's text: they must not steer the terminal they are printed on.
        return strip_controls(f"{text}; write: {self.fix}" if self.fix else text)


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding before it has a file and a line: `loc` is the way through the parsed TOML.

    `missing` says that `loc` is where the key would have to stand.
    """

    loc: tuple[str | int, ...]
    message: str
    fix: str = ""
    missing: bool = False
    text: str = ""
    """The string at `loc` in which the finding is, at its character `at` (from 1)."""
    at: int = 0
    nameless: bool = False
    """The key at the end of `loc` is not to be repeated: it may be a secret in the wrong place."""

    @property
    def path(self) -> str:
        """As it is shown."""
        if not self.nameless:
            return dotted(self.loc)
        return ".".join(filter(None, (dotted(self.loc[:-1]), "(a name that is none of ours)")))


@dataclass(frozen=True, slots=True)
class Flawed:
    """One of several things that are wrong with one right-hand side: in its table's `key` ("" for all of it), at a
    character of the string `text`. `value` is the whole right-hand side to write instead, "" where nobody can tell.
    """

    message: str
    key: str = ""
    value: str = ""
    text: str = ""
    at: int = 0


def dotted(loc: tuple[str | int, ...]) -> str:
    """`("push_groups", 2, "source")` as `push_groups[2].source`; a key with dots is quoted as in TOML."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        name = part if part.replace("_", "a").replace("-", "a").isalnum() and part.isascii() else f'"{part}"'
        text += f".{name}" if text else name
    return text
