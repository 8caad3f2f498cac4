"""How old the Split token may become, and when people are warned that its end comes."""

from __future__ import annotations

from datetime import date

TOKEN_LIVES = 365
"""Days; "the access token is valid for one year from the time it's created" (Split help, SCIM for Okta)."""
WARNED_AHEAD = (1, 7, 14, 30)
"""Days before the token's end on which people are told."""


def token_days_left(created: date, today: date) -> int:
    """Days until the Split token expires; negative once it has."""
    return TOKEN_LIVES - (today - created).days


def warning_mark(days_left: int) -> int | None:
    """Which of `WARNED_AHEAD` has been reached, the last one also once the token has expired; None before the first."""
    return next((days for days in WARNED_AHEAD if days_left <= days), None)
