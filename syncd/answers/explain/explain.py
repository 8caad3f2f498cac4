"""`explain`: whom a name means, and everything about that one object."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.answers.explain.explanation import Explanation
from syncd.answers.explain.group import explain_foreign_group, explain_group
from syncd.answers.explain.names import named
from syncd.answers.explain.user import explain_stranger, explain_user
from syncd.engine.job import Job
from syncd.errors import SyncdError
from syncd.model import RemoteGroup, RemoteUser


def explain(job: Job, text: str) -> tuple[Explanation, Sequence[SyncdError]]:
    """With what could not be asked. Raises UsageError for a name that nobody knows; writes nothing anywhere."""
    found = named(job, text)
    if found.okta_id is not None:
        return (explain_user if found.kind == "user" else explain_group)(job, found.okta_id)
    if isinstance(found.remote, RemoteUser):
        return explain_stranger(found.remote)
    assert isinstance(found.remote, RemoteGroup)  # noqa: S101  (without an Okta id only the target knows it)
    return explain_foreign_group(found.remote)
