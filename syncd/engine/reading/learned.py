"""What one cycle learned from Okta besides what is staged: of everything, or of the objects that were named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

from syncd.core.diff import Skipped
from syncd.core.groups import Claim, RuleBook, claim
from syncd.engine.facts import AskedTie
from syncd.errors import AccessDenied, SyncdError, concerns_the_connection
from syncd.model import Absent, Application, OktaGroup, PushMapping, ReadProof


@dataclass
class UserList:
    """The list of the app's users, which every full cycle reads, and one of many named people."""

    proof: ReadProof | None = None
    """Of the first time that it arrived whole."""
    unidentified: bool = False
    """A record did not say whose it is: a departure can only be confirmed by id."""
    active_seen: int = 0
    """People who are wanted active, answers by id included; of two lists each counts."""


@dataclass
class RuleLists:
    """What push rules go by besides the groups themselves; None where it was not read."""

    assigned: frozenset[str] | None = None
    mappings: Mapping[str, PushMapping] | None = None
    mappings_proof: ReadProof | None = None

    def answer(self, book: RuleBook) -> bool:
        """Whether everything was read that these rules need."""
        return not (book.needs_assigned and self.assigned is None) and not (
            book.needs_mappings and self.mappings is None
        )

    def named(self) -> set[str]:
        """Okta ids of the groups that they name."""
        return {*(self.assigned or ()), *(self.mappings or ())}

    def claim(self, group: OktaGroup, book: RuleBook) -> Claim | None:
        """None when no rule names the group."""
        return claim(group, book, self.assigned or frozenset(), self.mappings or {})


@dataclass
class Reading:
    """What one cycle learned from Okta besides what is staged. Grows while reading. By itself it is that of a cycle
    that asked for the app alone.
    """

    app: Application
    users: UserList = field(default_factory=UserList)
    rule_lists: RuleLists = field(default_factory=RuleLists)
    member_proofs: dict[str, ReadProof] = field(default_factory=dict)
    absent: dict[str, Absent] = field(default_factory=dict)
    """Users that were asked for by id, and are not assigned."""
    claims: dict[str, Claim] = field(default_factory=dict)
    """Of the groups that were read one by one."""
    asked: set[str] = field(default_factory=set)
    """Okta ids of the groups among them that were asked for by id."""
    heard: dict[str, str | None] = field(default_factory=dict)
    """Names of groups, by Okta id, as answers that were asked for about people told them; None: it is gone."""
    unread: dict[tuple[str, str], SyncdError] = field(default_factory=dict)
    """(user or group, Okta id) of what could not be read, or not wholly, while others could: it stays as it is."""
    problems: list[SyncdError] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    ties: dict[str, AskedTie] = field(default_factory=dict)
    """By Okta id, the accounts that a person chooses now."""
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

    @property
    def refused(self) -> Mapping[tuple[str, str], AccessDenied]:
        """What a side does not let be read while it answers the rest: it waits, and the cycle has not failed."""
        return {key: error for key, error in self.unread.items() if isinstance(error, AccessDenied)}

    @property
    def is_whole(self) -> bool:
        """Nothing was left unread."""
        return not self.problems and not self.unread

    @property
    def has_every_wish(self) -> bool:
        """Whether each wish that this cycle is about stands in its plan, so that holds are raised afresh."""
        return self.is_whole

    def looked_at_of(self, _kind: str, /) -> set[str]:
        """Okta ids of the users or groups that were named, and read or found to be gone."""
        return set()

    def saw_group(self, _okta_id: str, /) -> bool:
        """Whether it would have been seen that the group is wanted."""
        return False

    def is_nothing(self, _kind: str, _okta_id: str, /, *, is_known: bool) -> bool:
        """Of what is not there: whether nobody who is to be believed ever said that it was. It is noted."""
        del is_known
        return False

    def own_list(self, _user_id: str, /) -> frozenset[str] | None:
        """The group list of somebody who was named, as it came with their record."""
        return None

    def is_announced(self, _left: Collection[tuple[str, str]], /) -> bool:
        """Whether the System Log says of all these (group id, user id) that the person left the group."""
        return False


@dataclass
class FullReading(Reading):
    """Of complete lists: of the app's users, its groups and, where they moved, their members."""

    groups_whole: bool = False

    def saw_group(self, _okta_id: str, /) -> bool:
        return self.groups_whole


@dataclass
class NamedReading(Reading):
    """Of users and groups that were named: by the System Log, a person, the store or a saved plan."""

    looked_at: set[tuple[str, str]] = field(default_factory=set)
    """(user or group, Okta id) of what was named and read, or found to be gone."""
    freed: set[str] = field(default_factory=set)
    """Keys of names that objects of this cycle give up, where others may wait for them."""
    own_lists: dict[str, frozenset[str]] = field(default_factory=dict)
    """The own group lists of users that were named."""
    announced: frozenset[tuple[str, str]] = frozenset()
    """(group id, user id): the System Log says that this person left this group."""
    updated: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """(user, Okta id): when Okta had updated what was read."""
    hearsay: AbstractSet[tuple[str, str]] = frozenset()
    """Of what was named, what only event hooks name."""
    nothing: set[tuple[str, str]] = field(default_factory=set)
    """What of it nobody knew, and is not there: no row is made for it."""

    def is_nothing(self, kind: str, okta_id: str, /, *, is_known: bool) -> bool:
        if is_known or (kind, okta_id) not in self.hearsay:
            return False
        self.nothing.add((kind, okta_id))
        return True

    @property
    def has_every_wish(self) -> bool:
        """What is held in other plans may be about other objects."""
        return False

    def looked_at_of(self, kind: str, /) -> set[str]:
        return {okta_id for of_kind, okta_id in self.looked_at if of_kind == kind}

    def saw_group(self, okta_id: str, /) -> bool:
        return ("group", okta_id) in self.looked_at

    def own_list(self, user_id: str, /) -> frozenset[str] | None:
        return self.own_lists.get(user_id)

    def is_announced(self, left: Collection[tuple[str, str]], /) -> bool:
        return self.announced.issuperset(left)
