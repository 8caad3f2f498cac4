r"""The store's SQL text, which is SQLite's, in PostgreSQL's words.

The text keeps to a subset: what both take as it is, and what stands here, which is all that is said otherwise.

    main. store. stage. temp.              a name in `Places`
    ? ?1 :name                             $1
    json_each(?)                           ids($1::text[]), of a parameter that is a JSON list
    INSERT OR IGNORE                       ... ON CONFLICT DO NOTHING
    INSERT OR REPLACE                      ... ON CONFLICT (key) DO UPDATE, of all columns
    ON CONFLICT (key) of a store's table   ON CONFLICT (connection, key)
    CROSS JOIN x ON (x is the inner one)   JOIN x ON
    INDEXED BY name, NOT INDEXED           nothing
    IS ?, IS NOT ?, IS NOT (SELECT         IS [NOT] DISTINCT FROM
    X'00ff'                                '\x00ff'::bytea

Truth is not a number there: a flag is compared (`pushed = 1`), and what is true is not added up. Whatever else is said
otherwise has a name in the schema (`tables.FUNCTIONS`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from syncd.store.postgres import stage_tables, tables

_TOKEN = re.compile(
    r"--[^\n]*|[xX]'[0-9a-fA-F]*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\?\d*|(?<!:):[a-z_]+|\w+|\s+|.",
    re.DOTALL,
)
_ENDS = frozenset({"JOIN", "CROSS", "LEFT", "WHERE", "ORDER", "GROUP", "UNION", ")", ";", ","})
STORE, STAGE = "syncd.", "pg_temp.s_"


@dataclass(frozen=True, slots=True)
class Places:
    """What a name with a prefix, and one without, means in a session's text."""

    prefixes: tuple[tuple[str, str], ...]

    def of(self, prefix: str) -> str | None:
        return dict(self.prefixes).get(prefix)


IN_STORE = Places((("main", STORE), ("stage", STAGE), ("temp", "pg_temp.")))
"""Of the store's own acts; what is staged has a prefix."""
IN_STAGE = Places((("main", STAGE), ("store", STORE), ("temp", "pg_temp.")))


@dataclass(frozen=True, slots=True)
class Rendered:
    """`order`: the parameters `$1`, `$2`, ... by their place (from 0) or name; `lists`: which of them are lists."""

    text: bytes
    order: tuple[int | str, ...]
    lists: frozenset[int]
    writes: bool


@cache
def render(sql: str, places: Places) -> Rendered:
    """Raises ValueError for text that is not of the subset."""
    return _Rendering(sql, places).whole()


