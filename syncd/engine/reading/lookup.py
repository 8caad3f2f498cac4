"""Whom a person means: Okta ids, e-mails and group names as typed on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.errors import AccessDenied, SyncdError, UsageError
from syncd.model import Absent, OktaGroup


def named_objects(job: Job, selection: Selection) -> tuple[list[str], list[str]]:
    """Okta ids of users and groups. Raises UsageError for a name that neither the store nor Okta knows."""
    if selection.by_id:
        return list(dict.fromkeys(selection.users)), list(dict.fromkeys(selection.groups))
    users = [user_id(job, text) for text in selection.users]
    groups = [group_id(job, text) for text in selection.groups]
    return list(dict.fromkeys(users)), list(dict.fromkeys(groups))


def found(job: Job, selection: Selection) -> Selection:
    """By Okta ids. As it is where a side cannot be asked: whoever reads it then meets that. Raises UsageError as
    `named_objects` does.
    """
    try:
        users, groups = named_objects(job, selection)
    except UsageError:
        raise
    except SyncdError:
        return selection
    return replace(selection, users=tuple(users), groups=tuple(groups), by_id=True)


def user_id(job: Job, text: str) -> str:
    """The Okta id of a user, also under an e-mail that they had before. Raises UsageError as `named_objects` does; what
    Okta refuses to say it is not said to know nothing of.
    """
    known = _the_one([user.okta_id for user in job.store.find_users(text)], text)
    if known is not None:
        return known
    refusal: AccessDenied | None = None
    try:
        found = user_in_okta(job, text)
    except AccessDenied as denied:
        found, refusal = None, denied
    former = [] if found else job.store.find_former_users(text)
    if found or len(former) == 1:
        return found or former[0].okta_id
    raise refusal or UsageError(
        f"Okta knows no user {text}", hint="give the Okta id, the login or the e-mail address"
    )


def user_in_okta(job: Job, text: str) -> str | None:
    """The Okta id by id, login or e-mail. Raises UsageError for what several have."""
    found = job.source.user_id_of(text)
    if not isinstance(found, Absent):
        return found
    return _the_one(job.source.users_with_email(text) if "@" in text else (), text)


def _the_one(found: Sequence[str], text: str) -> str | None:
    if len(found) > 1:
        raise UsageError(f"{text} means several users: {', '.join(found)}", hint="give the Okta id")
    return found[0] if found else None


def group_id(job: Job, text: str) -> str:
    """The Okta id of a group. Raises UsageError as `named_objects` does."""
    known = job.store.find_groups(text)
    if len(known) == 1:
        return known[0].okta_id
    if text.startswith("00g") and isinstance(job.source.group(text), OktaGroup):
        return text
    named = [group.okta_id for page in job.source.groups() for group in page.records if group.name == text]
    if len(named) == 1:
        return named[0]
    if named:
        raise UsageError(f"{text} means several groups: {', '.join(named)}", hint="give the Okta id")
    raise UsageError(f"Okta knows no group {text}", hint="give the Okta id or the exact name")
