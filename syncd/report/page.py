"""What all HTML pages share: the template engine with everything escaped, and names made harmless.

Names from Okta and the target are hostile text: escaped by the template engine, and stripped of what could steer a
terminal or hide something when the page is copied from.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from syncd.redact import strip_controls
from syncd.report.lines import facts
from syncd.report.text import done_words


@cache
def environment() -> Environment:
    """Templates lie beside this module; `page.css` is the style that every page begins with."""
    made = Environment(
        loader=PackageLoader("syncd.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_harmless,
    )
    made.filters |= {
        "heading": heading,
        "done": done_words,
        "facts": facts,
        "total": lambda counts: sum(counts.values()),
    }
    return made


def heading(kind: str) -> str:
    return kind.replace("_", " ").capitalize()


def _harmless(value: object) -> object:
    return strip_controls(value) if isinstance(value, str) and not isinstance(value, Markup) else value
