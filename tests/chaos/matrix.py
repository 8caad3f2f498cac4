"""Every kind of request and every fault, once and for ever: what must come of it, as data, and as docs/faults.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MEANINGS: Mapping[str, str] = {
    "e": "exact: exit 0, and everything is as Okta wants it: a retry, a second look or another form of the request "
    "healed it",
    "w": "waits: exit 4; that object failed and waits for its next try, everything else is done",
    "f": "fails: exit 1; a list is incomplete or the target cannot be asked, and what rests on that is not removed",
    "s": "stops: exit 1 and quarantine; the connection is sick: no further write, one request per probe until it heals",
    "u": "untouched: exit 0; what cannot be confirmed stays exactly as it is",
    "t": "exact or waits, by who is faster: the server may still be at it, so nothing is sent twice",
}
WORDS: Mapping[str, str] = {
    "e": "exact", "w": "waits", "f": "fails", "s": "stops", "u": "untouched",
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of request. `path` may name {objects} of the scene. `setting` is the scene in which it is made."""

    name: str
    side: str
    method: str
    path: str
    setting: str = "plain"

    @property
    def is_at_harness(self) -> bool:
        return self.setting == "harness"

    @property
    def about(self) -> str:
        """Who waits while such requests are refused; with people who have no account yet their groups wait too."""
        if "group" in self.name or "members" in self.name:
            return "groups"
        return "newcomers" if self.name.startswith(("find a user", "create a user")) else "people"


@dataclass(frozen=True)
class Fault:
    name: str
    action: str
    options: Mapping[str, Any] = field(default_factory=dict)
    after_effect: bool = False
    side: str = ""
    """Only for this side; empty for both."""


KINDS: Sequence[Kind] = (
    Kind("the app", "okta", "GET", r"/apps/[^/?]+$"),
    Kind("app users, page 1", "okta", "GET", r"/apps/[^/]+/users\?(?!.*after=)"),
    Kind("app users, page 2", "okta", "GET", r"/apps/[^/]+/users\?.*after="),
    Kind("an app user by id", "okta", "GET", r"/apps/[^/]+/users/"),
    Kind("app groups", "okta", "GET", r"/apps/[^/]+/groups\?", "assigned"),
    Kind("push mappings", "okta", "GET", r"/group-push/mappings", "mappings"),
    Kind("groups", "okta", "GET", r"/api/v1/groups\?"),
    Kind("a group by id", "okta", "GET", r"/api/v1/groups/[^/?]+$"),
    Kind("group members", "okta", "GET", r"/api/v1/groups/[^/]+/users"),
    Kind("the groups of a user", "okta", "GET", r"/api/v1/users/[^/]+/groups"),
    Kind("find a user", "split", "GET", r"/Users\?.*filter="),
    Kind("list users", "split", "GET", r"/Users\?(?!.*filter=)", "listing"),
    Kind("create a user", "split", "POST", r"/Users"),
    Kind("patch a user", "split", "PATCH", r"/Users/{mover}"),
    Kind("read a user before a PUT", "split", "GET", r"/Users/{mover}", "put"),
    Kind("put a user", "split", "PUT", r"/Users/{mover}", "put"),
    Kind("deactivate a user", "split", "PATCH", r"/Users/{leaver}"),
    Kind("find a group", "split", "GET", r"/Groups\?"),
    Kind("create a group", "split", "POST", r"/Groups"),
    Kind("add members", "split", "PATCH", r"/Groups/{joined}"),
    Kind("remove members", "split", "PATCH", r"/Groups/{left}"),
    Kind("rename a group", "split", "PATCH", r"/Groups/{renamed}"),
    Kind("delete a group", "split", "DELETE", r"/Groups/{gone}"),
    Kind("find a user by e-mail", "split", "GET", r"/Users\?.*filter=.*new", "harness"),
    Kind("create a user, who may be there", "split", "POST", r"/Users", "harness"),
    Kind("put a user unread", "split", "PUT", r"/Users/{mover}", "harness"),
    Kind("list the names that were put", "split", "GET", r"/Users\?.*filter=.*p10", "harness"),
    Kind("remove a user", "split", "PATCH", r"/Users/{leaver}", "harness"),
    Kind("read a removed user", "split", "GET", r"/Users/{leaver}", "harness"),
    Kind("read the group of an identifier", "split", "GET", r"/Groups/push_new$", "harness"),
    Kind("create a group of that identifier", "split", "POST", r"/Groups", "harness"),
    Kind("add members, unheard", "split", "PATCH", r"/Groups/{joined}", "harness"),
    Kind("remove members, unheard", "split", "PATCH", r"/Groups/{left}", "harness"),
    Kind("read a group back", "split", "GET", r"/Groups/{joined}", "harness"),
    Kind("rename a group, unheard", "split", "PATCH", r"/Groups/{renamed}", "harness"),
    Kind("delete a group by identifier", "split", "DELETE", r"/Groups/{gone}", "harness"),
)

