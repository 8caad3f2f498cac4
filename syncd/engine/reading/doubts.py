"""What a list says against what Okta answered by id a moment before: asked for by id again, before anything is decided.

Okta's lists lag behind its answers by id (`LISTS_LAG`). Until that is over a list alone neither takes back what a delta
learned, nor confirms its own word by being read twice.
"""

from __future__ import annotations

from itertools import groupby

from syncd.core.mapping import wanted_user
from syncd.engine.job import Job
from syncd.engine.reading.heard import ask_own_groups
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.one_by_one import own_problem
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.engine.reading.witness import UNLISTED_USER, stage_found
from syncd.errors import NotFound, SyncdError
from syncd.model import Absent, AppUser, Standing, UserCase
from syncd.ports import Stage


def settle_doubts(job: Job, stage: Stage, reading: Reading) -> None:
    """Up to 50 people, and the own group lists of as many; the next cycles look at the others. Of these whoever was
    nothing (`Job.nothing`) counts as that until then.
    """
    asked, left = 0, []
    nothing = {okta_id for kind, okta_id in job.nothing() if kind == "user"}
    for case in stage.doubtful_users(nothing):
        if asked < BY_ID_AT_MOST:
            asked += 1
            _ask_user(job, stage, reading, case)
        else:
            left.append(case.okta_id)
    if still := [each for each in left if each in nothing and job.store.user(each) is None]:
        stage.put_absent(still)
    _leave(stage, reading, "people", left)
    if job.settings.provisioning.push_groups:
        _settle_members(job, stage, reading)


def _leave(stage: Stage, reading: Reading, what: str, users: list[str]) -> None:
    if users:
        stage.doubt(users=users)
        reading.leave_in_doubt(what, len(users))


def _ask_user(job: Job, stage: Stage, reading: Reading, case: UserCase) -> None:
    try:
        answer = job.source.app_user(case.okta_id)
    except SyncdError as error:
        reading.cannot_tell("user", case.okta_id, own_problem(error))
        return
    listed, known = case.wanted, case.known
    name = known.wanted.user_name if known else listed.user_name if listed else ""
    if isinstance(answer, Absent):
        if listed is None:  # the list and the answer: two witnesses
            reading.absent[case.okta_id] = answer
            stage.put_absent([case.okta_id])
            return
        if known is None or known.wanted.standing is Standing.ABSENT:
            stage.put_absent([case.okta_id])
        else:  # one witness against another: the next delta asks for them
            stage.put_disbelieved(case.okta_id)
            stage.doubt(users=[case.okta_id])
        reading.contradict(case.okta_id, name, "in the list of the app's users", "knows no assignment")
        return
    stage_found(job, stage, reading, answer)
    if listed is None:
        reading.contradict(case.okta_id, name, *UNLISTED_USER)
    elif isinstance(answer, AppUser) and wanted_user(answer, job.mapping).digest != listed.digest:
        reading.contradict(case.okta_id, name, "other in the list of the app's users", "shows it otherwise")


def _settle_members(job: Job, stage: Stage, reading: Reading) -> None:
    asked, left = 0, []
    for user_id, pairs in groupby(stage.doubtful_members(), key=lambda pair: pair[0]):
        if asked == BY_ID_AT_MOST:
            left.append(user_id)
            continue
        asked += 1
        try:
            own = ask_own_groups(job, stage, reading, user_id)
        except NotFound:
            continue
        except SyncdError as error:
            reading.cannot_tell("user", user_id, own_problem(error))
            continue
        for _, group_id, listed in pairs:
            if listed is not (group_id in own):
                _say_other_members(job, reading, user_id, group_id, listed=listed)
    _leave(stage, reading, "people's memberships", left)


def _say_other_members(job: Job, reading: Reading, user_id: str, group_id: str, *, listed: bool) -> None:
    user, group = job.store.user(user_id), job.store.group(group_id)
    where = f"the members of {group.wanted.name if group else group_id}"
    words = (
        (f"among {where}", "does not name the group")
        if listed
        else (f"missing from {where}", "names the group")
    )
    reading.contradict(user_id, user.wanted.user_name if user else user_id, *words)


def say_contradictions(job: Job, reading: Reading) -> None:
    """One line in the log: Okta's lists are not to be trusted just now, or for good."""
    found = reading.contradictions
    if found:
        first = found[0]
        job.observer.event(
            "warning",
            "lists of Okta are contradicted by its answers by id",
            count=len(found),
            first=f"{first.name}: {first.reason}" if first.name else first.reason,
        )
