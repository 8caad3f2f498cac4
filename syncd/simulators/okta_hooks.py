"""Event hooks as Okta sends them (Okta, "Event hooks"): a verification, and POSTs of several events.

Best effort: three seconds for an answer, at most one retry, none after a 4xx, nothing is sent again later. A failed
delivery is an `event_hook.delivery` of the System Log.
"""

import heapq
import http.client
import json
import random
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import urlsplit

from syncd.simulators.okta_entities import Json, target
from syncd.simulators.okta_events import LogEvent
from syncd.simulators.turning import refuse_unknown

_HEADERS = {"Accept": "application/json", "User-Agent": "Okta-Integrations"}
_NOT_ELIGIBLE = "event_hook."


@dataclass(frozen=True, slots=True)
class HookKnobs:
    """`delay_seconds`: events are delivered that much later; those of `together_seconds` travel in one POST, at most
    `batch` of them. `twice`: each POST is sent twice. `shuffle`: the events of a POST, and POSTs that wait, come out
    of order. `lose_every`: every so-many-th POST is never sent (1: all; 0: none). `timeout_seconds`: for an answer.
    `daily_limit`: more events than this are dropped. `address`: of the org, in `source` ("": its URL).
    """

    delay_seconds: float = 0.0
    together_seconds: float = 0.02
    batch: int = 100
    twice: bool = False
    shuffle: bool = False
    lose_every: int = 0
    timeout_seconds: float = 3.0
    daily_limit: int = 100_000
    address: str = ""

    def changed(self, **changes: Any) -> Self:
        """These knobs with some turned. Raises ValueError for a knob that does not exist."""
        refuse_unknown(self, changes, "hook knobs")
        return replace(self, **changes)


@dataclass
class EventHook:
    """One hook of the org: where it goes, the secret that it carries, and the event types that were ticked."""

    url: str
    secret: str
    events: tuple[str, ...]
    header: str = "Authorization"
    id: str = field(default_factory=lambda: "who" + secrets.token_hex(8))
    verified: bool = False
    statuses: list[int] = field(default_factory=list)
    """What each try was answered, in order; 0: no answer in time, or no connection."""

    def as_json(self) -> Json:
        """Without the secret."""
        return {
            "id": self.id,
            "url": self.url,
            "header": self.header,
            "events": list(self.events),
            "verified": self.verified,
            "statuses": list(self.statuses),
        }


@dataclass(order=True)
class _Waiting:
    due: float
    place: float
    hook: EventHook = field(compare=False)
    body: Json = field(compare=False)


class EventHooks:
    """All hooks of an org, delivered by one thread that lives while there is something to deliver.

    `org` gives the org's URL, `log` writes an event to the System Log.
    """

    def __init__(self, org: Callable[[], str], log: Callable[[str, list[Json]], object]) -> None:
        self.knobs = HookKnobs()
        self.hooks: list[EventHook] = []
        self._org = org
        self._log = log
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._sending = False
        self._posts = 0
        self._today = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self._dice = random.Random(1)

    def register(
        self, url: str, *, secret: str, events: Sequence[str], header: str = "Authorization"
    ) -> EventHook:
        """A hook as a super administrator adds it; it gets events once `verify` has succeeded."""
        hook = EventHook(url, secret, tuple(events), header)
        self.hooks.append(hook)
        return hook

    def verify(self, hook: EventHook) -> bool:
        """The one-time GET: the endpoint has to give the challenge back, as JSON. One retry."""
        challenge = secrets.token_urlsafe(30)
        headers = {"X-Okta-Verification-Challenge": challenge, hook.header: hook.secret}
        for _ in range(2):
            status, said = self._exchange(hook, "GET", None, headers)
            if status == 200:
                try:
                    hook.verified = json.loads(said) == {"verification": challenge}
                except ValueError:
                    hook.verified = False
                return hook.verified
            if 400 <= status < 500:
                break
        hook.verified = False
        return False

    def heard(self, event: LogEvent) -> None:
        """An event of the System Log; called under the world's lock."""
        kind = str(event.body["eventType"])
        if kind.startswith(_NOT_ELIGIBLE):
            return
        for hook in self.hooks:
            if hook.verified and kind in hook.events:
                self._add(hook, event.body)

    def _add(self, hook: EventHook, event: Json) -> None:
        with self._changed:
            if self._closed or self._today >= self.knobs.daily_limit:
                return
            self._today += 1
            due = time.monotonic() + self.knobs.delay_seconds + self.knobs.together_seconds
            place = self._dice.random() if self.knobs.shuffle else 0.0
            for each in self._waiting:
                room = len(each.body["data"]["events"]) < self.knobs.batch
                if each.hook is hook and room and due - each.due <= self.knobs.together_seconds:
                    each.body["data"]["events"].append(event)
                    break
            else:
                heapq.heappush(self._waiting, _Waiting(due, place, hook, self._body(hook, event)))
            if self._thread is None:
                self._thread = threading.Thread(target=self._deliver, name="okta-event-hooks", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _body(self, hook: EventHook, event: Json) -> Json:
        return {
            "eventType": "com.okta.event_hook",
            "eventTypeVersion": "1.0",
            "cloudEventsVersion": "0.1",
            "source": f"{self.knobs.address or self._org()}/api/v1/eventHooks/{hook.id}",
            "eventId": str(uuid.uuid4()),
            "data": {"events": [event]},
            "eventTime": event["published"],
            "contentType": "application/json",
        }

    def _deliver(self) -> None:
        while True:
            with self._changed:
                if self._closed or not self._waiting:
                    self._thread = None
                    self._changed.notify_all()
                    return
                left = self._waiting[0].due - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                ready = heapq.heappop(self._waiting)
                self._posts += 1
                every = self.knobs.lose_every
                lost = bool(every) and self._posts % every == 0
                self._sending = True
            try:
                for _ in range(0 if lost else 2 if self.knobs.twice else 1):
                    self._send(ready.hook, ready.body)
            finally:
                with self._changed:
                    self._sending = False
                    self._changed.notify_all()

    def _send(self, hook: EventHook, body: Json) -> None:
        if self.knobs.shuffle:
            self._dice.shuffle(body["data"]["events"])
        content = json.dumps(body).encode()
        for _ in range(2):
            status, _said = self._exchange(
                hook, "POST", content, {"Content-Type": "application/json", hook.header: hook.secret}
            )
            hook.statuses.append(status)
            if status in (200, 204):
                return
            if 400 <= status < 500:
                break
        self._log("event_hook.delivery", [target("EventHook", hook.id, "unknown", "syncd")])

    def _exchange(
        self, hook: EventHook, method: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        """The status and the answer; 0 when none came in time."""
        parts = urlsplit(hook.url)
        wire = http.client.HTTPConnection(
            parts.hostname or "", parts.port or 80, timeout=self.knobs.timeout_seconds
        )
        try:
            wire.request(method, parts.path or "/", body, {**_HEADERS, **headers})
            answer = wire.getresponse()
            return answer.status, answer.read(65_536)
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            wire.close()

    def wait_until_delivered(self, seconds: float = 20.0) -> bool:
        """Whether everything that was to be delivered has been, or was given up, within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._sending, seconds)

    def close(self) -> None:
        """Delivers nothing any more."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(self.knobs.timeout_seconds * 2 + 1)
