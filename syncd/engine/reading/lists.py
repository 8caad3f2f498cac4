"""The app, its users and the members of groups: complete lists, staged page by page."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.core.diff import Skipped
from syncd.core.mapping import frozen_user, wanted_user
from syncd.engine.job import Job, stop_if_asked
from syncd.engine.reading.group_scope import settled_stamp
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.one_by_one import member_list_problem
from syncd.errors import NotFound, PermanentError, SyncdError
from syncd.model import Absent, Application, AppUser, BadRecord, ReadProof
from syncd.ports import Page, Stage


def read_application(job: Job) -> Application:
    """Raises PermanentError unless the app is ACTIVE: an inactive app says nothing about anybody's assignment."""
    app = job.source.application()
    if app.status != "ACTIVE":
        raise PermanentError(
            f"the Okta app {app.label or app.app_id} ({app.app_id}) is {app.status}",
            hint="activate the app in Okta; until then nothing is read from it and nobody is removed",
        )
    return app


def read_users(job: Job, stage: Stage, reading: Reading) -> ReadProof:
    """One complete pass over the app's users, staged page by page. Raises IncompleteRead."""
    listing = job.source.app_users()
    for page in listing:
        stop_if_asked(job)
        stage_users(job, stage, reading, page)
        job.observer.advance(len(page.records))
    if reading.users.proof is None:
        reading.users.proof = listing.proof
    return listing.proof


def stage_users(
    job: Job, stage: Stage, reading: Reading, page: Page[AppUser], *, by_id: bool = False
) -> None:
    mapping = job.mapping
    wanted = [wanted_user(record, mapping) for record in page.records]
    reading.users.active_seen += sum(user.standing.value == "active" for user in wanted)
    for bad in page.bad:
        frozen = frozen_user(bad)
        if frozen is not None:
            wanted.append(frozen)
        else:
            reading.users.unidentified = True
            reading.skipped.append(
                Skipped("unreadable", "", "", f"a record of the app's users: {bad.problem}")
            )
    stage.put_users(wanted, by_id=by_id)


def stage_user(job: Job, stage: Stage, reading: Reading, record: AppUser | BadRecord) -> None:
    """An answer by id."""
    page: Page[AppUser] = Page([record]) if isinstance(record, AppUser) else Page([], [record])
    stage_users(job, stage, reading, page, by_id=True)


def read_members(
    job: Job, stage: Stage, reading: Reading, groups: Mapping[str, str | None]
) -> dict[str, ReadProof]:
    """Complete member lists of these groups; a group whose list failed is left alone in this cycle."""
    proofs: dict[str, ReadProof] = {}
    if groups:
        job.observer.phase("reading members", len(groups))
    for page in job.source.members(sorted(groups)):
        stop_if_asked(job)
        stage.put_members(page.group_id, page.user_ids)
        if isinstance(page.failed, NotFound) and _is_gone(job, page.group_id):
            stage.put_absent([page.group_id])  # deleted since it was listed: no list of it will ever come
        elif page.failed is not None:
            stage.hold_group_still(page.group_id)
            reading.cannot_tell("group", page.group_id, member_list_problem(page.failed, page.group_id))
        elif page.proof is not None:
            stage.members_read_whole(page.group_id, settled_stamp(groups[page.group_id], page.proof.at))
            proofs[page.group_id] = page.proof
            job.observer.advance()
    for group_id, proof in proofs.items():
        reading.member_proofs.setdefault(group_id, proof)
    return proofs


def _is_gone(job: Job, group_id: str) -> bool:
    try:
        return isinstance(job.source.group(group_id), Absent)
    except SyncdError:
        return False
