"""From paths to settings: find the files, read them, judge them, and judge them against each other."""

from __future__ import annotations

import os
import shlex
import stat
import tomllib
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from syncd.errors import ConfigurationError
from syncd.files import TooLargeError, read_regular
from syncd.settings.contradictions import contradictions, flavor_of, table
from syncd.settings.explain import findings_of, located
from syncd.settings.lines import LineIndex, index_lines
from syncd.settings.problem import Problem
from syncd.settings.schema import ConnectionSettings
from syncd.settings.unreadable import problem_in
from syncd.settings.values import Origin, is_loopback

SYSTEM_FILE = Path("/etc/syncd/config.toml")
FLEET_FILE = "fleet.toml"
_LARGEST = 1024 * 1024
_HARNESS_ADMINS = "_fme_admins"


@dataclass(frozen=True, slots=True)
class Loaded:
    """`connections` has nothing wrong with it, alone or together; `problems` says why the others are missing."""

    connections: tuple[ConnectionSettings, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _File:
    """One settings file as far as it could be read; `shown` is its path as the user gave it."""

    shown: Path
    settings: ConnectionSettings | None
    problems: tuple[Problem, ...] = ()
    lines: LineIndex | None = None

    def problem(self, path: str, message: str, fix: str = "") -> Problem:
        loc = tuple(path.replace("]", "").replace("[", ".").split("."))
        line = (
            self.lines.of(tuple(int(part) if part.isdigit() else part for part in loc))
            if self.lines
            else None
        )
        return Problem(self.shown, message, path, line, fix)


def load(paths: Sequence[Path], *, environ: Mapping[str, str]) -> Loaded:
    """Read every file (a directory: every *.toml in it, sorted); without paths, the first of the usual places.

    Never raises for what stands in a file or cannot be read: that is in `problems`.
    """
    found, problems = _search(environ) if not paths else _expand(paths)
    files = [_read(path, environ) for path in found]
    together = _against_each_other([file for file in files if file.settings])
    refused = {problem.file for problem in together}
    good = [file for file in files if file.settings and file.shown not in refused]
    return Loaded(
        connections=tuple(file.settings for file in good if file.settings),
        problems=(*problems, *(problem for file in files for problem in file.problems), *together),
        warnings=tuple(warning for file in good for warning in _warnings(file)),
    )


def load_or_raise(paths: Sequence[Path], *, environ: Mapping[str, str]) -> Loaded:
    """As `load`; raises ConfigurationError with every problem when there is any."""
    loaded = load(paths, environ=environ)
    if loaded.problems:
        raise configuration_error(loaded.problems)
    return loaded


def parse(text: str, *, file: Path, environ: Mapping[str, str]) -> ConnectionSettings:
    """Settings from TOML text as if it stood in `file`. Raises ConfigurationError with every problem."""
    judged = _judge(text, file, environ)
    if judged.settings is None:
        raise configuration_error(judged.problems)
    return judged.settings


def configuration_error(problems: Sequence[Problem]) -> ConfigurationError:
    """All problems as one error: the message holds every sentence."""
    sentences = tuple(str(problem) for problem in problems)
    if len(sentences) == 1:
        message = sentences[0]
    else:
        message = "\n".join(
            (f"{len(sentences)} problems in the settings:", *(f"  {one}" for one in sentences))
        )
    return ConfigurationError(message, hint="Correct the settings and run: syncd check", problems=sentences)


def _search(environ: Mapping[str, str]) -> tuple[list[Path], list[Problem]]:
    """$SYNCD_CONFIG, ./config.toml, /etc/syncd/config.toml: the first that is there."""
    if chosen := environ.get("SYNCD_CONFIG"):
        if os.path.lexists(chosen):
            return _expand([Path(chosen)])
        message = "there is no such file, but $SYNCD_CONFIG names it; correct or unset it, or run: syncd init"
        return [], [Problem(Path(chosen), message)]
    for usual in (Path("config.toml"), SYSTEM_FILE):
        if os.path.lexists(usual):
            return _expand([usual])
    message = (
        f"there are no settings: $SYNCD_CONFIG is not set, and neither ./config.toml nor {SYSTEM_FILE} exists; "
        "write a starter with: syncd init, or name a file with --config"
    )
    return [], [Problem(Path("config.toml"), message)]


def _expand(paths: Sequence[Path]) -> tuple[list[Path], list[Problem]]:
    found: dict[Path, Path] = {}
    problems: list[Problem] = []
    for path in paths:
        if "\0" in str(path):
            problems.append(Problem(path, "the path contains a NUL character, which no file has; correct it"))
            continue
        files = [path]
        try:
            if path.is_dir():
                every = sorted(one for one in path.iterdir() if one.suffix == ".toml" and one.name[0] != ".")
                files = [one for one in every if not _is_of_a_fleet(one)]
        except OSError as error:
            problems.append(
                Problem(path, f"the directory cannot be read ({error.strerror}); check its rights")
            )
            continue
        if not files:
            message = (
                "the directory has no *.toml file; put one there (syncd init), or name a file with --config"
            )
            problems.append(Problem(path, message))
        for file in files:
            found.setdefault(Path(os.path.realpath(file)), file)
    return list(found.values()), problems


def _is_of_a_fleet(path: Path) -> bool:
    """`fleet.toml` lies beside settings of connections, and is none. A connection may be called so all the same."""
    if path.name != FLEET_FILE:
        return False
    with suppress(ConfigurationError, tomllib.TOMLDecodeError, RecursionError):
        found = tomllib.loads(text_of(path))
        return "fleet" in found and not {"okta", "split"} & found.keys()
    return False


def _read(path: Path, environ: Mapping[str, str]) -> _File:
    try:
        text = text_of(path)
    except ConfigurationError as error:
        return _File(path, None, (Problem(path, error.message),))
    return _judge(text, path, environ)


def text_of(path: Path) -> str:
    """The text of a file. Raises ConfigurationError with a sentence that goes after the path."""
    try:
        raw = read_regular(path, largest=_LARGEST)
    except FileNotFoundError:
        raise ConfigurationError(
            "there is no such file; check the path, or write a starter there with: syncd init"
        ) from None
    except PermissionError:
        raise ConfigurationError(
            "permission denied; make the file readable for the user that runs syncd (chown, chmod 600)"
        ) from None
    except TooLargeError:
        raise ConfigurationError(
            "is larger than 1 MiB, so it is hardly a settings file; check the path"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"cannot be read ({error.strerror}); check the path, it must name a settings file"
        ) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"is not UTF-8 text (line {line}); it was probably saved in another encoding: save it as UTF-8"
        ) from None


