"""From good inputs to bad ones: what dice do to bytes, and to the JSON in them."""

from __future__ import annotations

import codecs
import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.fuzz.messages import NEXT
from tests.fuzz.target import Target

LARGEST = 256 * 1024
"""Bytes to which dice let an input grow; the classics are larger."""

NUMBERS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1e-999", b"-0", b"-0.0", b"1.0", b"1e2", b"0x10",
    b"18446744073709551616", b"9" * 400, b"9" * 4300, b"-" + b"9" * 4301, b"1" + b"0" * 400 + b".5", b"00", b"1_0",
)  # fmt: skip
TEXTS = (
    rb'"\ud800"', rb'"a\udfffb"', rb'"\ud83d\ude00"', rb'"\u0000"', b'"\xed\xa0\x80"', b'"\xff"', b'"\x00"', b'""',
    b'"' + b"\xf0\x9f\x98\x80" * 50 + b'"', b'"' + b"x" * 5000 + b'"', rb'"\u202e\u200b"', b'"\\', b'" "', b'"1"',
    b'"true"', b'".."', b'"%2e%2e/"', b'"a/../b"', b'"9999-12-31T23:59:59Z"', b'"0001-01-01T00:00:00+14:00"',
    rb'"\u0130\u0131\u00df\ufb03"', b'"' + b"=cmd|" * 3 + b'"',
)  # fmt: skip
OTHERS = (
    b"null", b"true", b"false", b"[]", b"{}", b"[[]]", b"{{}}", b'{"":{}}', b'{"id":1,"id":"two"}', b"[null]", b"",
    b"[" * 60 + b"]" * 60, b"[" * 450 + b"]" * 450, b"[" * 900 + b"]" * 900, b"[" * 5000,
    b'{"a":' * 450 + b"1" + b"}" * 450, b'{"a":' * 950 + b"1" + b"}" * 950,
)  # fmt: skip
WEIRD = (*NUMBERS, *TEXTS, *OTHERS)
DATES = (
    b"Fri, 31 Dec 9999 23:59:59 GMT", b"Fri, 31 Dec 9999 23:59:59 -2359", b"Mon, 01 Jan 0100 00:00:00 +2359",
    b"Thu, 01 Jan 1970 00:00:00 GMT", b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT",
    b"Sun Nov  6 08:49:37 1994", b"Tue, 99 Foo 99999 99:99:99 +9999", b"1" + b"0" * 30, b"-5", b"0", b"1e3",
    b"9999-12-31T23:59:59.999999Z", b"0001-01-01T00:00:00+23:59", b"2026-01-01T00:00:00Z", b"2026-W53-7", b"120",
)  # fmt: skip
LINKS = (
    b'<https://acme.okta.com/api/v1/x?after=a>; rel="next"', b'<http://evil.example/api/v1/x>; rel="next"',
    b"</api/v1/logs?after=b>; rel=next", b'<//evil.example/api/v1/>; rel="next"', b'<>; rel="next"',
    b'<http://[>; rel="next"', b'<https://acme.okta.com:99999/api/v1/x>; rel="next"', b"<a>" + b"; a " * 40 + b"!",
    b'<https://acme.okta.com@evil.example/api/v1/x>; rel="next"', b'<x>; title="a; rel=next"; rel=self, <y>; rel=next',
    b'<https://acme.okta.com/api/v1/../../x>; rel="next"', b"<u>;" + b" " * 3000 + b"x", b"," * 4000,
    b"<\xff>; rel=next",
)  # fmt: skip
_SIGNS = (
    b"\0",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\n\n",
    b'"',
    b"\\",
    b"[",
    b"{",
    b"]",
    b"}",
    b",",
    b":",
    b"\xff",
    b"\x1e",
    NEXT,
)


def spoiled(target: Target, dice: random.Random) -> bytes:
    """A seed of the target after one to six mishaps."""
    data = dice.choice(target.seeds) if target.seeds else b""
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 6))):
        if target.shape != "text" and dice.random() < 0.6:
            data = _in_json(target, data, dice)
        else:
            data = dice.choice(_MISHAPS)(data, target.words, dice)
        if len(data) > LARGEST:
            data = data[:LARGEST]
    return data


def _in_json(target: Target, data: bytes, dice: random.Random) -> bytes:
    if target.shape == "json":
        return odd_json(data, dice)
    parts = data.split(NEXT)
    at = dice.randrange(len(parts))
    head, gap, body = parts[at].partition(b"\n\n")
    parts[at] = head + gap + odd_json(body, dice)
    return NEXT.join(parts)


