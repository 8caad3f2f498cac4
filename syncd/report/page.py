"""What all HTML pages share: the template engine with everything escaped, and names made harmless.

Names from Okta and the target are hostile text: escaped by the template engine, and stripped of what could steer a
terminal or hide something when the page is copied from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from syncd.redact import strip_controls
from syncd.report.lines import facts
from syncd.report.text import done_words


def templates_of(package: str, harmless: Callable[[object], object], *, last_newline: bool) -> Environment:
    """The templates that lie in this package. All that is filled in passes `harmless`, and is escaped."""
    return Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=last_newline,
        finalize=harmless,
    )


@cache
def environment() -> Environment:
    """Templates lie beside this module; `page.css` is the style that every page begins with."""
    made = templates_of("syncd.report", _harmless, last_newline=True)
    made.filters |= {"heading": heading, "done": done_words, "facts": facts, "total": _total}
    return made


def template(name: str, filters: dict[str, Any]) -> Template:
    """One template beside this module, with filters of its own."""
    made = environment().overlay()
    made.filters = {**made.filters, **filters}
    return made.get_template(name)


def _total(counts: Mapping[str, int]) -> int:
    return sum(counts.values())


def heading(kind: str) -> str:
    return kind.replace("_", " ").capitalize()


def _harmless(value: object) -> object:
    return strip_controls(value) if isinstance(value, str) and not isinstance(value, Markup) else value
