"""What every reader is tried with first: the hostile inputs that everybody knows."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

from tests.fuzz.messages import message
from tests.fuzz.spoiling import DATES, LINKS, WEIRD, every_value
from tests.fuzz.target import Target

_MILLION = 1_000_000


def classics(target: Target, *, large: bool) -> Iterator[bytes]:
    """The seeds as they are, and then what nobody wants to read; `large`: up to ten megabytes of it."""
    times = _MILLION if large else _MILLION // 20
    yield from target.seeds
    yield from _texts(times)
    yield from WEIRD
    if target.shape != "message":
        yield from DATES
        yield from LINKS
        return
    for body in _texts(times):
        yield message(body, ("Content-Type", "application/json"), status=404)
        yield message(body, ("Content-Type", "application/json"), status=400)
    yield from _answers(target.seeds[0].partition(b"\n\n")[2])
    for seed in target.seeds if large else ():
        head, gap, body = seed.rpartition(b"\n\n")
        if body.startswith((b"{", b"[")):
            yield from (head + gap + odd for odd in every_value(body))


def _texts(times: int) -> Iterator[bytes]:
    yield b""
    yield b"\0" * 1000
    yield b"[" * 100_000
    yield b"[" * 100_000 + b"]" * 100_000
    yield b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    yield b"[" + b"[]," * times + b"[]]"
    yield b"[" + b'{"":0},' * times + b"{}]"
    yield b'{"' + b"k" * times + b'":' + b"9" * times + b"}"
    yield b'"' + b"x" * (10 * times) + b'"'
    yield b'["' + b"\\u0041" * times + b'"]'
    yield b"\xff\xfe" + "[1]".encode("utf-16-le")
    yield b"\xef\xbb\xbf{}"


def _answers(good: bytes) -> Iterator[bytes]:
    """The same good body under every odd header."""
    for date in DATES:
        said = date.decode()
        for status in (200, 403, 429, 503):
            yield message(good, ("Date", said), status=status)
            yield message(
                good, ("Retry-After", said), ("Date", "Fri, 31 Dec 9999 23:59:59 GMT"), status=status
            )
            yield message(good, ("X-Rate-Limit-Reset", said), ("X-Rate-Limit-Limit", said), status=status)
    for link in LINKS:
        said = link.decode("utf-8", "surrogateescape")
        yield message(good, ("Link", said))
        yield message(good, ("Link", said), ("Link", '<https://acme.okta.com/api/v1/x>; rel="self"'))
        for status in (201, 302):
            yield message(good, ("Location", said.partition(";")[0].strip("<>")), status=status)
    for status in (200, 404, 500):
        yield message(gzip.compress(b" " * (10 * _MILLION), 9), ("Content-Encoding", "gzip"), status=status)
        yield message(
            gzip.compress(gzip.compress(b" " * (10 * _MILLION))),
            ("Content-Encoding", "gzip, gzip"),
            status=status,
        )
        yield message(b"no gzip at all", ("Content-Encoding", "gzip"), status=status)
        yield message(good, ("Content-Type", "text/html; charset=\xff"), status=status)
    yield message(json.dumps({"schemas": ["x"], "totalResults": 10**400}).encode())