def _judge(text: str, shown: Path, environ: Mapping[str, str]) -> _File:
    raw = parsed(text, shown)
    if isinstance(raw, Problem):
        return _File(shown, None, (raw,))
    lines = index_lines(text)
    origin = Origin(Path(os.path.abspath(shown)), environ)  # noqa: PTH100  (resolve() would follow links)
    origin = replace(origin, named="name" in raw)
    raw = _with_defaults(raw, origin)
    findings = contradictions(raw)
    settings = None
    try:
        settings = ConnectionSettings.model_validate(raw, context=origin)
    except ValidationError as error:
        findings = [*findings_of(error), *findings]
    if findings:
        return _File(shown, None, tuple(located(findings, shown, lines)), lines)
    return _File(shown, settings, (), lines)


def parsed(text: str, shown: Path) -> dict[str, object] | Problem:
    """What TOML text says, or why it is none."""
    if (found := problem_in(text)) is not None:
        return Problem(shown, f"{found[0]}; correct it", line=found[1])
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return _syntax(shown, str(error))
    except RecursionError:
        return Problem(shown, "is nested too deeply to be settings; check the brackets")


def _syntax(shown: Path, message: str) -> Problem:
    what, _, place = message.partition(" (at ")
    line = next((int(word.rstrip(",)")) for word in place.split() if word.rstrip(",)").isdigit()), None)
    where = "" if line is not None or not place else f" ({place}"
    return Problem(
        shown,
        f"is not TOML: {what}{where}; text stands in quotes, each key once, each bracket closed",
        line=line,
    )


def _with_defaults(raw: Mapping[str, object], origin: Origin) -> dict[str, object]:
    """What depends on the file, the environment or another setting. Does not touch what is given."""
    made = dict(raw)
    made.setdefault("name", origin.file.stem)
    if "state" not in made:
        from_systemd = origin.environ.get("STATE_DIRECTORY", "").split(":")[0]
        made["state"] = from_systemd or "state"
    flavor = flavor_of(raw)
    if flavor == "harness" and isinstance(raw.get("provisioning", {}), dict):
        # On Harness a deactivation removes the user, so a mistake in Okta gets a day to be noticed.
        made["provisioning"] = {"deactivation_grace": "24h", **table(raw, "provisioning")}
    if flavor in ("split", "harness") and isinstance(raw.get("safety", {}), dict):
        safety = table(raw, "safety")
        given = safety.get("protected_groups", ["Administrators"])
        if isinstance(given, list):
            reserved = ["Administrators", *([_HARNESS_ADMINS] if flavor == "harness" else [])]
            extra = [name for name in reserved if name not in given]
            made["safety"] = {**safety, "protected_groups": [*given, *extra]}
    return made


