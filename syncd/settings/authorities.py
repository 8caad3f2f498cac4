"""The certificate authorities that a `ca_file` names: read once and handed on as text, so that no TLS library opens a
path of its own.
"""

from __future__ import annotations

import re
import ssl
from functools import lru_cache
from pathlib import Path

from syncd.errors import ConfigurationError
from syncd.files import read_regular

_LARGEST = 4 * 1024 * 1024
_NOT_ASCII = re.compile(rb"[^\x00-\x7f]")


def authorities(path: Path) -> str:
    """PEM text with at least one certificate, for `cadata`. Raises OSError, whose `strerror` is a cause in words."""
    raw = read_regular(path, largest=_LARGEST)
    # Bundles name their authorities in comments, in any encoding; what counts is base64.
    text = _NOT_ASCII.sub(b"?", raw).decode("ascii")
    try:
        trusting(text)
    except (ssl.SSLError, ValueError):
        raise OSError(0, "it holds no certificate in PEM form, or a damaged one") from None
    return text


def authorities_of(setting: str, path: Path) -> str:
    """As `authorities`; raises ConfigurationError that names the setting ("okta.ca_file")."""
    try:
        return authorities(path)
    except OSError as error:
        raise ConfigurationError(
            f"{setting} {path} cannot be used: {error.strerror}",
            hint="it must be a readable PEM file with the certificate of the private CA",
        ) from None


@lru_cache(maxsize=8)
def trusting(text: str) -> ssl.SSLContext:
    """A TLS context that trusts these authorities alone. Raises ssl.SSLError, ValueError for what is none."""
    if not text:
        raise ValueError("no authority")  # `create_default_context` would take nothing for "the system's"
    return ssl.create_default_context(cadata=text)


@lru_cache(maxsize=1)
def trusting_the_system() -> ssl.SSLContext:
    """A TLS context with the system's authorities: reading them takes longer than a quiet cycle may."""
    return ssl.create_default_context()
