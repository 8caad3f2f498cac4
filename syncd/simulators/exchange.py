"""One request and one answer, as the simulated products see them: no sockets, no event loop."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `path` is path and query as they came; `segments` are the decoded parts of the path;
    `headers` have lower-case names; `origin` is scheme and host as the client wrote them.
    """

    method: str
    path: str
    segments: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    origin: str

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)

    def integer(self, name: str, default: int, *, form: str, refusal: Exception) -> int:
        """A whole number of the query, `form` is the expression it must match. Raises `refusal` when it does not."""
        text = self.query.get(name)
        if text is None:
            return default
        if re.fullmatch(form, text) is None:
            raise refusal
        return int(text)


def segments_of(raw_path: str) -> tuple[str, ...]:
    """`/api/v1/users/a%2Fb` as ("api", "v1", "users", "a/b")."""
    return tuple(unquote(part) for part in raw_path.split("/")[1:])


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: `payload` is JSON to be, or None for no body; `text` stands for any other body."""

    status: int = 200
    payload: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str | None = "application/json"
    text: str | None = None
    delay: float = 0.0

    def with_headers(self, *headers: tuple[str, str]) -> "Reply":
        """The reply with headers added; a name may come twice."""
        return replace(self, headers=(*self.headers, *headers))

    def without_headers(self, *names: str) -> "Reply":
        """The reply without headers of these names."""
        lowered = {name.lower() for name in names}
        return replace(self, headers=tuple(h for h in self.headers if h[0].lower() not in lowered))

    def body(self) -> bytes:
        """The bytes of the body before any content coding."""
        if self.text is not None:
            return self.text.encode()
        if self.payload is None:
            return b""
        return json.dumps(self.payload, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One line of the request log. `status` 0 means that no answer was sent.

    `path` includes the query; `headers` never hold secrets: of `authorization` only the scheme is kept.
    `body` is the parsed JSON of a write, None otherwise. `started` and `ended` are `time.monotonic()`
    seconds, so that tests can see which requests overlapped.
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: Any
    started: float
    ended: float
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The record as the control interface shows it."""
        return {
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "headers": dict(self.headers),
            "body": self.body,
            "started": round(self.started, 6),
            "ended": round(self.ended, 6),
            "fault": self.fault,
        }


_KEPT_HEADERS = (
    "accept", "accept-encoding", "content-type", "user-agent", "if-match", "if-none-match",
    "x-okta-user-agent-extended",
)  # fmt: skip


def logged_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers worth logging, and of the credentials only that they were there."""
    kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
    if "authorization" in headers:
        scheme = headers["authorization"].partition(" ")[0]
        kept["authorization"] = scheme if scheme in ("SSWS", "Bearer", "DPoP") else "other"
    if "dpop" in headers:
        kept["dpop"] = "present"
    return kept
