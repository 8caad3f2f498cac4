"""Why one user or group is as it is: questions in the order in which a cycle asks them, each with its answer.

`state` is one word for machines:

synced            the target has what Okta wants
pending           the next cycle sends something
waiting           the account is there, and waits for one of its groups
not_assigned      nobody wants an account, and none is active (users); inactive: assigned, and not active in Okta
not_in_scope      no push rule names the group
frozen            what Okta says cannot be understood or trusted: left exactly as it is
conflict          two want one name, or the account at the target is somebody else's
refused_name      the target does not allow the group's name
held              a safety check stopped it until a person decides
quarantined       it failed, and waits for its next try
protected         it would be removed, and the settings protect it
released          a person took it out of syncd's hands
left_alone        another reason not to touch it: a setting, the grace period, a missing second proof, or what was
                  changed at the target behind syncd, which only `drift --fix` mends
unmanaged         only the target knows it
unknown           a side could not be asked
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = "syncd.explain/1"
Reply = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Step:
    """One question and its answer. `step` is its name for machines; `detail` a sentence."""

    step: str
    question: str
    answer: Reply
    detail: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """`facts` are further keys of the document: attributes, memberships, holds, last changes, what comes next."""

    object: Literal["user", "group"]
    okta_id: str | None
    scim_id: str | None
    name: str
    state: str
    summary: str
    steps: Sequence[Step]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def document(self, connection: str, asked: str) -> dict[str, Any]:
        """The contract's explain document; `asked` is the name as it was typed."""
        return {
            "schema": SCHEMA,
            "connection": connection,
            "asked": asked,
            "object": self.object,
            "okta_id": self.okta_id,
            "scim_id": self.scim_id,
            "name": self.name,
            "state": self.state,
            "summary": self.summary,
            "steps": [
                {
                    "step": step.step,
                    "question": step.question,
                    "answer": step.answer,
                    "detail": step.detail,
                }
                for step in self.steps
            ],
            **self.facts,
        }


STATES_OF_SKIPS: Mapping[str, str] = {
    "released": "released",
    "frozen": "frozen",
    "conflict": "conflict",
    "refused_name": "refused_name",
    "protected": "protected",
    "quarantined": "quarantined",
    "unsettled": "quarantined",
    "refused": "quarantined",
    "not_pushed": "not_in_scope",
    "grace": "left_alone",
    "unconfirmed": "left_alone",
    "rejected": "left_alone",
    "create_off": "left_alone",
    "update_off": "left_alone",
    "deactivate_off": "left_alone",
}
"""By the kind of a skip (core.diff.Skipped); what is not here is a remark and stops nothing."""

_SUMMARIES: Mapping[str, str] = {
    "synced": "the target has what Okta wants; the next cycle sends nothing",
    "pending": "the next cycle brings the target up to date",
    "not_assigned": "not assigned to the app: nothing is wanted at the target",
    "inactive": "not active in Okta, nor at the target: nothing is to be done",
    "not_in_scope": "no push rule names the group, and nobody linked it by hand",
    "unmanaged": "only the target knows it; syncd does not manage it",
    "unknown": "one side could not be asked; this is what the store knows",
}


def summary_of(state: str, reason: str) -> str:
    """One sentence; `reason` is what stands in the way, "" when the state says it all."""
    general = _SUMMARIES.get(state, "")
    return reason if reason and state not in ("synced", "unknown") else general or reason
