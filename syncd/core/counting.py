"""A number and its noun, as people read them."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """1 user, 2 users, 1,000 users."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
