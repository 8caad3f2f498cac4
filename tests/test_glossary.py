"""The words of docs/how-it-works.md are those of the code, and the code has no others.

A class is called after its head: the last word of its name, or the one before `By` (AbsentById is something absent).
That is a word of the glossary or a term of the field; the rest of the name says which of its kind it is.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how-it-works.md"
OURS = ("core", "engine", "answers", "ports", "model.py")
"""Where the words are our own; the adapters speak those of HTTP, SCIM and SQL."""

_TERMS = """
    application attribute constant create expression function group literal
    mapping member person policy population rule template user
    bucket count cycle entry event head header history item kind latency list listing number page record report
    result run signature source state step store target text
    bench book breaker explanation failure finder limit observer selection tally tripped unchanged
"""
TERMS_OF_THE_FIELD = frozenset(_TERMS.split())
"""Of identity management, of what is read and written, of programs: they mean here what they mean elsewhere."""
SENTENCES = {"NotInUsersGroups", "SaidByOkta"}
"""Evidence, called after what it says."""


def glossary() -> Mapping[str, Sequence[str]]:
    """Where the code shows each entry. An entry is a word, or its forms with commas between them."""
    section = PAGE.read_text(encoding="utf-8").split("## The words\n")[1].split("\n## ")[0]
    _heading, _line, *rows = re.findall(r"(?m)^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", section)
    return {entry: re.findall(r"`([^`]+)`", shown) for entry, shown in rows}


def public_classes(*places: str) -> Iterator[ast.ClassDef]:
    for place in places:
        within = ROOT / "syncd" / place
        for file in sorted(within.rglob("*.py")) if within.is_dir() else [within]:
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    yield node


def members(node: ast.ClassDef) -> Iterator[str]:
    for each in node.body:
        if isinstance(each, ast.FunctionDef):
            yield each.name
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            yield each.target.id
        elif isinstance(each, ast.Assign):
            yield from (target.id for target in each.targets if isinstance(target, ast.Name))


def words_of(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name)
    return spaced.lower().split()


def ends_with(words: Sequence[str], entry: str) -> bool:
    """As it is, or in the plural."""
    end = " ".join(words[-len(entry.split()) :])
    return end in {entry, f"{entry}s", f"{entry[:-1]}ies"}


def head(name: str) -> list[str]:
    words = words_of(name)
    return words[: words.index("by")] if "by" in words else words


def is_exception(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id.endswith(("Error", "Exception")) for base in node.bases)


GLOSSARY = glossary()
WORDS = [word for entry in GLOSSARY for word in entry.split(", ")]
CLASSES = list(public_classes(*OURS))
NAMES = [node.name for node in CLASSES]
NAMED = [node.name for node in CLASSES if not is_exception(node) and node.name not in SENTENCES]
EVERYWHERE = [
    node
    for place in (ROOT / "syncd").iterdir()
    if place.name != "simulators"
    for node in public_classes(place.name)
]
"""The simulators speak for themselves: they share no code with what they judge."""
IN_THE_CODE = {node.name for node in EVERYWHERE} | {
    f"{node.name}.{member}" for node in EVERYWHERE for member in members(node)
}


@pytest.mark.parametrize("name", NAMED)
def test_a_class_is_called_by_a_word_of_ours_or_of_the_field(name: str) -> None:
    assert [each for each in (*WORDS, *TERMS_OF_THE_FIELD) if ends_with(head(name), each)] != []


def test_no_other_class_has_the_name_of_one_of_ours() -> None:
    counts = Counter(node.name for node in EVERYWHERE)

    assert [name for name in NAMES if counts[name] > 1] == []


def test_each_word_has_one_entry_and_is_found_by_its_letters() -> None:
    assert [word for word, count in Counter(WORDS).items() if count > 1 or word in TERMS_OF_THE_FIELD] == []
    assert list(GLOSSARY) == sorted(GLOSSARY)


@pytest.mark.parametrize("entry", GLOSSARY)
def test_the_code_shows_every_word(entry: str) -> None:
    shown, forms = GLOSSARY[entry], entry.split(", ")
    said = {each: f" {' '.join(words_of(each.rpartition('.')[2]))}" for each in shown}

    assert [each for each in shown if each not in IN_THE_CODE] == []
    assert [each for each in shown if not any(f" {form}" in said[each] for form in forms)] == []
    assert [form for form in forms if not any(f" {form}" in each for each in said.values())] == []


def test_no_term_and_no_sentence_is_left_over() -> None:
    assert [
        term for term in TERMS_OF_THE_FIELD if not any(ends_with(head(name), term) for name in NAMED)
    ] == []
    assert set(NAMES) >= SENTENCES
