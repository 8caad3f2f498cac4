"""Reading the nested exceptions of a failed connection, without addresses of objects or headers."""

from __future__ import annotations

import ssl
from collections.abc import Sequence


def links(failure: BaseException) -> list[BaseException]:
    """The exceptions inside one another: requests keeps urllib3's in args, urllib3 its own in `reason`."""
    found: list[BaseException] = []
    waiting: list[object] = [failure]
    while waiting:
        link = waiting.pop(0)
        if isinstance(link, BaseException) and not any(link is known for known in found):
            found.append(link)
            waiting += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]
    return found


def root_words(chain: Sequence[BaseException]) -> str:
    """The most telling words: the operating system's, else the name of the innermost exception."""
    for link in chain:
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
    return type(chain[-1]).__name__


def certificate_words(chain: Sequence[BaseException]) -> str | None:
    """Why the certificate is not trusted; None when that is not what failed."""
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return link.verify_message or "certificate verify failed"
    return None
