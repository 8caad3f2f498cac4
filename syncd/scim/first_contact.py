"""What is not known of a target yet is found out once: by one thread, while the others wait for what it learned.

Eight workers that all try the form that a server refuses get eight refusals. What the server says of itself
(ServiceProviderConfig, RFC 7643 section 5) is asked for only once something was refused, and believed only as far as
the order goes in which forms are tried: it may lie.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from syncd.errors import SyncdError
from syncd.scim.http import ScimHttp

LESSONS_AT_MOST = 2
"""So often others wait for one about whom the lesson is; who learns nothing from it must not slow down all."""


class FirstContact:
    """Of one conversation; used by all its threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._lessons: Counter[str] = Counter()
        self._says_no_patch: bool | None = None

    @contextmanager
    def alone(self, lesson: str, is_known: Callable[[], bool]) -> Iterator[None]:
        """Alone with this lesson while it `is_known` to nobody; together with everybody once it is."""
        if is_known() or self._lessons[lesson] >= LESSONS_AT_MOST:
            yield
            return
        with self._guard:
            lock = self._locks.setdefault(lesson, threading.Lock())
        with lock:
            if not is_known() and self._lessons[lesson] < LESSONS_AT_MOST:
                self._lessons[lesson] += 1
                yield
                return
        yield

    def says_no_patch(self, http: ScimHttp) -> bool:
        """Whether the server says that it has no PATCH. Asked once; a server that does not say so may have none."""
        if self._says_no_patch is None:
            with http.doubt.kept():
                self._says_no_patch = _says_no_patch(http)
        return self._says_no_patch


def _says_no_patch(http: ScimHttp) -> bool:
    try:
        said = http.send("GET", ["ServiceProviderConfig"])
    except SyncdError:
        return False
    patch = said.resource.get("patch") if said.ok else None
    return isinstance(patch, dict) and patch.get("supported") is False
