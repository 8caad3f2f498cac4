"""How long to wait between tries, the same towards Okta and towards the target."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Backoff:
    """`attempts` tries in all; delays in seconds, doubled from `first` up to `ceiling`, full jitter. `deadline` bounds
    the seconds that one request may lose.
    """

    attempts: int = 5
    first: float = 0.5
    ceiling: float = 30.0
    deadline: float = 300.0

    def delay(self, failures: int) -> float:
        """Seconds before the next try after so many failures (1-based)."""
        # Jitter keeps clients apart; nothing secret depends on it.
        return random.uniform(0, doubled(self.first, failures, self.ceiling))  # noqa: S311


def doubled(first: float, times: int, ceiling: float) -> float:
    """Seconds: `first`, and for each further of so many times (1-based) twice as long, up to `ceiling`."""
    return min(ceiling, first * 2.0 ** min(times - 1, 60))


def http_date(value: str | None) -> datetime | None:
    """An HTTP date (RFC 9110 section 5.6.7) as aware UTC; None when absent or malformed."""
    try:
        moment = parsedate_to_datetime(value or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