_OKTA_429 = ("okta", "no_reset", "reset_past", "concurrency")
_SPLIT_429 = ("retry_after_seconds", "retry_after_date", "x_retry_after", "split_reset")
FAULTS: Sequence[Fault] = (
    *(
        Fault(str(status), "status", {"status": status})
        for status in (400, 401, 403, 404, 408, 409, 412, 413)
    ),
    *(
        Fault(f"429 {form.replace('_', ' ')}", "rate_limit", {"form": form, "seconds": 0}, side=side)
        for side, forms in (("okta", _OKTA_429), ("split", _SPLIT_429))
        for form in forms
    ),
    *(Fault(str(status), "status", {"status": status}) for status in (500, 502, 503, 504)),
    Fault("timeout", "delay", {"seconds": 1.3}),
    Fault("reset before acting", "drop"),
    Fault("reset after acting", "drop", after_effect=True),
    Fault("truncated", "truncated"),
    Fault("cut off", "cut"),
    Fault("a web page", "html", {"status": 200}),
    Fault("empty 500", "empty", {"status": 500}),
    Fault("empty 200", "empty", {"status": 200}),
    Fault("wrong type", "wrong_type"),
    Fault("423", "status", {"status": 423}),
    Fault("501", "status", {"status": 501}),
    Fault("403 retry after", "rate_limit", {"form": "forbidden", "seconds": 0}),
)


# Two letters of MEANINGS for each fault of the kind's side, in the order of FAULTS: met once, and met every time.
# fmt: off
OUTCOMES: Mapping[str, str] = {
    "the app":
        "ff ss ss ff ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ff ef",
    "app users, page 1":
        "ff fs fs ff ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ff ef",
    "app users, page 2":
        "ff ff ff ff ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ff ef",
    "an app user by id":
        "ff ww ww ee ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ff ef",
    "app groups":
        "ff ff ff ff ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ff ef",
    "push mappings":
        "ff ff ff ff ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ff ef",
    "groups":
        "ef ff ff ff ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ff ef",
    "a group by id":
        "ff ww ww eu ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ff ef",
    "group members":
        "ef ww ww ff ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ff ef",
    "the groups of a user":
        "ff ww ww uu ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ef ff ef",
    "find a user":
        "ee ww ww ee ef ff ff ff ef ef ef ef ee ef ef ef ef ef ef ef ef ff ee ef ee ef ee ef",
    "list users":
        "ef ss ss ss ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ef ef ff ef ef ee ef ef ef",
    "create a user":
        "ww ww ww ww ww ww ww ww ew ew ew ew ew ew ew ww tt ew ee ee ee ww ew ww ee ew ww ew",
    "patch a user":
        "ee ww ww ee ew ww ww ww ew ew ew ew ee ew ew ew ew ew ew ee ew ww ee ee ee ew ee ew",
    "read a user before a PUT":
        "ww ww ww ew ew ww ww ww ew ew ew ew ew ew ew ew ew ew ew ew ew ww ew ew ew ew ww ew",
    "put a user":
        "ww ww ww ew ew ww ew ww ew ew ew ew ew ew ew ew ew ew ew ee ew ww ew ww ee ew ww ew",
    "deactivate a user":
        "ee ww ww ee ew ww ww ww ew ew ew ew ee ew ew ew ew ew ew ee ew ww ee ee ee ew ee ew",
    "find a group":
        "ef ww ww ee ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ef ef ff ef ef ee ef ef ef",
    "create a group":
        "ww ww ww ww ww ww ww ww ew ew ew ew ew ew ew ww tt ew ee ee ee ww ew ww ee ew ww ew",
    "add members":
        "ew ew ew ew ew ew ww ew ew ew ew ew ew ew ew ew ee ew ee ee ee ww ew ee ee ew ew ew",
    "remove members":
        "ee ww ww ee ew ee ww ee ew ew ew ew ee ew ew ew ew ew ew ee ew ww ee ee ee ew ee ew",
    "rename a group":
        "ee ww ww ee ew ww ww ww ew ew ew ew ee ew ew ew ew ew ew ee ew ww ee ee ee ew ee ew",
    "delete a group":
        "ww ww ww ew ew ww ww ww ew ew ew ew ew ew ew ew ew ew ew ee ee ww ew ww ee ew ww ew",
    "find a user by e-mail":
        "ee ww ww ee ef ff ff ff ef ef ef ef ee ef ef ef ef ef ef ef ef ff ee ef ee ef ee ef",
    "create a user, who may be there":
        "ww ww ww ww ww ww ww ww ew ew ew ew ew ew ew ww ee ew ee ee ee ww ew ww ee ew ww ew",
    "put a user unread":
        "ww ww ww ew ew ww ew ww ew ew ew ew ew ew ew ew ew ew ew ee ew ww ew ww ee ew ww ew",
    "list the names that were put":
        "ee ww ww ee ew ww ww ww ew ew ew ew ee ew ew ew ew ew ew ew ew ww ee ew ee ew ee ew",
    "remove a user":
        "ww ww ww ww ew ww ww ww ew ew ew ew ew ew ew ew ew ew ew ee ee ww ew ww ee ew ww ew",
    "read a removed user":
        "ww ww ww ee ew ww ww ww ew ew ew ew ew ew ew ew ew ew ew ee ew ww ew ew ee ew ww ew",
    "read the group of an identifier":
        "ff ww ww ew ef ff ff ff ef ef ef ef ef ef ef ef ef ef ef ew ef ff ef ef ew ef ff ef",
    "create a group of that identifier":
        "ww ww ww ww ww ww ww ww ew ew ew ew ew ew ew ww ee ew ee ee ee ww ew ww ee ew ww ew",
    "add members, unheard":
        "ew ew ew ew ew ew ww ew ew ew ew ew ew ew ew ew ee ew ee ee ee ww ew ww ee ew ew ew",
    "remove members, unheard":
        "ew ww ww ew ew ww ww ww ew ew ew ew ew ew ew ew ew ew ew ee ee ww ew ew ee ew ew ew",
    "read a group back":
        "ww ww ww ww ew ww ww ww ew ew ew ew ew ew ew ew ew ew ew ew ew ww ew ew ew ew ww ew",
    "rename a group, unheard":
        "ww ww ww ww ew ww ww ww ew ew ew ew ew ew ew ew ew ew ew ee ee ww ew ww ee ew ww ew",
    "delete a group by identifier":
        "ww ww ww ew ew ww ww ww ew ew ew ew ew ew ew ew ew ew ew ee ee ww ew ww ee ew ww ew",
}
# fmt: on


