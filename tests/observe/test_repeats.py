"""Lines of one kind: at most once a minute, with a count."""

from __future__ import annotations

import json
import logging
import weakref

from syncd.observe.logs import Logs
from syncd.observe.repeats import EVERY, Repeats, kind_of
from syncd.redact import Redactor


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def sparing() -> tuple[Logs, list[dict[str, object]], Clock]:
    said: list[dict[str, object]] = []
    clock = Clock()
    logs = Logs(
        Redactor(),
        level="info",
        form="json",
        write=lambda text: said.extend(json.loads(line) for line in text.splitlines()),
        repeats=Repeats(),
        monotonic=clock,
    )
    return logs, said, clock


def test_a_line_that_comes_a_thousand_times_is_said_once_and_counted_when_the_minute_is_over() -> None:
    logs, said, clock = sparing()
    with logs:
        for number in range(1000):
            logs.event("error", "no descriptor is free", error=f"[Errno 24] of connection {number}")
            clock.now += 0.05
            logs.say_repeated()
        assert len(said) == 1
        clock.now += EVERY
        logs.say_repeated()
        assert [line.get("repeated") for line in said] == [None, 999]
        assert said[1]["error"] == "[Errno 24] of connection 999", "the last of them"
        clock.now += EVERY
        logs.say_repeated()
        logs.event("error", "no descriptor is free", error="[Errno 24] of connection 5")
    assert [line.get("repeated") for line in said] == [None, 999, None]


def test_while_it_goes_on_it_is_a_line_a_minute_whoever_asks() -> None:
    logs, said, clock = sparing()
    with logs:
        for _ in range(600):
            logs.event("warning", "the status server is full")
            clock.now += 1.0
    assert len(said) == 11
    assert sum(int(str(line.get("repeated", 1))) for line in said) == 600


def test_what_was_left_out_is_said_at_the_end() -> None:
    logs, said, _ = sparing()
    with logs:
        for _ in range(3):
            logs.event("warning", "not sent")
    assert [line.get("repeated") for line in said] == [None, 2]


def test_after_a_person_asked_for_a_reload_everything_is_said_again() -> None:
    logs, said, _ = sparing()
    with logs:
        logs.event("error", "settings not reloaded", error="no such key")
        logs.forget_repeated()
        logs.event("error", "settings not reloaded", error="no such key")
    assert len(said) == 2


def test_what_third_parties_log_is_told_apart_by_its_words_not_by_addresses_and_numbers() -> None:
    logs, said, _ = sparing()
    asyncio = logging.getLogger("asyncio")
    with logs:
        for number in range(50):
            try:
                raise OSError(24, "Too many open files", f"socket {number}")  # noqa: TRY301
            except OSError:
                asyncio.exception("Exception in callback <Handle at 0x%x> fd=%d", 2**40 + number, number)
        asyncio.error("Task was destroyed but it is pending!")
        assert len(said) == 2


def test_an_exception_that_is_left_out_keeps_nothing_alive() -> None:
    class Held(Exception):  # noqa: N818
        """With all that its frames hold: files, sockets."""

    gone: list[object] = []
    logs, _, _ = sparing()
    with logs:
        for _ in range(2):
            error = Held("once more")
            gone.append(weakref.ref(error))
            logs.event("error", "failed", exc_info=error)
            del error
        assert [one() for one in gone] == [None, None]  # type: ignore[operator]


def test_what_was_done_is_never_left_out() -> None:
    logs, said, _ = sparing()
    with logs:
        for number in range(300):
            who = f"p{number:03}@example.com"
            logs.event("info", "applied", kind="create_user", object=who, run="r-1")
            logs.event("warning", "not applied", kind="create_user", object=who, error="500")
    assert len(said) == 600


def test_a_wait_is_of_one_kind_however_long_and_the_same_failure_in_the_next_run_too() -> None:
    def kind(level: str, event: str, **fields: object) -> object:
        return kind_of({"level": level, "event": event, **fields})

    assert kind("info", "waiting for Okta", seconds=1.5, reason="429, 3 s") == kind(
        "info", "waiting for Okta", seconds=9.0, reason="429, 12 s"
    )
    assert kind("warning", "not applied", object="a", run="1") == kind(
        "warning", "not applied", object="a", run="2"
    )
    assert kind("info", "cycle done", cycle="full", run="1") != kind(
        "info", "cycle done", cycle="full", run="2"
    )
    assert kind("error", "cycle failed", connection="a1") != kind("error", "cycle failed", connection="a2")
    assert kind("error", "x", error="refused") != kind("error", "x", error="timeout")


def test_many_kinds_are_not_remembered_for_ever_and_none_is_lost() -> None:
    repeats = Repeats()
    count = 0
    for number in range(5000):
        for _ in range(2):
            count += repeats.admits({"level": "error", "event": "e", "object": str(number)}, 1.0)
        count += len(repeats.due(1.0))
    assert len(repeats._kinds) <= 1001
    assert count + len(repeats.begin_anew()) == 10_000


def test_a_log_for_a_person_who_waits_for_it_leaves_nothing_out() -> None:
    written: list[str] = []
    with Logs(Redactor(), level="info", form="text", write=written.append) as logs:
        for _ in range(5):
            logs.event("warning", "retrying")
    assert len(written) == 5
