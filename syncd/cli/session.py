"""One invocation: what the global options mean, where output goes, and how several connections become one answer."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from syncd.cli.console import Console, put, wants_colour
from syncd.cli.exits import INTERRUPTED, USAGE, worst
from syncd.cli.options import Globals
from syncd.cli.progress import Bar, Lines, Watcher, on_terminal
from syncd.cli.streams import OutputLost
from syncd.core.whole_commands import of_files, whole
from syncd.errors import LockLost, RefusedError, SyncdError, UsageError
from syncd.report import jsondoc
from syncd.report.lines import BLANK, Line, Span, line

if TYPE_CHECKING:
    from syncd.cli.interrupts import Stop
    from syncd.engine.job import Job
    from syncd.observe.logs import Logs
    from syncd.settings import ConnectionSettings, Loaded, Problem


@dataclass(frozen=True, slots=True)
class Answer:
    """What one connection answered; the document with its secrets still to be taken out, except with `exact`.

    `said`: it is on stdout already.
    """

    document: Mapping[str, Any]
    exit_code: int
    lines: Iterable[Line] = field(default=())
    exact: bool = False
    said: bool = False


NEVER_IN_A_FLEET = {
    "run": "the connections of a fleet are served by syncd worker",
    "backup": "the stores of a fleet are backed up with their PostgreSQL; see docs/fleet.md",
    "restore": "the stores of a fleet come back with their PostgreSQL; see docs/fleet.md",
    "doctor": "syncd fleet check and syncd fleet status say how a fleet is",
}
"""Commands, and what there is instead."""
Work = Callable[["ConnectionSettings"], Answer]
Placed = Sequence[tuple["ConnectionSettings", tuple[str, ...]]]
"""Connections, and the words that each of them is about."""
Broken = Callable[[str, list["Problem"]], Answer]
"""What a settings file becomes that cannot be used: its name without .toml, and what is wrong with it."""


class Session:
    """`as_json` puts one document on stdout and everything else on stderr. A `service` has nobody watching it: its log
    is its answer, and begins at info.
    """

    def __init__(self, said: Globals, *, as_json: bool = False, service: bool = False) -> None:
        self.said = said
        self.service = service
        self.as_json = as_json
        self.redactor = said.redactor
        self.console = Console(self.redactor, quiet=said.quiet, no_color=said.no_color)
        self._stack = ExitStack()
        self.several = False
        """Whether the answer is a list, once the settings are loaded."""
        self._loaded: Loaded | None = None
        self.warnings: Sequence[Problem] = ()
        """About the settings files, once they are loaded."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    # what is said on the way

    @cached_property
    def logs(self) -> Logs:
        """The log chain, set up when the first thing is logged or a connection is opened."""
        from syncd.observe.logs import Logs  # noqa: PLC0415  (structlog)
        from syncd.observe.repeats import Repeats  # noqa: PLC0415

        as_json = self.said.log_format == "json"
        # Lines for machines start at info; people see progress and sentences without that.
        levels = ("info", "debug", "debug") if as_json or self.service else ("warning", "info", "debug")
        made = Logs(
            self.redactor,
            level="error" if self.said.quiet else levels[min(self.said.verbose, 2)],
            form="json" if as_json else "text",
            tracebacks=self.said.verbose > 1,
            colour=wants_colour(sys.stderr, os.environ, no_color=self.said.no_color),
            repeats=Repeats() if self.service else None,
        )
        return self._stack.enter_context(made)

    def listen(self) -> None:
        """From now on what third parties log is captured too. For commands that talk to Okta or Split."""
        _ = self.logs

    def event(self, level: str, event: str, **fields: object) -> None:
        self.logs.event(level, event, **fields)

    def watcher(self, settings: ConnectionSettings) -> Watcher:
        """Who watches a cycle of this connection."""
        connection = settings.name if self.several else ""
        if self.said.quiet:
            return Watcher(self.event, connection=connection)
        if self.said.log_format == "json":
            return Lines(self.event, self.note, connection=connection)
        if on_terminal() and os.environ.get("TERM") != "dumb":
            colour = wants_colour(sys.stderr, os.environ, no_color=self.said.no_color)
            return Bar(self.event, connection=connection, colour=colour)
        return Lines(self.event, self.console.note, connection=connection)

    @contextmanager
    def writing(self, settings: ConnectionSettings, stop: Stop) -> Iterator[tuple[Job, Watcher]]:
        """The connection, opened to be written, and who watches it; the run ends early once `stop` was asked."""
        from syncd.wiring import open_job  # noqa: PLC0415  (the engine)

        with self.watcher(settings) as observer:
            stop.during(observer)
            with open_job(
                settings, writing=True, observer=observer, redactor=self.redactor, cancelled=stop.asked
            ) as job:
                yield job, observer

    def note(self, text: str, style: str = "") -> None:
        """One sentence for people."""
        if self.said.log_format == "json":
            self.event("warning" if style == "warn" else "info", text)
        else:
            self.console.note(text, style)

    def whole(self, text: str, connection: str = "") -> str:
        """The text, with the settings files in each command that it names: those that were given, or that of this
        connection. In a fleet with its file and the connection.
        """
        said = self.said
        if said.in_fleet:
            names = [connection] if connection else said.connections
            file = ["--fleet", str(said.fleet)] if said.fleet else []
            return whole(text, [*file, *(part for name in names for part in ("--connection", name))])
        known = self._loaded.connections if self._loaded else ()
        own = [one.path for one in known if one.name == connection] if said.configs else []
        return whole(text, of_files(own or said.configs))

    def whole_lines(self, lines: Iterable[Line], connection: str = "") -> Iterator[Line]:
        """As `whole`, of all but what is verbatim."""
        for each in lines:
            yield tuple(
                span if span.verbatim else replace(span, text=self.whole(span.text, connection))
                for span in each
            )

    def fail(self, error: SyncdError, *, connection: str = "", code: int | None = None) -> None:
        """Says an error, with -vv also where it came from; `code` when it ends in another exit code than its own."""
        hint = self.whole(error.hint, connection)
        ends = error.exit_code if code is None else code
        if self.said.log_format == "json":
            fields = {"connection": connection} if connection else {}
            self.event("error", error.message, hint=hint, exit_code=ends, **fields)
        else:
            self.console.fail(error.message, hint, about=connection)
        if self.said.verbose > 1 and error.__traceback__ and ends not in (USAGE, INTERRUPTED):
            put(sys.stderr, self.redactor.raised("".join(traceback.format_exception(error))))

    def tell(self, job: Job, kind: str, status: str, problems: Sequence[SyncdError]) -> None:
        """Notifies whom the settings name of what a run of this kind came to. What was told before, by anybody, is not
        told again. Nothing is told of a run that was interrupted, refused by more than a hold, or went on to another
        process.
        """
        refused = any(isinstance(problem, (RefusedError, LockLost)) for problem in problems)
        if not job.settings.notify.urls or job.cancelled() or refused:
            return
        from syncd.answers.daily import daily_summary  # noqa: PLC0415
        from syncd.observe.notify import Notifier  # noqa: PLC0415

        error = self.redactor.text("; ".join(problem.message for problem in problems))
        job.observer.phase("notifying")
        with suppress(KeyboardInterrupt):  # it is not lost: what was not sent is sent later
            notifier = Notifier(job.settings, self.redactor, daily_summary)
            notifier.after_cycle(job.store, job.clock(), kind=kind, status=status, error=error)

    # settings

    def load(self, *, say: bool = True) -> Loaded:
        """The settings of every connection asked for. Warnings are said (with `say`); problems are the caller's."""
        if self._loaded is None:
            self._loaded = self._of_fleet() if self.said.in_fleet else self._of_files()
            self.warnings = self._loaded.warnings
            for warning in self.warnings if say else ():
                self.note(f"warning: {warning}", "warn")
        return self._loaded

    def _of_files(self) -> Loaded:
        from syncd.settings import load  # noqa: PLC0415  (pydantic)

        return load(self.said.configs, environ=os.environ)

    def _of_fleet(self) -> Loaded:
        """Raises ConfigurationError, TemporaryError, UsageError."""
        from syncd.cli.fleet_settings import fleet_settings  # noqa: PLC0415  (pydantic)
        from syncd.fleets import load_of  # noqa: PLC0415  (psycopg)

        if self.said.configs:
            raise UsageError("--config is for settings files of this machine, --fleet for those of a fleet")
        if self.said.command in NEVER_IN_A_FLEET:
            raise UsageError(
                f"{self.said.command} is for a store of this machine",
                hint=NEVER_IN_A_FLEET[self.said.command],
            )
        found = load_of(fleet_settings(self.said.fleet), self.said.connections, self.redactor, os.environ)
        self.several = len(found.connections) > 1
        return found

    def connections(self) -> Sequence[ConnectionSettings]:
        """Every connection given, where each has to be usable. Raises ConfigurationError."""
        from syncd.settings import configuration_error  # noqa: PLC0415  (pydantic)

        loaded = self.load()
        if loaded.problems:
            raise configuration_error(loaded.problems)
        return loaded.connections

    @property
    def naming(self) -> str:
        """The option that names a connection, as these were."""
        return "--connection" if self.said.in_fleet else "--config and its settings file"

    def only_connection(self, command: str) -> ConnectionSettings:
        """The one connection of a command that takes no more. Raises ConfigurationError, UsageError."""
        connections = self.connections()
        if len(connections) != 1:
            names = ", ".join(one.name for one in connections)
            raise UsageError(
                f"{command} works on one connection, and there are {len(connections)}: {names}",
                hint=f"name one of them with {self.naming}",
            )
        return connections[0]

    def learn(self, settings: ConnectionSettings) -> None:
        """The secrets of today, so that none of them is shown; who may read the store need not have them."""
        for _, ref in settings.secrets():
            with suppress(SyncdError):
                self.redactor.add(ref.read())

    # answers

    def each(self, work: Work, *, broken: Broken | None = None, somewhere: bool = False) -> int:
        """Does the work for every connection and answers for all of them; one that fails hides no other.

        `broken` makes the answer for a settings file that cannot be used; without it that is an error. `somewhere`: it
        is about what one of them knows, so that the others need not.
        """
        loaded = self.load(say=broken is None)
        files = _by_file(loaded.problems)
        self.several = len(loaded.connections) + len(files) > 1
        answers = [self._refused(file, problems, broken) for file, problems in files.items()]
        answers.extend(self._attempt(work, settings) for settings in loaded.connections)
        codes = [answer.exit_code for answer in answers]
        if somewhere:
            codes = [code for code in codes if code != USAGE] or codes
        if self.as_json and not any(answer.said for answer in answers):
            documents = [self._document(answer) for answer in answers]
            try:
                self.console.data(jsondoc.pieces(jsondoc.combined(documents, several=self.several)))
            except OutputLost as error:
                self.fail(error)
                codes.append(error.exit_code)
        return worst(codes)

    def some(self, work: Callable[[ConnectionSettings, tuple[str, ...]], Answer], placed: Placed) -> int:
        """Answers for the connections that some words are about; one that fails hides no other."""
        self.several = len(placed) > 1
        if not self.several:
            return self.one(work(*placed[0]))
        answers = [self._attempt(partial(_with, work, asked), settings) for settings, asked in placed]
        if self.as_json:
            documents = [self._document(answer) for answer in answers]
            self.console.data(jsondoc.pieces(jsondoc.combined(documents, several=True)))
        return worst([answer.exit_code for answer in answers])

    def one(self, answer: Answer) -> int:
        """Answers for a command that works on a single connection."""
        if self.as_json and not answer.said:
            self.console.data(jsondoc.pieces(self._document(answer)))
        self._print(answer, "")
        return answer.exit_code

    def show(self, lines: Iterable[Line]) -> None:
        """A plan to decide about: part of the answer for people, talk when stdout is data."""
        told = self.whole_lines(lines)
        if self.as_json:
            self.console.talk(told)
        else:
            self.console.answer(told)

    def confirm(self, question: str) -> bool:
        """Asks on stderr; anything but yes is no."""
        return click.confirm(question, default=False, err=True)

    def _refused(self, file: Path, problems: list[Problem], broken: Broken | None) -> Answer:
        if broken is not None:
            answer = broken(file.stem, problems)
            self._print(answer, file.stem)
            return answer
        from syncd.settings import configuration_error  # noqa: PLC0415  (pydantic)

        error = configuration_error(problems)
        self.fail(error)
        return Answer(self._error(error, file.stem), error.exit_code)

    def _attempt(self, work: Work, settings: ConnectionSettings) -> Answer:
        answer = None
        try:
            answer = work(settings)
            self._print(answer, settings.name)
        except SyncdError as error:
            self.fail(error, connection=settings.name if self.several else "")
            if answer is None:
                return Answer(self._error(error, settings.name), error.exit_code)
            return replace(
                answer, exit_code=worst([answer.exit_code, error.exit_code])
            )  # only its print is lost
        return answer

    def _print(self, answer: Answer, name: str) -> None:
        if self.as_json:
            return
        title = [line(Span(f"— {name} —", "strong", verbatim=True))] if self.several else []
        told = self.whole_lines(answer.lines, name)
        self.console.answer([*title, *told, *([BLANK] if self.several else [])])

    def _document(self, answer: Answer) -> Mapping[str, Any]:
        if answer.exact:
            return answer.document
        redacted = self.redactor.value(dict(answer.document))
        return redacted if isinstance(redacted, dict) else answer.document

    def _error(self, error: SyncdError, connection: str) -> Mapping[str, Any]:
        return jsondoc.error_document(
            self.redactor.text(error.message),
            self.redactor.text(error.hint),
            error.exit_code,
            connection=connection,
        )


def _with(
    work: Callable[[ConnectionSettings, tuple[str, ...]], Answer],
    asked: tuple[str, ...],
    settings: ConnectionSettings,
) -> Answer:
    return work(settings, asked)


def _by_file(problems: Sequence[Problem]) -> Mapping[Path, list[Problem]]:
    files: dict[Path, list[Problem]] = {}
    for problem in problems:
        files.setdefault(problem.file, []).append(problem)
    return files
