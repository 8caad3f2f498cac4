"""How the story is told: colour and bars on a terminal, plain lines elsewhere. Everything goes to stdout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from syncd.redact import Redactor
from syncd.report.lines import Line, Span, safe

_STYLES: Mapping[str, str] = {
    "add": "green",
    "change": "yellow",
    "remove": "red",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "strong": "bold",
    "faint": "dim",
    "title": "bold cyan",
    "okta": "magenta",
    "command": "bold",
}


class Silent:
    """An observer that shows nothing."""

    def phase(self, name: str, total: int | None = None) -> None:
        """Nothing to show."""

    def advance(self, count: int = 1) -> None:
        """Nothing to show."""

    def event(self, level: str, event: str, **fields: object) -> None:
        """Nothing to show."""


class Bars(Silent):
    """An observer with one bar for each phase."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def phase(self, name: str, total: int | None = None) -> None:
        self._finish()
        self._task = self._progress.add_task(safe(name), total=total)

    def advance(self, count: int = 1) -> None:
        if self._task is not None:
            self._progress.advance(self._task, count)

    def _finish(self) -> None:
        if self._task is None:
            return
        task = next(one for one in self._progress.tasks if one.id == self._task)
        if task.total is None:
            done = task.completed or 1
            self._progress.update(self._task, total=done, completed=done)


class Narrator:
    """`redactor` is the last thing every text passes."""

    def __init__(self, console: Console, redactor: Redactor) -> None:
        self._console = console
        self._redactor = redactor

    def act(self, number: int, title: str) -> None:
        """A new chapter."""
        self._print("")
        self._print(Span(f"── {number}. {title} ", "title"), Span("─" * max(2, 70 - len(title)), "faint"))

    def say(self, text: str) -> None:
        """A sentence of the story."""
        self._print(text)

    def happens(self, text: str) -> None:
        """Something that a person did, in Okta or in the config file."""
        self._print(Span("  » ", "okta"), text)

    def command(self, text: str) -> None:
        """The command that a person would type for what comes next."""
        self._print(Span(f"$ syncd {text}", "command"))

    def lines(self, lines: Iterable[Line]) -> None:
        """What the command answers, as the command line shows it."""
        for line in lines:
            self._print(*(Span("  "), *line) if line else "")

    def verdict(self, text: str, *, good: bool) -> None:
        """The demo's own check of what was promised."""
        self._print(Span("  ✓ " if good else "  ✗ ", "good" if good else "bad"), text)

    @contextmanager
    def watching(self) -> Iterator[Silent]:
        """Progress of one cycle: a bar on a terminal; elsewhere the result says enough."""
        if not self._console.is_terminal:
            yield Phases(self)
            return
        columns = (
            TextColumn("  {task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            yield Bars(progress)

    def _print(self, *spans: Span | str) -> None:
        text = Text()
        for span in spans:
            part = Span(span) if isinstance(span, str) else span
            text.append(self._redactor.text(part.text), _STYLES.get(part.style, ""))
        self._console.print(text, soft_wrap=True)


class Phases(Silent):
    """An observer that says a line when a phase begins."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator

    def phase(self, name: str, total: int | None = None) -> None:
        self._narrator.say(f"  {safe(name)}" + (f" ({total:,})" if total else ""))
