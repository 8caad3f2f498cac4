"""Letter case is letter case; what is equal only by more than that is never the same name."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.names import Likeness, letter_case_key, likeness, look_alike_key

TEXT = st.text(max_size=12)
CASED = st.text(alphabet="aAkKsSiIßẞſıİKÅåÅσςΣµμΜéÉﬁﬀǅǆǄθϴ @.", max_size=8)  # noqa: RUF001


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@Example.com", "ann@example.COM"),
        ("JÖRG@example.com", "jörg@example.com"),
        ("ΣΟΦΙΑ@example.com", "σοφια@example.com"),
        ("ИВАН@example.com", "иван@example.com"),
    ],
)
def test_capital_and_small_letters_are_letter_case(one: str, other: str) -> None:
    assert likeness(one, other) is Likeness.LETTER_CASE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("straße@example.com", "strasse@example.com"),
        ("STRASSE@example.com", "straße@example.com"),
        ("straße@example.com", "straẞe@example.com"),
        ("mar\N{KELVIN SIGN}@example.com", "mark@example.com"),
        ("\N{ANGSTROM SIGN}sa@example.com", "åsa@example.com"),
        ("ΟΔΟΣ@example.com", "οδος@example.com"),
        ("οδος@example.com", "οδοσ@example.com"),
        ("\N{LATIN SMALL LIGATURE FI}nn@example.com", "finn@example.com"),
        ("\N{FULLWIDTH LATIN SMALL LETTER A}nn@example.com", "ann@example.com"),
        ("\N{LATIN SMALL LETTER LONG S}am@example.com", "sam@example.com"),
        (unicodedata.normalize("NFD", "zoé@example.com"), "zoé@example.com"),
        (unicodedata.normalize("NFD", "ZOÉ@example.com"), "zoé@example.com"),
        (" ann@example.com", "Ann@example.com"),
        ("ann@example.com\N{NO-BREAK SPACE}", "ann@example.com"),
        ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}pek@x.com", "i\N{COMBINING DOT ABOVE}pek@x.com"),
    ],
)
def test_what_is_equal_by_more_than_letter_case_is_alike_and_never_the_same(one: str, other: str) -> None:
    assert likeness(one, other) is likeness(other, one) is Likeness.ALIKE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann@example.com", "anna@example.com"),
        ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}pek@x.com", "ipek@x.com"),
        ("\N{LATIN SMALL LETTER DOTLESS I}rmak@x.com", "irmak@x.com"),
        ("zoe@example.com", "zoé@example.com"),
    ],
)
def test_other_letters_are_another_name(one: str, other: str) -> None:
    assert likeness(one, other) is Likeness.DIFFERENT


@given(CASED | TEXT, CASED | TEXT)
def test_the_keys_agree_with_one_another(one: str, other: str) -> None:
    """Letter case is never more than what `lower` says, and whatever is letter case is alike too."""
    if letter_case_key(one) == letter_case_key(other):
        assert one.lower() == other.lower()
        assert look_alike_key(one) == look_alike_key(other)


@given(CASED | TEXT)
def test_a_key_is_its_own_key(name: str) -> None:
    assert letter_case_key(letter_case_key(name)) == letter_case_key(name)
    assert look_alike_key(look_alike_key(name)) == look_alike_key(name)
    assert likeness(name, name) is Likeness.SAME
