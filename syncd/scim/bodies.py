"""The bodies of a target's answers: read within bounds of time and memory, and decoded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from urllib3.exceptions import ReadTimeoutError

from syncd.core.foreign_json import holds_more_values, read_json

BODY_CAP = 32 * 1024 * 1024
"""Bytes, decompressed."""
MOST_VALUES = 3_000_000
"""JSON values in one answer: 100,000 users from a server that knows no pages."""
ERROR_CAP = _CHUNK = 64 * 1024


class BrokenBody(Exception):  # noqa: N818  (what happened to it)
    """Too large, or too slow; the text says which. `too_large`: it would be so again."""

    def __init__(self, text: str, *, too_large: bool) -> None:
        super().__init__(text)
        self.too_large = too_large


def whole_body(raw: Any, seconds: float) -> bytes:
    """The decompressed body of urllib3's response, which checks Content-Length. Raises BrokenBody, and what urllib3
    raises for one that does not come whole.
    """
    chunks, size = [], 0
    for chunk in _chunks(raw, seconds):
        chunks.append(chunk)
        size += len(chunk)
        if size > BODY_CAP:
            raise BrokenBody(f"the answer is larger than {BODY_CAP >> 20} MiB", too_large=True)
    body = b"".join(chunks)
    if holds_more_values(body, MOST_VALUES):
        raise BrokenBody(f"the answer holds more than {MOST_VALUES:,} values", too_large=True)
    return body


def beginning(raw: Any, seconds: float) -> bytes:
    """The first 64 KiB of an error, of which nobody reads more. The connection ends with a longer one. Raises as
    `whole_body` does.
    """
    body = b""
    for chunk in _chunks(raw, seconds):
        body += chunk
        if len(body) > ERROR_CAP:
            raw.close()
            break
    return body[:ERROR_CAP]


def _chunks(raw: Any, seconds: float) -> Iterator[bytes]:
    ends = time.monotonic() + seconds
    late = BrokenBody(f"the answer did not arrive within {seconds:.0f} s", too_large=False)
    try:
        while chunk := raw.read1(_CHUNK, decode_content=True):
            yield chunk
            if time.monotonic() > ends:
                raise late
            if raw.length_remaining == 0 and "Content-Encoding" not in raw.headers:
                return  # that was all, and the connection is free again
    except ReadTimeoutError:
        raise late from None


def json_of(raw: bytes) -> Any:
    """None for no body, and for one that is no JSON."""
    with suppress(ValueError):
        return read_json(raw) if raw.strip() else None
    return None