class _Rendering:
    def __init__(self, sql: str, places: Places) -> None:
        self._parts = [part for part in _TOKEN.findall(sql) if not part.startswith("--")]
        self._places = places
        self._at = 0
        self._made: list[str] = []
        self._order: dict[int | str, int] = {}
        self._lists: set[int] = set()
        self._count = 0
        self._end = ""
        self._into = ""

    def whole(self) -> Rendered:
        first = next((part.upper() for part in self._parts if not part.isspace()), "")
        while self._at < len(self._parts):
            self._step()
        text = "".join(self._made).strip() + self._end
        writes = first in ("INSERT", "UPDATE", "DELETE")
        return Rendered(text.encode(), tuple(self._order), frozenset(self._lists), writes)

    # reading

    def _ahead(self, count: int) -> list[str]:
        """The next words behind this one, in capitals."""
        found: list[str] = []
        at = self._at + 1
        while at < len(self._parts) and len(found) < count:
            if not self._parts[at].isspace():
                found.append(self._parts[at].upper())
            at += 1
        return found

    def _skip(self, count: int) -> None:
        """So many words behind this one are done with."""
        while count and self._at + 1 < len(self._parts):
            self._at += 1
            count -= not self._parts[self._at].isspace()

    def _has_condition(self) -> bool:
        """Whether the joined table that comes next has an ON of its own."""
        depth = 0
        for part in self._parts[self._at + 1 :]:
            word = part.upper()
            if depth == 0 and word == "ON":
                return True
            if depth == 0 and word in _ENDS and word != "JOIN":
                return False
            depth += {"(": 1, ")": -1}.get(word, 0)
        return False

    # writing

    def _step(self) -> None:
        part = self._parts[self._at]
        word = part.upper()
        if part[0] == "?" or (part[0] == ":" and len(part) > 1):
            self._made.append(self._parameter(part))
        elif word.startswith("X'"):
            self._made.append(f"'\\x{part[2:-1]}'::bytea")
        elif not (word[0].isalpha() or word[0] == "_"):
            self._made.append(part)
        elif self._ahead(1) == ["."] and (place := self._places.of(part)) is not None:
            self._made.append(place)
            self._skip(1)
        else:
            self._word(part, word)
        self._at += 1

    def _word(self, part: str, word: str) -> None:
        match word, self._ahead(2):
            case "INSERT", ["OR", how] if how in ("IGNORE", "REPLACE"):
                self._skip(2)
                self._made.append("INSERT")
                self._begin_insert(how)
            case "INSERT", ["INTO", _]:
                self._made.append("INSERT")
                self._begin_insert("")
            case "ON", ["CONFLICT", "("] if self._into.startswith(STORE):
                self._skip(2)
                self._made.append("ON CONFLICT (connection, ")
            case "CROSS", ["JOIN", _]:
                self._skip(1)
                self._made.append("JOIN" if self._has_condition() else "CROSS JOIN")
            case "INDEXED", ["BY", _]:
                self._skip(2)
            case "NOT", ["INDEXED", *_]:
                self._skip(1)
            case "IS", ["NOT", what] if what[0] in "?:(":
                self._skip(1)
                self._made.append("IS DISTINCT FROM")
            case "IS", [what, *_] if what[0] in "?:":
                self._made.append("IS NOT DISTINCT FROM")
            case "JSON_EACH", ["(", what] if what[0] in "?:":
                self._list()
            case _:
                self._made.append(part)

    def _parameter(self, part: str) -> str:
        key: int | str
        if part[0] == ":":
            key = part[1:]
        elif part == "?":
            key, self._count = self._count, self._count + 1
        else:
            key = int(part[1:]) - 1
            self._count = max(self._count, key + 1)
        return f"${self._order.setdefault(key, len(self._order)) + 1}"

    def _list(self) -> None:
        self._skip(2)
        place = self._parameter(self._parts[self._at])
        self._skip(1)
        self._lists.add(int(place[1:]) - 1)
        self._made.append(f"syncd.ids({place}::text[])")

    def _begin_insert(self, how: str) -> None:
        """Behind INSERT: `INTO [place.]table`, with what the end of the statement says of a row that is there."""
        into, *named = self._ahead(4)
        if into != "INTO":
            raise ValueError("an INSERT without INTO")
        prefixed = len(named) > 1 and named[1] == "."
        place = self._places.of(named[0].lower()) if prefixed else STORE
        table = named[2 if prefixed else 0].lower()
        if place is None:
            raise ValueError(f"there is no {named[0]} to insert into")
        self._into = f"{place}{table}"
        if how == "IGNORE":
            self._end = " ON CONFLICT DO NOTHING"
        elif how == "REPLACE":
            key, columns = keyed(self._into)
            listed = ", ".join(f"{each} = excluded.{each}" for each in columns if each not in key)
            self._end = f" ON CONFLICT ({', '.join(key)}) DO " + (
                f"UPDATE SET {listed}" if listed else "NOTHING"
            )


@cache
def _keys() -> Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    found = {
        f"{STORE}{table.name}": (("connection", *table.key.split(", ")), table.names)
        for table in tables.TABLES
    }
    found |= {
        f"{STAGE}{table.name}": (tuple(table.key.split(", ")), table.names) for table in stage_tables.TABLES
    }
    return found


def keyed(table: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The primary key of a table, and all columns that can be written."""
    return _keys()[table]
