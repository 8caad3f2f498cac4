"""Settings files that are small and cost hours or gigabytes to parse: refused by one sentence, unparsed."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.settings import load
from syncd.settings.unreadable import LONGEST_WORD, MOST_PARTS, problem_in
from tests.settings.making import MINIMAL

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
MANY = 100_000


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a." * MANY + "a = 1\n", "more than 20 parts"),
        ("a .\t" * MANY + "a = 1\n", "more than 20 parts"),
        ('"a\\"b" . \'c d\'.' * 50_000 + "a = 1\n", "more than 20 parts"),
        ("\n\n[" + "a." * MANY + "a]\n", "more than 20 parts"),
        ("x = {" + "a." * MANY + "a = 1}\n", "more than 20 parts"),
        ("x = " + "9" * 5000 + "\n", "more than 4,000 characters"),
        ("x = 0x" + "f" * MANY + "\n", "more than 4,000 characters"),
        ("x = " + "1_" * MANY + "1\n", "more than 4,000 characters"),
        ("x = " + "[" * MANY + "]" * MANY + "\n", "nested too deeply"),
        ("x = " + "{a=" * MANY + "1" + "}" * MANY + "\n", "nested too deeply"),
        ('x = "' + "\\" * MANY, "is not TOML"),
        ('x = """' + '"' * 2 * MANY, "is not TOML"),
        ("x = '''" + "'a" * MANY, "is not TOML"),
        ('"' * 2 * MANY, "is not TOML"),
    ],
    ids=range(14),
)
def test_what_costs_hours_is_refused_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    """A key of 50,000 parts took more memory than there is, and as the name of a table 47 seconds."""
    file = tmp_path / "acme.toml"
    file.write_text(text)

    loaded = load([file], environ={})

    assert [said in str(problem) for problem in loaded.problems] == [True]


def test_the_line_of_it_is_told() -> None:
    assert problem_in("a = 1\n# b.c\nb" + ".c" * MOST_PARTS + " = 1\n") == (
        "has a key of more than 20 parts",
        3,
    )
    assert problem_in("a = 1\n" + "b" * (LONGEST_WORD + 1)) == (
        "has a word of more than 4,000 characters outside of quotes",
        2,
    )


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE.read_text(),
        MINIMAL,
        'x = "' + "a." * 5000 + '"',
        "x = '" + "f" * 50_000 + "'",
        'x = """' + "a.b\n" * 5000 + '"""',
        "x = [" + '"ada.b.c@example.com", ' * 2000 + "]",
        "x = [1.5, 2.5, " + "3.5, " * 2000 + "]",
        "# " + "a." * 5000 + "\nx = 1",
        "x = [\n" + "1.5,\n" * 200 + "]",
    ],
)
def test_what_stands_in_quotes_and_comments_and_lists_is_as_long_as_it_likes(text: str) -> None:
    assert problem_in(text) is None
