"""docs/performance.md and its picture show what the last runs of `make bench` recorded, and nothing else."""

from __future__ import annotations

from pathlib import Path

from bench.plot import growth_svg
from bench.tables import filled, grown, recorded

ROOT = Path(__file__).parent.parent


def test_the_page_shows_what_was_recorded() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()

    assert page == filled(page, recorded())


def test_the_picture_shows_what_was_recorded() -> None:
    assert (ROOT / "bench" / "growth.svg").read_text() == growth_svg(grown(recorded()))


def test_every_number_is_the_median_of_five_runs_where_runs_are_recorded() -> None:
    assert all(len(row["runs"]) >= 5 for row in recorded() if row["runs"])
