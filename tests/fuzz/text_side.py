"""Single texts: filters of the simulators, dates and times, links, rows of requests, and what is redacted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from syncd.backoff import http_date
from syncd.core.hooks import NotAHook, names_of, read_events, sample
from syncd.core.nomination import Known
from syncd.core.request import read_request, read_result
from syncd.engine.cycles.hooked import Hooked
from syncd.engine.reading.group_scope import settled_stamp
from syncd.errors import RefusedError
from syncd.okta.answers import next_link, retry_after
from syncd.okta.listing import carried_over, same_origin
from syncd.okta.pace import LimitHeaders
from syncd.redact import Redactor, clip, strip_controls
from syncd.scim.pacing import LONGEST_PAUSE as LONGEST_AT_TARGET
from syncd.scim.pacing import ServerClock, asked_wait
from syncd.scim.wire import stamp
from syncd.simulators.filters import FilterError, compile_filter, equality
from tests.fuzz.messages import storable
from tests.fuzz.okta_side import ORG
from tests.fuzz.spoiling import DATES, LINKS
from tests.fuzz.target import Target

_NOW = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
_RECORD: Mapping[str, object] = {
    "userName": "ada@example.com",
    "externalId": None,
    "active": True,
    "age": 7,
    "tags": ["a", {"type": "work"}],
    "nested": {"a": {"b": [1]}},
}


def _filters() -> Callable[[bytes], object]:
    def take(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        equality(text)
        compile_filter(text, folded=frozenset({"username"}))(_RECORD)

    return take


def _requests() -> Callable[[bytes], object]:
    """The kind, a line break, and the arguments; what came of it is read likewise."""

    def take(data: bytes) -> None:
        kind, _, text = data.decode("latin-1").partition("\n")
        if kind == "ended":
            read_result(text)
        else:
            storable(asdict(read_request(1, kind, text)))

    return take


def _hooks() -> Callable[[bytes], object]:
    """A body that somebody with the secret posts to the listener."""
    known = Known("0oa1", lambda _: True, lambda _: True, any_group=True)

    def take(data: bytes) -> None:
        events = read_events(data, ORG)
        storable([asdict(event) | {"published": str(event.published)} for event in events])
        hooked = Hooked()
        hooked.put(names_of(events, known, _NOW), events, _NOW)
        hooked.log_showed(events, _NOW, listens=True)
        hooked.keep(lambda text: Hooked().restore(text))

    return take


def _dates() -> Callable[[bytes], object]:
    def take(data: bytes) -> None:
        text = data.decode("latin-1")
        moment = http_date(text)
        assert moment is None or moment.utcoffset() == timedelta(0)
        for name in ("Retry-After", "X-Rate-Limit-Reset", "x-retry-after"):
            headers = {name: text, "Date": text}
            for said in (headers, {**headers, "Date": "Mon, 21 Sep 2026 14:13:20 GMT"}):
                wait = retry_after(said)
                assert wait is None or 0 <= wait < 1e12
                LimitHeaders.of(said, 1_790_000_000.0)
                pause = asked_wait(said, _NOW)
                assert pause is None or 0 <= pause <= LONGEST_AT_TARGET
        clock = ServerClock()
        clock.note(text)
        clock.at(1e9)
        settled_stamp(text, _NOW)
        stamp({"meta": {"created": text}}, "created")

    return take


def _links() -> Callable[[bytes], object]:
    def take(data: bytes) -> None:
        values = data.decode("utf-8", "surrogateescape").split("\n")
        asked = f"{ORG}/api/v1/groups?limit=200&expand=x"
        try:
            found = next_link(values, asked)
        except ValueError:
            return
        if found is not None:
            following = carried_over(found, asked)
            assert not same_origin(following, ORG) or following.lower().startswith(ORG)

    return take


def _redacting() -> Callable[[bytes], object]:
    redactor = Redactor(["00abcDEF-secret-token-value-123456", "http://user:pass@proxy.example:8080"])

    def take(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for said in (redactor.foreign(text), redactor.kept(text), redactor.text(text[:100_000])):
            assert "00abcDEF-secret-token-value-123456" not in said
            storable(strip_controls(clip(said)))

    return take


_WORDS = (
    b" eq ",
    b" and ",
    b" or ",
    b"not (",
    b"not ",
    b"(",
    b")",
    b" pr",
    b" gt ",
    b" sw ",
    b"userName",
    b"tags.type",
    b'"',
    b"null",
    b"[" * 990,
    b"1e999",
    b"9" * 5000,
)
TEXT_TARGETS = (
    Target(
        "filters",
        _filters,
        (FilterError,),
        (
            b'userName eq "ada@example.com"',
            b"not (active eq true and age gt 3) or tags.type pr",
            b"externalId gt null",
        ),
        words=_WORDS,
    ),
    Target(
        "event-hooks",
        _hooks,
        (NotAHook,),
        (
            json.dumps(sample(ORG, _NOW)).encode(),
            json.dumps(sample(ORG, _NOW))
            .replace("user.account.update_profile", "group.user_membership.add")
            .encode(),
        ),
        words=(b'"published"', b'"target"', b'"9999-12-31T23:59:59-23:59"', b'"0001-01-01T00:00:00+23:59"'),
        shape="json",
    ),
    Target(
        "requests",
        _requests,
        (RefusedError,),
        (
            b'sync\n{"users": ["ada@example.com"], "groups": [], "full": false, "allow": {"deactivations": 4}}',
            b'link\n{"group": "Crew", "target": "Deck", "allow": {}, "seen": null}',
            b'approve\n{"changes": [{"kind": "create_user"}]}',
            b'ended\n{"document": {"schema": "syncd.run/1"}, "exit_code": 0, "said": []}',
        ),
        words=(
            b"null",
            b"true",
            b"NaN",
            b"-1",
            b"unlink\n",
            b"relink\n",
            b"retry\n",
            b'"said": [{"message": ""}]',
        ),
    ),
    Target("dates", _dates, (), DATES, words=(*DATES, b"GMT", b"+9999", b":", b"-", b"9999")),
    Target(
        "links", _links, (), LINKS, words=(*LINKS, b"; ", b'rel="next"', b"<", b">", b'title="', b"\\", b", ")
    ),
    Target(
        "redacting",
        _redacting,
        (),
        (b"Bearer 00abcDEF-secret-token-value-123456", b"http://u:p@h/", b"-----BEGIN RSA PRIVATE KEY-----"),
        words=(
            b"%25",
            b"\\u00",
            b"&amp;",
            b"://",
            b"Bearer ",
            b"eyJ",
            b".",
            b"SSWS ",
            b":" * 4000,
            b"client_secret=",
        ),
    ),
)
