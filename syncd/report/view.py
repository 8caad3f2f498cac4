"""The audit report as a value: what every format shows, already without secrets, and the words it begins with.

It is the document `syncd.report/1`. What grows with the population comes as rows that can be walked more than once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.core.counting import counted
from syncd.core.drift import REPORTED_ONLY, DriftKind
from syncd.core.token_age import warning_mark
from syncd.core.whole_commands import of_document, whole

SCHEMA = "syncd.report/1"
DRIFT_KINDS = tuple(kind.value for kind in DriftKind)
Row = Mapping[str, Any]
Rows = Callable[[], Iterator[Row]]


@dataclass(frozen=True, slots=True)
class Report:
    """One connection. `facts` is everything of the document that is small; the rest is walked row by row."""

    facts: Mapping[str, Any]
    changes: Rows
    access: Rows
    without_group: Rows

    @property
    def connection(self) -> str:
        return str(self.facts["connection"])

    def document(self) -> Mapping[str, Any]:
        """The contract's document, its long lists as iterators (`jsondoc.pieces`)."""
        return {
            **self.facts,
            "changes": self.changes(),
            "access": self.access(),
            "without_group": self.without_group(),
        }


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A connection that nothing can be told about. `document` is its `syncd.error/1`."""

    document: Mapping[str, Any]

    @property
    def connection(self) -> str:
        return str(self.document.get("connection", ""))


def when(stamp: str | None) -> str:
    """The time without T and Z: "2026-03-01 10:00:00"; nothing for None."""
    return "" if stamp is None else str(stamp).replace("T", " ").removesuffix("Z")


def verdict(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """The first sentences: what needs somebody's attention, worst first, or that nothing does."""
    found = [*_broken(facts), *_waiting(facts)]
    if not found:
        found = [
            _said("good", "Nothing waits for anybody: nothing fails, nothing is held, nobody is left out.")
        ]
    return sorted([*found, _drift(facts)], key=lambda one: ("bad", "warn", "good").index(one["level"]))


def _said(level: str, text: str) -> dict[str, str]:
    return {"level": level, "text": text}


def _broken(facts: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    audit, sick = facts["audit"], facts["quarantine"]
    for one in audit["altered"]:
        problem = f"{one['table']}: {one['problem']}"
        yield _said(
            "bad", f"The store was changed by hand ({problem}). What follows may not be what happened."
        )
    if not audit["intact"] and not audit["altered"]:
        broken = audit["broken"]
        where = f"row {broken['sequence']}: {broken['problem']}" if broken else "its end is unreadable"
        yield _said("bad", f"The audit trail is broken ({where}). What follows may not be what happened.")
    if sick:
        yield _said("bad", f"The connection is quarantined since {when(sick['since'])}: {sick['reason']}")
    open_outage = next((one for one in facts["outages"] if one["ended"] is None), None)
    if open_outage:
        yield _said("bad", f"No run has succeeded since {when(open_outage['first'])}: {open_outage['error']}")
    token = facts["token"]
    if token and token["expires_in_days"] <= 0:
        yield _said("bad", "The Split token has expired.")
    elif token and warning_mark(token["expires_in_days"]):
        yield _said("warn", f"The Split token expires in {counted(token['expires_in_days'], 'day')}.")


def _waiting(facts: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    summary = facts["summary"]
    if failing := summary["failures"]["open"]:
        yield _said("warn", f"{counted(failing, 'change')} failed and {_are(failing)} tried again.")
    if held := summary["holds"]["waiting_changes"]:
        yield _said(
            "warn",
            f"{counted(held, 'change')} {_are(held)} held by safety checks until somebody decides.",
        )
    if left := facts["current"]["left_out"]:
        told = f"{counted(left, 'object')} {_are(left)} left out: syncd skipped says who, why and what to do."
        yield _said("warn", whole(told, of_document(facts)))
    if unsettled := facts["open_writes"]:
        yield _said(
            "warn", f"{counted(unsettled, 'write')} ended without an answer; the next run asks Split."
        )
    if facts["last_complete_read"] is None:
        yield _said("warn", "Okta's lists were never read whole: who should have access is not known yet.")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _it_is(count: int) -> str:
    return "it is" if count == 1 else "they are"


def differing(summary: Mapping[str, int]) -> int:
    """How many of the differences are in something of ours; what nobody manages is only reported."""
    return sum(count for kind, count in summary.items() if kind not in REPORTED_ONLY)


def _drift(facts: Mapping[str, Any]) -> dict[str, str]:
    """Did anybody change it behind our back?"""
    drift = facts["drift"]
    last = drift["last"]
    if last is None:
        return _said(
            "warn", "No comparison with Split is recorded: changes made there by hand would not show."
        )
    counts = last["counts"]
    if not counts["found"]:
        never = f"; {counts['never_written']:,} never written" if counts["never_written"] else ""
        compared = f"(compared {when(last['created_at'])}{never})"
        return _said("good", f"Nobody changed Split behind syncd's back {compared}.")
    level = "warn" if counts["to_give_back"] or counts["not_syncds"] else "good"
    return _said(level, f"The comparison of {when(last['created_at'])} found {last['told']}.")


def period_words(period: Mapping[str, Any]) -> str:
    """What is covered: "2026-03-01 00:00:00 to 2026-03-08 00:00:00 UTC", "everything up to ...", "run X"."""
    if period["run_id"]:
        return f"run {period['run_id']}"
    until = str(period["until"]).replace("T", " ").replace("Z", " UTC")
    if period["since"] is None:
        return f"everything up to {until}"
    return f"{str(period['since']).replace('T', ' ').replace('Z', '')} to {until}"


def row_object(row: Row) -> str:
    """What a change, failure or access row is about, in one text."""
    if row.get("group") is not None and row.get("user") is not None:
        return f"{row['user']} in {row['group']}"
    return str(row.get("object") or row.get("user") or row.get("okta_id") or "")


def differences(row: Row) -> list[tuple[str, Any, Any]]:
    """Attribute, before, after; empty for memberships, which their name tells."""
    before, after = row.get("before") or {}, row.get("after") or {}
    if row.get("group") is not None:
        return []
    return [(key, before.get(key), after.get(key)) for key in sorted({*before, *after})]
