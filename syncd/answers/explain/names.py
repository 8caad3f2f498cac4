"""Whom `explain` is asked about: an Okta id, an e-mail, a SCIM id or a group's name, wherever it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Literal, TypeVar

from syncd.engine.job import Job
from syncd.engine.reading.lookup import user_in_okta
from syncd.errors import AccessDenied, NotFound, PermanentError, SyncdError, TemporaryError, UsageError
from syncd.model import KnownGroup, KnownUser, OktaGroup, RemoteGroup, RemoteUser

NAMES_COMPARED = 20_000
"""For a hint of near names that costs no more than a moment."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Named:
    """`okta_id` None: only the target knows it, and `remote` is what it knows."""

    kind: Literal["user", "group"]
    okta_id: str | None
    remote: RemoteUser | RemoteGroup | None = None


def named(job: Job, text: str) -> Named:
    """The store is asked first, then Okta, then the target. Raises UsageError when nobody knows the name, or several
    do; and what a side raised that could not be asked when nobody else knows it.
    """
    known = _one([*job.store.find_users(text), *job.store.find_groups(text)], text)
    if known is not None:
        return Named("user" if isinstance(known, KnownUser) else "group", known.okta_id)
    failed: list[SyncdError] = []
    found = (
        _attempt(lambda: _user_in_okta(job, text), failed)
        or _attempt(lambda: _group_in_okta(job, text), failed)
        or _attempt(lambda: _at_target(job, text), failed)
    )
    if found is not None:
        return found
    former = job.store.find_former_users(text)
    if len(former) == 1:
        return Named("user", former[0].okta_id)
    for problem in failed:
        raise problem
    near = get_close_matches(text.lower(), list(islice(_names(job), NAMES_COMPARED)))
    hint = (
        f"did you mean {' or '.join(near)}?"
        if near
        else "give an e-mail, a group's name, or an id of either side"
    )
    raise UsageError(f"neither Okta nor the target nor the store knows {text}", hint=hint)


def _attempt(ask: Callable[[], T | None], failed: list[SyncdError]) -> T | None:
    try:
        return ask()
    except (TemporaryError, AccessDenied) as problem:
        failed.append(problem)
    except PermanentError as problem:
        if problem.status not in (None, 400, 404):  # no such name or id can exist there
            failed.append(problem)
    return None


def _one(found: Sequence[KnownUser | KnownGroup], text: str) -> KnownUser | KnownGroup | None:
    """What is called exactly so in Okta comes first."""
    exact = [
        each
        for each in found
        if text in (each.okta_id, each.wanted.user_name if isinstance(each, KnownUser) else each.wanted.name)
    ]
    left = exact or found
    if len(left) > 1:
        ids = ", ".join(sorted(each.okta_id for each in left))
        raise UsageError(f"{text} means several: {ids}", hint="give the Okta id")
    return left[0] if left else None


def _user_in_okta(job: Job, text: str) -> Named | None:
    if text.startswith("00g"):
        return None
    user = user_in_okta(job, text)
    return None if user is None else Named("user", user)


def _group_in_okta(job: Job, text: str) -> Named | None:
    source = job.source
    if text.startswith("00g") and isinstance(source.group(text), OktaGroup):
        return Named("group", text)
    groups = [group.okta_id for page in source.groups() for group in page.records if group.name == text]
    if len(groups) > 1:
        raise UsageError(f"{text} means several groups: {', '.join(groups)}", hint="give the Okta id")
    return Named("group", groups[0]) if groups else None


def _at_target(job: Job, text: str) -> Named | None:
    """What carries an Okta id is explained from Okta's side."""
    target = job.target
    users = [user for user in target.find_users(okta_id=text, user_name=text) if _is_called(user, text)]
    users = users or [user for user in _by_id(target.user, text) if user.scim_id == text]
    if users:
        return Named("user", users[0].external_id or None, users[0])
    groups = [group for page in target.list_groups() for group in page if text in (group.scim_id, group.name)]
    if len(groups) > 1:
        ids = ", ".join(sorted(group.scim_id for group in groups))
        raise UsageError(f"several groups at the target are called {text}: {ids}", hint="give the SCIM id")
    return Named("group", groups[0].external_id or None, groups[0]) if groups else None


def _is_called(user: RemoteUser, text: str) -> bool:
    return text in (user.external_id, user.user_name)


def _by_id(ask: Callable[[str], RemoteUser], scim_id: str) -> Sequence[RemoteUser]:
    try:
        return [ask(scim_id)]
    except NotFound:
        return []


def _names(job: Job) -> Iterator[str]:
    for group in job.store.groups():
        yield group.wanted.name
    for user in job.store.linked_users():
        yield user.wanted.user_name
