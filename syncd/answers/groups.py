"""The target's groups beside what is linked to them ("Refresh App Groups"). Reads both sides, writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from syncd.engine.job import Job
from syncd.errors import PermanentError, SyncdError
from syncd.model import GroupState, KnownGroup, RemoteGroup

SCHEMA = "syncd.groups/1"


def app_groups(job: Job) -> tuple[dict[str, Any], Sequence[SyncdError]]:
    """The contract's groups document, and what could not be read. Raises what listing the target raises."""
    problems: list[SyncdError] = []
    job.observer.phase("listing the target's groups")
    listing = job.target.list_groups()
    remote = {group.scim_id: group for page in listing for group in page}
    if not listing.ended:
        problems.append(PermanentError("the target did not list its groups whole: some may be missing here"))
    known = {group.okta_id: group for group in job.store.groups()}
    in_okta = _okta_counts(job, known, problems)
    at_target = _target_counts(job, sorted(remote), problems)

    tied = {group.okta_id: _remote_of(group, remote) for group in known.values()}
    by_remote = {each.scim_id: known[okta_id] for okta_id, each in tied.items() if each is not None}
    items = [
        _item(job, each, by_remote.get(each.scim_id), in_okta, at_target.get(each.scim_id))
        for each in remote.values()
    ]
    items += [
        _item(job, None, known[okta_id], in_okta, None) for okta_id, each in tied.items() if each is None
    ]
    document = {
        "schema": SCHEMA,
        "connection": job.settings.name,
        "items": sorted(items, key=lambda item: (item["name"], item["scim_id"] or "", item["okta_id"] or "")),
        "complete": not problems,
    }
    return document, problems


def _remote_of(known: KnownGroup, remote: Mapping[str, RemoteGroup]) -> RemoteGroup | None:
    """The group at the target that this one is, was, or would be: by id once linked, else by externalId and name."""
    if known.pushed is not None:
        return remote.get(known.pushed.scim_id)
    free = [each for each in remote.values() if each.external_id in (None, "", known.okta_id)]
    ours = [each for each in free if each.external_id == known.okta_id]
    named = [each for each in free if each.name == known.wanted.target_name]
    found = ours or named
    return found[0] if len(found) == 1 else None


def _item(
    job: Job,
    remote: RemoteGroup | None,
    known: KnownGroup | None,
    in_okta: Mapping[str, int],
    at_target: int | None,
) -> dict[str, Any]:
    pushed = known.pushed if known else None
    return {
        "scim_id": remote.scim_id if remote else pushed.scim_id if pushed else None,
        "name": remote.name
        if remote
        else pushed.name
        if pushed
        else known.wanted.target_name
        if known
        else "",
        "external_id": remote.external_id or None if remote else None,
        "link": _link(remote, known),
        "owner": _owner(remote, known),
        "okta_id": known.okta_id if known else None,
        "okta_name": known.wanted.name if known else None,
        "rule": known.wanted.rule if known else None,
        "members": {
            "okta": in_okta.get(known.okta_id) if known else None,
            "pushed": len(job.store.pushed_members(known.okta_id)) if known and pushed else None,
            "target": at_target,
        },
    }


def _link(remote: RemoteGroup | None, known: KnownGroup | None) -> str:
    """linked, by_hand, unlinking, frozen, missing (linked, and gone at the target), released, waiting (wanted, and not
    linked yet), not_linked.
    """
    if known is None:
        return "not_linked"
    if known.released:
        return "released"
    if known.pushed is None:
        return "waiting"
    if remote is None:
        return "missing"
    if known.asked is not None:
        return "by_hand" if known.asked.what == "link" else "unlinking"
    return "frozen" if known.wanted.state is GroupState.FROZEN else "linked"


def _owner(remote: RemoteGroup | None, known: KnownGroup | None) -> str:
    """Syncd (it manages the group), okta (it carries the id of an Okta group), target (made there)."""
    if known is not None and known.pushed is not None:
        return "syncd"
    return "okta" if remote is not None and remote.external_id else "target"


def _okta_counts(job: Job, known: Mapping[str, KnownGroup], problems: list[SyncdError]) -> Mapping[str, int]:
    """Members in Okta of the groups that are linked, or would be; also those who are not assigned to the app."""
    ids = sorted(okta_id for okta_id, group in known.items() if group.wanted.state is not GroupState.GONE)
    members: dict[str, set[str]] = {}
    failed: dict[str, Exception] = {}
    if ids:
        job.observer.phase("reading members", len(ids))
    for page in job.source.members(ids):
        members.setdefault(page.group_id, set()).update(page.user_ids)
        if page.failed is not None:
            failed[page.group_id] = page.failed
    for problem in failed.values():
        problems.append(problem if isinstance(problem, SyncdError) else PermanentError(str(problem)))
        if len(failed) == len(ids):
            break  # Okta itself: said once
    return {okta_id: len(users) for okta_id, users in members.items() if okta_id not in failed}


def _target_counts(job: Job, ids: Sequence[str], problems: list[SyncdError]) -> Mapping[str, int]:
    """A listing may truncate members: each group is read by its id. None where the server shows no members."""
    job.observer.phase("counting members at the target", len(ids))

    def count(scim_id: str) -> int | SyncdError | None:
        try:
            members = job.target.group(scim_id).members
        except SyncdError as problem:
            return problem
        return None if members is None else len(members)

    with ThreadPoolExecutor(job.settings.split.concurrency, "read") as pool:
        counts = dict(zip(ids, pool.map(count, ids), strict=True))
    problems += [found for found in counts.values() if isinstance(found, SyncdError)][:1]
    return {scim_id: found for scim_id, found in counts.items() if isinstance(found, int)}
