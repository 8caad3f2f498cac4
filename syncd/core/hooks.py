"""What a POST of an Okta event hook names. Pure: a body in, names out.

A hook is not signed (Okta, "Event hooks": a static secret in a header), so it is trusted less than the System Log. It
names people and groups to be read again, and nothing else: it is no witness of a departure, it never asks for a read of
everything, and no value in it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from syncd.core.foreign_json import read_json
from syncd.core.moments import moment
from syncd.core.nomination import Known, is_leaving, nominate
from syncd.model import LogEvent

BODY_AT_MOST = 1024 * 1024
"""Bytes of one POST."""
EVENTS_AT_MOST = 1000
"""Events of one POST; Okta puts together what happens within a moment."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TARGETS_AT_MOST = 100
_HOOK = "com.okta.event_hook"

TICKED = (
    "application.user_membership.add",
    "application.user_membership.remove",
    "application.user_membership.update",
    "user.lifecycle.activate",
    "user.lifecycle.create",
    "user.lifecycle.deactivate",
    "user.lifecycle.delete.initiated",
    "user.lifecycle.reactivate",
    "user.lifecycle.suspend",
    "user.lifecycle.unsuspend",
    "user.account.update_profile",
    "group.user_membership.add",
    "group.user_membership.remove",
    "group.lifecycle.create",
    "group.lifecycle.delete",
    "group.profile.update",
    "app.user_management",
    "app.user_management.user_group_import.upsert_success",
    "application.provision.user.import_profile",
    "application.provision.user.push",
    "application.provision.user.push_profile",
    "application.provision.user.reactivate",
    "application.provision.user.sync",
    "system.import.group.create",
    "system.import.group.delete",
)
"""The event types to tick: those that may be sent by a hook (Okta, Event types, tag `event-hook-eligible`, 2026.05) and
that name somebody or a group by `nomination.KINDS`. What only a full read answers is left to the System Log.
"""
_TICKED = frozenset(TICKED)

SAMPLE = "syncd-hook-test"
"""uuid of what `syncd hook test` posts: it names nobody, and is no sign that Okta sends anything."""

Key = tuple[str, str]
"""What was named: "user" or "group", and its Okta id."""


class NotAHook(ValueError):  # noqa: N818  (what was posted)
    """The body is none that Okta sends to this org. Its text names no content."""


@dataclass(frozen=True, slots=True)
class HookNamed:
    """Why an object is to be looked at: the newest event about it, and whether one says that somebody lost access.
    `first` is when the oldest of them happened.
    """

    published: datetime
    first: datetime
    leaving: bool = False

    def and_also(self, other: HookNamed) -> HookNamed:
        """What two events say together."""
        return HookNamed(
            max(self.published, other.published), min(self.first, other.first), self.leaving or other.leaving
        )


def org_key(org_url: str) -> str:
    """The org in the path of its listener: `/okta/KEY`."""
    return urlsplit(org_url).netloc.lower().replace(":", "_")


def read_events(content: bytes, *org_urls: str) -> Sequence[LogEvent]:
    """The events of one POST, without those of a kind that is none of `TICKED`. `org_urls`: the addresses of the org
    that it may come from. Raises NotAHook.

    A record that cannot be understood costs only itself. `content` is bounded by the caller.
    """
    try:
        body = read_json(content)
    except ValueError:
        raise NotAHook("the body is no JSON, or nested too deeply") from None
    if not isinstance(body, dict) or body.get("eventType") != _HOOK:
        raise NotAHook("the body is no event hook")
    if not any(_is_of(body.get("source"), url) for url in org_urls):
        raise NotAHook("the event hook is of another org")
    data = body.get("data")
    events = data.get("events") if isinstance(data, dict) else None
    if not isinstance(events, list):
        raise NotAHook("the event hook has no list of events")
    if len(events) > EVENTS_AT_MOST:
        raise NotAHook("the event hook has too many events")
    return [event for record in events if (event := _event(record)) is not None]


def _is_of(source: object, org_url: str) -> bool:
    return isinstance(source, str) and source.lower().startswith(f"{org_url.lower().rstrip('/')}/api/")


def _event(record: object) -> LogEvent | None:
    if not isinstance(record, dict):
        return None
    kind, uuid, targets = record.get("eventType"), record.get("uuid"), record.get("target")
    if not isinstance(kind, str) or kind not in _TICKED or not isinstance(targets, list):
        return None
    named = [
        (str(target["type"]), str(target["id"]))
        for target in targets[:_TARGETS_AT_MOST]
        if isinstance(target, dict) and _fits(target.get("id"), _ID) and _fits(target.get("type"), _TYPE)
    ]
    return LogEvent(str(uuid) if _fits(uuid, _ID) else "", kind, named, moment(record.get("published")))


_TYPE = re.compile(r"[A-Za-z_]{1,64}")


def _fits(text: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def sample(org_url: str, now: datetime) -> Mapping[str, object]:
    """A body as Okta sends it, about nobody."""
    stamp = now.isoformat(timespec="milliseconds")
    event = {
        "uuid": SAMPLE,
        "published": stamp,
        "eventType": "user.account.update_profile",
        "target": [{"type": "User", "id": SAMPLE}],
    }
    return {
        "eventType": _HOOK,
        "eventTypeVersion": "1.0",
        "cloudEventsVersion": "0.1",
        "source": f"{org_url}/api/v1/eventHooks/{SAMPLE}",
        "eventId": SAMPLE,
        "eventTime": stamp,
        "contentType": "application/json",
        "data": {"events": [event]},
    }


def is_ticked(kind: str) -> bool:
    """Whether a hook brings such an event."""
    return kind in _TICKED


def strangers_among(names: Iterable[Key], known: Known) -> frozenset[Key]:
    """Those whom nobody knows: made up, not in the app, or new."""
    return frozenset(
        (kind, okta_id)
        for kind, okta_id in names
        if not (known.user(okta_id) if kind == "user" else known.group(okta_id))
    )


def names_of(events: Iterable[LogEvent], known: Known, now: datetime) -> Mapping[Key, HookNamed]:
    """Who and what of a connection these events name. An event without a time, or of the future, is of `now`."""
    found: dict[Key, HookNamed] = {}
    for event in events:
        named = nominate([event], known)
        published = min(event.published or now, now)
        name = HookNamed(published, published, is_leaving(event.kind))
        for key in (*(("user", each) for each in named.users), *(("group", each) for each in named.groups)):
            found[key] = found[key].and_also(name) if key in found else name
    return found
