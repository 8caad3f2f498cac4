"""Secrets by reference: where a secret lies, never what it is, until the moment it is needed.

`{ env = "NAME" }`, `{ file = "PATH" }` (relative to the settings file) and `{ credential = "NAME" }` (a file in
`$CREDENTIALS_DIRECTORY`, systemd.exec(5) "Credentials"). Every `read` looks again, so a rotated secret in a file needs
no restart. A credential is a copy that systemd made when it started the service, and a variable never changes: these
two need one.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from syncd.errors import ConfigurationError
from syncd.files import read_regular

Form = Literal["token", "key", "url"]
"""What the value is: `token` goes into an HTTP header, `key` is a PEM or JWK text of several lines, `url` a URL."""

COPIED_FROM = "/etc/syncd/credentials"
"""Where the units have systemd copy credentials from; `$SYNCD_CREDENTIALS_SOURCE` names another directory."""
_ENCRYPTED = ".cred"
_LARGEST = 64 * 1024
_NOT_IN_A_HEADER = re.compile(r"[^\x21-\x7e\xa1-\xff]")  # RFC 9110 section 5.5: visible, and latin-1 at most
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_IN_KEY = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SCHEME = re.compile(r"(SSWS|Bearer|DPoP)\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Tells one file, and one content of it, from another. `changed_at`: when anything about it changed, in ns: what is
    moved into place keeps the time of its content, not that of its name.
    """

    device: int
    inode: int
    size: int
    modified_at: int
    changed_at: int = field(compare=False)

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Follows links. Raises OSError."""
        found = path.stat()
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class Copied:
    """`hidden`: the directory of the files may not be looked into, "" when it may."""

    copy: Stamp
    files: Mapping[Path, Stamp]
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class SecretRef:
    """`place` names the variable, the absolute file or the credential; "" for a literal.

    Neither repr nor str ever shows a literal.
    """

    kind: Literal["env", "file", "credential", "literal"]
    place: str = ""
    form: Form = "token"
    _literal: str = field(default="", repr=False)
    _environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False, compare=False)

    @classmethod
    def literal(cls, value: str, *, form: Form = "token") -> SecretRef:
        """A secret that stands in the settings file itself. Raises ConfigurationError for an unusable value."""
        ref = cls("literal", "", form, value)
        ref.read()
        return ref

    def __str__(self) -> str:
        return (
            "that stands in the settings file"
            if self.kind == "literal"
            else f'{{ {self.kind} = "{self.place}" }}'
        )

    @property
    def named(self) -> Path | None:
        """The file that it is read from; None where it is in none, or systemd does not say where."""
        if self.kind == "credential" and not self._environ.get("CREDENTIALS_DIRECTORY"):
            return None
        return self._file() if self.kind in ("file", "credential") else None

    def read(self) -> str:
        """The secret as it is now, without one trailing line break.

        Raises ConfigurationError when it is missing, unreadable, empty or cannot be what it should be. The
        error never holds the value.
        """
        if self.kind == "literal":
            value = self._literal
        elif self.kind == "env":
            value = self._from_environment()
        else:
            value = self._from_file(self._file())
        return self._checked(value)

    def warnings(self) -> tuple[str, ...]:
        """Sentences about how the secret is kept; () when there is nothing to say."""
        if self.kind == "literal":
            where = '{ env = "NAME" }, { file = "PATH" } or { credential = "NAME" }'
            return (f"the secret stands in the settings file itself; keep it elsewhere and write {where}",)
        if self.kind != "file":
            return ()  # systemd guards its credentials itself; the ACL on one shows as group rights (systemd.exec(5))
        try:
            mode = self._file().stat().st_mode
        except OSError:
            return ()  # `read` says it better
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            return (f"{self} can be read by other users of this machine; run: chmod 600 {self._file()}",)
        return ()

    def copied(self) -> Copied | None:
        """Systemd's copy, and what may be seen of the files that it may have been made from. None: there is no copy."""
        directory = self._environ.get("CREDENTIALS_DIRECTORY")
        if self.kind != "credential" or not directory:
            return None
        source = Path(self._environ.get("SYNCD_CREDENTIALS_SOURCE") or COPIED_FROM)
        files: dict[Path, Stamp] = {}
        hidden = ""
        try:
            copy = Stamp.of(Path(directory) / self.place)
        except OSError:
            return None  # `read` says it better
        for file in (source / self.place, source / (self.place + _ENCRYPTED)):
            try:
                files[file] = Stamp.of(file)
            except PermissionError:
                hidden = str(source)
            except OSError:
                pass  # it has another name or place, or is gone
        return Copied(copy, files, hidden)

    def _from_environment(self) -> str:
        value = self._environ.get(self.place)
        if value is None:
            raise ConfigurationError(
                f"the secret {self} cannot be read: the environment variable {self.place} is not set",
                hint=f"Export {self.place} in the shell or the service that starts syncd, or refer to a file instead.",
            )
        return value

    def _file(self) -> Path:
        if self.kind == "file":
            return Path(self.place)
        directory = self._environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise ConfigurationError(
                f"the secret {self} cannot be read: $CREDENTIALS_DIRECTORY is not set",
                hint="Only systemd sets it: add LoadCredential= to the unit, or use env or file outside of systemd.",
            )
        return Path(directory) / self.place

    def _from_file(self, path: Path) -> str:
        try:
            raw = read_regular(path, largest=_LARGEST)
        except FileNotFoundError:
            hint = "Create it, or correct the path (relative paths start at the settings file)."
            raise self._unreadable(path, "there is no such file", hint) from None
        except PermissionError:
            hint = f"Make it readable for the user that runs syncd: chown, and chmod 600 {path}"
            raise self._unreadable(path, "permission denied", hint) from None
        except OSError as error:
            hint = "Check the path: it must name the file that holds the secret."
            raise self._unreadable(path, error.strerror or "I/O error", hint) from None
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            hint = "Save it as plain UTF-8 text; a key must be PEM or JSON, not DER."
            raise self._unreadable(path, "it is not UTF-8 text", hint) from None

    def _unreadable(self, path: Path, cause: str, hint: str) -> ConfigurationError:
        return ConfigurationError(f"the secret {self} cannot be read: {path}: {cause}", hint=hint)

    def _checked(self, value: str) -> str:
        value = value.removesuffix("\n").removesuffix("\r")
        if not value.strip():
            raise ConfigurationError(
                f"the secret {self} is empty",
                hint="Put the value there, without quotes and without spaces around it.",
            )
        if self.form == "key":
            fault = "control characters" if _CONTROL_IN_KEY.search(value) else ""
        elif _CONTROL.search(value):
            fault = "line breaks or control characters"
        elif self.form == "token" and _SCHEME.match(value):
            fault = "the scheme of the header too (SSWS or Bearer), where only the token belongs"
        elif self.form == "token" and _NOT_IN_A_HEADER.search(value):
            fault = "spaces or characters that no token has and no HTTP header can carry"
        else:
            fault = ""
        if fault:
            raise ConfigurationError(
                f"the secret {self} contains {fault}",
                hint="It was probably copied with something around it: store the bare value again.",
            )
        return value
