"""Harness derives the identifier of a group from its name, and many names have one identifier.

Read in Harness's own published source and release notes (1.17.8, 1.19.6); nobody has seen it on a live account:

1. blanks around the name go, `.` and `-` become `_`, accents go (é becomes e, Ł becomes L)
2. leading digits and `$` go, then every character but `0-9 A-Z a-z _ $` and the blank; a blank becomes `_`
3. newer servers add `_` and 8 hexadecimal digits of the name's SHA-256 where it begins with a digit, and cut at 128

Where that can be read in two ways (which blanks, what is cut) a name has the identifiers of both.

The identifier is fixed for life: renaming changes the name alone, and names need not be unique.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping

from syncd.model import Scalar

ADMINISTRATORS = "_fme_admins"
"""FME's administrators; the group exists under the name "All FME Admins" (Harness, Split to Harness migration)."""
_LONGEST = 128
_HASH = 8
_TRIMMED = "".join(map(chr, range(0x21)))
"""What Java's `trim` takes off: control characters and the blank. `strip` takes off what Unicode calls blank."""
_LONGEST_NAME = 255
_NO_NAME_HAS = ":<>=/"
_PARTS = ("name.givenName", "name.familyName")
_VALID = re.compile(r"[a-zA-Z_][0-9a-zA-Z_$]{0,127}")
_KEYWORDS = frozenset(
    {
        "or",
        "and",
        "eq",
        "ne",
        "lt",
        "gt",
        "le",
        "ge",
        "div",
        "mod",
        "not",
        "null",
        "true",
        "false",
        "new",
        "var",
    }
    | {"return", "step", "parallel", "stepGroup", "org", "account", "class", "shellScriptProvisioner"}
)
_PLAIN_LETTERS = str.maketrans({"Ł": "L", "ł": "l"})


def group_identifiers(name: str) -> tuple[str, ...]:
    """The valid identifiers that a group of this name may be given or be taken for, the newer server's own first; ()
    when Harness can never take the name.

    >>> group_identifiers("R&D"), group_identifiers("Team (EU) Nord"), group_identifiers("日本")
    (('RD',), ('Team_EU_Nord',), ())
    """
    found: dict[str, None] = {}
    for text in (name.strip(_TRIMMED), name.strip()):
        plain = _plain(text)
        if text[:1].isdecimal():  # of any script
            digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_HASH]
            found |= dict.fromkeys(
                (f"{plain}_{digest}"[:_LONGEST], f"{plain[: _LONGEST - _HASH - 1]}_{digest}")
            )
        found[plain] = None
    return tuple(each for each in found if _VALID.fullmatch(each) and each not in _KEYWORDS)


def group_identifier(name: str) -> str:
    """The identifier of a new group, or the name itself where there can be none.

    >>> group_identifier("Eng.A"), group_identifier("Eng-A"), group_identifier("2026 Sales")
    ('Eng_A', 'Eng_A', '_Sales_f8b1956b')
    """
    return next(iter(group_identifiers(name)), name)


def group_name_problem(name: str) -> str | None:
    """Why Harness can never take a group of this name; None when it may."""
    if group_identifiers(name):
        return None
    plain = _plain(name.strip(_TRIMMED))
    if plain in _KEYWORDS:
        return f'Harness makes the identifier "{plain}" of this name, and keeps that word for itself: rename the group'
    if not plain:
        return "Harness makes a group's identifier of the letters a to z, digits and _ in its name: this one has none"
    return (
        f'Harness makes the identifier "{plain[:40]}" of this name, which it does not take: rename the group'
    )


def with_names(attributes: Mapping[str, Scalar], mapped: Collection[str]) -> dict[str, Scalar]:
    """Mapped attributes with the names that Harness gives to whoever lacks some, so that what is wanted can be there:
    without a displayName first and last name are it, without those the e-mail; a missing part of the name is the
    displayName. No part can be taken away again, and a part that stands alone may be refused. Only what is `mapped` is
    added.

    >>> with_names({"displayName": "Cher", "name.familyName": "Cher"}, ["displayName", "name.givenName"])
    {'displayName': 'Cher', 'name.familyName': 'Cher', 'name.givenName': 'Cher'}
    """
    filled = dict(attributes)
    display = _composed(attributes) or str(attributes.get("userName") or "").lower()
    for path in ("displayName", *_PARTS):
        if path in mapped and display and not str(filled.get(path) or "").strip():
            filled[path] = display
    return filled


def _composed(attributes: Mapping[str, object]) -> str:
    parts = (str(attributes.get(path) or "") for path in _PARTS)
    return str(attributes.get("displayName") or "").strip() or " ".join(filter(None, parts)).strip()


def person_name_problem(attributes: Mapping[str, object]) -> str | None:
    """Why Harness can never take an account of these mapped attributes; None when it may. Its name there is the
    displayName, else first and last name: 1 to 255 characters, and none of `: < > = /`.
    """
    name = _composed(attributes)
    odd = [mark for mark in _NO_NAME_HAS if mark in name]
    if odd:
        return f'Harness takes no name with {" ".join(odd)} in it: "{name[:60]}"'
    if len(name) > _LONGEST_NAME:
        return f"Harness takes no name of more than {_LONGEST_NAME} characters: this one has {len(name)}"
    return None


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFD", name.replace(".", "_").replace("-", "_")).translate(_PLAIN_LETTERS)
    text = "".join(letter for letter in text if not "\u0300" <= letter <= "\u036f")
    return re.sub(r"[^0-9A-Za-z_$ ]", "", re.sub(r"^[0-9$]+", "", text)).replace(" ", "_")
