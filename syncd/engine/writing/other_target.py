"""The settings name another target than the one where the known ids come from: is it the same under another address?

Ids of one server mean nothing, or somebody else, at another. So before anything is planned or written some of the known
accounts and groups are looked at: if most of them are not there, nothing is changed until a person says `syncd relink`,
or puts the old settings back. (The day on which a Split organisation moves to Harness is such a day.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice

from syncd.core.names import look_alike_key
from syncd.engine.facts import TARGET
from syncd.engine.job import Job
from syncd.errors import NotFound, RefusedError
from syncd.settings import target_fingerprint

LOOKED_AT = 5
"""Accounts, and as many groups."""


def refuse_other_target(job: Job) -> None:
    """Raises RefusedError, and what the target raises when it cannot be asked. Costs nothing while the settings name
    the target that they named before. Writes nothing.
    """
    before = TARGET.of(job.store)
    if before is None or before == target_fingerprint(job.settings):
        return
    there = list(chain(islice(_users(job), LOOKED_AT), islice(_groups(job), LOOKED_AT)))
    gone = there.count(False)
    if gone * 2 <= len(there):
        return
    raise RefusedError(
        f"the settings name another target than before ({job.settings.split.base_url}), and {gone} of {len(there)}"
        " known accounts and groups that were looked at are not there: nothing is changed",
        hint="put [split] base_url and flavor back; or, where everybody has moved there, `syncd relink` shows who is"
        " found again before it stores anything",
    )


def target_to_remember(job: Job) -> Mapping[str, str | None]:
    """From now on the known ids are those of this target; nothing where that is known."""
    fingerprint = target_fingerprint(job.settings)
    return {} if TARGET.of(job.store) == fingerprint else dict([TARGET.entry(fingerprint)])


def _users(job: Job) -> Iterator[bool]:
    """Whether an account is there, and is still the same person's."""
    for known in job.store.linked_users():
        if known.pushed is None or not known.pushed.active:
            continue
        try:
            remote = job.target.user(known.pushed.scim_id)
        except NotFound:
            yield False
            continue
        name = str(known.pushed.attributes.get("userName", ""))
        yield remote.external_id == known.okta_id or look_alike_key(remote.user_name) == look_alike_key(name)


def _groups(job: Job) -> Iterator[bool]:
    for known in job.store.groups():
        if known.pushed is None:
            continue
        try:
            remote = job.target.group(known.pushed.scim_id)
        except NotFound:
            yield False
        else:
            yield remote.external_id == known.okta_id or remote.name == known.pushed.name
