"""Which line of a TOML text a key stands on.

The standard library's parser keeps no positions. This scanner runs only over text that parser accepted, so it
can be simple: it follows headers, keys, strings, brackets and comments of TOML 1.0 and judges nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

Loc = tuple[str | int, ...]

_KEY = re.compile(r"""[ \t]*("(?:[^"\\]++|\\.)*+"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*(\.)?""")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|'
    r"'''.*?'{3,5}|"
    r'"(?:[^"\\\n]++|\\.)*+"|'
    r"'[^'\n]*'",
    re.DOTALL,
)
_ONE_LINE = re.compile(r'"(?!"")(?:[^"\\\n]++|\\.)*+"|\'(?!\'\')[^\'\n]*\'')
_COMMENT = re.compile(r"#[^\n]*")


@dataclass(slots=True)
class LineIndex:
    """`keys` maps the way to a key or table to its 1-based line; `ends` a table to its last line."""

    keys: dict[Loc, int] = field(default_factory=dict)
    ends: dict[Loc, int] = field(default_factory=dict)
    last: int = 1
    texts: list[str] = field(default_factory=list)
    """The lines themselves."""

    def column(self, line: int, text: str, at: int) -> int | None:
        """Where on this line the character `at` (from 1) of a string stands that reads `text`, the first value that
        does; None where it is not on this line alone.
        """
        source = self.texts[line - 1] if 0 < line <= len(self.texts) else ""
        for token in _ONE_LINE.finditer(source):
            with suppress(tomllib.TOMLDecodeError):  # a piece of a string of several lines
                if _is_value(source, token.start()) and _unquote(token[0]) == text:
                    return token.start() + _skipped(token[0], at - 1) + 1
        return None

    def of(self, loc: Loc) -> int | None:
        """The line of the key, or of the nearest thing around it that has one."""
        for length in range(len(loc), 0, -1):
            if line := self.keys.get(loc[:length]):
                return line
        return None


def index_lines(text: str) -> LineIndex:
    """Index a text that `tomllib.loads` accepted."""
    scanner = _Scanner(text)
    scanner.run()
    scanner.index.last = max(len(text.splitlines()), 1)
    scanner.index.texts = scanner.text.split("\n")
    return scanner.index


def _is_value(line: str, start: int) -> bool:
    return line[:start].rstrip(" \t").endswith("=")


def _skipped(token: str, count: int) -> int:
    """Characters of a quoted string before its character `count` (from 0), escapes as they are written."""
    if token[0] == "'":
        return 1 + count
    at = 1
    for _ in range(count):
        escape = token[at : at + 2]
        at += {"\\u": 6, "\\U": 10}.get(escape, 2 if escape[:1] == "\\" else 1)
    return at


def _unquote(key: str) -> str:
    if key[0] == "'":
        return key[1:-1]
    if key[0] == '"':
        parsed: Mapping[str, str] = tomllib.loads(f"k = {key}")
        return parsed["k"]
    return key


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.line = 1
        self.table: Loc = ()
        self.counts: dict[Loc, int] = {}
        self.index = LineIndex()

    def run(self) -> None:
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t\n":
                self._advance(self.at + 1)
            elif char == "#":
                self._advance(self._end_of(_COMMENT))
            elif char == "[":
                self._header()
            else:
                self._assignment()

    def _advance(self, to: int) -> None:
        self.line += self.text.count("\n", self.at, to)
        self.at = to

    def _end_of(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        return found.end() if found else self.at + 1

    def _dotted_key(self) -> list[str]:
        parts: list[str] = []
        while found := _KEY.match(self.text, self.at):
            parts.append(_unquote(found[1]))
            self._advance(found.end())
            if not found[2]:
                break
        return parts

    def _header(self) -> None:
        array = self.text.startswith("[[", self.at)
        self._advance(self.at + (2 if array else 1))
        names = self._dotted_key()
        loc: Loc = ()
        for number, name in enumerate(names):
            loc = (*loc, name)
            if array and number == len(names) - 1:
                self.counts[loc] = self.counts.get(loc, -1) + 1
            if loc in self.counts:
                # The first of a list also stands for the list as a whole.
                self.index.keys.setdefault(loc, self.line)
                loc = (*loc, self.counts[loc])
        self.table = loc
        self.index.keys.setdefault(loc, self.line)
        self.index.ends[loc] = self.line
        self._to_line_end()

    def _assignment(self) -> None:
        loc: Loc = self.table
        for name in self._dotted_key():
            loc = (*loc, name)
            self.index.keys.setdefault(loc, self.line)
        self._to_line_end()
        self.index.ends[self.table] = self.line

    def _to_line_end(self) -> None:
        """Skip to the line break that ends the statement: not one inside a string or brackets."""
        depth = 0
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "\n" and depth <= 0:
                return
            if char in "\"'":
                self._advance(self._end_of(_STRING))
                continue
            if char == "#":
                self._advance(self._end_of(_COMMENT))
                continue
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(char, 0)
            self._advance(self.at + 1)
