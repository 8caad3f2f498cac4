"""The first line of defence for hostile text: it is made safe to print, and short."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: escape sequences, line breaks that would forge log lines
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0"  # invisible
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero width, line separators, bidi
    "\U000e0000-\U000e007f"  # tag characters: text that nobody sees
    "\ud800-\udfff"  # lone surrogates: cannot be written as UTF-8
    "]"
)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def strip_controls(text: str) -> str:
    """`text` with every character that could steer a terminal or hide something shown as its escape.

    C0 and C1 controls (line breaks too), bidirectional overrides and isolates (Unicode TR 36), zero-width and
    tag characters, lone surrogates.
    """
    return _UNSAFE.sub(_escape, text)


def clip(text: str, length: int = 200) -> str:
    """`text`, or its beginning and an ellipsis: at most `length` characters."""
    return text if len(text) <= length else text[: max(length - 1, 0)] + "…"
