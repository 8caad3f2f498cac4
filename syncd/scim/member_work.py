"""One change of the members of a group, under way."""

from __future__ import annotations

from dataclasses import dataclass, field

_HALVINGS = 64
"""Requests that one call may spend on finding the members that a server does not take."""


@dataclass(slots=True)
class MemberWork:
    """One call under way."""

    scim_id: str
    done: dict[bool, set[str]] = field(default_factory=lambda: {True: set(), False: set()})
    failed: dict[str, Exception] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    verified: bool = True
    status: int | None = None
    halvings: int = _HALVINGS
    taken_over: bool = False
    halving: bool = False
    """A batch that is answered 500 is being taken apart: what is sent now is sent once."""

    @property
    def started(self) -> bool:
        return bool(self.done[True] or self.done[False])

    def doubt(self, note: str) -> None:
        self.verified = False
        self.notes.append(note)
