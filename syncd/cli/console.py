"""stdout is the answer, stderr is the talk. Everything that reaches a person or a script goes through here."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import IO, Any

import click

from syncd.cli.streams import ReaderGone, drop
from syncd.redact import Redactor, strip_controls
from syncd.report.lines import Line
from syncd.report.terminal import folded, with_local_times

_STYLES: Mapping[str, Mapping[str, Any]] = {
    "add": {"fg": "green"},
    "change": {"fg": "yellow"},
    "remove": {"fg": "red"},
    "good": {"fg": "green"},
    "warn": {"fg": "yellow"},
    "bad": {"fg": "red", "bold": True},
    "strong": {"bold": True},
    "faint": {"dim": True},
}


def wants_colour(stream: IO[str], environ: Mapping[str, str], *, no_color: bool) -> bool:
    """Colour only for a terminal that can show it, and never against NO_COLOR (no-color.org)."""
    if no_color or environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except ValueError:
        return False


def put(stream: IO[str], text: str | Iterable[str]) -> None:
    """Writes text or its pieces; a reader that went away (`| head`) is no error and changes no exit code.

    Raises OutputLost when stdout cannot be written; that stderr cannot can be told to nobody.
    """
    pieces = [text] if isinstance(text, str) else text
    if stream is sys.stderr:
        try:
            stream.write("".join(pieces))
            stream.flush()
        except OSError:
            drop(stream.fileno())
        return
    with suppress(ReaderGone):
        stream.writelines(pieces)
        stream.flush()


class Console:
    """`redactor` is the last thing every text passes; `logs_json` puts messages to people in JSON lines."""

    def __init__(self, redactor: Redactor, *, quiet: bool = False, no_color: bool = False) -> None:
        self.redactor = redactor
        self.quiet = quiet
        self.no_color = no_color

    def data(self, pieces: Iterable[str]) -> None:
        """A document for stdout, as it is; piece by piece, so that it need not be in memory."""
        put(sys.stdout, pieces)

    def answer(self, lines: Iterable[Line]) -> None:
        """The answer for people, to stdout."""
        self._lines(sys.stdout, lines)

    def talk(self, lines: Iterable[Line]) -> None:
        """For people, to stderr; nothing when quiet."""
        if not self.quiet:
            self._lines(sys.stderr, lines)

    def note(self, text: str, style: str = "") -> None:
        """One sentence to stderr; nothing when quiet."""
        if not self.quiet:
            self._sentence(text, style)

    def fail(self, message: str, hint: str = "", *, about: str = "") -> None:
        """What happened, and below it the likely cause and what to try."""
        colour = wants_colour(sys.stderr, os.environ, no_color=self.no_color)
        name = f"{strip_controls(about)}: " if about else ""
        first, *rest = [strip_controls(part) for part in message.splitlines() or [""]]
        text = click.style("error:", fg="red", bold=True) if colour else "error:"
        text += f" {name}{first}\n" + "".join(f"  {part}\n" for part in rest)
        if hint:
            text += textwrap.indent("\n".join(map(strip_controls, hint.splitlines())), "  ") + "\n"
        put(sys.stderr, self.redactor.text(text))

    def _sentence(self, text: str, style: str) -> None:
        colour = wants_colour(sys.stderr, os.environ, no_color=self.no_color)
        safe = self.redactor.text(strip_controls(text))
        put(sys.stderr, (click.style(safe, **_STYLES[style]) if colour and style else safe) + "\n")

    def _lines(self, stream: IO[str], lines: Iterable[Line]) -> None:
        colour = wants_colour(stream, os.environ, no_color=self.no_color)
        for line in self._fitting(stream, lines):
            parts = (
                click.style(span.text, **_STYLES[span.style]) if colour and span.style else span.text
                for span in line
            )
            put(stream, self.redactor.text("".join(parts)) + "\n")

    def _fitting(self, stream: IO[str], lines: Iterable[Line]) -> Iterator[Line]:
        """As they are; on a terminal in its width, and with its local times."""
        try:
            width = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
        except (ValueError, OSError):
            width = 0
        for line in lines:
            yield from folded(with_local_times(line), width) if width else (line,)
