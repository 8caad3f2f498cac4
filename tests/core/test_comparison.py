"""Whether a value at the target is the one that was written, and what a server teaches about itself."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.change import Json
from syncd.core.comparison import (
    UNKNOWN,
    Habit,
    ServerHabits,
    ValueHabits,
    Verdict,
    after_creation,
    after_look,
    after_update,
    compare,
    explained,
    image,
    in_words,
    unlike,
)
from syncd.core.names import Likeness, likeness

NFD = unicodedata.normalize("NFD", "Zoé")
OF_TEXT = [Habit.TRIM, Habit.NFC, Habit.LOWER]
EACH: list[tuple[Habit, Json, Json]] = [
    (Habit.LOWER, "Ann Lee", "ann lee"),
    (Habit.TRIM, " Ann ", "Ann"),
    (Habit.NFC, NFD, "Zoé"),
    (Habit.TEXT, 42, "42"),
    (Habit.TEXT, 1.5, "1.5"),
    (Habit.TEXT, True, "True"),
    (Habit.TEXT, "7", 7),
]
TEXT = st.text(alphabet="aAkKsSßéÉeE\u0301\u212aİı \u00a0Σσς1", max_size=8)  # noqa: RUF001
VALUES = st.none() | TEXT | st.text(max_size=8) | st.booleans() | st.integers() | st.floats(allow_nan=False)
SETS = st.frozensets(st.sampled_from(list(Habit)))


@st.composite
def habits(draw: st.DrawFn) -> ValueHabits:
    does = draw(SETS)
    return ValueHabits(does, draw(SETS) - does, draw(st.sampled_from([None, True, False])))


each = pytest.mark.parametrize(("habit", "wrote", "shown"), EACH)


@each
def test_what_a_server_makes_of_a_value_is_the_same_once_it_is_known_to(
    habit: Habit, wrote: Json, shown: Json
) -> None:
    assert compare(wrote, shown) is Verdict.CANNOT_TELL
    assert compare(wrote, shown, ValueHabits(does=frozenset({habit}))) is Verdict.SAME
    assert compare(wrote, shown, ValueHabits(keeps=frozenset({habit}))) is Verdict.DIFFERENT


@each
def test_a_creation_and_a_change_of_something_else_teach_it(habit: Habit, wrote: Json, shown: Json) -> None:
    taught = after_creation(wrote, shown, UNKNOWN)
    assert taught.does == {habit}
    assert after_update("Before", wrote, shown, UNKNOWN) == taught


@each
def test_a_write_that_was_ignored_teaches_nothing(habit: Habit, wrote: Json, shown: Json) -> None:
    """What is shown was there before, or may have been."""
    assert after_update(shown, wrote, shown, UNKNOWN) == UNKNOWN
    assert after_update(wrote, wrote, shown, UNKNOWN) == UNKNOWN
    assert after_update(None, wrote, shown, UNKNOWN) == UNKNOWN


@each
def test_what_others_show_is_not_overruled_by_one_change_but_by_a_creation(
    habit: Habit, wrote: Json, shown: Json
) -> None:
    kept = ValueHabits(keeps=frozenset({habit}))
    assert after_update("Before", wrote, shown, kept) == kept
    assert after_creation(wrote, shown, kept).does == {habit}


def test_a_value_that_is_shown_as_it_was_written_tells_what_the_server_leaves_alone() -> None:
    taught = after_creation("Ann", "Ann", ValueHabits(does=frozenset({Habit.LOWER, Habit.TRIM})))
    assert taught == ValueHabits(does=frozenset({Habit.TRIM}), keeps=frozenset({Habit.LOWER}))
    assert after_look(" Ann", UNKNOWN).keeps == {Habit.LOWER, Habit.TRIM}
    assert after_look("Ann", ValueHabits(does=frozenset({Habit.LOWER}))).keeps == frozenset()
    assert after_look(5, UNKNOWN).keeps == {Habit.TEXT}


def test_a_change_by_hand_of_letter_case_alone_is_found_where_letter_case_is_kept() -> None:
    kept = after_look("Somebody Else", UNKNOWN)
    assert compare("Ann Lee", "ann lee", kept) is Verdict.DIFFERENT
    assert compare("Ann Lee", "ANN LEE", UNKNOWN) is Verdict.DIFFERENT


def test_a_server_that_takes_letter_case_for_nothing_keeps_the_first_form() -> None:
    caseless = ValueHabits(does=frozenset({Habit.CASE}))
    assert compare("ann@x.com", "ANN@x.com", caseless) is Verdict.SAME
    assert compare("ann@x.com", "bob@x.com", caseless) is Verdict.DIFFERENT


@pytest.mark.parametrize(
    ("shown_at_all", "verdict"),
    [(True, Verdict.DIFFERENT), (False, Verdict.CANNOT_TELL), (None, Verdict.CANNOT_TELL)],
)
def test_what_is_not_shown_is_missing_only_where_others_show_it(
    shown_at_all: bool | None, verdict: Verdict
) -> None:
    assert compare("Ann", None, ValueHabits(shown=shown_at_all)) is verdict
    assert compare(None, None, ValueHabits(shown=shown_at_all)) is Verdict.SAME
    assert compare("", None, ValueHabits(shown=shown_at_all)) is Verdict.SAME


def test_what_must_be_written_is_what_is_not_known_to_be_there() -> None:
    known = ServerHabits({"userName": ValueHabits(does=frozenset({Habit.LOWER}))})
    wanted = {"userName": "Ann@x.com", "displayName": "Ann", "title": "Dr"}

    before, after = unlike(wanted, {"userName": "ann@x.com", "displayName": "ann", "nickName": "A"}, known)

    assert before == {"displayName": "ann", "nickName": "A", "title": None}
    assert after == {"displayName": "Ann", "nickName": None, "title": "Dr"}


@given(VALUES, habits())
def test_a_value_is_itself(value: Json, known: ValueHabits) -> None:
    assert compare(value, value, known) is Verdict.SAME


@given(st.text(max_size=8) | TEXT, SETS)
def test_an_image_is_its_own_image(text: str, some: frozenset[Habit]) -> None:
    assert image(image(text, some), some) == image(text, some)


@given(TEXT | st.text(max_size=8), st.frozensets(st.sampled_from(OF_TEXT)))
def test_whatever_habits_make_of_a_value_they_explain(text: str, some: frozenset[Habit]) -> None:
    made = explained(text, image(text, some))
    assert made is not None
    assert made <= some
    if image(text, some):
        assert compare(text, image(text, some), ValueHabits(does=some)) is Verdict.SAME


@given(TEXT | st.emails(), TEXT | st.emails(), habits())
def test_two_identities_are_never_the_same_whatever_the_habits(
    one: str, other: str, known: ValueHabits
) -> None:
    if likeness(one, other) is Likeness.DIFFERENT and one.strip() and other.strip():
        assert compare(one, other, known) is Verdict.DIFFERENT


@given(VALUES, VALUES, VALUES, habits())
def test_no_lesson_makes_one_value_of_two_that_no_habit_explains(
    before: Json, wrote: Json, shown: Json, known: ValueHabits
) -> None:
    for taught in (after_creation(wrote, shown, known), after_update(before, wrote, shown, known)):
        assert not taught.does & taught.keeps
        if explained(wrote, shown) is None:
            assert taught == known
    if shown == before and explained(wrote, shown):
        assert after_update(before, wrote, shown, known) == known


@given(VALUES, habits())
def test_looking_twice_teaches_no_more_than_once(value: Json, known: ValueHabits) -> None:
    once = after_look(value, known)
    assert after_look(value, once) == once
    assert once == replace(known, keeps=once.keeps)


def test_habits_have_words() -> None:
    assert in_words(frozenset({Habit.LOWER, Habit.CASE})) == "in other letter case"
    assert in_words(frozenset(Habit)).count(" and ") == 3
