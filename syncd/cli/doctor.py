"""`syncd doctor`: what support needs to know, without secrets."""

from __future__ import annotations

import io
import platform
import sys
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd import __version__
from syncd.cli import exits
from syncd.cli.choices import json_option, output_option
from syncd.cli.files import OutputFile
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.errors import RefusedError
from syncd.report import jsondoc
from syncd.report.doctor_text import doctor_lines
from syncd.report.lines import plain

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings, Problem

_PACKAGES = ("okta", "requests", "sqlite-utils", "pydantic", "apscheduler", "aiohttp", "click", "tenacity")


@click.command(name="doctor", cls=Command)
@output_option
@json_option
@click.pass_context
def command(ctx: click.Context, output: Path | None, *, as_json: bool) -> int:
    """Gather what support needs to know, without secrets.

    Versions, settings (references instead of secrets), check, quarantine, who is left out, the store with its
    integrity, the last errors: one text, or with -o FILE.tar.gz a bundle of text and JSON. Every secret of the
    settings is searched for in the result; one that is found refuses it (exit 3). Changes nothing. Names of people
    are in it.
    """
    gathered: list[dict[str, Any]] = []
    with Session(globals_of(ctx), as_json=as_json) as session:
        file = None
        if output is not None:
            file = OutputFile(output, "the diagnosis", instead="Without -o it goes to stdout.")
            for settings in session.load(say=False).connections:
                file.spare(settings)

        def answer(document: Mapping[str, Any], secrets: Mapping[str, str]) -> Answer:
            clean = session.redactor.value(dict(document))
            made = dict(clean) if isinstance(clean, dict) else {}
            _refuse_secrets(made, secrets)
            gathered.append(made)
            return Answer(made, exits.DONE, () if file else doctor_lines(made), exact=True)

        def work(settings: ConnectionSettings) -> Answer:
            return _examined(session, settings, answer)

        def broken(name: str, problems: list[Problem]) -> Answer:
            from syncd.answers.check.check import settings_failed  # noqa: PLC0415  (the engine)
            from syncd.answers.doctor import empty_diagnosis  # noqa: PLC0415

            found = settings_failed(name, [str(problem) for problem in problems]).document
            return answer(empty_diagnosis(name, _versions(), datetime.now(UTC)) | {"check": found}, {})

        session.listen()
        code = session.each(work, broken=broken)
        if file is not None and gathered:
            file.write_bytes(
                [_bundle(gathered) if str(output).endswith(".tar.gz") else _text(gathered).encode()]
            )
            session.note(f"written to {output}; no secret of the settings was found in it")
        return code


def _examined(session: Session, settings: ConnectionSettings, answer: Any) -> Answer:
    from syncd.answers.check.check import check  # noqa: PLC0415  (the engine)
    from syncd.answers.doctor import absent_files, diagnosis, hidden, secrets_of  # noqa: PLC0415
    from syncd.wiring import bench, open_for_status  # noqa: PLC0415

    session.learn(settings)
    with session.watcher(settings) as observer:
        observer.phase("checking")
        document = diagnosis(
            settings,
            opened=lambda: open_for_status(settings),
            checked=lambda: (
                check(
                    bench(settings, _warnings(session), observer=observer, redactor=session.redactor)
                ).document
            ),
            versions=_versions(),
            now=datetime.now(UTC),
        )
    made: Answer = answer(hidden(document, absent_files(settings)), secrets_of(settings))
    return made


def _warnings(session: Session) -> Sequence[str]:
    return [str(warning) for warning in session.warnings]


def _refuse_secrets(document: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
    """Raises RefusedError, which names the settings and not what was found."""
    from syncd.answers.doctor import secrets_in  # noqa: PLC0415  (the engine)

    found = secrets_in(jsondoc.dumps(document) + plain(doctor_lines(document)), secrets)
    if found:
        raise RefusedError(
            f"nothing was written: the value of {', '.join(found)} stands in the result",
            hint="An ordinary word is no secret: set one that nobody guesses. With another value this is a fault of"
            " syncd: report it, without the value.",
        )


def _versions() -> Mapping[str, Any]:
    from syncd.store import sqlite_version  # noqa: PLC0415  (sqlite-utils)

    packages = {name: _version(name) for name in _PACKAGES}
    return {
        "syncd": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite_version,
        "system": platform.platform(),
        "executable": sys.executable,
        "packages": {name: version for name, version in packages.items() if version},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _text(documents: Iterable[Mapping[str, Any]]) -> str:
    return "\n".join(plain(doctor_lines(document)) for document in documents)


def _bundle(documents: Sequence[Mapping[str, Any]]) -> bytes:
    """A directory for each connection: the text, the whole document, and its parts."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for document in documents:
            files = {"doctor.txt": plain(doctor_lines(document)), "doctor.json": jsondoc.dumps(document)}
            for part in ("settings", "check", "status"):
                if document[part] is not None:
                    files[f"{part}.json"] = jsondoc.dumps(document[part])
            for name, text in files.items():
                entry = tarfile.TarInfo(f"syncd-doctor/{document['connection']}/{name}")
                entry.size, entry.mode = len(text.encode()), 0o600
                archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()
