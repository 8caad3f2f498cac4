"""The addresses of an org, its own at Okta and a custom domain (Okta, "Retrieve the Org metadata"), and of what is in
it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from syncd.errors import PermanentError
from syncd.okta.answers import Answer

ORG_PATH = "/.well-known/okta-organization"
_RELATIONS = ("organization", "alternate")
_HOST = re.compile(r"[a-z0-9.-]{1,253}(:[0-9]{1,5})?")


def told_of_org(answer: Answer, origin: str) -> Sequence[str]:
    """Those that an answer names; none where nothing is there."""
    return () if answer.status == 404 else org_urls(answer.body, origin)


def org_urls(body: object, origin: str) -> Sequence[str]:
    """As scheme and host in small letters; none that is less safe than `origin`, where the answer came from."""
    links = body.get("_links") if isinstance(body, dict) else None
    found = []
    for relation in _RELATIONS:
        link = links.get(relation) if isinstance(links, dict) else None
        href = link.get("href") if isinstance(link, dict) else None
        url = _address(href, urlsplit(origin).scheme) if isinstance(href, str) else ""
        if url:
            found.append(url)
    return found


def _address(href: str, scheme: str) -> str:
    try:
        parts = urlsplit(href)
    except ValueError:
        return ""
    host = parts.netloc.lower()
    return f"{parts.scheme}://{host}" if parts.scheme in (scheme, "https") and _HOST.fullmatch(host) else ""


def segment(value: str) -> str:
    """One path segment. Raises PermanentError for what cannot be one."""
    if value in ("", ".", "..") or not value.isprintable():
        raise PermanentError(f"{value!r} cannot be an id in Okta")
    return quote(value, safe="")
