"""What of a secret is a secret of its own, and what each part looks like in other encodings."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from syncd.redact.spellings import plain, readings, skeleton

SHORTEST = 4
"""Shorter values occur in ordinary words; replacing them would only garble the text."""
PIECE, SMALL_PIECE = 8, 6
"""So many characters in a row of a secret are recognised where its rest is missing: it was cut, or split. Of one of
fewer than 16 characters already the smaller piece, for the rest of it can be guessed.
"""
_LONG = 16
_SHORTEST_ENCODED = 8
_SHORTEST_IN_HEX = 6
_SHORTEST_SKELETON = 12
_LONGEST_IN_FRAGMENTS = 8 * 1024
_LONGEST_ENCODED = 512
_PRIVATE_JWK_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "k")
_LINE = 16
_NAMES_A_SECRET = re.compile(r"token|key|secret|pass|auth|sig|code|cred", re.IGNORECASE)
_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w~.:-]{16,}")
"""A part of a URL that is no word and no name."""

_TELLING = re.compile(r"(?=.*\d)(?=.*[A-Za-z]).{12,}", re.DOTALL)
"""No name and no word that somebody has by chance."""
VOCABULARY = frozenset(
    re.findall(
        r"\w+",
        "urn ietf params scim api messages schemas core error status detail message errors uniqueness tooMany"
        " mutability invalidSyntax invalidFilter invalidPath noTarget invalidValue invalidVers sensitive errorCode"
        " errorSummary errorCauses error_description AppInstance AppUser UserGroup User Group Resource Error"
        " invalid_client invalid_scope invalid_request invalid_dpop_proof insufficient_scope",
    )
)
"""What answers are judged by (RFC 7644 section 3.12, RFC 6749 section 5.2, Okta "Error codes"): it is no secret."""

Weight = Literal["whole", "fragments", "short", "word"]
"""How a part is looked for: as a whole; in pieces as well; by itself, for longer texts hold it by chance; or, since it
may be an ordinary word or number, by itself and only where others have the word.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a secret; `weight` says how telling it is alone."""

    text: str
    weight: Weight


def parts(secret: str) -> Iterator[Part]:
    """The secret itself; of a PEM text every line, of a JSON Web Key (RFC 7518) every private member; of a URL its
    user, its password, both as they are sent (RFC 7617), and whatever in it opens a door.
    """
    if len(secret) < SHORTEST or secret in VOCABULARY:
        return
    if "://" in secret and (url := _split(secret)) is not None:
        yield Part(secret, "whole")
        yield from _parts_of_url(url)
    elif "\n" in secret:
        yield Part(secret, "whole")
        lines = (line.strip() for line in secret.splitlines())
        yield from (
            Part(line, "fragments") for line in lines if len(line) >= _LINE and not line.startswith("-----")
        )
    else:
        yield Part(secret, _weight(secret))
    if secret.lstrip().startswith("{"):
        yield from _parts_of_key(secret)


def _parts_of_key(text: str) -> Iterator[Part]:
    try:
        key = json.loads(text)
    except (ValueError, RecursionError):
        return
    members = (key.get(name) for name in _PRIVATE_JWK_MEMBERS)
    yield from (
        Part(each, "fragments") for each in members if isinstance(each, str) and len(each) >= SHORTEST
    )


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _parts_of_url(url: SplitResult) -> Iterator[Part]:
    info, _, host = url.netloc.rpartition("@")
    user, _, password = info.partition(":")
    for each in dict.fromkeys((user, unquote(user), password, unquote(password))):
        if len(each) >= SHORTEST:
            yield Part(each, _weight(each))
    if user and password:
        for pair in dict.fromkeys((f"{unquote(user)}:{unquote(password)}", info)):
            yield Part(pair, "whole")
    # Services of notifications have their tokens wherever there is place: discord://id/token, slack://a/b/c.
    named = () if url.scheme.startswith(("http", "socks")) else (host,)
    for each in (*named, *url.path.split("/")):
        if _RANDOM.fullmatch(unquote(each)):
            yield Part(unquote(each), "fragments")
    for name, value in parse_qsl(url.query):
        if len(value) >= SHORTEST and (_NAMES_A_SECRET.search(name) or _RANDOM.fullmatch(value)):
            yield Part(value, _weight(value))


def _weight(text: str) -> Weight:
    if (text.isalpha() or text.isdigit()) and len(text) < _LONG:
        return "word"
    return "short" if len(text) < _SHORTEST_ENCODED else "fragments"


@dataclass(frozen=True, slots=True)
class Looks:
    """What gives one secret away. `needles`, `skeletons` and `fragments` are as `spellings` makes them; `short` and
    `words` stand by themselves; `exact` is what `plain` leaves too little of; `revealing` are the parts, with their
    needles, that nothing but the secret is.
    """

    exact: frozenset[str]
    needles: frozenset[str]
    skeletons: frozenset[str]
    fragments: Mapping[int, frozenset[str]]
    short: frozenset[str]
    words: frozenset[str]
    revealing: Mapping[str, frozenset[str]]


def looks_of(secret: str) -> Looks:
    """In what forms a secret may stand in a text."""
    found = list(parts(secret))
    is_key = "\n" in secret or secret.lstrip().startswith("{")  # it is not sent: nobody can say it again
    needles, skeletons, revealing = set[str](), set[str](), dict[str, frozenset[str]]()
    fragments: dict[int, set[str]] = {}
    for part in found:
        if part.weight == "word":
            continue
        encoded = list(_encoded(part.text.encode("utf-8", "surrogatepass")))
        readable = () if part.weight == "short" else _readable(part.text)
        mine = frozenset(each for each in map(plain, (*readable, *encoded)) if len(each) >= SHORTEST)
        needles |= mine
        if part.weight == "fragments":
            skeletons.update(filter(_is_no_word, map(skeleton, mine)))
            if len(part.text) <= _LONGEST_IN_FRAGMENTS:
                length = PIECE if len(part.text) >= _LONG else SMALL_PIECE
                for text in (part.text, *(encoded if len(part.text) <= _LONGEST_ENCODED else ())):
                    fragments.setdefault(length, set()).update(_fragments(text, length))
            if not is_key and _TELLING.fullmatch(part.text):
                revealing[part.text] = mine
    return Looks(
        exact=frozenset(
            each.text
            for each in found
            if each.weight not in ("short", "word") and len(plain(each.text)) < SHORTEST
        ),
        needles=frozenset(needles),
        skeletons=frozenset(skeletons),
        fragments={length: frozenset(pieces) for length, pieces in fragments.items()},
        short=frozenset(part.text for part in found if part.weight == "short"),
        words=frozenset(part.text for part in found if part.weight == "word"),
        revealing=revealing,
    )


def _is_no_word(skeleton_of_it: str) -> bool:
    return len(skeleton_of_it) >= _SHORTEST_SKELETON and not skeleton_of_it.isalpha()


def _readable(text: str) -> Iterator[str]:
    """As it is; with a space as forms write it; its UTF-8 one byte a character; and without what looks like escapes."""
    bytes_as_letters = text.encode("utf-8", "surrogatepass").decode("latin-1")
    for each in (text, bytes_as_letters):
        *_, last = readings(each)
        for spelled in dict.fromkeys((each, last)):
            yield spelled
            yield spelled.replace(" ", "+")
            yield spelled.replace("+", " ")


def _encoded(value: bytes) -> Iterator[str]:
    """Hexadecimal, and in base64 the part that is the same wherever the value stands inside a longer text."""
    if len(value) >= _SHORTEST_IN_HEX:
        yield value.hex()
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + value).decode().rstrip("=")
        start = -(-offset * 8 // 6)
        inner = encoded[start : (offset + len(value)) * 8 // 6]
        if len(inner) >= _SHORTEST_ENCODED:
            yield inner
        if offset == 0:
            yield encoded


def _fragments(text: str, length: int) -> Iterator[str]:
    """Only those that are no words: with a digit or a capital letter, and not the same few characters."""
    for at in range(len(text) - length + 1):
        piece = text[at : at + length]
        found = plain(piece)
        if (
            len(found) == length
            and len(set(found)) >= length // 2
            and any(letter.isdigit() or letter.isupper() for letter in piece)
        ):
            yield found
