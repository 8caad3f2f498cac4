"""Every statement of the store is one that both databases take.

Found in the modules that share it; those that are put together while the store runs are asked by the contract's tests.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

import syncd.store
import syncd.store.stage
from syncd.store.postgres.dialect import IN_STAGE, IN_STORE, Places, Rendered, render
from syncd.store.postgres.stage import PostgresStage
from syncd.store.sqlite.connection import SqliteDb
from syncd.store.sqlite.stage import SqliteStage
from syncd.store.sqlite.stage_file import StageFile
from syncd.store.stage.tables import views
from tests.postgres.making import PostgresPlace
from tests.store.making import Place

_ASKING = frozenset({"execute", "executemany", "stream", "pages"})
_SQL = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
_COMMENT = re.compile("--[^\n]*")
_OWN_ROOMS = frozenset({"syncd.store.sqlite", "syncd.store.postgres", "syncd.store.words"})


@dataclass(frozen=True)
class Statement:
    module: str
    line: int
    sql: str

    @property
    def places(self) -> Places:
        return IN_STAGE if ".stage." in self.module else IN_STORE

    @property
    def rendered(self) -> Rendered:
        return render(self.sql, self.places)


def modules() -> Iterator[ModuleType]:
    for package in (syncd.store, syncd.store.stage):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if found.name not in _OWN_ROOMS:
                yield importlib.import_module(found.name)


def statements() -> Iterator[Statement]:
    for module in modules():
        known = vars(module)
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        asked = [node.args[0] for node in ast.walk(tree) if isinstance(node, ast.Call) and _asks(node)]
        named = [node.value for node in tree.body if isinstance(node, ast.Assign)]
        for node in [*asked, *named]:
            with suppress(NameError, AttributeError, TypeError):  # what is put together while it runs
                said = eval(compile(ast.Expression(node), "", "eval"), dict(known))  # noqa: S307  (our own module)
                for part in said.split(";") if isinstance(said, str) else ():
                    if _is_whole(_COMMENT.sub("", part).strip()):
                        yield Statement(module.__name__, node.lineno, part)


def _is_whole(text: str) -> bool:
    """Not the beginning of a statement, nor one with places to be filled."""
    begins = text.startswith("INSERT") and not ("VALUES" in text or "SELECT" in text)
    prepares = text.startswith("WITH") and text.endswith(")")
    return text.startswith(_SQL) and "{" not in text and not (begins or prepares)


def _asks(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr in _ASKING and bool(node.args)


STATEMENTS = sorted({each.sql: each for each in statements()}.values(), key=str)


def test_they_are_found() -> None:
    assert len(STATEMENTS) > 150
    assert {"syncd.store.absorb", "syncd.store.journal", "syncd.store.stage.members"} <= {
        each.module for each in STATEMENTS
    }


def values(each: Statement) -> dict[str, None] | tuple[None, ...]:
    names = {key: None for key in each.rendered.order if isinstance(key, str)}
    places = [key for key in each.rendered.order if isinstance(key, int)]
    return names or (None,) * (max(places, default=-1) + 1)


def test_sqlite_takes_them(place: Place) -> None:
    with place.open() as store:
        stage = store.stage()
        assert isinstance(stage, SqliteStage)
        assert isinstance(stage._file, StageFile)
        store._conn.execute("ATTACH ? AS stage", (f"{stage.path.absolute().as_uri()}?mode=ro",))
        for view in views("stage", "main"):
            store._conn.execute(view)
        beside: dict[Places, SqliteDb] = {IN_STORE: store._conn, IN_STAGE: stage._file._conn}
        refused = []
        stage._spool.flush("key", "held", "of_group", "owner", "steps", "leaves")
        for each in STATEMENTS:
            try:
                beside[each.places].execute(f"EXPLAIN {each.sql}", values(each))
            except Exception as error:  # noqa: BLE001  (each is told)
                refused.append((each.module, each.line, str(error)))
        store._conn.execute("DETACH stage")
    assert refused == []


def test_postgresql_takes_them(prepared: str) -> None:
    refused = []
    with closing(PostgresPlace(prepared)) as place, place.open() as store:
        stage = store.stage()
        assert isinstance(stage, PostgresStage)
        conn = stage.tables.session.conn
        for each in STATEMENTS:
            rendered = each.rendered
            given: list[list[str] | None] = [
                [] if at in rendered.lists else None for at in range(len(rendered.order))
            ]
            try:
                conn.execute(b"EXPLAIN " + rendered.text, given)
            except psycopg.Error as error:
                refused.append((each.module, each.line, str(error)))
        stage.close()
    assert refused == []


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT ? , ?, 'a?:b' -- why ?", "SELECT $1 , $2, 'a?:b'"),
        ("SELECT ?2, ?1, ?2", "SELECT $1, $2, $1"),
        ("SELECT :a, x::text, :b, :a", "SELECT $1, x::text, $2, $1"),
        ("SELECT value FROM json_each(?)", "SELECT value FROM syncd.ids($1::text[])"),
        ("INSERT OR IGNORE INTO doubts VALUES (?)", "INSERT INTO doubts VALUES ($1) ON CONFLICT DO NOTHING"),
        (
            "INSERT OR REPLACE INTO tombstones (okta_id, revision, at) VALUES (?, ?, ?)",
            (
                "INSERT INTO tombstones (okta_id, revision, at) VALUES ($1, $2, $3) ON CONFLICT (connection, okta_id)"
                " DO UPDATE SET revision = excluded.revision, at = excluded.at"
            ),
        ),
        (
            "INSERT INTO main.facts (key) VALUES (?) ON CONFLICT (key) DO NOTHING",
            "INSERT INTO syncd.facts (key) VALUES ($1) ON CONFLICT (connection, key) DO NOTHING",
        ),
        ("SELECT 1 FROM a CROSS JOIN b ON b.x = a.x", "SELECT 1 FROM a JOIN b ON b.x = a.x"),
        ("SELECT 1 FROM a CROSS JOIN b WHERE a.x", "SELECT 1 FROM a CROSS JOIN b WHERE a.x"),
        (
            "SELECT 1 FROM a CROSS JOIN b CROSS JOIN c ON c.x = (SELECT 1)",
            "SELECT 1 FROM a CROSS JOIN b JOIN c ON c.x = (SELECT 1)",
        ),
        ("SELECT 1 FROM a INDEXED BY b WHERE x IS NOT NULL", "SELECT 1 FROM a  WHERE x IS NOT NULL"),
        ("SELECT a IS ?, a IS NOT ?", "SELECT a IS NOT DISTINCT FROM $1, a IS DISTINCT FROM $2"),
        ("UPDATE stage.users SET digest = X'00ff'", "UPDATE pg_temp.s_users SET digest = '\\x00ff'::bytea"),
    ],
)
def test_what_is_said_otherwise(sql: str, text: str) -> None:
    assert render(sql, IN_STORE).text.decode() == text


def test_the_same_name_is_another_table_in_a_stage() -> None:
    asked = "SELECT 1 FROM main.users s JOIN store.users k JOIN temp.candidate c"
    assert render(asked, IN_STAGE).text.decode() == (
        "SELECT 1 FROM pg_temp.s_users s JOIN syncd.users k JOIN pg_temp.candidate c"
    )
