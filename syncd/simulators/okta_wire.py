"""How Okta says things over HTTP: knobs, error bodies, pages with their Link headers, query parameters."""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Literal, Self
from urllib.parse import quote, unquote, urlencode

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.filters import FilterError, Predicate, compile_filter
from syncd.simulators.ids import OrderedIds
from syncd.simulators.turning import refuse_unknown

_SUMMARIES = {
    "E0000001": "Api validation failed",
    "E0000003": "The request body was not well-formed.",
    "E0000004": "Authentication failed",
    "E0000006": "You do not have permission to perform the requested action",
    "E0000007": "Not found: Resource not found",
    "E0000008": "The requested path was not found",
    "E0000009": "Internal Server Error",
    "E0000010": "Service is in read only mode",
    "E0000011": "Invalid token provided",
    "E0000022": "The endpoint does not support the provided HTTP method",
    "E0000031": "Invalid search criteria.",
    "E0000047": "API call exceeded rate limit due to too many requests.",
    "E0000053": "Invalid SCIM filter.",
}
_BY_STATUS = {
    400: "E0000001", 401: "E0000011", 403: "E0000006", 404: "E0000007", 405: "E0000022", 429: "E0000047",
    500: "E0000009", 502: "E0000009", 503: "E0000010", 504: "E0000009",
}  # fmt: skip
_error_numbers = count(1)
OWN_GROUPS = "own_groups"
LISTS = ("app_users", "app_groups", "mappings", "groups", "members", "users", OWN_GROUPS)
"""The lists that may lag; `own_groups` are the groups of one person."""


@dataclass(frozen=True, slots=True)
class OktaKnobs:
    """How the simulated org behaves where Okta may behave in more ways than one.

    `link_style`: self and next as two Link headers, as one joined line, or next before self.
    `extra_empty_page`: the last full page still has a next, which is empty. `gzip`: compress for clients
    that accept it. `latency_seconds` before every answer. `clock_offset_seconds` shifts Date and
    X-Rate-Limit-Reset against this machine's clock. `log_delay_seconds`: events reach the log that much
    later. `log_duplicates`: every event is delivered twice. `token_seconds`: life of an access token.
    `dpop_nonce_on_api`: API calls need a DPoP nonce too. `concurrency`: more requests at once answer 429
    with zeros (0: no limit). `limits`: requests per window by bucket (okta_limits.BUCKETS; `*` for the
    rest), counted in windows of `window_seconds`. `ssws_scopes`: what the API token may read (None: all).
    `next_drops`: parameters that next links leave out, as recorded of Okta (`expand`). `members_limit`: the largest
    `limit` that member lists take.
    `page_size`: a page holds at most that many, whatever `limit` asks for (0: as asked).
    `list_lag`: seconds by list (LISTS; `*` for all but `own_groups`) by which what a list shows is older than what the
    object itself shows. `stamp_lag_seconds`: the same for `lastMembershipUpdated`, wherever it is shown.
    `group_rules`: those of the org, each with `id`, `name`, `status`, `groups` and `exclude` (ids); None: the token may
    not read them.
    `object_lag_seconds`: by so much people, groups and assignments are older where they are asked for by id.
    `addresses`: what the org says of itself, by link relation (`organization`, `alternate`: a custom domain); None: its
    own URL.
    """

    link_style: Literal["separate", "joined", "next_first"] = "separate"
    extra_empty_page: bool = False
    gzip: bool = True
    latency_seconds: float = 0.0
    clock_offset_seconds: float = 0.0
    log_delay_seconds: float = 0.0
    log_duplicates: bool = False
    token_seconds: int = 3600
    dpop_nonce_on_api: bool = False
    concurrency: int = 0
    limits: Mapping[str, int] | None = None
    window_seconds: float = 60.0
    ssws_scopes: tuple[str, ...] | None = None
    page_size: int = 0
    list_lag: Mapping[str, float] | None = None
    stamp_lag_seconds: float = 0.0
    object_lag_seconds: float = 0.0
    addresses: Mapping[str, str] | None = None
    next_drops: tuple[str, ...] = ()
    members_limit: int = 1000
    group_rules: Sequence[Mapping[str, Any]] | None = ()

    def lag_of(self, listed: str | None) -> float:
        """By how many seconds this list is behind; 0 for what is no list."""
        lags = self.list_lag or {}
        return lags.get(listed, 0.0 if listed == OWN_GROUPS else lags.get("*", 0.0)) if listed else 0.0

    @property
    def longest_lag(self) -> float:
        """How much of the past these knobs need, in seconds."""
        lags = (self.list_lag or {"*": 0.0}).values()
        return max(self.stamp_lag_seconds, self.object_lag_seconds, *lags)

    def changed(self, **changes: Any) -> Self:
        """These knobs with some turned. Raises ValueError for a knob that does not exist."""
        refuse_unknown(self, changes)
        strange = set(changes.get("list_lag") or ()) - {*LISTS, "*"}
        if strange:
            raise ValueError(f"unknown lists {sorted(strange)}; known: {', '.join(LISTS)}, *")
        return replace(self, **changes)


