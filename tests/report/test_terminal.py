from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.report.lines import Line, Span, line, strong
from syncd.report.terminal import NARROWEST, folded, with_local_times

BERLIN = ZoneInfo("Europe/Berlin")
WORDS = st.lists(st.text("ab cd", max_size=30).map(Span), min_size=1, max_size=6).map(tuple)


def text(one: Line) -> str:
    return "".join(span.text for span in one)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("since 2026-11-29T14:02:09Z, by x", "since 2026-11-29T14:02:09Z (15:02 CET), by x"),
        ("2026-07-01T23:30:00Z", "2026-07-01T23:30:00Z (2026-07-02 01:30 CEST)"),
        ("nothing of the kind", "nothing of the kind"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_a_time_is_shown_by_the_readers_clock_too(said: str, shown: str) -> None:
    assert text(with_local_times(line(said), BERLIN)) == shown


def test_whose_clock_is_utc_sees_each_time_once() -> None:
    assert text(with_local_times(line("2026-11-29T14:02:09Z"), UTC)) == "2026-11-29T14:02:09Z"


def test_a_long_line_is_broken_between_words_and_keeps_its_styles() -> None:
    long = line("  ", strong("Engineering"), "  frozen: wants the name at the target, as does another group")

    found = list(folded(long, 44))

    assert [text(one) for one in found] == [
        "  Engineering  frozen: wants the name at the",
        "    target, as does another group",
    ]
    assert Span("Engineering", "strong") in found[0]


@given(WORDS, st.integers(NARROWEST, 100))
def test_no_word_is_lost_or_broken_and_no_line_is_too_long_but_for_one_word(one: Line, width: int) -> None:
    found = [text(each) for each in folded(one, width)]

    assert " ".join(found).split() == text(one).split()
    for each in found:
        assert len(each) <= width or len(each.split()) <= 1 or len(text(one)) <= width
