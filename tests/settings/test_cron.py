"""`schedule.full` and `schedule.drift` as durations and as calendars."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncd.core.cron import Cron
from tests.settings.making import MINIMAL, sentences, settings


def schedule(line: str) -> str:
    return f"{MINIMAL}[schedule]\n{line}\n"


def test_both_forms_are_read() -> None:
    read = settings(
        schedule('full = { cron = "0 2 * * *", timezone = "Europe/Berlin" }\ndrift = "12h"')
    ).schedule
    assert isinstance(read.full, Cron)
    assert str(read.full) == 'cron "0 2 * * *" Europe/Berlin'
    assert read.drift == timedelta(hours=12)
    assert (
        str(settings(schedule('drift = { cron = "0 3 * * sun" }')).schedule.drift) == 'cron "0 3 * * sun" UTC'
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('{ crom = "0 2 * * *" }', 'did you mean "cron"?'),
        ('{ timezone = "UTC" }', "is a table without cron"),
        ('{ cron = "0 2 * *" }', "4 fields; there are five"),
        ('{ cron = "60 2 * * *" }', "a cron whose minute is none: 0 to 59"),
        ('{ cron = "0 2 * foo *" }', "a cron whose month is none: 1 to 12, or jan to dec"),
        ('{ cron = "0 2 0 * *" }', "a cron whose day of the month is none: 1 to 31"),
        ('{ cron = "0 8-6 * * *" }', "a cron whose hour cannot be read"),
        ('{ cron = "*/0 * * * *" }', "a cron whose minute cannot be read"),
        ('{ cron = "0 2 1 * mon" }', "leave one of them *"),
        ('{ cron = "0 2 30 2 *" }', "never comes"),
        ('{ cron = "0 2 * * *", timezone = "Berlin" }', "names no time zone"),
        ('["0 2 * * *"]', "a duration or a table with cron is needed"),
        ('"0 2 * * *"', "is not a duration"),
        ("6", "is a bare number"),
    ],
)
def test_what_is_no_calendar_is_said_with_the_line_to_write(tmp_path: Path, said: str, told: str) -> None:
    [sentence] = sentences(schedule(f"full = {said}"), tmp_path)
    assert sentence.startswith("prod.toml:9 schedule.full")
    assert told in sentence


def test_deltas_have_no_calendar(tmp_path: Path) -> None:
    [sentence] = sentences(schedule('delta = { cron = "* * * * *" }'), tmp_path)
    assert "is not a duration" in sentence
