"""What people are told about a connection, each thing once: what was said before and how it is now in, notices out.

A quarantine and failing cycles are one trouble with one recovery, so that an outage of a day is two notices. A single
failed cycle is none, for networks fail now and then. Objects that keep failing are told when nothing graver is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from syncd.core.counting import counted
from syncd.core.drift_news import DriftFound
from syncd.core.sickness import Quarantine
from syncd.core.token_age import TOKEN_LIVES, warning_mark
from syncd.core.waiting import LEFT_BY_SETTING, Waiting
from syncd.redact import clip, strip_controls

ROTATION = (
    "A new token in a file counts from the next cycle on; one in a credential of systemd or a variable needs a restart"
    " of the service."
)
CYCLES = frozenset({"full", "delta", "drift"})
"""Their failing is the connection's. A run over single objects that a person named says nothing about the connection,
neither when it fails nor when it does not.
"""
ENOUGH_FAILURES = 2
_LONGEST = 300
_HELD_NAMED = 5
_LEFT_OUT_NAMED = 5
_DRIFT_NAMED = 10

Severity = Literal["info", "success", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Held:
    """An open hold. `key` stays the same while the hold grows and gets another `id`."""

    key: str
    id: str
    reason: str
    changes: int


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison with the target found that is news, and is still so, and what a repair gave back right after.
    `complete`: it could look at everything.
    """

    found: Sequence[DriftFound]
    complete: bool = True
    given_back: Sequence[DriftFound] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """A connection after a run of this `kind`, one of `CYCLES` or "targeted".

    `status` is quiet, succeeded, held, partial, refused, interrupted or failed.

    `held`, `left_out` and `drift` are None when nobody looked; `stuck` names the objects that failed at least twice;
    `token_created` is an ISO date, None when the settings have none.
    """

    kind: str
    status: str
    error: str = ""
    quarantine: Quarantine | None = None
    held: Sequence[Held] | None = None
    stuck: Sequence[str] = ()
    left_out: Sequence[Waiting] | None = None
    drift: Compared | None = None
    token_created: str | None = None
    token_days_left: int = TOKEN_LIVES

    @property
    def is_telling(self) -> bool:
        """Whether it says anything about the connection: not a run over single objects, nor one that was stopped."""
        return self.kind in CYCLES and self.status != "interrupted"


