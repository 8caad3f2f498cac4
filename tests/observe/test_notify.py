"""Notifications leave through Apprise to a real receiver on loopback; what was said is in a real store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from syncd.core.change import ChangeKind
from syncd.core.plan import Hold
from syncd.core.sickness import KEY, Quarantine
from syncd.errors import PermanentError
from syncd.observe.logs import Logs
from syncd.observe.notices import Notice
from syncd.observe.notify import Notifier
from syncd.ports import Store
from syncd.redact import Redactor
from syncd.settings import ConnectionSettings
from syncd.store import SqliteStore
from tests.observe.receiving import SECRET, Receiver, receiver
from tests.settings.making import MINIMAL, settings
from tests.store.making import Clock, Place, apply, change

first = pytest.fixture(name="hook")(receiver)
second = pytest.fixture(name="other")(receiver)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "state" / "prod.db")


@pytest.fixture
def store(place: Place) -> Iterator[SqliteStore]:
    with place.open() as made:
        yield made


@pytest.fixture
def clock(place: Place) -> Clock:
    return place.clock


def told(*urls: str, more: str = "") -> tuple[ConnectionSettings, dict[str, str]]:
    environ = {f"HOOK{number}": url for number, url in enumerate(urls)}
    listed = ", ".join(f'{{ env = "{name}" }}' for name in environ)
    return settings(f"{MINIMAL}{more}\n[notify]\nurls = [{listed}]\n", environ), environ


def cycle(notifier: Notifier, store: SqliteStore, clock: Clock, status: str = "failed") -> None:
    """One journalled delta."""
    run = store.begin_run("delta")
    store.finish_run(run, status=status, summary={}, error=None)
    clock.advance(timedelta(seconds=30))
    error = "Okta answers 503 for page 2" if status == "failed" else ""
    notifier.after_cycle(store, clock.now, kind="delta", status=status, error=error)


def test_okta_down_for_a_day_is_one_notification_and_one_recovery_across_restarts(
    hook: Receiver, place: Place, clock: Clock
) -> None:
    made, _ = told(hook.url)
    for _ in range(24):
        with place.open() as store:
            notifier = Notifier(made, Redactor())
            for _ in range(3):
                cycle(notifier, store, clock)
            clock.advance(timedelta(hours=1))
    with place.open() as store:
        for _ in range(3):
            Notifier(made, Redactor()).after_cycle(store, clock.now, kind="delta", status="quiet", error="")
    assert hook.titles() == ["cycles fail", "well again"]
    assert "Okta answers 503 for page 2" in hook.got[0]["message"]
    assert (hook.got[0]["type"], hook.got[1]["type"]) == ("failure", "success")


def test_a_target_that_is_down_for_a_day_is_one_notification_and_one_recovery(
    hook: Receiver, store: SqliteStore, clock: Clock
) -> None:
    notifier = Notifier(told(hook.url)[0], Redactor())
    for hour in range(24):
        sick = Quarantine("split", "the target answers 502 to everything", clock.now, clock.now, hour)
        store.remember(KEY, json.dumps(sick.document()))
        cycle(notifier, store, clock)
        clock.advance(timedelta(hours=1))
    store.remember(KEY, None)
    cycle(notifier, store, clock, "succeeded")
    cycle(notifier, store, clock, "succeeded")
    assert hook.titles() == ["quarantined", "well again"]


def test_a_hold_is_told_once_with_its_id(hook: Receiver, store: SqliteStore, clock: Clock) -> None:
    notifier = Notifier(told(hook.url)[0], Redactor())
    leavers = [change(ChangeKind.DEACTIVATE_USER, f"00u-{n}", active=False) for n in range(12)]
    reason = "12 users would be removed; the limit is 10"
    hold = Hold("h-4711", "deactivations", reason, "approve it", {}, len(leavers))
    for _ in range(3):
        store.raise_holds([(hold, leavers)], whole=True)
        cycle(notifier, store, clock, "refused")
    assert hook.titles() == ["12 changes held"]
    assert "h-4711: 12 changes. 12 users would be removed" in hook.got[0]["message"]


def test_an_object_that_keeps_failing_is_told_after_its_second_failure(
    hook: Receiver, store: SqliteStore, clock: Clock
) -> None:
    notifier = Notifier(told(hook.url)[0], Redactor())
    ann = change(ChangeKind.CREATE_USER, "00u-ann", userName="ann")
    for _ in range(3):
        apply(store, ann, error="409: the name is taken")
        cycle(notifier, store, clock, "partial")
        clock.advance(timedelta(hours=1))
    apply(store, ann)
    cycle(notifier, store, clock, "succeeded")
    assert hook.titles() == ["objects keep failing", "objects well again"]


def test_the_end_of_the_token_is_told_by_the_date_in_the_settings(
    hook: Receiver, store: SqliteStore, clock: Clock
) -> None:
    created = clock.now.date() - timedelta(days=360)
    text = MINIMAL + f"token_created = {created}\n[notify]\nurls = [{{ env = 'HOOK' }}]\n"
    notifier = Notifier(settings(text, {"HOOK": hook.url}), Redactor())
    for _ in range(3):
        notifier.after_cycle(store, clock.now, kind="delta", status="quiet", error="")
    assert hook.titles() == ["Split token expires"]
    assert "expires in 5 days" in hook.got[0]["message"]


def test_what_cannot_be_sent_is_a_warning_and_is_sent_later_once(
    hook: Receiver, other: Receiver, store: SqliteStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    made, _ = told(hook.url, other.url)
    hook.answer = 500
    notifier = Notifier(made, Redactor())
    for _ in range(4):
        cycle(notifier, store, clock)
    assert (hook.titles(), other.titles()) == ([], ["cycles fail"])
    assert any("notify.urls[0]: the notification could not be sent" in line for line in caplog.messages)
    hook.answer = 200
    clock.advance(timedelta(minutes=30))
    cycle(Notifier(made, Redactor()), store, clock)
    cycle(Notifier(made, Redactor()), store, clock)
    assert (hook.titles(), other.titles()) == (["cycles fail"], ["cycles fail"])


def test_a_receiver_that_never_answers_well_is_given_up_after_a_day(
    hook: Receiver, store: SqliteStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    hook.answer = 500
    notifier = Notifier(told(hook.url)[0], Redactor())
    for _ in range(30):
        cycle(notifier, store, clock)
        clock.advance(timedelta(hours=1))
    assert any("given up after a day" in line for line in caplog.messages)
    tried = sum("could not be sent" in line for line in caplog.messages)
    assert 5 < tried < 20, "less and less often"
    hook.answer = 200
    clock.advance(timedelta(days=2))
    cycle(notifier, store, clock)
    assert hook.got == []


def test_the_url_is_a_secret_that_is_read_anew_and_never_logged(
    hook: Receiver, other: Receiver, store: SqliteStore, clock: Clock
) -> None:
    redactor, lines = Redactor(), list[str]()
    made, environ = told(hook.url)
    notifier = Notifier(made, redactor)
    hook.answer = 404
    with Logs(Redactor(), level="debug", write=lines.append):  # one that knows no secret and masks nothing
        cycle(notifier, store, clock)
        cycle(notifier, store, clock)
        assert redactor.text(f"sent to {hook.url}") == "sent to [redacted]"
        for unusable in ("", f"nonsense://{SECRET}", f"json://{SECRET}:bad@:/"):
            environ["HOOK0"] = unusable
            clock.advance(timedelta(hours=1))
            cycle(notifier, store, clock)
        environ["HOOK0"] = other.url
        clock.advance(timedelta(hours=1))
        cycle(notifier, store, clock)
    assert other.titles() == ["cycles fail"]
    said = "".join(lines)
    assert said.count("notify.urls[0]: ") == 4
    kept = [store.recall(key) or "" for key in ("notified:told", "notified:unsent")]
    assert SECRET not in said + "".join(kept)


def test_a_redirect_is_not_followed(hook: Receiver, store: SqliteStore, clock: Clock) -> None:
    hook.answer = 307
    notifier = Notifier(told(hook.url)[0], Redactor())
    cycle(notifier, store, clock)
    cycle(notifier, store, clock)
    assert hook.got == []
    assert "cycles fail" in (store.recall("notified:unsent") or "")


def test_an_error_with_a_token_in_it_is_sent_without_it(
    hook: Receiver, store: SqliteStore, clock: Clock
) -> None:
    notifier = Notifier(told(hook.url)[0], Redactor(["tOkEn-4711"]))
    for _ in range(2):
        notifier.after_cycle(
            store, clock.now, kind="delta", status="failed", error="GET /x?t=tOkEn-4711 <b>failed</b>"
        )
    assert "GET /x?t=[redacted] \u2039b\u203afailed" in hook.got[0]["message"]


class FullDisk(SqliteStore):
    """A store that reads and does not write any more."""

    def remember(self, key: str, value: str | None) -> None:
        raise PermanentError("the disk is full")


def test_a_store_that_takes_nothing_makes_no_flood(hook: Receiver, place: Place, clock: Clock) -> None:
    notifier = Notifier(told(hook.url)[0], Redactor())
    with place.open() as store:
        store.__class__ = FullDisk
        for _ in range(5):
            notifier.after_cycle(store, clock.now, kind="delta", status="failed", error="the disk is full")
    with place.open() as store:
        notifier.after_cycle(store, clock.now, kind="delta", status="failed", error="the disk is full")
        assert store.recall("notified:told") is not None
    assert hook.titles() == ["cycles fail"]


def test_it_never_raises_whatever_the_store_does(hook: Receiver, place: Place, clock: Clock) -> None:
    store = place.open()
    store.close()
    Notifier(told(hook.url)[0], Redactor()).after_cycle(
        store, clock.now, kind="delta", status="failed", error=""
    )
    assert hook.got == []


def test_without_urls_nothing_is_read_or_remembered(store: SqliteStore, clock: Clock) -> None:
    notifier = Notifier(settings(), Redactor())
    cycle(notifier, store, clock)
    cycle(notifier, store, clock)
    assert store.recall("notified:told") is None


# the daily summary


DAILY = """daily = "08:00 UTC"
"""


def summarised(store: Store, settings: ConnectionSettings, now: datetime) -> Notice:
    return Notice(
        "info", f"syncd {settings.name}: daily summary", f"made at {now:%d %H:%M}, {len(store.runs())} runs"
    )


def daily(hook: Receiver) -> ConnectionSettings:
    return settings(f'{MINIMAL}\n[notify]\nurls = [{{ env = "HOOK" }}]\n{DAILY}', {"HOOK": hook.url})


def quiet(made: ConnectionSettings, store: SqliteStore, clock: Clock) -> None:
    """A cycle of a process that has just begun."""
    notifier = Notifier(made, Redactor(), summarised)
    notifier.after_cycle(store, clock.now, kind="delta", status="quiet", error="")


def test_a_summary_is_sent_once_a_day_also_across_restarts(
    hook: Receiver, place: Place, clock: Clock
) -> None:
    made = daily(hook)
    for _ in range(48):  # from noon on, two days
        with place.open() as store:
            quiet(made, store, clock)
            quiet(made, store, clock)
        clock.advance(timedelta(hours=1))

    assert hook.titles() == ["daily summary", "daily summary"]
    assert [one["message"] for one in hook.got] == ["made at 02 08:00, 0 runs", "made at 03 08:00, 0 runs"]


def test_it_begins_with_the_next_time_and_after_days_without_syncd_one_comes(
    hook: Receiver, store: SqliteStore, clock: Clock
) -> None:
    made = daily(hook)
    quiet(made, store, clock)
    assert hook.got == []

    clock.advance(timedelta(days=3))
    quiet(made, store, clock)
    quiet(made, store, clock)

    assert hook.titles() == ["daily summary"]


def test_a_summary_that_cannot_be_sent_is_sent_later_and_not_made_again(
    hook: Receiver, store: SqliteStore, clock: Clock
) -> None:
    made = daily(hook)
    quiet(made, store, clock)
    hook.answer = 500
    clock.advance(timedelta(hours=20))
    quiet(made, store, clock)
    hook.answer = 200
    clock.advance(timedelta(minutes=5))
    quiet(made, store, clock)

    assert [one["message"] for one in hook.got] == ["made at 02 08:00, 0 runs"]


def test_without_the_setting_there_is_none(hook: Receiver, store: SqliteStore, clock: Clock) -> None:
    made = told(hook.url)[0]
    for _ in range(3):
        quiet(made, store, clock)
        clock.advance(timedelta(days=1))
    assert hook.got == []


def test_one_that_cannot_be_made_says_so(hook: Receiver, store: SqliteStore, clock: Clock) -> None:
    def broken(*_: object) -> Notice:
        raise PermanentError("the store is damaged")

    for _ in range(2):
        Notifier(daily(hook), Redactor(), broken).after_cycle(
            store, clock.now, kind="delta", status="quiet", error=""
        )
        clock.advance(timedelta(days=1))
    assert "the store is damaged" in hook.got[0]["message"]
