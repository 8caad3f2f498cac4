"""The manual pages, made from the commands themselves: `python -m distribution.manual DIRECTORY`.

syncd(1), and syncd-COMMAND(1) for each command, commands within commands too. In man(7) as every reader of it knows it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from syncd import __version__
from syncd.cli.app import COMMANDS, cli
from syncd.cli.options import LazyGroup
from syncd.cli.tasks import by_task

_EXITS = (
    ("0", "done, or nothing to do; stopped on request (run, simulate)"),
    ("1", "failed"),
    ("2", "changes or drift found, only with --detailed-exitcode"),
    ("3", "refused or held by a safety check"),
    ("4", "partly applied: some objects failed and are queued for the next try"),
    ("64", "the command line makes no sense"),
    ("78", "a setting, or what it names, has to be mended"),
    ("130", "stopped with Ctrl-C or SIGTERM"),
)
_FILES = (
    (
        "./config.toml, /etc/syncd/config.toml",
        "the settings of one connection, where --config and $SYNCD_CONFIG name none",
    ),
    ("state/NAME.db", "the store of the connection NAME, beside its settings unless they say otherwise"),
)
_ENVIRONMENT = (
    ("SYNCD_CONFIG", "the settings file, or a directory of them"),
    ("STATE_DIRECTORY, CREDENTIALS_DIRECTORY", "as systemd sets them"),
    ("NO_COLOR", "no colour"),
)


def pages() -> Iterator[tuple[str, str]]:
    """The name of each file and its text."""
    yield "syncd.1", _overview()
    for name in COMMANDS:
        command = cli.get_command(_context(cli, "syncd"), name)
        if command is not None:
            yield from _pages_of(command, ["syncd", name])


def _pages_of(command: click.Command, path: Sequence[str]) -> Iterator[tuple[str, str]]:
    within = []
    if isinstance(command, LazyGroup):
        for name in command.list_commands(_context(command, " ".join(path))):
            inner = command.get_command(_context(command, " ".join(path)), name)
            if inner is not None:
                within.append(f"{'-'.join(path)}-{name}")
                yield from _pages_of(inner, [*path, name])
    yield f"{'-'.join(path)}.1", _page(command, path, within)


def _context(command: click.Command, path: str) -> click.Context:
    return click.Context(command, info_name=path, max_content_width=100)


def _overview() -> str:
    parts = [
        _heading("syncd"),
        _section("NAME", [text("syncd - provision the people and groups of an Okta app into Split by SCIM")]),
        _section("SYNOPSIS", [".B syncd", text("[OPTIONS] COMMAND [ARGS]...")]),
        _section("DESCRIPTION", _prose(cli.help or "")),
    ]
    for task, names in by_task(COMMANDS):
        rows = [row for name in names for row in _term(f"syncd-{name}(1)", COMMANDS[name])]
        parts.append(_section(task.upper(), rows))
    parts += [
        _section("GLOBAL OPTIONS", _options(cli, "syncd")),
        _section("EXIT STATUS", [row for code, means in _EXITS for row in _term(code, means)]),
        _section("FILES", [row for place, what in _FILES for row in _term(place, what)]),
        _section("ENVIRONMENT", [row for name, what in _ENVIRONMENT for row in _term(name, what)]),
    ]
    return "".join(parts)


def _page(command: click.Command, path: Sequence[str], within: Sequence[str]) -> str:
    name = "-".join(path)
    first, _, rest = (command.help or "").strip().partition("\n")
    usage = command.collect_usage_pieces(_context(command, " ".join(path)))
    parts = [
        _heading(name),
        _section("NAME", [text(f"{name} - {first.rstrip('.')}")]),
        _section("SYNOPSIS", [f".B {text(' '.join(path))}", text(" ".join(usage))]),
        _section("DESCRIPTION", _prose(rest.strip() or first)),
        _section("OPTIONS", _options(command, " ".join(path))),
    ]
    see = ", ".join(f"{page}(1)" for page in ("syncd", *within))
    return "".join([*parts, _section("SEE ALSO", [text(see)])])


def _heading(name: str) -> str:
    return f'.TH {text(name.upper())} 1 "" "syncd {__version__}" "syncd"\n'


def _section(title: str, lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in (f".SH {text(title)}", *lines)) if lines else ""


def _term(term: str, means: str) -> list[str]:
    return [".TP", f".B {text(term)}", text(means)]


def _options(command: click.Command, path: str) -> list[str]:
    ctx = _context(command, path)
    records = [param.get_help_record(ctx) for param in command.get_params(ctx)]
    return [row for record in records if record is not None for row in _term(*record)]


def _prose(help_text: str) -> list[str]:
    """Paragraphs; lines stay lines where click was told so by a backspace."""
    lines: list[str] = []
    for number, paragraph in enumerate(re.split(r"\n\s*\n", help_text.strip())):
        lines += [".PP"] if number else []
        rows = [row.strip() for row in paragraph.splitlines()]
        if rows[0] == "\b":
            lines += [".nf", *map(text, rows[1:]), ".fi"]
        else:
            lines.append(text(" ".join(rows)))
    return lines


def text(words: str) -> str:
    """A line of text in which nothing is a request or an escape of troff."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-")
    escaped = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def main(arguments: Sequence[str]) -> int:
    """Writes the pages into the directory, which it makes."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m distribution.manual DIRECTORY\n")
        return 64
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in pages():
        (folder / name).write_text(page, encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
