"""Sends what people are to be told, through Apprise: its only door.

What is to be said is decided in notices.py. What was said, and what could not be sent yet, is remembered in the
store, so that a restart says nothing twice and loses nothing.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from syncd.core import drift_news
from syncd.core.safety import OF_ONE_GROUP
from syncd.core.sickness import KEY as QUARANTINE
from syncd.core.sickness import Quarantine
from syncd.core.token_age import TOKEN_LIVES, token_days_left
from syncd.core.whole_commands import whole
from syncd.errors import ConfigurationError, SyncdError
from syncd.observe.notices import Compared, Facts, Held, Memory, Notice, Severity, decide, plain
from syncd.ports import HoldRecord, Store
from syncd.redact import Redactor
from syncd.settings import ConnectionSettings

TOLD = "notified:told"
UNSENT = "notified:unsent"
DAILY = "notified:daily"
"""The time of the last summary, as notify.daily had it."""
FIRST_RETRY = timedelta(minutes=1)
SLOWEST_RETRY = timedelta(hours=6)
GIVEN_UP_AFTER = timedelta(days=1)
UNSENT_AT_MOST = 20

Summarise = Callable[[Store, ConnectionSettings, datetime], Notice]

_log = logging.getLogger("syncd.notify")


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice on its way; `to` are the places in notify.urls that still have to get it."""

    notice: Notice
    written: datetime
    to: tuple[int, ...]
    tries: int = 0
    next_try: datetime | None = None

    def document(self) -> dict[str, Any]:
        return {
            "severity": self.notice.severity,
            "title": self.notice.title,
            "text": self.notice.text,
            "written": self.written.isoformat(),
            "to": list(self.to),
            "tries": self.tries,
            "next_try": self.next_try.isoformat() if self.next_try else None,
        }

    @classmethod
    def read(cls, found: dict[str, Any]) -> Self:
        again = found["next_try"]
        return cls(
            notice=Notice(found["severity"], found["title"], found["text"]),
            written=datetime.fromisoformat(found["written"]),
            to=tuple(found["to"]),
            tries=found["tries"],
            next_try=datetime.fromisoformat(again) if again else None,
        )


class Notifier:
    """One connection's. Safe to call from several threads."""

    def __init__(
        self, settings: ConnectionSettings, redactor: Redactor, summarise: Summarise | None = None
    ) -> None:
        """`summarise` makes what is sent each day, where notify.daily asks for it."""
        self._settings = settings
        self._redactor = redactor
        self._summarise = summarise
        self._lock = threading.Lock()
        self._unsaved: dict[str, str | None] = {}
        """What the store could not take (a full disk): it must not be said twice for that."""

    def after_cycle(self, store: Store, now: datetime, *, kind: str, status: str, error: str) -> None:
        """Tells what is new after a cycle (or a "targeted" run) that ended quiet, succeeded, partial, refused or
        failed. Never raises.

        What cannot be sent is a logged warning, and is tried again after later cycles, for a day at most.
        """
        if not self._settings.notify.urls:
            return
        with self._lock:
            try:
                self._tell(store, now, kind, status, error)
            except Exception as problem:  # noqa: BLE001  (nobody's provisioning stops because of a notification)
                _log.warning(
                    "notifications failed: %s", self._redactor.text(f"{type(problem).__name__}: {problem}")
                )

    def _tell(self, store: Store, now: datetime, kind: str, status: str, error: str) -> None:
        facts = _facts(store, self._settings, now, kind, status, error)
        before = self._recall(store, TOLD)
        notices, memory = decide(self._settings.name, Memory.read(before), facts)
        summary = self._due_summary(store, now)
        notices += [] if summary is None else [summary]
        everybody = tuple(range(len(self._settings.notify.urls)))
        told = [
            self._redacted(replace(each, text=whole(each.text, self._settings.named))) for each in notices
        ]
        letters = [*self._unsent(store), *(Letter(each, now, everybody) for each in told)]
        # Before it is sent: dying in between may say it twice, but never loses it.
        self._keep(store, letters)
        if memory.text() != before or TOLD in self._unsaved:
            self._remember(store, TOLD, memory.text())
        if letters:
            self._keep(store, [left for letter in letters if (left := self._send(letter, now)) is not None])

    def _due_summary(self, store: Store, now: datetime) -> Notice | None:
        """Once for each day, whoever comes first after its time. The first time that is ever seen only begins it."""
        daily = self._settings.notify.daily
        if daily is None or self._summarise is None:
            return None
        last = daily.last(now).isoformat()
        told = self._recall(store, DAILY)
        if told == last:
            return None
        # First, so that a restart in between does not say it twice; what is not sent yet is kept by its letter.
        self._remember(store, DAILY, last)
        if told is None:
            return None
        try:
            return self._summarise(store, self._settings, now)
        except SyncdError as error:
            title = f"syncd {self._settings.name}: daily summary"
            return Notice(
                "warning", title, f"It could not be made: {plain(error.message)}. See: syncd doctor."
            )

    def _redacted(self, notice: Notice) -> Notice:
        clean = self._redactor.text
        return replace(notice, title=clean(notice.title), text=clean(notice.text))

    def _send(self, letter: Letter, now: datetime) -> Letter | None:
        """The letter as far as it is still to be sent, None when that is over."""
        if letter.next_try is not None and now < letter.next_try <= now + SLOWEST_RETRY:
            return letter
        urls = self._settings.notify.urls
        left = tuple(
            place for place in letter.to if place < len(urls) and not self._sent(place, letter.notice)
        )
        if not left:
            return None
        if now - letter.written >= GIVEN_UP_AFTER:
            _log.error("a notification was given up after a day: %s", letter.notice.title)
            return None
        wait = min(FIRST_RETRY * 2 ** min(letter.tries, 10), SLOWEST_RETRY)
        return replace(letter, to=left, tries=letter.tries + 1, next_try=now + wait)

    def _sent(self, place: int, notice: Notice) -> bool:
        try:
            url = self._settings.notify.urls[place].read()
        except ConfigurationError as error:
            _log.warning("notify.urls[%d]: %s", place, error.message)
            return False
        self._redactor.add(url)
        try:
            if deliver(url, notice):
                return True
            why = "to see why, run: apprise -vv -b test URL"
        except Exception as problem:  # noqa: BLE001  (a hundred services, each with its own code)
            why = type(problem).__name__  # its text may hold parts of the URL
        _log.warning("notify.urls[%d]: the notification could not be sent: %s; %s", place, notice.title, why)
        return False

    # what is remembered

    def _unsent(self, store: Store) -> Sequence[Letter]:
        try:
            return [Letter.read(found) for found in json.loads(self._recall(store, UNSENT) or "[]")]
        except (ValueError, TypeError, LookupError):
            return ()

    def _keep(self, store: Store, letters: Sequence[Letter]) -> None:
        documents = [letter.document() for letter in letters[-UNSENT_AT_MOST:]]
        self._remember(store, UNSENT, json.dumps(documents) if documents else None)

    def _recall(self, store: Store, key: str) -> str | None:
        return self._unsaved[key] if key in self._unsaved else store.recall(key)

    def _remember(self, store: Store, key: str, value: str | None) -> None:
        try:
            store.remember(key, value)
            self._unsaved.pop(key, None)
        except SyncdError as error:
            self._unsaved[key] = value
            _log.warning("what was notified could not be remembered: %s", error.message)


