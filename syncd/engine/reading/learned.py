"""What one cycle learned from Okta besides what is staged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.core.diff import Skipped
from syncd.core.groups import Claim
from syncd.errors import AccessDenied, SyncdError, concerns_the_connection
from syncd.model import Absent, Application, PushMapping, ReadProof


@dataclass
class Reading:
    """What one cycle learned from Okta besides what is staged. Grows while reading."""

    app: Application
    users_proof: ReadProof | None = None
    unidentified: bool = False
    """A record of the user list did not say whose it is: a departure can only be confirmed by id."""
    active_seen: int = 0
    groups_whole: bool = False
    assigned: frozenset[str] | None = None
    mappings: Mapping[str, PushMapping] | None = None
    list_proofs: dict[str, ReadProof] = field(default_factory=dict)
    member_proofs: dict[str, ReadProof] = field(default_factory=dict)
    absent: dict[str, Absent] = field(default_factory=dict)
    """Users that were named, asked for by id, and are not assigned."""
    own_lists: dict[str, frozenset[str]] = field(default_factory=dict)
    """The own group lists of users that were named."""
    looked_at: set[tuple[str, str]] = field(default_factory=set)
    """(user or group, Okta id) of what was named and read, or found to be gone."""
    freed: set[str] = field(default_factory=set)
    """Keys of names that objects of this cycle give up, where others may wait for them."""
    claims: dict[str, Claim] = field(default_factory=dict)
    """Of the groups that were named."""
    asked: set[str] = field(default_factory=set)
    """Okta ids of the groups among them that were asked for by id."""
    heard: dict[str, str | None] = field(default_factory=dict)
    """Names of groups, by Okta id, as answers that were asked for about people told them; None: it is gone."""
    announced: frozenset[tuple[str, str]] = frozenset()
    """(group id, user id): the System Log says that this person left this group."""
    unread: dict[tuple[str, str], SyncdError] = field(default_factory=dict)
    """(user or group, Okta id) of what could not be read, or not wholly, while others could: it stays as it is."""
    problems: list[SyncdError] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    contradictions: list[Skipped] = field(default_factory=list)
    """Where a list says one thing and an answer by id, which counts, another."""

    def contradict(self, okta_id: str, name: str, listed: str, by_id: str, *, about: str = "user") -> None:
        """`listed` and `by_id`: what the list and the answer by id say, for people."""
        reason = f"{listed}; asked by id Okta {by_id}: that counts"
        self.contradictions.append(Skipped("contradicted", okta_id, name, reason, about))

    def leave_in_doubt(self, what: str, count: int) -> None:
        """More than are asked for by id in one cycle."""
        reason = (
            f"{count} more {what}: a list differs from what Okta answered by id a moment before;"
            " left as they are until the next cycles have asked for them"
        )
        self.contradictions.append(Skipped("unconfirmed", "", "", reason))

    def cannot_tell(self, kind: str, okta_id: str, problem: SyncdError) -> None:
        """The object stays as it is, and everything else goes on. Raises what concerns the whole connection."""
        if concerns_the_connection(problem):
            raise problem
        self.unread[kind, okta_id] = problem
        if not isinstance(problem, AccessDenied):
            self.problems.append(problem)

    def looked_at_of(self, kind: str) -> set[str]:
        """Okta ids."""
        return {okta_id for of_kind, okta_id in self.looked_at if of_kind == kind}

    @property
    def refused(self) -> Mapping[tuple[str, str], AccessDenied]:
        """What a side does not let be read while it answers the rest: it waits, and the cycle has not failed."""
        return {key: error for key, error in self.unread.items() if isinstance(error, AccessDenied)}

    @property
    def is_whole(self) -> bool:
        """Nothing was left unread."""
        return not self.problems and not self.unread

    @property
    def saw_everything(self) -> bool:
        """A complete cycle, in whose plan every wish stands."""
        return self.is_whole and not self.looked_at
