"""Commands in hints, made whole: whoever named settings files has to name them in the next command too."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

_ABOUT_A_CONNECTION = (
    "apply|approve|audit|backup|check|doctor|drift|expect|explain|groups|held|link|pause|plan|reject|release|relink"
    "|report|restore|resume|retry|skipped|status|sync|undo|unlink"
)
_COMMAND = re.compile(rf"\bsyncd (?=(?:{_ABOUT_A_CONNECTION})\b(?!, process))")
"""Not where a process is called so."""


def whole(text: str, configs: Sequence[Path]) -> str:
    """The text with `-c FILE` in each command of ours that it names; as it is where no file was named. For our own
    words only.
    """
    named = shlex.join(part for config in configs for part in ("-c", str(config)))
    return _COMMAND.sub(lambda _: f"syncd {named} ", text) if named else text
