"""The daily summary: proof of life, with numbers; who is left out comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from syncd.answers.status import status
from syncd.core.counting import counted
from syncd.core.drift_news import tally
from syncd.engine.facts import LAST_DRIFT
from syncd.observe.notices import Notice, plain
from syncd.ports import Store
from syncd.ports.history import Reach
from syncd.report.text import done_words
from syncd.settings import ConnectionSettings

_DAY = timedelta(days=1)
_NAMED = 5


def daily_summary(store: Store, settings: ConnectionSettings, now: datetime) -> Notice:
    """Of the 24 hours before `now`, from the store alone. Raises SyncdError when that cannot be read."""
    document = status(store, settings, now)
    applied: dict[str, int] = {}
    for one in store.change_counts(Reach(since=now - _DAY)):
        if one.result == "applied":
            applied[one.kind] = applied.get(one.kind, 0) + one.count
    lines = [
        *_left_out(document["left_out"]),
        *_troubles(document),
        *_numbers(document, applied),
        _drift(store),
    ]
    calm = not (
        document["left_out"]["count"] or document["held"] or document["failing"] or document["quarantine"]
    )
    title = f"syncd {settings.name}: daily summary"
    return Notice("info" if calm else "warning", title, "\n".join(line for line in lines if line))


def _left_out(left_out: Mapping[str, Any]) -> Sequence[str]:
    count = int(left_out["count"])
    if not count:
        return ["Nobody is left out."]
    named = [f"- {plain(item['object'])}: {plain(item['reason'])}" for item in left_out["items"][:_NAMED]]
    more = [f"- and {count - len(named):,} more"] if count > len(named) else []
    return [f"{count:,} left out:", *named, *more]


def _troubles(document: Mapping[str, Any]) -> Sequence[str]:
    found = []
    if document["quarantine"]:
        found.append("The connection is quarantined: nothing is written (syncd status).")
    if document["held"]:
        changes = sum(hold["changes"] for hold in document["held"])
        found.append(
            f"Held: {counted(changes, 'change')} in {counted(len(document['held']), 'hold')} (syncd held)."
        )
    if document["failing"]:
        found.append(f"Failing: {counted(len(document['failing']), 'object')} (syncd status).")
    return found


def _numbers(document: Mapping[str, Any], applied: Mapping[str, int]) -> Sequence[str]:
    managed, age, token = document["managed"], document["last_complete_read_age_seconds"], document["token"]
    people = f"{counted(managed['users'], 'person', 'people')} ({managed['active_users']:,} active)"
    groups = f"{counted(managed['groups'], 'group')}, {counted(managed['memberships'], 'membership')}"
    read = "Okta was never read whole." if age is None else f"Okta was last read whole {_ago(int(age))}."
    return [
        f"In 24 hours: {done_words(applied) or 'nothing changed'}.",
        f"Managed: {people}, {groups}.",
        read,
        f"Split's token: {counted(token['expires_in_days'], 'day')} left." if token else "",
    ]


def _drift(store: Store) -> str:
    last = LAST_DRIFT.of(store, {})
    with suppress(LookupError, TypeError, AttributeError):  # somebody else wrote it
        return f"The last comparison with the target found {tally(last)}." if last else ""
    return ""


def _ago(seconds: int) -> str:
    if seconds < 2 * 3600:
        return f"{counted(seconds // 60, 'minute')} ago"
    return f"{counted(seconds // 3600, 'hour')} ago"
