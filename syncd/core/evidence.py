"""The second witness without which no removal can be constructed.

Absence from a complete list only nominates: Okta's lists are live pagination, not snapshots. A removal rests on
one of the values below, and each of them can only be built from what was really read.
"""

from __future__ import annotations

from dataclasses import dataclass

from syncd.model import Absent, Application, OktaGroup, ReadProof


@dataclass(frozen=True, slots=True)
class AbsentById:
    """Asked by id, Okta says the object is not there, while the app answers 200 ACTIVE in the same cycle."""

    absent: Absent
    app: Application

    def __post_init__(self) -> None:
        if self.app.status != "ACTIVE":
            raise ValueError(f"no witness: the app is {self.app.status}")
        if "AppInstance" in self.absent.summary:
            raise ValueError("no witness: the answer says that the app is gone, not the object")

    def __str__(self) -> str:
        return f"Okta answers 404 for {self.absent.resource} while the app is ACTIVE"


@dataclass(frozen=True, slots=True)
class NotInUsersGroups:
    """The user's own complete group list lacks the group, while the group answers 200."""

    user_id: str
    group: OktaGroup
    groups: frozenset[str]

    def __post_init__(self) -> None:
        if self.group.okta_id in self.groups:
            raise ValueError(f"no witness: {self.user_id} is in {self.group.okta_id}")

    def __str__(self) -> str:
        return f"the user's own group list lacks {self.group.name} while the group exists"


@dataclass(frozen=True, slots=True)
class TwoCompleteReads:
    """Two complete reads of the same list agree."""

    first: ReadProof
    second: ReadProof

    def __post_init__(self) -> None:
        if self.first.what != self.second.what or self.first is self.second:
            raise ValueError("no witness: two different complete reads of one list are needed")

    def __str__(self) -> str:
        return (
            f"two complete reads of {self.first.what} agree"
            f" ({self.first.records} and {self.second.records} records)"
        )


@dataclass(frozen=True, slots=True)
class _Statement:
    statement: str

    def __post_init__(self) -> None:
        if not self.statement:
            raise ValueError("no witness: an empty statement")

    def __str__(self) -> str:
        return self.statement


@dataclass(frozen=True, slots=True)
class SaidByOkta(_Statement):
    """Okta's own record says so in words: positive evidence (a status, a name that left the rule)."""


@dataclass(frozen=True, slots=True)
class AskedByOperator(_Statement):
    """A person asked for exactly this (unlink, a rule taken out of the settings)."""


Evidence = AbsentById | NotInUsersGroups | TwoCompleteReads | SaidByOkta | AskedByOperator


@dataclass(frozen=True, slots=True)
class Witnessed(_Statement):
    """Evidence as a saved plan carries it: only its sentence. Enough to show, never enough to plan with."""