def _warnings(file: _File) -> list[Problem]:
    settings = file.settings
    if settings is None:
        return []
    found = [
        file.problem(path, sentence) for path, secret in settings.secrets() for sentence in secret.warnings()
    ]
    found += _changeable(file, settings)
    if settings.server.address and not is_loopback(settings.server.address[0]):
        message = (
            "lets other machines read the status page and the metrics, which ask for no password:"
            " listen on 127.0.0.1, and let a proxy ask for one"
        )
        found.append(file.problem("server.listen", message))
    if settings.hooks.address and not is_loopback(settings.hooks.address[0]):
        message = (
            "lets other machines post hooks without TLS, secret included: listen on 127.0.0.1 behind a proxy that"
            " ends TLS, or on an address that only the proxy reaches"
        )
        found.append(file.problem("hooks.listen", message))
    created = settings.split.token_created
    # A day of grace: the date was written down where it may be tomorrow already.
    if created is not None and created > (datetime.now(UTC) + timedelta(days=1)).date():
        message = (
            "lies in the future, so nobody is warned before the token expires; write the day it was made"
        )
        found.append(file.problem("split.token_created", message))
    if created is not None and settings.split.flavor == "harness":
        message = "says nothing at Harness, where a token expires on the day that its maker chose: take the line out"
        found.append(file.problem("split.token_created", message))
    if settings.notify.daily is not None and not settings.notify.urls:
        found.append(
            file.problem(
                "notify.daily", "says when to send a summary, and notify.urls has nobody to send it to"
            )
        )
    if settings.push_groups and not settings.provisioning.push_groups:
        message = "is false: the [[push_groups]] rules of this file do nothing"
        found.append(file.problem("provisioning.push_groups", message))
    return found


def _changeable(file: _File, settings: ConnectionSettings) -> list[Problem]:
    """Files that say where the tokens go, and that anybody can change."""
    said = {
        "": settings.path,
        "okta.ca_file": settings.okta.ca_file,
        "split.ca_file": settings.split.ca_file,
    }
    found = []
    for key, path in said.items():
        with suppress(OSError):  # it was read a moment ago
            if path is not None and path.stat().st_mode & stat.S_IWOTH:
                message = f"every user of this machine can change it; run: chmod o-w {shlex.quote(str(path))}"
                found.append(file.problem(key, message) if key else Problem(file.shown, message))
    return found


def _against_each_other(files: Sequence[_File]) -> list[Problem]:
    """What several files in one process may not share, and what they must."""

    def same(key: Callable[[ConnectionSettings], Hashable], path: str, sentence: str) -> list[Problem]:
        groups: dict[Hashable, list[_File]] = {}
        for file in files:
            if file.settings:
                groups.setdefault(key(file.settings), []).append(file)
        return [
            file.problem(path, sentence.format(others=_names(group, file)))
            for group in groups.values()
            if len(group) > 1
            for file in group
        ]

    problems = [
        *same(
            lambda one: one.name.casefold(),
            "name",
            "is also the name of {others}; every connection needs its own",
        ),
        *same(
            lambda one: one.split.base_url,
            "split.base_url",
            "belongs to the same Split organisation as {others}; two would undo each other's work: keep one",
        ),
        *same(
            lambda one: os.path.realpath(one.store_path).casefold(),
            "state",
            "gives the same store file as {others}; give one of them another state directory or name",
        ),
    ]
    problems += _one_server(files, "server.listen", lambda one: one.server.listen)
    problems += _one_server(
        [file for file in files if file.settings and file.settings.hooks.listen],
        "hooks.listen",
        lambda one: one.hooks.listen,
    )
    return problems


def _one_server(
    files: Sequence[_File], path: str, listen: Callable[[ConnectionSettings], str]
) -> list[Problem]:
    wanted = next((listen(file.settings) for file in files if file.settings), "")
    return [
        file.problem(
            path,
            f"differs from {files[0].shown}; the connections of one process share one server",
            f'listen = "{wanted}"',
        )
        for file in files
        if file.settings and listen(file.settings) != wanted
    ]


def _names(group: Sequence[_File], but: _File) -> str:
    return ", ".join(str(file.shown) for file in group if file is not but)