def odd_json(text: bytes, dice: random.Random) -> bytes:
    """One value replaced, doubled, nested, renamed or taken out; a text that is no JSON gets something behind it."""
    try:
        root = [json.loads(text)]
        written = json.dumps(root)
    except (ValueError, RecursionError):
        return text + dice.choice(WEIRD)
    holder, key = dice.choice(_places(root))
    mark = f"@{dice.getrandbits(64):016x}@"
    raw = dice.choice(_ODDITIES)(holder, key, mark, dice)
    written = json.dumps(root[0]) if root else ""
    return written.replace(f'"{mark}"', "\0").encode().replace(b"\0", raw)


def every_value(text: bytes) -> Iterator[bytes]:
    """A JSON text as often as it has values and there are oddities: each in the place of each."""
    for at in range(len(_places([json.loads(text)]))):
        for odd in WEIRD:
            root = [json.loads(text)]
            holder, key = _places(root)[at]
            holder[key] = "@@"
            yield json.dumps(root[0]).encode().replace(b'"@@"', odd)


def _places(root: Any) -> list[tuple[Any, Any]]:
    """Holder and key of every value."""
    found: list[tuple[Any, Any]] = []
    waiting = [root]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            found += [(each, key) for key in each]
            waiting += each.values()
        elif isinstance(each, list):
            found += [(each, at) for at in range(len(each))]
            waiting += each
    return found


def _replaced(holder: Any, key: Any, mark: str, dice: random.Random) -> bytes:
    holder[key] = mark
    return dice.choice(WEIRD)


def _missing(holder: Any, key: Any, mark: str, dice: random.Random) -> bytes:
    del holder[key]
    return b""


def _nested(holder: Any, key: Any, mark: str, dice: random.Random) -> bytes:
    depth, value = dice.choice((1, 2, 30, 300, 480, 950)), json.dumps(holder[key]).encode()
    holder[key] = mark
    return (
        b"[" * depth + value + b"]" * depth
        if dice.random() < 0.5
        else b'{"a":' * depth + value + b"}" * depth
    )


def _renamed(holder: Any, key: Any, mark: str, dice: random.Random) -> bytes:
    if not isinstance(holder, dict):
        return _replaced(holder, key, mark, dice)
    holder[mark] = holder.pop(key)
    return dice.choice((json.dumps(key.upper()).encode(), json.dumps(key.title()).encode(), *TEXTS))


def _twice(holder: Any, key: Any, mark: str, dice: random.Random) -> bytes:
    """A second member of the same name, or an item again and again."""
    if isinstance(holder, dict):
        holder[mark] = "x"
        return json.dumps(key).encode()
    holder += [holder[key]] * dice.choice((1, 5, 300))
    return b""


_ODDITIES = (_replaced, _replaced, _replaced, _missing, _nested, _renamed, _twice)


def _cut(data: bytes, words: Sequence[bytes], dice: random.Random) -> bytes:
    return data[: dice.randint(0, len(data))]


def _slice(data: bytes, dice: random.Random) -> tuple[int, int]:
    start = dice.randint(0, len(data))
    return start, min(len(data), start + dice.choice((1, 2, 8, 60, 1000)))


def _without(data: bytes, words: Sequence[bytes], dice: random.Random) -> bytes:
    start, end = _slice(data, dice)
    return data[:start] + data[end:]


def _repeated(data: bytes, words: Sequence[bytes], dice: random.Random) -> bytes:
    start, end = _slice(data, dice)
    return data[:end] + data[start:end] * dice.choice((1, 2, 20, 400, 5000)) + data[end:]


def _with_word(data: bytes, words: Sequence[bytes], dice: random.Random) -> bytes:
    start, end = _slice(data, dice)
    kinds = [_SIGNS, WEIRD, DATES, LINKS, *([words] * 4 if words else [])]
    word = dice.choice(dice.choice(kinds))
    return data[:start] + word + data[dice.choice((start, end)) :]


def _flipped(data: bytes, words: Sequence[bytes], dice: random.Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(dice.choice((1, 1, 4))):
        if spoilt:
            spoilt[dice.randrange(len(spoilt))] ^= 1 << dice.randrange(8)
    return bytes(spoilt)


def _encoded(data: bytes, words: Sequence[bytes], dice: random.Random) -> bytes:
    text = data.decode("utf-8", "replace")
    ways: Sequence[Callable[[], bytes]] = (
        lambda: codecs.BOM_UTF8 + data,
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-16-be"),
        lambda: text.encode("utf-32"),
        lambda: text.encode("latin-1", "replace"),
        lambda: gzip.compress(data, 1),
        lambda: zlib.compress(data, 1),
        lambda: data + b"\0" * 64,
    )
    return dice.choice(ways)()


_MISHAPS = (_cut, _without, _repeated, _with_word, _with_word, _with_word, _flipped, _encoded)
