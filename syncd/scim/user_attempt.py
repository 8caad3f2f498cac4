"""What one form of changing a user achieved, and several together."""

from __future__ import annotations

from dataclasses import dataclass, field

from syncd.core.change import Json
from syncd.errors import SyncdError


@dataclass(slots=True)
class Attempt:
    """What one form achieved: paths by what the server showed afterwards (the value, nothing, what may be the value,
    something else), and the first refusal. `astray`: PATCH was answered 404 although the user is there, or 405 where
    it was seen to work for others. `active`: as shown last.
    """

    applied: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    unsure: dict[str, Json] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    active: bool | None = None
    refused: SyncdError | None = None
    status: int | None = None
    accepted: bool = False
    no_patch: bool = False
    astray: bool = False
    notes: list[str] = field(default_factory=list)

    def refuse(self, error: SyncdError) -> None:
        self.refused = self.refused or error

    def add(self, later: Attempt) -> None:
        """Takes over what a later form achieved; a value that was shown once is not hidden."""
        self.applied |= later.applied
        self.denied = (self.denied | later.denied) - self.applied
        unsure = {**self.unsure, **later.unsure}
        self.unsure = {text: unsure[text] for text in unsure.keys() - self.denied - self.applied}
        self.absent = (self.absent | later.absent) - self.denied - self.unsure.keys() - self.applied
        self.active = self.active if later.active is None else later.active
        self.refused = self.refused or later.refused
        self.status = later.status or self.status
        self.accepted = self.accepted or later.accepted
        self.no_patch = self.no_patch or later.no_patch
        self.astray = self.astray or later.astray
        self.notes += later.notes

    @property
    def note(self) -> str:
        return "; ".join(dict.fromkeys(self.notes))
