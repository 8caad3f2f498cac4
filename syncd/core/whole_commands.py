"""Commands in hints, made whole: whoever named settings files has to name them in the next command too."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_ABOUT_A_CONNECTION = (
    "apply|approve|audit|backup|check|doctor|drift|expect|explain|groups|held|link|pause|plan|reject|release|relink"
    "|report|restore|resume|retry|skipped|status|sync|undo|unlink"
)
_COMMAND = re.compile(rf"\bsyncd (?=(?:{_ABOUT_A_CONNECTION})\b(?!, process|:| report: ))")
"""Not where a process or a page is called so."""


def whole(text: str, given: Sequence[str]) -> str:
    """The text with the options `given` (`-c FILE`, `--fleet FILE --connection NAME`) in each command of ours that it
    names, unless it has them already.
    """
    named = shlex.join(given)
    return _COMMAND.sub(lambda _: f"syncd {named} ", text) if named else text


def of_connection(name: str, settings_file: Path | str | None, fleet_file: Path | str | None) -> list[str]:
    """What says this connection on a command line."""
    if fleet_file is not None:
        return ["--fleet", str(fleet_file), "--connection", name]
    return [] if settings_file is None else ["-c", str(settings_file)]


def of_document(document: Mapping[str, Any]) -> list[str]:
    """The same, of a document that names them (`syncd.status/1`, `syncd.report/1`)."""
    return of_connection(document["connection"], document.get("settings_file"), document.get("fleet_file"))


def of_files(files: Sequence[Path]) -> list[str]:
    """What says these settings files on a command line."""
    return [part for file in files for part in ("-c", str(file))]
