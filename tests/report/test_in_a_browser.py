"""The HTML report as a reader has it before them: in Chromium, judged by axe-core, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.core.change import ChangeKind
from syncd.ports import Settled
from syncd.report.report_html import html
from tests.browser.chrome import PHONE, Browser, Scheme, Tab, chromium
from tests.report.formats import MADE_AT
from tests.report.story import FORMULA, SCRIPT, Month, change, reported

CHANGES = 10_000


def ten_thousand_changes(month: Month) -> None:
    month.tell()
    month.at(30)
    run_id = month.store.begin_run("full")
    many = [
        change(ChangeKind.UPDATE_USER, f"00u{at}", f"person{at}@example.com", displayName=f"Person {at}")
        for at in range(CHANGES)
    ]
    sequences = month.store.intend(run_id, many)
    month.store.settle([Settled(at, one, status=200) for at, one in zip(sequences, many, strict=True)])
    month.store.finish_run(
        run_id, status="succeeded", summary={"applied": {"update_user": CHANGES}}, error=None
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("report") / "report.html"
    with reported() as one:
        file.write_text("".join(html([one], MADE_AT)), encoding="utf-8")
    return file.as_uri()


def visible(tab: Tab, name: str) -> int:
    """Rows of the table that are to be seen."""
    rows = f"[...document.querySelectorAll('table[data-name=\"{name}\"] tbody tr')]"
    return int(tab.evaluate(f"{rows}.filter(row => row.offsetParent !== null).length"))


def search(tab: Tab, name: str, text: str) -> None:
    tab.evaluate(
        f"(() => {{ const field = [...document.querySelectorAll('label')]"
        f".find(l => l.textContent.startsWith('Filter {name}')).querySelector('input');"
        f"field.value = {text!r}; field.dispatchEvent(new Event('input')); }})()"
    )


def test_ten_thousand_changes_open_and_can_be_filtered_and_sorted(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    with reported(ten_thousand_changes) as one:
        file.write_text("".join(html([one], MADE_AT)), encoding="utf-8")
    tab = browser.open(file.as_uri())
    rows = "document.querySelectorAll('table[data-name=\"changes\"] tbody tr')"

    assert tab.evaluate(f"{rows}.length") > CHANGES
    assert visible(tab, "changes") == 500
    search(tab, "changes", "person777@")
    assert visible(tab, "changes") == 1
    search(tab, "changes", "update person77")
    assert visible(tab, "changes") == 111
    search(tab, "changes", "")
    tab.evaluate(
        "[...document.querySelectorAll('.more')].find(b => b.textContent.includes('changes')).click()"
    )
    assert visible(tab, "changes") > CHANGES
    head = "document.querySelectorAll('table[data-name=\"changes\"] thead button')[0]"
    tab.evaluate(f"{head}.click()")
    assert tab.evaluate(f"{rows}[0].cells[0].textContent") < tab.evaluate(
        f"{rows}[9000].cells[0].textContent"
    )
    assert tab.evaluate(f"{head}.parentElement.getAttribute('aria-sort')") == "ascending"
    assert tab.requested == [file.as_uri()]
    assert tab.complaints == []


def test_a_choice_narrows_a_table(browser: Browser, page: str) -> None:
    tab = browser.open(page)
    before = visible(tab, "changes")
    select = "document.querySelector('[aria-label=\"Result in changes\"]')"
    tab.evaluate(
        f"(() => {{ const s = {select};"
        "s.selectedIndex = [...s.options].findIndex(o => o.text === 'failed');"
        "s.dispatchEvent(new Event('change')); })()"
    )

    assert visible(tab, "changes") == 3 < before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser: Browser, page: str, scheme: Scheme) -> None:
    assert browser.open(page, scheme=scheme).violations() == []


def test_hostile_names_are_read_and_not_run(browser: Browser, page: str) -> None:
    tab = browser.open(page)

    assert SCRIPT in tab.text
    assert FORMULA in tab.text
    assert tab.evaluate("document.scripts.length") == 1
    assert tab.requested == [page]
    assert tab.complaints == []


def test_the_page_fits_a_phone(browser: Browser, page: str) -> None:
    assert browser.open(page, size=PHONE).overflow() == 0


def test_without_the_script_every_row_is_there(browser: Browser, page: str, tmp_path: Path) -> None:
    text = Path(page.removeprefix("file://")).read_text(encoding="utf-8")
    plain = tmp_path / "plain.html"
    plain.write_text(text.partition("<script>")[0], encoding="utf-8")

    assert visible(browser.open(plain.as_uri()), "changes") == visible(browser.open(page), "changes") > 40


def test_it_prints(browser: Browser, page: str, tmp_path: Path) -> None:
    browser.open(page).pdf(tmp_path / "report.pdf")

    assert (tmp_path / "report.pdf").read_bytes().count(b"/Type /Page\n") in range(3, 12)


def test_several_connections_stand_in_one_page(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "two.html"
    with reported() as one, reported() as two:
        other = replace(two, facts={**two.facts, "connection": "other"})
        file.write_text("".join(html([one, other], MADE_AT)), encoding="utf-8")
    tab = browser.open(file.as_uri())

    assert tab.violations() == []
    ids = "[...document.querySelectorAll('[id]')].map(e => e.id)"
    assert tab.evaluate(f"new Set({ids}).size === {ids}.length")
