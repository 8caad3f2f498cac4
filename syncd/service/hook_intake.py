"""Stores what event hooks name, apart from the event loop that hears them: what waits together is stored together.

`HookReceiver` is where names are put. On one machine that is the connection itself, with its store; a worker of a fleet
puts them into the database (`fleet.hooked_orgs`).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from syncd.errors import TemporaryError
from syncd.model import LogEvent
from syncd.settings.schema import HooksSettings

_AT_ONCE = 500
"""Posts that are stored together."""
WAITING_AT_MOST = 20_000
"""Events, and names in them, that may wait to be stored; more are refused. A post that waits alone is not."""


class HookReceiver(Protocol):
    """One connection, or all of one org, to whom names can be given."""

    @property
    def terms(self) -> HooksSettings:
        """With which secret, as it counts now."""
        ...

    @property
    def org_urls(self) -> Sequence[str]:
        """The addresses of its org, that of the settings first."""
        ...

    def take(self, events: Sequence[LogEvent]) -> None:
        """What these events name is durable when it returns. Raises SyncdError when it is not."""
        ...


@dataclass(slots=True)
class _Post:
    receivers: Sequence[HookReceiver]
    events: Sequence[LogEvent]
    stored: Future[None] = field(default_factory=Future)

    @property
    def size(self) -> int:
        """What it costs to keep and to store it: its events, and the names in them."""
        return sum(1 + len(event.targets) for event in self.events)


class HookIntake:
    """`put` from any thread; its own thread stores, until `close`."""

    def __init__(self) -> None:
        self._posts: queue.SimpleQueue[_Post | None] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="syncd-hooks-store", daemon=True)
        self._thread.start()

    def put(self, receivers: Sequence[HookReceiver], events: Sequence[LogEvent]) -> Future[None]:
        """Done when the names are stored; fails with TemporaryError when nobody could store them."""
        post = _Post(receivers, events)
        with self._lock:
            fits = not self._waiting or self._waiting + post.size <= WAITING_AT_MOST
            self._waiting += post.size if fits else 0
        if fits:
            self._posts.put(post)
        else:
            post.stored.set_exception(TemporaryError("too many event hooks wait to be stored"))
        return post.stored

    def close(self) -> None:
        """What was put is stored; then nothing more is."""
        self._posts.put(None)
        self._thread.join(1.0)

    def _work(self) -> None:
        while (first := self._posts.get()) is not None:
            posts, over = [first], False
            while len(posts) < _AT_ONCE and not over:
                try:
                    post = self._posts.get_nowait()
                except queue.Empty:
                    break
                over = post is None
                if post is not None:
                    posts.append(post)
            self._store(posts)
            with self._lock:
                self._waiting -= sum(post.size for post in posts)
            if over:
                return

    @staticmethod
    def _store(posts: Sequence[_Post]) -> None:
        """Each connection once. A post counts as stored when one of its connections took it."""
        by_receiver: dict[int, tuple[HookReceiver, list[_Post]]] = {}
        for post in posts:
            for receiver in post.receivers:
                by_receiver.setdefault(id(receiver), (receiver, []))[1].append(post)
        taken: set[int] = set()
        for receiver, mine in by_receiver.values():
            try:
                receiver.take([event for post in mine for event in post.events])
            except Exception:  # noqa: BLE001, S112  (the poster is told, and the log's own poll finds it)
                continue
            taken.update(id(post) for post in mine)
        for post in posts:
            if id(post) in taken:
                post.stored.set_result(None)
            else:
                post.stored.set_exception(TemporaryError("no store could take what the event hook names"))
