"""Every format of the report by its suffix; `python -m tests.report.formats` writes the golden files anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from syncd.report import jsondoc
from syncd.report.lines import plain
from syncd.report.report_csv import csv_text
from syncd.report.report_html import html
from syncd.report.report_md import markdown
from syncd.report.report_text import report_lines
from syncd.report.view import Report
from tests.report.story import reported, settled

GOLDEN = Path(__file__).parent / "golden"
PARTS = ("page.css", "report.css", "report.js")
MADE_AT = "2026-03-31T08:00:00Z"
FORMATS: Mapping[str, Callable[[Report], Iterable[str]]] = {
    "html": lambda one: html([one], MADE_AT),
    "md": lambda one: markdown([one], MADE_AT),
    "json": lambda one: jsondoc.pieces(one.document()),
    "csv": lambda one: csv_text([one]),
    "txt": lambda one: [plain(report_lines(one))],
}


def rendered(form: str, one: Report) -> str:
    """The report; of the page, each file that stands in it whole is named in its place."""
    text = "".join(FORMATS[form](one))
    if form == "html":
        for name in PARTS:
            text = text.replace(files("syncd.report").joinpath(name).read_text(), f"({name})\n")
    return text


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    with reported() as one:
        for form in FORMATS:
            (GOLDEN / f"report.{form}").write_bytes(settled(rendered(form, one)).encode())


if __name__ == "__main__":
    main()
