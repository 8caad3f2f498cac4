"""The pictures of the status page in the documentation: `python -m tests.service.pictures`."""

from __future__ import annotations

from pathlib import Path

from tests.browser.chrome import PHONE, Scheme, chromium
from tests.service.showing import Shown, a_good_day, an_ordinary_day

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WINDOW = (1100, 1000)
PICTURES: tuple[tuple[str, Shown, tuple[int, int], Scheme], ...] = (
    ("desktop-light", an_ordinary_day(), WINDOW, "light"),
    ("desktop-dark", a_good_day(), WINDOW, "dark"),
    ("phone-light", a_good_day(), PHONE, "light"),
    ("phone-dark", an_ordinary_day(), PHONE, "dark"),
)


def main() -> None:
    with chromium() as browser:
        for name, shown, size, scheme in PICTURES:
            with shown.serving() as server:
                tab = browser.open(f"{server.url}/", size=size, scheme=scheme)
                tab.screenshot(IMAGES / f"status-{name}.png", whole=False)


if __name__ == "__main__":
    main()
