"""What no settings file needs, and what the standard library's parser takes hours or gigabytes for.

Its time grows with the square of the parts of a dotted key, its memory with a thousand times the digits of a number.
This looks over the words of a text once, whatever they are.
"""

from __future__ import annotations

import re

MOST_PARTS = 20
LONGEST_WORD = 4_000
_TOKEN = re.compile(
    r'(?P<string>"""(?:[^"\\]++|\\.|"(?!""))*+(?:"{3,5}|\Z)'
    r"|'''(?:[^']++|'(?!''))*+(?:'{3,5}|\Z)"
    r'|"(?:[^"\\\n]++|\\.)*+"?'
    r"|'[^'\n]*+'?)"
    r"|(?P<word>[A-Za-z0-9_+-]++)"
    r"|(?P<dot>\.)"
    r"|(?P<gap>[ \t]++)"
    r"|(?P<other>#[^\n]*+|.)",
    re.DOTALL,
)


def problem_in(text: str) -> tuple[str, int] | None:
    """The sentence and the line (1-based) of the first thing that is too much; None when it may be parsed."""
    dots = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "dot":
            dots += 1
        elif kind == "other":
            dots = 0
        if dots >= MOST_PARTS:
            return f"has a key of more than {MOST_PARTS} parts", text.count("\n", 0, token.start()) + 1
        if kind == "word" and token.end() - token.start() > LONGEST_WORD:
            return (
                f"has a word of more than {LONGEST_WORD:,} characters outside of quotes",
                text.count("\n", 0, token.start()) + 1,
            )
    return None
