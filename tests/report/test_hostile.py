"""Names from outside do nothing in any format; secrets are in none."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from syncd.report.report_csv import safe_cell
from syncd.report.report_md import cell
from tests.report.formats import FORMATS, rendered
from tests.report.story import FORMULA, SCRIPT, SECRET, reported


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def formats() -> dict[str, str]:
    with reported() as one:
        return {form: rendered(form, one) for form in FORMATS}


@pytest.mark.parametrize("form", FORMATS)
def test_no_secret_and_no_control_character_is_in_it(formats: dict[str, str], form: str) -> None:
    assert SECRET not in formats[form]
    assert re.findall("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", formats[form]) == []


def test_the_page_has_one_script_its_own_and_loads_nothing(formats: dict[str, str]) -> None:
    page = Tags(formats["html"])

    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not {"img", "link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.tags}
    names = {name for _, attributes in page.tags for name in attributes}
    assert [name for name in names if name in ("src", "srcset", "style") or name.startswith("on")] == []
    assert all(
        attributes["href"] and attributes["href"].startswith("#")
        for tag, attributes in page.tags
        if tag == "a"
    )
    assert SCRIPT in page.words


def test_no_cell_of_the_table_is_a_formula(formats: dict[str, str]) -> None:
    rows = list(csv.reader(io.StringIO(formats["csv"])))

    assert len({len(row) for row in rows}) == 1
    assert [value for row in rows for value in row if value[:1] in "=+-@\t\r" and value] == []
    assert f"'{FORMULA}" in {value for row in rows for value in row}


FORMULAS = ["=1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", '"=1"', "＝1", "\n=1", "|cmd"]  # noqa: RUF001


@pytest.mark.parametrize("text", FORMULAS)
def test_what_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert str(safe_cell(text)).startswith("'")


def test_markdown_makes_neither_html_nor_links_nor_images_of_names(formats: dict[str, str]) -> None:
    made = Tags(MarkdownIt("gfm-like", {"linkify": False}).render(formats["md"]))

    assert not {"script", "img", "a", "b", "em", "s"} & {tag for tag, _ in made.tags}
    assert SCRIPT in made.words
    assert "Finance | *bold*" in made.words
    rows = [line for line in formats["md"].splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)


@pytest.mark.parametrize("text", ["ann@example.com", "@octocat", "org/repo#17", "xmpp:a@example.com/x"])
def test_no_text_of_a_cell_links_or_calls_anybody(text: str) -> None:
    """GFM's autolinks and GitHub's mentions look at the text once its entities are decoded."""
    shown = html.unescape(cell(text))
    assert re.findall(r"[@#]\w", shown) == []
    assert shown.replace("\u200b", "") == text


def test_a_cell_keeps_its_text_on_one_line() -> None:
    assert cell("a\n| b | `c` <i>") == r"a\\x0a\| b \| \`c\` &lt;i&gt;"


def test_names_survive_in_the_document_as_they_are(formats: dict[str, str]) -> None:
    document = json.loads(formats["json"])

    assert {row["user"] for row in document["access"]} >= {SCRIPT, "finn@example.com\x1b[31m\u202e"}
