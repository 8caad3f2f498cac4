"""What the last runs wrote, as the tables of docs/performance.md and as the picture of growth.

`python -m bench.tables` writes both again from bench/results.json and bench/results-million.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.plot import growth_svg
from bench.rows import Row

_FOLDER = Path(__file__).parent
_PAGE = _FOLDER.parent / "docs" / "performance.md"


def recorded() -> list[Mapping[str, Any]]:
    """The rows of both files."""
    found: list[Mapping[str, Any]] = []
    for name in ("results.json", "results-million.json"):
        found += json.loads((_FOLDER / name).read_text())["rows"]
    return found


def printed(found: Iterable[Row]) -> list[Row]:
    """Each row as soon as it is there; all of them."""
    kept = []
    for row in found:
        goal = "" if row.goal is None else f"{'≥' if row.at_least else '≤'} {row.goal:g}"
        mark = {True: "ok", False: "MISSED", None: ""}[row.met]
        sys.stdout.write(
            f"{row.what:<78} {_short(row.value):>9} {row.unit:<8} {goal:>7} {mark:<7} {row.detail}\n"
        )
        sys.stdout.flush()
        kept.append(row)
    return kept


def measured(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield "| what | measured | goal | |"
    yield "| --- | ---: | ---: | --- |"
    for row in rows:
        goal = "" if row["goal"] is None else f"{'≥' if row['at_least'] else '≤'} {row['goal']:,g}"
        missed = " (missed)" if row["met"] is False else ""
        yield f"| {row['what']} | {_short(row['value'])} {row['unit']} | {goal}{missed} | {row['detail']} |"


def growth(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield "| cycle | users | time | CPU | peak memory | requests to Okta | to the target | store |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for each in grown(rows):
        cells = (
            each["cycle"],
            f"{each['users']:,}",
            _time(each["seconds"]),
            _time(each["cpu"]),
            f"{each['peak_mb']:.0f} MB",
            f"{each['okta_requests']:,.0f}",
            f"{each['target_requests']:,.0f}",
            f"{_short(each['store_mb'])} MB",
        )
        yield f"| {' | '.join(cells)} |"


def grown(rows: Iterable[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """By cycle and size."""
    return sorted(
        (row["growth"] for row in rows if row.get("growth")), key=lambda each: (each["cycle"], each["users"])
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{_short(seconds)} s"


def filled(page: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The page with what stands between its marks replaced."""
    for name, lines in (("measured", measured(rows)), ("growth", growth(rows))):
        start, end = f"<!-- {name}: written by make bench -->", f"<!-- end of {name} -->"
        table = "\n".join([start, *lines, end])
        before, _, rest = page.partition(start)
        page = before + table + rest.partition(end)[2]
    return page


def write() -> None:
    rows = recorded()
    _PAGE.write_text(filled(_PAGE.read_text(), rows))
    (_FOLDER / "growth.svg").write_text(growth_svg(grown(rows)))


if __name__ == "__main__":
    write()
