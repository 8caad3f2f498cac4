"""One person tied to one account by a person: shown, checked, journalled and adopted like everything else.

What no rule may decide a person may: an account in other letters, under another address, or of somebody who was
released. Nobody is given an account that is somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from syncd.core.change import ChangeKind
from syncd.core.match import NearMiss, Pair, near_misses, owner_by
from syncd.engine.cycles.link import why_none
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.run import CycleRun, settle_interrupted
from syncd.engine.facts import TIES, AskedTie
from syncd.engine.job import Job
from syncd.engine.planning.accounts import name_taken, owned, protected
from syncd.engine.planning.plan import planned_from
from syncd.engine.planning.planned import Planned
from syncd.engine.reading.lookup import user_id
from syncd.engine.reading.named import read_selected
from syncd.errors import NotFound, RefusedError, UsageError
from syncd.model import KnownUser, RemoteUser, Standing, WantedUser
from syncd.ports import Stage

KIND = "link"
"""The kind of plan and of run (contract: JSON documents, plan)."""


def plan_link_user(
    job: Job, user: str, account: str | None, by: str, allow: Mapping[str, int], *, writing: bool = True
) -> tuple[Planned, Pair]:
    """What tying this person to that account would change, their memberships included. `account`: its SCIM id or
    userName; None: the only one that looks like theirs. Writes nothing, but with `writing` what interrupted runs left
    to settle. Raises UsageError for a name that nobody knows or several have, RefusedError when the two cannot be tied.
    """
    unsettled = settle_interrupted(job) if writing else frozenset()
    okta_id = user_id(job, user)
    known = job.store.user(okta_id)
    _refuse_linked(known, account)
    if writing:
        job.store.retry_now(f"user:{okta_id}")
    stage = job.store.stage()
    try:
        stage.ask_user(okta_id)
        reading = read_selected(job, stage, [okta_id], [])
        wanted = _wish(stage, okta_id, user)
        pair = _pair(job, wanted, account)
        _refuse_owned(job, wanted, pair.remote)
        reading.ties[okta_id] = AskedTie(
            pair.remote.scim_id, pair.remote.user_name, by, job.clock().isoformat()
        )
    except BaseException:
        stage.close()
        raise
    planned = planned_from(job, KIND, stage, reading, allow, unsettled)
    try:
        _refuse_without_a_tie(planned, okta_id)
    except BaseException:
        planned.close()
        raise
    return planned, pair


def apply_link_user(job: Job, planned: Planned, reason: str | None = None) -> RunResult:
    """Remembers what was asked for, then applies the plan of `plan_link_user` under the same lock. What a safety check
    holds stays asked for: once it is approved, the next cycle does it.
    """
    asked = planned.planning.reading.ties
    for okta_id, tie in asked.items():
        note = {
            "decision": "link",
            "by": tie.by,
            "okta_id": okta_id,
            "scim_id": tie.scim_id,
            "name": tie.name,
        }
        job.store.note(note, reason=reason)
    TIES.remember(job.store, {**TIES.of(job.store, {}), **asked})
    with CycleRun(job, KIND) as run:
        run.write(planned)
    return run.result


def _refuse_linked(known: KnownUser | None, account: str | None) -> None:
    if known is None or known.pushed is None:
        return
    pushed = known.pushed
    name = str(pushed.attributes.get("userName", pushed.scim_id))
    if account in (None, name, pushed.scim_id):
        raise RefusedError(
            f"{known.wanted.user_name} is tied to {name} ({pushed.scim_id}) already",
            hint="nothing is to be done; syncd explain says how they are",
        )
    raise RefusedError(
        f"{known.wanted.user_name} is tied to {name} ({pushed.scim_id})",
        hint=f"untie them first: syncd unlink --user {known.okta_id}",
    )


def _wish(stage: Stage, okta_id: str, text: str) -> WantedUser:
    """Raises RefusedError for who shall have no account."""
    case = next((case for case in stage.user_cases() if case.okta_id == okta_id), None)
    wanted = case.wanted if case else None
    if wanted is None or wanted.standing is not Standing.ACTIVE:
        why = wanted.reason_now if wanted else "not assigned to the app"
        raise RefusedError(
            f"Okta wants no account for {text}: {why}", hint="assign the person to the app in Okta first"
        )
    return wanted


def _pair(job: Job, wanted: WantedUser, account: str | None) -> Pair:
    if account is not None:
        return Pair(wanted, _account(job, account))
    found = _near(job, wanted)
    if len(found) == 1:
        return Pair(wanted, found[0].remote, found[0].how)
    if not found:
        raise UsageError(
            f"no account at the target looks like {wanted.user_name}",
            hint=f"name it: syncd link --user {wanted.okta_id} ACCOUNT (its userName or SCIM id)",
        )
    said = "; ".join(f"{each.remote.user_name} ({each.remote.scim_id}): {each.how}" for each in found[:5])
    raise UsageError(
        f"{len(found)} accounts look like {wanted.user_name}: {said}",
        hint=f"name one: syncd link --user {wanted.okta_id} ACCOUNT",
    )


def _near(job: Job, wanted: WantedUser) -> Sequence[NearMiss]:
    """The list is read when a search shows nobody: no filter finds another address."""
    owner = owner_by(job.store.user_by_scim_id)
    found = job.target.find_users(okta_id=wanted.okta_id, user_name=wanted.user_name)
    if near := near_misses(wanted, found, owner):
        return near
    job.observer.phase("listing the target's users")
    return near_misses(wanted, (user for page in job.target.list_users() for user in page), owner)


def _account(job: Job, text: str) -> RemoteUser:
    """By SCIM id or userName. Raises UsageError when the target has none, or several."""
    try:
        return job.target.user(text)
    except NotFound:
        pass
    found = [user for user in job.target.find_users(okta_id="", user_name=text) if user.user_name == text]
    if not found:
        listed = (user for page in job.target.list_users() for user in page)
        found = [user for user in listed if user.user_name == text]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(sorted(user.scim_id for user in found))
        raise UsageError(f"several accounts are called {text}: {ids}", hint="give the SCIM id")
    raise UsageError(
        f"the target has no account {text}", hint="give its userName, letter by letter, or its SCIM id"
    )


def _refuse_owned(job: Job, wanted: WantedUser, remote: RemoteUser) -> None:
    """Whatever is in the way, all of which is asked again when a tie that was held is carried out."""
    conflict = (
        owned(job, wanted.okta_id, remote)
        or protected(job, wanted, remote)
        or name_taken(job, wanted, remote)
    )
    if conflict is not None:
        raise RefusedError(conflict.reason, hint=conflict.way_out)


def _refuse_without_a_tie(planned: Planned, okta_id: str) -> None:
    """The person asked for a tie: that there is none must not look like success."""
    held = (change for hold in planned.header.holds for change in planned.held(hold.id))
    if any(
        change.kind is ChangeKind.ADOPT_USER and change.okta_id == okta_id
        for change in chain(planned.changes(), held)
    ):
        return
    raise why_none(planned, okta_id, "the two cannot be tied", "Okta does not show the person")
