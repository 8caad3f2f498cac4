"""What looks like a credential, whoever it belongs to."""

from __future__ import annotations

import re

from syncd.redact.spellings import Layer

MASK = "[redacted]"
_PROSE = "tokens?|scheme|of|is|was|and|or|nor|for|with|header"
"""What follows the name of a scheme in a sentence about it."""

# Signs in small letters without one of which the pattern cannot match; the pattern; what it becomes.
_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (
        ("-----begin",),
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        MASK,
    ),
    (
        ("ssws",),
        re.compile(
            rf"\b(SSWS ?)(?!\[redacted\])(?!(?:{_PROSE})\b)"
            r"[^\s\"'\\,;<>&)\]}]+"
        ),
        rf"\1{MASK}",
    ),
    (
        ("bearer", "dpop"),
        re.compile(
            r"\b((?:Bearer|DPoP)(?: +|%20|\+))(?!\[redacted\])"
            rf"(?!(?:{_PROSE}|auth\w*|proofs?|nonce|keys?|bound)\b)"
            r"(?!(?:realm|error|error_description|algs|scope)?=)[^\s\"'\\,;<>&)\]}]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (
        ("client_", "_token"),
        re.compile(
            r"\b((?:client_assertion|client_secret|access_token|refresh_token)"
            r"(?:\\?[\"'])?\s*[=:]\s*(?:\\?[\"'])?)(?!\[redacted\])[^\s\"'\\,;<>&)\]}]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (("eyj",), re.compile(r"\beyJ[\w-]{4,8192}\.[\w-]{4,8192}\.[\w-]*"), MASK),
    (("://",), re.compile(r"(?<=://)[^\s/@\"'<>:]*:[^\s/@\"'<>]*(?=@)"), MASK),
)


def without_shapes(text: str) -> str:
    """Masks what looks like a credential, known or not."""
    for shape, mask in _shapes_for(text):
        text = shape.sub(mask, text)
    return text


def shapes_in(layer: Layer) -> list[tuple[int, int]]:
    """Where in the text as it came: from behind the name of the scheme, which stays."""
    return [
        (layer.origin[found.end(1) if shape.groups else found.start()], layer.origin[found.end()])
        for shape, _ in _shapes_for(layer.text)
        for found in shape.finditer(layer.text)
    ]


def _shapes_for(text: str) -> list[tuple[re.Pattern[str], str]]:
    """Most texts have no sign of any; looking for signs costs a tenth of the patterns."""
    small = text.lower()
    return [(shape, mask) for signs, shape, mask in _SHAPES if any(sign in small for sign in signs)]
