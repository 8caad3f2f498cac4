"""One line of `check`, and the list of them as it grows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from syncd.errors import SyncdError

State = Literal["ok", "info", "warn", "fail", "skip"]
"""`info` is for what nobody can probe, `skip` for what could not be asked because something before it failed."""


@dataclass(frozen=True, slots=True)
class Check:
    """`detail` says what was found and what it means, `hint` what to do about it ("" when nothing is to do)."""

    name: str
    state: State
    detail: str
    hint: str = ""


@dataclass
class Checks:
    """Grows line by line; `worst_code` is the exit code of the gravest failure so far (0: none)."""

    lines: list[Check] = field(default_factory=list)
    worst_code: int = 0

    def ok(self, name: str, detail: str) -> None:
        self.lines.append(Check(name, "ok", detail))

    def info(self, name: str, detail: str, hint: str = "") -> None:
        """Worth knowing, neither good nor bad."""
        self.lines.append(Check(name, "info", detail, hint))

    def warn(self, name: str, detail: str, hint: str) -> None:
        self.lines.append(Check(name, "warn", detail, hint))

    def skip(self, name: str, because: str) -> None:
        """It was not tried, for this reason."""
        self.lines.append(Check(name, "skip", because))

    def fail(self, name: str, detail: str, hint: str, *, exit_code: int = 1) -> None:
        """The highest `exit_code` of all failed lines is the command's."""
        self.lines.append(Check(name, "fail", detail, hint))
        self.worst_code = max(self.worst_code, exit_code)  # 78 outranks 1

    def failed(self, name: str, error: SyncdError) -> None:
        """A failed line with the error's words; exit code 78 for a setting to mend, else 1."""
        code = 78 if error.exit_code == 78 else 1
        self.fail(name, error.message, error.hint, exit_code=code)

    @contextmanager
    def probing(self, name: str) -> Iterator[None]:
        """A failure inside becomes the line `name`, and the next probe goes on."""
        try:
            yield
        except SyncdError as error:
            self.failed(name, error)

    def passed(self, *names: str) -> bool:
        """Whether each of these probes was made and none of its lines failed or was skipped."""
        states = {name: {line.state for line in self.lines if line.name == name} for name in names}
        return all(found and not found & {"fail", "skip"} for found in states.values())

    def blocking(self, *names: str) -> list[str]:
        """Those of the names that did not pass."""
        return [name for name in names if not self.passed(name)]
