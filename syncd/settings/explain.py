"""From pydantic's findings to sentences with a line and a line to write.

No value of the file is repeated, except the names of protected users and groups, which are never secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from syncd.redact import clip
from syncd.settings.lines import LineIndex
from syncd.settings.problem import Finding, Flawed, Problem
from syncd.settings.schema import ConnectionSettings, PushGroupTable, Table
from syncd.settings.suggest import nearest

Loc = tuple[str | int, ...]

_SETTING = re.compile(r"^#?((?:\"[^\"]+\"|[A-Za-z_]+) = .*)$")
_HEADER = re.compile(r"^#?\[{1,2}([a-z_]+)\]{1,2}")
_LIKE_OURS = re.compile(r"[a-z_.]{1,30}")
_OF_A_TABLE = 2
"""So many parts has the path of a table's key."""
_TYPES = {
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "tuple_type": "a list in [ ]",
    "list_type": "a list in [ ]",
    "mapping_type": "a table",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "literal_error": "one of",
}


def starter() -> str:
    """The commented settings file that `syncd init` writes: every key with its reason."""
    return resources.files("syncd.settings").joinpath("starter.toml").read_text(encoding="utf-8")


@cache
def examples() -> Mapping[tuple[str, str], str]:
    """The line of the starter for each (table, key); the table is "" at the top of the file."""
    found: dict[tuple[str, str], str] = {}
    section = ""
    for line in starter().splitlines():
        if header := _HEADER.match(line):
            section = header[1]
        elif setting := _SETTING.match(line):
            key = setting[1].split(" = ")[0].strip('"')
            found.setdefault((section, key), setting[1].split("  #")[0].rstrip())
    return found


def tables() -> Mapping[str, type[Table]]:
    """The model of each table of the file, by its name; `push_groups` is the model of one rule."""
    models: dict[str, type[Table]] = {"push_groups": PushGroupTable}
    for name, field in ConnectionSettings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Table):
            models[name] = field.annotation
    return models


def known_keys(section: Loc) -> tuple[str, ...]:
    """The keys a table may have; the tables themselves for the top of the file, () for free tables."""
    model: type[Table] | None = ConnectionSettings if not section else tables().get(str(section[0]))
    if model is None:
        return ()
    return tuple(field.alias or name for name, field in model.model_fields.items())


def findings_of(error: ValidationError) -> Iterator[Finding]:
    """One finding for each of pydantic's; its own texts and inputs are not used."""
    for detail in error.errors(include_url=False):
        loc: Loc = tuple(part for part in detail["loc"] if part != "[key]")
        flaws = detail.get("ctx", {}).get("flaws")
        if flaws:
            yield from (_of_flaw(loc, flaw) for flaw in flaws)
        else:
            yield _finding(loc, detail)


def _of_flaw(loc: Loc, flaw: Flawed) -> Finding:
    fix = f"{_key(loc)} = {flaw.value}" if flaw.value else ""
    where = (*loc, flaw.key) if flaw.key else loc
    return Finding(where, flaw.message, fix, text=flaw.text, at=flaw.at)


def _finding(loc: Loc, detail: ErrorDetails) -> Finding:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "syncd":
        value = str(context["value"])
        otherwise = _example(loc) if loc[0] == "safety" and len(loc) == _OF_A_TABLE else ""
        return Finding(loc, str(context["message"]), f"{_key(loc)} = {value}" if value else otherwise)
    if kind == "extra_forbidden":
        return _unknown(loc)
    if kind == "missing":
        return Finding(loc, "is missing", missing=True)
    if kind == "literal_error":
        return _choice(loc, detail, context)
    bounds = {"greater_than": "more than", "greater_than_equal": "at least", "less_than_equal": "at most"}
    if kind in bounds:
        limit = next(value for name, value in context.items() if name in ("gt", "ge", "le"))
        return Finding(loc, f"is out of range: it must be {bounds[kind]} {limit:g}", _example(loc))
    if kind == "tuple_type" and loc[0] == "safety" and isinstance(detail["input"], str):
        written = json.dumps(clip(detail["input"], 100), ensure_ascii=False)
        return Finding(loc, f"has the wrong type: {_TYPES[kind]} is needed", f"{_key(loc)} = [{written}]")
    if kind in _TYPES:
        return Finding(loc, f"has the wrong type: {_TYPES[kind]} is needed", _example(loc))
    return Finding(loc, f"is not accepted ({kind.replace('_', ' ')})", _example(loc))


def _unknown(loc: Loc) -> Finding:
    name = str(loc[-1])
    section = loc[:-1]
    meant = nearest(name, known_keys(section))
    if meant:
        return Finding(loc, f'is an unknown key; did you mean "{meant}"?')
    home = next((table for table, model in tables().items() if name in model.model_fields), None)
    if home:
        brackets = "[[push_groups]]" if home == "push_groups" else f"[{home}]"
        return Finding(loc, f"is an unknown key here; it belongs under {brackets}")
    known = ", ".join(known_keys(section))
    return Finding(loc, f"is an unknown key; known here: {known}", nameless=not _LIKE_OURS.fullmatch(name))


def _choice(loc: Loc, detail: ErrorDetails, context: Mapping[str, Any]) -> Finding:
    allowed = re.findall(r"'([^']*)'", str(context["expected"]))
    given = detail["input"]
    meant = nearest(given, allowed) if isinstance(given, str) else None
    listed = " or ".join(f'"{one}"' for one in allowed)
    return Finding(loc, f"must be {listed}", f'{_key(loc)} = "{meant}"' if meant else _example(loc))


def _key(loc: Loc) -> str:
    names = [part for part in loc if isinstance(part, str)]
    key = names[-1] if names else ""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{clip(key, 60)}"'


def _example(loc: Loc) -> str:
    names = [part for part in loc if isinstance(part, str)]
    section, key = (names[0], names[1]) if len(names) > 1 else ("", names[0] if names else "")
    return examples().get((section, key), "")


def located(findings: Iterable[Finding], file: Path, lines: LineIndex) -> list[Problem]:
    """The findings with file and line, in the order of the lines, each once."""
    problems: dict[Problem, None] = {}
    for finding in findings:
        path = clip(finding.path, 120)
        column = None
        if finding.missing:
            line, message = _place_to_add(finding, lines)
            fix = finding.fix or _example(finding.loc)
        else:
            line, message, fix = lines.of(finding.loc) or 1, finding.message, finding.fix
            column = lines.column(line, finding.text, finding.at) if finding.text else None
        problems[Problem(file, message, path, line, fix, column)] = None
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.path, problem.column or 0))


def _place_to_add(finding: Finding, lines: LineIndex) -> tuple[int, str]:
    section = finding.loc[:-1]
    whole_table = len(finding.loc) == 1 and finding.loc[0] in tables()
    if whole_table:
        name = finding.loc[0]
        needed = [key for key, field in tables()[str(name)].model_fields.items() if field.is_required()]
        keys = f" with {' and '.join(needed)}" if needed else ""
        return lines.last, f"{finding.message}: add the table [{name}]{keys} at the end of the file"
    if not section:
        return 1, f"{finding.message}: add it above the first table"
    header = ".".join(str(part) for part in section if isinstance(part, str))
    shown = f"[[{header}]]" if isinstance(section[-1], int) else f"[{header}]"
    line = lines.ends.get(section) or lines.of(section)
    if line is None:
        return lines.last, f"{finding.message}: add {shown} at the end of the file and under it this line"
    return line, f"{finding.message}: add it under {shown}, after line {line}"
