"""`make bench`: prints the table, writes bench/results.json and two pictures. `--million`: 1,000,000 users."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import first, follow, rows, tables
from bench.connection import TOKEN
from bench.mapping import mapping
from bench.org import Size
from bench.plot import svg
from bench.rows import Row

_FOLDER = Path(__file__).parent


def _chosen(options: argparse.Namespace) -> Iterator[Row]:
    rounds = options.rounds
    if options.million:
        yield from rows.reading(Size.of(1_000_000), rounds)
        yield from first.sync_of_a_million()
        return
    sizes = (1_000, 10_000) if options.quick else (1_000, 10_000, 100_000)
    for users in sizes:
        yield from rows.reading(Size.of(users), rounds)
    yield from mapping(rounds)
    yield from rows.compressed_pages(sizes[-1], rounds)
    yield from rows.changing()
    yield from first.groups()
    yield from rows.matching()
    users = 1_000 if options.quick else 10_000
    yield from first.writing(users, rounds)
    yield from first.writing_with_latency(users, rounds)
    yield from first.naive(rounds)
    yield from rows.first_plan(Size(sizes[-1], sizes[-1] // 100, 100), rounds)
    yield from rows.holding(rounds, 40 if options.quick else 200)
    for users in sizes:
        yield from first.sync(Size.of(users), rounds)
    yield from first.store(Size.of(10_000))
    yield from follow.change_to_write(5 if options.quick else 15)
    yield from follow.hook_to_write(10 if options.quick else 50)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--million",
        action="store_true",
        help="only 1,000,000 users: full and delta cycles, and one first sync",
    )
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000 users; writes no files")
    parser.add_argument(
        "--rounds", type=int, default=5, help="runs of which each number is the median (default 5)"
    )
    options = parser.parse_args()
    os.environ.update(TOKEN)
    kept = tables.printed(_chosen(options))
    if options.quick:
        return 0
    name = "results-million" if options.million else "results"
    document = {"machine": f"{os.cpu_count()} cores, shared", "rows": [row.document() for row in kept]}
    (_FOLDER / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    (_FOLDER / f"{name}.svg").write_text(svg(kept))
    tables.write()
    return 0  # the table says what was missed; a busy machine is no failure


if __name__ == "__main__":
    sys.exit(main())
