"""The private staging area of one cycle."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from syncd.core.change import Change, ChangeKind
from syncd.core.diff import Skipped
from syncd.core.match_rules import MatchRule, Sought
from syncd.model import (
    Asked,
    GroupCase,
    KnownGroup,
    KnownUser,
    MemberCase,
    RemoteUser,
    UserCase,
    WantedGroup,
    WantedUser,
)
from syncd.ports.adopting import AdoptingPlan
from syncd.ports.judged import JudgedPlan


@dataclass(frozen=True, slots=True)
class Leaving:
    """What a holder of a name does in this plan: the id and kind of the change, and the userName that it takes."""

    change_id: str
    kind: ChangeKind
    takes: str | None


@dataclass(frozen=True, slots=True)
class Taking:
    """A planned change that takes a userName. `owner` is an Okta id."""

    change_id: str
    owner: str
    kind: ChangeKind
    takes: str


@dataclass(frozen=True, slots=True)
class Contested:
    """A planned change takes a userName that, whatever the letter case, somebody else has at the target, as far as is
    remembered or as an adoption found it. `leaving` None: that somebody keeps it. `owner` and `holder` are Okta ids.
    """

    change_id: str
    owner: str
    kind: ChangeKind
    takes: str
    holder: str
    holder_name: str
    leaving: Leaving | None


@dataclass(frozen=True, slots=True)
class BetterKnown:
    """A group about which the store knows better than a list. `wish` None: it was found not to be there."""

    younger: bool
    """It was learned after this stage began; else it was answered by id within `LISTS_LAG` before."""
    wish: WantedGroup | None


class Stage(AdoptingPlan, JudgedPlan, Protocol):
    """The private staging area of one cycle. Nothing in it touches the store until `Store.absorb`.

    Everything in it is as old as the moment it was made. So the *effective* wish of a user or group is the stored one
    when that was learned since then, or when Okta answered by id within `LISTS_LAG` before and only a list says
    another thing now; else the staged record, else (list incomplete or not read) the stored one, else none. The
    effective member list of a group is the staged one when it was staged complete, else the stored one; about a user
    whose own group list is that young it says nothing.
    """

    def put_users(self, users: Sequence[WantedUser], *, by_id: bool = False) -> None:
        """Stages one page, or answers by id; a later record of the same user replaces the earlier one, except that no
        page replaces an answer by id. Records whose digest equals the stored wish are remembered only as seen.
        """
        ...

    def users_read_whole(self) -> None:
        """From now on a known user that is not staged counts as nominated for removal."""
        ...

    def put_absent(self, okta_ids: Sequence[str]) -> None:
        """These users were asked for by id and are not assigned: they count like users missing from a list read whole.
        Groups too: they are gone, or no rule names them.
        """
        ...

    def put_disbelieved(self, okta_id: str) -> None:
        """A user was asked for by id and found gone, and that is not believed: they stay as stored, and what others
        read of them before says nothing any more.
        """
        ...

    def revision(self) -> int:
        """The store's revision now, to be told what is asked for from now on."""
        ...

    @property
    def is_overtaken(self) -> bool:
        """Whether a complete cycle has stored what it read since this stage began; of a stage that is limited, whether
        any cycle has stored something about what is staged by id. That may be older or younger than what was read into
        this one: nobody can tell, so all of this is to be read again.
        """
        ...

    def put_user_groups(self, user_id: str, group_ids: Iterable[str], *, asked: int | None = None) -> None:
        """The user's own complete group list, asked by id: for this user it overrides the member lists of all
        known and staged groups, and `Store.absorb` writes these pairs into the stored lists. `asked`: the store's
        revision before it was asked for; None: when the stage began.
        """
        ...

    def put_groups(self, groups: Sequence[WantedGroup], *, by_id: bool = False) -> None:
        """`by_id`: answered by id, so that no list takes it back."""
        ...

    def groups_read_whole(self) -> None:
        """From now on a group that was not put counts as named by nothing."""
        ...

    def ask_group(self, group_id: str, asked: Asked) -> None:
        """A person asks for this about a group: it counts in this stage, and `Store.absorb` remembers it. A link also
        ends the group's release.
        """
        ...

    def ask_user(self, okta_id: str) -> None:
        """A person ties this user to an account: they count as not released in this stage, and once it is absorbed. The
        tie itself the caller remembers.
        """
        ...

    def links_asked(self) -> Mapping[str, str]:
        """Okta ids of the groups linked by hand, remembered or asked for now, with their names at the target."""
        ...

    def put_members(self, group_id: str, user_ids: Sequence[str]) -> None:
        """Okta ids of a page of one group's list."""
        ...

    def members_read_whole(self, group_id: str, stamp: str | None) -> None:
        """The staged list of this group is complete; `stamp` is stored as members_stamp (None: read again).

        A second complete read may be staged on top: the list is then the union of both, so that only what both
        reads lack counts as gone.
        """
        ...

    def limit_to(self, *, users: Iterable[str] | None, groups: Iterable[str] | None) -> None:
        """Narrow every question below to these Okta ids (targeted and delta cycles). With only users given,
        memberships of these users in all groups count; with groups, the groups and their memberships.
        """
        ...

    def misses(self, okta_id: str) -> bool:
        """Whether the users were read whole, and no page or answer by id showed this one."""
        ...

    def doubtful_users(self, also: Collection[str] = ()) -> Iterator[UserCase]:
        """Users of whom a list says (`wanted`; None: it misses them) what the store does not believe, because Okta
        answered for them by id within `LISTS_LAG` before this stage began. Put by id, they are so no longer. `also`:
        Okta ids of whom a list is not believed either, where it shows them and the store does not know them.
        """
        ...

    def doubtful_members(self) -> Iterator[tuple[str, str, bool]]:
        """(user id, group id, whether the group's list has the user) where that is not believed, because the user's own
        list was read so lately; sorted. Once their own list is put, they are so no longer.
        """
        ...

    def better_known_groups(self) -> Mapping[str, BetterKnown]:
        """By Okta id: about these no list is believed."""
        ...

    def doubt(self, *, users: Iterable[str] = (), groups: Iterable[str] = ()) -> None:
        """Nobody asks for these in this cycle: `Store.due` names them to later ones until they were asked for by id."""
        ...

    def departures(self) -> Iterator[KnownUser]:
        """Known users that are gone from Okta: not staged although the list was read whole (or put_absent), or stored
        as ABSENT and not staged again. Only those that still matter: linked and active at the target, pushed into a
        group, or with a stored wish that is not ABSENT yet. Each needs a witness in this cycle.
        """
        ...

    def user_cases(self) -> Iterator[UserCase]:
        """Every user that may need a decision, sorted by okta_id: changed or new wishes, wishes not yet fulfilled
        (stored wanted differs from pushed), nominated and stored-absent users that are still linked and active.
        Users that are unchanged and fulfilled do not appear. At most a page at a time is held in memory.
        """
        ...

    def everyone(self) -> Iterator[UserCase]:
        """Every user that is known or staged, sorted by okta_id, in need of a decision or not; a page in memory."""
        ...

    def rivals(self, name_key: str, okta_id: str) -> Mapping[str, str]:
        """Other users whose effective wish (ACTIVE) has the same name_key, or one that is alike by more than letter
        case: Okta id to userName, sorted.
        """
        ...

    def hold_still(self, okta_ids: Sequence[str]) -> None:
        """Memberships of these users are left alone in this cycle: frozen, unconfirmed, in grace, in conflict,
        released.
        """
        ...

    def group_cases(self) -> Iterator[GroupCase]:
        """Every known or staged group, sorted by okta_id (groups are few: thousands)."""
        ...

    def hold_group_still(self, group_id: str) -> None:
        """Neither this group nor its memberships are planned for."""
        ...

    def put_remote_members(self, group_id: str, scim_ids: Iterable[str]) -> None:
        """The members that the target shows for a group about to be linked; from now on they count as that
        group's pushed memberships (those that belong to managed or just matched users).
        """
        ...

    def remote_strangers(self, group_id: str) -> int:
        """How many of the members given by `put_remote_members` belong to nobody we manage."""
        ...

    def member_cases(self) -> Iterator[MemberCase]:
        """Memberships where wish and target differ, sorted by group and user: wanted is (in the effective list and
        the user's effective standing is ACTIVE), pushed is what the store or `put_remote_members` says. Users and
        groups held still, groups that are not PUSHED, and users with effective standing FROZEN do not appear.
        """
        ...

    def member_removals(self) -> Iterator[MemberCase]:
        """Those of `member_cases` that are not wanted."""
        ...

    def wanted_count(self, group_id: str) -> int:
        """How many memberships of this group are wanted: in the effective list, effective standing ACTIVE (users held
        still count as they are pushed now).
        """
        ...

    def wanted_members(self, group_id: str) -> frozenset[str]:
        """Okta ids of the users that this group is wanted to have: in the effective list, effective standing ACTIVE."""
        ...

    def pushed_count(self, group_id: str) -> int:
        """How many members the target has of this group: the pushed memberships, or all that `put_remote_members`
        gave, strangers included.
        """
        ...

    def put_remote_users(self, users: Sequence[RemoteUser], by: Sequence[MatchRule] = ()) -> None:
        """A page of the target's list: what is looked at instead of searching. `by`: what else it is looked at by."""
        ...

    def remote_candidates(self, *, okta_id: str, user_name: str, also: Sought = ()) -> Sequence[RemoteUser]:
        """From the listing given by `put_remote_users`: same externalId, a userName that is the same or alike, or the
        value of an attribute of `also`, in any letters.
        """
        ...

    def remote_with_mail(self, mail: str) -> Sequence[RemoteUser]:
        """From the same listing: whose e-mail, or userName, is this (`core.match.mail_of`); a few of them."""
        ...

    def remote_user(self, scim_id: str) -> RemoteUser | None:
        """From the same listing, by id."""
        ...

    def user_by_scim_id(self, scim_id: str) -> KnownUser | None:
        """As the store says, of all that was stored until now; does not wait for what is being stored."""
        ...

    def group_by_scim_id(self, scim_id: str) -> KnownGroup | None:
        """Likewise."""
        ...

    def remote_users(self) -> Iterator[RemoteUser]:
        """That listing; a page in memory at a time."""
        ...

    def add_skipped(self, skips: Iterable[Skipped]) -> None:
        """What the plan leaves alone; kept on disk too."""
        ...

    def skipped(self) -> Iterator[Skipped]:
        """Sorted by kind, name, Okta id and reason. Streamed."""
        ...

    def is_left_alone(self, okta_id: str) -> bool:
        """Whether something about this object was left alone."""
        ...

    def add_change(self, change: Change) -> None:
        """Adds a planned change to the spool on disk."""
        ...

    def hold_changes(self, change_ids: Iterable[str], hold_id: str) -> None:
        """Moves planned changes from "to apply" to a hold."""
        ...

    def changes(
        self, *, hold_id: str | None = None, kinds: Iterable[ChangeKind] | None = None
    ) -> Iterator[Change]:
        """The planned changes in order of application; with `hold_id` those of one hold. Streamed."""
        ...

    def change_documents(self, *, hold_id: str | None = None) -> Iterator[Mapping[str, Any]]:
        """The same as documents, which is all that a plan needs to be shown or saved."""
        ...

    def change_texts(self, *, hold_id: str | None = None) -> Iterator[str]:
        """The same as canonical JSON."""
        ...

    def hold_memberships(self, okta_id: str, hold_id: str) -> None:
        """Moves the planned memberships of this user or group to a hold, as `hold_changes` does."""
        ...

    def changes_at(self, turn: int, step: int, kinds: Iterable[ChangeKind]) -> Iterator[Change]:
        """As `changes`, those of one turn and one step of it (see `core.order`). Streamed."""
        ...

    def detours(self, kinds: Iterable[ChangeKind]) -> Iterator[Change]:
        """The planned changes that go by a temporary name. Streamed."""
        ...

    def naming_change(self, okta_id: str) -> Change | None:
        """What is planned for this user and takes a userName, or deactivates; held or not."""
        ...

    def change(self, change_id: str) -> Change:
        """A planned change by its id."""
        ...

    def contested(self) -> Iterator[Contested]:
        """What is planned, not held, and takes a userName that somebody else has. Read at once: change nothing in the
        stage meanwhile.
        """
        ...

    def takers_of(self, user_name: str) -> Sequence[Taking]:
        """What is planned, not held, and takes this userName or one that may be taken for it."""
        ...

    def place_changes(self, places: Mapping[str, tuple[int, int]], vias: Iterable[Change]) -> None:
        """Turn and step of planned changes, by id; their memberships go to the same turn. `vias` replace the changes
        of their ids, and say by which temporary name they go.
        """
        ...

    def has_change(self, change_id: str) -> bool:
        """Whether this wish was planned, held or not."""
        ...

    def applies(self, change_id: str) -> bool:
        """Whether this wish is planned and not held."""
        ...

    def change_counts(self, *, hold_id: str | None = None) -> Mapping[ChangeKind, int]:
        """Of what is to be applied, or of one hold."""
        ...

    def close(self) -> None:
        """Deletes what was staged. May be called twice."""
        ...
