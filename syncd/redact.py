"""The last line of defence for secrets, and the first for hostile text.

`Redactor` replaces known secret values in every form they take on their way through logs (RFC 4648 base64,
RFC 3986 percent-encoding, JSON, Python repr, HTML) and, unasked, whatever looks like a credential.
`strip_controls` makes text from Okta or the target safe to print.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
_SHORTEST = 4
"""Shorter values occur in ordinary words; replacing them would only garble the text."""
_SHORTEST_FRAGMENT = 8
_LONGEST_NESTING = 40
_PRIVATE_JWK_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "k")

_PROSE = "tokens?|scheme|of|is|was|and|or|nor|for|with|header"
"""What follows the name of a scheme in a sentence about it."""

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        MASK,
    ),
    (
        re.compile(
            rf"\b(SSWS) ?(?!\[redacted\])(?!(?:{_PROSE})\b)"
            r"[^\s\"'\\,;<>&)\]}]+"
        ),
        rf"\1 {MASK}",
    ),
    (
        re.compile(
            r"\b(Bearer|DPoP)(?: +|%20|\+)(?!\[redacted\])"
            rf"(?!(?:{_PROSE}|auth\w*|proofs?|nonce|keys?|bound)\b)"
            r"(?!(?:realm|error|error_description|algs|scope)=)[^\s\"'\\,;<>&)\]}]+",
            re.IGNORECASE,
        ),
        rf"\1 {MASK}",
    ),
    (
        re.compile(
            r"\b((?:client_assertion|client_secret|access_token|refresh_token)"
            r"(?:\\?[\"'])?\s*[=:]\s*(?:\\?[\"'])?)(?!\[redacted\])[^\s\"'\\,;<>&)\]}]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"\beyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*"), MASK),
    (re.compile(r"(?<=://)[^\s/@\"'<>]*:[^\s/@\"'<>]*@"), f"{MASK}@"),
)


def _base64_forms(value: bytes) -> Iterator[str]:
    """The value alone, and the part of it that is constant wherever it stands inside a longer text."""
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + value).decode().rstrip("=")
        start = -(-offset * 8 // 6)
        whole_bits = (offset + len(value)) * 8
        inner = encoded[start : whole_bits // 6]
        for form in (encoded, inner) if offset == 0 else (inner,):
            if len(form) >= _SHORTEST_FRAGMENT or (offset == 0 and form is encoded):
                yield form
                yield form.replace("+", "-").replace("/", "_")


def _parts(value: str) -> Iterator[str]:
    """The value itself; of a PEM text every line, of a JSON Web Key (RFC 7518) every private member."""
    yield value
    if "\n" in value:
        lines = (line.strip() for line in value.splitlines())
        yield from (line for line in lines if len(line) >= 16 and not line.startswith("-----"))
    if value.lstrip().startswith("{"):
        try:
            key = json.loads(value)
        except (ValueError, RecursionError):
            return
        yield from (key[name] for name in _PRIVATE_JWK_MEMBERS if isinstance(key.get(name), str))


def _forms(value: str) -> Iterator[str]:
    raw = value.encode("utf-8", "surrogatepass")
    yield value
    yield from _base64_forms(raw)
    for quoted in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    for ascii_only in (True, False):
        dumped = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield dumped
        yield dumped.replace("/", "\\/")
    yield repr(value)[1:-1]
    yield repr(raw)[2:-1]
    yield html.escape(value)


class Redactor:
    """Replaces secrets with `[redacted]`. Safe to share between threads; values can be added at any time."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._forms: set[str] = set()
        self._known: tuple[tuple[str, ...], re.Pattern[str]] | None = None
        for secret in secrets:
            self.add(secret)

    def __repr__(self) -> str:
        return f"Redactor({len(self._forms)} forms)"

    def add(self, value: str) -> None:
        """From now on `value` is replaced too. Values under 4 characters are ignored."""
        found = {
            form for part in _parts(value) if len(part) >= _SHORTEST for form in _forms(part) if form != MASK
        }
        with self._lock:
            if found <= self._forms:
                return
            self._forms |= found
            longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
            self._known = (tuple(longest_first), re.compile("|".join(map(re.escape, longest_first))))

    def text(self, text: str) -> str:
        """`text` with every known secret and everything that looks like a credential replaced."""
        if self._known is not None:
            forms, pattern = self._known
            # Plain search first: an alternation of hundreds of forms is slow on long text without any of them.
            if any(form in text for form in forms):
                text = pattern.sub(MASK, text)
        for shape, mask in _PATTERNS:
            text = shape.sub(mask, text)
        return text

    def value(self, obj: object) -> object:
        """The same value with every text in it redacted: str, bytes, list, tuple, set and dict, nested. Any other
        iterable becomes an iterator.
        """
        return self._value(obj, 0)

    def _value(self, obj: object, depth: int) -> object:
        if isinstance(obj, str):
            return self.text(obj)
        if depth > _LONGEST_NESTING:
            return "[nested too deeply]"
        if isinstance(obj, bytes):
            return self.text(obj.decode("utf-8", "backslashreplace")).encode()
        if isinstance(obj, dict):
            return {self._value(key, depth + 1): self._value(item, depth + 1) for key, item in obj.items()}
        if isinstance(obj, list):
            return [self._value(item, depth + 1) for item in obj]
        if isinstance(obj, tuple):
            return tuple(self._value(item, depth + 1) for item in obj)
        if isinstance(obj, set | frozenset):
            return type(obj)(self._value(item, depth + 1) for item in obj)
        if isinstance(obj, Iterable):  # read from elsewhere, as it comes
            return (self._value(item, depth + 1) for item in obj)
        return obj


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