EVERYBODY: Mapping[str, str] = {
    "400": "fff", "401": "sss", "403": "sss", "404": "fss", "409": "fff", "412": "fff", "413": "fff", "423": "fff",
    "429": "fff", "500": "fff", "501": "fff", "503": "fff", "403 retry after": "fff",
}  # fmt: skip
"""Answers that one side gives to every request of a run: what it comes to, for Okta, the target, and Harness. Only
what says that we are not welcome, or that nobody is there, quarantines; a side in trouble is simply asked again
later."""


def of_everybody(name: str) -> Fault:
    """The fault of a name in EVERYBODY."""
    if name == "429":
        return Fault(name, "rate_limit", {"form": "retry_after_seconds", "seconds": 0})
    return next((fault for fault in FAULTS if fault.name == name), None) or Fault(
        name, "status", {"status": int(name)}
    )


def faults_of(side: str) -> list[Fault]:
    return [fault for fault in FAULTS if fault.side in ("", side)]


def expected(kind: Kind, fault: Fault, *, lasting: bool) -> str:
    """The letter of the table."""
    return OUTCOMES[kind.name].split()[faults_of(kind.side).index(fault)][lasting]


def cells() -> list[tuple[Kind, Fault, bool]]:
    """Every kind, every fault, and whether it lasts."""
    return [
        (kind, fault, lasting)
        for kind in KINDS
        for fault in faults_of(kind.side)
        for lasting in (False, True)
    ]


_TABLES = (
    ("okta", False, "Requests to Okta"),
    ("split", False, "Requests to the target"),
    ("split", True, "Requests to Harness"),
)


def document() -> str:
    """docs/faults.md."""
    lines = [
        "# What every fault comes to",
        "",
        "Every kind of request to Okta, to the target and to Harness, with every fault. The first letter says what",
        "a run comes to that meets the fault once, the second what it comes to when the fault meets every try.",
        "",
        *(f"- **{letter}** {meaning}" for letter, meaning in MEANINGS.items()),
        "",
        "In every cell nobody loses anything that Okta still gives them, and no twin is made. When the fault is over",
        "and the retry delay has passed, the next two syncs end exactly. Where one object is refused (401, 403) nobody",
        "else is kept waiting: people are as Okta wants them while a group is refused, and groups while a person is.",
        "",
        "Written by `python -m tests.chaos.matrix`; held by `tests/chaos/test_fault_matrix.py`.",
    ]
    for side, at_harness, title in _TABLES:
        kinds = [kind for kind in KINDS if kind.side == side and kind.is_at_harness is at_harness]
        lines += ["", f"## {title}", "", f"| fault | {' | '.join(kind.name for kind in kinds)} |"]
        lines.append(f"| --- |{' --- |' * len(kinds)}")
        for fault in faults_of(side):
            letters = [expected(k, fault, lasting=False) + expected(k, fault, lasting=True) for k in kinds]
            lines.append(f"| {fault.name} | {' | '.join(letters)} |")
    lines += [
        "",
        "## One side gives every request the same answer",
        "",
        "| answer | Okta | the target | Harness |",
        "| --- | --- | --- | --- |",
        *(f"| {name} | {' | '.join(letters)} |" for name, letters in EVERYBODY.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path("docs/faults.md").write_text(document())
