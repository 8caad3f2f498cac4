"""The report of one month in every format, byte by byte. After a wanted change: python -m tests.report.formats"""

from __future__ import annotations

import pytest

from tests.report.formats import FORMATS, GOLDEN, rendered
from tests.report.story import reported, settled


@pytest.mark.parametrize("form", FORMATS)
def test_the_report_of_a_month_is_the_golden_file(form: str) -> None:
    with reported() as one:
        made = settled(rendered(form, one))

    assert made == (GOLDEN / f"report.{form}").read_bytes().decode()
