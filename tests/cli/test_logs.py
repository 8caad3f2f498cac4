"""Logs, progress and console: redacted, harmless, and on the right stream."""

from __future__ import annotations

import io
import json
import logging
import signal
import sys
import threading
import warnings

import pytest

from syncd.cli.console import Console, wants_colour
from syncd.cli.interrupts import WRITING, Stop
from syncd.cli.progress import Bar, Lines, Watcher, estimate
from syncd.observe.logs import Format, Logs
from syncd.redact import Redactor
from syncd.report.lines import Span, line
from tests.e2e.echoing import PIECES, SPELLINGS, leaks

SECRET = "s3cr3t-Token/value+1"


def logged(form: Format, *, level: str = "debug", tracebacks: bool = False) -> tuple[Logs, list[str]]:
    written: list[str] = []
    return Logs(
        Redactor([SECRET]), level=level, form=form, tracebacks=tracebacks, write=written.append
    ), written


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("tracebacks", [False, True])
def test_a_secret_never_reaches_the_log_in_any_form(form: Format, *, tracebacks: bool) -> None:
    logs, written = logged(form, tracebacks=tracebacks)
    with warnings.catch_warnings(), logs:
        warnings.simplefilter("always")
        logs.event("error", f"with {SECRET}", header=f"Bearer {SECRET}", nested={"token": [SECRET]})
        try:
            raise ValueError(SECRET)  # noqa: TRY301
        except ValueError as error:
            logs.event("error", "failed", exc_info=error)
            logging.getLogger("urllib3").exception("retrying %s", SECRET)
        warnings.warn(SECRET, stacklevel=1)

    assert len(written) == 4
    assert not [text for text in written if SECRET in text or json.dumps(SECRET)[1:-1] in text]
    assert all("[redacted]" in text for text in written)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("tracebacks", [False, True])
@pytest.mark.parametrize("name", PIECES)
def test_what_a_server_said_is_redacted_as_such_in_every_exception(
    form: Format, name: str, *, tracebacks: bool
) -> None:
    secret = "00aBcDeFgHiJkLmNoPqRsTuVwXyZ+12/3456-x_Y"
    written: list[str] = []
    logs = Logs(Redactor([secret]), form=form, tracebacks=tracebacks, write=written.append)

    def fail() -> None:
        raise ValueError(f"no {SPELLINGS[name](secret)} end")

    with logs:
        try:
            fail()
        except ValueError as error:
            logging.getLogger("urllib3").warning("Failed to parse headers", exc_info=True)
            logs.event("error", "failed", error=error, exception=error)
            logs.event("error", "failed", exc_info=error)
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()

    assert len(written) == 4
    assert all("ValueError: no " in text for text in written)
    assert [leaks(text, {"it": secret}) for text in written] == [[]] * 4


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_log_line_leaves_out_what_is_not_there(form: Format) -> None:
    logs, written = logged(form)

    logs.event("info", "applied", object="ann", group=None, note=None, failures=0)

    assert "group" not in written[0]
    assert "None" not in written[0]
    assert "null" not in written[0]
    assert "failures" in written[0]


def test_json_logs_are_one_object_a_line_whatever_the_names() -> None:
    logs, written = logged("json")

    logs.event("info", "applied", object='evil"\n\x1b[31m{}', count=3)

    [text] = written
    assert text.count("\n") == 1
    entry = json.loads(text)
    assert entry["count"] == 3
    assert "\n" not in entry["object"]
    assert "\x1b" not in entry["object"]


def test_a_name_cannot_forge_a_second_text_line() -> None:
    logs, written = logged("text")

    logs.event("info", "applied\n2026 [error] forged", name="x\r\n2026 [error] forged")

    assert "".join(written).count("\n") == 1
    assert "\r" not in written[0]


def test_the_level_decides_what_is_written() -> None:
    logs, written = logged("text", level="warning")

    for level in ("debug", "info", "warning", "error"):
        logs.event(level, f"a {level} event")

    assert [text for text in written if "debug event" in text or "info event" in text] == []
    assert len(written) == 2


def test_third_parties_are_heard_from_warning_up_and_only_while_open() -> None:
    logs, written = logged("text")
    before = logging.getLogger().handlers[:]
    with logs:
        logging.getLogger("okta-sdk-python").debug("Authorization: %s", SECRET)
        logging.getLogger("aiohttp").info("chatter")
        logging.getLogger("aiohttp").warning("something %d", 1)

    assert len(written) == 1
    assert "something 1" in written[0]
    assert logging.getLogger().handlers == before


def test_a_traceback_is_shown_only_when_asked_for() -> None:
    for tracebacks in (False, True):
        logs, written = logged("text", tracebacks=tracebacks)
        try:
            raise ValueError("why")  # noqa: TRY301
        except ValueError as error:
            logs.event("error", "failed", exc_info=error)

        assert "why" in written[0]
        assert ("Traceback" in written[0]) is tracebacks