@dataclass(frozen=True, slots=True)
class Notice:
    """Plain text: harmless in a terminal, in HTML and in a chat."""

    severity: Severity
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What was said, and what leads to saying it.

    `failing` counts failed cycles in a row by kind. `sick` is the side of the quarantine that was told, `held` maps
    keys of holds to the number of changes told, `token` is the date of the token and the days ahead that were told.
    `stuck` is "silent" when something graver had been told already. `left_out` are digests of those who were told,
    `drift` has keys of differences.
    """

    failing: Mapping[str, int] = field(default_factory=dict)
    failed: bool = False
    sick: str = ""
    stuck: Literal["", "told", "silent"] = ""
    held: Mapping[str, int] = field(default_factory=dict)
    token: tuple[str, int] | None = None
    left_out: frozenset[str] = frozenset()
    drift: frozenset[str] = frozenset()

    def text(self) -> str:
        """One line of JSON, for `read`."""
        made: dict[str, Any] = {
            "failing": dict(self.failing),
            "failed": self.failed,
            "sick": self.sick,
            "stuck": self.stuck,
            "held": dict(self.held),
            "token": self.token,
            "left_out": " ".join(sorted(self.left_out)),
            "drift": sorted(self.drift),
        }
        return json.dumps(made, sort_keys=True)

    @classmethod
    def read(cls, text: str | None) -> Self:
        """Nothing said yet, when there is no text or it cannot be read."""
        try:
            found = json.loads(text or "{}")
            token = found.get("token")
            return cls(
                failing={str(kind): int(count) for kind, count in found.get("failing", {}).items()},
                failed=bool(found.get("failed")),
                sick=str(found.get("sick", "")),
                stuck=found["stuck"] if found.get("stuck") in ("told", "silent") else "",
                held={str(key): int(count) for key, count in found.get("held", {}).items()},
                token=(str(token[0]), int(token[1])) if token else None,
                left_out=frozenset(str(found.get("left_out", "")).split()),
                drift=frozenset(map(str, found.get("drift", ()))),
            )
        except (ValueError, TypeError, AttributeError, LookupError):
            return cls()


def decide(connection: str, memory: Memory, facts: Facts) -> tuple[list[Notice], Memory]:
    """What to tell now, and what is then told."""
    told: list[Notice] = []
    memory = _counted(memory, facts)
    for topic in (_trouble, _stuck, _held, _left_out, _drift, _token):
        notice, memory = topic(memory, facts)
        if notice is not None:
            told.append(replace(notice, title=f"syncd {connection}: {notice.title}"))
    return told, memory


_Said = tuple[Notice | None, Memory]


def _counted(memory: Memory, facts: Facts) -> Memory:
    """A cycle that did not fail ends the failures of its kind, and those of deltas: they ask for less.

    A quiet delta says nothing about a full read that failed.
    """
    if facts.quarantine is not None or not facts.is_telling:
        return memory
    failing = dict(memory.failing)
    if facts.status == "failed":
        failing[facts.kind] = min(failing.get(facts.kind, 0) + 1, ENOUGH_FAILURES)
    else:
        failing.pop(facts.kind, None)
        failing.pop("delta", None)
    return replace(memory, failing=failing)


def _trouble(memory: Memory, facts: Facts) -> _Said:
    sick = facts.quarantine
    if sick is not None:
        if memory.sick == sick.side:
            return None, memory  # also one that was left and entered again without a good cycle in between
        return Notice("failure", "quarantined", _quarantined(sick)), replace(memory, sick=sick.side)
    if not facts.is_telling:
        return None, memory
    if sum(memory.failing.values()) >= ENOUGH_FAILURES and not memory.failed:
        text = (
            f"Two cycles in a row failed: {plain(facts.error) or 'no reason was given'}. The next ones try again; "
            "you are told when they succeed. Details: syncd status."
        )
        return Notice("failure", "cycles fail", text), replace(memory, failed=True)
    if memory.failing or facts.status == "failed" or not (memory.sick or memory.failed):
        return None, memory
    left = f" {counted(len(facts.stuck), 'object')} still failing: see syncd status." if facts.stuck else ""
    what = "The quarantine is over" if memory.sick else "Cycles succeed again"
    memory = replace(memory, sick="", failed=False, stuck="silent" if facts.stuck else memory.stuck)
    return Notice("success", "well again", f"{what}.{left}"), memory


def _quarantined(sick: Quarantine) -> str:
    ways_out = {
        "okta": f"Check the Okta token and the app: syncd check. It ends by itself once Okta answers. {ROTATION}",
        "split": f"Check Split and its token: syncd check. It ends by itself once Split answers. {ROTATION}",
        "relink": "It waits for you: syncd relink shows who is where, and changes nothing unasked.",
    }
    return f"{plain(sick.reason)}. Nothing is written to Split until it is over. {ways_out.get(sick.side, '')}".rstrip()


def _stuck(memory: Memory, facts: Facts) -> _Said:
    grave = bool(facts.quarantine or memory.failed)
    if not facts.stuck:
        over = memory.stuck == "told" and not grave
        notice = Notice("success", "objects well again", "No object fails any more.") if over else None
        return notice, replace(memory, stuck="")
    if grave:
        return None, replace(memory, stuck="silent")
    if memory.stuck or memory.failing:
        return None, memory
    text = (
        f"{counted(len(facts.stuck), 'object')} failed more than once, first {plain(facts.stuck[0])}. They are tried "
        "again by themselves, less and less often. The reasons: syncd status. To try now: syncd retry."
    )
    return Notice("warning", "objects keep failing", text), replace(memory, stuck="told")


def _held(memory: Memory, facts: Facts) -> _Said:
    """A hold is told when it is new, and again when it has doubled."""
    if facts.held is None:
        return None, memory
    new = [hold for hold in facts.held if hold.changes >= 2 * memory.held.get(hold.key, 0) and hold.changes]
    told = {hold.key: memory.held.get(hold.key, 0) for hold in facts.held}
    told.update({hold.key: hold.changes for hold in new})
    if not new:
        return None, replace(memory, held=told)
    lines = [
        f"{hold.id}: {counted(hold.changes, 'change')}. {plain(hold.reason)}." for hold in new[:_HELD_NAMED]
    ]
    if len(new) > _HELD_NAMED:
        lines.append(f"and {counted(len(new) - _HELD_NAMED, 'more hold')}.")
    lines.append(
        "Nothing of this is done until you decide: syncd held, then syncd approve ID or syncd reject ID."
    )
    total = counted(sum(hold.changes for hold in new), "change")
    return Notice("warning", f"{total} held", "\n".join(lines)), replace(memory, held=told)


_AT_ONCE = frozenset({"conflict", "refused_name", "frozen", "protected", "last_member"})
"""Who is left out for these reasons stays so until somebody does something. Others are told when another look found
them so again; what fails is told as failing, and what a setting leaves out somebody chose.
"""


def _left_out(memory: Memory, facts: Facts) -> _Said:
    """All who are newly left out in one notice; who is so again, after it was over, is told again."""
    if facts.left_out is None:
        return None, memory
    found = {
        _digest(each): each
        for each in facts.left_out
        if each.kind in _AT_ONCE or (each.kind not in LEFT_BY_SETTING and each.looks > 1)
    }
    new = [each for key, each in found.items() if key not in memory.left_out]
    memory = replace(memory, left_out=frozenset(found))
    if not new:
        return None, memory
    lines = [f"{plain(each.name) or each.okta_id}: {plain(each.reason)}." for each in new[:_LEFT_OUT_NAMED]]
    if len(new) > _LEFT_OUT_NAMED:
        lines.append(f"and {counted(len(new) - _LEFT_OUT_NAMED, 'more object')}.")
    lines.append("syncd skipped lists all who are left out, each with the command that settles it.")
    return Notice("warning", f"{counted(len(new), 'object')} newly left out", "\n".join(lines)), memory


def _digest(each: Waiting) -> str:
    said = f"{each.object_key} {each.kind}"
    return hashlib.blake2b(said.encode("utf-8", "backslashreplace"), digest_size=5).hexdigest()


def _drift(memory: Memory, facts: Facts) -> _Said:
    """A difference is told when its kind or its object is new, and again when it was over in between."""
    compared = facts.drift
    if compared is None:
        return None, memory
    keys = frozenset(each.key for each in compared.found)
    new = [each for each in compared.found if each.key not in memory.drift]
    back = [each for each in compared.given_back if each.key not in memory.drift]
    memory = replace(memory, drift=keys if compared.complete else keys | memory.drift)
    told = new or back
    if not told:
        return None, memory
    lines = [f"{plain(each.named)}: {plain(each.reason)}." for each in told[:_DRIFT_NAMED]]
    if len(told) > _DRIFT_NAMED:
        lines.append(f"and {counted(len(told) - _DRIFT_NAMED, 'more difference')}.")
    if not new:
        number = counted(len(back), "difference")
        return Notice("info", f"{number} found and given back", "\n".join(lines)), memory
    if back:
        lines.append(f"{counted(len(back), 'other')} found and given back.")
    repair = " To give it back: syncd drift --fix." if any(each.repair for each in new) else ""
    lines.append(f"Somebody else wrote to Split. All of it: syncd drift.{repair}")
    return Notice("warning", f"drift: {counted(len(new), 'difference')}", "\n".join(lines)), memory


def _token(memory: Memory, facts: Facts) -> _Said:
    """On the first start only the nearest of the days is told, not every one that passed."""
    left = facts.token_days_left
    ahead = warning_mark(left)
    if facts.token_created is None or ahead is None:
        return None, memory
    if memory.token and memory.token[0] == facts.token_created and memory.token[1] <= ahead:
        return None, memory
    when = f"expires in {counted(left, 'day')}" if left > 0 else "has expired, by its date in the settings"
    text = (
        f"The Split token {when}. Make a new one in Split (Admin settings, Security, SCIM), put it in place and write "
        "its date into split.token_created. "
        f"{ROTATION}"
    )
    told = replace(memory, token=(facts.token_created, ahead))
    return Notice("warning", f"Split token {'expires' if left > 0 else 'expired'}", text), told


_MENTION = re.compile(r"@(?=(?:everyone|here|channel|all)\b)|(?<![\w.+-])@(?=\w)", re.IGNORECASE)
"""Of all, and of whoever has the name; an e-mail address is none."""


def plain(text: str) -> str:
    """Somebody else's text made harmless: no controls, no tags, no links of markup, nobody is pinged; clipped."""
    text = clip(strip_controls(text), _LONGEST).rstrip(" .")
    text = text.replace("<", "\u2039").replace(">", "\u203a").replace("](", "] (")
    return _MENTION.sub("@ ", text)
