"""The identifier that Harness makes of a group's name.

From its public source and its release notes 1.17.8 and 1.19.6; the examples stand in the tests.
"""

import hashlib
import re
import unicodedata

LONGEST = 128
_HASH_DIGITS = 8
_SHAPE = re.compile(rf"[a-zA-Z_][0-9a-zA-Z_$]{{0,{LONGEST - 1}}}")
_ACCENTS = re.compile("[\u0300-\u036f]")
_STROKES = str.maketrans("Łł", "Ll")
"""Letters with an accent that no decomposition takes off."""
_CONTROLS_AND_BLANK = "".join(map(chr, range(0x21)))
_KEYWORDS = """
    or and eq ne lt gt le ge div mod not null true false new var return step parallel stepGroup org account class
    shellScriptProvisioner
"""
KEYWORDS = frozenset(_KEYWORDS.split())


def plain(name: str) -> str:
    """The identifier of a name, which may be none that Harness takes (`is_identifier`), and may be empty."""
    text = re.sub("[.-]", "_", name.strip(_CONTROLS_AND_BLANK))
    text = _ACCENTS.sub("", unicodedata.normalize("NFD", text)).translate(_STROKES)
    text = re.sub("[^0-9A-Za-z_$ ]", "", text.lstrip("0123456789$"))
    return text.replace(" ", "_")


def hashed(name: str) -> str:
    """The identifier since 2026: a name that begins with a digit, of any script, has the first eight hexadecimal
    digits of its SHA-256 at the end, so that `1 Team` and `2 Team` are two.
    """
    text = plain(name)
    trimmed = name.strip(_CONTROLS_AND_BLANK)
    if not text or unicodedata.category(trimmed[0]) != "Nd":
        return text
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{text[: LONGEST - _HASH_DIGITS - 1]}_{digest}"


def is_identifier(text: str) -> bool:
    """Whether Harness takes this as an identifier."""
    return _SHAPE.fullmatch(text) is not None and text not in KEYWORDS
