"""The pictures of the report in the documentation: `python -m tests.report.pictures`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from syncd.report.report_html import html
from tests.browser.chrome import PHONE, chromium
from tests.report.formats import MADE_AT
from tests.report.story import reported

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WINDOW = (1200, 900)


def main() -> None:
    with TemporaryDirectory() as folder, chromium() as browser, reported() as one:
        file = Path(folder) / "report.html"
        file.write_text("".join(html([one], MADE_AT)), encoding="utf-8")
        browser.open(file.as_uri(), size=WINDOW).screenshot(IMAGES / "report-desktop.png", whole=False)
        dark = browser.open(file.as_uri(), size=WINDOW, scheme="dark")
        dark.evaluate("document.getElementById('c1-changes').scrollIntoView()")
        dark.screenshot(IMAGES / "report-changes-dark.png", whole=False)
        browser.open(file.as_uri(), size=PHONE).screenshot(IMAGES / "report-phone.png", whole=False)
        tab = browser.open(file.as_uri())
        tab.pdf(Path(folder) / "report.pdf")
        if shutil.which("pdftoppm"):
            pages = ["pdftoppm", "-r", "70", "-png", "-l", "1", "-singlefile"]
            subprocess.run([*pages, Path(folder) / "report.pdf", IMAGES / "report-print"], check=True)


if __name__ == "__main__":
    main()
