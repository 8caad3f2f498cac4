"""Names from outside do nothing in any format; secrets are in none."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


FORMULAS += ["\u3000=1", "\u2003@x", "\u202f'+1", "﹦1", "﹣1", "﹢1", "﹫x"]


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


@pytest.mark.parametrize("text", [f"a{between}{text}" for text in FORMULAS for between in (";", "; ", ';"')])
def test_nor_is_a_cell_for_those_who_take_semicolons_for_the_delimiter(text: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerow([safe_cell(text), "b"])
    for delimiter in (",", ";", "\t"):
        for found in next(csv.reader(io.StringIO(buffer.getvalue()), delimiter=delimiter)):
            assert re.match(r"[\s\"]*[=+\-@|%＝＋－＠﹦﹢﹣﹫]", found) is None  # noqa: RUF001


@given(st.text(st.sampled_from(" \"';=+-@|%aＡ＝\u3000"), max_size=12))  # noqa: RUF001
@settings(max_examples=300, deadline=None)
def test_the_text_of_a_cell_can_be_had_back(text: str) -> None:
    begins = "(?=[=+@|%＝-])"  # noqa: RUF001
    undone = re.sub(rf"\A'(?=[\s\"']*{begins})", "", str(safe_cell(text)))
    assert re.sub(rf"(;[\s\"']*)'{begins}", r"\1", undone) == text


CALLS = {
    "an address": (r"\w@\w", ["ann@example.com", "xmpp:a@example.com/x"]),
    "a mention": (r"@[\w.-]", ["@octocat", "@_crew", "@.x", "@-x", "cc @org/team"]),
    "an issue": (r"#\w|\bGH-\d", ["org/repo#17", "#17", "GH-26", "gh-26"]),
    "what else GitLab refers to": (r'[!$&]\d|[%~][\w"]', ["!17", "$12", "&17", "%v1", '~"a label"', "~bug"]),
    "a bare link": (
        r"(?i)://|//|www\.",
        ["http://e.example", "HTTPS://e.example", "ssh://e", "//e.example", "www.e.example", "wWw.e.example"],
    ),
    "a picture": (r":[\w+-]*[A-Za-z+][\w+-]*:", [":smile:", ":+1:", "a:b:c"]),
}


@pytest.mark.parametrize(
    ("pattern", "text"), [(pattern, text) for pattern, texts in CALLS.values() for text in texts]
)
def test_no_text_of_a_cell_links_or_calls_anybody(pattern: str, text: str) -> None:
    """GFM's autolinks of addresses, GitHub's mentions and all of GitLab's references look at the text once its entities
    are decoded and its backslashes gone.
    """
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(f"| a |\n| --- |\n| {cell(text)} |\n")
    (found,) = re.findall("<td>(.*)</td>", shown)
    assert re.search(pattern, html.unescape(found)) is None
    assert html.unescape(found).replace("\u200b", "") == text


@pytest.mark.parametrize("text", ["2026-01-01T10:00:00Z", "R&D, 100 % of 3!", "C# and F#", "user 00u1: x"])
def test_ordinary_text_of_a_cell_stays_without_anything_in_it(text: str) -> None:
    assert html.unescape(cell(text)) == text


def test_a_cell_keeps_its_text_on_one_line() -> None:
    assert cell("a\n| b | `c` <i>") == r"a\\x0a\| b \| \`c\` &lt;i&gt;"


def test_names_survive_in_the_document_as_they_are(formats: dict[str, str]) -> None:
    document = json.loads(formats["json"])

    assert {row["user"] for row in document["access"]} >= {SCRIPT, "finn@example.com\x1b[31m\u202e"}
