"""Carrying out faults on answers: everything that can be said about a Reply before it becomes bytes."""

import copy
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from typing import Any

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.faults import FaultRule

# Answers that stand in for the real one, which is not even computed unless the rule is `after_effect`.
REPLACING = frozenset(
    {"status", "empty", "html", "text", "drop", "rate_limit", "endless", "oversized", "redirect"}
)

_HTML = "<html><head><title>{0}</title></head><body><h1>{0} Bad Gateway</h1><hr>nginx</body></html>"
_NEXT = re.compile(r'<([^>]*)>(;\s*rel="next")')

ErrorBody = Callable[[int, str | None, str | None], Reply]


def replacement(rule: FaultRule, error: ErrorBody, now: float) -> Reply:
    """The answer of a rule whose action is in REPLACING and needs no socket. `error` writes error bodies
    as the product does; `now` is epoch seconds.
    """
    options = rule.options
    if rule.action == "status":
        reply = error(int(options.get("status", 500)), options.get("code"), options.get("summary"))
        return reply.with_headers(*dict(options.get("headers", {})).items())
    if rule.action == "empty":
        return Reply(int(options.get("status", 500)), content_type=options.get("content_type"), text="")
    if rule.action == "html":
        status = int(options.get("status", 502))
        return Reply(status, text=_HTML.format(status), content_type="text/html")
    if rule.action == "text":
        kind = options.get("content_type", "text/plain")
        return Reply(int(options.get("status", 500)), text=options.get("body", "failed"), content_type=kind)
    if rule.action == "redirect":
        moved = Reply(int(options.get("status", 307)), text="", content_type=None)
        return moved.with_headers(("Location", options["location"]))
    if rule.action == "oversized":
        return Reply(200, text="[" + " " * int(options.get("bytes", 64 * 1024 * 1024)) + "]")
    return _rate_limit(rule, error, now)


def _rate_limit(rule: FaultRule, error: ErrorBody, now: float) -> Reply:
    seconds = rule.options.get("seconds", 1)
    form = rule.options.get("form", "okta")
    reply = error(403 if form == "forbidden" else 429, None, None).without_headers(
        "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"
    )
    okta = (("X-Rate-Limit-Limit", "600"), ("X-Rate-Limit-Remaining", "0"))
    if form == "okta":
        return reply.with_headers(*okta, ("X-Rate-Limit-Reset", str(int(now + seconds))))
    if form == "no_reset":
        return reply.with_headers(*okta)
    if form == "reset_past":
        return reply.with_headers(*okta, ("X-Rate-Limit-Reset", str(int(now - 30))))
    if form == "concurrency":
        zeros = (("X-Rate-Limit-Limit", "0"), ("X-Rate-Limit-Remaining", "0"))
        return reply.with_headers(*zeros, ("X-Rate-Limit-Reset", str(int(now + seconds))))
    if form in ("retry_after_seconds", "forbidden"):
        return reply.with_headers(("Retry-After", str(seconds)))
    if form == "retry_after_date":
        return reply.with_headers(("Retry-After", formatdate(now + seconds, usegmt=True)))
    if form == "x_retry_after":
        return reply.with_headers(("x-retry-after", str(seconds)))
    if form == "split_reset":
        return reply.with_headers(
            ("X-RateLimit-Remaining-Org", "0"),
            ("X-RateLimit-Remaining-IP", "10"),
            ("X-RateLimit-Reset-Seconds-Org", str(rule.options.get("org", seconds))),
            ("X-RateLimit-Reset-Seconds-IP", str(rule.options.get("ip", 0))),
        )
    return reply


class Distortion:
    """Spoils a real answer. Keeps the last page of each path, for `repeat_page`."""

    def __init__(self) -> None:
        self._pages: dict[str, Any] = {}

    def remember(self, call: Call, reply: Reply) -> None:
        """Notes the page served for a path, so that it can be served again in place of the next one."""
        if reply.status == 200 and reply.payload is not None:
            self._pages[call.path.partition("?")[0]] = reply.payload

    def forget(self) -> None:
        """Drops the remembered pages."""
        self._pages.clear()

    def apply(self, rule: FaultRule, call: Call, reply: Reply) -> Reply:
        """The answer after one of the distorting actions; anything else is returned as it is."""
        options = rule.options
        match rule.action:
            case "truncated":
                body = reply.body().decode()
                return replace(reply, text=body[: max(1, len(body) * 2 // 3)], payload=None)
            case "wrong_type":
                wrong = {"records": reply.payload} if isinstance(reply.payload, list) else [reply.payload]
                return replace(reply, payload=wrong)
            case "next_origin" | "next_repeats":
                return _relink(reply, call, options.get("origin"))
            case "repeat_page":
                last = self._pages.get(call.path.partition("?")[0])
                return reply if last is None else replace(reply, payload=last)
            case "headers":
                kept = reply.without_headers(*options.get("remove", ()), *options.get("set", {}))
                return kept.with_headers(
                    *((name, str(value)) for name, value in options.get("set", {}).items())
                )
            case "empty_page" | "set_field" | "remove_field" | "omit_record" | "repeat_record":
                return replace(reply, payload=_edited(rule, reply.payload))
            case _:
                return reply


def _relink(reply: Reply, call: Call, origin: str | None) -> Reply:
    """Makes `next` point to another origin, or to this very page; adds one where there was none."""
    here = f"{call.origin}{call.path}"
    links = [value for name, value in reply.headers if name.lower() == "link"]
    if not any(_NEXT.search(value) for value in links):
        links.append(f'<{here}>; rel="next"')
    if origin is None:
        changed = [_NEXT.sub(lambda m: f"<{here}>{m[2]}", value) for value in links]
    else:
        changed = [
            _NEXT.sub(lambda m: f"<{m[1].replace(call.origin, origin.rstrip('/'), 1)}>{m[2]}", value)
            for value in links
        ]
    return reply.without_headers("link").with_headers(*(("link", value) for value in changed))


def _edited(rule: FaultRule, payload: Any) -> Any:
    """A copy of a page (a list, or a ListResponse) or of one record with one record spoiled."""
    payload = copy.deepcopy(payload)
    records = (
        payload
        if isinstance(payload, list)
        else payload.get("Resources")
        if isinstance(payload, dict)
        else None
    )
    index = int(rule.options.get("index", 0))
    if records is None:
        records, index = [payload], 0
    if rule.action == "empty_page":
        records.clear()
    elif rule.action == "omit_record" and "id" in rule.options:
        records[:] = [record for record in records if record.get("id") != rule.options["id"]]
    elif -len(records) <= index < len(records):
        if rule.action == "omit_record":
            del records[index]
        elif rule.action == "repeat_record":
            records.append(records[index])
        else:
            _edit_field(rule, records[index])
    return payload


def _edit_field(rule: FaultRule, record: Any) -> None:
    *parents, last = str(rule.options.get("field", "id")).split(".")
    for name in parents:
        record = record.setdefault(name, {}) if isinstance(record, dict) else {}
    if not isinstance(record, dict):
        return
    if rule.action == "set_field":
        record[last] = json.loads(json.dumps(rule.options["value"]))
    else:
        record.pop(last, None)


def epoch() -> float:
    """Seconds since 1970, the clock of reset headers."""
    return time.time()
