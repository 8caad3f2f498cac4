"""One request to Split as it goes on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import requests

from syncd.errors import ConfigurationError, PermanentError


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `once`: sent twice it would do more than once, like a POST. `timeout`: seconds for its answer."""

    method: str
    url: str
    what: str
    data: bytes | None
    headers: Mapping[str, str] = field(repr=False)
    timeout: float
    once: bool = False

    @property
    def repeatable(self) -> bool:
        """What has the same effect when it is sent twice: everything but POST and what the caller marks."""
        return self.method != "POST" and not self.once

    def request(self) -> requests.PreparedRequest:
        """Made by hand: URL and headers are prepared already, and preparing them again costs a quarter of a request."""
        made = requests.PreparedRequest()
        made.method, made.url, made.body = self.method, self.url, self.data
        made.headers = dict(self.headers)  # type: ignore[assignment]  # copied twice below; nobody looks a name up
        return made


def path_of(segments: Sequence[str]) -> str:
    """Percent-encoded. Raises PermanentError for an id that would lead elsewhere."""
    for segment in segments:
        if segment in ("", ".", ".."):
            raise PermanentError(f"the id {segment!r} cannot stand in a URL: the request would go elsewhere")
    return "/".join(quote(segment, safe="", errors="replace") for segment in segments)


def query_of(query: Mapping[str, str]) -> str:
    """With its question mark; empty for no parameters."""
    found = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='', errors='replace')}" for name, value in query.items()
    )
    return f"?{found}" if found else ""


def object_of(segments: Sequence[str]) -> str:
    """What names one object ("Users/42"); "" for a collection, where every request is about another one."""
    return "/".join(segments) if len(segments) > 1 else ""


def is_harmless(method: str, segments: Sequence[str], query: Mapping[str, str] | None) -> bool:
    """Listing users without a filter is what decides about other refusals."""
    return method == "GET" and list(segments) == ["Users"] and "filter" not in (query or {})


def prepared(base_url: str) -> str:
    """The base URL as it goes on the wire, host in ASCII, without a trailing slash. Raises ConfigurationError."""
    try:
        url = requests.Request("GET", base_url).prepare().url
    except (requests.exceptions.RequestException, ValueError) as problem_:
        raise ConfigurationError("[split] base_url is no URL that can be asked") from problem_
    return (url or base_url).rstrip("/")