def deliver(url: str, notice: Notice) -> bool:
    """Sends plain text to one Apprise URL; False when that failed. Nothing of what Apprise logs is let through.

    It logs whole URLs, and they are secrets.
    """
    import apprise  # noqa: PLC0415  (a tenth of a second, and most processes never tell anything)

    silent = logging.getLogger("apprise")
    silent.propagate = False
    silent.addHandler(_NOBODY)
    asset = apprise.AppriseAsset(
        app_id="syncd", app_desc="syncd", app_url="", async_mode=False, storage_mode="memory"
    )
    # A redirect would carry the secret in the URL to another server.
    asset.http_redirects = False
    kinds: dict[Severity, apprise.NotifyType] = {
        "info": apprise.NotifyType.INFO,
        "success": apprise.NotifyType.SUCCESS,
        "warning": apprise.NotifyType.WARNING,
        "failure": apprise.NotifyType.FAILURE,
    }
    service = apprise.Apprise.instantiate(url, asset=asset)
    if not service:
        return False
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    return bool(
        sender.notify(
            title=notice.title,
            body=notice.text,
            notify_type=kinds[notice.severity],
            body_format=apprise.NotifyFormat.TEXT,
        )
    )


_NOBODY = logging.NullHandler()


# facts


def _facts(
    store: Store, settings: ConnectionSettings, now: datetime, kind: str, status: str, error: str
) -> Facts:
    created = settings.split.token_year_began
    return Facts(
        kind=kind,
        status=status,
        error=error,
        quarantine=_quarantine(store),
        # Reading the holds reads their changes, and a quiet cycle raises none.
        held=None if status == "quiet" else [_held(hold) for hold in store.holds()],
        left_out=None if status == "quiet" else store.waiting(),
        stuck=[failure.name for failure in store.failures() if failure.attempts > 1],
        drift=_compared(store) if kind == "drift" else None,
        token_created=created.isoformat() if created else None,
        token_days_left=token_days_left(created, now.date()) if created else TOKEN_LIVES,
    )


def _quarantine(store: Store) -> Quarantine | None:
    said = store.recall(QUARANTINE)
    with suppress(ValueError, LookupError, TypeError):
        return None if said is None else Quarantine.read(said)
    return None


def _compared(store: Store) -> Compared | None:
    """What the comparison that has just ended found; None when it cannot be read."""
    said = store.recall(drift_news.KEY)
    with suppress(ValueError, LookupError, TypeError, AttributeError):
        if said is not None:
            document = json.loads(said)
            complete = document["complete"] is not False
            left = {**document, "items": drift_news.left_of(document)}
            found = drift_news.news_of(left)
            kept = {each.key for each in found}
            back = [each for each in drift_news.news_of(document) if each.key not in kept]
            return Compared(found, complete, back)
    return None


def _held(hold: HoldRecord) -> Held:
    """The id of a hold is a digest of its changes; what it is about is its check, and for some checks its group."""
    groups = {change.group_id for change in hold.changes if change.group_id is not None}
    one_group = hold.check in OF_ONE_GROUP and len(groups) == 1
    key = f"{hold.check}:{groups.pop()}" if one_group else hold.check
    return Held(key, hold.id, hold.reason, len(hold.changes))
