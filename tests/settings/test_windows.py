"""`schedule.windows` in the settings file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.settings.making import MINIMAL, sentences, settings


def schedule(*windows: str) -> str:
    named = ", ".join(f'"{window}"' for window in windows)
    return f"{MINIMAL}[schedule]\nwindows = [{named}]\n"


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("Mon-Fri 06:00-20:00 Europe/Berlin", "Mon-Fri 06:00-20:00 Europe/Berlin"),
        ("mon,WED 6:00-7:30 UTC", "Mon,Wed 06:00-07:30 UTC"),
        ("Sat-Mon 22:00-06:00 America/New_York", "Mon,Sat-Sun 22:00-06:00 America/New_York"),
        ("Mon-Sun 00:00-24:00 UTC", "Mon-Sun 00:00-24:00 UTC"),
    ],
)
def test_a_window_is_read(said: str, read: str) -> None:
    [window] = settings(schedule(said)).schedule.windows
    assert str(window) == read


def test_without_windows_there_are_none() -> None:
    assert settings().schedule.windows == ()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "is empty"),
        ("always", "is not a window: days, hours and a time zone"),
        ("Mon-Fri 06:00-20:00", 'write: windows = ["Mon-Fri 06:00-20:00 UTC"]'),
        ("Mon-Fri 06:00 Europe/Berlin", "has no hours from-to in its middle"),
        ("Mon-Fri 06:00-25:00 UTC", "hours that are no times of a day"),
        ("Mon-Fri 06:00-20:60 UTC", "hours that are no times of a day"),
        ("Mon-Fri 06:00-06:00 UTC", 'write: windows = ["Mon-Fri 00:00-24:00 UTC"]'),
        ("Mon-Fri 24:00-06:00 UTC", "begins at 24:00"),
        ("Monday 06:00-20:00 UTC", "has days that are none"),
        ("Mon-Fri 06:00-20:00 Europe/Belrin", 'did you mean "Europe/Berlin"?'),
        ("Mon-Fri 06:00-20:00 europe/berlin", 'did you mean "Europe/Berlin"?'),
        ("Mon-Fri 06:00-20:00 ../../etc/passwd", "names no time zone"),
    ],
)
def test_what_is_no_window_is_said_with_the_line_to_write(tmp_path: Path, said: str, told: str) -> None:
    [sentence] = sentences(schedule(said), tmp_path)
    assert sentence.startswith("prod.toml:9 schedule.windows[0]: ")
    assert told in sentence
    assert (
        "windows = [" in sentence
        or "did you mean" in sentence
        or "IANA" in sentence
        or "is empty" in sentence
    )


def test_text_in_the_place_of_the_list_is_said(tmp_path: Path) -> None:
    [sentence] = sentences(f'{MINIMAL}[schedule]\nwindows = "Mon-Fri 06:00-20:00 UTC"\n', tmp_path)
    assert "a list in [ ] is needed" in sentence