class OktaError(Exception):
    """An answer that is an error, raised from wherever it is found out."""

    def __init__(
        self,
        status: int,
        code: str | None = None,
        summary: str | None = None,
        *,
        causes: tuple[str, ...] = (),
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(status, code, summary)
        self.status = status
        self.code = code
        self.summary = summary
        self.causes = causes
        self.headers = headers

    def reply(self) -> Reply:
        """The error as Okta's error object (Okta API error codes page)."""
        code = self.code or _BY_STATUS.get(self.status, "E0000009")
        body = {
            "errorCode": code,
            "errorSummary": self.summary or _SUMMARIES.get(code, "Error"),
            "errorLink": code,
            "errorId": f"oaeSim{next(_error_numbers):014d}",
            "errorCauses": [{"errorSummary": cause} for cause in self.causes],
        }
        return Reply(self.status, body, self.headers)


def not_found(identity: str, kind: str) -> OktaError:
    """404 as Okta words it; `kind` is AppInstance, AppUser, User, UserGroup..."""
    return OktaError(404, "E0000007", f"Not found: Resource not found: {identity} ({kind})")


def invalid(field: str, cause: str) -> OktaError:
    """400 for a parameter."""
    return OktaError(400, "E0000001", f"Api validation failed: {field}", causes=(f"{field}: {cause}",))


def limit_of(call: Call, default: int, least: int, most: int) -> int:
    """The `limit` parameter. Raises OktaError 400 outside least..most."""
    text = call.query.get("limit")
    if text is None:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise invalid("limit", f"The limit must be between {least} and {most}.")
    return int(text)


def filter_of(text: str, **rules: Any) -> Predicate:
    """A filter parameter as a predicate. Raises OktaError 400 E0000031."""
    try:
        return compile_filter(text, **rules)
    except FilterError as error:
        raise OktaError(400, "E0000031", f"Invalid search criteria. {error}") from error


def cursor_for(position: str) -> str:
    """An `after` value: opaque, and with characters that only survive correct percent-encoding."""
    return base64.b64encode(f"?>{position}~".encode()).decode()


def position_of(cursor: str) -> str:
    """The position in an `after` value. Raises OktaError 400 for one we did not make."""
    try:
        text = base64.b64decode(cursor, validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith("?>") or not text.endswith("~"):
        raise invalid("after", "The cursor is invalid.")
    return text[2:-1]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: the ids on it, and the last one if there is a next page."""

    ids: tuple[str, ...]
    after: str | None

    def reply(self, records: list[Any], call: Call, knobs: OktaKnobs) -> Reply:
        """The page's records with the links it needs."""
        following = None if self.after is None else next_url(call, cursor_for(self.after), knobs)
        return linked(Reply(payload=records), call, following, knobs)


def page(
    ids: OrderedIds, call: Call, limit: int, knobs: OktaKnobs, wanted: Callable[[str], bool] | None = None
) -> Page:
    """The page a call asks for. Cursors name the last id seen, so entries that come or go between pages
    neither shift nor repeat others.
    """
    cursor = call.query.get("after")
    limit = min(limit, knobs.page_size or limit)
    found: list[str] = []
    source: Iterator[str] = ids.after(None if cursor is None else position_of(cursor))
    for identity in source:
        if wanted is not None and not wanted(identity):
            continue
        if len(found) == limit:
            return Page(tuple(found), found[-1])
        found.append(identity)
    full = bool(found) and knobs.extra_empty_page
    return Page(tuple(found), found[-1] if full else None)


def linked(reply: Reply, call: Call, following: str | None, knobs: OktaKnobs) -> Reply:
    """The reply with its `self` link and, when there is a next page, the `next` link `following`."""
    links = [f'<{call.origin}{call.path}>; rel="self"']
    if following is not None:
        links.append(f'<{following}>; rel="next"')
    if knobs.link_style == "joined":
        return reply.with_headers(("Link", ", ".join(links)))
    if knobs.link_style == "next_first":
        links.reverse()
    return reply.with_headers(*(("link", link) for link in links))


def next_url(call: Call, cursor: str, knobs: OktaKnobs, *, without: frozenset[str] = frozenset()) -> str:
    """The URL of this list from a cursor on, all other parameters kept but those in `without`, and those dropped."""
    without |= {"after", *knobs.next_drops}
    path, _, query = call.path.partition("?")
    kept = [
        (unquote(name), unquote(value.replace("+", " ")))
        for name, _, value in (part.partition("=") for part in query.split("&") if part)
        if unquote(name) not in without
    ]
    return f"{call.origin}{path}?{urlencode([('after', cursor), *kept], quote_via=quote)}"
