"""What a person with the sqlite3 shell puts into packs: the check says so, and nobody who reads them stumbles."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import pytest

from syncd.errors import PermanentError
from syncd.ports.history import Reach
from syncd.store import open_for_reading
from syncd.store.packs import FROM
from tests.store.lived import by_hand, checked, named
from tests.store.making import Place

EVERYTHING = Reach()
LINE = '1\t"00u-x"\t{}'
OPENED = "DROP TRIGGER packs_no_update"


def rows(*lines: str) -> str:
    """As a literal in SQL, what a pack of these lines holds."""
    return f"X'{zlib.compress(chr(10).join(lines).encode('ascii'), 1).hex()}'"


def all_alike(refers: str, okta_id: str = '"00u-x"') -> str:
    return rows(*[f"{refers}\t{okta_id}\t{{}}"] * FROM)


def packs(told: str) -> str:
    return f"UPDATE packs SET {told}"  # noqa: S608  (constants)


def packed(told: str) -> str:
    """Of the last one that is packed."""
    return f"UPDATE packed SET {told} WHERE okta_id = '00u-crowd0031'"  # noqa: S608  (constants)


CHANGED = (
    *(packs(f"{column} = X'00'") for column in ("at", "run_id", "kind", "group_id", "previous", "hash")),
    *(packs(f"{column} = CAST(X'ff' AS TEXT)") for column in ("at", "run_id", "group_id")),
    packs("rows = 'text'"),
    packs("last = 9223372036854775807"),
    packs("first = first - 1"),
    packs(f"rows = {all_alike('[' * 100_000)}"),
    packs(f"rows = {all_alike('1', '[' * 100_000)}"),
    packs(f"rows = {rows(*[LINE] * (FROM - 1), LINE.replace('1', 'NaN'))}"),
    packs(f"rows = {rows(*[LINE] * (FROM - 1), LINE.replace('1', chr(34) * 2))}"),
    packs(f"rows = {all_alike('1', '[]')}"),
    packs(f"rows = {all_alike('true')}"),
    packs(f"rows = {all_alike('1.5')}"),
    packs(f"rows = {all_alike('1' * 4000)}"),
)
MISNAMED = (
    packed("first = 'x'"),
    packed("sequence = 'x'"),
    packed("sequence = 9999"),
    packed("okta_id = CAST(X'ff' AS TEXT)"),
    "UPDATE packed SET first = X'00'",
    "INSERT INTO packed VALUES ('00u-crowd0031', 'x', 'y')",
)


def asked(place: Place) -> None:
    """All who read packs. Raises what none of them may raise."""
    with open_for_reading(place.path, connection="split-prod", clock=place.clock) as store:
        questions: tuple[Callable[[], Any], ...] = (
            lambda: list(store.journal_entries()),
            lambda: store.last_changes("00u-crowd0031", limit=3),
            lambda: store.last_changes("00g-dev", limit=40),
            lambda: store.find_former_users("x"),
            lambda: list(store.outcomes(EVERYTHING)),
            lambda: list(store.troubles(EVERYTHING)),
            lambda: list(store.grants()),
            lambda: store.change_counts(EVERYTHING),
            lambda: store.latencies(EVERYTHING, [30]),
            store.open_intents,
        )
        for ask in questions:
            with suppress(PermanentError):
                ask()


@pytest.mark.parametrize("statement", CHANGED, ids=range(len(CHANGED)))
def test_a_changed_pack_breaks_the_chain_and_nobody_stumbles_over_it(lived: Place, statement: str) -> None:
    by_hand(lived, OPENED, statement)
    assert checked(lived).broken_at is not None
    asked(lived)


@pytest.mark.parametrize("statement", MISNAMED, ids=range(len(MISNAMED)))
def test_whoever_is_told_of_in_another_pack_is_named_and_nobody_stumbles_over_it(
    lived: Place, statement: str
) -> None:
    by_hand(lived, statement)
    assert named(lived) == {"packed"}
    asked(lived)


def test_a_changed_row_of_a_pack_is_named_as_the_last_one_of_it(lived: Place) -> None:
    """The one hash that stands in a pack is that of its last row."""
    with closing(sqlite3.connect(lived.path)) as conn:
        [(first, last, packed_rows), *_] = conn.execute("SELECT first, last, rows FROM packs ORDER BY first")
    lines = zlib.decompress(packed_rows).decode("ascii").split("\n")
    lines[1] = lines[1][:-1] + ',"by":"somebody else"}'
    assert first + 1 < last
    by_hand(lived, OPENED, packs(f"rows = {rows(*lines)}") + f" WHERE first = {first}")
    assert checked(lived).broken_at == last