def test_a_field_that_cannot_be_shown_stops_nothing() -> None:
    class Unshowable:
        def __str__(self) -> str:
            raise RuntimeError("no")

    logs, written = logged("text")

    logs.event("info", "applied", thing=Unshowable())

    assert "could not be written" in written[0]


def test_a_thread_that_dies_is_logged_not_printed() -> None:
    logs, written = logged("json")

    def fail() -> None:
        raise ValueError(SECRET)

    with logs:
        thread = threading.Thread(target=fail, name="lock-renewal")
        thread.start()
        thread.join()

    assert json.loads(written[0])["thread"] == "lock-renewal"
    assert SECRET not in written[0]


# the console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "no_color", "expected"),
    [
        (Terminal(), {}, False, True),
        (io.StringIO(), {}, False, False),
        (Terminal(), {"NO_COLOR": "1"}, False, False),
        (Terminal(), {"NO_COLOR": ""}, False, True),
        (Terminal(), {"TERM": "dumb"}, False, False),
        (Terminal(), {}, True, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    stream: io.StringIO, environ: dict[str, str], *, no_color: bool, expected: bool
) -> None:
    assert wants_colour(stream, environ, no_color=no_color) is expected


def test_an_answer_on_a_terminal_is_coloured_by_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)

    Console(Redactor()).answer([line(Span("+ ada", "add"), " plain")])

    assert terminal.getvalue() == "\x1b[32m+ ada\x1b[0m plain\n"


def test_what_is_said_to_people_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(Redactor([SECRET]))

    console.fail(f"it said {SECRET}", f"not {SECRET}")
    console.note(f"note {SECRET}")
    console.answer([line(SECRET)])

    out, err = capsys.readouterr()
    assert SECRET not in out + err
    assert out == "[redacted]\n"


def test_quiet_leaves_only_errors(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(Redactor(), quiet=True)

    console.note("chatter")
    console.talk([line("chatter")])
    console.fail("broken")

    assert capsys.readouterr().err == "error: broken\n"


# progress


def nothing(*_: object, **__: object) -> None:
    return None


def test_elsewhere_than_on_a_terminal_a_phase_is_one_plain_line() -> None:
    said: list[str] = []
    watcher = Lines(nothing, said.append, connection="split-prod")

    watcher.phase("reading assignments")
    for _ in range(1000):
        watcher.advance(500)
    watcher.phase("writing", 1200)

    assert said == ["split-prod: reading assignments", "split-prod: writing (1,200)"]
    assert watcher.current == "writing"


def test_on_a_terminal_a_bar_is_drawn_and_taken_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Bar(nothing) as bar:
        bar.phase("reading [red]assignments")
        bar.advance(500)
        bar.phase("writing", 3)
        bar.advance()
    bar.phase("too late")

    assert "reading [red]assignments" in terminal.getvalue()
    assert "writing" in terminal.getvalue()
    assert "too late" not in terminal.getvalue()


def test_events_go_to_the_log_with_the_connection() -> None:
    events: list[tuple[str, str, dict[str, object]]] = []

    def keep(level: str, event: str, **fields: object) -> None:
        events.append((level, event, fields))

    Watcher(keep, connection="split-prod").event("info", "applied", kind="create_user")

    assert events == [("info", "applied", {"connection": "split-prod", "kind": "create_user"})]


# interrupts


def test_while_writing_the_first_ctrl_c_is_gentle_and_the_second_is_not() -> None:
    said: list[str] = []
    watcher = Watcher(nothing)
    with Stop(said.append) as stop:
        stop.during(watcher)
        watcher.phase(WRITING, 10)
        signal.raise_signal(signal.SIGINT)
        assert stop.asked()
        assert "writes in flight" in said[0]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_anything_is_written_a_signal_stops_at_once(number: signal.Signals) -> None:
    watcher = Watcher(nothing)
    with Stop(nothing) as stop:
        stop.during(watcher)
        watcher.phase("reading assignments")
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_signal_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Stop(nothing):
        assert signal.getsignal(signal.SIGINT) != before[0]

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize(
    ("done", "total", "seconds", "said"),
    [
        (250, 1_000, 10.0, ", about 30 s left"),
        (1_000, 100_000, 60.0, ", about 99 min left"),
        (0, 1_000, 10.0, ""),
        (1_200, 1_000, 10.0, ""),
        (500, None, 10.0, ""),
    ],
)
def test_a_long_read_says_about_how_long_it_still_takes(
    done: int, total: int | None, seconds: float, said: str
) -> None:
    assert estimate(done, total, seconds) == said
