"""When are two names one name? Letter case is letter case, and nothing else is.

the same        letter by letter
letter case     letters that have one capital and one small form differ in it: `ANN@` and `ann@`. RFC 7643 section
                4.1.1 compares userName so; whether it tells two people apart is for the flavor to say
alike           equal only by more than that: case folding (`straße@`, `strasse@`), normalization (`é` in one or two
                code points, ligatures, full width), blanks around it. Servers differ in whether they see two names
                here, so it is never a match and always a conflict
different       anything else

Letters whose case cannot be taken back are not letter case here: the Kelvin sign and the Angstrom sign (small: k, å),
capital sharp s, dotted capital I, title case digraphs, and a capital sigma at the end of a word (it has two
small forms).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from enum import Enum


class Likeness(Enum):
    """How like two names are; `ALIKE` is what a server may take for the same."""

    SAME = "same"
    LETTER_CASE = "letter case"
    ALIKE = "alike"
    DIFFERENT = "different"


def likeness(one: str, other: str) -> Likeness:
    """How far two names are one; symmetrical."""
    if one == other:
        return Likeness.SAME
    if letter_case_key(one) == letter_case_key(other):
        return Likeness.LETTER_CASE
    return Likeness.ALIKE if look_alike_key(one) == look_alike_key(other) else Likeness.DIFFERENT


def letter_case_key(name: str) -> str:
    """Equal for two names that differ in letter case at most: the name in small letters, or just as it is where a
    letter of it has a capital or small form that cannot be taken back.
    """
    small = name.lower()
    if name.isascii() or small == "".join(map(_small, name)):
        return small
    return name


def _small(letter: str) -> str:
    small = letter.lower()
    return small if small.upper() == letter else letter


def look_alike_key(name: str) -> str:
    """Equal for any two names that a server may take for one another (Unicode's NFKC_Casefold, and trimmed)."""
    if name.isascii():
        return name.strip().lower()
    folded = unicodedata.normalize("NFKC", name)
    for _ in range(2):
        folded = unicodedata.normalize("NFKC", folded.casefold())
    return folded.strip()


def rivalry(name: str, rivals: Mapping[str, str]) -> str:
    """In words: other people (Okta id to userName) want this name, or one that may be taken for it."""
    same = [
        okta_id for okta_id, other in sorted(rivals.items()) if likeness(other, name) is not Likeness.ALIKE
    ]
    alike = [f"{other} ({okta_id})" for okta_id, other in sorted(rivals.items()) if okta_id not in same]
    parts = [f"{name} is also the userName of {', '.join(same)}"] if same else []
    if alike:
        parts.append(f"{name} may be taken for {', '.join(alike)}")
    return "; ".join(parts)
