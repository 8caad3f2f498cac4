"""One look at both sides: every user, group and membership compared, every suspect asked for by id. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from syncd.core import drift as core
from syncd.core.comparison import GROUP_NAME, Verdict, compare
from syncd.core.counting import counted
from syncd.core.drift import DriftItem, Member, Shown
from syncd.core.flavors import exact_user_names, group_identifiers
from syncd.core.match import Conflict, MatchedGroup, MatchedUser, counting_marks, match_group, match_user
from syncd.core.match_rules import wanted_values
from syncd.engine.cycles.account_views import carried_id, with_what_lists_show
from syncd.engine.cycles.unwritten import Unwritten
from syncd.engine.job import Job
from syncd.engine.planning.match import list_into
from syncd.engine.reading.learned import Reading
from syncd.errors import IncompleteRead, NotFound, SyncdError, TemporaryError, concerns_the_connection
from syncd.model import Absent, GroupCase, GroupState, PushedUser, RemoteGroup, RemoteUser, Standing, UserCase
from syncd.ports import Stage

BATCH = 200
STRANGERS_AT_MOST = 200
"""So many people are asked for by id only to name them."""
T = TypeVar("T")
R = TypeVar("R")


class Look:
    """One look at both sides. `managing` False: nothing is managed yet, so Okta's wishes are compared themselves."""

    def __init__(self, job: Job, stage: Stage, reading: Reading, narrowed: bool) -> None:  # noqa: FBT001
        self.job, self.stage, self.reading, self.narrowed = job, stage, reading, narrowed
        population = job.store.population()
        self.managing = bool(population.users or population.groups)
        self.items: list[DriftItem] = []
        self.problems: list[SyncdError] = []
        self.notes: list[str] = []
        self.accepted: list[str] = []
        self.compared = {"users": 0, "groups": 0, "memberships": 0}
        self.shown = Shown()
        self.complete = False
        self.unwritten = Unwritten(job)
        self._released = {each.okta_id: each.sentence for each in job.store.releases()}
        self.strangers: dict[str, RemoteUser | None] = {}
        """People in groups whom no list shows, by SCIM id, as asked for by id."""
        self.scim_ids: dict[str, str] = {}
        """Of matched users, by Okta id: only where nothing is managed yet."""

    def _add(self, item: DriftItem | None) -> None:
        if item is not None:
            self.items.append(item)

    # users

    def users(self) -> None:
        if not self.narrowed:
            self._list_users()
        self.job.observer.phase("comparing users", self.job.store.population().users or None)
        suspects: list[tuple[UserCase, str]] = []
        for case in self.stage.everyone():
            self.job.observer.advance()
            self.compared["users"] += 1
            if case.known is not None and case.known.pushed is not None:
                suspects += self._suspected(case, case.known.pushed.scim_id)
            elif self.managing:
                self._add(self.unwritten.user(case))
            elif not (case.known and case.known.released):
                self._compare_unlinked(case)
            if len(suspects) >= BATCH:
                self._look_again(suspects)
                suspects.clear()
        self._look_again(suspects)
        if not self.narrowed:
            self._strangers()

    def _list_users(self) -> None:
        self.job.observer.phase("listing the target's users")
        try:
            self.complete = list_into(self.job.target.list_users(), self.stage, self.job.settings.match_rules)
        except IncompleteRead as problem:
            self.problems.append(problem)
        paths: set[str] = set()
        active = anybody = False
        for remote in self.stage.remote_users():
            paths.update(remote.attributes)
            active |= remote.active is not None
            anybody = True
        mapped = set(self.job.mapping.paths)
        listed = frozenset(paths & mapped if anybody else mapped)
        self.shown = Shown(listed, active or not anybody, self.job.target.habits().showing(listed))
        for path in sorted(mapped - paths if anybody else ()):
            self.notes.append(f"no user at the target shows {path}: cannot tell whether it is right")
        if not self.shown.active:
            self.notes.append("the target does not show who is active: cannot tell")

    def _suspected(self, case: UserCase, scim_id: str) -> list[tuple[UserCase, str]]:
        """Unless the list shows the account just as it was written."""
        remote = None if self.narrowed else self.stage.remote_user(scim_id)
        if remote is not None and core.judge_linked_user(case, remote, self.shown) is None:
            pushed = case.known.pushed if case.known else None
            if not (pushed and pushed.invited and pushed.active and remote.active):
                self._add(self.unwritten.of_linked(case))
                return []
        return [(case, scim_id)]

    def _look_again(self, suspects: Sequence[tuple[UserCase, str]]) -> None:
        if not suspects:
            return
        with self.job.turn:
            answers = self._ask(lambda suspect: self.job.target.user(suspect[1]), suspects)
            for (case, scim_id), answer in zip(suspects, answers, strict=True):
                known = self.job.store.user(case.okta_id)
                if known is None or known.pushed is None or known.pushed.scim_id != scim_id:
                    continue  # another cycle has changed it meanwhile
                name = case.wanted.user_name if case.wanted else known.wanted.user_name
                if isinstance(answer, SyncdError) and not isinstance(answer, NotFound):
                    self.items.append(core.unknown("user", name, answer.message, okta_id=case.okta_id))
                    continue
                remote = None if isinstance(answer, NotFound) else answer
                self._note(replace(case, known=known), known.pushed, remote)

    def _note(self, case: UserCase, pushed: PushedUser, remote: RemoteUser | None) -> None:
        """The item of a linked user, as asked for by id, if there is one."""
        shown = self.shown
        listed = None if remote is None else self.stage.remote_user(remote.scim_id)
        if self.narrowed or (remote is not None and listed is None):
            shown = Shown(frozenset(self.job.mapping.paths), habits=self.job.target.habits())
        elif remote is not None:
            remote = with_what_lists_show(remote, listed)
        self._add(core.judge_linked_user(case, remote, shown) or self.unwritten.of_linked(case))
        if remote is not None and remote.active and pushed.active and pushed.invited:
            self.accepted.append(case.okta_id)

    def _compare_unlinked(self, case: UserCase) -> None:
        wish = case.wanted
        if wish is None or wish.standing in (Standing.FROZEN, Standing.ABSENT):
            return
        by, name = self.job.settings.match_rules, wish.user_name
        also = [(rule.attribute, value) for rule, value in wanted_values(by, wish.mapped)]
        found = list(self.stage.remote_candidates(okta_id=case.okta_id, user_name=name, also=also))
        if not found and not self.complete:
            found = list(self.job.target.find_users(okta_id=case.okta_id, user_name=name, also=also))
        flavor = self.job.settings.split.flavor
        match = match_user(
            case.okta_id,
            wish.user_name,
            found,
            lambda _: None,
            exact_names=exact_user_names(flavor),
            mark_counts=counting_marks(flavor, self.job.store.user),
            by=by,
            attributes=wish.mapped,
        )
        if isinstance(match, Conflict):
            self.items.append(core.unknown("user", wish.user_name, match.reason, okta_id=case.okta_id))
            return
        remote = match.remote if isinstance(match, MatchedUser) else None
        if remote is not None:
            self.scim_ids[case.okta_id] = remote.scim_id
            self.stage.will_link_user(case.okta_id, remote.scim_id)
        if core.judge_unlinked_user(case, remote, self.shown) is None:
            return
        if remote is not None:  # the list may be old or leave things out
            remote = with_what_lists_show(self.job.target.user(remote.scim_id), remote)
        self._add(core.judge_unlinked_user(case, remote, self.shown))

    def _strangers(self) -> None:
        """Accounts at the target that nobody accounts for."""
        if not self.complete:
            self.notes.append(
                "the target's list of users cannot be proven complete: there may be more of them"
            )
        ours = set(self.scim_ids.values())
        for remote in self.stage.remote_users():
            if remote.scim_id in ours or self.job.store.user_by_scim_id(remote.scim_id) is not None:
                continue
            carried = carried_id(remote)
            if carried is None:
                self.items.append(core.unmanaged_user(remote))
            elif remote.active is False:  # somebody who left: as it should be
                continue
            elif self._is_unassigned(carried):
                self.items.append(core.unassigned_user(carried, remote))
            elif self.managing:
                let_go = self._released.get(carried)
                reason = let_go or f"an account with the Okta id of {carried}, to whom it is not tied"
                self.items.append(core.unmanaged_user(remote, reason))

    def _is_unassigned(self, okta_id: str) -> bool:
        try:
            return isinstance(self.job.source.app_user(okta_id), Absent)
        except TemporaryError as problem:
            self.problems.append(problem)
            return False

    # groups

    def groups(self) -> None:
        listed: list[RemoteGroup] = []
        complete = False
        if not self.narrowed:
            self.job.observer.phase("listing the target's groups")
            listing = self.job.target.list_groups()
            listed = [group for page in listing for group in page]
            complete = listing.complete
        cases = [case for case in self.stage.group_cases() if not (case.known and case.known.released)]
        self.job.observer.phase("comparing groups", len(cases))
        ours: set[str] = set()
        for case in cases:
            scim_id = self._scim_id_of(case, listed, complete=complete)
            if scim_id is not None:
                ours.add(scim_id)
                self._compare_group(case, scim_id)
            elif self.managing:
                self._add(self.unwritten.group(case))
            self.job.observer.advance()
        for remote in listed:
            if remote.scim_id not in ours and self.job.store.group_by_scim_id(remote.scim_id) is None:
                self.items.append(core.unmanaged_group(remote))

    def memberships_of(self, users: Sequence[str]) -> None:
        """In the linked groups that these users are in, or are wanted in."""
        store = self.job.store
        for known in store.groups() if users else ():
            if known.pushed is None or known.released:
                continue
            wanted = self.stage.wanted_members(known.okta_id) & set(users)
            pushed = {user for user in users if known.okta_id in store.groups_with(user)}
            if not wanted | pushed:
                continue
            remote = self.job.target.group(known.pushed.scim_id)
            for okta_id in sorted((wanted | pushed) - self._released.keys()):
                scim_id = self._scim_id(okta_id)
                there = scim_id in (remote.members or ())
                if okta_id not in pushed and not there and (scim_id is None or remote.lacks(scim_id)):
                    never = Member(scim_id or "", self._name(okta_id), okta_id)
                    self._add(self.unwritten.member(known.pushed.name, known.okta_id, never))
                if scim_id is None or not (there or remote.lacks(scim_id)):
                    continue  # there is no account, or not all members are shown
                if there and okta_id in pushed and okta_id not in wanted:
                    leaver = Member(scim_id, self._name(okta_id), okta_id)
                    self._add(self.unwritten.leaving(known.pushed.name, known.okta_id, leaver))
                if there is not (okta_id in pushed):
                    member = Member(scim_id, self._name(okta_id), okta_id)
                    self.items.append(
                        core.member_item(
                            known.pushed.name,
                            known.okta_id,
                            member,
                            wanted=okta_id in wanted,
                            remembered=okta_id in pushed,
                            found=there,
                        )
                    )

    def _scim_id_of(self, case: GroupCase, listed: Sequence[RemoteGroup], *, complete: bool) -> str | None:
        """Of a group that is linked, or that would be where nothing is managed yet."""
        if case.known is not None and case.known.pushed is not None:
            return case.known.pushed.scim_id
        wish = case.wanted
        if self.managing or wish is None or wish.state is not GroupState.PUSHED:
            return None
        found = [
            group for group in listed if group.external_id == case.okta_id or group.name == wish.target_name
        ]
        if not found and not complete:
            found = list(self.job.target.find_groups(okta_id=case.okta_id, name=wish.target_name))
        identifiers = group_identifiers(self.job.settings.split.flavor, wish.target_name)
        match = match_group(
            case.okta_id, wish.target_name, "either", found, lambda _: None, identifiers=identifiers
        )
        if isinstance(match, Conflict):
            self.items.append(core.unknown("group", wish.target_name, match.reason, okta_id=case.okta_id))
            return None
        if not isinstance(match, MatchedGroup):
            self.items.append(core.missing_group(wish, None, case.okta_id))
            return None
        return match.remote.scim_id

    def _compare_group(self, case: GroupCase, scim_id: str) -> None:
        self.compared["groups"] += 1
        with self.job.turn:
            known = self.job.store.group(case.okta_id)
            remembered = known.pushed.name if known and known.pushed else None
            name = remembered or (case.wanted.target_name if case.wanted else case.okta_id)
            try:
                remote = self.job.target.group(scim_id)
            except NotFound:
                self.items.append(core.missing_group(case.wanted, known, case.okta_id))
                return
            except TemporaryError as problem:
                self.items.append(core.unknown("group", name, problem.message, okta_id=case.okta_id))
                return
            verdict = compare(name, remote.name, self.job.target.habits().of(GROUP_NAME))
            if verdict is Verdict.DIFFERENT:
                self.items.append(core.renamed_group(case.okta_id, case.wanted, remembered, remote))
            elif verdict is Verdict.CANNOT_TELL:
                reason = f'the target shows "{remote.name}" as its name: cannot tell whether it was renamed'
                self.items.append(core.unknown("group", name, reason, okta_id=case.okta_id))
            self._compare_members(case.okta_id, name, remote, linked=remembered is not None)

    def _compare_members(self, group_id: str, name: str, remote: RemoteGroup, *, linked: bool) -> None:
        wanted = self.stage.wanted_members(group_id)
        expected = frozenset(self.job.store.pushed_members(group_id)) if linked else wanted
        found = remote.members or frozenset()
        self.compared["memberships"] += len(expected)
        ids = {okta_id: scim_id for okta_id in expected if (scim_id := self._scim_id(okta_id))}
        unseen = [each for each in ids.values() if each not in found and not remote.lacks(each)]
        if unseen or remote.members is None:
            hidden = "the members" if remote.members is None else f"{counted(len(unseen), 'member')}"
            reason = f"this server does not show {hidden} of the group: cannot tell"
            self.items.append(core.unknown("group", name, reason, okta_id=group_id))
        for okta_id, scim_id in sorted(ids.items()):
            if remote.lacks(scim_id):
                member = Member(scim_id, self._name(okta_id), okta_id)
                self.items.append(
                    core.member_item(
                        name,
                        group_id,
                        member,
                        wanted=okta_id in wanted,
                        remembered=linked or None,
                        found=False,
                    )
                )
        for okta_id in sorted(ids.keys() - wanted if linked else ()):
            if ids[okta_id] in found:
                self._add(
                    self.unwritten.leaving(name, group_id, Member(ids[okta_id], self._name(okta_id), okta_id))
                )
        for okta_id in sorted(wanted - expected - self._released.keys()):
            their = self._scim_id(okta_id)
            if their is None or remote.lacks(their):
                member = Member(their or "", self._name(okta_id), okta_id)
                self._add(self.unwritten.member(name, group_id, member))
        owners = {scim_id: okta_id for okta_id, scim_id in self.scim_ids.items()}
        for scim_id in sorted(found - set(ids.values())):
            owner = self.job.store.user_by_scim_id(scim_id)
            member = self._not_expected(scim_id, owner.okta_id if owner else owners.get(scim_id))
            if member.carries in self._released:
                continue  # a person said so
            right, known = member.okta_id in wanted, False if linked else None
            self.items.append(
                core.member_item(name, group_id, member, wanted=right, remembered=known, found=True)
            )

    def _not_expected(self, scim_id: str, okta_id: str | None) -> Member:
        if okta_id:
            return Member(scim_id, self._name(okta_id), okta_id)
        stranger = self._stranger(scim_id)
        return Member(scim_id, stranger.user_name if stranger else scim_id, None, carried_id(stranger))

    def _stranger(self, scim_id: str) -> RemoteUser | None:
        """Whom we do not manage. Who is in no list (Harness: people from elsewhere) is asked for by id."""
        listed = self.stage.remote_user(scim_id)
        if listed is not None:
            return listed
        if scim_id not in self.strangers and len(self.strangers) < STRANGERS_AT_MOST:
            try:
                self.strangers[scim_id] = self.job.target.user(scim_id)
            except (NotFound, TemporaryError):
                self.strangers[scim_id] = None
        return self.strangers.get(scim_id)

    def _scim_id(self, okta_id: str) -> str | None:
        known = self.job.store.user(okta_id)
        return known.pushed.scim_id if known and known.pushed else self.scim_ids.get(okta_id)

    def _name(self, okta_id: str) -> str:
        known = self.job.store.user(okta_id)
        if known is not None and known.wanted.user_name:
            return known.wanted.user_name
        scim_id = self.scim_ids.get(okta_id)
        remote = self.stage.remote_user(scim_id) if scim_id else None
        return remote.user_name if remote else okta_id

    def _ask(self, ask: Callable[[T], R], things: Iterable[T]) -> list[R | SyncdError]:
        """In parallel; an answer that is an error stands in its place. Raises what concerns the whole connection."""

        def one(thing: T) -> R | SyncdError:
            try:
                return ask(thing)
            except SyncdError as error:
                if concerns_the_connection(error):
                    raise
                return error

        with ThreadPoolExecutor(self.job.settings.split.concurrency, "drift") as pool:
            return list(pool.map(one, things))
