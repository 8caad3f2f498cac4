"""How fast the target is talked to: requests at once, requests a second, and pauses that all threads keep.

A 429 concerns the token, not the thread that happened to get it: one closed gate stops everybody.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.backoff import Backoff, doubled, http_date
from syncd.errors import TemporaryError

LONGEST_PAUSE = 3600.0
"""Seconds. A server that asks for more is asked again after this long."""
_MARGIN = 0.05
_SECONDS = re.compile(r"\d{1,10}(\.\d{1,6})?")
_ASKED = ("Retry-After", "x-retry-after", "X-RateLimit-Reset-Seconds-Org", "X-RateLimit-Reset-Seconds-IP")

OnWait = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class RetryPolicy(Backoff):
    """`deadline` counts all that one request waits. `limit_waits` bounds how often it may be told 429; such a wait is
    no failed try. Where the server names no time it is `limited_first` seconds, doubled up to `limited_ceiling`.
    """

    limit_waits: int = 10
    limited_first: float = 5.0
    limited_ceiling: float = 60.0

    def limited(self, times: int) -> float:
        """Seconds to pause after so many 429 that name no time (1-based)."""
        return doubled(self.limited_first, times, self.limited_ceiling)


class ServerClock:
    """What time it is at the server, by the Date header of its last answer."""

    def __init__(self) -> None:
        self._seen: tuple[float, datetime | None] = (0.0, None)
        self._said: tuple[str, datetime | None] = ("", None)

    def note(self, date: str | None) -> None:
        """`date` is the Date header of an answer that has just come."""
        if date:
            said, read = self._said
            if date != said:  # it is another one once a second
                read = http_date(date)
                self._said = (date, read)
            self._seen = (time.monotonic(), read)

    def at(self, moment: float) -> datetime | None:
        """`moment` is of the monotonic clock. To the second; None without a date that can be counted from."""
        seen, read = self._seen
        with suppress(OverflowError):  # the last day of the year 9999
            return None if read is None else read + timedelta(seconds=moment - seen)
        return None


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds the server asks to wait, by whichever header asks for most; None when it does not say.

    Retry-After in seconds or as a date (RFC 9110 section 10.2.3; a date is judged by the server's own Date),
    x-retry-after, and Split's X-RateLimit-Reset-Seconds-Org and -IP ("wait for the larger").
    """
    found = []
    for name in _ASKED:
        value = headers.get(name, "").split(";")[0].strip()
        if _SECONDS.fullmatch(value):
            found.append(float(value))
        elif (moment := http_date(value)) is not None:
            found.append((moment - (http_date(headers.get("Date")) or now)).total_seconds())
    return min(max(0.0, *found), LONGEST_PAUSE) if found else None


class Pacer:
    """Bounds requests at once (`concurrency`) and starts per second (`rate`, 0 for no bound) over all threads."""

    def __init__(
        self,
        *,
        concurrency: int,
        rate: float,
        on_wait: OnWait | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """`monotonic` and `sleep` are replaceable, so that hours of pacing can be tried in a moment."""
        self._monotonic = monotonic
        self._places = threading.BoundedSemaphore(max(1, concurrency))
        self._interval = 1.0 / rate if rate > 0 else 0.0
        self._next_start = 0.0
        self._closed_until = 0.0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._on_wait = on_wait

    @contextmanager
    def place(self, patience: float) -> Iterator[None]:
        """Holds one place while a request is under way. Raises TemporaryError if the gate stays closed for longer
        than `patience` seconds, or after `stop`.
        """
        with self._places:
            while (wait := self._closed_until - self._monotonic()) > 0 and not self._stopped.is_set():
                if wait > patience:
                    raise TemporaryError(
                        f"Split asked for a pause of another {wait:.0f} s", retry_after=wait, status=429
                    )
                self.sleep(wait)
            if self._interval:
                self._take_turn()
            if self._stopped.is_set():
                raise TemporaryError("stopped while waiting to talk to Split")
            yield

    def _take_turn(self) -> None:
        # Evenly spaced starts instead of a full bucket: a burst of a whole second's worth is what limits punish.
        with self._lock:
            now = self._monotonic()
            start = max(now, self._next_start)
            self._next_start = start + self._interval
        if start > now:
            self.sleep(start - now)

    def close_gate(self, seconds: float, why: str) -> None:
        """No request starts for so long, by any thread. Waits that overlap are reported once."""
        with self._lock:
            now = self._monotonic()
            until = now + seconds + _MARGIN
            fresh = until - max(now, self._closed_until)
            self._closed_until = max(self._closed_until, until)
        if fresh > _MARGIN:
            self.waiting(fresh, why)

    def waiting(self, seconds: float, why: str) -> None:
        """Tells whoever listens that time is spent waiting."""
        if self._on_wait is not None:
            self._on_wait(seconds, why)

    def sleep(self, seconds: float) -> None:
        """Ends early when stopped."""
        self._sleep(seconds)

    @property
    def stopped(self) -> bool:
        """Whether nothing may begin any more."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Wakes every sleeper; requests that have not started never start."""
        self._stopped.set()
