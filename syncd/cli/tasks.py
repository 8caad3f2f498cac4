"""The commands by what somebody wants to do, as the help and the manual show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

TASKS: Sequence[tuple[str, Sequence[str]]] = (
    ("Set up", ("init", "check", "hook", "schema", "completion")),
    ("Look before", ("plan", "show", "explain", "groups")),
    ("Provision", ("sync", "apply", "run", "pause", "resume", "undo")),
    ("Decide what is held or left out", ("held", "approve", "reject", "expect", "skipped", "retry")),
    ("Tie and untie by hand", ("link", "unlink", "release", "relink")),
    ("See how it is and was", ("status", "drift", "report", "audit")),
    ("Keep, move, ask for help", ("backup", "restore", "store", "doctor")),
    ("Several machines", ("worker", "fleet")),
    ("Try it out", ("demo", "simulate")),
)
"""Each in the order in which it is met."""
_OTHERS = "More"


def by_task(known: Iterable[str]) -> list[tuple[str, list[str]]]:
    """The known commands under their tasks; none is left out."""
    left = list(known)
    found = []
    for task, names in TASKS:
        here = [name for name in names if name in left]
        left = [name for name in left if name not in here]
        if here:
            found.append((task, here))
    return [*found, (_OTHERS, left)] if left else found
