"""Observers of tests (`ports.Observer`)."""

from __future__ import annotations


class Unheard:
    """Nobody listens to it."""

    def phase(self, name: str, total: int | None = None) -> None:
        pass

    def advance(self, count: int = 1) -> None:
        pass

    def event(self, level: str, event: str, **fields: object) -> None:
        pass


class Log(Unheard):
    """`said` is every event: level, event, fields."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, dict[str, object]]] = []

    def event(self, level: str, event: str, **fields: object) -> None:
        self.said.append((level, event, fields))
